"""Other ways in which a Python program sends webhooks, from their packages, with settings that their documentation has.

Each delivers the same 500 bytes with an HMAC over them to the same receiver, from one worker process (as many as there
are cores for Celery's prefork). What is measured is the time from the first job that is enqueued to the last request
that arrived, and the CPU that worker and producer took for it; what the broker took is not in it. None of them stores
the outcome of an attempt, or disables an endpoint; jobs in Redis are as durable as Redis is configured: here it appends
each command to a file and syncs it every second, which is its recommendation, and not before the job is acknowledged.

Needs the packages celery, redis, gevent, requests, arq, procrastinate and psycopg[binary], and the programs
redis-server and postgres; what is not there is left out, and named. Celery 5.7 and arq 0.28 ask for different versions
of redis, so they are measured in two environments.
"""

# ruff: noqa: PLC0415 (each needs packages of its own, and the others do without them)

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import importlib.util
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAYLOAD = (b'{"type":"invoice.paid","data":"' + b"x" * 500)[:498] + b'"}'
KEY = b"k" * 24
CONCURRENCY = 64
PATIENCE_S = 300.0


def signed(number: int) -> dict[str, str]:
    """The headers of a request."""
    name, now = f"msg_{number}", int(time.time())
    mac = hmac.new(KEY, f"{name}.{now}.".encode() + PAYLOAD, hashlib.sha256).hexdigest()
    return {
        "content-type": "application/json",
        "webhook-id": name,
        "webhook-timestamp": str(now),
        "webhook-signature": mac,
    }


# Celery, with requests: a session for each thread.


def celery_app() -> Any:
    from celery import Celery

    app = Celery("others", broker=os.environ["BENCH_BROKER"])
    app.conf.update(
        task_acks_late=True,
        task_ignore_result=True,
        worker_hijack_root_logger=False,
        # For each that uses one, as its documentation advises: of ten, the default, some acknowledgements get none, and
        # their jobs come again after an hour.
        broker_pool_limit=CONCURRENCY,
        broker_transport_options={"max_connections": 2 * CONCURRENCY},
    )
    sessions = threading.local()

    @app.task(name="deliver")
    def deliver(url: str, number: int) -> None:
        import requests

        if not hasattr(sessions, "session"):
            sessions.session = requests.Session()
        sessions.session.post(url, data=PAYLOAD, headers=signed(number), timeout=15).raise_for_status()

    return app


def celery_enqueue(url: str, jobs: int) -> None:
    app = celery_app()
    for number in range(jobs):
        app.tasks["deliver"].delay(url, number)


# arq, with aiohttp.


async def arq_deliver(context: dict[str, Any], url: str, number: int) -> None:
    import aiohttp

    session = context.get("session")
    if session is None:
        session = context["session"] = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
    async with session.post(url, data=PAYLOAD, headers=signed(number)) as response:
        response.raise_for_status()


def arq_worker() -> None:
    from arq import run_worker
    from arq.connections import RedisSettings

    class Settings:
        functions = (arq_deliver,)
        redis_settings = RedisSettings.from_dsn(os.environ["BENCH_BROKER"])
        max_jobs = CONCURRENCY
        keep_result = 0

    run_worker(Settings)  # type: ignore[arg-type]


def arq_enqueue(url: str, jobs: int) -> None:
    async def run() -> None:
        from arq import create_pool
        from arq.connections import RedisSettings

        pool = await create_pool(RedisSettings.from_dsn(os.environ["BENCH_BROKER"]))
        for number in range(jobs):
            await pool.enqueue_job("arq_deliver", url, number)
        await pool.aclose()

    asyncio.run(run())


# procrastinate, with aiohttp.


def procrastinate_app() -> Any:
    import procrastinate

    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=os.environ["BENCH_POSTGRES"]))
    kept: dict[str, Any] = {}

    @app.task(name="deliver")
    async def deliver(url: str, number: int) -> None:
        await arq_deliver(kept, url, number)

    return app


def procrastinate_worker() -> None:
    app = procrastinate_app()

    async def run() -> None:
        async with app.open_async():
            await app.run_worker_async(concurrency=CONCURRENCY, wait=True, delete_jobs="successful")

    asyncio.run(run())


def procrastinate_enqueue(url: str, jobs: int) -> None:
    app = procrastinate_app()

    async def run() -> None:
        async with app.open_async():
            if jobs == 1:
                await app.schema_manager.apply_schema_async()
            for number in range(jobs):
                await app.tasks["deliver"].defer_async(url=url, number=number)

    asyncio.run(run())


HERE = "import sys; sys.path.insert(0, {folder!r}); import others; "


def _python(code: str) -> list[str]:
    return [sys.executable, "-c", HERE.format(folder=str(Path(__file__).parent)) + code]


def _celery(pool: str, concurrency: int) -> list[str]:
    options = ["worker", "-P", pool, "-c", str(concurrency), "-l", "ERROR", "--without-gossip", "--without-mingle"]
    return _python(f"others.celery_app().worker_main({options!r})")


CONTENDERS: dict[str, tuple[tuple[str, ...], str, list[str], str]] = {
    "Celery, Redis, prefork": (
        ("celery", "redis", "requests"), "redis", _celery("prefork", os.cpu_count() or 1), "celery_enqueue",
    ),
    "Celery, Redis, threads": (
        ("celery", "redis", "requests"), "redis", _celery("threads", CONCURRENCY), "celery_enqueue",
    ),
    "Celery, Redis, gevent": (
        ("celery", "redis", "gevent", "requests"),
        "redis",
        [sys.executable, "-c", "from gevent import monkey; monkey.patch_all(); "
         + _celery("gevent", CONCURRENCY)[2]],
        "celery_enqueue",
    ),
    "arq, Redis": (("arq", "aiohttp"), "redis", _python("others.arq_worker()"), "arq_enqueue"),
    "procrastinate, PostgreSQL": (
        ("procrastinate", "psycopg", "aiohttp"), "postgres", _python("others.procrastinate_worker()"),
        "procrastinate_enqueue",
    ),
}  # fmt: skip
"""For each: the packages it needs, its broker, its worker, and what enqueues."""


@contextlib.contextmanager
def _redis() -> Iterator[None]:
    with tempfile.TemporaryDirectory() as home, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", home, "--appendonly", "yes"]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        os.environ["BENCH_BROKER"] = f"redis://127.0.0.1:{port}/0"
        try:
            _until(lambda: socket.create_connection(("127.0.0.1", port), 1).close(), OSError)
            yield
        finally:
            server.terminate()
            server.wait(20)


@contextlib.contextmanager
def _postgres() -> Iterator[None]:
    sys.path.insert(0, str(Path(__file__).parent.parent))
    os.environ["WEBHOOK_ENGINE_TEST_SERVERS"] = "1"
    from database_servers import postgresql

    with postgresql(durable=True) as url:
        os.environ["BENCH_POSTGRES"] = url
        yield


def _until(attempt: Any, error: type[Exception]) -> None:
    ends_at = time.monotonic() + 30
    while True:
        try:
            attempt()
        except error:
            if time.monotonic() > ends_at:
                raise
            time.sleep(0.05)
        else:
            return


def measured(url: str, arrived: Any, jobs: int) -> Iterator[tuple[str, float, float, str]]:
    """For each contender: its name, deliveries per second, microseconds of CPU for each, and why it is left out.

    ``arrived`` says how many distinct messages arrived since it was called last with ``True``.
    """
    brokers = {"redis": (_redis, "redis-server"), "postgres": (_postgres, "postgres")}
    for name, (packages, broker, worker, enqueue) in CONTENDERS.items():
        missing = [package for package in packages if importlib.util.find_spec(package) is None]
        start, program = brokers[broker]
        if shutil.which(program) is None:
            missing.append(program)
        if missing:
            yield name, 0.0, 0.0, f"not installed: {', '.join(missing)}"
            continue
        with start():
            arrived(True)
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            # The first job makes what the others need, and tells when the worker is ready.
            first = subprocess.run(
                _python(f"others.{enqueue}({url!r}, 1)"), capture_output=True, text=True, check=False
            )
            if first.returncode:
                yield name, 0.0, 0.0, f"left out: {first.stderr.strip().splitlines()[-1]}"
                continue
            process = subprocess.Popen(worker, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            ready = _wait(arrived, 1)
            arrived(True)
            begun = time.perf_counter()
            if ready:
                subprocess.run(_python(f"others.{enqueue}({url!r}, {jobs})"), check=True)
            problem = "" if ready and _wait(arrived, jobs) else "not all arrived in time"
            took = time.perf_counter() - begun
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        yield name, jobs / took, cpu / jobs * 1e6, problem


def _wait(arrived: Any, jobs: int) -> bool:
    ends_at = time.monotonic() + PATIENCE_S
    while arrived(False) < jobs:
        if time.monotonic() > ends_at:
            return False
        time.sleep(0.02)
    return True
