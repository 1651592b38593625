"""What pages show of many things at once, by what is stored."""

import msgspec
from records import ORGANIZATION, START, World

from webhook_engine.ids import id_bounds
from webhook_engine.model import AttemptStatus, DeliveryStatus
from webhook_engine.store.insight import Counted, Range, Timed
from webhook_engine.store.records import EndpointChanges, EndpointCondition, Health
from webhook_engine.store.seam import Store


def condition(*, failing_since: int | None = None, disabled_at: int | None = None) -> EndpointChanges:
    health = Health(first_failure_at=failing_since, last_failure_at=failing_since)
    return EndpointChanges(condition=EndpointCondition(health=health, disabled_at=disabled_at, disabled_reason="gone"))


async def test_an_organization_is_counted_and_its_sick_endpoints_are_listed(store: Store, world: World) -> None:
    application = await world.application(uid="acme", name="Acme")
    well, failing, failing_longer, disabled = [await world.endpoint(application) for _ in range(4)]
    other = await world.application(organization_id="org_2")
    await world.endpoint(other)
    for one, changes in (
        (failing, condition(failing_since=START + 5)),
        (failing_longer, condition(failing_since=START + 1)),
        (disabled, condition(failing_since=START, disabled_at=START + 9)),
    ):
        await store.endpoints.update(one.endpoint.id, changes, world.tick())
    first = await world.send(failing)
    second = await world.send(failing, well)
    await world.conclude(second, well, DeliveryStatus.SUCCEEDED)
    await world.conclude(first, failing, DeliveryStatus.PENDING, due_at=world.now)

    figures = await store.insight.figures(ORGANIZATION, second.id, 1_000, 1_000)
    assert (figures.applications, figures.endpoints, figures.failing, figures.disabled) == (1, 4, 2, 1)
    assert (figures.pending, figures.pending_more, figures.oldest_pending) == (2, False, first.id)
    assert figures.recent_messages == 1
    capped = await store.insight.figures(ORGANIZATION, "msg_", 1, 1)
    assert (capped.pending, capped.pending_more, capped.recent_messages) == (1, True, 1)

    listed = {
        which: [each.id for each in await store.insight.endpoints(ORGANIZATION, which, 10, 1_000)]  # type: ignore[arg-type]
        for which in ("failing", "disabled", "backlogged")
    }
    assert listed == {
        "failing": [failing_longer.endpoint.id, failing.endpoint.id],
        "disabled": [disabled.endpoint.id],
        "backlogged": [failing.endpoint.id],
    }
    [standing] = await store.insight.endpoints(ORGANIZATION, "backlogged", 10, 1_000)
    assert (standing.application_id, standing.application_uid, standing.application_name) == (
        application.id,
        "acme",
        "Acme",
    )
    assert (standing.pending, standing.oldest_pending) == (2, first.id)
    empty = await store.insight.figures("org_none", "msg_", 10, 10)
    assert (empty.applications, empty.endpoints, empty.pending, empty.oldest_pending) == (0, 0, 0, None)


async def test_things_are_found_by_id_uid_event_id_and_text_in_their_own_organization(
    store: Store, world: World
) -> None:
    application = await world.application(uid="acme", name="Acme Corporation")
    endpoint = await world.endpoint(application, uid="main", url="https://hooks.example.com/in", description="100% Ada")
    message = await world.send(endpoint, event_id="inv-1")
    elsewhere = await world.application(organization_id="org_2", uid="acme", name="Acme")
    await world.endpoint(elsewhere, url="https://hooks.example.com/in")

    async def found(text: str) -> list[tuple[str, str]]:
        return [(each.kind, each.id) for each in await store.insight.find(ORGANIZATION, text, 5)]

    the_application, the_endpoint = ("application", application.id), ("endpoint", endpoint.endpoint.id)
    assert await found("ACME") == [the_application]
    assert await found(application.id) == [the_application]
    assert await found("main") == await found("Hooks.Example") == await found("% ada") == [the_endpoint]
    assert await found(endpoint.endpoint.id) == [the_endpoint]
    assert await found("inv-1") == await found(message.id) == [("message", message.id)]
    assert await found("%") == [the_endpoint]
    assert await found("nothing of this") == await found("a\0b") == []
    [one] = await store.insight.find(ORGANIZATION, "inv-1", 5)
    assert (one.title, one.detail, one.application_id, one.application_name) == (
        "invoice.paid",
        "inv-1",
        application.id,
        "Acme Corporation",
    )


async def test_what_fits_exactly_is_found_first(store: Store, world: World) -> None:
    await world.application(uid="acme-test", name="Acme test")
    exact = await world.application(uid="acme", name="The second")
    assert [each.id for each in await store.insight.find(ORGANIZATION, "acme", 1)] == [exact.id]


async def test_the_pulse_is_another_one_after_each_change(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    seen = [await store.insight.pulse(application.id)]
    message = await world.send(endpoint)
    seen.append(await store.insight.pulse(application.id))
    await world.conclude(message, endpoint, DeliveryStatus.PENDING, due_at=world.now)
    seen.append(await store.insight.pulse(application.id))
    await store.endpoints.update(endpoint.endpoint.id, EndpointChanges(description="new"), world.tick())
    seen.append(await store.insight.pulse(application.id))
    assert len(set(seen)) == 4
    assert await store.insight.pulse(application.id) == seen[-1]
    assert await store.insight.pulse("app_none")


async def test_attempts_are_counted_in_stretches_of_time_by_answer_and_duration(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    another = await world.endpoint(application)
    message = await world.send(endpoint, another)
    at = world.now

    async def attempt(stored: object, after_s: int, status: DeliveryStatus, code: int, ms: int) -> None:
        identifier = id_bounds("atmpt_", at + after_s * 1_000_000)[0]
        await world.conclude(
            message,
            stored,
            status,
            due_at=at,
            id=identifier,
            status_code=code,
            duration_ms=ms,  # type: ignore[arg-type]
        )

    pending = DeliveryStatus.PENDING
    await attempt(endpoint, 1, pending, 500, 42)
    await attempt(endpoint, 2, pending, 503, 1_280)
    await attempt(another, 11, pending, 0, 15_000)
    await attempt(endpoint, 12, DeliveryStatus.SUCCEEDED, 204, 999)

    def stretch(begin_s: int, end_s: int) -> Range:
        return Range(*(id_bounds("atmpt_", at + seconds * 1_000_000)[0] for seconds in (begin_s, end_s)))

    stretches = [stretch(0, 10), stretch(10, 20), stretch(20, 30)]
    success, fail = AttemptStatus.SUCCESS, AttemptStatus.FAIL

    async def counted(endpoint_id: str | None) -> set[tuple[object, ...]]:
        found = await store.insight.attempts(application.id, endpoint_id, stretches)
        assert all(isinstance(each, Counted) for each in found)
        return {msgspec.structs.astuple(each) for each in found}

    assert await counted(None) == {(0, fail, 2), (1, fail, 1), (1, success, 1)}
    assert await counted(endpoint.endpoint.id) == {(0, fail, 2), (1, success, 1)}
    timed = await store.insight.durations(application.id, None, stretches)
    assert sorted(map(msgspec.structs.astuple, timed)) == [
        (0, fail, 5, 42, 1),
        (0, fail, 5, 1_200, 1),
        (1, success, 2, 990, 1),
        (1, fail, 0, 15_000, 1),
    ]
    assert all(isinstance(each, Timed) for each in timed)
    assert await store.insight.durations(application.id, "ep_none", stretches) == []
    # Stretches with something between them that is not counted.
    stretches = [stretch(0, 2), stretch(12, 20)]
    assert await counted(None) == {(0, fail, 1), (1, success, 1)}
    apart = await store.insight.durations(application.id, None, stretches)
    assert sorted(map(msgspec.structs.astuple, apart)) == [(0, fail, 5, 42, 1), (1, success, 2, 990, 1)]
    assert await store.insight.more_attempts(application.id, None, stretch(0, 30), 3)
    assert not await store.insight.more_attempts(application.id, None, stretch(0, 30), 4)
    assert not await store.insight.more_attempts(application.id, endpoint.endpoint.id, stretch(0, 30), 3)
