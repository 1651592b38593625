"""The outbox in a MySQL or MariaDB database, which has no notifications, so it is polled often."""

from __future__ import annotations

import ssl
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pymysql

from webhook_engine.errors import ConfigError, StoreUnavailableError
from webhook_engine.outbox.dialect import TABLE
from webhook_engine.store.sources.database import SourceDatabase

__all__ = ["MysqlSource"]

CONNECT_TIMEOUT_S = 10
REPLY_TIMEOUT_S = 60
DEFAULT_PORT = 3306

_OPTIONS = {
    "charset",
    "read_default_file",
    "read_default_group",
    "ssl_ca",
    "ssl_cert",
    "ssl_key",
    "ssl_mode",
    "ssl_verify_cert",
    "ssl_verify_identity",
    "unix_socket",
}
_SSL_MODES = ("DISABLED", "PREFERRED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY")
"""The names that MySQL's own programs use."""
_TAKEN = {1205, 3572}
"""The errors of MariaDB and of MySQL for a row that is locked."""
_LOCK = "SELECT GET_LOCK(CONCAT('webhook_outbox.', MD5(DATABASE())), 0)"


class MysqlSource(SourceDatabase):
    """Has no index of waiting rows alone, so ``failed_at`` stands for ``error`` in conditions."""

    placeholder = "%s"
    waiting = "failed_at IS NULL"
    now = "CURRENT_TIMESTAMP(6)"
    # MariaDB 10.5 cannot skip locked rows. With any other index, gaps between rows would be locked too, and block
    # programs that enqueue.
    claim = "FOR UPDATE NOWAIT"
    claim_from = f"{TABLE} FORCE INDEX (PRIMARY)"
    errors = (pymysql.Error,)

    def __init__(self, name: str, url: str) -> None:
        super().__init__(name)
        self._arguments = _arguments(name, url)
        self._encrypted = self._arguments.pop("ssl_mode", "PREFERRED") not in {"DISABLED", "PREFERRED"}

    def _connect(self) -> Any:
        connection = pymysql.connect(**self._arguments)
        if self._encrypted:
            # Older versions of the driver continue without TLS if the server has none.
            with connection.cursor() as cursor:
                cursor.execute("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
                if not (cursor.fetchone() or ("", ""))[1]:
                    connection.close()
                    raise StoreUnavailableError(f"the outbox of {self.name}: the server offers no TLS")
        return connection

    def _is_taken(self, error: Exception) -> bool:
        return bool(error.args) and error.args[0] in _TAKEN

    def _take(self) -> None:
        [(taken,)] = self._read(_LOCK)
        if not taken:
            raise StoreUnavailableError(f"the outbox of {self.name}: another engine takes from it; stop that one")


def _arguments(name: str, url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    options: dict[str, Any] = dict(parse_qsl(parts.query))
    unknown = sorted(set(options) - _OPTIONS)
    if unknown:
        raise ConfigError(
            f"outbox.sources, {name}: unknown option {unknown[0]}; known are {', '.join(sorted(_OPTIONS))}"
        )
    for switch in ("ssl_verify_cert", "ssl_verify_identity"):
        if switch in options:
            options[switch] = options[switch] in {"1", "true", "yes", "on"}
    mode = options.get("ssl_mode", "PREFERRED")
    if mode not in _SSL_MODES:
        raise ConfigError(f"outbox.sources, {name}: ssl_mode must be one of {', '.join(_SSL_MODES)}, not {mode!r}")
    if mode == "DISABLED":
        options["ssl_disabled"] = True
    elif mode == "REQUIRED" and "ssl_ca" not in options:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if "ssl_cert" in options:
            context.load_cert_chain(options.pop("ssl_cert"), options.pop("ssl_key", None))
        options["ssl"] = context
    elif mode in {"VERIFY_CA", "VERIFY_IDENTITY"}:
        options["ssl_verify_cert"] = True
        options["ssl_verify_identity"] = mode == "VERIFY_IDENTITY"
    return {
        "host": unquote(parts.hostname or "localhost"),
        "port": parts.port or DEFAULT_PORT,
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "database": unquote(parts.path.lstrip("/")),
        "charset": "utf8mb4",
        "autocommit": True,
        "connect_timeout": CONNECT_TIMEOUT_S,
        "read_timeout": REPLY_TIMEOUT_S,
        "write_timeout": REPLY_TIMEOUT_S,
        **options,
    }
