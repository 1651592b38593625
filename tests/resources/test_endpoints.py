"""Endpoints: edits, secrets, switching off and on, catching up."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest
from standardwebhooks import Webhook

from webhook_engine import ConflictError, Engine, ManualClock, NotFoundError, RotationLimitError, ValidationError
from webhook_engine.clock import to_datetime
from webhook_engine.errors import ExampleUnavailableError
from webhook_engine.events import EndpointEvent, OperationalEvent
from webhook_engine.model import AttemptStatus, Endpoint, TaskStatus, TriggerType
from webhook_engine.secrets.signing import SigningKey

HOUR = timedelta(hours=1)


@pytest.fixture
async def endpoint(engine: Engine, receiver) -> Endpoint:
    return await engine.endpoints.create("acme", url=receiver.url, uid="main")


def types(told: list[OperationalEvent]) -> list[str]:
    return [event.type for event in told if isinstance(event, EndpointEvent)]


async def send(engine: Engine, **arguments: object) -> str:
    message = await engine.messages.create("acme", **{"event_type": "a", "payload": {"id": 1}, **arguments})
    await engine.join(5)
    return message.id


async def test_an_endpoint_is_kept_as_given(engine: Engine, clock: ManualClock) -> None:
    await engine.event_types.create(name="a")
    made = await engine.endpoints.create(
        "acme",
        url="HTTP://Example.com",
        description="d",
        uid="u",
        event_types=["a"],
        channels=["c"],
        throttle_rate=5,
        version=2,
        metadata={"k": "v"},
    )
    assert (made.url, made.event_types, made.channels, made.version) == ("http://example.com/", ("a",), ("c",), 2)
    assert await engine.endpoints.get("acme", "u") == await engine.endpoints.get("acme", made.id) == made


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"url": "example.com"}, "url"),
        ({"url": None}, "url"),
        ({"description": None}, "description"),
        ({"uid": "ep_1"}, "uid"),
        ({"event_types": []}, "event_types"),
        ({"event_types": ["unknown"]}, "event_types"),
        ({"event_types": "a"}, "event_types"),
        ({"channels": ["a b"]}, "channels[0]"),
        ({"throttle_rate": "5"}, "throttle_rate"),
        ({"version": 0}, "version"),
        ({"disabled": 1}, "disabled"),
        ({"metadata": []}, "metadata"),
    ],
)
async def test_what_is_not_allowed_is_refused(
    engine: Engine, endpoint: Endpoint, arguments: dict[str, object], field: str
) -> None:
    with pytest.raises(ValidationError) as creating:
        await engine.endpoints.create("acme", **{"url": "http://h", **arguments})  # type: ignore[arg-type]
    with pytest.raises(ValidationError) as updating:
        await engine.endpoints.update("acme", "main", **arguments)  # type: ignore[arg-type]
    assert creating.value.field == updating.value.field == field


@pytest.mark.parametrize(
    ("arguments", "field"), [({"secret": "x"}, "secret"), ({"headers": {"svix-id": "1"}}, 'headers["svix-id"]')]
)
async def test_what_only_a_new_endpoint_takes(engine: Engine, arguments: dict[str, object], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        await engine.endpoints.create("acme", url="http://h", **arguments)  # type: ignore[arg-type]
    assert caught.value.field == field


async def test_unknown_event_types_are_all_named(engine: Engine) -> None:
    await engine.event_types.create(name="a")
    await engine.event_types.create(name="old")
    await engine.event_types.delete("old")
    with pytest.raises(ValidationError, match="don't exist: x, old"):
        await engine.endpoints.create("acme", url="http://h", event_types=["x", "a", "old"])


async def test_what_an_endpoint_has_it_may_keep(engine: Engine) -> None:
    for name in ("a", "old", "gone", "never"):
        await engine.event_types.create(name=name)
    made = await engine.endpoints.create("acme", url="http://h", uid="u", event_types=["a", "old", "gone"])
    await engine.event_types.delete("old")
    await engine.event_types.delete("gone", expunge=True)
    await engine.event_types.delete("never")
    for key in ("u", made.id):
        same = await engine.endpoints.update("acme", key, description=key, event_types=["a", "old", "gone"])
        assert same.event_types == ("a", "old", "gone")
    with pytest.raises(ValidationError, match=r"don't exist: never$"):
        await engine.endpoints.update("acme", "u", event_types=["a", "old", "never"])
    fewer = await engine.endpoints.update("acme", "u", event_types=["old"])
    assert fewer.event_types == ("old",)
    with pytest.raises(ValidationError, match=r"don't exist: gone$"):  # it has that one no more
        await engine.endpoints.update("acme", "u", event_types=["old", "gone"])
    with pytest.raises(ValidationError, match=r"don't exist: old$"):  # another endpoint never had it
        await engine.endpoints.create("acme", url="http://h", event_types=["old"])
    with pytest.raises(ValidationError, match=r"don't exist: old$"):
        await engine.endpoints.update("acme", "nobody", event_types=["old"])


async def test_every_change_is_told(engine: Engine, told: list[OperationalEvent]) -> None:
    await engine.endpoints.create("acme", url="http://h", uid="u")
    await engine.endpoints.update("acme", "u", description="x")
    await engine.endpoints.set_headers("acme", "u", {"a": "b"})
    await engine.endpoints.rotate_secret("acme", "u")
    await engine.endpoints.disable("acme", "u")
    await engine.endpoints.disable("acme", "u")
    await engine.endpoints.enable("acme", "u")
    await engine.endpoints.enable("acme", "u")
    await engine.endpoints.delete("acme", "u")
    await asyncio.sleep(0)
    assert types(told) == [
        *("endpoint.created", "endpoint.updated", "endpoint.updated", "endpoint.updated"),
        *("endpoint.updated", "endpoint.enabled", "endpoint.deleted"),
    ]
    assert told[-1].data()["endpointUid"] == "u"


async def test_uids_are_unique_in_the_application(engine: Engine, endpoint: Endpoint) -> None:
    with pytest.raises(ConflictError):
        await engine.endpoints.create("acme", url="http://h", uid="main")
    other = await engine.endpoints.create("acme", url="http://h")
    with pytest.raises(ConflictError):
        await engine.endpoints.update("acme", other.id, uid="main")
    await engine.endpoints.delete("acme", "main")
    assert (await engine.endpoints.update("acme", other.id, uid="main")).uid == "main"
    with pytest.raises(NotFoundError):
        await engine.endpoints.get("acme", endpoint.id)


async def test_an_update_changes_only_what_is_given(engine: Engine, endpoint: Endpoint) -> None:
    await engine.endpoints.update("acme", "main", description="d", channels=["c"], throttle_rate=5, metadata={"a": "b"})
    after = await engine.endpoints.update("acme", "main", url="http://h")
    assert (after.url, after.description, after.channels, after.throttle_rate) == ("http://h/", "d", ("c",), 5)
    cleared = await engine.endpoints.update("acme", "main", channels=None, throttle_rate=None, metadata=None, uid=None)
    assert (cleared.channels, cleared.throttle_rate, cleared.metadata, cleared.uid) == (None, None, {}, None)


async def test_edits_at_the_same_time_do_not_lose_one_another(engine: Engine, endpoint: Endpoint) -> None:
    await asyncio.gather(*(engine.endpoints.patch_headers("acme", "main", {f"x-{n}": "1"}) for n in range(20)))
    assert len((await engine.endpoints.get_headers("acme", "main")).headers) == 20
    await asyncio.gather(*(engine.endpoints.rotate_secret("acme", "main") for _ in range(10)))
    with pytest.raises(RotationLimitError):
        await engine.endpoints.rotate_secret("acme", "main")


async def test_headers_apply_from_the_next_message(engine: Engine, endpoint: Endpoint, receiver) -> None:
    await engine.endpoints.set_headers("acme", "main", {"X-A": "1", "Authorization": "Bearer s"})
    await send(engine)
    await engine.endpoints.patch_headers("acme", "main", {"X-A": None, "X-B": "2"})
    await send(engine)
    first, second = (request.headers for request in receiver.requests)
    assert (first["X-A"], first["Authorization"]) == ("1", "Bearer s")
    assert ("X-A" in second, second["X-B"], second["Authorization"]) == (False, "2", "Bearer s")
    shown = await engine.endpoints.get_headers("acme", "main")
    assert (shown.headers, shown.sensitive) == ({"X-B": "2"}, ("Authorization",))


async def test_one_name_is_one_header_however_it_is_written(engine: Engine, receiver) -> None:
    await engine.endpoints.create("acme", url=receiver.url, uid="main", headers={"x-tenant": "1", "X-Tenant": "2"})
    assert (await engine.endpoints.get_headers("acme", "main")).headers == {"X-Tenant": "2"}
    await engine.endpoints.patch_headers("acme", "main", {"x-TENANT": "3", "authorization": "Bearer s"})
    await engine.endpoints.patch_headers("acme", "main", {"AUTHORIZATION": "Bearer t"})
    shown = await engine.endpoints.get_headers("acme", "main")
    assert (shown.headers, shown.sensitive) == ({"x-TENANT": "3"}, ("AUTHORIZATION",))
    await send(engine)
    sent = [(name.lower(), value) for name, value in receiver.requests[0].headers.items()]
    assert [value for name, value in sent if name == "x-tenant"] == ["3"]
    assert [value for name, value in sent if name == "authorization"] == ["Bearer t"]
    await engine.endpoints.patch_headers("acme", "main", {"X-Tenant": None, "Authorization": None})
    shown = await engine.endpoints.get_headers("acme", "main")
    assert (shown.headers, shown.sensitive) == ({}, ())
    await engine.endpoints.set_headers("acme", "main", {"a": "1", "A": "2"})
    assert (await engine.endpoints.get_headers("acme", "main")).headers == {"A": "2"}


async def test_of_sensitive_headers_only_the_names_are_shown(engine: Engine, endpoint: Endpoint) -> None:
    sensitive = {"AUTHORIZATION": "2", "x-api-key": "3", "X-Auth-Token": "4", "www-authenticate": "5"}
    await engine.endpoints.set_headers("acme", "main", {"X-Foo": "1", **sensitive})
    shown = await engine.endpoints.get_headers("acme", "main")
    assert shown.headers == {"X-Foo": "1"}
    assert shown.sensitive == ("AUTHORIZATION", "x-api-key", "X-Auth-Token", "www-authenticate")


async def test_a_rotated_secret_signs_until_its_grace_is_over(
    engine: Engine, endpoint: Endpoint, receiver, clock: ManualClock
) -> None:
    old = await engine.endpoints.get_secret("acme", "main")
    new = await engine.endpoints.rotate_secret("acme", "main", grace_period=HOUR)
    assert new == await engine.endpoints.get_secret("acme", "main") != old
    await send(engine)
    clock.advance(HOUR)
    await send(engine)
    await engine.endpoints.rotate_secret("acme", "main", grace_period=timedelta(0))
    await send(engine)
    assert [len(request.headers["webhook-signature"].split()) for request in receiver.requests] == [2, 1, 1]


async def test_a_given_secret_is_what_signs(engine: Engine, receiver) -> None:
    secret = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    await engine.endpoints.create("acme", url=receiver.url, uid="own", secret=secret)
    assert await engine.endpoints.get_secret("acme", "own") == secret
    await send(engine)
    headers = receiver.requests[0].headers
    signed = Webhook(secret).sign(
        headers["webhook-id"],
        datetime.fromtimestamp(int(headers["webhook-timestamp"])).astimezone(),
        receiver.bodies[0].decode(),
    )
    assert headers["webhook-signature"] == signed


async def test_of_a_key_pair_only_the_public_half_is_given_out(engine: Engine, endpoint: Endpoint) -> None:
    key = SigningKey.generate("ed25519")
    assert await engine.endpoints.rotate_secret("acme", "main", key.secret) == key.public
    assert (await engine.endpoints.get_secret("acme", "main")).startswith("whpk_")


@pytest.mark.parametrize("grace", [timedelta(days=7, seconds=1), timedelta(seconds=-1), 60, None])
async def test_a_grace_out_of_range_is_refused(engine: Engine, endpoint: Endpoint, grace: object) -> None:
    with pytest.raises(ValidationError, match="grace_period"):
        await engine.endpoints.rotate_secret("acme", "main", None, grace)  # type: ignore[arg-type]


async def test_a_disabled_endpoint_gets_nothing_until_it_is_enabled(
    engine: Engine, endpoint: Endpoint, receiver
) -> None:
    disabled = await engine.endpoints.update("acme", "main", disabled=True)
    assert (disabled.disabled, disabled.disabled_reason) == (True, "disabled by hand")
    assert disabled.disabled_at is not None
    await send(engine)
    assert receiver.bodies == []
    enabled = await engine.endpoints.update("acme", "main", disabled=False)
    assert (enabled.disabled, enabled.disabled_at, enabled.disabled_reason) == (False, None, None)
    await send(engine)
    assert len(receiver.bodies) == 1


async def test_what_was_scheduled_fails_when_the_endpoint_is_disabled(
    engine: Engine, endpoint: Endpoint, clock
) -> None:
    later = await engine.messages.create("acme", event_type="a", payload={}, deliver_at=clock_time(clock) + HOUR)
    assert (await engine.endpoints.stats("acme", "main")).pending == 1
    await engine.endpoints.disable("acme", "main")
    (row,) = (await engine.attempts.list_attempted_messages("acme", "main")).data
    assert (row.message.id, row.status, row.reason) == (later.id, AttemptStatus.FAIL, "endpoint disabled")
    await engine.endpoints.enable("acme", "main")
    assert (await engine.endpoints.stats("acme", "main")).pending == 0


async def test_what_was_scheduled_is_cancelled_when_the_endpoint_is_deleted(
    engine: Engine, endpoint: Endpoint, clock: ManualClock
) -> None:
    later = await engine.messages.create("acme", event_type="a", payload={}, deliver_at=clock_time(clock) + HOUR)
    await engine.endpoints.delete("acme", "main")
    (row,) = (await engine.attempts.list_attempted_destinations("acme", later.id)).data
    assert (row.endpoint.id, row.status) == (endpoint.id, AttemptStatus.CANCELED)
    with pytest.raises(NotFoundError):
        await engine.attempts.resend("acme", later.id, endpoint.id)


async def test_an_example_is_sent_whatever_the_filters(engine: Engine, receiver) -> None:
    await engine.event_types.create(name="a", schemas={"1": {"examples": [{"ü": 1}]}})
    await engine.event_types.create(name="plain")
    await engine.endpoints.create(
        "acme", url=receiver.url, uid="u", event_types=["plain"], channels=["c"], disabled=True
    )
    other = await engine.endpoints.create("acme", url=receiver.url)
    ping = await engine.endpoints.send_example("acme", "u", "svix.ping")
    await engine.endpoints.send_example("acme", "u", "a")
    await engine.join(5)
    assert receiver.bodies == [b'{"success": true}', '{"ü":1}'.encode()]
    (attempt,) = (await engine.attempts.list_by_message("acme", ping.id)).data
    assert attempt.trigger_type is TriggerType.MANUAL
    assert (await engine.attempts.list_by_endpoint("acme", other.id)).data == []
    with pytest.raises(ExampleUnavailableError):
        await engine.endpoints.send_example("acme", "u", "plain")
    with pytest.raises(NotFoundError, match="event type"):
        await engine.endpoints.send_example("acme", "u", "unknown")
    with pytest.raises(ValidationError):
        await engine.endpoints.send_example("acme", "u", "a b")


async def test_a_failed_example_is_not_repeated(engine: Engine, endpoint: Endpoint, receiver) -> None:
    receiver.answer(500)
    await engine.endpoints.send_example("acme", "main", "webhook.ping")
    await engine.join(5)
    assert len(receiver.bodies) == 1
    assert (await engine.endpoints.stats("acme", "main")).fail == 1


async def test_recover_sends_what_failed(engine: Engine, endpoint: Endpoint, receiver, clock: ManualClock) -> None:
    receiver.answer(500)
    since = clock_time(clock)
    await send(engine)
    receiver.answer(200)
    task = await engine.endpoints.recover("acme", "main", since)
    assert (task.task, task.status, task.endpoint_id) == ("endpoint.recover", TaskStatus.RUNNING, endpoint.id)
    done = await engine.tasks.wait(task.id, timeout=5)
    await engine.join(5)
    assert (done.status, done.data["processed"]) == (TaskStatus.FINISHED, 1)
    assert len(receiver.bodies) == 2
    stats = await engine.endpoints.stats("acme", "main")
    assert (stats.success, stats.fail) == (1, 1)


async def test_replay_sends_what_was_missed(engine: Engine, endpoint: Endpoint, receiver, clock: ManualClock) -> None:
    await engine.endpoints.disable("acme", "main")
    await send(engine, payload={"missed": True})
    await engine.endpoints.enable("acme", "main")
    task = await engine.endpoints.replay_missing("acme", "main", clock_time(clock) - HOUR)
    await engine.tasks.wait(task.id, timeout=5)
    await engine.join(5)
    assert receiver.bodies == [b'{"missed":true}']


@pytest.mark.parametrize(
    ("since", "until", "field"),
    [
        (timedelta(days=-14, minutes=-6), None, "since"),
        (timedelta(seconds=1), None, "since"),
        (timedelta(hours=-1), timedelta(hours=-1), "since"),
        (None, None, "since"),
        (timedelta(hours=-1), "now", "until"),
    ],
)
async def test_catching_up_has_bounds(
    engine: Engine, endpoint, clock, since: object, until: object, field: str
) -> None:
    def moment(offset: object) -> object:
        return clock_time(clock) + offset if isinstance(offset, timedelta) else offset

    for start in (engine.endpoints.recover, engine.endpoints.replay_missing):
        with pytest.raises(ValidationError) as caught:
            await start("acme", "main", moment(since), moment(until))  # type: ignore[arg-type]
        assert caught.value.field == field


async def test_catching_up_may_begin_14_days_ago(engine: Engine, endpoint: Endpoint, clock: ManualClock) -> None:
    task = await engine.endpoints.recover("acme", "main", clock_time(clock) - timedelta(days=14, minutes=5))
    assert (await engine.tasks.wait(task.id, 5)).status is TaskStatus.FINISHED


async def test_a_bound_in_the_future_is_now(engine: Engine, endpoint: Endpoint, clock: ManualClock) -> None:
    now = clock_time(clock)
    task = await engine.endpoints.recover("acme", "main", now - HOUR, now + HOUR)
    assert task.data["until"] == clock.now() + 1
    await engine.tasks.wait(task.id, 5)


async def test_statistics_count_attempts_in_the_span(engine: Engine, endpoint: Endpoint, receiver, clock) -> None:
    begin = clock_time(clock)
    await send(engine)
    clock.advance(HOUR)
    receiver.answer(500)
    await send(engine)
    end = clock_time(clock)
    assert await counts(engine) == (1, 1)
    assert await counts(engine, until=begin + HOUR / 2) == (1, 0)
    assert await counts(engine, since=begin + HOUR / 2) == (0, 1)
    assert await counts(engine, since=end - timedelta(days=28, minutes=5), until=end) == (1, 1)


async def counts(engine: Engine, **bounds: datetime) -> tuple[int, int]:
    stats = await engine.endpoints.stats("acme", "main", **bounds)
    return stats.success, stats.fail


@pytest.mark.parametrize(
    ("since", "until", "field"),
    [(None, timedelta(seconds=1), "until"), (timedelta(days=-28, minutes=-6), None, "since"), (5, None, "since")],
)
async def test_statistics_have_bounds(
    engine: Engine, endpoint, clock, since: object, until: object, field: str
) -> None:
    def moment(offset: object) -> object:
        return clock_time(clock) + offset if isinstance(offset, timedelta) else offset

    with pytest.raises(ValidationError) as caught:
        await engine.endpoints.stats("acme", "main", moment(since), moment(until))  # type: ignore[arg-type]
    assert caught.value.field == field


async def test_endpoints_are_listed_newest_first(engine: Engine) -> None:
    ids = [(await engine.endpoints.create("acme", url="http://h")).id for _ in range(3)]
    assert [one.id for one in (await engine.endpoints.list("acme")).data] == ids[::-1]
    assert [one.id for one in (await engine.endpoints.list("acme", order="ascending", limit=2)).data] == ids[:2]
    assert [one.id async for one in engine.endpoints.iterate("acme")] == ids


async def test_a_cancelled_edit_is_either_made_or_not(engine: Engine, endpoint: Endpoint) -> None:
    for turns in range(12):
        task = asyncio.create_task(engine.endpoints.update("acme", "main", description=f"turn {turns}"))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        stored = await engine._store.endpoints.get(endpoint.application_id, endpoint.id)
        assert stored is not None
        assert await engine.endpoints.get("acme", "main") == stored.endpoint


def clock_time(clock: ManualClock) -> datetime:
    return to_datetime(clock.now())
