"""The neighbours in containers, by testcontainers; the images are named by the environment."""

import os
import shutil
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from typing_extensions import override

# A machine that looks like a container itself would be given the bridge's address; the ports are on loopback.
# Without the reaper a killed run leaves its containers: they carry the label org.testcontainers.
os.environ.update(
    TESTCONTAINERS_RYUK_DISABLED="true",
    TESTCONTAINERS_CONNECTION_MODE="docker_host",
    TESTCONTAINERS_HOST_OVERRIDE="127.0.0.1",
)

import redis
from testcontainers.core.container import DockerContainer

from tests.neighbours.process import START_TIMEOUT_S, StartError, free_port


def missing() -> str | None:
    """What this machine lacks to run containers, or None."""
    if shutil.which("docker") is None:
        return "Docker"
    done = subprocess.run(["docker", "info"], capture_output=True, check=False)
    return None if done.returncode == 0 else "a running Docker engine"


class _Container(ABC):
    """One server in a container with a fixed host port, so that a restart keeps the address."""

    title: str
    real = True

    def __init__(self, image: str, inner_port: int, port: int | None) -> None:
        self.image = image
        self.port = port or free_port()
        self._container = DockerContainer(image).with_bind_ports(inner_port, self.port)

    def begin(self) -> None:
        """Starts the container and returns when it serves clients."""
        self._container.start()
        try:
            self._wait_ready(after=0)
        except BaseException:
            self._container.stop()
            raise

    @property
    @abstractmethod
    def ready_line(self) -> str:
        """What the server's log says when it serves clients."""

    @property
    def version(self) -> str:
        """The tag of the image."""
        return self.image.rpartition(":")[2]

    def stop(self) -> None:
        """Ends and removes the container and its data."""
        self._container.stop()

    def kill(self) -> None:
        """SIGKILL; the container stays, for `restart`."""
        self._container.get_wrapped_container().kill()

    def restart(self) -> None:
        """Starts the same container again, on the same data and port."""
        after = self._ready_lines()
        self._container.get_wrapped_container().restart()
        self._wait_ready(after)

    def pause(self) -> None:
        """Freezes every process of it."""
        self._container.get_wrapped_container().pause()

    def resume(self) -> None:
        """Ends a `pause`."""
        self._container.get_wrapped_container().unpause()

    def _logs(self) -> str:
        return b"".join(self._container.get_logs()).decode(errors="replace")

    def _has_ended(self) -> bool:
        inner = self._container.get_wrapped_container()
        inner.reload()
        return bool(inner.status == "exited")

    def _ready_lines(self) -> int:
        return self._logs().count(self.ready_line)

    def _wait_ready(self, after: int) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while self._ready_lines() <= after:
            if time.monotonic() > deadline or self._has_ended():
                raise StartError(f"{self.title} in {self.image} did not serve in time\n{self._logs()[-3000:]}")
            time.sleep(0.1)


class DockerKafka(_Container):
    """An image that takes its properties as `KAFKA_*` variables, as the project's own does."""

    title = "Apache Kafka"

    def __init__(self, port: int | None = None, config: Mapping[str, str] | None = None) -> None:
        super().__init__(os.environ.get("KAFKA_IMAGE", "apache/kafka:4.3.1"), 9092, port)
        properties = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.listener.names": "CONTROLLER",
            "listeners": "CLIENT://0.0.0.0:9092,CONTROLLER://127.0.0.1:9093",
            "advertised.listeners": f"CLIENT://127.0.0.1:{self.port}",
            "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "CLIENT",
            "controller.quorum.voters": "1@127.0.0.1:9093",
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
        } | dict(config or {})
        for key, value in properties.items():
            self._container.with_env("KAFKA_" + key.replace(".", "_").upper(), value)

    @classmethod
    def start(cls, data_dir: Path, *, port: int | None = None, config: Mapping[str, str] | None = None) -> Self:
        """A broker that serves clients; its data live in the container, not in `data_dir`."""
        broker = cls(port, config)
        broker.begin()
        return broker

    @property
    @override
    def ready_line(self) -> str:
        return "Kafka Server started"

    @property
    def bootstrap_servers(self) -> str:
        """`host:port`, the same over restarts."""
        return f"127.0.0.1:{self.port}"


class DockerRedis(_Container):
    """Any image whose entry point is redis-server with its arguments."""

    title = "Redis"

    def __init__(self, port: int | None = None, args: Sequence[str] = ()) -> None:
        super().__init__(os.environ.get("REDIS_IMAGE", "redis:7"), 6379, port)
        self._version = super().version
        fixed = ["redis-server", "--protected-mode", "no", "--save", "", "--appendonly", "yes"]
        self._container.with_command([*fixed, *args])

    @classmethod
    def start(cls, data_dir: Path, *, port: int | None = None, args: Sequence[str] = ()) -> Self:
        """A server that answers; its data live in the container, not in `data_dir`."""
        server = cls(port, args)
        server.begin()
        with redis.Redis.from_url(server.url) as client:
            server._version = client.info("server")["redis_version"]
        return server

    @property
    @override
    def version(self) -> str:
        return self._version

    @property
    @override
    def ready_line(self) -> str:
        return "Ready to accept connections"

    @property
    def url(self) -> str:
        """Of logical database 0."""
        return f"redis://127.0.0.1:{self.port}/0"
