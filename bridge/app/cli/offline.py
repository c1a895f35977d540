"""`bridge explain`, `bridge test` and `bridge schema`: what needs no neighbour."""

from __future__ import annotations

import json
import os
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from bridge.app.cli.cases import load_cases
from bridge.app.cli.exits import Exit, or_exit, print_json, refuse
from bridge.app.cli.result_input import results_from
from bridge.app.cli.route_tests import cases_beside, default_cases, report_as_json, report_as_text, run_case
from bridge.app.config.load import load_offline
from bridge.app.config.schema import config_schema
from bridge.app.config.values import did_you_mean
from bridge.app.record_schema import record_schema
from bridge.domain.explain import explain, explanation_as_json, explanation_as_text
from bridge.domain.model import Result, Undecodable
from bridge.domain.plan import TriggerPlan

Config = Annotated[Path, typer.Option("-c", "--config", help="The configuration file")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON")]


class Schema(Enum):
    """What there is a schema of."""

    CONFIG = "config"
    RECORD = "record"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("explain", epilog="Example: bridge explain -c bridge.yaml -t disputes result.json")(explain_results)
    app.command("test", epilog="Example: bridge test -c bridge.yaml bridge.tests.yaml")(run_cases)
    app.command("schema", epilog="Example: bridge schema config > bridge.schema.json")(print_schema)


def explain_results(
    config: Config,
    result: Annotated[str, typer.Argument(help="A file with a result, a page or JSON lines; - reads a stream")],
    trigger: Annotated[str, typer.Option("-t", "--trigger", help="Its name; not needed where there is one")] = "",
    as_json: AsJson = False,
) -> None:
    """Say which rules hold for a result, which do not, and what would turn each over and by how much.

    With --json one object a line. Ends with 1 where something is not a result.
    """
    plan = _plan(config, trigger)
    try:
        said = [_explain(plan, each, as_json=as_json) for each in results_from(result)]
    except (OSError, ValueError) as error:
        raise refuse(f"{result}: {error}") from error
    if not said:
        raise refuse(f"{result}: there is no result in it")
    raise typer.Exit(Exit.FINE if all(said) else Exit.FAILED)


def run_cases(
    config: Config,
    cases: Annotated[
        Path | None, typer.Argument(help="Results and the topics they must reach; <config>.tests.yaml by default")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Test the routes: each case is a result and the topics it must reach. Prints what differs, ends with 1 then."""
    offline = or_exit(lambda: load_offline(config, os.environ))
    file = cases or cases_beside(config)
    if file is None:
        raise refuse(f"no cases: name a file, or write {default_cases(config)}")
    plans = {str(plan.name): plan for plan in offline.triggers}
    outcomes = [run_case(case) for case in or_exit(lambda: load_cases(file, os.environ, plans))]
    if as_json:
        print_json(report_as_json(outcomes))
    else:
        print(report_as_text(file, outcomes))
    raise typer.Exit(Exit.FINE if all(outcome.passed for outcome in outcomes) else Exit.FAILED)


def print_schema(of: Annotated[Schema, typer.Argument(help="What to print the schema of")]) -> None:
    """Print a JSON Schema: of the configuration file, or of the records on the topics."""
    print_json(config_schema() if of is Schema.CONFIG else record_schema())


def _plan(config: Path, trigger: str) -> TriggerPlan:
    offline = or_exit(lambda: load_offline(config, os.environ))
    plans = {str(plan.name): plan for plan in offline.triggers}
    if not trigger and len(plans) == 1:
        return next(iter(plans.values()))
    if trigger not in plans:
        asked = f"no trigger named {trigger}{did_you_mean(trigger, plans)}" if trigger else "which trigger?"
        raise refuse(f"{asked}; {config} has {', '.join(plans)} (-t)")
    return plans[trigger]


def _explain(plan: TriggerPlan, result: Result | Undecodable, *, as_json: bool) -> bool:
    """Whether it was a result."""
    if isinstance(result, Undecodable):
        said = {"uid": result.uid, "undecodable": result.reason}
        print(
            json.dumps(said) if as_json else f"{result.uid or 'a result'} cannot be read: {result.reason}", flush=True
        )
        return False
    explanation = explain(plan.rules, result)
    print(json.dumps(explanation_as_json(explanation)) if as_json else explanation_as_text(explanation), flush=True)
    return True
