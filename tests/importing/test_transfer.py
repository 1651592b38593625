"""The one writer: batches of a bounded size, and a report that counts all and lists some."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec
import pytest
from importing.conftest import EngineTarget, counts, notes, taken

from webhook_engine import SyncEngine
from webhook_engine.ids import IdSource
from webhook_engine.importing.source import Item, Note, SourceError
from webhook_engine.importing.transfer import MAX_ITEMS, BatchTooLargeError, Report, transfer
from webhook_engine.resources.imported import (
    ImportedApplication,
    ImportedBatch,
    ImportedEndpoint,
    ImportedEventType,
    ImportedMessage,
    ImportOutcome,
)


class Given:
    """A source of what a test gives."""

    name = "given"

    def __init__(self, *items: Item | Exception) -> None:
        self.items = items

    def read(self, messages_since: datetime | None) -> Iterator[Item]:
        for item in self.items:
            if isinstance(item, Exception):
                raise item
            yield item


def apps(count: int) -> list[Item]:
    return [ImportedApplication(uid=f"app-{number}", name=str(number)) for number in range(count)]


def test_batches_are_bounded_in_number_and_bytes(target: EngineTarget) -> None:
    told: list[int] = []
    report = Report(source="given")
    transfer(
        Given(*apps(MAX_ITEMS + 5)),
        target,
        report,
        told=lambda report: told.append(sum(counts(report)["application"].values())),
    )
    assert [len(batch.applications) for batch in target.batches] == [MAX_ITEMS, 5]
    assert told == [MAX_ITEMS, MAX_ITEMS + 5]
    ids = IdSource()
    large: list[Item] = [
        ImportedMessage(application="app-0", id=ids.new("msg_", 10**15), event_type="a", payload=b"x" * 150_000)
        for _ in range(3)
    ]
    target.batches.clear()
    taken(Given(*large), target)
    assert [len(batch.messages) for batch in target.batches] == [1, 1, 1]


def test_an_event_type_that_only_a_filter_names_is_registered(engine: SyncEngine, target: EngineTarget) -> None:
    engine.event_types.create(name="here", description="Kept")
    endpoint = ImportedEndpoint(application="app-0", uid="e", url="https://example.com", event_types=("a", "here", "b"))
    report = taken(Given(ImportedEventType(name="a"), *apps(1), endpoint), target, update=True)
    assert counts(report)["event type"] == {"created": 2, "same": 1}
    assert list(notes(report).values()) == [["here", "b"]]
    assert engine.event_types.get("here").description == "Kept"
    assert engine.endpoints.get("app-0", "e").event_types == ("a", "here", "b")


@pytest.mark.parametrize("dry_run", [True, False])
def test_what_belongs_to_a_refused_application_is_refused_in_later_batches_too(
    target: EngineTarget, dry_run: bool
) -> None:
    bad = ImportedApplication(uid="bad", name="")
    late = ImportedEndpoint(application="bad", uid="late", url="https://example.com")
    report = taken(Given(bad, *apps(MAX_ITEMS), late), target, dry_run=dry_run)
    assert counts(report) == {"application": {"refused": 1, "created": MAX_ITEMS}, "endpoint": {"refused": 1}}
    assert [one.key for one in report.refused] == ["bad", "late"]


def test_what_belongs_to_an_application_with_another_id_here_goes_there(
    engine: SyncEngine, target: EngineTarget
) -> None:
    mine = engine.applications.create(name="Acme", uid="acme")
    theirs = IdSource().new("app_", 10**15)
    late = ImportedEndpoint(application=theirs, uid="late", url="https://example.com")
    report = taken(Given(ImportedApplication(id=theirs, uid="acme", name="Acme"), *apps(MAX_ITEMS), late), target)
    assert counts(report)["endpoint"] == {"created": 1}
    assert engine.endpoints.get(mine.id, "late").application_id == mine.id


def test_a_batch_that_is_too_large_is_given_one_by_one(engine: SyncEngine) -> None:
    class Small(EngineTarget):
        def take(self, batch: ImportedBatch, *, dry_run: bool, update: bool) -> Sequence[ImportOutcome]:
            if len(msgspec.json.encode(batch)) > 1500:
                raise BatchTooLargeError("at most 1500 bytes")
            return super().take(batch, dry_run=dry_run, update=update)

    mine = engine.applications.create(name="Acme", uid="acme")
    theirs = IdSource().new("app_", 10**15)
    endpoints = [
        ImportedEndpoint(application=owner, uid=f"e{n}", url="https://example.com", description="x" * (n * 300))
        for n, owner in enumerate((theirs, theirs, "app-0", theirs, theirs, theirs, "large"))
    ]
    large = ImportedApplication(uid="large", name="x" * 2000)
    report = taken(
        Given(ImportedApplication(id=theirs, uid="acme", name="Acme"), *apps(3), large, *endpoints), Small(engine)
    )
    assert [one.key for one in report.refused] == ["large", "e4", "e5", "e6"]
    assert [one.problem for one in report.refused][1:] == ["at most 1500 bytes"] * 2 + ["its application was refused"]
    assert [one.uid for one in engine.endpoints.iterate(mine.id)] == ["e0", "e1", "e3"]


def test_an_error_leaves_a_report_of_what_was_done(target: EngineTarget) -> None:
    report = Report(source="given")
    with pytest.raises(SourceError):
        transfer(Given(*apps(MAX_ITEMS + 1), SourceError("gone")), target, report)
    assert not report.complete
    assert counts(report) == {"application": {"created": MAX_ITEMS}}


def test_notes_and_lists_are_bounded() -> None:
    class Refusing:
        def take(self, batch: ImportedBatch, *, dry_run: bool, update: bool) -> Sequence[ImportOutcome]:
            raise AssertionError("notes are not given on")

    report = Report(source="given")
    transfer(Given(*(Note("lost", str(number)) for number in range(1000))), Refusing(), report)
    [note] = report.notes
    assert (note.count, note.examples) == (1000, ["0", "1", "2", "3", "4"])
