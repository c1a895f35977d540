"""`bridge run`: the service."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Annotated

import typer

from bridge.app import telemetry
from bridge.app.cli.exits import Exit, load_or_exit, refuse
from bridge.app.config import load_config
from bridge.app.config.settings import Settings
from bridge.app.memory import keep_freed_memory, spare_the_collector
from bridge.app.reload import ConfigFile, fingerprint
from bridge.app.service import Process, serve
from bridge.domain.errors import Fatal
from bridge.signals import Signals


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(epilog="Example: bridge run -c bridge.yaml")
    def run(config: Annotated[Path, typer.Option("-c", "--config", help="The configuration file")]) -> None:
        """Run the service: workers, reset controller, admin API. SIGTERM drains, a second one ends it at once."""
        seen = fingerprint(config)
        settings = load_or_exit(config)
        file = ConfigFile(path=config, load=lambda: load_config(config, os.environ), seen=seen)
        spare_the_collector()
        keep_freed_memory(os.environ)
        try:
            told = telemetry.set_up(settings.deployment, settings.kafka.bootstrap_servers)
        except Fatal as error:
            raise refuse(str(error)) from error
        for warning in settings.warnings:
            told.signals.service("config_warning", mistake=str(warning))
        try:
            asyncio.run(serve_with_signals(settings, file, told.signals))
        except (Fatal, ExceptionGroup) as error:
            fatal = first_fatal(error)
            if fatal is None:
                raise
            told.signals.service_failed("refused_to_run", code=fatal.code, error=str(fatal))
            raise typer.Exit(Exit.USAGE) from error
        finally:
            told.close()


def first_fatal(error: Exception) -> Fatal | None:
    """The reason to end in an error, or in a group of those that ended together."""
    if isinstance(error, ExceptionGroup):
        return next(filter(None, map(first_fatal, error.exceptions)), None)
    return error if isinstance(error, Fatal) else None


async def serve_with_signals(settings: Settings, file: ConfigFile, signals: Signals) -> None:
    """SIGTERM and SIGINT stop, SIGHUP reads the file again."""
    process = Process(file=file, stop=asyncio.Event(), reload=asyncio.Event())

    def stop(name: str) -> None:
        if process.stop.is_set():
            signals.service_failed("ended_hard", signal=name)
            # Nothing is flushed: the pass in flight is left as a crash leaves it, which loses nothing (I7).
            os._exit(Exit.FAILED)
        signals.service("stopping", signal=name)
        process.stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number.name)
    loop.add_signal_handler(signal.SIGHUP, process.reload.set)
    await serve(settings, process, signals)
