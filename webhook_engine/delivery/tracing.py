"""Traces, through OpenTelemetry: how a message was accepted, and each of its attempts, however much later.

The only module that makes spans. It is imported only where ``tracing.enabled`` says so; everywhere else stands ``None``
in its place. Spans go to the tracer provider of the process, which is the host's own business; the daemon's is set up
in :mod:`webhook_engine.server.trace_export`.

::

    caller's span ─► create (producer) ─► POST, the first attempt (client)
                          │           └─► POST, a retry, hours later or after a restart
                          └ kept with the message as its trace context
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import msgspec
from multidict import CIMultiDictProxy
from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from webhook_engine.delivery.attempt.target import Target
from webhook_engine.delivery.http.response import FailureKind, Response
from webhook_engine.delivery.http.sender import Sender
from webhook_engine.log import get_logger
from webhook_engine.store.records import Due, NewMessage
from webhook_engine.version import __version__

__all__ = ["Tracing"]

log = get_logger("tracing")

SYSTEM = "webhook_engine"
LONGEST_STATE = 512
"""Characters of a ``tracestate`` that everybody must pass on; a longer one is left out, as the standard allows."""

_TRACEPARENT, _TRACESTATE = "traceparent", "tracestate"
_W3C = TraceContextTextMapPropagator()


class Tracing:
    """Makes the spans of an engine. A fault of a tracer never changes what becomes of a message."""

    def __init__(self, *, send_traceparent: bool) -> None:
        self._tracer = trace.get_tracer("webhook_engine", __version__)
        self._send_traceparent = send_traceparent

    def continue_from(self, headers: CIMultiDictProxy[str]) -> None:
        """Let the present task be part of the trace that a request comes from, and of no other one."""
        # A task answers all requests of a connection, one after the other: each takes the place of the one before.
        context.attach(_context_of(headers.get(_TRACEPARENT), headers.getall(_TRACESTATE, [])))

    def accepting(self, message: NewMessage, stored: asyncio.Future[None]) -> NewMessage:
        """The message as part of the caller's trace, or of a new one; its span lasts until it is ``stored``."""
        span = self._begin(
            f"create {message.event_type}",
            SpanKind.PRODUCER,
            context.get_current(),
            {
                "messaging.system": SYSTEM,
                "messaging.operation.name": "create",
                "messaging.operation.type": "create",
                "messaging.destination.name": message.application_id,
                "messaging.message.id": message.id,
                "messaging.message.body.size": len(message.payload),
                "webhook_engine.organization.id": message.organization_id,
                "webhook_engine.event_type": message.event_type,
            },
        )
        stored.add_done_callback(lambda _: _end(span, None if stored.cancelled() else stored.exception()))
        return msgspec.structs.replace(message, trace_context=_kept(span))

    async def send(
        self, sender: Sender, target: Target, due: Due, body: bytes, attempt_id: str, signed: str
    ) -> Response:
        """Make an attempt as :meth:`Sender.send` does, as part of the trace of its message."""
        span = self._begin(
            target.destination.method,
            SpanKind.CLIENT,
            _restored(due.trace_context),
            _described(target, due, attempt_id),
        )
        try:
            further = signed + self._propagated(span, target)
            response = await sender.send(target.destination, further, body)
        except BaseException as error:
            _end(span, error)
            raise
        _end(span, _failure(response), response.status_code)
        return response

    def _begin(self, name: str, kind: SpanKind, parent: Context, attributes: Mapping[str, AttributeValue]) -> Span:
        try:
            return self._tracer.start_span(name, parent, kind, attributes)
        except Exception:
            log.exception("tracing.broken", span=name)
            return trace.INVALID_SPAN

    def _propagated(self, span: Span, target: Target) -> str:
        """The header line for the receiver, where it is wanted. What else a trace carries with it stays here."""
        if not self._send_traceparent or _TRACEPARENT in target.destination.headers:
            return ""
        traceparent = _carrier(span).get(_TRACEPARENT)
        return f"{_TRACEPARENT}: {traceparent}\r\n" if traceparent else ""


def _end(span: Span, failure: BaseException | str | None, status_code: int = 0) -> None:
    try:
        if status_code:
            span.set_attribute("http.response.status_code", status_code)
        if failure is not None:
            span.set_attribute("error.type", failure if isinstance(failure, str) else type(failure).__qualname__)
            span.set_status(StatusCode.ERROR)
        span.end()
    except Exception:
        log.exception("tracing.broken")


def _described(target: Target, due: Due, attempt_id: str) -> dict[str, AttributeValue]:
    """What a span may say about an attempt: no payload, no signature, no secret, and no query, which may be one."""
    url = target.destination.url
    attributes: dict[str, AttributeValue] = {
        "http.request.method": target.destination.method,
        "url.full": str(url.with_query(None).with_fragment(None)),
        "server.address": url.raw_host or "",
        "server.port": url.port or 0,
        "messaging.system": SYSTEM,
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": target.endpoint.application_id,
        "messaging.destination.subscription.name": due.endpoint_id,
        "messaging.message.id": due.message_id,
        "webhook_engine.attempt.id": attempt_id,
        "webhook_engine.attempt.trigger": "manual" if due.manual_id or due.asked else "scheduled",
    }
    if due.attempt_count:
        attributes["http.request.resend_count"] = due.attempt_count
    return attributes


def _failure(response: Response) -> str | None:
    """What went wrong, as a word of few: the status code, or the kind of failure."""
    if response.failure is FailureKind.STATUS:
        return str(response.status_code)
    return None if response.failure is None else response.failure.value


def _kept(span: Span) -> str | None:
    """The trace context in the form that is stored with a message; ``None`` if there is no trace."""
    carrier = _carrier(span)
    state = carrier.get(_TRACESTATE, "")
    return "\n".join(carrier.values() if len(state) <= LONGEST_STATE else [carrier[_TRACEPARENT]]) or None


def _restored(kept: str | None) -> Context:
    """What :func:`_kept` has kept, as the parent of a span."""
    traceparent, _, state = (kept or "").partition("\n")
    return _context_of(traceparent, [state] if state else [])


def _carrier(span: Span) -> dict[str, str]:
    carrier: dict[str, str] = {}
    _W3C.inject(carrier, trace.set_span_in_context(span, Context()))
    return carrier


def _context_of(traceparent: str | None, state: Sequence[str]) -> Context:
    """A context with this span of somebody else, and nothing else; with nothing at all if it is not a valid one."""
    return _W3C.extract({_TRACEPARENT: [traceparent] if traceparent else [], _TRACESTATE: [*state]}, Context())
