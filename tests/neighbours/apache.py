"""Apache Kafka, one combined KRaft node, as a local process."""

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from typing_extensions import override

from tests.neighbours.process import POLL_S, LocalServer, free_port
from tests.neighbours.transaction_log import is_between_verdict_and_markers

HERE = Path(__file__).parent / "apache_kafka"
CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qk"
JAVA_MIN = 17  # what a broker of Kafka 4 needs
SETTLED_WITHIN_S = 20.0
HEAP = ["-Xms256m", "-Xmx512m"]
# Short-lived and small: the first compiler stage only, one collector thread.
JVM = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true"]


def pinned_version() -> str:
    """The version of Kafka in the pom."""
    found = re.search(r"<kafka\.version>([^<]+)<", (HERE / "pom.xml").read_text())
    if found is None:
        raise RuntimeError("the pom names no kafka.version")
    return found[1]


def cache_dir() -> Path:
    """Where the jars of the pinned version are kept between runs, outside the repository."""
    root = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(root) / "bridge" / f"kafka-{pinned_version()}"


def missing() -> str | None:
    """What this machine lacks to run Apache Kafka, or None."""
    if _java_major() < JAVA_MIN:
        return f"Java {JAVA_MIN}"
    if not _complete(cache_dir()) and shutil.which("mvn") is None:
        return "Maven"
    return None


def _java_major() -> int:
    """17 of `openjdk version "17.0.15"`; 0 without a usable Java."""
    if shutil.which("java") is None:
        return 0
    done = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(\d+)', done.stderr)
    return int(found[1]) if found else 0


def prepare() -> Path:
    """The directory with `libs` and a `formatted` data directory; made at the first call, whole or not at all."""
    home = cache_dir()
    if _complete(home):
        return home
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent, prefix="fetching-") as scratch:
        fresh = Path(scratch) / home.name
        fresh.mkdir()
        _copy_dependencies(fresh / "libs")
        _format(fresh)
        shutil.copy(HERE / "pom.xml", fresh)
        _put_in_place(fresh, home)
    return home


def _complete(home: Path) -> bool:
    pom = home / "pom.xml"
    return pom.exists() and pom.read_bytes() == (HERE / "pom.xml").read_bytes()


def _put_in_place(fresh: Path, home: Path) -> None:
    """Renames, after a run with another pom has been moved away; another process may win, which is as good."""
    if home.exists() and not _complete(home):
        home.rename(fresh.parent / "replaced")
    try:
        fresh.rename(home)
    except OSError:
        if not _complete(home):
            raise


def _copy_dependencies(libs: Path) -> None:
    command = [
        "mvn",
        "--quiet",
        "--batch-mode",
        "--strict-checksums",
        "-Dstyle.color=never",
        "--file",
        str(HERE / "pom.xml"),
    ]
    command += ["dependency:copy-dependencies", f"-DoutputDirectory={libs}", "-DincludeScope=runtime"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode != 0:
        why = next((line for line in done.stdout.splitlines() if line.startswith("[ERROR]")), done.stderr.strip())
        raise RuntimeError(f"Maven: {why.removeprefix('[ERROR] ')}")


def _format(home: Path) -> None:
    """Formats a data directory once; every broker starts on a copy, which saves it a second JVM."""
    properties = home / "format.properties"
    at = "127.0.0.1:0"
    lines = [f"listeners=CLIENT://{at},CONTROLLER://{at}", f"controller.quorum.voters=1@{at}"]
    lines += [f"log.dirs={home / 'formatted'}", ""]
    properties.write_text((HERE / "server.properties").read_text() + "\n".join(lines))
    command = ["java", *JVM, f"-Dlog4j2.configurationFile={HERE / 'log4j2.xml'}"]
    command += [f"-Dkafka.log.file={home / 'format.log'}", "-cp", str(home / "libs" / "*")]
    command += ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(properties)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"a data directory of Kafka could not be formatted\n{done.stdout}{done.stderr}")


class ApacheKafka(LocalServer):
    """One broker that is its own controller; topics are made by the tests, never by a send."""

    title = "Apache Kafka"
    real = True

    def __init__(self, data_dir: Path, port: int | None = None, config: Mapping[str, str] | None = None) -> None:
        super().__init__(data_dir, port)
        self._config = dict(config or {})
        self._controller_port = free_port()

    @classmethod
    def start(cls, data_dir: Path, *, port: int | None = None, config: Mapping[str, str] | None = None) -> Self:
        """A broker that serves clients; `config` adds to or overrides server.properties."""
        broker = cls(data_dir, port, config)
        broker.begin()
        return broker

    @property
    def bootstrap_servers(self) -> str:
        """`host:port`, the same over restarts."""
        return f"127.0.0.1:{self.port}"

    @property
    @override
    def version(self) -> str:
        return pinned_version()

    @property
    def server_log(self) -> Path:
        """The broker's own log of this start."""
        return self.data_dir / f"server-{self.starts}.log"

    @override
    def command(self) -> list[str]:
        properties = self._write_properties()
        if not (self.data_dir / "log").exists():
            shutil.copytree(prepare() / "formatted", self.data_dir / "log")
        return [*self._java(), "kafka.Kafka", str(properties)]

    @override
    def is_ready(self) -> bool:
        return self.server_log.exists() and "Kafka Server started" in self.server_log.read_text(errors="replace")

    def kill_with_its_markers_written(self) -> None:
        """SIGKILL, at any moment but one: between the verdict on a transaction and its markers.

        Killed there and back at once, a broker that holds its partitions alone finds them without a leader, takes
        them for deleted (KAFKA-5202; seen with 4.3.1), calls the transaction complete and never writes its markers:
        the records stay hidden from whoever reads committed until an operator ends the transaction.
        """
        end_s = time.monotonic() + SETTLED_WITHIN_S
        self.pause()
        while is_between_verdict_and_markers(self.data_dir / "log"):
            self.resume()
            if time.monotonic() > end_s:
                raise RuntimeError(f"{self.title} has had a transaction without markers for {SETTLED_WITHIN_S:.0f} s")
            time.sleep(POLL_S)
            self.pause()
        self.kill()

    @override
    def log_tail(self) -> str:
        log = self.server_log.read_text(errors="replace")[-3000:] if self.server_log.exists() else ""
        return super().log_tail() + log

    def _java(self) -> list[str]:
        logging = [f"-Dlog4j2.configurationFile={HERE / 'log4j2.xml'}", f"-Dkafka.log.file={self.server_log}"]
        return ["java", *HEAP, *JVM, *logging, "-cp", str(prepare() / "libs" / "*")]

    def _write_properties(self) -> Path:
        quorum, client = f"127.0.0.1:{self._controller_port}", self.bootstrap_servers
        lines = {
            "listeners": f"CLIENT://{client},CONTROLLER://{quorum}",
            "advertised.listeners": f"CLIENT://{client}",
            "controller.quorum.voters": f"1@{quorum}",
            "log.dirs": str(self.data_dir / "log"),
        } | self._config
        path = self.data_dir / "server.properties"
        body = "".join(f"{key}={value}\n" for key, value in lines.items())
        path.write_text((HERE / "server.properties").read_text() + body)
        return path
