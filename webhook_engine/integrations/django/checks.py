"""The checks of ``manage.py check`` for this app, so that errors show before a message is lost or an engine fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as CheckWarning
from django.db import Error as DatabaseError
from django.db import connections, router

from webhook_engine.errors import ConfigError
from webhook_engine.integrations.django.configuration import (
    engine_settings,
    in_memory,
    outbox_aliases,
    source_url,
)
from webhook_engine.outbox.dialect import TABLE

__all__ = ["check_outbox_tables", "check_settings"]


@register("webhook_engine")  # type: ignore[untyped-decorator]
def check_settings(app_configs: Any = None, **_: Any) -> list[CheckMessage]:
    """Check that ``settings.WEBHOOK_ENGINE`` is a valid configuration, and that its databases support an outbox."""
    try:
        aliases = outbox_aliases()
    except ConfigError as error:
        return [
            Error(
                str(error),
                hint="WEBHOOK_ENGINE has DATABASE, SETTINGS, OUTBOXES, API and ENGINE, all optional.",
                id=_id("E001"),
            )
        ]
    found = [message for alias in aliases for message in _outbox(alias)]
    if not found:
        try:
            engine_settings()
        except ConfigError as error:
            found.append(
                Error(
                    f"settings.WEBHOOK_ENGINE: {error}",
                    hint="SETTINGS takes what Engine.open takes; docs/configuration.md lists all of it.",
                    id=_id("E003"),
                )
            )
    if not getattr(settings, "WEBHOOK_ENGINE", {}).get("DATABASE"):
        found.append(
            CheckWarning(
                "settings.WEBHOOK_ENGINE has no DATABASE: the engine would keep its data in the file webhook-engine.db "
                "of whatever directory it is started in",
                hint='Name the file: WEBHOOK_ENGINE = {"DATABASE": BASE_DIR / "webhooks.db"}.',
                id=_id("W001"),
            )
        )
    return found


@register(Tags.database)  # type: ignore[untyped-decorator]
def check_outbox_tables(
    app_configs: Any = None, databases: Sequence[str] | None = None, **_: Any
) -> list[CheckMessage]:
    """Check that the outbox exists. Only a warning, since ``migrate``, which creates it, runs the checks first."""
    try:
        watched = outbox_aliases()
    except ConfigError:
        return []  # already reported by another check
    return [message for alias in databases or () if alias in watched for message in _table(alias)]


def _outbox(alias: str) -> list[CheckMessage]:
    if in_memory(settings.DATABASES[alias]):
        return []  # usual with the test runner; the engine reports it if it should watch such a database
    try:
        source_url(settings.DATABASES[alias])
    except ConfigError as error:
        return [
            Error(
                f"{error} (the database {alias})",
                hint="Set WEBHOOK_ENGINE['OUTBOXES'] to the aliases of the databases that messages are written to.",
                id=_id("E002"),
            )
        ]
    return []


def _table(alias: str) -> list[CheckMessage]:
    connection = connections[alias]
    try:
        with connection.cursor() as cursor:
            there = TABLE in connection.introspection.table_names(cursor)
    except DatabaseError as error:
        return [
            CheckWarning(
                f"the database {alias} cannot be asked for its outbox: {error}",
                hint="Check that the server runs and that settings.DATABASES leads there.",
                id=_id("W003"),
            )
        ]
    if there:
        return []
    if router.allow_migrate(alias, "webhook_engine"):
        hint = f"Run `manage.py migrate webhook_engine --database {alias}`."
    else:
        hint = (
            "A database router keeps the app webhook_engine out of it: let allow_migrate say True for it, or take the "
            "alias out of WEBHOOK_ENGINE['OUTBOXES']."
        )
    return [
        CheckWarning(f"the database {alias} has no table {TABLE}: enqueue would fail there", hint=hint, id=_id("W002"))
    ]


def _id(number: str) -> str:
    return f"webhook_engine.{number}"
