"""Opening the outbox of a database URL; the driver is loaded only when it is needed."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from webhook_engine.config.values import without_passwords
from webhook_engine.errors import ConfigError
from webhook_engine.store.sources.database import SourceDatabase
from webhook_engine.store.sources.sqlite import SqliteSource

__all__ = ["source_database"]

_SQLITE = "sqlite:///"
_OTHERS = {"postgresql": ("PostgresqlSource", "psycopg"), "mysql": ("MysqlSource", "pymysql")}


def source_database(url: str, schema: str | None = None) -> SourceDatabase:
    """The outbox of a URL in ``outbox.sources``; raises ``ConfigError`` if its driver is not installed.

    ``schema``: that of the engine's own database, if the URL is that database.
    """
    name = without_passwords(url)
    scheme = url.partition(":")[0]
    if scheme == "sqlite":
        return SqliteSource(name, Path(url.removeprefix(_SQLITE)))
    scheme = "postgresql" if scheme == "postgres" else scheme
    class_name, driver = _OTHERS[scheme]
    try:
        module = import_module(f"webhook_engine.store.sources.{scheme}")
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith(driver):
            raise
        raise ConfigError(
            f"outbox.sources, {name}: the driver {driver} is not installed; pip install 'webhook-engine[{scheme}]'"
        ) from error
    options = {} if schema is None else {"schema": schema}
    database: SourceDatabase = getattr(module, class_name)(name, url, **options)
    return database
