"""The daemon: runs an engine and its server until it is told to stop. Independent of the command line."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from webhook_engine.config.loading import Config, TracingConfig
from webhook_engine.delivery.upkeep.retention import RetentionPolicy
from webhook_engine.engine import Engine
from webhook_engine.errors import ConfigError
from webhook_engine.log import get_logger
from webhook_engine.server.descriptors import raise_limit
from webhook_engine.server.listener import Server
from webhook_engine.server.logs import configure_logging
from webhook_engine.server.supervision import Supervisor, inherited_socket, with_credentials

__all__ = ["run_daemon"]

SWITCH_INTERVAL_S = 0.0002
"""How soon the thread that writes to the database gets its turn while the event loop is busy; the default is 5 ms."""

YOUNG = 10_000
"""New objects per run of the cyclic garbage collector. Open requests hold more than the default of 700."""

RELOADED = ("log", "retention")
"""Sections of the configuration that apply after a reload; the others apply after a restart."""

log = get_logger("daemon")


def run_daemon(config: Path | None, listen: str | None) -> None:
    """Serve until told to stop; raises the error if the engine fails."""
    loaded = Config.load(config, with_credentials(os.environ))
    configure_logging(loaded.log)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    raise_limit()
    end_traces = _export_traces(loaded.tracing) if loaded.tracing.enabled else None
    try:
        failure = _run(_serve(loaded, listen, config))
    finally:
        if end_traces is not None:
            end_traces()
    if failure is not None:
        raise failure


def _export_traces(config: TracingConfig) -> Callable[[], None]:
    """Set up the export of traces; returns a function that ends it."""
    try:
        from webhook_engine.server.trace_export import export_traces  # noqa: PLC0415 (OpenTelemetry is an extra)
    except ImportError as error:
        raise config.unavailable(error) from error
    return export_traces(os.environ)


async def _serve(config: Config, listen: str | None, file: Path | None) -> BaseException | None:
    """Serve until told to stop, or until the engine fails; returns the error."""
    stopping = _stop_signals()
    supervisor, inherited = Supervisor(), inherited_socket()
    engine = Engine(config)
    server = Server(engine, listen, listening=inherited)
    await engine.start()
    failure: BaseException | None = None
    try:
        async with server:
            _greet(server, config)
            _reload_signal(engine, supervisor, file)
            supervisor.ready(f"serving at {server.url}")
            supervisor.watch(engine.services.store.upkeep.ping)
            gc.set_threshold(YOUNG, 10, 10)
            gc.enable()
            gc.collect()
            gc.freeze()  # exclude long-lived objects from later garbage collections
            failure = await _until(stopping, engine)
            supervisor.stopping("finishing what is in flight")
            log.info("daemon.stopping", grace_s=config.delivery.shutdown_grace.total_seconds())
    finally:
        await engine.stop()
        await supervisor.end()
        if inherited is not None:
            inherited.close()
    log.info("daemon.stopped")
    return failure


async def _until(stopping: asyncio.Event, engine: Engine) -> BaseException | None:
    told = asyncio.create_task(stopping.wait())
    crashed = asyncio.create_task(engine.crashed())
    try:
        await asyncio.wait({told, crashed}, return_when=asyncio.FIRST_COMPLETED)
        return crashed.result() if crashed.done() else None
    finally:
        told.cancel()
        crashed.cancel()


def _stop_signals() -> asyncio.Event:
    """An event set by SIGTERM or SIGINT; a second signal ends the process at once."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()

    def told(number: signal.Signals) -> None:
        if stopping.is_set():
            os._exit(128 + number)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told, number)
    return stopping


def _reload_signal(engine: Engine, supervisor: Supervisor, file: Path | None) -> None:
    """Reload the configuration on SIGHUP; sections outside ``RELOADED`` apply after a restart."""

    def reload() -> None:
        supervisor.reloading()
        try:
            fresh = Config.load(file, with_credentials(os.environ))
        except (ConfigError, OSError) as problem:
            log.error("daemon.not_reloaded", error=str(problem), consequence="everything stays as it is")
            supervisor.ready("serving; the configuration could not be read again")
            return
        configure_logging(fresh.log)
        engine.keep_for(RetentionPolicy(fresh.retention.payload, fresh.retention.attempts))
        changed = [
            new.key
            for old, new in zip(engine.config.effective(), fresh.effective(), strict=True)
            if old.value != new.value and new.key.partition(".")[0] not in RELOADED
        ]
        if changed:
            log.warning("daemon.restart_needed", settings=changed)
        log.info("daemon.reloaded", sections=list(RELOADED))
        supervisor.ready("serving; the configuration was read again")

    if hasattr(signal, "SIGHUP"):
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload)


def _greet(server: Server, config: Config) -> None:
    path = config.store.path
    database = config.store.shown if path is None else str(path.resolve())
    token = f"webhook-engine token  # in {Path.cwd()}"
    if config.auth.jwt_public_key is not None:
        token = "tokens are made elsewhere, with the private key of auth.jwt_public_key"  # noqa: S105
    log.info("daemon.serving", url=server.url, public_url=server.public_url, database=database, token=token)


def _run(main: object) -> BaseException | None:
    """Run the daemon on uvloop if it is available, which is the fastest event loop."""
    try:
        import uvloop  # noqa: PLC0415 (not available on Windows)
    except ImportError:
        return asyncio.run(main)  # type: ignore[arg-type]
    return uvloop.run(main)  # type: ignore[arg-type]
