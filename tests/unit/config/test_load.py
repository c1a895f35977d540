"""A whole file to settings: values, variables, secrets, limits."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.adapters.kafka.admin import Topic
from bridge.adapters.kafka.settings import TopicCreation
from bridge.adapters.kafka.state_topic import CLEANUP, state_topic
from bridge.adapters.kafka.topic_promises import LIMIT, RETENTION, UNCLEAN, Needs, of_output, unchecked
from bridge.adapters.platform.settings import Api
from bridge.adapters.redis_ledger.promises import findings_of, unverified
from bridge.app.config import load_config
from bridge.app.config.checks import ACCEPTABLE
from bridge.app.config.document import FILE_BYTES_MAX, Reader, opened
from bridge.app.config.load import load_offline
from bridge.app.config.mistakes import ConfigError, Severity
from bridge.app.config.settings import Ownership, Settings
from bridge.domain.plan import DeadLetter, DeliveryMode, KeyFrom, KeyKind, OnForeignReset, OnLedgerOutage
from bridge.domain.rules import (
    AllOf,
    Always,
    AnyOf,
    EntityPresent,
    LabelHolds,
    MatchMode,
    Not,
    UserPropertyHolds,
)
from tests.unit.config.files import ENVIRONMENT, GOOD, mistakes, spoilt, spoken, written


def loaded(directory: Path, text: str, **env: str) -> Settings:
    return load_config(written(directory, text), {**ENVIRONMENT, **env})


def test_the_example_of_the_contract_becomes_what_it_says(tmp_path: Path) -> None:
    settings = loaded(tmp_path, GOOD)
    (plan,) = settings.triggers
    assert (settings.deployment, settings.ownership, settings.stop_timeout_s) == ("prod", Ownership.LOCAL, 30.0)
    assert settings.platform.base_url == "https://cloud.uipath.com/acme/prod/reinfer_"
    assert (settings.platform.token, settings.platform.api) == ("secret-token", Api.TRIGGERS)
    assert (settings.redis.key_ttl_s, settings.kafka.compression) == (86_400.0, "zstd")
    assert (settings.admin.host, settings.admin.port, settings.admin.read_token) == ("127.0.0.1", 8080, None)
    assert (plan.name, plan.ref.identity) == ("disputes", "org1/collateral/dispute")
    assert (plan.batch_size, plan.poll_interval_s, plan.delivery) == (512, 5.0, DeliveryMode.AT_LEAST_ONCE)
    assert (plan.key, plan.rules.mode) == (KeyFrom(kind=KeyKind.THREAD_ID), MatchMode.ALL)
    assert (plan.unmatched_topic, plan.dead_letter) == ("rpa.unrouted", DeadLetter(topic="rpa.dead"))
    assert [(route.name, route.topic, route.shadow) for route in plan.rules.routes] == [
        ("urgent", "rpa.disputes.urgent", False),
        ("trades", "rpa.trades", False),
        ("shadow-test", "rpa.next", True),
    ]
    assert [route.when for route in plan.rules.routes] == [
        AllOf(
            (
                LabelHolds(("Trade", "Settlement"), 0.8),
                Not(LabelHolds(("Spam",), 0.5)),
                EntityPresent("monetary-quantity"),
                UserPropertyHolds(name="string:Country", one_of=("uk", "de")),
            )
        ),
        LabelHolds(("Trade", "*"), 0.6, 1.0, None, 0.0),
        LabelHolds(("Delay",), 0.4),
    ]


def test_no_secret_is_in_what_settings_show(tmp_path: Path) -> None:
    text = spoilt(
        "ownership: local",
        "ownership: local\nadmin: {read_token: '${A}', operate_token: '${A}'}",
    ).replace("redis://redis:6379/0", "redis://:${A}@redis:6379/0")
    assert "s3cr3t" not in repr(loaded(tmp_path, text, A="s3cr3t", REINFER_TOKEN="s3cr3t"))


def test_everything_that_can_be_said_can_be_said(tmp_path: Path) -> None:
    for name in ("token.txt", "ca.pem", "cert.pem", "key.pem", "password"):
        (tmp_path / name).write_text(f"content of {name}\n".replace(" ", "-"), encoding="utf-8")
    settings = loaded(
        tmp_path,
        """\
deployment: d
platform:
  base_url: http://localhost:8000/x/
  token_file: token.txt
  api: streams
  timeout: 30s
  connect_timeout: 3s
  advance_timeout: 4s
  allow_insecure: true
  requests_per_s_max: 5
  requests_in_flight_max: 2
  response_bytes_max: 1048576
kafka:
  bootstrap_servers: [a:1, b:2]
  security_protocol: SASL_SSL
  sasl_mechanism: SCRAM-SHA-512
  sasl_plain_username: u
  sasl_plain_password_file: password
  ssl_cafile: ca.pem
  ssl_certfile: cert.pem
  ssl_keyfile: key.pem
  ssl_password: ${KEY}
  ssl_check_hostname: false
  compression: none
  client_id: me
  publish_timeout: 20s
  request_timeout: 5s
  topics: {create: true, partitions: 12, replication_factor: 1}
redis:
  url: rediss+sentinel://a,b:1/svc/2
  key_ttl: 7d
  connect_timeout: 1s
  timeout: 1s
  username: u
  password_file: password
  sentinel_username: s
  sentinel_password: ${KEY}
  ssl_cafile: ca.pem
  connections_max: 4
ownership: local
stop_timeout: 10s
admin: {host: 0.0.0.0, port: 0, read_token_file: token.txt, operate_token: "${KEY}"}
accept: [single_replica, evicting_redis]
defaults:
  batch_size: 7
  key: none
  match: first
  unmatched: {topic: rest}
  dead_letter: {topic: dead, stop_when_share_over: 0.25}
  on_ledger_outage: publish
  on_foreign_reset: skip
  record_bytes_max: 5000
triggers:
  - project: p
    dataset: d
    trigger: one
    routes:
      - {name: r, topic: t, when: {any: [{always: true}, {user_property: "number:n", min: 1, max: 2}]}}
  - project: p
    dataset: d
    trigger: two
    key: user_properties["string:x"]
    match: all
    unmatched: drop
    batch_size: 8
    poll_interval: 1s
    on_foreign_reset: replay
    routes: [{name: r, topic: t, when: {label: [A, "B > C"]}}]
""",
        KEY="k3y",
    )
    platform, kafka, redis = settings.platform, settings.kafka, settings.redis
    assert (platform.base_url, platform.token, platform.token_file) == (
        "http://localhost:8000/x",
        None,
        tmp_path / "token.txt",
    )
    assert (platform.api, platform.timeout_s, platform.connect_timeout_s) == (Api.STREAMS, 30, 3)
    assert (platform.advance_timeout_s, platform.allow_insecure, platform.requests_per_s_max) == (4, True, 5)
    assert (platform.requests_in_flight_max, platform.response_bytes_max) == (2, 1_048_576)
    assert (kafka.bootstrap_servers, kafka.security_protocol, kafka.compression) == ("a:1,b:2", "SASL_SSL", None)
    assert (kafka.sasl_plain_username, kafka.sasl_plain_password) == ("u", "content-of-password")
    assert (kafka.ssl_cafile, kafka.ssl_keyfile) == (str(tmp_path / "ca.pem"), str(tmp_path / "key.pem"))
    assert (kafka.ssl_password, kafka.ssl_check_hostname, kafka.client_id) == ("k3y", False, "me")
    assert (kafka.publish_timeout_s, kafka.request_timeout_s) == (20, 5)
    assert kafka.topics == TopicCreation(create=True, partitions=12, replication_factor=1)
    assert (redis.key_ttl_s, redis.password, redis.password_file) == (604_800, None, tmp_path / "password")
    assert (redis.sentinel_username, redis.sentinel_password, redis.connections_max) == ("s", "k3y", 4)
    assert (settings.admin.host, settings.admin.port) == ("0.0.0.0", 0)
    assert (settings.admin.read_token, settings.admin.operate_token) == ("content-of-token.txt", "k3y")
    assert settings.accept == {"single_replica", "evicting_redis"}
    one, two = settings.triggers
    assert (one.name, one.batch_size, one.key.kind, one.rules.mode) == ("one", 7, KeyKind.NONE, MatchMode.FIRST)
    assert (one.unmatched_topic, one.dead_letter) == ("rest", DeadLetter(topic="dead", stop_when_share_over=0.25))
    assert (one.on_ledger_outage, one.record_bytes_max) == (OnLedgerOutage.PUBLISH, 5000)
    assert (one.on_foreign_reset, two.on_foreign_reset) == (OnForeignReset.SKIP, OnForeignReset.REPLAY)
    number = UserPropertyHolds(name="number:n", minimum=1, maximum=2)
    assert one.rules.routes[0].when == AnyOf((Always(), number))
    assert (two.batch_size, two.poll_interval_s, two.rules.mode, two.unmatched_topic) == (8, 1, MatchMode.ALL, None)
    assert two.key == KeyFrom(kind=KeyKind.USER_PROPERTY, user_property="string:x")
    assert two.rules.routes[0].when == LabelHolds(("A", "B > C"))
    assert settings.warnings == ()


def test_a_variable_is_text_where_text_is_wanted_and_a_number_where_a_number_is(tmp_path: Path) -> None:
    text = (
        GOOD.replace("batch_size: 512", 'batch_size: "${SIZE}"')
        .replace("api: triggers", "api: triggers\n  allow_insecure: ${ALLOW:-true}")
        .replace("rpa.trades", "${PREFIX}.trades.${STAGE:-test}")
        .replace("min: 0.4", 'min: "${LEAST:-0.5}"')
    )
    settings = loaded(tmp_path, text, SIZE="64", PREFIX="acme", REINFER_TOKEN="12345", STAGE="")
    (plan,) = settings.triggers
    assert (settings.platform.token, settings.platform.allow_insecure, plan.batch_size) == ("12345", True, 64)
    assert plan.rules.routes[1].topic == "acme.trades.test"
    assert plan.rules.routes[2].when == LabelHolds(("Delay",), 0.5)


def test_anchors_have_a_place_of_their_own_and_serve_several_triggers(tmp_path: Path) -> None:
    text = GOOD.replace(
        "triggers:\n", "x-common: &common {project: p, dataset: d, dead_letter: {topic: dead}}\ntriggers:\n"
    )
    trigger = "  - {<<: *common, trigger: NAME, routes: [{name: r, topic: t, when: {always: true}}]}\n"
    settings = loaded(tmp_path, text + trigger.replace("NAME", "one") + trigger.replace("NAME", "two"))
    assert [plan.ref.identity for plan in settings.triggers[1:]] == ["p/d/one", "p/d/two"]
    assert {plan.dead_letter for plan in settings.triggers[1:]} == {DeadLetter(topic="dead")}


def test_a_secret_cannot_change_the_structure(tmp_path: Path) -> None:
    """It is put in after parsing, into one scalar, and is not looked at again."""
    wild = 'x"}\n- evil: ${REINFER_TOKEN} # &a *a'
    settings = loaded(
        tmp_path,
        GOOD.replace("rpa.disputes.urgent", "a")
        .replace("label: Delay", "label: ${WILD}")
        .replace("{label: ${WILD}, min: 0.4}", "\n          label: ${WILD}"),
        WILD=wild.replace("\n", " "),
    )
    (leaf,) = [route.when for route in settings.triggers[0].rules.routes[2:]]
    assert isinstance(leaf, LabelHolds)
    assert leaf.pattern == (wild.replace("\n", " "),)


def test_a_dollar_can_be_written(tmp_path: Path) -> None:
    text = spoilt("one_of: [uk, de]", "one_of: ['$${HOME}', '$5', '$$', 'a$']")
    (plan,) = loaded(tmp_path, text).triggers
    when = plan.rules.routes[0].when
    assert isinstance(when, AllOf)
    assert when.parts[3] == UserPropertyHolds(name="string:Country", one_of=("${HOME}", "$5", "$$", "a$"))


def test_a_value_that_is_not_known_gets_one_mistake_and_no_more(tmp_path: Path) -> None:
    text = GOOD.replace("https://cloud.uipath.com/acme/prod/reinfer_", "${URL}").replace("kafka:9092", "${KAFKA}")
    assert spoken(mistakes(tmp_path, text)) == [
        "3:13 error unset_variable platform.base_url",
        "7:22 error unset_variable kafka.bootstrap_servers",
    ]


def test_a_variable_that_is_not_utf8_is_said(tmp_path: Path) -> None:
    found = mistakes(tmp_path, GOOD, {"REINFER_TOKEN": b"\xff".decode("utf-8", "surrogateescape")})
    assert spoken(found) == ["4:10 error bad_variable platform.token"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "4:15 error bad_secret_file platform.token_file"),
        (b" \n", "4:15 error bad_secret_file platform.token_file"),
        (b"x" * 70_000, "4:15 error bad_secret_file platform.token_file"),
        (b"\xff\xfe", "4:15 error unreadable_file platform.token_file"),
        (b"two words", "4:15 error bad_secret_file platform.token_file"),
    ],
)
def test_a_secret_file_must_hold_a_secret(tmp_path: Path, content: bytes, expected: str) -> None:
    (tmp_path / "token").write_bytes(content)
    assert spoken(mistakes(tmp_path, spoilt("token: ${REINFER_TOKEN}", "token_file: token"))) == [expected]


def test_a_secret_and_its_file_are_one_too_many(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("abc", encoding="utf-8")
    text = spoilt("token: ${REINFER_TOKEN}", "token: ${REINFER_TOKEN}\n  token_file: token")
    assert spoken(mistakes(tmp_path, text)) == ["5:3 error doubled_secret platform.token_file"]


@pytest.mark.parametrize(
    ("kafka", "expected"),
    [
        (
            "security_protocol: SASL_SSL",
            [
                "8:22 error missing_sasl_mechanism kafka.security_protocol",
                "8:22 error missing_sasl_plain_username kafka.security_protocol",
                "8:22 error missing_sasl_plain_password kafka.security_protocol",
            ],
        ),
        (
            "security_protocol: SASL_PLAINTEXT\n  sasl_mechanism: PLAIN\n"
            "  sasl_plain_username: u\n  sasl_plain_password: ${REINFER_TOKEN}",
            ["8:22 warning unencrypted_kafka kafka.security_protocol"],
        ),
        (
            "security_protocol: SSL\n  ssl_certfile: bridge.yaml",
            ["9:3 error half_certificate kafka.ssl_certfile"],
        ),
    ],
)
def test_security_settings_must_fit_together(tmp_path: Path, kafka: str, expected: list[str]) -> None:
    assert spoken(mistakes(tmp_path, spoilt("kafka:9092", f"kafka:9092\n  {kafka}"))) == expected


def test_rules_can_be_had_without_secrets(tmp_path: Path) -> None:
    """For `explain` and `test` where no secrets are; what is wrong otherwise is wrong here too."""
    text = (
        GOOD.replace("kafka:9092", "${KAFKA}")
        .replace("redis://redis:6379/0", "${REDIS}")
        .replace("token: ${REINFER_TOKEN}", "token_file: /nowhere/token")
    )
    offline = load_offline(written(tmp_path, text), {})
    assert [plan.name for plan in offline.triggers] == ["disputes"]
    assert [(each.severity, each.code) for each in offline.warnings] == [
        (Severity.WARNING, "missing_file"),
        (Severity.WARNING, "unset_variable"),
        (Severity.WARNING, "unset_variable"),
    ]
    with pytest.raises(ConfigError) as caught:
        load_offline(written(tmp_path, text.replace("topic: rpa.next", "topic: ${NEXT}")), {})
    assert [each.path for each in caught.value.mistakes if each.severity is Severity.ERROR] == [
        "triggers[0].routes[2].topic"
    ]


def test_what_can_be_accepted_is_what_the_neighbours_ask_to_have_accepted() -> None:
    evicting = {"redis_version": "7.0.0", "maxmemory_policy": "allkeys-lru", "maxmemory": 1}
    of_redis = {finding.accepted_by for finding in [*findings_of("r", evicting), unverified("r")]}
    topic = Topic(error_code=0, partitions=1, replicas_min=1, is_led=True)
    weak = {UNCLEAN: "true", CLEANUP: "compact,delete", RETENTION: "1", LIMIT: "1"}
    found = of_output("t", topic, weak, Needs(record_bytes_max=2, key_ttl_s=1.0))
    of_kafka = {finding.accepted_by for finding in [*found, unchecked("t")]} - {""}
    assert set(ACCEPTABLE) == of_kafka | of_redis


def test_no_route_leads_to_the_topic_of_the_bridge_itself(tmp_path: Path) -> None:
    found = mistakes(tmp_path, spoilt("topic: rpa.next", f"topic: {state_topic('prod')}"))
    assert [each.code for each in found] == ["own_topic"]


def routes_of(count: int, when: str) -> str:
    """A file of about four lines a route, in triggers of fifty."""
    head = GOOD[: GOOD.index("triggers:")] + "triggers:\n"
    lines = []
    for number in range(count):
        if number % 50 == 0:
            lines.append(
                f"  - name: t{number}\n    project: p\n    dataset: d\n    trigger: t{number}\n"
                "    dead_letter: {topic: dead}\n    routes:\n"
            )
        lines.append(f"      - name: r{number}\n        topic: rpa.{number}\n        when:\n          {when}\n")
    return head + "".join(lines)


def test_ten_thousand_lines_are_read(tmp_path: Path) -> None:
    text = routes_of(2_500, "{label: Trade > Settlement, min: 0.8}")
    assert text.count("\n") > 10_000
    settings = loaded(tmp_path, text)
    assert sum(len(plan.rules.routes) for plan in settings.triggers) == 2_500


def test_a_mistake_on_each_of_many_lines_is_told_for_each(tmp_path: Path) -> None:
    text = routes_of(500, "{label: Trade > Settlement, min: 8}")
    found = mistakes(tmp_path, text)
    assert [each.line for each in found] == [n for n, line in enumerate(text.splitlines(), 1) if "min: 8}" in line]


def test_a_file_too_large_is_not_read_through(tmp_path: Path) -> None:
    found = mistakes(tmp_path, "# " + "x" * FILE_BYTES_MAX)
    assert [(each.code, each.sentence) for each in found] == [
        ("too_large", "larger than 4 MiB: split the triggers over deployments")
    ]


def test_a_few_lines_that_spell_billions_of_values_are_refused(tmp_path: Path) -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
    )
    root, findings = opened(written(tmp_path, bomb))
    with pytest.raises(ConfigError, match="aliases make more than 20000 values"):
        Reader({}, findings, values_max=20_000).value(root, ())


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        (b"deployment: \xff\n", "not_utf8", 1),
        (b"a: 1\nb: \xc3(\n", "not_utf8", 2),
        (b"", "empty_file", 1),
        (b"- 1\n", "model_type", 1),
        (b"just text\n", "model_type", 1),
        (b"a: [\n", "bad_yaml", 2),
    ],
)
def test_what_is_no_configuration_at_all(tmp_path: Path, content: bytes, code: str, line: int) -> None:
    file = tmp_path / "bridge.yaml"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_config(file, {})
    assert [(each.code, each.line) for each in caught.value.mistakes] == [(code, line)]


@pytest.mark.parametrize("name", ["none.yaml", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be read") as caught:
        load_config(tmp_path / name, {})
    assert caught.value.mistakes[0].file == str(tmp_path / name)


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    file = tmp_path / "bridge.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("min: 0.4", "min: 4").replace("\n", "\r\n").encode())
    with pytest.raises(ConfigError) as caught:
        load_config(file, ENVIRONMENT)
    assert spoken(caught.value.mistakes) == ["34:35 error less_than_equal triggers[0].routes[2].when.min"]
