"""What SQLite's outbox table may hold, and how its changes are noticed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from records import World

from webhook_engine.store.seam import Store

if TYPE_CHECKING:
    from store.conftest import Place


async def test_a_row_that_is_not_text_does_not_stop_the_rest(store: Store, place: Place) -> None:
    place.write_outbox(application=b"\xff\xfe", event_type=b"\xff", payload=5, channels=b"\xff", event_id=7)
    place.write_outbox(application="acme", event_type="a", payload="{}")
    odd, good = await store.outbox.waiting(10)
    assert (odd.application, odd.payload, odd.event_id) == ("\ufffd\ufffd", b"5", "7")
    assert good.application == "acme"


async def test_changes_by_others_and_by_itself_are_noticed(store: Store, world: World, place: Place) -> None:
    assert await store.outbox.changed() is True
    assert await store.outbox.changed() is False
    place.write_outbox(application="acme", event_type="a", payload=b"")
    assert await store.outbox.changed() is True
    assert await store.outbox.changed() is False
    await world.application()
    assert await store.outbox.changed() is True
    assert await store.outbox.changed() is False


async def test_the_first_answer_after_opening_is_yes(store: Store) -> None:
    await store.outbox.changed()
    await store.close()
    await store.open()
    assert await store.outbox.changed() is True
    assert await store.outbox.changed() is False
