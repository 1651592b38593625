"""The spans of this process, kept in memory: a process has one tracer provider, for as long as it lives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


class Faulty(SpanProcessor):
    """A host's own processor with a mistake in it."""

    faulty = False

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        if self.faulty and span.kind is trace.SpanKind.PRODUCER:
            raise RuntimeError("a mistake of the host's, at the start")

    def on_end(self, span: ReadableSpan) -> None:
        if self.faulty:
            raise RuntimeError("a mistake of the host's, at the end")


class Spans:
    """What was exported."""

    def __init__(self, exporter: InMemorySpanExporter, processor: Faulty) -> None:
        self._exporter = exporter
        self.processor = processor

    @property
    def all(self) -> list[ReadableSpan]:
        """Those of the engine, in the order in which they ended."""
        return [span for span in self._exporter.get_finished_spans() if _scope(span) == "webhook_engine"]

    def created(self) -> list[ReadableSpan]:
        return [span for span in self.all if span.kind is trace.SpanKind.PRODUCER]

    def attempts(self) -> list[ReadableSpan]:
        return [span for span in self.all if span.kind is trace.SpanKind.CLIENT]


@cache
def _installed() -> tuple[InMemorySpanExporter, Faulty]:
    exporter, processor, provider = InMemorySpanExporter(), Faulty(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    provider.add_span_processor(processor)
    trace.set_tracer_provider(provider)
    return exporter, processor


@contextmanager
def recorded_spans() -> Iterator[Spans]:
    """Begin with none."""
    exporter, processor = _installed()
    exporter.clear()
    yield Spans(exporter, processor)
    processor.faulty = False


@contextmanager
def at_work() -> Iterator[trace.SpanContext]:
    """What the host is doing, as a span of its own."""
    with trace.get_tracer("host").start_as_current_span("pay invoice") as span:
        yield span.get_span_context()


def trace_id(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.trace_id


def parent_id(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


def span_id(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.span_id


def _scope(span: ReadableSpan) -> str:
    return "" if span.instrumentation_scope is None else span.instrumentation_scope.name
