"""From a file to settings, or to all of its mistakes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from bridge.app.config.build import settings_of
from bridge.app.config.checks import check
from bridge.app.config.document import Reader, Section, opened
from bridge.app.config.file import BridgeFile, RulesFile
from bridge.app.config.findings import Findings
from bridge.app.config.kafka_checks import check_kafka
from bridge.app.config.mistakes import ConfigError, Mistake
from bridge.app.config.ownership_checks import check_ownership
from bridge.app.config.plans import plan_of
from bridge.app.config.rule_checks import check_rules
from bridge.app.config.secrets import Secrets
from bridge.app.config.sentences import report
from bridge.app.config.settings import Settings
from bridge.app.config.shape import Closed
from bridge.domain.plan import TriggerPlan

Shape = TypeVar("Shape", bound=Closed)

NEIGHBOUR_SECTIONS = frozenset({"platform", "kafka", "redis", "admin"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Offline:
    """What can be had of a configuration without its secrets."""

    triggers: tuple[TriggerPlan, ...]
    warnings: tuple[Mistake, ...]


def load_config(path: Path, env: Mapping[str, str]) -> Settings:
    """The settings in a file, with `${VAR}` from `env`. Raises ConfigError with every mistake."""
    values, secrets, findings = _looked_at(path, env, frozenset())
    file = _shaped(BridgeFile, values, findings)
    findings.raise_errors()
    assert file is not None, "what has no shape has a mistake"
    return settings_of(file, secrets, findings.mistakes)


def load_offline(path: Path, env: Mapping[str, str]) -> Offline:
    """The triggers alone, for trying rules where no secrets are: of neighbours, what is unset or missing is a warning.

    Raises ConfigError for every other mistake, wherever it is.
    """
    values, _, findings = _looked_at(path, env, NEIGHBOUR_SECTIONS)
    _shaped(BridgeFile, values, findings)
    findings.raise_errors()
    rules = Section(())
    rules.update((key, value) for key, value in values.items() if key in RulesFile.model_fields)
    file = _shaped(RulesFile, rules, findings)
    assert file is not None, "what has no shape has a mistake"
    triggers = tuple(plan_of(trigger, file.defaults) for trigger in file.triggers)
    return Offline(triggers=triggers, warnings=findings.mistakes)


def _looked_at(path: Path, env: Mapping[str, str], tolerated: frozenset[str]) -> tuple[Section, Secrets, Findings]:
    root, findings = opened(path)
    values = Reader(env, findings, tolerated).value(root, ())
    if not isinstance(values, Section):
        findings.error((), "model_type", "a configuration is a mapping that begins with a key such as `deployment:`")
        raise ConfigError(findings.mistakes)
    secrets = Secrets(path.parent, findings, tolerated)
    secrets.look(values)
    check(values, findings)
    check_kafka(values, findings)
    check_ownership(values, findings)
    check_rules(values, findings)
    return values, secrets, findings


def _shaped(model: type[Shape], values: Section, findings: Findings) -> Shape | None:
    try:
        return model.model_validate(values, context=findings)
    except ValidationError as error:
        report(error, (), findings)
        return None
