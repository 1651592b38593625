"""PostgreSQL and MariaDB for tests: the installed programs, started in a directory that goes away with the tests.

They are started where ``WEBHOOK_ENGINE_TEST_SERVERS`` is set, and do not run as root: where the tests do, the servers
get the account that their packages made. They listen on a Unix socket only, and write to disk no sooner than they must.
"""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import psycopg
import pymysql
import pytest
import trustme

PATIENCE_S = 60.0
STARTED = "WEBHOOK_ENGINE_TEST_SERVERS" in os.environ or "WEBHOOK_ENGINE_TEST_STORE" in os.environ
"""Whether this run may start servers, which takes longer than all that needs none."""


@contextmanager
def postgresql(*, durable: bool = False, settings: Sequence[str] = ()) -> Iterator[str]:
    """The URL of the database ``postgres`` on a fresh server; skips the test where none is installed.

    Unless it is to be ``durable``, nothing waits for the disk. ``settings``: further ones, each ``name=value``.
    """
    programs = _programs("postgres", "initdb", package="postgresql")
    with _home("postgres") as (home, account):
        data = home / "data"
        _run([programs["initdb"], "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8"], account)
        options = [
            "-c",
            f"fsync={'on' if durable else 'off'}",
            "-c",
            "listen_addresses=",
            "-c",
            f"unix_socket_directories={home}",
            *(word for setting in settings for word in ("-c", setting)),
        ]
        url = f"postgresql:///postgres?host={home}&user=postgres"
        with _serving([programs["postgres"], "-D", data, *options], account, home, lambda: _psycopg(url)):
            yield url


@dataclass(frozen=True)
class TlsPostgresql:
    """A server that listens on 127.0.0.1 too, with TLS and passwords."""

    url: str
    """By its Unix socket, as its superuser."""
    port: int
    directory: Path
    """``ca.pem``, and ``client.pem`` with ``client.key`` of the role ``certified``."""


@contextmanager
def tls_postgresql() -> Iterator[TlsPostgresql]:
    """A server whose certificate is for the name ``localhost``; skips the test where none is installed."""
    programs = _programs("postgres", "initdb", package="postgresql")
    with _home("postgres") as (home, account):
        data = home / "data"
        _run([programs["initdb"], "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8"], account)
        ca = trustme.CA()
        ca.cert_pem.write_to_path(home / "ca.pem")
        for name, certificate in (
            ("server", ca.issue_cert("localhost")),
            ("client", ca.issue_cert("certified@example.com", common_name="certified")),
        ):
            certificate.cert_chain_pems[0].write_to_path(home / f"{name}.pem")
            certificate.private_key_pem.write_to_path(home / f"{name}.key")
            (home / f"{name}.key").chmod(0o600)
            if account is not None and name == "server":
                shutil.chown(home / f"{name}.key", account)
        (data / "pg_hba.conf").write_text(
            "local all postgres trust\nhostssl all certified 127.0.0.1/32 cert\n"
            "hostssl all all 127.0.0.1/32 scram-sha-256\n"
        )
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        settings = {
            "fsync": "off",
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": home,
            "ssl": "on",
            "ssl_ca_file": home / "ca.pem",
            "ssl_cert_file": home / "server.pem",
            "ssl_key_file": home / "server.key",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        url = f"postgresql:///postgres?host={home}&port={port}&user=postgres"
        with _serving([programs["postgres"], "-D", data, *options], account, home, lambda: _psycopg(url)):
            yield TlsPostgresql(url, port, home)


class RestartablePostgresql:
    """A server that may be killed and started again; ``url`` stays the same."""

    def __init__(self, home: Path, account: str | None) -> None:
        self.url = f"postgresql:///postgres?host={home}&user=postgres"
        self._home, self._account = home, account
        self._program = _programs("postgres", package="postgresql")["postgres"]
        self._running: ExitStack | None = None
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it takes connections."""
        options = ["-c", "fsync=off", "-c", "listen_addresses=", "-c", f"unix_socket_directories={self._home}"]
        command = [self._program, "-D", self._home / "data", *options]
        self._running = ExitStack()
        self._server = self._running.enter_context(
            _serving(command, self._account, self._home, lambda: _psycopg(self.url))
        )

    def kill(self) -> None:
        """As when its machine loses its power, but for what the system has not written yet."""
        if self._server is not None and self._running is not None:
            self._server.kill()
            self._server.wait()
            # Its children see that it is gone, and end; until then the next one is refused.
            self._running.close()
            self._server = self._running = None


@contextmanager
def restartable_postgresql() -> Iterator[RestartablePostgresql]:
    """A server of the test's own, which is running; skips the test where none is installed."""
    programs = _programs("postgres", "initdb", package="postgresql")
    with _home("postgres") as (home, account):
        _run(
            [programs["initdb"], "-D", home / "data", "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8"],
            account,
        )
        server = RestartablePostgresql(home, account)
        server.start()
        try:
            yield server
        finally:
            server.kill()


@contextmanager
def pgbouncer(url: str) -> Iterator[str]:
    """The same database of :func:`postgresql` through PgBouncer in transaction mode, with few connections."""
    programs = _programs("pgbouncer", package="pgbouncer")
    server = dict(parse_qsl(urlsplit(url).query))["host"]
    with _home("postgres") as (home, account):
        settings = home / "pgbouncer.ini"
        settings.write_text(
            f"[databases]\npostgres = host={server} user=postgres\n"
            "[pgbouncer]\npool_mode = transaction\ndefault_pool_size = 3\nauth_type = any\n"
            f"listen_addr =\nlisten_port = 6432\nunix_socket_dir = {home}\nlogfile =\n"
        )
        settings.chmod(0o644)
        pooled = f"postgresql:///postgres?host={home}&port=6432&user=postgres"
        with _serving([programs["pgbouncer"], settings], account, home, lambda: _psycopg(pooled)):
            yield pooled


@contextmanager
def mariadb() -> Iterator[str]:
    """The URL of the database ``app`` on a fresh server; skips the test where none is installed."""
    programs = _programs("mariadbd", "mariadb-install-db", package="mariadb-server")
    with _home("mysql") as (home, account):
        data, place = home / "data", home / "db.sock"
        user = account or getpass.getuser()
        install = [programs["mariadb-install-db"], "--no-defaults", f"--datadir={data}", f"--user={user}"]
        _run([*install, "--auth-root-authentication-method=normal", "--skip-test-db"], account)
        options = [f"--datadir={data}", f"--socket={place}", "--skip-networking", f"--pid-file={home / 'pid'}"]
        options += ["--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync", f"--user={user}"]
        with _serving([programs["mariadbd"], "--no-defaults", *options], account, home, lambda: _pymysql(place)):
            yield f"mysql://root@localhost/app?unix_socket={place}"


def _psycopg(url: str) -> None:
    psycopg.connect(url, connect_timeout=5).close()


def _pymysql(socket: Path) -> None:
    # A connection that cannot be made leaves its socket to the garbage collector.
    if not socket.exists():
        raise FileNotFoundError(socket)
    connection = pymysql.connect(user="root", unix_socket=str(socket))
    with connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE IF NOT EXISTS app CHARACTER SET utf8mb4")
    connection.close()


def _programs(*names: str, package: str) -> dict[str, str]:
    if not STARTED:
        pytest.skip("needs a database server; WEBHOOK_ENGINE_TEST_SERVERS=1 has the tests start one")
    places = [*os.get_exec_path(), "/usr/sbin", *sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")))[::-1]]
    found = {name: shutil.which(name, path=os.pathsep.join(places)) for name in names}
    for name, path in found.items():
        if path is None:
            pytest.skip(f"the program {name} is not installed (Debian package {package})")
    return {name: str(path) for name, path in found.items()}


@contextmanager
def _home(account: str) -> Iterator[tuple[Path, str | None]]:
    """A directory of the server's own, and the account that it runs under if that is another than ours."""
    home = Path(tempfile.mkdtemp(prefix="server-", dir="/tmp"))
    try:
        if os.geteuid() != 0:
            yield home, None
            return
        try:
            entry = pwd.getpwnam(account)
        except KeyError:
            entry = pwd.getpwnam("nobody")
        os.chown(home, entry.pw_uid, entry.pw_gid)
        home.chmod(0o755)
        yield home, entry.pw_name
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _run(command: list[object], account: str | None) -> None:
    done = subprocess.run(list(map(str, command)), user=account, cwd="/tmp", capture_output=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")


@contextmanager
def _serving(
    command: list[object], account: str | None, home: Path, connect: Callable[[], None]
) -> Iterator[subprocess.Popen[bytes]]:
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(list(map(str, command)), user=account, cwd=home, stdout=log, stderr=log)
        try:
            ends_at = time.monotonic() + PATIENCE_S
            while True:
                try:
                    connect()
                    break
                except (OSError, psycopg.Error, pymysql.Error) as error:
                    if server.poll() is not None or time.monotonic() > ends_at:
                        words = (home / "log").read_text(errors="replace")
                        raise AssertionError(f"{error!r}\n{words}") from error
                    time.sleep(0.05)
            yield server
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
