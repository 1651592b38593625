"""Several engines on one PostgreSQL, in one process."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from statistics import median

import psycopg
import pytest
from engine_members import shards, shared_out
from engines import until
from receivers import Receiver, Reply

from webhook_engine import Engine
from webhook_engine.errors import SecretsUnreadableError
from webhook_engine.outbox import enqueue
from webhook_engine.store.members import shard_of
from webhook_engine.store.postgresql.outbox import PostgresqlOutbox

MakeEngine = Callable[..., Engine]


async def endpoints(engine: Engine, url: str, count: int) -> list[str]:
    await engine.applications.create(name="Acme", uid="acme")
    return [(await engine.endpoints.create("acme", url=f"{url}?{number}")).id for number in range(count)]


async def test_engines_share_the_endpoints_and_each_delivers_what_any_accepts(make_engine: MakeEngine) -> None:
    async with Receiver() as receiver, make_engine() as first, make_engine() as second:
        await shared_out(first, second)
        ids = await endpoints(first, receiver.url, 12)
        acme = await first.applications.get("acme")
        used = {stored.shard for stored in await first.services.directory.endpoints(acme.id)}
        assert used & shards(first)
        assert used & shards(second)
        for number in range(10):
            engine = (first, second)[number % 2]
            await engine.messages.create("acme", event_type="a.b", payload={"number": number})
        await first.join(timeout=30)
        await second.join(timeout=30)
        assert len(receiver.requests) == 10 * len(ids)
        assert set(Counter((one.message_id, one.target) for one in receiver.requests).values()) == {1}


async def test_an_edit_is_seen_by_every_engine_from_the_next_message(make_engine: MakeEngine) -> None:
    async with Receiver() as receiver, make_engine() as first, make_engine() as second:
        await shared_out(first, second)
        [one] = await endpoints(first, receiver.url, 1)
        for number in range(5):
            await second.messages.create("acme", event_type="a.b", payload={"number": number})
            await first.endpoints.disable("acme", one)
            await second.messages.create("acme", event_type="a.b", payload={"refused": number})
            await first.endpoints.enable("acme", one)
        await second.messages.create("acme", event_type="a.b", payload={"last": True})
        await second.join(timeout=30)
        assert not [request for request in receiver.requests if b"refused" in request.body]
        assert [request for request in receiver.requests if b"last" in request.body]
        await first.endpoints.update("acme", one, url=f"{receiver.url}?moved")
        async with asyncio.timeout(10):  # who holds the endpoint hears of it a moment later
            while not receiver.requests[-1].target.endswith("?moved"):
                await second.messages.create("acme", event_type="a.b", payload={"moved": True})
                await second.join(timeout=30)


async def test_who_stops_gives_its_part_back_at_once(make_engine: MakeEngine) -> None:
    async with Receiver() as receiver, make_engine() as first:
        second = make_engine()
        await second.start()
        await shared_out(first, second)
        await endpoints(first, receiver.url, 8)
        loop = asyncio.get_running_loop()
        await second.stop()
        began = loop.time()
        await shared_out(first)
        took = loop.time() - began
        await first.messages.create("acme", event_type="a.b", payload={})
        await first.join(timeout=30)
        assert len(receiver.requests) == 8
        print(f"given back and taken {took:.2f} s after the stop")


async def test_one_engine_looks_into_the_outbox_for_all(
    make_engine: MakeEngine, server: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: Counter[int] = Counter()
    changed = PostgresqlOutbox.changed

    async def counted(outbox: PostgresqlOutbox) -> bool:
        looks[id(outbox)] += 1
        return await changed(outbox)

    async with Receiver() as receiver, make_engine() as first, make_engine() as second:
        await shared_out(first, second)
        every = [f"app-{number}" for number in range(400)]
        names = [name for one in (first, second) for name in [x for x in every if shard_of(x) in shards(one)][:5]]
        for name in names:
            await first.applications.create(name=name, uid=name)
            await first.endpoints.create(name, url=receiver.url)
        monkeypatch.setattr(PostgresqlOutbox, "changed", counted)
        loop = asyncio.get_running_loop()
        took = []
        for number, name in enumerate(names):
            with psycopg.connect(server, options=f"-csearch_path={schema}") as connection:
                connection.execute(
                    "INSERT INTO webhook_outbox (application, event_type, payload) VALUES (%s, 'a.b', '{}')", (name,)
                )
            committed = loop.time()
            await receiver.wait_for(number + 1)
            took.append(loop.time() - committed)
        print(f"commit to arrival: median {median(took) * 1e3:.0f} ms, most {max(took) * 1e3:.0f} ms")
        looks.clear()
        await until(lambda: max(looks.values(), default=0) >= 20)
        assert sum(looks.values()) - max(looks.values()) < 10


async def test_behind_a_pooler_engines_share_and_tell_as_well(
    make_engine: MakeEngine, postgresql_url: str, pgbouncer_url: str, schema: str
) -> None:
    # Each transaction may run in another session, and nobody hears of a notice before looking for it.
    pooled = {"url": pgbouncer_url, "store__schema": f"{schema}_pooled"}
    async with Receiver() as receiver, make_engine(**pooled) as first, make_engine(**pooled) as second:
        await shared_out(first, second)
        ids = await endpoints(first, receiver.url, 8)
        with psycopg.connect(postgresql_url, options=f"-csearch_path={schema}_pooled") as connection:
            for number in range(3):
                enqueue(connection, application="acme", event_type="a.b", payload={"number": number})
        for number in range(3):
            await (first, second)[number % 2].messages.create("acme", event_type="a.b", payload={"number": number})
        await until(lambda: len(receiver.requests) >= 6 * len(ids))
        await first.join(timeout=30)
        assert set(Counter((one.message_id, one.target) for one in receiver.requests).values()) == {1}


async def test_an_engine_with_another_main_secret_does_not_start_and_the_others_go_on(make_engine: MakeEngine) -> None:
    async with Receiver() as receiver, make_engine(security__main_secret="m" * 40) as first:
        await endpoints(first, receiver.url, 2)
        second = make_engine(security__main_secret="o" * 40)
        with pytest.raises(SecretsUnreadableError, match="another main secret"):
            await second.start()
        await shared_out(first)
        await first.messages.create("acme", event_type="a.b", payload={})
        await first.join(timeout=30)
        assert len(receiver.requests) == 2


async def test_what_a_person_asks_for_on_one_engine_is_done_by_another(make_engine: MakeEngine) -> None:
    async with Receiver() as receiver, make_engine() as first, make_engine() as second:
        await shared_out(first, second)
        ids = await endpoints(first, receiver.url, 6)
        message = await first.messages.create("acme", event_type="a.b", payload={"number": 1})
        await first.join(timeout=30)
        assert len(receiver.requests) == 6
        for endpoint_id in ids:
            await second.attempts.resend("acme", message.id, endpoint_id)
        await until(lambda: len(receiver.requests) == 12)


async def test_a_recovery_runs_where_its_endpoint_is(make_engine: MakeEngine) -> None:
    settings = {"retry_schedule": []}
    async with Receiver(500) as receiver, make_engine(**settings) as first, make_engine(**settings) as second:
        await shared_out(first, second)
        ids = await endpoints(first, receiver.url, 4)
        message = await first.messages.create("acme", event_type="a.b", payload={"number": 1})
        await first.join(timeout=30)
        receiver.answer(200)
        for endpoint_id in ids:
            task = await second.endpoints.recover("acme", endpoint_id, since=message.timestamp)
            async with asyncio.timeout(30):
                while (await first.tasks.get(task.id)).status != "finished":
                    await asyncio.sleep(0.02)
        await first.join(timeout=30)
        assert len(receiver.requests) == 8


async def test_a_cancelled_delivery_is_not_made_wherever_it_waits(make_engine: MakeEngine) -> None:
    settings = {"retry_schedule": ["3s"]}
    async with Receiver(500) as receiver, make_engine(**settings) as first, make_engine(**settings) as second:
        await shared_out(first, second)
        await endpoints(first, receiver.url, 6)
        message = await first.messages.create("acme", event_type="a.b", payload={"number": 1})
        await first.join(timeout=30)
        assert len(receiver.requests) == 6
        await second.messages.cancel("acme", message.id)
        await asyncio.sleep(4)
        await first.join(timeout=30)
        assert len(receiver.requests) == 6


@pytest.mark.slow
async def test_a_rate_limit_of_an_application_holds_across_engines_and_changes_of_hands(
    make_engine: MakeEngine,
) -> None:
    """As the receiver sees it: never more than the rate in any second, and never more than one engine at it."""
    rate, loop = 10, asyncio.get_running_loop()
    at: list[float] = []

    def note(_: object) -> int:
        at.append(loop.time())
        return 200

    async with Receiver(note) as receiver, make_engine() as first:
        await first.applications.create(name="Acme", uid="acme", throttle_rate=rate)
        for number in range(5):
            await first.endpoints.create("acme", url=f"{receiver.url}?{number}")
        for number in range(12):
            await first.messages.create("acme", event_type="a.b", payload={"number": number})
        others = [make_engine() for _ in range(3)]
        for other in others:
            await other.start()
            await asyncio.sleep(0.7)
        for other in others:
            await other.stop()
        await first.join(timeout=60)
    assert len(at) == 60
    most = max(sum(1 for one in at if start <= one < start + 1) for start in at)
    print(f"at most {most} in a second at a rate of {rate}, with 6 changes of members")
    assert most <= rate * 2, "a change of hands gives a burst of one second at most"


@pytest.mark.slow
async def test_a_slow_request_keeps_its_shard_until_it_is_done(make_engine: MakeEngine) -> None:
    async with Receiver(Reply(200, delay=2.5)) as receiver, make_engine() as first:
        await endpoints(first, receiver.url, 10)
        await first.messages.create("acme", event_type="a.b", payload={})
        await until(lambda: len(receiver.requests) == 10)
        async with make_engine() as second:
            await shared_out(first, second)
            await first.join(timeout=30)
        assert len(receiver.requests) == 10, "nothing under way was made twice"
