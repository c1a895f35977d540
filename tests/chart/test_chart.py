"""What the chart promises, for every scenario in its `ci` folder."""

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

import bridge
from tests.chart.conftest import CHART, ROOT, SCENARIOS, Helm, Refused, of_kind, service_pod

OLDEST, NEWEST = "1.25", kubernetes_validate.latest_version()
MINIMAL = SCENARIOS[0]
OPERATORS = {"monitoring.coreos.com/v1", "keda.sh/v1alpha1", "kafka.strimzi.io/v1beta2"}
each_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem)


def _values(scenario: Path) -> Any:
    return yaml.safe_load((CHART / "values.yaml").read_text()) | yaml.safe_load(scenario.read_text())


def test_there_are_scenarios() -> None:
    assert len(SCENARIOS) >= 8


@each_scenario
def test_it_lints(helm: Helm, scenario: Path) -> None:
    assert "0 chart(s) failed" in helm.run("lint", "--strict", str(CHART), "--values", str(scenario))


@each_scenario
@pytest.mark.parametrize("version", [OLDEST, "1.33", NEWEST])
def test_every_manifest_is_what_kubernetes_knows(helm: Helm, scenario: Path, version: str) -> None:
    manifests = helm.render(scenario, kube_version=version)
    assert {"ConfigMap", "Deployment", "Service"} <= {manifest["kind"] for manifest in manifests}
    for manifest in manifests:
        if manifest["apiVersion"] not in OPERATORS:
            kubernetes_validate.validate(manifest, version, strict=True)


def test_the_schema_check_sees_a_planted_mistake(helm: Helm) -> None:
    deployment = of_kind(helm.render(MINIMAL), "Deployment")
    deployment["spec"]["template"]["spec"]["containers"][0]["livenessprobe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="livenessprobe"):
        kubernetes_validate.validate(deployment, NEWEST, strict=True)


@each_scenario
def test_the_kubelet_asks_for_life_and_readiness(helm: Helm, scenario: Path) -> None:
    manifests = helm.render(scenario)
    container = service_pod(manifests)["containers"][0]
    port = {"name": "admin", "containerPort": 8080, "protocol": "TCP"}
    assert container["ports"] == [port]
    assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "admin"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "admin"}
    assert of_kind(manifests, "Service")["spec"]["ports"][0]["targetPort"] == "admin"


@each_scenario
def test_the_service_selects_theservice_pod(helm: Helm, scenario: Path) -> None:
    manifests = helm.render(scenario)
    labels = of_kind(manifests, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert of_kind(manifests, "Service")["spec"]["selector"].items() <= labels.items()
    assert of_kind(manifests, "Deployment")["spec"]["selector"]["matchLabels"].items() <= labels.items()


@each_scenario
def test_secrets_come_by_reference_alone(helm: Helm, scenario: Path) -> None:
    manifests, values = helm.render(scenario), _values(scenario)
    assert "Secret" not in {manifest["kind"] for manifest in manifests}
    given = {(one["name"], one["secret"], one["key"]) for one in values["secretEnv"]}
    named = [one for one in service_pod(manifests)["containers"][0].get("env", []) if "valueFrom" in one]
    references = [(one["name"], one["valueFrom"]["secretKeyRef"]) for one in named]
    assert {(name, ref["name"], ref["key"]) for name, ref in references} == given
    mounted = {volume["secret"]["secretName"] for volume in service_pod(manifests)["volumes"] if "secret" in volume}
    assert mounted == {one["secret"] for one in values["secretMounts"]}


@each_scenario
def test_the_configuration_goes_through_unchanged_but_for_the_admin_address(helm: Helm, scenario: Path) -> None:
    written = yaml.safe_load(of_kind(helm.render(scenario), "ConfigMap")["data"]["bridge.yaml"])
    given = _values(scenario)["config"]
    assert written.pop("admin") == given.pop("admin", {}) | {"host": "0.0.0.0", "port": 8080}
    assert written.pop("ownership") == given.pop("ownership", "kafka")
    assert written == given


def test_a_changed_configuration_replaces_theservice_pod(helm: Helm) -> None:
    def checksum(*sets: str) -> str:
        annotations = of_kind(helm.render(MINIMAL, sets), "Deployment")["spec"]["template"]["metadata"]["annotations"]
        return str(annotations["checksum/config"])

    assert checksum() == checksum("replicas=0")
    assert checksum() != checksum('config.deployment="other"')


def test_one_process_alone_is_replaced_and_a_group_rolls(helm: Helm) -> None:
    alone = of_kind(helm.render(MINIMAL, ['config.ownership="local"', "replicas=1"]), "Deployment")["spec"]
    grouped = of_kind(helm.render(MINIMAL, ["replicas=3"]), "Deployment")["spec"]
    assert alone["strategy"] == {"type": "Recreate"}
    assert grouped["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    assert grouped["replicas"] == 3


@each_scenario
def test_the_pod_is_given_longer_than_the_service_takes_to_stop(helm: Helm, scenario: Path) -> None:
    stop = _values(scenario)["config"].get("stop_timeout", "30s")
    assert service_pod(helm.render(scenario))["terminationGracePeriodSeconds"] > int(stop.removesuffix("s"))


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        ("replica=2", "replica"),
        ('image={"tagg": "1"}', "tagg"),
        ('service={"ports": 1}', "ports"),
        ('serviceAccount={"make": true}', "make"),
        ('resources={"limit": {}}', "limit"),
        ('secretEnv=[{"name": "A", "value": "x"}]', "value"),
        ('secretEnv=[{"name": "A B", "secret": "s", "key": "k"}]', "secretEnv/0/name"),
        ('secretMounts=[{"secret": "s", "mountPath": "/etc/bridge/s"}]', "mountPath"),
        ('config.platform.token="eyJhbGciOi"', "platform/token"),
        ('config.kafka.sasl_plain_password="hunter2"', "sasl_plain_password"),
        ('config.admin={"operate_token": "hunter2"}', "operate_token"),
        ('config.redis.url="redis://:hunter2@redis:6379/0"', "redis/url"),
        ('config.redis.password="hunter2"', "redis/password"),
        ('config.ownership="local"', "config.ownership"),
        ('config.stop_timeout="45s"', "terminationGracePeriodSeconds"),
        ('config.stop_timeout="1m"', "terminationGracePeriodSeconds"),
        ('serviceAccount={"create": false}', "serviceAccount.name"),
        ('autoscaling={"enabled": true}', "autoscaling.prometheus"),
        ('strimzi={"enabled": true}', "strimzi.cluster"),
        ('networkPolicy={"from": []}', "networkPolicy/from"),
        ('topologySpread="Hard"', "topologySpread"),
        ('test={"source": "mail"}', "test/source"),
        ('sandbox={"img": "x"}', "img"),
    ],
)
def test_a_mistake_in_the_values_is_refused_by_name(helm: Helm, mistake: str, said: str) -> None:
    with pytest.raises(Refused, match=re.escape(said)):
        helm.render(MINIMAL, [mistake])


def test_a_group_is_spread_and_disrupted_one_by_one(helm: Helm) -> None:
    group = helm.render(CHART / "ci" / "05-group-values.yaml")
    spread = service_pod(group)["topologySpreadConstraints"]
    assert [one["topologyKey"] for one in spread] == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
    assert {one["whenUnsatisfiable"] for one in spread} == {"DoNotSchedule"}
    assert of_kind(group, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    alone = helm.render(CHART / "ci" / "03-routes-values.yaml")
    assert "topologySpreadConstraints" not in service_pod(alone)
    assert "PodDisruptionBudget" not in {manifest["kind"] for manifest in alone}


def test_an_autoscaled_deployment_says_no_number_of_its_own(helm: Helm) -> None:
    scaled = helm.render(CHART / "ci" / "08-scaled-values.yaml")
    assert "replicas" not in of_kind(scaled, "Deployment")["spec"]
    trigger = of_kind(scaled, "ScaledObject")["spec"]["triggers"][0]["metadata"]
    assert 'bridge_lag_seconds{namespace="mail", service="demo-bridge"} > 300' in " ".join(trigger["query"].split())


def test_the_test_sends_a_comment_only_where_it_was_told_to(helm: Helm) -> None:
    def runs(*sets: str) -> list[str]:
        (pod,) = [manifest for manifest in helm.render(MINIMAL, sets) if manifest["kind"] == "Pod"]
        assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
        arguments: list[str] = pod["spec"]["containers"][0]["args"]
        return arguments

    config = ["-c", "/etc/bridge/bridge.yaml"]
    assert runs() == ["check", *config, "--online"]
    assert runs('test.source="org1/mail"') == ["probe", *config, "--source", "org1/mail"]
    assert runs("sandbox.enabled=true") == ["probe", *config, "--source", "demo/inbox"]


def test_every_topic_of_the_rules_is_made_and_may_be_written(helm: Helm) -> None:
    """Shadow routes are never published, so they need neither topic nor right."""
    rendered = helm.render(CHART / "ci" / "07-strimzi-values.yaml")
    topics = {one["spec"]["topicName"]: one["spec"] for one in rendered if one["kind"] == "KafkaTopic"}
    own = {"bridge.strimzi.state", "bridge.strimzi.control", "bridge.strimzi.status"}
    assert set(topics) == {"rpa.disputes.urgent", "rpa.unrouted", "rpa.dead"} | own
    assert topics["bridge.strimzi.state"]["config"]["cleanup.policy"] == "compact"
    rights = of_kind(rendered, "KafkaUser")["spec"]["authorization"]["acls"]
    written = {one["resource"]["name"] for one in rights if "Write" in one["operations"]}
    assert written == (set(topics) - own) | {"bridge.strimzi.", "strimzi."}


def test_the_rules_and_dashboards_are_those_of_the_project() -> None:
    """The chart cannot reach beyond its folder: `make chart` copies them."""
    rules, dashboards = ROOT / "deploy" / "prometheus" / "rules.yaml", ROOT / "deploy" / "grafana"
    assert (CHART / "files" / "rules.yaml").read_text() == (rules.read_text() if rules.exists() else "groups: []\n")
    copies = {path.name: path.read_text() for path in (CHART / "files" / "dashboards").glob("*.json")}
    assert copies == {path.name: path.read_text() for path in dashboards.glob("*.json")}


def test_the_trial_has_the_routes_of_the_other_trial() -> None:
    trial = yaml.safe_load((ROOT / "deploy" / "trial" / "bridge.yaml").read_text())
    chart = yaml.safe_load((CHART / "ci" / "09-trial-values.yaml").read_text())["config"]
    assert chart["triggers"] == trial["triggers"]


def test_a_chart_without_its_configuration_is_refused(helm: Helm) -> None:
    with pytest.raises(Refused, match="the service needs its configuration file"):
        helm.render(CHART / "values.yaml")


def test_every_value_is_used_and_every_used_one_is_written_down() -> None:
    templates = "".join(path.read_text() for path in (CHART / "templates").rglob("*.*"))
    used = {match[1] for match in re.finditer(r"\.Values\.([A-Za-z]+)", templates)}
    assert used == set(yaml.safe_load((CHART / "values.yaml").read_text()))


def test_the_chart_installs_the_version_that_stands_beside_it() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == bridge.__version__
