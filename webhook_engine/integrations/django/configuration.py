"""Converts Django's settings to the configuration of the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from webhook_engine.config.loading import Config
from webhook_engine.errors import ConfigError

__all__ = [
    "api_url",
    "configuration",
    "engine_path",
    "engine_settings",
    "in_memory",
    "outbox_aliases",
    "source_url",
]

_VENDORS = {
    "sqlite3": "sqlite",
    "spatialite": "sqlite",
    "postgresql": "postgresql",
    "postgis": "postgresql",
    "mysql": "mysql",
}
_OF_DJANGO = {
    "assume_role",
    "autocommit",
    "client_encoding",
    "conv",
    "connect_timeout",
    "context",
    "cursor_factory",
    "init_command",
    "isolation_level",
    "pool",
    "prepare_threshold",
    "read_timeout",
    "row_factory",
    "server_side_binding",
    "sql_mode",
    "use_unicode",
    "write_timeout",
}
"""Options that do not affect where and how securely to connect, or for which the engine has its own values."""
_KEYS = {"API", "DATABASE", "ENGINE", "OUTBOXES", "SETTINGS"}


def configuration() -> Config:
    """The configuration of the engine that delivers this project's messages.

    ``settings.WEBHOOK_ENGINE`` has ``DATABASE``, the engine's own file; ``SETTINGS``, as for ``Engine.open``; and
    ``OUTBOXES``, the aliases of the databases whose outbox it watches, ``["default"]`` by default. Raises
    ``ConfigError``.
    """
    given = _given()
    database = _database(given)
    urls = [source_url(settings.DATABASES[alias]) for alias in outbox_aliases()]
    sources = [url for url in urls if url != f"sqlite:///{database.absolute()}"]
    return Config.for_database(database, **{"outbox__sources": sources, **given.get("SETTINGS", {})})


def engine_settings() -> Config:
    """The configuration from ``DATABASE`` and ``SETTINGS``, without the outboxes; raises ``ConfigError``."""
    given = _given()
    return Config.for_database(_database(given), **given.get("SETTINGS", {}))


def outbox_aliases() -> Sequence[str]:
    """The aliases of the databases whose outbox the engine watches; raises ``ConfigError`` for an unknown one."""
    aliases = _given().get("OUTBOXES", ["default"])
    if isinstance(aliases, str) or not isinstance(aliases, Sequence):
        raise ConfigError(f"settings.WEBHOOK_ENGINE: OUTBOXES must be a list of aliases of DATABASES, not {aliases!r}")
    for alias in aliases:
        if alias not in settings.DATABASES:
            raise ConfigError(
                f"settings.WEBHOOK_ENGINE: OUTBOXES has {alias!r}, which DATABASES has not; "
                f"there is {', '.join(sorted(settings.DATABASES))}"
            )
    return aliases


def engine_path() -> str | None:
    """The dotted path of the engine of this process, for the admin."""
    path: str | None = _given().get("ENGINE")
    return path


def api_url() -> str | None:
    """The URL of the engine's API, for the admin."""
    url: str | None = _given().get("API")
    return url


def in_memory(database: Mapping[str, Any]) -> bool:
    """Whether an entry of ``settings.DATABASES`` is an SQLite database in memory."""
    name = str(database.get("NAME") or "")
    return name == ":memory:" or (name.startswith("file:") and "mode=memory" in name)


def _database(given: Mapping[str, Any]) -> Path:
    return Path(given.get("DATABASE", "webhook-engine.db"))


def _given() -> Mapping[str, Any]:
    given = getattr(settings, "WEBHOOK_ENGINE", {})
    if not isinstance(given, Mapping):
        raise ConfigError(f"settings.WEBHOOK_ENGINE: must be a dict, not {type(given).__name__}")
    unknown = sorted(set(map(str, given)) - _KEYS)
    if unknown:
        raise ConfigError(
            f"settings.WEBHOOK_ENGINE: there is no key {unknown[0]}; known are {', '.join(sorted(_KEYS))}"
        )
    if not isinstance(given.get("DATABASE", ""), str | PathLike):
        raise ConfigError(f"settings.WEBHOOK_ENGINE: DATABASE must be the path of a file, not {given['DATABASE']!r}")
    if not isinstance(given.get("SETTINGS", {}), Mapping):
        raise ConfigError("settings.WEBHOOK_ENGINE: SETTINGS must be a dict of settings, as for Engine.open")
    api = given.get("API")
    if api is not None and not (isinstance(api, str) and api.startswith(("http://", "https://"))):
        raise ConfigError(f"settings.WEBHOOK_ENGINE: API must be the http:// or https:// URL of the API, not {api!r}")
    engine = given.get("ENGINE")
    if engine is not None and not (isinstance(engine, str) and "." in engine):
        raise ConfigError(
            f"settings.WEBHOOK_ENGINE: ENGINE must be the dotted path of a SyncEngine, as 'shop.webhooks.engine', "
            f"not {engine!r}"
        )
    return given


def source_url(database: Mapping[str, Any]) -> str:
    """The URL for ``outbox.sources`` from an entry of ``settings.DATABASES``, including its ``OPTIONS``.

    Raises ``ConfigError`` for a database that cannot have an outbox, and for options that would be lost.
    """
    vendor = _vendor(str(database["ENGINE"]))
    name = str(database.get("NAME") or "")
    given = dict(database.get("OPTIONS") or {})
    if vendor == "sqlite":
        if not name or name == ":memory:" or name.startswith("file:"):
            raise ConfigError(
                f"settings.DATABASES: {name or 'a database without a name'} is no file that can be watched"
            )
        return f"sqlite:///{Path(name).absolute()}"
    host, port = str(database.get("HOST") or ""), str(database.get("PORT") or "")
    options = _postgresql_options(given) if vendor == "postgresql" else _mysql_options(given)
    if host.startswith("/"):
        options = {"unix_socket" if vendor == "mysql" else "host": host, **options}
        if port and vendor == "postgresql":
            options["port"] = port
        host = port = ""
    user, password = (quote(str(database.get(key) or ""), safe="") for key in ("USER", "PASSWORD"))
    login = f"{user}:{password}@" if password else f"{user}@" if user else ""
    place = (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
    asked = f"?{urlencode(options, quote_via=quote)}" if options else ""
    return f"{vendor}://{login}{place}/{quote(name, safe='')}{asked}"


def _vendor(engine: str) -> str:
    """The kind of database of a backend, which may derive from one of Django's own."""
    known = _VENDORS.get(engine.rpartition(".")[2])
    if known is None:
        try:
            known = str(import_module(f"{engine}.base").DatabaseWrapper.vendor)
        except (ImportError, AttributeError, ImproperlyConfigured) as error:
            raise ConfigError(f"settings.DATABASES: {engine} cannot be loaded: {error}") from error
    if known not in _VENDORS.values():
        raise ConfigError(f"settings.DATABASES: {engine} has no outbox; supported are sqlite3, postgresql and mysql")
    return known


def _postgresql_options(given: dict[str, Any]) -> dict[str, str]:
    """The options for libpq; the others only concern Django's own connections."""
    options = {key: str(value) for key, value in given.items() if key not in _OF_DJANGO and value is not None}
    role = given.get("assume_role")
    if role:
        options["options"] = f"{options.get('options', '')} -c role={role}".strip()
    return options


def _mysql_options(given: dict[str, Any]) -> dict[str, str]:
    """The options about where and how securely to connect, by the names that ``outbox.sources`` uses."""
    options: dict[str, str] = {}
    for key, value in given.items():
        if key in {"unix_socket", "charset", "read_default_file", "read_default_group"}:
            options[key] = str(value)
        elif key == "ssl_mode":
            options[key] = str(value).upper()
        elif key == "ssl" and isinstance(value, Mapping) and set(value) <= {"ca", "cert", "key"}:
            options.update({f"ssl_{name}": str(path) for name, path in value.items()})
            options.setdefault("ssl_mode", "VERIFY_CA" if "ca" in value else "REQUIRED")
        elif key not in _OF_DJANGO:
            raise ConfigError(
                f"settings.DATABASES: the option {key} of a MySQL database would be lost; give its URL in "
                "WEBHOOK_ENGINE['SETTINGS']['outbox__sources'] instead, and set OUTBOXES to []"
            )
    return options
