"""Outboxes in other databases: those of the programs that enqueue."""

from webhook_engine.store.sources.database import SetAsideRow, SourceDatabase
from webhook_engine.store.sources.named import source_database
from webhook_engine.store.sources.source import OutboxSource
from webhook_engine.store.sources.threaded import ThreadedSource

__all__ = ["OutboxSource", "SetAsideRow", "SourceDatabase", "ThreadedSource", "source_database"]
