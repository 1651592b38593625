"""Finds the engine for the admin: in this process, or behind its API, according to the project's settings."""

from __future__ import annotations

from django.utils.module_loading import import_string

from webhook_engine.integrations.django.configuration import api_url, engine_path, engine_settings
from webhook_engine.integrations.django.engine_records import (
    EngineRecords,
    EngineUnreachableError,
    OverHttp,
    WithinProcess,
)
from webhook_engine.sync import SyncEngine

__all__ = ["engine_records"]


def engine_records() -> EngineRecords:
    """The engine that ``settings.WEBHOOK_ENGINE`` names. Raises ``WebhookEngineError``."""
    path, url = engine_path(), api_url()
    if path is not None:
        try:
            found = import_string(path)
        except ImportError as error:
            raise EngineUnreachableError(f"WEBHOOK_ENGINE['ENGINE']: {error}") from error
        engine = found() if callable(found) else found
        if not isinstance(engine, SyncEngine):
            raise EngineUnreachableError(
                f"WEBHOOK_ENGINE['ENGINE']: {path} is a {type(engine).__name__}; the admin reads a SyncEngine, and "
                "where several processes share one, its API: set WEBHOOK_ENGINE['API'] instead"
            )
        return WithinProcess(engine)
    if url is not None:
        return OverHttp.of(url, engine_settings())
    raise EngineUnreachableError(
        "the admin has not been told where the engine is: run `manage.py webhook_engine --listen 127.0.0.1:8071` and "
        "set WEBHOOK_ENGINE['API'] to http://127.0.0.1:8071, or set WEBHOOK_ENGINE['ENGINE'] to the SyncEngine of this "
        "process"
    )
