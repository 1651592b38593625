"""Event ids are unique in an application; organizations never see one another; messages keep their order and bytes."""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from engines import acme, ids_of, local_engine, send
from receivers import Receiver

from webhook_engine import ConflictError, NotFoundError

THEIRS = "org_2bbbbbbbbbbbbbbbbbbbbbbbbbb"


async def test_of_concurrent_duplicates_exactly_one_is_accepted(tmp_path: Path) -> None:
    async with Receiver() as receiver, local_engine(tmp_path / "e.db") as engine:
        await acme(engine, receiver.url)

        async def create(event_id: str) -> str | None:
            try:
                message = await engine.messages.create("acme", event_type="a.b", payload={}, event_id=event_id)
            except ConflictError:
                return None
            return message.id

        wanted = [f"event-{number}" for number in range(20) for _ in range(10)]
        results = await asyncio.gather(*(create(event_id) for event_id in wanted))
        accepted = Counter(event_id for event_id, result in zip(wanted, results, strict=True) if result is not None)
        assert accepted == Counter(set(wanted))
        await engine.join(timeout=5)
        assert sorted(ids_of(receiver)) == sorted(filter(None, results))
        assert (await engine.messages.get("acme", "event-3")).event_id == "event-3"


async def test_an_event_id_is_taken_in_its_own_application_only_and_over_restarts(tmp_path: Path) -> None:
    database = tmp_path / "e.db"
    async with local_engine(database) as engine:
        for uid in ("one", "two"):
            await engine.applications.create(name=uid, uid=uid)
            await engine.messages.create(uid, event_type="a.b", payload={}, event_id="same")
    async with local_engine(database) as engine:
        with pytest.raises(ConflictError) as refusal:
            await engine.messages.create("one", event_type="a.b", payload={}, event_id="same")
        assert (refusal.value.field, refusal.value.value) == ("event_id", "same")
        await engine.messages.create("one", event_type="a.b", payload={}, event_id="other")


async def test_a_duplicate_that_is_refused_does_not_take_its_neighbours_in_the_commit_with_it(tmp_path: Path) -> None:
    async with Receiver() as receiver, local_engine(tmp_path / "e.db") as engine:
        await acme(engine, receiver.url)
        await engine.messages.create("acme", event_type="a.b", payload={}, event_id="taken")
        results = await asyncio.gather(
            *(send(engine, number) for number in range(50)),
            engine.messages.create("acme", event_type="a.b", payload={}, event_id="taken"),
            return_exceptions=True,
        )
        assert isinstance(results[-1], ConflictError)
        await engine.join(timeout=5)
        assert set(results[:-1]) <= set(ids_of(receiver))
        assert len(receiver.requests) == 51


async def test_messages_created_one_after_the_other_have_rising_ids_and_are_listed_newest_first(
    tmp_path: Path,
) -> None:
    async with local_engine(tmp_path / "e.db") as engine:
        await engine.applications.create(name="Acme", uid="acme")
        messages = [await send(engine, number) for number in range(100)]
        assert messages == sorted(messages)
        assert [message.id async for message in engine.messages.iterate("acme")] == messages[::-1]


@pytest.mark.parametrize(
    ("payload", "body"),
    [
        ({"b": 1, "a": "é"}, '{"b":1,"a":"é"}'.encode()),
        (b'{ "a" : 1.0 }\n', b'{ "a" : 1.0 }\n'),
        ('{"n":12345678901234567890,"a":1,"a":2}', b'{"n":12345678901234567890,"a":1,"a":2}'),
    ],
)
async def test_the_bytes_that_are_sent_are_those_that_were_given(tmp_path: Path, payload: object, body: bytes) -> None:
    async with Receiver() as receiver, local_engine(tmp_path / "e.db") as engine:
        await acme(engine, receiver.url)
        message = await engine.messages.create("acme", event_type="a.b", payload=payload)
        await receiver.wait_for(1)
        assert receiver.bodies == [body]
        assert message.payload == (await engine.messages.get("acme", message.id)).payload == body


async def test_organizations_do_not_see_one_another(tmp_path: Path) -> None:
    """Every method that takes an id is called with the ids of another organization."""
    async with Receiver() as receiver, local_engine(tmp_path / "e.db") as engine:
        endpoint = await acme(engine, receiver.url)
        await engine.event_types.create(name="a.b")
        application = await engine.applications.get("acme")
        message = await send(engine)
        await engine.join(timeout=5)
        [attempt] = (await engine.attempts.list_by_message("acme", message)).data
        task = await engine.endpoints.recover("acme", endpoint.id, since=endpoint.created_at)
        await engine.join(timeout=5)
        values = {
            "application": application.id,
            "endpoint": endpoint.id,
            "message": message,
            "messages": [message],
            "attempt_id": attempt.id,
            "task_id": task.id,
            "name": "a.b",
            "event_type": "a.b",
            "event_types": None,
            "payload": {},
            "url": "https://example.com",
            "since": datetime.now(UTC),
            "headers": {},
            "changes": {},
        }
        theirs = engine.organization(THEIRS)
        called = []
        for manager_name in ("applications", "endpoints", "messages", "attempts", "tasks", "event_types"):
            manager = getattr(theirs, manager_name)
            for name, method in inspect.getmembers(manager, inspect.ismethod):
                if name.startswith("_"):
                    continue
                parameters = inspect.signature(method).parameters.values()
                required = {one.name: one for one in parameters if one.default is one.empty}
                if not required or (manager_name, name) in CREATING or not required.keys() <= values.keys():
                    continue
                positional = [values[one.name] for one in required.values() if one.kind is not one.KEYWORD_ONLY]
                keywords = {one.name: values[one.name] for one in required.values() if one.kind is one.KEYWORD_ONLY}
                with pytest.raises(NotFoundError):
                    await exhaust(method(*positional, **keywords))
                called.append(f"{manager_name}.{name}")
        assert len(called) >= 35, called
        assert not (await theirs.applications.list()).data
        assert not (await theirs.event_types.list()).data
        assert not (await theirs.tasks.list()).data
        # The same uids and event ids are theirs to use.
        await theirs.applications.create(name="Acme", uid="acme")
        with pytest.raises(NotFoundError):
            await theirs.endpoints.get("acme", endpoint.id)
        with pytest.raises(NotFoundError):
            await theirs.messages.get("acme", message)
        await engine.join(timeout=5)
        assert len(receiver.requests) == 1


CREATING = {("applications", "create"), ("applications", "get_or_create"), ("event_types", "create")}


async def exhaust(result: object) -> None:
    """Await a call, or walk what it iterates over."""
    if inspect.isawaitable(result):
        await result
    else:
        async for _ in result:  # type: ignore[attr-defined]
            pass
