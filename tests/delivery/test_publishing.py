"""A change and the events about it: both, or neither."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from webhook_engine.delivery.publishing import Publisher
from webhook_engine.events import EndpointCreatedEvent, OperationalEvent
from webhook_engine.store.records import AddressedMessage, NewMessage

EVENT = EndpointCreatedEvent(
    organization_id="org_1",
    application_id="app_1",
    application_uid=None,
    timestamp=datetime(2030, 1, 1, tzinfo=UTC),
    endpoint_id="ep_1",
    endpoint_uid=None,
)
WEBHOOK = AddressedMessage(
    NewMessage(id="msg_1", organization_id="o", application_id="a", event_type=EVENT.type, payload=b"{}", created_at=0),
    (),
)


class Events:
    """Stands in for the notifier, and keeps what happens in order."""

    def __init__(self, webhooks: list[AddressedMessage]) -> None:
        self.happened: list[object] = []
        self._webhooks = webhooks

    async def webhooks(self, events: list[OperationalEvent]) -> list[AddressedMessage]:
        return self._webhooks

    def publish(self, event: OperationalEvent) -> None:
        self.happened.append(event)

    def publisher(self) -> Publisher:
        return Publisher(self, self.happened.append)  # type: ignore[arg-type]


async def test_what_is_stored_is_scheduled_and_then_published() -> None:
    events = Events([WEBHOOK])
    async with events.publisher().publishing([EVENT]) as publication:
        assert publication.webhooks == [WEBHOOK]
        events.happened.append("stored")
    assert events.happened == ["stored", [WEBHOOK], EVENT]


async def test_without_an_operational_application_the_handlers_hear_of_it_all_the_same() -> None:
    events = Events([])
    async with events.publisher().publishing([EVENT]):
        pass
    assert events.happened == [EVENT]


async def test_nothing_is_published_of_a_change_that_fails() -> None:
    events = Events([WEBHOOK])
    with pytest.raises(RuntimeError):
        async with events.publisher().publishing([EVENT]):
            raise RuntimeError
    assert events.happened == []


async def test_nothing_is_published_where_there_was_nothing_to_change() -> None:
    events = Events([WEBHOOK])
    async with events.publisher().publishing([EVENT]) as publication:
        publication.withdraw()
    assert events.happened == []
