"""Neighbours for a shell: `python -m tests.neighbours kafka|redis|both|prepare [-- COMMAND...]`.

Prints one JSON line with the addresses and pids once they serve clients. With a COMMAND, `{kafka}` and `{redis}` in it
are replaced by the addresses, and the neighbours end with it; without one they run until SIGINT or SIGTERM.
"""

import argparse
import contextlib
import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.neighbours.apache import ApacheKafka, prepare
from tests.neighbours.apache import missing as kafka_missing
from tests.neighbours.redis_server import RedisServer
from tests.neighbours.redis_server import missing as redis_missing


def main(argv: list[str]) -> int:
    """Exit code of the command, or 3 when something is missing here."""
    ours, _, command = _split(argv)
    args = _parser().parse_args(ours)
    missing = [kafka_missing() if args.what != "redis" else None, redis_missing() if args.what != "kafka" else None]
    if lacking := ", ".join(filter(None, missing)):
        print(f"Apache Kafka or Redis cannot be had here ({lacking} is missing)", file=sys.stderr)
        return 3
    if args.what == "prepare":
        return _prepare()
    return _serve(args, command)


def _prepare() -> int:
    try:
        print(prepare())
    except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
        print(f"Apache Kafka cannot be had here ({str(error).splitlines()[0]})", file=sys.stderr)
        return 3
    return 0


def _split(argv: list[str]) -> tuple[list[str], bool, list[str]]:
    if "--" not in argv:
        return argv, False, []
    at = argv.index("--")
    return argv[:at], True, argv[at + 1 :]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.neighbours", description=__doc__)
    parser.add_argument("what", choices=["kafka", "redis", "both", "prepare"])
    parser.add_argument("--port", type=int, help="of Kafka")
    parser.add_argument("--redis-port", type=int)
    parser.add_argument("--data-dir", type=Path, help="kept afterwards; a temporary one when left out")
    return parser


def _serve(args: argparse.Namespace, command: list[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with contextlib.ExitStack() as stack:
        root = args.data_dir or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="neighbours-")))
        said: dict[str, object] = {}
        if args.what != "redis":
            broker = ApacheKafka.start(root / "kafka", port=args.port)
            stack.callback(broker.stop)
            said |= {"bootstrap_servers": broker.bootstrap_servers, "pid": broker.pid, "kafka_version": broker.version}
        if args.what != "kafka":
            redis = RedisServer.start(root / "redis", port=args.redis_port)
            stack.callback(redis.stop)
            said |= {"redis_url": redis.url, "redis_pid": redis.pid, "redis_version": redis.version}
        print(json.dumps(said), file=sys.stderr if command else sys.stdout, flush=True)
        return _run(command, said)


def _run(command: list[str], said: dict[str, object]) -> int:
    if not command:
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
        return 0
    names = {"kafka": str(said.get("bootstrap_servers", "")), "redis": str(said.get("redis_url", ""))}
    filled = [word.replace("{kafka}", names["kafka"]).replace("{redis}", names["redis"]) for word in command]
    with subprocess.Popen(filled) as child:
        while True:
            with contextlib.suppress(KeyboardInterrupt):  # the terminal sends it to the child too, which decides
                return child.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
