"""``webhook-engine doctor``: checks what the engine needs, and says how to fix each finding."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import re
import shutil
import socket
import ssl
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Annotated, Literal

import aiohttp
import msgspec
import typer

from webhook_engine.backup import clock_last_seen, database_problems, gets_smaller
from webhook_engine.cli.configured import ConfigOption, configuration
from webhook_engine.cli.demo.receiver import Receiver, Request
from webhook_engine.cli.file_systems import kind_of, trouble_with
from webhook_engine.cli.terminal import CommandError, out
from webhook_engine.config.loading import Config
from webhook_engine.config.sections import ServerConfig
from webhook_engine.delivery.http.tls import client_context
from webhook_engine.engine import Engine
from webhook_engine.errors import ConfigError, WebhookEngineError
from webhook_engine.secrets.files import SecretFile
from webhook_engine.server.descriptors import inbound_share, needed
from webhook_engine.store.opening import inspect_server

__all__ = ["doctor"]

Level = Literal["ok", "warning", "error"]

LOW_SPACE = 1_000_000_000
NO_SPACE = 100_000_000
LOW_MEMORY = 200_000_000
LARGE_LOG = 256_000_000
"""The engine keeps its write-ahead log below 64 MB, unless it cannot be checkpointed."""
MEMORY = Path("/proc/meminfo")
MOUNTS = Path("/proc/self/mountinfo")
PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")
PORTS_PER_REQUEST = 4
"""Local ports for each request in flight, since a used port stays in TIME_WAIT for a while."""
CLOCK_HOST = "https://example.com/"
WORST_CLOCK_S = 60.0
"""Receivers refuse signatures whose time is off by five minutes."""
PATIENCE_S = 10.0


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    check: str
    level: Level
    what: str
    advice: str = ""


def doctor(
    config: ConfigOption = None,
    offline: Annotated[bool, typer.Option("--offline", help="Connect to nothing outside this machine.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array, for programs.")] = False,
) -> None:
    """Check what the engine needs here, and say what to do about each finding.

    Changes nothing, and may be run beside an engine. Exits with 1 if there is an error, with 2 if the configuration is
    wrong.
    """
    findings = []
    for finding in _findings(config, offline=offline):
        findings.append(finding)
        if not as_json:
            _show(finding)
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False, indent=2))
    if any(finding.level == "error" for finding in findings):
        raise typer.Exit(2 if findings[0].level == "error" else 1)


def _show(finding: Finding) -> None:
    style = {"ok": "green", "warning": "yellow", "error": "bold red"}[finding.level]
    out.print(f"{finding.level:7}", style=style, end=" ")
    out.print(f"{finding.check}: {finding.what}", markup=False, soft_wrap=True)
    if finding.advice:
        out.print(f"        {finding.advice}", markup=False, soft_wrap=True)


def _findings(file: Path | None, *, offline: bool) -> Iterator[Finding]:
    try:
        config = configuration(file)
    except (ConfigError, OSError) as problem:
        yield Finding(
            "configuration", "error", str(problem), "Correct it; `webhook-engine check-config` shows all of it."
        )
        return
    yield Finding("configuration", "ok", "every setting can be read")
    checks: list[Callable[[Config], Iterator[Finding]]] = [_database, _log, _file_system, _secrets, _space, _files]
    checks += [_memory, _ports, _roots, _delivery, _engine, _past, _synchronised]
    if not offline:
        checks += [_proxy, _names, _clock]
    for check in checks:
        yield from check(config)


def _database(config: Config) -> Iterator[Finding]:
    path = config.store.path
    if path is None:
        yield from _on_a_server(config)
        return
    if not path.exists():
        if os.access(path.absolute().parent, os.W_OK):
            yield Finding("database", "ok", f"{path} is not there yet; the engine will make it")
        else:
            advice = "Make the directory, and let the engine's user write in it; or set store.url."
            yield Finding("database", "error", f"{path.absolute().parent} cannot be written", advice)
        return
    if not os.access(path, os.R_OK | os.W_OK):
        what = f"{path} cannot be read and written by this user ({getpass.getuser()})"
        advice = f"Run this as the engine's user; or give it the file: chown that-user {path}*"
        yield Finding("database", "error", what, advice)
        return
    problems = database_problems(path)
    for problem in problems:
        yield Finding("database", "error", f"{path}: {problem}", "Stop the engine, and restore a backup.")
    if not problems:
        yield Finding("database", "ok", f"{path} is sound")
        if not gets_smaller(path):
            what = f"{path} reuses what retention frees, but the file never gets smaller"
            advice = "It is older than that, or a host program made it. A backup that is restored gets smaller."
            yield Finding("database", "warning", what, advice)


def _on_a_server(config: Config) -> Iterator[Finding]:
    try:
        remarks = asyncio.run(inspect_server(config.store))
    except WebhookEngineError as problem:
        yield Finding(
            "database", "error", str(problem), "Correct store.url, or start the server; see docs/postgresql.md."
        )
        return
    for remark in remarks:
        level: Level = "ok" if not remark.advice else "error" if remark.serious else "warning"
        yield Finding("database", level, remark.what, remark.advice)


def _log(config: Config) -> Iterator[Finding]:
    """Whether the write-ahead log is checkpointed: a long-running reader prevents that."""
    if config.store.path is None:
        return
    log = config.store.path.with_name(f"{config.store.path.name}-wal")
    try:
        size = log.stat().st_size
    except OSError:
        return
    if size > LARGE_LOG:
        advice = f"End what reads the database for long, such as an open transaction of another program: lsof {log}"
        yield Finding("write-ahead log", "warning", f"{log} has grown to {size / 1e6:.0f} MB", advice)
    else:
        yield Finding("write-ahead log", "ok", f"{size / 1e6:.0f} MB wait to be written to the database")


def _file_system(config: Config) -> Iterator[Finding]:
    if config.store.path is None:
        return
    try:
        mounts = MOUNTS.read_text("utf-8", errors="surrogateescape")
    except OSError:
        return
    directory = config.store.path.resolve().parent
    kind = kind_of(str(directory), mounts)
    if kind is None:
        return
    trouble = trouble_with(kind)
    if trouble is None:
        yield Finding("file system", "ok", f"{directory} is on {kind}")
    else:
        what, advice = trouble
        yield Finding("file system", "warning", f"{directory} is on {kind}: {what}", advice)


def _secrets(config: Config) -> Iterator[Finding]:
    given = {
        SecretFile.MAIN: config.security.main_secret,
        SecretFile.JWT: config.auth.jwt_secret or config.auth.jwt_public_key,
    }
    for name in SecretFile:
        path = name.of(config.store.files)
        if given[name] is not None:
            yield Finding("secrets", "ok", f"{name} is configured")
        elif not path.exists():
            if name is SecretFile.MAIN and config.store.files.exists():
                advice = "Restore it from a backup before the engine starts, or signing secrets are lost."
                yield Finding("secrets", "error", f"{path} is missing beside its database", advice)
            else:
                yield Finding("secrets", "ok", f"{path} will be generated")
        elif (mode := stat.S_IMODE(path.stat().st_mode)) & 0o077:
            yield Finding("secrets", "error", f"{path} can be read by others (mode {mode:o})", f"Run: chmod 600 {path}")
        else:
            yield Finding("secrets", "ok", f"{path} is its owner's alone")


def _space(config: Config) -> Iterator[Finding]:
    directory = config.store.files.absolute().parent
    if not directory.exists():
        return
    free = shutil.disk_usage(directory).free
    level: Level = "error" if free < NO_SPACE else "warning" if free < LOW_SPACE else "ok"
    advice = "" if level == "ok" else "Make room, or lower retention.payload and retention.attempts."
    yield Finding("disk", level, f"{free / 1e9:.1f} GB free in {directory}", advice)


def _files(config: Config) -> Iterator[Finding]:
    try:
        import resource  # noqa: PLC0415 (not available on Windows)
    except ImportError:
        return
    # The daemon raises its own limit; an engine in a host program has the host's.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = None if hard == resource.RLIM_INFINITY else hard
    wanted = needed(config.delivery.max_in_flight)
    share = inbound_share(limit, config.server.max_connections, config.delivery.max_in_flight)
    what = f"at most {'any number' if limit is None else limit} for the daemon ({soft} for other programs)"
    if limit is not None and limit < wanted:
        advice = f"Allow {wanted} or more (ulimit -n, LimitNOFILE=), or lower delivery.max_in_flight."
        yield Finding("open files", "warning", f"{what}, but {wanted} may be needed for deliveries alone", advice)
    else:
        what += f": up to {wanted} for deliveries, and up to {share} connections to the server"
        yield Finding("open files", "ok", what)


def _memory(_config: Config) -> Iterator[Finding]:
    available = _numbers(MEMORY, r"^MemAvailable:\s+(\d+) kB")
    if not available:
        return
    free = available[0] * 1024
    level: Level = "ok" if free >= LOW_MEMORY else "warning"
    advice = "" if level == "ok" else "Let it have more, or lower delivery.max_in_flight and server.max_connections."
    yield Finding("memory", level, f"{free / 1e9:.1f} GB available", advice)


def _ports(config: Config) -> Iterator[Finding]:
    span = _numbers(PORTS, r"^(\d+)\s+(\d+)")
    if len(span) != 2:
        return
    count, wanted = span[1] - span[0] + 1, config.delivery.max_in_flight * PORTS_PER_REQUEST
    if count < wanted:
        advice = "Widen net.ipv4.ip_local_port_range: a port that was used cannot be used again for a minute."
        yield Finding("local ports", "warning", f"{count} for connections to receivers", advice)
    else:
        yield Finding("local ports", "ok", f"{count} for connections to receivers")


def _numbers(file: Path, pattern: str) -> list[int]:
    """The numbers in a system file; empty if there is no such file."""
    try:
        match = re.search(pattern, file.read_text("ascii"), re.MULTILINE)
    except (OSError, UnicodeDecodeError):
        return []
    return [int(number) for number in match.groups()] if match else []


def _engine(config: Config) -> Iterator[Finding]:
    """What a daemon with this configuration reports; nothing if none is running."""
    try:
        parts = asyncio.run(_health(config.server))
    except (aiohttp.ClientError, OSError, TimeoutError, msgspec.DecodeError):
        return
    for name, part in (("database", parts.database), ("deliveries", parts.queue)):
        if part.status == "ok":
            yield Finding("running engine", "ok", f"{name}: ok")
        else:
            advice = "Its log says what to do (`engine.lacks`, `store.lost`, `request.failed`)."
            yield Finding("running engine", "error", f"{name}: {part.detail}", advice)


class _Part(msgspec.Struct):
    status: str
    detail: str = "not ok"


class _Health(msgspec.Struct):
    database: _Part
    queue: _Part


async def _health(server: ServerConfig) -> _Health:
    address = server.listen_address
    path = isinstance(address, Path)
    url = "http://localhost" if path else ServerConfig(listen=server.listen).url()
    connector = aiohttp.UnixConnector(str(address)) if path else aiohttp.TCPConnector()
    timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
    async with (
        aiohttp.ClientSession(timeout=timeout, connector=connector) as session,
        session.get(f"{url}/api/v1/health") as response,
    ):
        return msgspec.json.decode(await response.read(), type=_Health)


def _proxy(config: Config) -> Iterator[Finding]:
    if config.delivery.proxy is None:
        return
    advice = "See that delivery.proxy is right, and that it lets this engine through; every delivery goes through it."
    try:
        asyncio.run(_clock_offset(config.delivery.proxy))
    except aiohttp.ClientHttpProxyError as problem:
        yield Finding("proxy", "error", f"it answers {problem.status} to a connection to {CLOCK_HOST}", advice)
    except aiohttp.ClientProxyConnectionError as problem:
        yield Finding("proxy", "error", f"it cannot be reached: {problem.os_error.strerror or problem}", advice)
    except aiohttp.ClientResponseError as problem:
        yield Finding("proxy", "error", f"it answers {problem.status}", advice)
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
        yield Finding("proxy", "ok", f"it can be reached, though {CLOCK_HOST} cannot through it")
    else:
        yield Finding("proxy", "ok", "it lets requests through")


def _roots(config: Config) -> Iterator[Finding]:
    count = client_context(config.delivery.ca_file).cert_store_stats()["x509_ca"]
    paths = ssl.get_default_verify_paths()
    if count or (paths.capath and any(Path(paths.capath).iterdir())):
        yield Finding("TLS roots", "ok", "certificates of https endpoints can be checked")
    else:
        advice = "Install the package ca-certificates, or name a file of authorities in delivery.ca_file."
        yield Finding("TLS roots", "error", "there are none, so every https endpoint would fail", advice)


def _names(config: Config) -> Iterator[Finding]:
    if config.delivery.proxy is not None:
        return
    began_at = time.perf_counter()
    try:
        socket.getaddrinfo("example.com", 443, type=socket.SOCK_STREAM)
    except OSError as problem:
        advice = "See /etc/resolv.conf and the network; every delivery needs DNS."
        yield Finding("DNS", "error", f"example.com cannot be looked up: {problem.strerror or problem}", advice)
        return
    took = time.perf_counter() - began_at
    slow = took > 1
    yield Finding(
        "DNS",
        "warning" if slow else "ok",
        f"names are looked up in {took * 1_000:.0f} ms",
        "A slow resolver delays every new connection; use a nearer one." if slow else "",
    )


def _past(config: Config) -> Iterator[Finding]:
    """Whether the clock is behind the time when an engine last ran."""
    path = config.store.path
    seen_at = clock_last_seen(path) if path is not None and path.exists() else None
    if seen_at is None:
        return
    behind = seen_at / 1_000_000 - time.time()
    if behind > WORST_CLOCK_S:
        what = f"it is {behind:.0f} s behind what it was when an engine ran on this database last"
        advice = "Synchronise it (timedatectl set-ntp true). If it is right now, it was ahead then; that does no harm."
        yield Finding("clock", "warning", what, advice)
    else:
        yield Finding("clock", "ok", "it is not behind what the database has seen")


def _synchronised(_config: Config) -> Iterator[Finding]:
    """Whether the system synchronizes its clock; nothing if that is unknown, as in a container."""
    command = ["timedatectl", "show", "--property=NTPSynchronized", "--value"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE_S).stdout.strip()  # noqa: S603 (fixed arguments)
    except (OSError, subprocess.SubprocessError):
        return
    if told == "no":
        advice = "Switch it on: timedatectl set-ntp true; if it is on, see that UDP port 123 gets out."
        yield Finding("clock", "warning", "it is not synchronised with a time server", advice)
    elif told == "yes":
        yield Finding("clock", "ok", "it is synchronised with a time server")


def _clock(config: Config) -> Iterator[Finding]:
    try:
        off = asyncio.run(_clock_offset(config.delivery.proxy))
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as problem:
        what = f"it could not be compared with that of {CLOCK_HOST}: {problem or type(problem).__name__}"
        yield Finding("clock", "warning", what, "See that time is synchronised (timedatectl), and that https gets out.")
        return
    if abs(off) > WORST_CLOCK_S:
        advice = "Synchronise it (timedatectl set-ntp true): receivers refuse signatures with a wrong time."
        yield Finding("clock", "error", f"it is {off:+.0f} s off", advice)
    else:
        yield Finding("clock", "ok", "it is right, to the minute")


async def _clock_offset(proxy: str | None) -> float:
    timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
    async with aiohttp.ClientSession(timeout=timeout) as session, session.head(CLOCK_HOST, proxy=proxy) as response:
        told = response.headers.get("date")
    if told is None:
        raise ValueError("it tells no time")
    return time.time() - parsedate_to_datetime(told).timestamp()


def _delivery(_config: Config) -> Iterator[Finding]:
    began_at = time.perf_counter()
    try:
        with tempfile.TemporaryDirectory() as directory:
            asyncio.run(_deliver(Path(directory)))
    except (WebhookEngineError, OSError, TimeoutError) as problem:
        advice = "Run `webhook-engine demo` to see more of it; a local firewall may forbid connections to 127.0.0.1."
        yield Finding("delivery", "error", f"a message to this machine did not arrive: {problem!r}", advice)
    else:
        took = time.perf_counter() - began_at
        yield Finding("delivery", "ok", f"a message was signed, sent, received and verified in {took:.1f} s")


async def _deliver(directory: Path) -> None:
    """Deliver one message from a fresh engine to a receiver on this machine."""
    received: list[Request] = []
    async with (
        Receiver(received.append) as receiver,
        Engine.open(directory / "doctor.db", allow_subnets=["127.0.0.1/32"], retry_schedule=[]) as engine,
    ):
        await engine.applications.create(name="doctor", uid="doctor")
        endpoint = await engine.endpoints.create("doctor", url=f"{receiver.url}/doctor")
        receiver.expect("/doctor", await engine.endpoints.get_secret("doctor", endpoint.id), [200])
        message = await engine.messages.create("doctor", event_type="doctor.checked", payload={})
        await engine.join(timeout=PATIENCE_S)
        if not received:
            page = await engine.attempts.list_by_message("doctor", message.id)
            raise CommandError(page.data[0].response if page.data else "no attempt was made")
        if received[0].problem:
            raise CommandError(received[0].problem)
