"""The tests of the small Django project, run by Django's own runner: what commits must leave nothing for the next."""

from __future__ import annotations

import pytest
from django.core.exceptions import SynchronousOnlyOperation
from django.core.management import call_command
from django.db import connection, transaction
from django.test import AsyncClient, TestCase, TransactionTestCase

from webhook_engine.integrations.django import enqueue
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
