"""A shop with Celery: tasks enqueue in their own transaction, and the engine runs in a process of its own.

    pip install webhook-engine celery
    python engine.py https://example.com/hooks &
    celery --app shop worker &
    python -c 'import shop; shop.pay.delay(1, "acme")'

The broker here is a folder, so that nothing else has to run; take yours instead.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from celery import Celery

from webhook_engine.outbox import enqueue

FOLDER = Path(os.environ.get("SHOP_FOLDER", ".")).absolute()
DATABASE = FOLDER / "shop.db"
QUEUE = FOLDER / "queue"
QUEUE.mkdir(exist_ok=True)

app = Celery("shop", broker="filesystem://")
app.conf.broker_transport_options = {
    "data_folder_in": str(QUEUE),
    "data_folder_out": str(QUEUE),
    "control_folder": str(FOLDER / "control"),
}


@app.task
def pay(number, customer):
    """Pay an invoice and announce it: both, or neither if the task fails."""
    with closing(sqlite3.connect(DATABASE, timeout=10)) as db, db:
        db.execute("INSERT OR REPLACE INTO invoice VALUES (?, 1)", (number,))
        enqueue(db, application=customer, event_type="invoice.paid", payload={"number": number})
