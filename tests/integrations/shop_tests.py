"""The tests of the small Django project, run by Django's own runner: what commits must leave nothing for the next."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.checks import CheckMessage, run_checks
from django.core.exceptions import SynchronousOnlyOperation
from django.core.management import call_command
from django.db import connection, transaction
from django.test import AsyncClient, SimpleTestCase, TestCase, TransactionTestCase
from django.test.utils import override_settings

from webhook_engine import Engine, OperationalEvent
from webhook_engine.integrations.django import enqueue, signals
from webhook_engine.integrations.django.models import OutboxMessage


def waiting() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM webhook_outbox")
        return int(cursor.fetchone()[0])


class Committing(TransactionTestCase):
    def commits(self) -> None:
        assert waiting() == 0
        with transaction.atomic():
            enqueue(application="acme", event_type="invoice.paid", payload={"id": 1})
        assert waiting() == 1
        message = OutboxMessage.objects.get()
        assert (message.application, bytes(message.payload)) == ("acme", b'{"id":1}')
        assert message.created_at is not None

    test_one = commits
    test_another = commits

    def test_flush_empties_the_outbox(self) -> None:
        self.commits()
        call_command("flush", interactive=False, verbosity=0)
        assert waiting() == 0

    async def test_an_asynchronous_view(self) -> None:
        answer = await AsyncClient().post("/apay")
        assert answer.json()["id"].startswith("msg_")
        assert await OutboxMessage.objects.acount() == 1

    async def test_the_wrong_function_in_an_asynchronous_view_names_the_right_one(self) -> None:
        with pytest.raises(SynchronousOnlyOperation) as caught:
            await AsyncClient().post("/apay?wrongly=1")
        assert "await aenqueue" in caught.value.__notes__[0]


class RollingBack(TestCase):
    def test_nothing_is_there_from_the_others(self) -> None:
        assert waiting() == 0
        enqueue(application="acme", event_type="invoice.paid", payload={"id": 1})
        assert waiting() == 1

    test_again = test_nothing_is_there_from_the_others


def found(**engine: object) -> list[CheckMessage]:
    """What the checks of the app say with these settings."""
    with override_settings(WEBHOOK_ENGINE={"DATABASE": "/srv/webhooks.db", **engine}):
        return run_checks(tags=["webhook_engine"])


class Checked(SimpleTestCase):
    def said(self, number: str, words: str, messages: list[CheckMessage]) -> None:
        [message] = messages
        assert message.id == f"webhook_engine.{number}"
        assert words in message.msg
        assert message.hint

    def test_what_is_right_is_passed(self) -> None:
        assert found() == []
        assert found(SETTINGS={"retry_schedule": ["5s"]}, OUTBOXES=[]) == []

    def test_the_shape_of_the_settings(self) -> None:
        self.said("E001", "no key DATABSE", found(DATABSE="a.db"))
        self.said("E001", "'reporting', which DATABASES has not; there is default", found(OUTBOXES=["reporting"]))
        self.said("E001", "must be a list", found(OUTBOXES="default"))
        self.said("E001", "must be the path", found(DATABASE=7))
        self.said("E001", "SETTINGS must be", found(SETTINGS=["timeout"]))
        with override_settings(WEBHOOK_ENGINE="webhooks.db"):
            self.said("E001", "must be a dict, not str", run_checks(tags=["webhook_engine"]))

    def test_the_engine_of_the_database(self) -> None:
        for database, words in (
            ({"ENGINE": "django.db.backends.oracle", "NAME": "shop"}, "oracle"),
            ({"ENGINE": "django.db.backends.sqlite3", "NAME": ""}, "without a name"),
            ({"ENGINE": "django.db.backends.dummy"}, "dummy"),
        ):
            with pytest.MonkeyPatch.context() as patch:
                patch.setitem(settings.DATABASES, "odd", database)
                self.said("E002", words, found(OUTBOXES=["odd"]))

    def test_the_settings_of_the_engine(self) -> None:
        self.said("E003", "retry_scedule", found(SETTINGS={"retry_scedule": ["5s"]}))
        self.said("E003", "timeout", found(SETTINGS={"timeout": "soon"}))

    def test_a_file_in_no_certain_directory(self) -> None:
        with override_settings():
            del settings.WEBHOOK_ENGINE
            self.said("W001", "webhook-engine.db", run_checks(tags=["webhook_engine"]))


class CheckedWithItsDatabase(TransactionTestCase):
    def test_a_missing_migration(self) -> None:
        def said() -> list[CheckMessage]:
            return [one for one in run_checks(databases=["default"]) if one.id.startswith("webhook_engine")]

        assert said() == []
        call_command("migrate", "webhook_engine", "zero", verbosity=0)
        try:
            [message] = said()
        finally:
            call_command("migrate", "webhook_engine", verbosity=0)
        assert message.id == "webhook_engine.W002"
        assert "manage.py migrate webhook_engine --database default" in message.hint
        assert not message.is_serious()  # or `migrate` would be refused
        assert said() == []


class Signalled(TransactionTestCase):
    def test_each_class_of_events_has_a_signal_and_its_name(self) -> None:
        def concrete(kind: type[OperationalEvent]) -> set[type[OperationalEvent]]:
            below = {found for one in kind.__subclasses__() for found in concrete(one)}
            return below | ({kind} if kind.type else set())

        assert set(signals.SIGNALS) == concrete(OperationalEvent)
        for kind, signal in signals.SIGNALS.items():
            assert getattr(signals, kind.type.replace(".", "_")) is signal

    async def test_a_receiver_may_use_the_database_and_one_that_raises_harms_nothing(self) -> None:
        told: list[tuple[Any, str, int]] = []

        def fails(**_: Any) -> None:
            raise KeyError("of the host")

        def tell(sender: Any, event: Any, **_: Any) -> None:
            told.append((sender, event.endpoint_uid, OutboxMessage.objects.count()))

        signals.endpoint_created.connect(fails)
        signals.endpoint_created.connect(tell)
        with tempfile.TemporaryDirectory() as directory:
            async with Engine.open(Path(directory) / "webhooks.db") as engine:
                signals.send_signals(engine)
                await engine.applications.create(name="Acme", uid="acme")
                await engine.endpoints.create("acme", url="https://example.com/hooks", uid="one")
        signals.endpoint_created.disconnect(fails)
        signals.endpoint_created.disconnect(tell)
        [(sender, uid, rows)] = told
        assert (sender.__name__, uid, rows) == ("EndpointCreatedEvent", "one", 0)
