"""All that the engine asks of a store, in one go: for tests that look at how the store does it."""

from __future__ import annotations

import itertools

import msgspec
from records import ORGANIZATION, START, World, addressed, change, manual, progress

from webhook_engine.ids import id_bounds
from webhook_engine.model import Application, AttemptStatus, DeliveryStatus, TaskStatus
from webhook_engine.store.insight import Range
from webhook_engine.store.positions import Position
from webhook_engine.store.records import (
    AddressedMessage,
    ApplicationChanges,
    AttemptFilter,
    DeliveryFilter,
    EndpointChanges,
    EndpointCondition,
    EventTypeChanges,
    MessageFilter,
    Outcomes,
    RefusedRow,
    Span,
    StoredEndpoint,
)
from webhook_engine.store.seam import Store


async def run_the_flow(store: Store, world: World, application: Application, endpoint: StoredEndpoint) -> None:
    """What delivering asks for, of an endpoint that may have much behind it."""
    other = await world.endpoint(application)
    batch = [
        addressed(world.new_message(application.id, event_id=f"e{number}"), endpoint, other) for number in range(3)
    ]
    await store.messages.add([*batch, AddressedMessage(world.new_message(application.id), [], endpoint.endpoint.id, 1)])
    await store.messages.add(batch)
    endpoint_id, message = endpoint.endpoint.id, batch[0].message
    await store.deliveries.request_attempt(manual(message, endpoint, "manual_1"))
    await store.deliveries.endpoints_with_due("ep_0", 10)
    await store.deliveries.due(endpoint_id, START * 2, 10)
    await store.deliveries.next_due_at(endpoint_id, START)
    await store.deliveries.get(message.id, endpoint_id)
    await store.deliveries.record(
        Outcomes(
            attempts=[world.new_attempt(message, endpoint)],
            deliveries=[change(message, endpoint, DeliveryStatus.FAILED, manual_id="manual_1")],
            conditions={endpoint_id: EndpointCondition()},
            messages=[addressed(world.new_message(application.id), other)],
        )
    )
    for status in (DeliveryStatus.FAILED, DeliveryStatus.CANCELLED):
        await store.deliveries.settle_pending(endpoint_id, status, "why", START, 10)
    await store.deliveries.cancel_message(message.id, "why", START)
    task = await world.task()
    await store.deliveries.recover(endpoint_id, START - 1, START + 1, START, 10, progress(task))
    await store.deliveries.retrying(endpoint_id, START - 1, START + 1, "msg_", START, 10)
    await store.deliveries.bring_forward(endpoint_id, [message.id], START, progress(task))
    await store.deliveries.missing(application.id, endpoint_id, "msg_", "msg_~", 10)
    await store.deliveries.replay(endpoint_id, [message.id], START, progress(task))
    await store.deliveries.count_pending(endpoint_id)
    await store.attempts.count(endpoint_id, "", "~")
    await store.attempts.get(message.id, "atmpt_1")
    await store.attempts.expunge(message.id, "atmpt_1")
    await store.messages.get(application.id, message.id)
    await store.messages.expunge(message.id)
    await store.tasks.running()
    await store.tasks.get(ORGANIZATION, task.id)
    await store.tasks.advance(progress(task), START)
    await store.tasks.end(progress(task, status=TaskStatus.FINISHED), START, [])
    await store.outbox.waiting(10)
    await store.outbox.set_aside([RefusedRow(1, "bad")], START)


async def run_the_managers(store: Store, world: World) -> None:
    """What callers ask for, apart from lists."""
    application, endpoint = await world.pair()
    await store.applications.get(ORGANIZATION, "acme")
    await store.applications.update(application.id, ApplicationChanges(name="x"), START)
    await store.endpoints.get(application.id, "main")
    await store.endpoints.load(endpoint.endpoint.id)
    await store.endpoints.first()
    await store.endpoints.of_application(application.id)
    await store.endpoints.count(application.id)
    await store.endpoints.update(endpoint.endpoint.id, EndpointChanges(version=2), START)
    position = Position(application_id=application.id, sink="a", consumer="one", after="msg_1", used_at=START)
    for consumer in ("one", "two", "three"):
        await store.positions.keep(msgspec.structs.replace(position, consumer=consumer), 1, START)
    await store.positions.get(application.id, "a", "one")
    await store.endpoints.delete(endpoint.endpoint.id, START)
    await store.applications.delete(application.id, START)
    await store.event_types.add(world.new_event_type(world.id("type_")))
    await store.event_types.get(ORGANIZATION, "a")
    await store.event_types.update(ORGANIZATION, "a", EventTypeChanges(archived=True), START)
    await store.event_types.unknown(ORGANIZATION, ["a", "b"])
    await store.event_types.expunge(ORGANIZATION, "a")


async def run_the_lists(store: Store, application_id: str, endpoint_id: str) -> None:
    """Every list with every combination of filters."""
    types = (None, ("a",), ("a", "b"), tuple(f"t{number}" for number in range(50)))
    for descending in (True, False):
        span = Span(low="a", high="z", descending=descending)
        await store.applications.list(ORGANIZATION, span)
        await store.endpoints.list(application_id, span)
        await store.deliveries.list_by_message("msg_1", span)
        await store.messages.edge(application_id, span, 3)
        for status in (None, *AttemptStatus):
            await store.deliveries.edge(endpoint_id, status, span, 3)
            await store.attempts.edge(endpoint_id, status, span, 3)
        for archived, flags in itertools.product((True, False), (None, ("beta",))):
            await store.event_types.list(ORGANIZATION, span, include_archived=archived, feature_flags=flags)
        for status, kind, of_application in itertools.product(
            (None, TaskStatus.RUNNING), (None, "endpoint.recover"), (None, application_id)
        ):
            await store.tasks.list(ORGANIZATION, span, status=status, kind=kind, application_id=of_application)
        for event_types, channel, tag in itertools.product(types, (None, "x"), (None, "t")):
            for content in (True, False):
                where = MessageFilter(event_types=event_types, channel=channel, tag=tag, with_content=content)
                await store.messages.list(application_id, span, where)
            for status in (None, *AttemptStatus):
                delivery = DeliveryFilter(status=status, event_types=event_types, channel=channel, tag=tag)
                await store.deliveries.list_by_endpoint(endpoint_id, span, delivery)
                for code, of_endpoint in itertools.product((None, 500), (None, endpoint_id)):
                    attempt = AttemptFilter(
                        status=status,
                        status_code_class=code,
                        event_types=event_types,
                        channel=channel,
                        tag=tag,
                        endpoint_id=of_endpoint,
                    )
                    await store.attempts.list_by_endpoint(endpoint_id, span, attempt)
                    await store.attempts.list_by_message("msg_1", span, attempt)


async def run_the_charts(store: Store, application_id: str, endpoint_id: str) -> None:
    """Attempts over a time, counted in each stretch of it."""
    edges = [id_bounds("atmpt_", START + number * 60_000_000)[0] for number in range(61)]
    stretches = [Range(*pair) for pair in itertools.pairwise(edges)]
    for of_endpoint in (endpoint_id, None):
        await store.insight.attempts(application_id, of_endpoint, stretches)
        await store.insight.durations(application_id, of_endpoint, stretches)
        await store.insight.more_attempts(application_id, of_endpoint, Range(edges[0], edges[-1]), 10)


async def fill(store: Store, world: World, count: int) -> tuple[Application, StoredEndpoint]:
    """An application with so many messages; the endpoint that is returned has much in every state."""
    application = await world.application()
    endpoints = [await world.endpoint(application) for _ in range(3)]
    sent = [world.new_message(application.id, event_type="ab"[number % 2]) for number in range(count)]
    await store.messages.add([addressed(message, *endpoints) for message in sent])
    await store.event_types.add(world.new_event_type(world.id("type_")))
    await world.task(application_id=application.id)
    statuses = itertools.cycle(DeliveryStatus)
    for endpoint in endpoints:
        await store.deliveries.record(
            Outcomes(
                attempts=[world.new_attempt(message, endpoint) for message in sent],
                deliveries=[
                    change(message, endpoint, status, START if status is DeliveryStatus.PENDING else None)
                    for message, status in zip(sent, statuses, strict=False)
                ],
            )
        )
    return application, endpoints[0]
