"""Housekeeping of the store: what is old goes in small steps, and what is still to come stays."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from records import ORGANIZATION, SECOND, START, World, change, ids, progress

from webhook_engine.model import DeliveryStatus, TaskStatus
from webhook_engine.store.kept_responses import KeptResponse
from webhook_engine.store.portal_links import PortalLink
from webhook_engine.store.records import MessageFilter, NewMessage, Outcomes, RefusedRow, Span
from webhook_engine.store.revocations import Revocation
from webhook_engine.store.seam import Store
from webhook_engine.store.sqlite import SqliteStore

ALL = Span(limit=100)
LAST = "msg_~"


async def payloads(store: Store, application_id: str) -> dict[str, bytes | None]:
    found = await store.messages.list(application_id, ALL, MessageFilter())
    return {message.id: message.payload for message in found}


async def succeed(store: Store, world: World, count: int) -> tuple[str, list[NewMessage]]:
    """So many messages that were delivered; the application's id and they."""
    application, endpoint = await world.pair()
    sent = [await world.send(endpoint) for _ in range(count)]
    for message in sent:
        await world.conclude(message, endpoint, DeliveryStatus.SUCCEEDED)
    return application.id, sent


async def test_nothing_is_counted_where_there_is_nothing(store: Store) -> None:
    figures = await store.upkeep.figures(100)
    assert (figures.pending, figures.oldest_due_at, figures.disabled_endpoints) == (0, None, 0)
    assert (figures.outbox_waiting, figures.outbox_set_aside) == (0, 0)
    assert figures.size_bytes > 0


async def test_figures_say_what_waits_up_to_a_bound(store: Store, world: World) -> None:
    _, endpoint = await world.pair()
    sent = [await world.send(endpoint) for _ in range(3)]
    due_at = sent[0].created_at
    figures = await store.upkeep.figures(100)
    assert (figures.pending, figures.oldest_due_at) == (3, due_at)
    assert (await store.upkeep.figures(2)).pending == 2
    await world.conclude(sent[0], endpoint, DeliveryStatus.SUCCEEDED)
    figures = await store.upkeep.figures(100)
    assert (figures.pending, figures.oldest_due_at) == (2, sent[1].created_at)


async def test_payloads_go_up_to_an_id_in_steps(store: Store, world: World) -> None:
    application_id, sent = await succeed(store, world, 4)
    cleaned = await store.upkeep.expire_payloads("msg_", sent[3].id, 2)
    assert (cleaned.looked_at, cleaned.changed) == (2, 2)
    assert cleaned.cursor is not None
    cleaned = await store.upkeep.expire_payloads(cleaned.cursor, sent[3].id, 2)
    assert cleaned.changed == 1
    left = await payloads(store, application_id)
    assert [left[message.id] is None for message in sent] == [True, True, True, False]


async def test_a_payload_that_is_still_to_be_sent_or_has_its_own_time_stays(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    waiting = await world.send(endpoint)
    own = await world.send(endpoint, payload_expires_at=START + 9 * SECOND)
    await world.conclude(own, endpoint, DeliveryStatus.SUCCEEDED)
    await store.upkeep.expire_payloads("msg_", LAST, 10)
    left = await payloads(store, application.id)
    assert left[waiting.id] is not None
    assert left[own.id] is not None
    assert list(await store.upkeep.expire_own_payloads(START + 8 * SECOND, 10)) == []
    assert list(await store.upkeep.expire_own_payloads(START + 10 * SECOND, 10)) == [own.id]
    assert (await payloads(store, application.id))[own.id] is None


async def test_messages_go_with_all_that_is_theirs(store: Store, world: World) -> None:
    application_id, sent = await succeed(store, world, 3)
    cleaned = await store.upkeep.delete_messages("msg_", sent[2].id, "atmpt_~", 10)
    assert (cleaned.changed, cleaned.kept) == (2, None)
    assert list(await payloads(store, application_id)) == [sent[2].id]
    assert await store.deliveries.list_by_message(sent[0].id, ALL) == []


async def test_a_message_stays_while_something_of_it_is_to_come_or_is_young(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    waiting, young = await world.send(endpoint), await world.send(endpoint)
    attempt = await world.conclude(young, endpoint, DeliveryStatus.SUCCEEDED)
    cleaned = await store.upkeep.delete_messages("msg_", LAST, attempt.id, 10)
    assert cleaned.kept == waiting.id
    left = await payloads(store, application.id)
    assert left[waiting.id] is not None
    assert left[young.id] is None


async def test_what_else_has_expired_goes_in_steps(store: Store) -> None:
    soon, later = START + SECOND, START + 9 * SECOND
    for number, at in ((1, soon), (2, soon), (3, later)):
        digest = bytes([number]) * 32
        await store.kept_responses.keep([KeptResponse(digest=digest, encrypted=b"x", expires_at=at)])
        await store.revocations.add([Revocation(subject=f"app:{number}", up_to="a", effective_at=0, drop_at=at)])
        link = PortalLink(
            digest=digest, organization_id="o", application_id="a", feature_flags=(), capabilities=None,
            session_id=None, session_ttl_s=1, expires_at=at,
        )  # fmt: skip
        await store.portal_links.add(link)
    removed = []
    while count := await store.upkeep.purge(soon + 1, 1):
        removed.append(count)
    assert removed == [3, 3]
    assert list(await store.kept_responses.digests(b"", 10, 0)) == [b"\x03" * 32]
    assert [one.subject for one in await store.revocations.all()] == ["app:3"]
    assert await store.portal_links.take(b"\x03" * 32, START) is not None


async def test_finished_tasks_go_and_running_ones_stay(store: Store, world: World) -> None:
    done, running = await world.task(), await world.task()
    await store.tasks.end(progress(done, status=TaskStatus.FINISHED), START, [])
    assert await store.upkeep.delete_tasks("qtask_~", 10) == 1
    found = await store.tasks.list(ORGANIZATION, ALL, status=None, kind=None, application_id=None)
    assert ids(found) == [running.id]


async def test_secrets_are_encrypted_again_in_the_order_of_ids(store: Store, world: World) -> None:
    application = await world.application()
    stored = [
        await world.endpoint(application, encrypted_key=b"old", encrypted_headers=b"old", encrypted_user_info=b"new")
        for _ in range(3)
    ]

    def again(value: bytes, context: str) -> bytes | None:
        return b"new:" + context.encode() if value == b"old" else None

    changed, after = await store.upkeep.encrypt_again(again, "", 2)
    assert (changed, after) == (2, stored[1].endpoint.id)
    changed, after = await store.upkeep.encrypt_again(again, after, 2)
    assert (changed, after) == (1, None)
    for one in stored:
        endpoint_id = one.endpoint.id
        loaded = await store.endpoints.load(endpoint_id)
        assert loaded is not None
        assert loaded.encrypted_key == f"new:{endpoint_id}".encode()
        assert loaded.encrypted_headers == f"new:{endpoint_id}/headers".encode()
        assert loaded.encrypted_user_info == b"new"
    assert await store.upkeep.encrypt_again(again, "", 10) == (0, None)


async def test_steps_say_how_long_they_kept_the_writer(store: Store) -> None:
    before = store.upkeep.spent_s
    await store.upkeep.purge(START, 10)
    assert store.upkeep.spent_s > before
    await store.upkeep.ping()
    await store.upkeep.check(5.0)


async def test_disabled_endpoints_and_rows_of_the_outbox_are_counted(store: Store, world: World) -> None:
    application = await world.application()
    await world.endpoint(application, disabled=True, disabled_at=application.created_at, disabled_reason="gone")
    await store.outbox.set_aside([RefusedRow(1, "bad")], START)
    assert (await store.upkeep.figures(100)).disabled_endpoints == 1


@pytest.mark.parametrize("vacuumed", [True, False])
async def test_a_file_gives_back_what_is_free_unless_it_was_made_otherwise(path: Path, vacuumed: bool) -> None:
    if not vacuumed:  # by a program that had this file before
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("CREATE TABLE of_the_host (id INTEGER PRIMARY KEY)")
    store = SqliteStore(path)
    await store.open()
    world = World(store)
    _, endpoint = await world.pair()
    message = await world.send(endpoint, payload=b"x" * 500_000)
    await store.deliveries.record(Outcomes(deliveries=[change(message, endpoint, DeliveryStatus.SUCCEEDED)]))
    await store.messages.expunge(message.id)
    given = await store.upkeep.shrink(0.0, 10_000_000)
    assert (given > 400_000) is vacuumed
    assert given == 0 or await store.upkeep.shrink(0.0, 10_000_000) == 0
    await store.close()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA auto_vacuum").fetchone() == (2 if vacuumed else 0,)
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
