"""Traces over HTTP: from a request to the API, and by the daemon to a collector."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from api_clients import Client, Tokens
from daemons import daemon, token
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from receivers import Receiver, hanging
from spans import Spans, at_work, parent_id, recorded_spans, trace_id

from webhook_engine import ConfigError, Engine
from webhook_engine.server.listener import Server
from webhook_engine.server.trace_export import exporters

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{CALLER}-01"
ALLOW = {"WEBHOOK_ENGINE_DELIVERY__ALLOW_SUBNETS": '["127.0.0.1/32"]'}
ON = {"WEBHOOK_ENGINE_TRACING__ENABLED": "true", **ALLOW}
MESSAGE = {"eventType": "invoice.paid", "payload": {}}


@pytest.fixture
def spans() -> Iterator[Spans]:
    with recorded_spans() as recorded:
        yield recorded


class TestTheApi:
    @pytest.fixture
    def settings(self) -> dict[str, object]:
        return {"tracing__enabled": True}

    @pytest.fixture
    async def hook(self, acme: Client) -> Client:
        """The client, whose application has an endpoint."""
        async with Receiver() as receiver:
            await acme.post("/app/acme/endpoint", {"url": receiver.url})
            yield acme

    async def test_it_continues_the_trace_of_a_request(self, hook: Client, engine: Engine, spans: Spans) -> None:
        headers = {"traceparent": TRACEPARENT, "tracestate": "vendor=opaque", "idempotency-key": "k"}
        assert (await hook.post("/app/acme/msg", MESSAGE, headers=headers)).status == 202
        await engine.join(10)
        [create], [post] = spans.created(), spans.attempts()
        assert (f"{trace_id(create):032x}", f"{parent_id(create) or 0:016x}") == (TRACE, CALLER)
        assert f"{trace_id(post):032x}" == TRACE
        assert post.context is not None
        assert post.context.trace_state.to_header() == "vendor=opaque"

    async def test_the_next_request_on_the_connection_does_not(
        self, hook: Client, engine: Engine, spans: Spans
    ) -> None:
        for headers in ({"traceparent": TRACEPARENT}, {}, {"traceparent": f"00-{'0' * 32}-{CALLER}-01"}, {}):
            assert (await hook.post("/app/acme/msg", MESSAGE, headers=headers)).status == 202
        await engine.join(10)
        traces = {trace_id(create) for create in spans.created()}
        assert len(traces) == 4
        assert [parent_id(create) is None for create in spans.created()] == [False, True, True, True]
        assert {trace_id(post) for post in spans.attempts()} == traces

    async def test_a_server_is_no_part_of_what_the_host_did_when_it_started(
        self, engine: Engine, spans: Spans, session: aiohttp.ClientSession, tokens: Tokens
    ) -> None:
        with at_work():
            server = Server(engine, "127.0.0.1:0")
            await server.start()
        try:
            api = Client(session, server.url, tokens.organization())
            await api.post("/app", {"name": "Acme", "uid": "acme"})
            assert (await api.post("/app/acme/msg", MESSAGE)).status == 202
        finally:
            await server.stop()
        [create] = spans.created()
        assert parent_id(create) is None


def exported(collector: Receiver) -> list[tuple[str, Span]]:
    """The spans that came, each with the name of its service."""
    found = []
    for request in collector.requests:
        for of_resource in ExportTraceServiceRequest.FromString(request.body).resource_spans:
            [service] = [one.value.string_value for one in of_resource.resource.attributes if one.key == "service.name"]
            found += [(service, span) for scope in of_resource.scope_spans for span in scope.spans]
    return found


async def test_the_daemon_exports_the_trace_of_a_request_and_the_last_of_it_when_it_stops(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    bearer = await token(tmp_path)
    async with Receiver(path="/v1/traces") as collector, Receiver() as receiver:
        export = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url.removesuffix("/v1/traces"),
            "OTEL_BSP_SCHEDULE_DELAY": "3600000",  # so that nothing is exported before the daemon stops
        }
        async with daemon(tmp_path, **ON, **export) as running:
            api = Client(session, running.url, bearer)
            await api.post("/app", {"name": "x", "uid": "acme"})
            await api.post("/app/acme/endpoint", {"url": receiver.url})
            await api.post("/app/acme/msg", MESSAGE, headers={"traceparent": TRACEPARENT})
            [request] = await receiver.wait_for(1)
            assert not collector.requests
            assert await running.end() == 0
        found = exported(collector)
    assert "traceparent" not in request.headers
    assert {service for service, _ in found} == {"webhook-engine"}
    assert {span.trace_id.hex() for _, span in found} == {TRACE}
    parents = {span.name: (span.parent_span_id, span.span_id) for _, span in found}
    assert parents.keys() == {"create invoice.paid", "POST"}
    assert parents["create invoice.paid"][0].hex() == CALLER
    assert parents["POST"][0] == parents["create invoice.paid"][1]


async def test_the_daemon_obeys_the_variables_of_opentelemetry(tmp_path: Path, session: aiohttp.ClientSession) -> None:
    bearer = await token(tmp_path)
    async with Receiver(path="/elsewhere") as collector:
        export = {
            "OTEL_TRACES_EXPORTER": "console,otlp",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": collector.url,
            "OTEL_EXPORTER_OTLP_HEADERS": "x-key=for-the-collector",
            "OTEL_RESOURCE_ATTRIBUTES": "service.name=hooks",
            "OTEL_BSP_SCHEDULE_DELAY": "10",
        }
        async with daemon(tmp_path, **ON, **export) as running:
            api = Client(session, running.url, bearer)
            await api.post("/app", {"name": "x", "uid": "acme"})
            await api.post("/app/acme/msg", MESSAGE)
            [request] = await collector.wait_for(1)
            assert running.process.stdout is not None
            assert await asyncio.wait_for(running.process.stdout.readline(), 10) == b"{\n"
    assert request.headers["x-key"] == "for-the-collector"
    assert [service for service, _ in exported(collector)] == ["hooks"]


@pytest.mark.slow
async def test_a_collector_that_never_answers_delays_no_delivery_and_not_the_end_for_long(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    bearer = await token(tmp_path)
    async with hanging() as collector, Receiver() as receiver:
        export = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": collector.url, "OTEL_EXPORTER_OTLP_TIMEOUT": "60"}
        async with daemon(tmp_path, **ON, **export, OTEL_BSP_SCHEDULE_DELAY="1") as running:
            api = Client(session, running.url, bearer)
            await api.post("/app", {"name": "x", "uid": "acme"})
            await api.post("/app/acme/endpoint", {"url": receiver.url})
            await api.post("/app/acme/msg", MESSAGE)
            await collector.wait_for(1)
            await api.post("/app/acme/msg", MESSAGE)
            await receiver.wait_for(2)
            running.process.terminate()
            assert (await running.until("traces.let_go"))["level"] == "warning"
            assert await asyncio.wait_for(running.process.wait(), 5) == 0


@pytest.mark.parametrize(
    ("environment", "made"),
    [
        ({}, ["OTLPSpanExporter"]),
        ({"OTEL_TRACES_EXPORTER": "", "OTEL_EXPORTER_OTLP_PROTOCOL": ""}, ["OTLPSpanExporter"]),
        ({"OTEL_TRACES_EXPORTER": "none"}, []),
        ({"OTEL_TRACES_EXPORTER": "console, otlp"}, ["ConsoleSpanExporter", "OTLPSpanExporter"]),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, ["OTLPSpanExporter"]),
    ],
)
def test_the_exporters_are_those_that_are_named(environment: dict[str, str], made: list[str]) -> None:
    assert [type(exporter).__name__ for exporter in exporters(environment)] == made


@pytest.mark.parametrize(
    ("variable", "value"), [("OTEL_TRACES_EXPORTER", "zipper"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "morse")]
)
def test_an_exporter_that_is_not_there_is_an_error_that_says_so(variable: str, value: str) -> None:
    with pytest.raises(ConfigError, match=rf"{variable} = '{value}'"):
        list(exporters({variable: value}))
