"""The engine of the shop, until it is told to stop. Not in the worker: its processes are forked."""

import asyncio
import os
import signal
import sqlite3
import sys
from contextlib import closing, suppress
from pathlib import Path

from webhook_engine import ConflictError, Engine

DATABASE = Path(os.environ.get("SHOP_FOLDER", ".")) / "shop.db"


async def main(customer_url):
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with Engine.open(DATABASE, allow_subnets=["127.0.0.1/32"]) as engine:  # to try it locally
        with closing(sqlite3.connect(DATABASE, timeout=10)) as db, db:
            db.execute("CREATE TABLE IF NOT EXISTS invoice (number INTEGER PRIMARY KEY, paid INTEGER NOT NULL)")
        await engine.applications.get_or_create(name="Acme", uid="acme")
        with suppress(ConflictError):  # it is there since the last start
            await engine.endpoints.create("acme", url=customer_url, uid="first")
        print("secret:", await engine.endpoints.get_secret("acme", "first"), flush=True)
        await stop.wait()


asyncio.run(main(sys.argv[1]))
