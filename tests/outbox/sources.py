"""Databases whose outbox an engine is to watch, and how a program writes to them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pymysql

from webhook_engine.outbox import create_table

LOOPBACK = ["127.0.0.1/32"]


@contextmanager
def connected(url: str) -> Iterator[Any]:
    """A DB-API connection to the database that a URL of ``outbox.sources`` means."""
    if url.startswith("sqlite"):
        connection: Any = sqlite3.connect(url.removeprefix("sqlite:///"), timeout=20)
    elif url.startswith("postgresql"):
        connection = psycopg.connect(url)
    else:
        parts = urlsplit(url)
        socket = parse_qs(parts.query)["unix_socket"][0]
        connection = pymysql.connect(user=parts.username, database=parts.path.lstrip("/"), unix_socket=socket)
    try:
        yield connection
    finally:
        connection.close()


def run(url: str, statement: str) -> list[tuple[Any, ...]]:
    """Run one statement and commit; its rows if it has any."""
    with connected(url) as connection:
        cursor = connection.cursor()
        cursor.execute(statement)
        rows = list(cursor.fetchall()) if cursor.description else []
        connection.commit()
        return rows


def fresh(url: str) -> str:
    """The database with an empty outbox."""
    with connected(url) as connection:
        connection.cursor().execute("DROP TABLE IF EXISTS webhook_outbox")
        create_table(connection)
        connection.commit()
    return url


def left(url: str) -> list[tuple[Any, ...]]:
    """What is still in the outbox."""
    return run(url, "SELECT id, application, error FROM webhook_outbox ORDER BY id")
