"""From Django's settings to the configuration of the engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from django.conf import settings

from webhook_engine.config.loading import Config
from webhook_engine.errors import ConfigError

__all__ = ["configuration", "source_url"]

_KEYS = {"DATABASE", "SETTINGS", "OUTBOXES"}


def configuration() -> Config:
    """The configuration of the engine that delivers what this project enqueues.

    ``settings.WEBHOOK_ENGINE`` has ``DATABASE``, the engine's own file; ``SETTINGS``, as for ``Engine.open``; and
    ``OUTBOXES``, the aliases of the databases whose outbox it watches, ``["default"]`` unless said otherwise.
    """
    given: Mapping[str, Any] = getattr(settings, "WEBHOOK_ENGINE", {})
    unknown = sorted(set(given) - _KEYS)
    if unknown:
        raise ConfigError(
            f"settings.WEBHOOK_ENGINE: there is no key {unknown[0]}; known are {', '.join(sorted(_KEYS))}"
        )
    database = Path(given.get("DATABASE", "webhook-engine.db"))
    aliases = given.get("OUTBOXES", ["default"])
    urls = [source_url(settings.DATABASES[alias]) for alias in aliases]
    sources = [url for url in urls if url != f"sqlite:///{database.absolute()}"]
    return Config.for_database(database, **{"outbox__sources": sources, **given.get("SETTINGS", {})})


def source_url(database: Mapping[str, Any]) -> str:
    """The URL for ``outbox.sources`` of an entry of ``settings.DATABASES``."""
    engine = str(database["ENGINE"]).rpartition(".")[2]
    name = str(database["NAME"])
    if engine == "sqlite3":
        return f"sqlite:///{Path(name).absolute()}"
    scheme = {"postgresql": "postgresql", "postgis": "postgresql", "mysql": "mysql"}.get(engine)
    if scheme is None:
        raise ConfigError(f"settings.DATABASES: {engine} has no outbox; supported are sqlite3, postgresql and mysql")
    user, password = (quote(str(database.get(key) or ""), safe="") for key in ("USER", "PASSWORD"))
    host, port = str(database.get("HOST") or ""), str(database.get("PORT") or "")
    options = {}
    if host.startswith("/"):
        options, host = {"unix_socket" if scheme == "mysql" else "host": host}, ""
    login = f"{user}:{password}@" if password else f"{user}@" if user else ""
    place = f"{host}:{port}" if host and port else host
    return f"{scheme}://{login}{place}/{quote(name, safe='')}{'?' + urlencode(options) if options else ''}"
