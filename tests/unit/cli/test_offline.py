"""The commands that need no neighbour, as an operator runs them."""

from __future__ import annotations

import json
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from bridge import __version__
from bridge.app import cli, promises
from bridge.app.cli import MODULES, app_for, main
from bridge.app.cli.exits import Exit
from bridge.app.config.settings import Settings
from bridge.domain.errors import Blocked, BridgeError, Retry, StopTrigger
from tests.unit.config.files import GOOD, spoilt, written

PAGE = {
    "status": "ok",
    "filtered": 0,
    "sequence_id": "z",
    "results": [
        {"comment": {"uid": "s.1"}, "sequence_id": "a", "labels": [{"name": ["Delay"], "probability": 0.3}]},
        {
            "comment": {"uid": "s.2"},
            "sequence_id": "b",
            "labels": [{"name": ["Trade", "Fees"], "probability": 0.9, "sentiment": 0}],
        },
    ],
}
ONE = json.dumps(PAGE["results"][0])  # type: ignore[index]
OTHER = json.dumps(PAGE["results"][1])  # type: ignore[index]


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REINFER_TOKEN", "t")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return written(tmp_path, GOOD)


def run(*arguments: object, stdin: str | bytes | None = None) -> Result:
    words = [str(argument) for argument in arguments]
    return CliRunner().invoke(app_for(words), words, input=stdin, prog_name="bridge")


class TestCheck:
    def test_a_good_file_is_fine(self, config: Path) -> None:
        result = run("check", "-c", config)
        assert (result.exit_code, result.stdout) == (0, f"{config}: fine (1 trigger, 3 routes, 0 warnings)\n")

    def test_every_mistake_is_a_line(self, tmp_path: Path) -> None:
        text = (
            spoilt("match: all", "mach: all")
            .replace("min: 0.4", "min: 4")
            .replace("ownership: local", "ownership: redis")
        )
        config = written(tmp_path, text)
        result = run("check", "-c", config)
        assert result.exit_code == 2
        lines = result.stdout.splitlines()
        assert [line.removeprefix(f"{config}:").split(": ")[:2] for line in lines] == [
            ["11:12", "error"],
            ["19:5", "error"],
            ["34:35", "error"],
            [" 3 errors, 0 warnings"],
        ]

    def test_the_same_as_json(self, tmp_path: Path) -> None:
        config = written(tmp_path, spoilt("match: all", "mach: all"))
        result = run("check", "-c", config, "--json")
        said = json.loads(result.stdout)
        assert (result.exit_code, said["ok"], said["errors"], said["warnings"]) == (2, False, 1, 0)
        assert said["mistakes"] == [
            {
                "file": str(config),
                "line": 19,
                "column": 5,
                "path": "triggers[0].mach",
                "code": "unknown_key",
                "severity": "error",
                "sentence": "unknown key `mach`, did you mean match?",
            }
        ]

    @pytest.mark.parametrize(
        ("answer", "exit_code", "line"),
        [
            (([], []), 0, "fine (1 trigger, 3 routes, 0 warnings)"),
            ((["the topic a is missing"], ["redis: no answer"]), 2, "1 error, 0 warnings, 1 not asked"),
            (([], ["redis: no answer"]), 3, "0 errors, 0 warnings, 1 not asked"),
        ],
    )
    def test_online_asks_the_neighbours_too(
        self,
        config: Path,
        monkeypatch: pytest.MonkeyPatch,
        answer: tuple[list[str], list[str]],
        exit_code: int,
        line: str,
    ) -> None:
        async def check_online(settings: Settings) -> tuple[list[str], list[str]]:
            assert settings.deployment == "prod"
            return answer

        monkeypatch.setattr(promises, "check_online", check_online)
        result = run("check", "-c", config, "--online")
        assert (result.exit_code, result.stdout.splitlines()[-1]) == (exit_code, f"{config}: {line}")
        assert all(sentence in result.stdout for said in answer for sentence in said)

    def test_a_file_with_mistakes_asks_nobody(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(promises, "check_online", None)
        assert run("check", "-c", written(tmp_path, spoilt("match: all", "mach: all")), "--online").exit_code == 2


class TestExplain:
    @pytest.mark.parametrize(
        "text",
        [
            json.dumps(PAGE),
            json.dumps(PAGE, indent=2),
            json.dumps(PAGE["results"]),
            json.dumps(PAGE["results"], indent=2),
            f"{ONE}\n\n{OTHER}\n",
            f"\ufeff{ONE}\r\n{OTHER}",
        ],
        ids=["page", "page over lines", "list", "list over lines", "lines", "lines of a Windows editor"],
    )
    def test_results_come_in_many_forms_by_file_and_by_stream(self, config: Path, tmp_path: Path, text: str) -> None:
        file = tmp_path / "results.json"
        file.write_bytes(text.encode())
        by_file, by_stream = run("explain", "-c", config, file), run("explain", "-c", config, "-", stdin=text.encode())
        assert by_file.exit_code == by_stream.exit_code == 0
        assert by_file.stdout == by_stream.stdout
        assert [line for line in by_file.stdout.splitlines() if "goes to" in line] == [
            "s.1 goes to no route: unmatched",
            "s.2 goes to trades (rpa.trades)",
        ]
        assert "    to hold: label Delay 0.1 higher (at 0.4)" in by_file.stdout.splitlines()

    def test_json_is_one_object_a_line(self, config: Path) -> None:
        result = run("explain", "-c", config, "-t", "disputes", "--json", "-", stdin=f"{ONE}\n{OTHER}\n")
        first, second = map(json.loads, result.stdout.splitlines())
        assert (first["uid"], first["unmatched"], second["topics"]) == ("s.1", True, ["rpa.trades"])

    def test_what_is_no_result_is_said_and_ends_with_1(self, config: Path) -> None:
        result = run("explain", "-c", config, "-", stdin=f'{ONE}\n{{"comment": {{}}}}\n{OTHER}\n')
        assert result.exit_code == 1
        assert "a result cannot be read: no_uid" in result.stdout
        assert "s.2 goes to" in result.stdout

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("", "there is no result in it"),
            ("{", "not JSON"),
            (f"{ONE}\nx\n", "not JSON"),
            ('{"results": [{}]}', "not a page"),
        ],
    )
    def test_what_is_no_input_ends_with_2(self, config: Path, text: str, words: str) -> None:
        result = run("explain", "-c", config, "-", stdin=text)
        assert result.exit_code == 2
        assert words in result.stderr

    def test_a_file_that_is_not_there_ends_with_2(self, config: Path) -> None:
        result = run("explain", "-c", config, "none.json")
        assert result.exit_code == 2
        assert "none.json" in result.stderr

    def test_an_unknown_trigger_is_refused_with_the_known_ones(self, config: Path) -> None:
        result = run("explain", "-c", config, "-t", "dispute", "-", stdin=ONE)
        assert (result.exit_code, result.stderr) == (
            2,
            f"error: no trigger named dispute, did you mean disputes?; {config} has disputes (-t)\n",
        )

    def test_a_bad_configuration_is_told_on_stderr(self, tmp_path: Path) -> None:
        result = run("explain", "-c", written(tmp_path, spoilt("match: all", "mach: all")), "-", stdin=ONE)
        assert result.exit_code == 2
        assert ":19:5: error: unknown key `mach`" in result.stderr

    def test_no_secret_is_needed(self, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("REINFER_TOKEN")
        assert run("explain", "-c", config, "-", stdin=ONE).exit_code == 0


CASES = """\
cases:
  - name: urgent
    trigger: disputes
    result:
      labels: {Trade > Settlement: 0.9, Delay: 0.5}
      entities: [monetary-quantity]
      user_properties: {"string:Country": uk}
      thread_id: t-1
    topics: [rpa.disputes.urgent]
    routes: [urgent]
    shadow: [shadow-test]
    key: t-1
  - result: {labels: [{label: [Trade, Fees], probability: 0.7, sentiment: -1}]}
    topics: [rpa.trades]
  - result: {}
    topics: [rpa.unrouted]
    routes: [unmatched]
"""


class TestRoutes:
    def cases(self, config: Path, text: str, name: str = "bridge.tests.yaml") -> Path:
        file = config.with_name(name)
        file.write_text(text, encoding="utf-8")
        return file

    @pytest.mark.parametrize("name", ["bridge.tests.yaml", "bridge.yaml.tests.yaml"])
    def test_cases_beside_the_configuration_are_found(self, config: Path, name: str) -> None:
        file = self.cases(config, CASES, name)
        result = run("test", "-c", config)
        assert (result.exit_code, result.stdout) == (0, f"{file}: 3 passed, 0 failed\n")

    def test_a_plain_list_and_a_named_file_will_do(self, config: Path) -> None:
        text = CASES.removeprefix("cases:\n")
        assert run("test", "-c", config, self.cases(config, text, "other.yaml")).exit_code == 0

    def test_what_differs_is_told_with_its_reason(self, config: Path) -> None:
        file = self.cases(
            config,
            """\
- name: weak
  result: {labels: {Trade > Settlement: {probability: 0.73, sentiment: -0.5}}}
  topics: [rpa.disputes.urgent]
  routes: [urgent]
  shadow: [shadow-test]
  key: none
""",
        )
        result = run("test", "-c", config)
        assert (result.exit_code, result.stdout.splitlines()) == (
            1,
            [
                f"{file}:1: FAILED weak (disputes)",
                "  - topic rpa.disputes.urgent: urgent needs label Trade > Settlement 0.07 higher (at 0.8) and entity "
                "monetary-quantity present and user property string:Country being uk or de",
                "  + topic rpa.trades: by the route trades",
                "  - route urgent: needs label Trade > Settlement 0.07 higher (at 0.8) and entity monetary-quantity "
                "present and user property string:Country being uk or de",
                "  + route trades",
                "  - shadow route shadow-test: needs label Delay present at 0.4",
                "  - key none",
                "  + key 0000000000000000.00",
                f"{file}: 0 passed, 1 failed",
            ],
        )

    def test_the_same_as_json(self, config: Path) -> None:
        self.cases(config, CASES + "  - result: {}\n    topics: []\n")
        result = run("test", "-c", config, "--json")
        said = json.loads(result.stdout)
        assert (result.exit_code, said["passed"], said["failed"]) == (1, 3, 1)
        assert said["cases"][3]["differences"] == [
            {"what": "topic", "name": "rpa.unrouted", "expected": False, "note": "by the route unmatched"}
        ]

    def test_a_recorded_result_can_be_a_case(self, config: Path) -> None:
        config.with_name("one.json").write_text(OTHER, encoding="utf-8")
        config.with_name("broken.json").write_text('{"comment": {"uid": "x.y"}}', encoding="utf-8")
        self.cases(
            config,
            "- {result_file: one.json, topics: [rpa.trades]}\n- {result_file: broken.json, topics: [rpa.dead]}\n",
        )
        assert run("test", "-c", config).exit_code == 0

    def test_a_result_with_no_way_out_is_said_to_stop_the_trigger(self, tmp_path: Path) -> None:
        config = written(tmp_path, spoilt("    dead_letter: {topic: rpa.dead, stop_when_share_over: 0.5}\n", ""))
        config.with_name("broken.json").write_text('{"comment": {}}', encoding="utf-8")
        self.cases(config, "- {result_file: broken.json, topics: []}\n")
        result = run("test", "-c", config)
        assert result.exit_code == 1
        assert "the trigger would stop" in result.stdout

    @pytest.mark.parametrize(
        ("text", "line", "column", "words"),
        [
            ("{}", 1, 1, "write a list of cases"),
            ("cases: []", 1, 8, "write a list of cases"),
            ("x: 1\ncases:\n- {result: {}, topics: []}", 1, 1, "known here is cases"),
            ("- {result: {}}", 1, 3, "`topics` is missing"),
            ("- {topics: []}", 1, 3, "either `result` or `result_file`"),
            ("- {result: {}, topics: [], trigger: x}", 1, 37, "no trigger named `x`"),
            ("- {result: {label: {}}, topics: []}", 1, 13, "did you mean labels?"),
            ("- {result: {labels: 7}, topics: []}", 1, 21, "labels are written as"),
            ("- {result: {labels: [7]}, topics: []}", 1, 22, "mapping"),
            ("- {result: {labels: {A: high}}, topics: []}", 1, 25, "must be a number"),
            ("- {result: {labels: {A: {p: 1}}}, topics: []}", 1, 29, "unknown key"),
            ("- {result: {entities: x}, topics: []}", 1, 23, "list of kinds"),
            ("- {result: {user_properties: [x]}, topics: []}", 1, 30, "user_properties are written as"),
            ("- {result: {}, topics: [], routes: [urgnt]}", 1, 37, "did you mean urgent?"),
            ("- {result: {}, topics: [], shadow: [urgent]}", 1, 37, "no shadow route named `urgent`"),
            ("- {result_file: none.json, topics: []}", 1, 17, "none.json"),
            ("- {result_file: bridge.yaml, topics: []}", 1, 17, "not JSON"),
        ],
    )
    def test_a_mistake_in_the_cases_is_told_with_its_line(
        self, config: Path, text: str, line: int, column: int, words: str
    ) -> None:
        file = self.cases(config, text)
        result = run("test", "-c", config)
        assert result.exit_code == 2
        assert result.stderr.startswith(f"{file}:{line}:{column}: error: ")
        assert words in result.stderr

    def test_no_cases_is_no_success(self, config: Path) -> None:
        result = run("test", "-c", config)
        assert result.exit_code == 2
        assert "bridge.tests.yaml" in result.stderr

    def test_with_several_triggers_a_case_names_one(self, tmp_path: Path) -> None:
        other = "\n  - {project: p, dataset: d, trigger: other, routes: [{name: r, topic: t, when: {always: true}}]}\n"
        config = written(tmp_path, GOOD.rstrip("\n") + other)
        self.cases(config, "- {result: {}, topics: [t]}\n- {trigger: other, result: {}, topics: [t]}\n")
        result = run("test", "-c", config)
        assert result.exit_code == 2
        assert result.stderr.splitlines()[0].endswith(
            "`trigger` is missing here: the configuration has disputes, other [[0]]"
        )


def test_schemas_are_printed() -> None:
    assert json.loads(run("schema", "config").stdout)["title"] == "BridgeFile"
    assert json.loads(run("schema", "record").stdout)["$defs"].keys() >= {"result", "dead_letter"}
    assert run("schema", "nothing").exit_code == 2


def test_the_version_is_printed() -> None:
    assert run("--version").stdout == f"bridge {__version__}\n"


@pytest.mark.parametrize("command", ["check", "explain", "test", "schema"])
def test_help_shows_an_example(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert f"Example: bridge {command}" in result.stdout


@pytest.mark.parametrize("arguments", [("chekc",), ("check",), ("check", "-c"), ("check", "-c", "x", "--nope")])
def test_wrong_usage_ends_with_2(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


def test_only_the_module_that_is_asked_for_is_loaded() -> None:
    (command,) = app_for(["check"]).registered_commands
    assert command.callback is not None
    assert command.callback.__name__ == "check"
    app = app_for([])
    everything = [*app.registered_commands, *app.registered_groups]
    assert len(everything) == sum(len(commands) for commands in MODULES.values())


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Retry("no broker answers", code="x"), Exit.NEIGHBOUR_MISSING),
        (Blocked("no right", code="x"), Exit.NEIGHBOUR_MISSING),
        (StopTrigger("no", code="x"), Exit.FAILED),
    ],
)
def test_an_error_with_a_sentence_is_printed_as_that(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BridgeError, code: Exit
) -> None:
    app = typer.Typer()

    @app.command()
    def fail() -> None:
        raise error

    monkeypatch.setattr(cli, "app_for", lambda _: app)
    monkeypatch.setattr(sys, "argv", ["bridge"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == code
    assert capsys.readouterr().err == f"error: {error}\n"


def test_what_the_terminal_cannot_show_ends_no_command(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "odd.json"
    file.write_text('{"comment": {"uid": "s.\\ud800é"}, "sequence_id": "a"}', encoding="utf-8")
    shown = BytesIO()
    monkeypatch.setattr(sys, "stdout", TextIOWrapper(shown, encoding="ascii", write_through=True))
    monkeypatch.setattr(sys, "argv", ["bridge", "explain", "-c", str(config), str(file)])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 0
    assert shown.getvalue().startswith(b"s.\\ud800\\xe9 goes to no route: unmatched")
