"""The embedded pair: quick and everywhere, but no judge of durability, transactions or rebalances."""

import importlib.metadata
import importlib.util
from pathlib import Path
from typing import Self

from typing_extensions import override

from tests.neighbours.process import LocalServer, listens


def missing() -> str | None:
    """What this environment lacks to run the embedded pair, or None."""
    return None if importlib.util.find_spec("noida_db") else "the package noida-db"


class _Embedded(LocalServer):
    real = False
    service: str

    @classmethod
    def start(cls, data_dir: Path, *, port: int | None = None) -> Self:
        """A server that listens."""
        server = cls(data_dir, port)
        server.begin()
        return server

    @property
    @override
    def version(self) -> str:
        return importlib.metadata.version("noida-db")

    @override
    def command(self) -> list[str]:
        spec = importlib.util.find_spec("noida_db")
        if spec is None or spec.origin is None:
            raise RuntimeError("the package noida-db is not installed")
        binary = Path(spec.origin).parent / "noida-db"
        at = ["--data-dir", str(self.data_dir), "--only", self.service, f"--{self.service}-port", str(self.port)]
        return [str(binary), "start", *at]

    @override
    def is_ready(self) -> bool:
        return listens(self.port)


class EmbeddedKafka(_Embedded):
    """Speaks Kafka's protocol; loses the last second at a kill."""

    title = "embedded Kafka (noida-db)"
    service = "kafka"

    @property
    def bootstrap_servers(self) -> str:
        """`host:port`, the same over restarts."""
        return f"127.0.0.1:{self.port}"


class EmbeddedRedis(_Embedded):
    """Speaks Redis's protocol."""

    title = "embedded Redis (noida-db)"
    service = "redis"

    @property
    def url(self) -> str:
        """Of logical database 0."""
        return f"redis://127.0.0.1:{self.port}/0"
