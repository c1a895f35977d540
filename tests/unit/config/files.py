"""Configuration files of the tests: a good one, and ways to spoil it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bridge.app.config import load_config
from bridge.app.config.mistakes import ConfigError, Mistake

ENVIRONMENT = {"REINFER_TOKEN": "secret-token"}

GOOD = """\
deployment: prod
platform:
  base_url: https://cloud.uipath.com/acme/prod/reinfer_
  token: ${REINFER_TOKEN}
  api: triggers
kafka:
  bootstrap_servers: kafka:9092
redis:
  url: redis://redis:6379/0
  key_ttl: 24h
ownership: local
defaults: {batch_size: 512, poll_interval: 5s, delivery: at_least_once}
triggers:
  - name: disputes
    project: org1
    dataset: collateral
    trigger: dispute
    key: comment.thread_id
    match: all
    routes:
      - name: urgent
        topic: rpa.disputes.urgent
        when:
          all:
            - {label: Trade > Settlement, min: 0.8}
            - not: {label: Spam, min: 0.5}
            - {entity: monetary-quantity}
            - {user_property: "string:Country", one_of: [uk, de]}
      - name: trades
        topic: rpa.trades
        when: {label: "Trade > *", min: 0.6, sentiment: {max: 0}}
      - name: shadow-test
        topic: rpa.next
        when: {label: Delay, min: 0.4}
        shadow: true
    unmatched: {topic: rpa.unrouted}
    dead_letter: {topic: rpa.dead, stop_when_share_over: 0.5}
"""


def written(directory: Path, text: str) -> Path:
    file = directory / "bridge.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def spoilt(old: str, new: str) -> str:
    """The good file with one place changed, which must be there once."""
    assert GOOD.count(old) == 1, f"{old!r} stands {GOOD.count(old)} times in the good file"
    return GOOD.replace(old, new)


def mistakes(directory: Path, text: str, env: Mapping[str, str] = ENVIRONMENT) -> tuple[Mistake, ...]:
    """All that is found, warnings of a file that is taken included."""
    try:
        return load_config(written(directory, text), env).warnings
    except ConfigError as error:
        return error.mistakes


def spoken(found: tuple[Mistake, ...]) -> list[str]:
    """`line:column severity code [path]`, for comparison."""
    return [f"{each.line}:{each.column} {each.severity.value} {each.code} {each.path}" for each in found]
