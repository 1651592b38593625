"""What a caller asks of one engine holds for all that share the database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from engine_members import shared_out
from engines import until
from operational import told, watch
from receivers import Receiver

from webhook_engine import Engine
from webhook_engine.delivery import ownership, timekeeper
from webhook_engine.delivery.attempt.breaker import FEWEST
from webhook_engine.events import EndpointDisabledEvent, EndpointUpdatedEvent
from webhook_engine.model import TaskStatus

MakeEngine = Callable[..., Engine]
Pair = tuple[Engine, Engine]

SECRETS = {"auth__jwt_secret": "j" * 40, "security__main_secret": "m" * 40}


@pytest.fixture
async def pair(make_engine: MakeEngine) -> AsyncIterator[Pair]:
    """Two engines, each with its part of the shards."""
    async with make_engine(**SECRETS) as first, make_engine(**SECRETS) as second:
        await shared_out(first, second)
        await first.applications.create(name="Acme", uid="acme")
        yield first, second


async def endpoints(pair: Pair, url: str, count: int = 6) -> list[str]:
    """So many that each engine sends to some of them."""
    ids: list[str] = []
    held: set[bool] = set()
    while len(ids) < count or len(held) < 2:
        made = await pair[len(ids) % 2].endpoints.create("acme", url=f"{url}?{len(ids)}")
        ids.append(made.id)
        stored = await pair[0].services.store.endpoints.load(made.id)
        assert stored is not None
        held.add(stored.shard in pair[0].services.flow.ownership.shards)
    return ids


async def joined(pair: Pair) -> None:
    for engine in pair:
        await engine.join(timeout=30)


async def test_edits_of_one_endpoint_by_two_engines_at_once_all_count(pair: Pair) -> None:
    [endpoint_id] = await _one(pair, "http://127.0.0.1:9/")
    await asyncio.gather(
        *(
            pair[number % 2].endpoints.patch_headers("acme", endpoint_id, {f"x-number-{number}": str(number)})
            for number in range(8)
        )
    )
    shown = (await pair[0].endpoints.get_headers("acme", endpoint_id)).headers
    assert shown == {f"x-number-{number}": str(number) for number in range(8)}
    before = await pair[0].endpoints.get_secret("acme", endpoint_id)
    await asyncio.gather(*(engine.endpoints.rotate_secret("acme", endpoint_id) for engine in pair))
    stored = await pair[0].services.store.endpoints.load(endpoint_id)
    assert stored is not None
    assert len(stored.old_keys) == 2, "both rotations keep the key before them"
    assert before != await pair[1].endpoints.get_secret("acme", endpoint_id)


async def test_a_change_is_announced_once_whichever_engines_are_asked_for_it_at_once(pair: Pair) -> None:
    events: list[object] = []
    for engine in pair:
        engine.on(EndpointUpdatedEvent)(events.append)
    async with Receiver() as receiver:
        await watch(pair[0], receiver.url)
        [endpoint_id] = await _one(pair, "http://127.0.0.1:9/")
        await asyncio.gather(*(engine.endpoints.disable("acme", endpoint_id) for engine in pair))
        await asyncio.gather(*(engine.endpoints.delete("acme", endpoint_id) for engine in pair), return_exceptions=True)
        await joined(pair)
        assert len(told(receiver, "endpoint.deleted")) == 1
        assert len(told(receiver, "endpoint.created")) == 1


async def test_an_endpoint_that_is_gone_is_disabled_once(pair: Pair) -> None:
    events: list[EndpointDisabledEvent] = []
    for engine in pair:
        engine.on(EndpointDisabledEvent)(events.append)
    async with Receiver(410) as gone, Receiver() as platform:
        await watch(pair[1], platform.url)
        ids = await endpoints(pair, gone.url)
        for number in range(6):
            await pair[number % 2].messages.create("acme", event_type="a.b", payload={"number": number})
        await joined(pair)
        await until(lambda: len(events) >= len(ids))
        assert sorted(event.endpoint_id for event in events) == sorted(ids)
        await joined(pair)
        assert sorted(data["endpointId"] for data in told(platform, "endpoint.disabled")) == sorted(ids)
        for engine in pair:
            assert all([(await engine.endpoints.get("acme", one)).disabled for one in ids])


async def test_what_is_expunged_by_one_engine_is_sent_by_none(pair: Pair) -> None:
    async with Receiver(500) as receiver:
        ids = await endpoints(pair, receiver.url)
        message = await pair[0].messages.create("acme", event_type="a.b", payload={"secret": True})
        await receiver.wait_for(len(ids))
        await pair[1].messages.expunge_content("acme", message.id)
        later = len(receiver.requests)
        await joined(pair)
        # A request that was under way is not called back.
        assert len(receiver.requests) <= later + len(ids)
        for _ in range(100):
            attempted = (await pair[0].attempts.list_attempted_destinations("acme", message.id)).data
            if all(one.reason for one in attempted):
                break
            await asyncio.sleep(0.05)
        assert {one.reason for one in attempted} <= {"payload expired or expunged"}
        assert (await pair[0].messages.get("acme", message.id)).payload is None


async def test_a_task_that_one_engine_is_asked_for_is_seen_on_all_to_its_end(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timekeeper, "SETTLED_AFTER", 0)
    monkeypatch.setattr(ownership, "RENEWED_EVERY_S", 0.1)
    for number in range(10):
        await pair[0].messages.create("acme", event_type="a.b", payload={"number": number})
    await joined(pair)
    # The one that has nothing to do any more is waited for like any other.
    tasks = [await engine.messages.expunge_all_contents("acme") for engine in pair]
    for task in tasks:
        for engine in pair:
            async with asyncio.timeout(20):
                while (seen := await engine.tasks.get(task.id)).status is TaskStatus.RUNNING:
                    await asyncio.sleep(0.02)
            assert seen.status is TaskStatus.FINISHED


async def test_statistics_are_those_of_all_engines(pair: Pair) -> None:
    async with Receiver(lambda request: 500 if b"odd" in request.body else 200) as receiver:
        ids = await endpoints(pair, receiver.url)
        for number in range(4):
            await pair[number % 2].messages.create(
                "acme", event_type="a.b", payload={"is": "odd" if number % 2 else "even"}
            )

        async def all_tell_the_same() -> bool:
            seen = [await engine.endpoints.stats("acme", one) for engine in pair for one in ids]
            return all(each.success == 2 and each.fail >= 2 for each in seen)

        await until(all_tell_the_same)


async def test_the_position_of_a_poller_is_the_same_on_all(pair: Pair) -> None:
    after = datetime.now(UTC) - timedelta(minutes=5)
    iterator = await pair[0].messages.consumer_seek("acme", "poller", "me", after=after)
    found, at, done = await pair[1].messages.consumer_poll("acme", "poller", "me")
    assert (found, at, done) == ([], iterator, True)
    later = await pair[1].messages.consumer_seek("acme", "poller", "me", after=after + timedelta(minutes=1))
    assert (await pair[0].messages.consumer_poll("acme", "poller", "me"))[1] == later != iterator


async def test_a_link_to_the_portal_opens_once_and_its_session_is_good_on_all(pair: Pair) -> None:
    async with (
        pair[0].serve("127.0.0.1:0") as one,
        pair[1].serve("127.0.0.1:0") as other,
        aiohttp.ClientSession() as anybody,
    ):
        key = (await pair[0].portal.url("acme")).partition("#key=")[2]

        async def opened(url: str) -> tuple[int, str]:
            async with anybody.post(f"{url}/api/v1/auth/portal-session", json={"key": key}) as response:
                return response.status, (await response.json()).get("token", "")

        answers = await asyncio.gather(*(opened(server.url) for server in (one, other) for _ in range(2)))
        [token] = [token for status, token in answers if status == 200]
        for server in (one, other):
            async with anybody.get(
                f"{server.url}/api/v1/app/acme/endpoint", headers={"authorization": f"Bearer {token}"}
            ) as response:
                assert response.status == 200


async def test_join_waits_for_what_another_engine_delivers(pair: Pair) -> None:
    async with Receiver() as receiver:
        ids = await endpoints(pair, receiver.url)
        await pair[0].messages.create("acme", event_type="a.b", payload={})
        await pair[0].join(timeout=30)
        assert len(receiver.requests) == len(ids)


async def test_what_an_engine_claimed_that_died_is_free_when_its_lease_has_ended(pair: Pair) -> None:
    first, second = (engine.services.store for engine in pair)
    digest, now = b"d" * 32, pair[0].services.clock.now()
    assert await first.kept_responses.claim(digest, now, now + 60_000_000)
    assert not await second.kept_responses.claim(digest, now, now + 60_000_000)
    await second.kept_responses.give_up(digest)
    assert not await second.kept_responses.claim(digest, now, now + 60_000_000), "it is not its to give up"
    member = pair[0].services.flow.ownership.member_id
    assert member is not None
    await second.leases.leave(member)
    assert await second.kept_responses.claim(digest, now, now + 60_000_000)


async def test_an_application_that_one_engine_deletes_gets_no_endpoint_of_another(pair: Pair) -> None:
    for number in range(4):
        uid = f"app-{number}"
        await pair[0].applications.create(name=uid, uid=uid)
        await pair[1].applications.get(uid)
        outcomes = await asyncio.gather(
            pair[0].applications.delete(uid),
            *(pair[1].endpoints.create(uid, url="http://127.0.0.1:9/") for _ in range(3)),
            return_exceptions=True,
        )
        for made in outcomes[1:]:
            if not isinstance(made, BaseException):
                stored = await pair[0].services.store.endpoints.load(made.id)
                assert stored is not None
                assert stored.deleted, "an endpoint was left in an application that is deleted"


async def test_two_engines_that_are_asked_to_make_the_same_application_make_one(pair: Pair) -> None:
    made = await asyncio.gather(*(engine.applications.get_or_create(name="B", uid="b") for engine in (*pair, *pair)))
    assert len({one.id for one in made}) == 1


async def _one(pair: Pair, url: str) -> list[str]:
    return [(await pair[0].endpoints.create("acme", url=url)).id]


async def test_what_an_endpoint_asks_for_holds_whichever_engine_is_told(pair: Pair) -> None:
    async with Receiver() as receiver:
        ids = await endpoints(pair, receiver.url)
        # Both know by now what each endpoint gets, and how.
        for engine in pair:
            await engine.messages.create("acme", event_type="a.b", payload={"amount": 1})
        await joined(pair)
        receiver.requests.clear()
        for number, endpoint_id in enumerate(ids):
            await pair[number % 2].endpoints.update(
                "acme",
                endpoint_id,
                filter={"amount": {"$gte": 10}},
                authentication={"type": "bearer", "token": "t0ken"},
            )
        for engine in pair:
            await engine.messages.create("acme", event_type="a.b", payload={"amount": 9})
            await engine.messages.create("acme", event_type="a.b", payload={"amount": 11})
        await joined(pair)
        assert len(receiver.requests) == 2 * len(ids)
        assert {request.headers["authorization"] for request in receiver.requests} == {"Bearer t0ken"}
        assert {request.body for request in receiver.requests} == {b'{"amount":11}'}


async def test_alerts_come_once_from_whichever_engine_holds_the_endpoint(pair: Pair) -> None:
    async with Receiver() as told, Receiver(410) as receiver:
        ids = await endpoints(pair, receiver.url)
        await pair[0].alerts.create("acme", kind="webhook", to=told.url, events=["endpoint.disabled"])
        await pair[1].messages.create("acme", event_type="a.b", payload={})
        await told.wait_for(len(ids))
        await joined(pair)
        assert len(told.requests) == len(ids)


async def test_no_engine_waits_in_join_for_a_batch_that_waits_for_more(pair: Pair) -> None:
    async with Receiver() as receiver:
        ids = await endpoints(pair, receiver.url)
        for endpoint_id in ids:
            await pair[0].endpoints.update("acme", endpoint_id, ordering="fifo", batch_size=3, batch_wait="2m")
        for number in range(3):
            assert receiver.requests == []
            await pair[number % 2].messages.create("acme", event_type="a.b", payload={"number": number})
            await joined(pair)
        assert len(receiver.requests) == len(ids)


async def test_the_pause_of_an_endpoint_goes_over_with_it(make_engine: MakeEngine) -> None:
    settings = {**SECRETS, "retry_schedule": ["1h"]}
    async with Receiver(500) as receiver, make_engine(**settings) as second:
        async with make_engine(**settings) as first:
            await shared_out(first, second)
            await first.applications.create(name="Acme", uid="acme")
            while True:
                made = await first.endpoints.create("acme", url=receiver.url, circuit_breaker=True)
                stored = await first.services.store.endpoints.load(made.id)
                assert stored is not None
                if stored.shard in first.services.flow.ownership.shards:
                    break
                await first.endpoints.delete("acme", made.id)
            await asyncio.gather(*(second.messages.create("acme", event_type="a.b", payload={}) for _ in range(FEWEST)))
            await until(lambda: first.services.flow.lane_figures().paused == 1)
        heard = len(receiver.requests)
        await second.messages.create("acme", event_type="a.b", payload={})
        await until(lambda: second.services.flow.lane_figures().paused == 1)
        assert len(receiver.requests) == heard
        assert (await second.endpoints.get("acme", made.id)).paused_until is not None
