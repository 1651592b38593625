"""Traces: from whoever creates a message to each of its attempts, however much later, and nothing secret in them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from engines import acme, attempts_of, local_engine, pass_time, send, until
from opentelemetry import context, trace
from opentelemetry.trace import StatusCode
from receivers import Receiver, hanging
from spans import Spans, at_work, parent_id, recorded_spans, span_id, trace_id
from stores import outside, query
from yarl import URL

from webhook_engine import ConflictError, Engine, ManualClock, SyncEngine
from webhook_engine.outbox import enqueue

ON = {"tracing__enabled": True}

WITHOUT_OPENTELEMETRY = """
import asyncio, sys
sys.modules["opentelemetry"] = None  # as where it is not installed
import webhook_engine.cli.serve
from webhook_engine import ConfigError, Engine

async def main():
    async with Engine.open("e.db", retry_schedule=[]) as engine, engine.serve("127.0.0.1:0"):
        await engine.applications.create(name="Acme", uid="acme")
        await engine.endpoints.create("acme", url="http://10.0.0.1/")
        message = await engine.messages.create("acme", event_type="a.b", payload={})
        await engine.join(10)
        print(len((await engine.attempts.list_by_message("acme", message.id)).data))
    print([name for name in sys.modules if name == "webhook_engine.delivery.tracing" or name[:14] == "opentelemetry."])
    try:
        Engine.open("e.db", tracing__enabled=True)
    except ConfigError as error:
        print(error)

asyncio.run(main())
"""


@pytest.fixture
def spans() -> Iterator[Spans]:
    with recorded_spans() as recorded:
        yield recorded


async def test_an_attempt_belongs_to_the_trace_of_whoever_created_the_message(tmp_path: Path, spans: Spans) -> None:
    async with Receiver() as receiver, local_engine(tmp_path / "e.db", **ON) as engine:
        endpoint = await acme(engine, f"{receiver.url}?key=query-secret#part")
        with at_work() as host:
            message_id = await send(engine)
        await engine.join(10)
        [attempt] = await attempts_of(engine, message_id)
    [create], [post] = spans.created(), spans.attempts()
    assert (trace_id(create), parent_id(create)) == (host.trace_id, host.span_id)
    assert (trace_id(post), parent_id(post)) == (host.trace_id, span_id(create))
    assert (create.name, post.name) == ("create invoice.paid", "POST")
    assert dict(create.attributes or {}) == {
        "messaging.system": "webhook_engine",
        "messaging.operation.name": "create",
        "messaging.operation.type": "create",
        "messaging.destination.name": endpoint.application_id,
        "messaging.message.id": message_id,
        "messaging.message.body.size": 7,
        "webhook_engine.organization.id": endpoint.organization_id,
        "webhook_engine.event_type": "invoice.paid",
    }
    assert dict(post.attributes or {}) == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "url.full": receiver.url,
        "server.address": "127.0.0.1",
        "server.port": receiver.port,
        "messaging.system": "webhook_engine",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": endpoint.application_id,
        "messaging.destination.subscription.name": endpoint.id,
        "messaging.message.id": message_id,
        "webhook_engine.attempt.id": attempt.id,
        "webhook_engine.attempt.trigger": "scheduled",
    }
    assert post.status.status_code is StatusCode.UNSET


async def test_nothing_secret_is_in_a_span(tmp_path: Path, spans: Spans) -> None:
    async with Receiver(500) as receiver, local_engine(tmp_path / "e.db", retry_schedule=[], **ON) as engine:
        url = URL(receiver.url).with_user("user-name").with_password("pass-word").with_query(key="query-secret")
        endpoint = await acme(engine, f"{url}#fragment-secret", headers={"x-key": "header-secret"})
        secret = await engine.endpoints.get_secret("acme", endpoint.id)
        await engine.messages.create("acme", event_type="a.b", payload={"card": "payload-secret"})
        await engine.join(10)
        [request] = receiver.requests
    told = " ".join(span.to_json() for span in spans.all)
    assert endpoint.id in told
    for hidden in ("user-name", "pass-word", "-secret", secret, request.headers["webhook-signature"]):
        assert hidden not in told


async def test_retries_hours_later_and_after_a_restart_belong_to_it_too(tmp_path: Path, spans: Spans) -> None:
    clock, file = ManualClock(), tmp_path / "e.db"
    settings = {"retry_schedule": ["2h", "10h"], **ON}
    async with Receiver([500, 503, 200]) as receiver:
        async with local_engine(file, clock, **settings) as engine:
            await acme(engine, receiver.url)
            with at_work() as host:
                message_id = await send(engine)
            await engine.join(10)
            await pass_time(engine, clock, timedelta(hours=2))
        clock.advance(timedelta(hours=10))
        async with local_engine(file, clock, **settings) as engine:
            await engine.join(10)
            assert len(await attempts_of(engine, message_id)) == 3
    [create], posts = spans.created(), spans.attempts()
    assert {trace_id(post) for post in posts} == {host.trace_id}
    assert {parent_id(post) for post in posts} == {span_id(create)}
    told = [(dict(post.attributes or {}), post.status.status_code) for post in posts]
    assert [(one.get("http.request.resend_count"), one.get("error.type"), status) for one, status in told] == [
        (None, "500", StatusCode.ERROR),
        (1, "503", StatusCode.ERROR),
        (2, None, StatusCode.UNSET),
    ]


async def test_what_is_sent_by_hand_belongs_to_it_too(tmp_path: Path, spans: Spans) -> None:
    async with Receiver() as receiver, local_engine(tmp_path / "e.db", **ON) as engine:
        first = await acme(engine, receiver.url)
        with at_work() as host:
            message_id = await send(engine)
        await engine.join(10)
        never_had_it = await acme(engine, receiver.url)
        with at_work():
            await engine.attempts.resend("acme", message_id, first.id)
            await engine.attempts.resend("acme", message_id, never_had_it.id)
        await engine.join(10)
        assert len(receiver.requests) == 3
    assert [trace_id(post) for post in spans.attempts()] == [host.trace_id] * 3
    triggers = [(post.attributes or {})["webhook_engine.attempt.trigger"] for post in spans.attempts()]
    assert triggers == ["scheduled", "manual", "manual"]


async def test_traces_are_not_mixed_up_with_each_other_nor_with_that_of_the_start(tmp_path: Path, spans: Spans) -> None:
    file = tmp_path / "e.db"
    async with Receiver() as receiver:
        with at_work() as start:
            engine = local_engine(file, max_in_flight=1, **ON)
            await engine.start()
        try:
            await acme(engine, receiver.url)
            traces = {}
            for _ in range(5):
                with at_work() as host:
                    traces[await send(engine)] = host.trace_id
            with at_work(), outside(file) as db:
                from_outbox = enqueue(db, application="acme", event_type="invoice.paid", payload={"id": 1})
            await engine.join(10)
        finally:
            await engine.stop()
    by_message = {str((post.attributes or {})["messaging.message.id"]): post for post in spans.attempts()}
    alone = by_message.pop(from_outbox)
    assert {message_id: trace_id(post) for message_id, post in by_message.items()} == traces
    # The transaction that wrote the row knows of no trace: a new one begins where the row is taken over.
    create = spans.created()[-1]
    assert parent_id(create) is None
    assert (trace_id(alone), parent_id(alone)) == (trace_id(create), span_id(create))
    assert trace_id(alone) not in {start.trace_id, *traces.values()}


async def test_what_the_vendor_of_the_trace_adds_goes_with_it(tmp_path: Path, spans: Spans) -> None:
    state = trace.TraceState([("vendor", "opaque")])
    remote = trace.SpanContext(7, 8, is_remote=True, trace_flags=trace.TraceFlags(1), trace_state=state)
    token = context.attach(trace.set_span_in_context(trace.NonRecordingSpan(remote)))
    async with Receiver() as receiver, local_engine(tmp_path / "e.db", **ON) as engine:
        await acme(engine, receiver.url)
        await send(engine)
        context.detach(token)
        await engine.join(10)
    [post] = spans.attempts()
    assert post.context is not None
    assert (post.context.trace_id, post.context.trace_state) == (7, state)


async def test_a_trace_that_is_not_sampled_stays_so(tmp_path: Path, spans: Spans) -> None:
    unsampled = trace.NonRecordingSpan(trace.SpanContext(7, 8, is_remote=True))
    clock, settings = ManualClock(), {"retry_schedule": ["5s"], "tracing__send_traceparent": True, **ON}
    async with Receiver([500, 200]) as receiver, local_engine(tmp_path / "e.db", clock, **settings) as engine:
        await acme(engine, receiver.url)
        with trace.use_span(unsampled):
            await send(engine)
        await engine.join(10)
        await pass_time(engine, clock, 5)
        assert [request.headers["traceparent"][:36] for request in receiver.requests] == [f"00-{7:032x}-"] * 2
        assert all(request.headers["traceparent"].endswith("-00") for request in receiver.requests)
    assert spans.all == []


async def test_receivers_are_shown_no_ids_of_traces(tmp_path: Path, spans: Spans) -> None:
    async with Receiver() as receiver, local_engine(tmp_path / "e.db", **ON) as engine:
        await acme(engine, receiver.url)
        with at_work():
            await send(engine)
        await engine.join(10)
        [request] = receiver.requests
    assert {"traceparent", "tracestate", "baggage"}.isdisjoint(name.lower() for name in request.headers)
    assert len(spans.attempts()) == 1


async def test_receivers_are_shown_the_attempt_where_that_is_wanted_and_nothing_else(
    tmp_path: Path, spans: Spans
) -> None:
    state = trace.TraceState([("vendor", "opaque")])
    remote = trace.SpanContext(7, 8, is_remote=True, trace_flags=trace.TraceFlags(1), trace_state=state)
    settings = {"tracing__send_traceparent": True, **ON}
    async with Receiver() as receiver, Receiver() as other, local_engine(tmp_path / "e.db", **settings) as engine:
        await acme(engine, receiver.url)
        await acme(engine, other.url, headers={"Traceparent": "their own"})
        with trace.use_span(trace.NonRecordingSpan(remote)):
            await send(engine)
        await engine.join(10)
        [request], [theirs] = receiver.requests, other.requests
    [post] = [span for span in spans.attempts() if (span.attributes or {})["server.port"] == receiver.port]
    assert request.headers.getall("traceparent") == [f"00-{7:032x}-{span_id(post):016x}-01"]
    assert "tracestate" not in request.headers
    assert theirs.headers.getall("traceparent") == ["their own"]


@pytest.mark.parametrize(
    ("kind", "url"),
    [("blocked", "http://10.0.0.1/"), ("dns", "http://nowhere.invalid/"), ("dns", "http://xn--a.invalid/")],
)
async def test_an_attempt_without_an_answer_says_what_kind_of_failure_it_was(
    tmp_path: Path, spans: Spans, kind: str, url: str
) -> None:
    async with local_engine(tmp_path / "e.db", retry_schedule=[], **ON) as engine:
        await acme(engine, url)
        await send(engine)
        await engine.join(20)
    [post] = spans.attempts()
    assert (post.attributes or {})["error.type"] == kind
    assert "http.response.status_code" not in (post.attributes or {})
    assert post.status.status_code is StatusCode.ERROR


async def test_an_attempt_that_is_let_go_ends_its_span(tmp_path: Path, spans: Spans) -> None:
    async with hanging() as receiver, local_engine(tmp_path / "e.db", shutdown_grace="0s", **ON) as engine:
        await acme(engine, receiver.url)
        await send(engine)
        await until(lambda: receiver.requests)
    [post] = spans.attempts()
    assert (post.attributes or {})["error.type"] == "CancelledError"


async def test_a_message_that_is_refused_ends_its_span_with_the_reason(tmp_path: Path, spans: Spans) -> None:
    async with local_engine(tmp_path / "e.db", **ON) as engine:
        await engine.applications.create(name="Acme", uid="acme")
        await engine.messages.create("acme", event_type="a.b", payload={}, event_id="once")
        with pytest.raises(ConflictError):
            await engine.messages.create("acme", event_type="a.b", payload={}, event_id="once")
    assert [(span.attributes or {}).get("error.type") for span in spans.created()] == [None, "ConflictError"]


async def test_a_mistake_in_the_tracer_changes_nothing_about_a_message(
    tmp_path: Path, spans: Spans, caplog: pytest.LogCaptureFixture
) -> None:
    async with Receiver() as receiver, local_engine(tmp_path / "e.db", **ON) as engine:
        await acme(engine, receiver.url)
        spans.processor.faulty = True
        message_id = await send(engine)
        await engine.join(10)
        assert [attempt.response_status_code for attempt in await attempts_of(engine, message_id)] == [200]
        assert len(receiver.requests) == 1
    assert "tracing.broken" in caplog.text


def test_a_program_without_an_event_loop_has_its_trace_continued(tmp_path: Path, spans: Spans) -> None:
    with SyncEngine.open(tmp_path / "e.db", **ON) as engine:
        engine.applications.create(name="Acme", uid="acme")
        with at_work() as host:
            engine.messages.create("acme", event_type="a.b", payload={})
    [create] = spans.created()
    assert (trace_id(create), parent_id(create)) == (host.trace_id, host.span_id)


async def test_without_the_setting_nothing_is_kept_and_nothing_traced(tmp_path: Path, spans: Spans) -> None:
    async with Receiver() as receiver, local_engine(tmp_path / "e.db") as engine:
        await acme(engine, receiver.url)
        with at_work():
            await send(engine)
        await engine.join(10)
        assert len(receiver.requests) == 1
    assert spans.all == []
    assert query(tmp_path / "e.db", "SELECT trace_context FROM webhook_message") == [(None,)]


async def test_what_was_created_without_it_is_traced_from_then_on(tmp_path: Path, spans: Spans) -> None:
    clock, file = ManualClock(), tmp_path / "e.db"
    async with Receiver([500, 200]) as receiver:
        async with Engine.open(file, clock=clock, allow_subnets=["127.0.0.0/8"], retry_schedule=["1h"]) as engine:
            await acme(engine, receiver.url)
            await send(engine)
            await engine.join(10)
        clock.advance(timedelta(hours=2))
        with at_work():
            async with local_engine(file, clock, retry_schedule=["1h"], **ON) as engine:
                await engine.join(10)
                assert len(receiver.requests) == 2
    [post] = spans.attempts()
    assert parent_id(post) is None


def test_without_the_extra_everything_works_and_the_setting_says_what_to_install(tmp_path: Path) -> None:
    probe = [sys.executable, "-c", WITHOUT_OPENTELEMETRY]
    done = subprocess.run(probe, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    attempts, loaded, refusal = done.stdout.splitlines()
    assert (attempts, loaded) == ("1", "[]")
    assert "tracing.enabled" in refusal
    assert "pip install 'webhook-engine[otel]'" in refusal
