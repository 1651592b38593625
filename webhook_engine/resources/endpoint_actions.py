"""Actions on an endpoint other than edits: send an example, recover, replay, cancel, statistics."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import msgspec

from webhook_engine.clock import microseconds, to_datetime
from webhook_engine.delivery.accept.intake import as_message
from webhook_engine.delivery.http.response import Response
from webhook_engine.errors import NotFoundError, ValidationError
from webhook_engine.ids import ID_STEP, id_bounds
from webhook_engine.model import Application, AttemptStatus, AuthenticationTrial, EndpointStats, Message, Task
from webhook_engine.resources.endpoint_editor import EndpointEditor
from webhook_engine.resources.examples import PING, example_of, is_ping
from webhook_engine.resources.services import Services
from webhook_engine.resources.starting import start_task
from webhook_engine.rules import names, values
from webhook_engine.rules.message import MessageDraft
from webhook_engine.rules.tasks import TaskKind
from webhook_engine.shielded import shielded
from webhook_engine.store.records import DeliveryFilter

__all__ = ["EndpointActions", "send_to"]

CANCELLED_AT_ONCE = 1_000
MAX_EXAMPLES = 1000
TRIAL = "webhook.ping"

STATS_SPAN = microseconds(timedelta(days=28))
TOLERANCE = microseconds(timedelta(minutes=5))
"""How much older than allowed a bound may be: the caller read its clock before the call arrived."""


class EndpointActions:
    """Sending by hand, background tasks and statistics of an endpoint."""

    def __init__(self, editor: EndpointEditor) -> None:
        self._editor = editor
        self._services = editor.services

    async def send_example(
        self,
        application: str,
        endpoint: str | None,
        event_type: str,
        *,
        example_index: int = 0,
        payload: object = None,
    ) -> Message:
        """Send an example of an event type to an endpoint alone, or to all that it matches."""
        found = await self._editor.application(application)
        name = names.name("event_type", event_type)
        index = values.integer("example_index", example_index, 0, MAX_EXAMPLES)
        only = None if endpoint is None else (await self._editor.find(found.id, endpoint))[1].endpoint.id
        if not is_ping(name):
            registered = await self._services.store.event_types.get(self._editor.organization_id, name)
            if registered is None:
                raise NotFoundError("event type", name)
            if payload is None:
                payload = await asyncio.to_thread(example_of, registered, index)
        return await send_to(self._services, found, only, MessageDraft(name, PING if payload is None else payload))

    async def try_authentication(self, application: str, endpoint: str) -> AuthenticationTrial:
        """Request an access token if one is needed, and send an example."""
        _, stored = await self._editor.find(application, endpoint)
        got = await self._services.flow.ask_for_token(stored.endpoint.id)
        if isinstance(got, Response):
            return AuthenticationTrial(problem=got.text, token_life_s=None, message_id=None)
        message = await self.send_example(application, stored.endpoint.id, TRIAL)
        return AuthenticationTrial(
            problem=None, token_life_s=None if got is None else int(got.life_s), message_id=message.id
        )

    async def recover(self, application: str, endpoint: str, since: datetime, until: datetime | None = None) -> Task:
        """Start a task that sends failed messages again."""
        return await self._start(TaskKind.RECOVER, application, endpoint, since, until, step=1)

    async def replay_missing(
        self, application: str, endpoint: str, since: datetime, until: datetime | None = None
    ) -> Task:
        """Start a task that sends messages which never had a delivery to the endpoint."""
        return await self._start(TaskKind.REPLAY, application, endpoint, since, until, step=ID_STEP)

    async def bulk_replay(
        self,
        application: str,
        endpoint: str,
        since: datetime,
        until: datetime | None,
        where: DeliveryFilter,
    ) -> Task:
        """Start a task that resends the deliveries that ``where`` selects."""
        chosen = msgspec.to_builtins(where)
        return await self._start(TaskKind.BULK_REPLAY, application, endpoint, since, until, step=ID_STEP, filter=chosen)

    async def cancel_pending(self, application: str, endpoint: str, created_before: datetime | None = None) -> int:
        """Cancel scheduled deliveries; returns how many."""
        services = self._services
        now = services.clock.now()
        bound = now + ID_STEP if created_before is None else values.instant("created_before", created_before)
        _, stored = await self._editor.find(application, endpoint)
        return await shielded(_cancel(services, stored.endpoint.id, id_bounds("msg_", min(bound, now + ID_STEP))[0]))

    async def stats(
        self, application: str, endpoint: str, since: datetime | None = None, until: datetime | None = None
    ) -> EndpointStats:
        """Count attempts by result, and what is scheduled now."""
        store, now = self._services.store, self._services.clock.now()
        end = now if until is None else values.instant("until", until)
        if end > now:
            raise ValidationError("until", "'until' cannot be in the future")
        begin = end - STATS_SPAN if since is None else values.instant("since", since)
        if begin < end - STATS_SPAN - TOLERANCE:
            raise ValidationError(
                "since", f"'since' cannot be more than 28 days prior to {to_datetime(end).isoformat()}"
            )
        _, stored = await self._editor.find(application, endpoint)
        counts = await store.attempts.count(
            stored.endpoint.id, id_bounds("atmpt_", begin)[0], id_bounds("atmpt_", end)[1]
        )
        pending, sending = await store.deliveries.count_pending(stored.endpoint.id)
        return EndpointStats(
            success=counts.get(AttemptStatus.SUCCESS, 0),
            pending=pending,
            sending=sending,
            fail=counts.get(AttemptStatus.FAIL, 0),
            canceled=counts.get(AttemptStatus.CANCELED, 0),
        )

    async def _start(
        self,
        kind: TaskKind,
        application: str,
        endpoint: str,
        since: datetime,
        until: datetime | None,
        *,
        step: int,
        **more: object,
    ) -> Task:
        services = self._services
        found = await self._editor.application(application)
        now = services.clock.now()
        # The upper bound is exclusive: one step after now, so that it includes what happened just now.
        begin, end = self._bounds(since, until, now, now + step)
        _, stored = await self._editor.find(found.id, endpoint)
        return await start_task(
            services,
            self._editor.organization_id,
            kind,
            {"processed": 0, "since": begin, "until": end, **more},
            application_id=found.id,
            endpoint_id=stored.endpoint.id,
        )

    def _bounds(self, since: object, until: object, now: int, latest: int) -> tuple[int, int]:
        begin = values.instant("since", since)
        # Not later than now, or the task would keep taking up what fails again while it runs.
        end = latest if until is None else min(values.instant("until", until), latest)
        oldest = self._services.policy.recover_max_age
        if begin < now - microseconds(oldest) - TOLERANCE:
            raise ValidationError("since", f"must be at most {_in_words(oldest)} ago (delivery.recover_max_age)")
        if begin >= end:
            raise ValidationError("since", "must be in the past, and before 'until'")
        return begin, end


async def send_to(
    services: Services, application: Application, endpoint_id: str | None, draft: MessageDraft
) -> Message:
    """Send a message to one endpoint only, disabled or not, as one manual attempt; without one, to all that match."""
    message = services.flow.intake.message_of(application, draft)
    await services.flow.accept(message, manual_to=endpoint_id)
    return as_message(message)


async def _cancel(services: Services, endpoint_id: str, before: str) -> int:
    count = 0
    while True:
        cancelled, turns = await services.store.deliveries.cancel_before(
            endpoint_id, before, "cancelled by hand", services.clock.now(), CANCELLED_AT_ONCE
        )
        for message_id in cancelled:
            services.flow.cancelled(endpoint_id, message_id)
        services.flow.turns_given(turns)
        count += len(cancelled)
        if len(cancelled) < CANCELLED_AT_ONCE:
            return count


def _in_words(length: timedelta) -> str:
    return f"{length.days} days" if length % timedelta(days=1) == timedelta(0) else str(length)
