"""What every contestant is asked to do, handed over as one JSON argument."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass

from tests.bench.carry.results import BATCH_SIZE, ROUTED

PROJECT, DATASET = "acme", "mail"
PARTITIONS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Carry `results` results of `trigger` to the topics `<prefix>.<label>`, and advance only past what is acked."""

    host: str
    port: int
    bootstrap_servers: str
    redis_url: str
    trigger: str
    results: int
    batch_size: int = BATCH_SIZE

    @property
    def path(self) -> str:
        """Of the trigger at the platform."""
        return f"/api/v1/datasets/{PROJECT}/{DATASET}/triggers/{self.trigger}"

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}{self.path}"

    def topic(self, label: str) -> str:
        return f"{self.trigger}.{label.lower()}"

    @property
    def topics(self) -> list[str]:
        return [self.topic(label) for label in ROUTED]

    def as_argument(self) -> str:
        return json.dumps(asdict(self))


def from_argument() -> Job:
    """The job of this process."""
    return Job(**json.loads(sys.argv[1]))
