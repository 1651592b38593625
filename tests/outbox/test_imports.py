"""A program that only enqueues must not pay for the engine."""

from __future__ import annotations

import subprocess
import sys

from stores import no_engine

pytestmark = no_engine

PROBE = """
import sys
before = set(sys.modules)
from webhook_engine.outbox import create_table, enqueue
import sqlite3
db = sqlite3.connect(":memory:")
create_table(db)
enqueue(db, application="acme", event_type="invoice.paid", payload={"id": 1}, channels=["a"], tags=["b"])
print(*sorted(set(sys.modules) - before))
"""


def test_enqueue_loads_the_standard_library_and_a_handful_of_modules() -> None:
    loaded = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True).stdout.split()
    ours = {name for name in loaded if name.split(".")[0] == "webhook_engine"}
    assert ours == {
        "webhook_engine",
        "webhook_engine.clock",
        "webhook_engine.errors",
        "webhook_engine.ids",
        "webhook_engine.outbox",
        "webhook_engine.outbox.dialect",
        "webhook_engine.outbox.drivers",
        "webhook_engine.outbox.row",
        "webhook_engine.outbox.wakeup",
        "webhook_engine.rules",
        "webhook_engine.rules.encoding",
        "webhook_engine.rules.event_class",
        "webhook_engine.rules.headers",
        "webhook_engine.rules.limits",
        "webhook_engine.rules.message",
        "webhook_engine.rules.names",
        "webhook_engine.rules.payload",
        "webhook_engine.rules.problems",
        "webhook_engine.rules.values",
    }
    foreign = {name for name in (name.split(".")[0] for name in loaded) if name not in sys.stdlib_module_names}
    assert foreign == {"webhook_engine"}
    assert "asyncio" not in loaded
