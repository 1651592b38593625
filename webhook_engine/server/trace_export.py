"""Exports the daemon's traces, as the standard ``OTEL_…`` variables say. Only for a process of our own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import entry_points

from opentelemetry import trace
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from webhook_engine.errors import ConfigError
from webhook_engine.log import get_logger

__all__ = ["export_traces", "exporters"]

FLUSH_PATIENCE_S = 3.0
"""How long a stopping daemon waits for a slow collector."""

log = get_logger("daemon")

_PROTOCOLS = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}


def export_traces(environ: Mapping[str, str]) -> Callable[[], None]:
    """Start exporting the spans of this process; returns a function that exports the last ones and stops.

    The SDK reads the settings for sampler, resource, limits and batches, the exporter that for the collector's address.
    A tracer provider that was set up already, as by ``opentelemetry-instrument``, is left as it is. Raises
    ``ConfigError`` for an exporter that is not installed.
    """
    if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return lambda: None
    provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
    for exporter in exporters(environ):
        provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)

    def end() -> None:
        flushing = threading.Thread(target=provider.shutdown, name="webhook-engine-traces", daemon=True)
        flushing.start()
        flushing.join(FLUSH_PATIENCE_S)
        if flushing.is_alive():
            log.warning("traces.let_go", waited_s=FLUSH_PATIENCE_S, consequence="the last spans may be missing")

    return end


def _resource() -> Resource:
    found = Resource.create()
    if not str(found.attributes[SERVICE_NAME]).startswith("unknown_service"):
        return found
    return found.merge(Resource({SERVICE_NAME: "webhook-engine"}))


def exporters(environ: Mapping[str, str]) -> Iterator[SpanExporter]:
    """Yield an exporter for each name in ``OTEL_TRACES_EXPORTER``; packages register them under these names.

    Raises ``ConfigError`` for one that is not installed.
    """
    for name in map(str.strip, (environ.get("OTEL_TRACES_EXPORTER") or "otlp").split(",")):
        if name in ("", "none"):
            continue
        wanted = _otlp(environ) if name == "otlp" else name
        registered = [*entry_points(group="opentelemetry_traces_exporter", name=wanted)]
        if not registered:
            raise ConfigError(
                f"OTEL_TRACES_EXPORTER = {name!r}: there is no exporter {wanted!r} here; install the package that has "
                "it, or use 'otlp', 'console' or 'none'"
            )
        make: Callable[[], SpanExporter] = registered[0].load()
        yield make()


def _otlp(environ: Mapping[str, str]) -> str:
    variables = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    protocol = next((environ[name] for name in variables if environ.get(name)), "http/protobuf")
    if protocol not in _PROTOCOLS:
        raise ConfigError(f"{variables[1]} = {protocol!r}: use {' or '.join(map(repr, _PROTOCOLS))}")
    return _PROTOCOLS[protocol]
