"""One attempt of a delivery, from its target to its outcome. It knows no lane and no queue.

::

    begin ─► sign ─► send ─► decide ─► outcome
                      │ the engine itself lacked something
                      └───────────────► postponed: nothing is recorded
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING

import msgspec

from webhook_engine.clock import to_datetime
from webhook_engine.delivery.attempt.access_tokens import AccessTokens, TokenClient
from webhook_engine.delivery.attempt.breaker import Breaker, step
from webhook_engine.delivery.attempt.decision import EXPIRED, Decision, decide
from webhook_engine.delivery.attempt.events import events_of
from webhook_engine.delivery.attempt.health import Signal
from webhook_engine.delivery.attempt.order import in_order
from webhook_engine.delivery.attempt.outcome import Outcome, Postponed, reaction_to
from webhook_engine.delivery.attempt.target import Target
from webhook_engine.delivery.attempt.transforming import CANCELLED, Transformer
from webhook_engine.delivery.elapsed import Moment
from webhook_engine.delivery.http.response import FailureKind, Response
from webhook_engine.delivery.http.sender import Sender
from webhook_engine.delivery.measures import Measures
from webhook_engine.delivery.troubles import Lack, lack_of
from webhook_engine.ids import IdSource
from webhook_engine.log import get_logger
from webhook_engine.model import AttemptStatus, DeliveryStatus, Exchange, Health, TriggerType, UsualExchange
from webhook_engine.store.records import DeliveryChange, Due, EndpointCondition, RecordedAttempt

if TYPE_CHECKING:
    from webhook_engine.delivery.mail.mailer import Mailer
    from webhook_engine.delivery.tracing import Tracing

__all__ = ["Attempter", "Begun", "EndpointState"]

log = get_logger("delivery")

UNAUTHORIZED = 401
# Bound to names, since on Python 3.11 looking up an enum member costs as much as a call.
_SUCCESS, _SCHEDULED, _DISABLE = AttemptStatus.SUCCESS, TriggerType.SCHEDULED, Signal.DISABLE
_OWN, _TRANSFORMATION = FailureKind.OWN, FailureKind.TRANSFORMATION
MAX_BODY_KEPT = 65_536
"""Bytes stored of a transformed request body."""
MAX_HEAD_KEPT = 8_192
"""Bytes stored of a response head."""


class EndpointState(msgspec.Struct, frozen=True, gc=False):
    """The state of an endpoint at one moment."""

    health: Health
    closed: bool
    """Whether it is disabled or deleted."""
    breaker: Breaker | None = None
    """Its circuit breaker, if it has one."""


class Begun(msgspec.Struct, frozen=True, gc=False):
    """An attempt before it is sent."""

    id: str
    at: int
    target: Target
    due: Due
    payload: bytes
    request: Due
    """The request that is sent; not ``due`` itself if it is a batch."""


class Attempter:
    """Makes attempts."""

    def __init__(
        self,
        *,
        sender: Sender,
        access_tokens: AccessTokens,
        transformer: Transformer,
        event_type_of: Callable[[str], Awaitable[str | None]],
        look: Callable[[], Moment],
        ids: IdSource,
        measures: Measures,
        tracing: Tracing | None,
        mailer: Mailer | None = None,
    ) -> None:
        self._sender = sender
        self._access_tokens = access_tokens
        self._transformer = transformer
        self._event_type_of = event_type_of
        self._look = look
        self._ids = ids
        self._measures = measures
        self._tracing = tracing
        self._mailer = mailer

    async def with_event_type(self, due: Due) -> Due:
        """Return ``due`` with the event type of its message, read if unknown. Raises ``StoreError``."""
        if due.event_type:
            return due
        return msgspec.structs.replace(due, event_type=await self._event_type_of(due.message_id) or "")

    async def attempt(
        self,
        target: Target,
        due: Due,
        payload: bytes,
        state: Callable[[], EndpointState],
        request: Due | None = None,
    ) -> Outcome | Postponed:
        """Make one attempt. ``state`` gives the endpoint's state, which may change until the response is there.

        It begins at once, with nothing awaited before, so ``due`` must have its event type if the target needs it.
        ``request``: the batch that is sent for this delivery and those behind it.
        """
        event_type = due.event_type or ""
        target = target.of_event_type(event_type)
        begun = sent = self._begin(target, due, payload, request or due)
        if target.transforming is None:
            response, signature, encoding = await self._send(begun)
        else:
            changed = await self._transformer.apply(target, begun.request, event_type, payload, target.transforming)
            if changed is None:
                return self._end(target, due, DeliveryStatus.CANCELLED, CANCELLED)
            if isinstance(changed, Response):
                response, signature, encoding = changed, "", None
            else:
                sent = Begun(begun.id, begun.at, changed.target, due, changed.payload, changed.request)
                response, signature, encoding = await self._send(sent)
        if response.failure is _OWN:
            self._measures.attempt_hindered(response, self._look().now)
            return Postponed(due, response)
        self._measures.attempt_made(due, response, begun.at)
        before, moment = state(), self._look()
        decision = decide(
            due,
            response,
            target.rules,
            before=before.health,
            disabled=before.closed,
            moment=moment,
            random=random.random(),  # noqa: S311
        )
        breaker = None
        if before.breaker is not None:
            breaker = step(before.breaker, due, moment.ran, failed=response.failure is not None)
            decision = _paused(decision, before, breaker, moment)
        outcome = _outcome(begun, sent, response, signature, encoding, decision, before.health, moment.now)
        if breaker is not None:
            outcome = msgspec.structs.replace(outcome, breaker=breaker)
            _log_pause(begun, before.breaker, breaker, decision)
        if response.failure is not None:
            _log_failure(begun, response.failure, response, decision)
        return outcome

    def give_up(self, target: Target, due: Due) -> Outcome:
        """The outcome of a delivery whose payload is deleted; no attempt is made."""
        return self._end(target, due, DeliveryStatus.FAILED, EXPIRED)

    def _end(self, target: Target, due: Due, status: DeliveryStatus, reason: str) -> Outcome:
        """The outcome that settles a delivery without an attempt."""
        change = DeliveryChange(
            due.message_id,
            due.endpoint_id,
            status,
            None,
            due.step,
            reason,
            self._look().now,
            due.manual_id,
            attempted=False,
        )
        return Outcome(due, target.endpoint.application_id, in_order(change, due, target.endpoint))

    def _begin(self, target: Target, due: Due, payload: bytes, request: Due) -> Begun:
        now = self._look().now
        return Begun(self._ids.new("atmpt_", now), now, target, due, payload, request)

    async def _send(self, begun: Begun) -> tuple[Response, str, str | None]:
        """Send the request; returns the response, the signature and the content encoding."""
        target, due = begun.target, begun.request
        if target.mail_to is not None:
            return await self._mail(target.mail_to, begun), "", None
        try:
            encoding = None
            if target.compressed:
                body, encoding = await target.body(begun.payload)
                begun = msgspec.structs.replace(begun, payload=body)
            signature = target.signature(due, begun.at, begun.payload)
            signed = target.header_lines(due, begun.at, signature, encoding)
        except Exception as error:
            # A broken key is not the receiver's fault.
            log.exception("attempt.not_made", message_id=due.message_id, endpoint_id=due.endpoint_id)
            return _own_trouble(lack_of(error) or Lack.SECRETS, f"could not sign: {type(error).__name__}"), "", None
        try:
            if target.token_client is not None:
                return await self._send_authorized(begun, signed, target.token_client), signature, encoding
            return await self._post(begun, signed), signature, encoding
        except Exception as error:
            if (lack := lack_of(error)) is not None:
                return _own_trouble(lack, f"the request could not be made: {error or type(error).__name__}"), "", None
            # An unexpected error is retried on the schedule like any failure, and logged for us to fix.
            log.exception("attempt.not_made", message_id=due.message_id, endpoint_id=due.endpoint_id)
            text = f"the request could not be made: {type(error).__name__}"
            return Response(0, text, FailureKind.PROTOCOL, 0, sent=False), "", None

    async def _send_authorized(self, begun: Begun, signed: str, client: TokenClient) -> Response:
        """Send the request with an access token, and again with a new one if the receiver refuses a cached one."""
        token = await self._access_tokens.get(client)
        if isinstance(token, Response):
            return token
        response = await self._post_with(token, begun, signed, client)
        if response.status_code == UNAUTHORIZED and self._access_tokens.refused(client, token):
            renewed = await self._access_tokens.get(client)
            if not isinstance(renewed, Response) and renewed != token:
                return await self._post_with(renewed, begun, signed, client)
        return response

    async def _post_with(self, token: str, begun: Begun, signed: str, client: TokenClient) -> Response:
        response = await self._post(begun, f"{signed}authorization: Bearer {token}\r\n")
        if response.failure is None:
            self._access_tokens.taken(client, token)
        return response

    def _post(self, begun: Begun, further: str) -> Coroutine[None, None, Response]:
        if self._tracing is None:
            return self._sender.send(begun.target.destination, further, begun.payload)
        return self._tracing.send(self._sender, begun.target, begun.due, begun.payload, begun.id, further)

    async def _mail(self, to: str, begun: Begun) -> Response:
        """Send an e-mail; returns the mail server's reply as a response."""
        if self._mailer is None:
            return _own_trouble(Lack.MAIL, "no mail server is configured (alerts.smtp_host)")
        endpoint = begun.target.endpoint
        return await self._mailer.send(
            to, endpoint.application_id, endpoint.id, begun.request.message_id, begun.payload, begun.at
        )


def _own_trouble(lack: Lack, text: str) -> Response:
    return Response(0, text, FailureKind.OWN, 0, lack=lack)


def _exchange(due: Due, response: Response, signature: str) -> UsualExchange:
    number = None if due.manual_id else due.step + 1
    head = response.head[:MAX_HEAD_KEPT].decode("latin-1")
    timing = response.timing
    if timing is None:
        return UsualExchange(number, signature if response.sent else "", head)
    return UsualExchange(
        number,
        signature if response.sent else "",
        head,
        timing.lookup_us,
        timing.connect_us,
        timing.tls_us,
        timing.first_byte_us,
    )


def _transformed(begun: Begun, sent: Begun, response: Response, signature: str) -> Exchange:
    """The exchange of a transformed request."""
    usual = _exchange(sent.due, response, signature)
    return Exchange(
        usual.number,
        usual.signature,
        usual.response_head,
        usual.lookup_us,
        usual.connect_us,
        usual.tls_us,
        usual.first_byte_us,
        sent.target.destination.method,
        # The body of a batch is not stored: deleting one message would leave it in the attempts of the others.
        sent.payload[:MAX_BODY_KEPT].decode("utf-8", "replace") if begun.request is begun.due else None,
    )


def _outcome(
    begun: Begun,
    sent: Begun,
    response: Response,
    signature: str,
    encoding: str | None,
    decision: Decision,
    before: Health,
    now: int,
) -> Outcome:
    """The outcome that follows from a decision. ``sent`` is the request as transformed."""
    due, target = begun.due, begun.target
    attempt = RecordedAttempt(
        begun.id,
        due.message_id,
        due.endpoint_id,
        sent.target.endpoint.url,
        _SUCCESS if response.failure is None else AttemptStatus.FAIL,
        response.status_code,
        response.duration_ms,
        TriggerType.MANUAL if due.manual_id or due.asked else _SCHEDULED,
        response.text,
        sent.target.shown_headers(sent.request, encoding) if response.sent else {},
        response.failure and response.failure.value,
        _exchange(due, response, signature) if sent is begun else _transformed(begun, sent, response, signature),
    )
    condition = closed = None
    if decision.signal is _DISABLE:
        reason = decision.disabled_reason
        condition = EndpointCondition(health=decision.health, disabled_at=now, disabled_reason=reason)
        closed = target.disabled(reason)
    elif decision.health is not before and decision.health != before:
        condition = EndpointCondition(health=decision.health)
    return Outcome(
        due,
        target.endpoint.application_id,
        in_order(decision.change, due, target.endpoint),
        attempt,
        None if response.failure is _TRANSFORMATION and not response.timed_out else reaction_to(response),
        decision.health,
        condition,
        closed,
        events_of(target, due, attempt, decision, before=before, started_at=begun.at, now=now),
    )


def _paused(decision: Decision, before: EndpointState, breaker: Breaker, moment: Moment) -> Decision:
    """The decision with the circuit breaker's pause applied."""
    until = before.health.paused_until
    if breaker.until is None:
        until = None
    elif before.breaker is None or breaker.until != before.breaker.until:
        until = moment.now + breaker.until - moment.ran
    if decision.health.paused_until == until:
        return decision
    return msgspec.structs.replace(decision, health=msgspec.structs.replace(decision.health, paused_until=until))


def _log_pause(begun: Begun, before: Breaker | None, breaker: Breaker, decision: Decision) -> None:
    if before is None or before.until == breaker.until:
        return
    if breaker.until is None:
        log.info("endpoint.resumed", endpoint_id=begun.due.endpoint_id)
    elif (until := decision.health.paused_until) is not None:
        log.warning("endpoint.paused", endpoint_id=begun.due.endpoint_id, until=to_datetime(until).isoformat())


def _log_failure(begun: Begun, failure: FailureKind, response: Response, decision: Decision) -> None:
    log.info(
        "attempt.failed",
        attempt_id=begun.id,
        message_id=begun.due.message_id,
        endpoint_id=begun.due.endpoint_id,
        status_code=response.status_code,
        failure=failure.value,
        duration_ms=response.duration_ms,
        next_attempt_at=decision.change.due_at and to_datetime(decision.change.due_at).isoformat(),
    )
