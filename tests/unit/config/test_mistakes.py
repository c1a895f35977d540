"""One mistake at a time in a good file: found alone, at its line and column, in a sentence that says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.app.config import load_config
from bridge.app.config.mistakes import ConfigError
from tests.unit.config.files import ENVIRONMENT, GOOD, mistakes, spoilt, spoken, written

TRIGGER = """\
  - name: {name}
    project: {project}
    dataset: collateral
    trigger: other
    dead_letter: {{topic: rpa.dead}}
    routes: [{{name: all, topic: rpa.all, when: {{always: true}}}}]
"""

# what is changed, into what, where the mistake is, its code and path, and words its sentence must have
ONE_MISTAKE = [
    # keys
    ("    match: all\n", "    mach: all\n", "19:5 error unknown_key triggers[0].mach", "did you mean match?"),
    ("ownership: local", "owner: local\nownership: local", "11:1 error unknown_key owner", "did you mean ownership?"),
    ("  key_ttl: 24h", "  key-ttl: 24h", "10:3 error unknown_key redis.key-ttl", "did you mean key_ttl?"),
    ("api: triggers", "api: triggers\n  zzz: 1", "6:3 error unknown_key platform.zzz", "known here are base_url"),
    ("    project: org1\n", "", "14:5 error missing_key triggers[0]", "`project` is missing"),
    ("deployment: prod\n", "", "1:1 error missing_key ", "`deployment` is missing"),
    ("api: triggers", "api: triggers\n  api: streams", "6:3 error doubled_key platform.api", "first on line 5"),
    # labels and thresholds
    ("min: 0.8", "min: 1.5", "25:48 error less_than_equal triggers[0].routes[0].when.all[0].min", "must be 1 or less"),
    ("min: 0.4", "min: -0.1", "34:35 error greater_than_equal triggers[0].routes[2].when.min", "must be 0 or more"),
    ("min: 0.4", "min: .nan", "34:35 error finite_number triggers[0].routes[2].when.min", "finite"),
    ("min: 0.4", "min: high", "34:35 error float_type triggers[0].routes[2].when.min", "must be a number"),
    (
        "min: 0.4",
        "min: 0.4, max: 0.3",
        "34:35 error min_above_max triggers[0].routes[2].when.min",
        "0.4 is above max 0.3",
    ),
    (
        "sentiment: {max: 0}",
        "sentiment: {min: 0.5, max: 0}",
        "31:63 error min_above_max triggers[0].routes[1].when.sentiment.min",
        "nothing lies between",
    ),
    ("{max: 0}", "{max: -2}", "31:63 error greater_than_equal triggers[0].routes[1].when.sentiment.max", "-1 or more"),
    (
        "label: Delay",
        'label: ""',
        "34:23 error value_error triggers[0].routes[2].when.label",
        "level of the label is empty",
    ),
    ("label: Delay", 'label: "A >  > B"', "34:23 error value_error triggers[0].routes[2].when.label", "is empty"),
    (
        "label: Delay",
        'label: "A >  B"',
        "34:23 error value_error triggers[0].routes[2].when.label",
        "begins or ends with a blank",
    ),
    (
        "label: Delay",
        f"label: {'x' * 65}",
        "34:23 error value_error triggers[0].routes[2].when.label",
        "at most 64 characters",
    ),
    (
        "label: Delay",
        f'label: "{" > ".join("x" * 65)}"',
        "34:23 error value_error triggers[0].routes[2].when.label",
        "at most 64 levels, this one has 65",
    ),
    (
        "label: Delay",
        "label: [A, 7]",
        "34:23 error value_error triggers[0].routes[2].when.label",
        "put numbers in quotes",
    ),
    ("label: Delay", 'label: "A > ***"', "34:23 error value_error triggers[0].routes[2].when.label", "no wildcard"),
    ("label: Delay", 'label: "A > B*"', "34:23 warning literal_star triggers[0].routes[2].when.label", "whole level"),
    (
        "label: Delay",
        "label: A>B",
        "34:23 warning literal_separator triggers[0].routes[2].when.label",
        "blank on each side",
    ),
    # conditions
    (
        "{entity: monetary-quantity}",
        "{entity: monetary-quantity, label: A}",
        "27:15 error union_tag_not_found triggers[0].routes[0].when.all[2]",
        "this one is label and entity",
    ),
    (
        "{entity: monetary-quantity}",
        "{}",
        "27:15 error union_tag_not_found triggers[0].routes[0].when.all[2]",
        "needs one of all, any",
    ),
    (
        "{entity: monetary-quantity}",
        "{any: []}",
        "27:21 error too_short triggers[0].routes[0].when.all[2].any",
        "at least one",
    ),
    (
        "{entity: monetary-quantity}",
        "{always: false}",
        "27:24 error literal_error triggers[0].routes[0].when.all[2].always",
        "must be true",
    ),
    (
        "{label: Delay, min: 0.4}",
        "Delay",
        "34:15 error union_tag_not_found triggers[0].routes[2].when",
        "a condition is a mapping",
    ),
    (
        "one_of: [uk, de]",
        "one_of: []",
        "28:57 error value_error triggers[0].routes[0].when.all[3].one_of",
        "at least one",
    ),
    (
        "one_of: [uk, de]",
        "one_of: [uk, true]",
        "28:57 error value_error triggers[0].routes[0].when.all[3].one_of",
        "in quotes",
    ),
    (
        "one_of: [uk, de]",
        "one_of: [uk, 7]",
        "28:57 error never_holds triggers[0].routes[0].when.all[3].one_of",
        "never equals",
    ),
    (
        "one_of: [uk, de]",
        "min: 3",
        "28:31 error never_holds triggers[0].routes[0].when.all[3].user_property",
        "use `one_of`",
    ),
    (
        '"string:Country", one_of: [uk, de]',
        '"number:Amount", one_of: ["7"]',
        "28:56 error never_holds triggers[0].routes[0].when.all[3].one_of",
        "without quotes",
    ),
    (
        '"string:Country"',
        "Country",
        "28:31 warning untyped_user_property triggers[0].routes[0].when.all[3].user_property",
        "did you mean `string:Country`?",
    ),
    # routes
    (
        "        shadow: true\n",
        "        shadow: yes\n",
        "35:17 error bool_type triggers[0].routes[2].shadow",
        "true or false",
    ),
    (
        "        when: {label: Delay, min: 0.4}\n",
        "",
        "32:9 error missing_key triggers[0].routes[2]",
        "shadow route has no `when`",
    ),
    (
        '        when: {label: "Trade > *", min: 0.6, sentiment: {max: 0}}\n',
        "",
        "29:9 error missing_key triggers[0].routes[1]",
        "when: {always: true}",
    ),
    ("name: trades", "name: urgent", "29:15 error doubled_route_name triggers[0].routes[1].name", "taken by line 21"),
    (
        "name: trades",
        "name: dead_letter",
        "29:15 error reserved_route_name triggers[0].routes[1].name",
        "choose another",
    ),
    ("name: trades", "name: unmatched", "29:15 error reserved_route_name triggers[0].routes[1].name", "choose another"),
    ("name: trades", "name: a/b", "29:15 error string_pattern_mismatch triggers[0].routes[1].name", "characters"),
    (
        "topic: rpa.trades",
        "topic: rpa trades",
        "30:16 error value_error triggers[0].routes[1].topic",
        "not a topic name",
    ),
    ("topic: rpa.trades", "topic: ..", "30:16 error value_error triggers[0].routes[1].topic", "not a topic name"),
    ("topic: rpa.trades", f"topic: {'t' * 250}", "30:16 error value_error triggers[0].routes[1].topic", "1 to 249"),
    ("topic: rpa.trades", "topic: 2024", "30:16 error value_error triggers[0].routes[1].topic", "in quotes"),
    (
        "topic: rpa.trades",
        "topic: bridge.prod.state",
        "30:16 error own_topic triggers[0].routes[1].topic",
        "the bridge itself",
    ),
    (
        "topic: rpa.trades",
        "topic: rpa.dead",
        "30:16 warning dead_letters_among_records triggers[0].routes[1].topic",
        "readers would meet both",
    ),
    # triggers
    ("  - name: disputes", "  - name: dis/putes", "14:11 error string_pattern_mismatch triggers[0].name", "characters"),
    (
        "key: comment.thread_id",
        "key: comment.threadid",
        "18:10 error value_error triggers[0].key",
        "did you mean comment.thread_id?",
    ),
    (
        "key: comment.thread_id",
        "key: user_properties[x]",
        "18:10 error value_error triggers[0].key",
        'user_properties["string:Name"]',
    ),
    ("match: all", "match: last", "19:12 error literal_error triggers[0].match", "'all' or 'first'"),
    (
        "unmatched: {topic: rpa.unrouted}",
        "unmatched: keep",
        "36:16 error literal_error triggers[0].unmatched",
        "'drop'",
    ),
    (
        "unmatched: {topic: rpa.unrouted}",
        "unmatched: {}",
        "36:16 error missing_key triggers[0].unmatched",
        "`topic` is missing",
    ),
    (
        "    dead_letter: {topic: rpa.dead, stop_when_share_over: 0.5}\n",
        "",
        "14:5 warning no_dead_letter_topic triggers[0]",
        "will stop it",
    ),
    (
        "stop_when_share_over: 0.5",
        "stop_when_share_over: 50",
        "37:58 error less_than_equal triggers[0].dead_letter.stop_when_share_over",
        "1 or less",
    ),
    ("batch_size: 512", "batch_size: 2000", "12:24 error less_than_equal defaults.batch_size", "1024 or less"),
    ("batch_size: 512", "batch_size: 0", "12:24 error greater_than_equal defaults.batch_size", "1 or more"),
    ("batch_size: 512", "batch_size: 1.5", "12:24 error int_type defaults.batch_size", "whole number"),
    ("poll_interval: 5s", "poll_interval: 5", "12:44 error value_error defaults.poll_interval", "write 5s"),
    ("poll_interval: 5s", "poll_interval: soon", "12:44 error value_error defaults.poll_interval", "1m30s"),
    ("poll_interval: 5s", "poll_interval: 2d", "12:44 error value_error defaults.poll_interval", "0.01s to 86400s"),
    (
        "delivery: at_least_once",
        "delivery: at_most_once",
        "12:58 error literal_error defaults.delivery",
        "exactly_once",
    ),
    # neighbours
    ("  token: ${REINFER_TOKEN}\n", "", "3:3 error missing_token platform", "`token_file`"),
    (
        "token: ${REINFER_TOKEN}",
        "token: ${OTHER}",
        "4:10 error unset_variable platform.token",
        "variable OTHER is not set",
    ),
    ("token: ${REINFER_TOKEN}", "token: ${REINFER", "4:10 error bad_variable platform.token", "$${ for the text ${"),
    ("token: ${REINFER_TOKEN}", "token: abc", "4:10 warning secret_in_plain_text platform.token", "token_file"),
    ("token: ${REINFER_TOKEN}", "token: ${EMPTY:-}", "4:10 error value_error platform.token", "not empty"),
    (
        "token: ${REINFER_TOKEN}",
        "token_file: none.txt",
        "4:15 error missing_file platform.token_file",
        "there is no file",
    ),
    (
        "base_url: https://cloud.uipath.com/acme/prod/reinfer_",
        "base_url: http://platform.example",
        "3:13 error insecure_url platform.base_url",
        "allow_insecure",
    ),
    (
        "base_url: https://cloud.uipath.com/acme/prod/reinfer_",
        "base_url: cloud.uipath.com",
        "3:13 error value_error platform.base_url",
        "write the platform's address",
    ),
    (
        "base_url: https://cloud.uipath.com/acme/prod/reinfer_",
        "base_url: https://me:pw@host/x",
        "3:13 error value_error platform.base_url",
        "must not hold a user",
    ),
    (
        "base_url: https://cloud.uipath.com/acme/prod/reinfer_",
        "base_url: https://host/x?y=1",
        "3:13 error value_error platform.base_url",
        "ends with its path",
    ),
    ("api: triggers", "api: stream", "5:8 error literal_error platform.api", "'triggers' or 'streams'"),
    ("kafka:9092", "kafka", "7:22 error value_error kafka.bootstrap_servers", "host:port"),
    ("kafka:9092", "kafka:90920", "7:22 error value_error kafka.bootstrap_servers", "host:port"),
    ("kafka:9092", "kafka:9092\n  compression: zip", "8:16 error literal_error kafka.compression", "'zstd'"),
    ("kafka:9092", "kafka:9092\n  ssl_cafile: none.pem", "8:15 error missing_file kafka.ssl_cafile", "no file"),
    (
        "kafka:9092",
        "kafka:9092\n  sasl_plain_username: u",
        "8:3 warning unused_security kafka.sasl_plain_username",
        "SASL_SSL",
    ),
    ("redis://redis:6379/0", "http://redis:6379/0", "9:8 error value_error redis.url", "rediss://"),
    ("redis://redis:6379/0", "redis://a,b/0", "9:8 error value_error redis.url", "redis+cluster://"),
    ("redis://redis:6379/0", "redis://:pw@redis:6379/0", "9:8 warning secret_in_plain_text redis.url", "password_file"),
    ("key_ttl: 24h", "key_ttl: 1s", "10:12 error value_error redis.key_ttl", "60s"),
    # the rest
    ("ownership: local", "ownership: redis", "11:12 error literal_error ownership", "'kafka' or 'local'"),
    (
        "ownership: local",
        "ownership: kafka\ngroup: {session_timeout: 6s}",
        "12:26 error advance_too_slow group.session_timeout",
        "keep advance_timeout to 60%",
    ),
    (
        "ownership: local",
        "accept: [single_replicas]\nownership: local",
        "11:10 error unknown_accept accept[0]",
        "did you mean single_replica?",
    ),
    (
        "ownership: local",
        "admin: {port: 70000}\nownership: local",
        "11:15 error less_than_equal admin.port",
        "65535 or less",
    ),
    (
        "ownership: local",
        "admin: {read_token: abc}\nownership: local",
        "11:21 warning secret_in_plain_text admin.read_token",
        "read_token_file",
    ),
    ("ownership: local", "stop_timeout: 0s\nownership: local", "11:15 error value_error stop_timeout", "0.01s"),
    ("deployment: prod", "deployment: a b", "1:13 error string_pattern_mismatch deployment", "characters"),
    ("deployment: prod", "deployment: 7", "1:13 error string_type deployment", "in quotes"),
]


@pytest.mark.parametrize(
    ("old", "new", "expected", "words"),
    ONE_MISTAKE,
    ids=[f"{n}-{each[2].split()[2]}" for n, each in enumerate(ONE_MISTAKE)],
)
def test_a_mistake_is_found_alone_at_its_place(tmp_path: Path, old: str, new: str, expected: str, words: str) -> None:
    found = mistakes(tmp_path, spoilt(old, new))
    assert spoken(found) == [expected]
    assert words in found[0].sentence
    assert str(found[0]).startswith(
        f"{tmp_path}/bridge.yaml:{found[0].line}:{found[0].column}: {found[0].severity.value}: "
    )


@pytest.mark.parametrize(
    ("trigger", "expected", "words"),
    [
        (
            TRIGGER.format(name="disputes", project="org1"),
            "38:11 error doubled_trigger_name triggers[1].name",
            "by line 14",
        ),
        (
            TRIGGER.format(name="again", project="org1").replace("trigger: other", "trigger: dispute"),
            "41:14 error doubled_platform_trigger triggers[1].trigger",
            "lose results to each other",
        ),
        (
            TRIGGER.format(name="x", project="org1")
            .replace("  - name: x\n    project", "  - project")
            .replace("trigger: other", "trigger: disputes"),
            "40:14 error doubled_trigger_name triggers[1].trigger",
            "by line 14",
        ),
    ],
)
def test_two_triggers_that_are_one_are_found(tmp_path: Path, trigger: str, expected: str, words: str) -> None:
    found = mistakes(tmp_path, GOOD + trigger)
    assert spoken(found) == [expected]
    assert words in found[0].sentence


def test_every_mistake_is_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    """What has a wrong shape hides none of what two parts do together."""
    text = (
        GOOD.replace("min: 0.8", "min: 8")
        .replace("name: trades", "name: urgent")
        .replace("kafka:9092", "kafka")
        .replace("token: ${REINFER_TOKEN}", "token: ${NOPE}")
        .replace("    match: all\n", "    match: all\n    match: all\n    mach: all\n")
        .replace("topic: rpa.next", "topic: rpa next")
        .replace("delivery: at_least_once", "delivery: once")
    )
    assert spoken(mistakes(tmp_path, text + TRIGGER.format(name="disputes", project="a b"))) == [
        "4:10 error unset_variable platform.token",
        "7:22 error value_error kafka.bootstrap_servers",
        "12:58 error literal_error defaults.delivery",
        "20:5 error doubled_key triggers[0].match",
        "21:5 error unknown_key triggers[0].mach",
        "27:48 error less_than_equal triggers[0].routes[0].when.all[0].min",
        "31:15 error doubled_route_name triggers[0].routes[1].name",
        "35:16 error value_error triggers[0].routes[2].topic",
        "40:11 error doubled_trigger_name triggers[1].name",
        "41:14 error string_pattern_mismatch triggers[1].project",
    ]


def test_no_secret_is_in_any_sentence(tmp_path: Path) -> None:
    """I10, also for a secret that is itself the mistake."""
    env = {"REINFER_TOKEN": "s3cr3t with blank", "URL": "redis://:s3cr3t@host:99999", "N": "s3cr3t"}
    text = GOOD.replace("redis://redis:6379/0", "${URL}").replace("batch_size: 512", "batch_size: '${N}'")
    found = mistakes(tmp_path, text, env)
    assert len(found) == 3
    assert not any("s3cr3t" in str(each) for each in found)


def test_a_good_file_has_nothing_to_say(tmp_path: Path) -> None:
    assert mistakes(tmp_path, GOOD) == ()


def test_the_error_carries_everything_and_reads_like_a_compiler(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(written(tmp_path, spoilt("deployment: prod", "deployment: 7")), ENVIRONMENT)
    assert str(caught.value) == (
        f"{tmp_path}/bridge.yaml:1:13: error: must be text; put it in quotes if it is meant as text [deployment]"
    )
    assert caught.value.code == "bad_configuration"
