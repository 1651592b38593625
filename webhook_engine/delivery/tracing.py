"""OpenTelemetry traces: a span for accepting a message, and one for each attempt, however much later.

This is the only module that makes spans. It is imported only with ``tracing.enabled``; otherwise there is no
:class:`Tracing`, but ``None``. Spans go to the tracer provider of the process, which the host sets up; the daemon's is
set up in :mod:`webhook_engine.server.trace_export`.

::

    caller's span ─► create (producer) ─► POST, the first attempt (client)
                          │           └─► POST, a retry, hours later or after a restart
                          └ stored with the message as its trace context
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
"""Characters of a ``tracestate`` that must be propagated; a longer one is dropped, as the standard allows."""

_TRACEPARENT, _TRACESTATE = "traceparent", "tracestate"
_W3C = TraceContextTextMapPropagator()


class Tracing:
    """Makes the spans of an engine. An error in a tracer never affects a message."""

    def __init__(self, *, send_traceparent: bool) -> None:
        self._tracer = trace.get_tracer("webhook_engine", __version__)
        self._send_traceparent = send_traceparent

    def continue_from(self, headers: CIMultiDictProxy[str]) -> None:
        """Attach the current task to the trace of an incoming request, and to no other."""
        # One task handles all requests of a connection, one after another: each replaces the trace of the last.
        context.attach(_context_of(headers.get(_TRACEPARENT), headers.getall(_TRACESTATE, [])))

    def accepting(self, message: NewMessage, stored: asyncio.Future[None]) -> NewMessage:
        """Add a message to the caller's trace, or to a new one; its span ends when it is ``stored``."""
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
        """The ``traceparent`` header line for the receiver, if enabled. Other trace data is not propagated."""
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
    """The attributes of an attempt's span: no payload, signature or secret, and no query, which may contain one."""
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
    """The error type, with few distinct values: the status code, or the kind of failure."""
    if response.failure is FailureKind.STATUS:
        return str(response.status_code)
    return None if response.failure is None else response.failure.value


def _kept(span: Span) -> str | None:
    """The trace context in the form that is stored with a message; ``None`` if there is no trace."""
    carrier = _carrier(span)
    state = carrier.get(_TRACESTATE, "")
    return "\n".join(carrier.values() if len(state) <= LONGEST_STATE else [carrier[_TRACEPARENT]]) or None


def _restored(kept: str | None) -> Context:
    """The parent of a span, from what :func:`_kept` has stored."""
    traceparent, _, state = (kept or "").partition("\n")
    return _context_of(traceparent, [state] if state else [])


def _carrier(span: Span) -> dict[str, str]:
    carrier: dict[str, str] = {}
    _W3C.inject(carrier, trace.set_span_in_context(span, Context()))
    return carrier


def _context_of(traceparent: str | None, state: Sequence[str]) -> Context:
    """A context with only this remote span; empty if the span is invalid."""
    return _W3C.extract({_TRACEPARENT: [traceparent] if traceparent else [], _TRACESTATE: [*state]}, Context())
