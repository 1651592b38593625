"""Import from a source into a target: writes in batches, and reports the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from webhook_engine.errors import WebhookEngineError
from webhook_engine.importing.source import Item, Note, Source
from webhook_engine.resources.imported import (
    ImportedApplication,
    ImportedBatch,
    ImportedEndpoint,
    ImportedEventType,
    ImportedMessage,
    ImportOutcome,
    ImportStatus,
    Kind,
)
from webhook_engine.rules.names import is_wildcard

__all__ = ["BatchTooLargeError", "NamedNote", "Report", "Target", "transfer"]

MAX_ITEMS = 100
MAX_BYTES = 256 * 1024
"""The maximum size of a batch, which has at least one record."""
MAX_EXAMPLES = 5
MAX_LISTED = 200
"""The most refused or different records that are listed; more are only counted."""

ONLY_NAMED = "event type is named by a filter but not registered there; it is registered here by its name alone"
ITS_APPLICATION = "its application was refused"


class BatchTooLargeError(WebhookEngineError):
    """A target does not accept a batch of this size; the text gives its limit."""


class Target(Protocol):
    """What to import into."""

    def take(self, batch: ImportedBatch, *, dry_run: bool, update: bool) -> Sequence[ImportOutcome]:
        """Import a batch; returns the results in the order given.

        Raises ``BatchTooLargeError`` if nothing was processed.
        """
        ...


class NamedNote(msgspec.Struct, rename="camel"):
    """What cannot be imported, how often, and the first ids concerned."""

    text: str
    count: int = 0
    examples: list[str] = []


class Report(msgspec.Struct, rename="camel"):
    """What was imported, or in a dry run would be."""

    source: str
    dry_run: bool = False
    complete: bool = False
    """Whether the source was read to its end."""
    counts: dict[Kind, dict[ImportStatus, int]] = {}
    notes: list[NamedNote] = []
    refused: list[ImportOutcome] = []
    different: list[ImportOutcome] = []

    def count(self, status: ImportStatus) -> int:
        """The number of records with this status."""
        return sum(counts.get(status, 0) for counts in self.counts.values())

    def add(self, outcome: ImportOutcome) -> None:
        """Add the result for one record."""
        counts = self.counts.setdefault(outcome.kind, {})
        counts[outcome.status] = counts.get(outcome.status, 0) + 1
        listed = {ImportStatus.REFUSED: self.refused, ImportStatus.DIFFERENT: self.different}.get(outcome.status)
        if listed is not None and len(listed) < MAX_LISTED:
            listed.append(outcome)

    def note(self, note: Note) -> None:
        """Add a note."""
        found = next((one for one in self.notes if one.text == note.text), None)
        if found is None:
            found = NamedNote(text=note.text)
            self.notes.append(found)
        found.count += 1
        if len(found.examples) < MAX_EXAMPLES:
            found.examples.append(note.about)


def transfer(
    source: Source,
    target: Target,
    report: Report,
    *,
    messages_since: datetime | None = None,
    update: bool = False,
    told: Callable[[Report], None] = lambda report: None,
) -> None:
    """Import everything from a source; ``report`` is updated on the way, so that it is right even after an error.

    ``told`` is called after each batch. Importing twice duplicates nothing, so after an error it can simply be
    repeated.
    """
    writer = _Writer(target, report, update, told)
    for item in source.read(messages_since):
        writer.put(item)
    writer.flush()
    report.complete = True


class _Writer:
    """Collects a batch, and sends it to the target when it is full."""

    def __init__(self, target: Target, report: Report, update: bool, told: Callable[[Report], None]) -> None:
        self._target = target
        self._report = report
        self._update = update
        self._told = told
        self._items: list[Item] = []
        self._bytes = 0
        self._event_types: set[str] = set()
        self._places: dict[str, str | None] = {}
        """The id here of each application whose id differs; ``None`` for one that was refused."""

    def put(self, item: Item) -> None:
        """Add a record of the source."""
        match item:
            case Note():
                self._report.note(item)
                return
            case ImportedEventType():
                self._event_types.add(item.name)
            case ImportedEndpoint():
                for name in item.event_types or ():
                    if name not in self._event_types and not is_wildcard(name):
                        self._report.note(Note(ONLY_NAMED, name))
                        self.put(ImportedEventType(name=name, only_named=True))
        size = len(msgspec.json.encode(item))
        if self._items and (len(self._items) >= MAX_ITEMS or self._bytes + size > MAX_BYTES):
            self.flush()
        self._items.append(item)
        self._bytes += size

    def flush(self) -> None:
        """Send the collected records to the target."""
        items, self._items, self._bytes = self._items, [], 0
        try:
            self._give(items)
        except BatchTooLargeError:
            for item in items:
                try:
                    self._give([item])
                except BatchTooLargeError as problem:
                    self._refuse(item, str(problem))
        if items:
            self._told(self._report)

    def _give(self, items: Sequence[Item]) -> None:
        kept: list[Item] = []
        lost: list[Item] = []
        for item in items:
            placed = self._placed(item)
            (lost if placed is None else kept).append(placed or item)
        batch = ImportedBatch(
            event_types=[one for one in kept if isinstance(one, ImportedEventType)],
            applications=[one for one in kept if isinstance(one, ImportedApplication)],
            endpoints=[one for one in kept if isinstance(one, ImportedEndpoint)],
            messages=[one for one in kept if isinstance(one, ImportedMessage)],
        )
        outcomes = self._target.take(batch, dry_run=self._report.dry_run, update=self._update) if kept else ()
        for item in lost:
            self._refuse(item, ITS_APPLICATION)
        for outcome in outcomes:
            self._report.add(outcome)
            if outcome.kind is Kind.APPLICATION:
                if outcome.status is ImportStatus.REFUSED:
                    self._places[outcome.key] = None
                elif outcome.key.startswith("app_") and outcome.id not in (None, outcome.key):
                    self._places[outcome.key] = outcome.id

    def _placed(self, item: Item) -> Item | None:
        """The record with its application's id here; ``None`` if the application was refused."""
        if not isinstance(item, ImportedEndpoint | ImportedMessage):
            return item
        place = self._places.get(item.application, item.application)
        if place is None or place == item.application:
            return None if place is None else item
        return msgspec.structs.replace(item, application=place)

    def _refuse(self, item: Item, problem: str) -> None:
        match item:
            case ImportedEventType():
                kind, key = Kind.EVENT_TYPE, item.name
            case ImportedApplication():
                kind, key = Kind.APPLICATION, item.id or item.uid or ""
                self._places[key] = None
            case ImportedEndpoint():
                kind, key = Kind.ENDPOINT, item.id or item.uid or ""
            case ImportedMessage():
                kind, key = Kind.MESSAGE, item.id
            case Note():
                return
        self._report.add(ImportOutcome(kind=kind, key=key, status=ImportStatus.REFUSED, problem=problem))
