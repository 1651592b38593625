"""A small Celery program for the tests; broker, results and database are files in the directory SHOP_DIRECTORY."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from celery import Celery

from webhook_engine import EngineNotRunningError, SyncEngine
from webhook_engine.outbox import enqueue

DIRECTORY = Path(os.environ["SHOP_DIRECTORY"])

app = Celery("celery_shop", broker="filesystem://", backend=f"file://{DIRECTORY / 'results'}")
app.conf.update(
    broker_transport_options={
        "data_folder_in": str(DIRECTORY / "queue"),
        "data_folder_out": str(DIRECTORY / "queue"),
        "control_folder": str(DIRECTORY / "control"),
    },
    accept_content=["json", "pickle"],
    result_accept_content=["json", "pickle"],
    result_serializer="pickle",
    broker_connection_retry_on_startup=True,
)
started_before_the_fork: SyncEngine | None = None
if "STARTED_BEFORE_THE_FORK" in os.environ:
    started_before_the_fork = SyncEngine.open(DIRECTORY / "inside.db")
    started_before_the_fork.start()


@app.task
def pay(number: int, fail: bool = False, application: str = "acme") -> tuple[str, int]:
    """Pay an invoice and say so, in one transaction; returns the id of the message, and who did it."""
    with closing(sqlite3.connect(DIRECTORY / "shop.db", timeout=30)) as database, database:
        database.execute("INSERT INTO invoice VALUES (?)", (number,))
        message_id = enqueue(database, application=application, event_type="invoice.paid", payload={"id": number})
        if fail:
            raise KeyError("business rule")
    return message_id, os.getpid()


@app.task
def use_the_engine_of_the_parent() -> str:
    """Use what did not come along."""
    assert started_before_the_fork is not None
    try:
        started_before_the_fork.applications.list()
    except EngineNotRunningError as error:
        return str(error)
    return "it works"
