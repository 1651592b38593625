"""The outbox made by a monolith's own migrations, as the documentation shows them, run by the real tools."""

from __future__ import annotations

import asyncio
import io
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from outbox.sources import LOOPBACK, connected, left, run
from receivers import Receiver
from stores import about_the_file, no_engine

from webhook_engine import Engine, ValidationError
from webhook_engine.integrations.sqlalchemy import ENGINE_TABLES, is_outbox
from webhook_engine.outbox import create_table, drop_table, enqueue

pytestmark = no_engine

DOCUMENTED = (Path(__file__).parent.parent.parent / "docs" / "embedding.md").read_text("utf-8")

ENV = """
import sqlalchemy
from alembic import context

metadata = sqlalchemy.MetaData()
database = sqlalchemy.create_engine(context.config.get_main_option("sqlalchemy.url"))
with database.connect() as connection:
    context.configure(connection=connection, target_metadata=metadata, include_object=include_object)
    with context.begin_transaction():
        context.run_migrations()
database.dispose()
"""

SETTINGS = """
SECRET_KEY = "only for tests"
INSTALLED_APPS = ["shop"]
DATABASES = {"default": %r}
USE_TZ = True
"""

PAY = """
import django

django.setup()

from django.db import connection, transaction
from webhook_engine.outbox import enqueue

with transaction.atomic():
    enqueue(connection, application="acme", event_type="invoice.paid", payload={"id": 1})
try:
    with transaction.atomic():
        enqueue(connection, application="acme", event_type="invoice.paid", payload={"id": 2})
        raise KeyError("business rule")
except KeyError:
    pass
"""


def documented(file: str) -> str:
    """The block of the documentation that is for a file."""
    [block] = re.findall(rf"^```python\n(# {re.escape(file)}\n.*?)^```$", DOCUMENTED, re.MULTILINE | re.DOTALL)
    return str(block)


@pytest.fixture
def url(source: str) -> str:
    """A database without any table."""
    database, everything = sqlalchemy.create_engine(alembic_url(source)), sqlalchemy.MetaData()
    everything.reflect(database)
    everything.drop_all(database)
    database.dispose()
    return source


async def deliver(directory: Path, url: str, pay: Callable[[], object]) -> None:
    """An engine that watches the database delivers what was committed, and only that."""
    async with Receiver() as receiver:
        async with Engine.open(directory / "w.db", allow_subnets=LOOPBACK, outbox__sources=[url]) as engine:
            await engine.applications.create(name="Acme", uid="acme")
            await engine.endpoints.create("acme", url=receiver.url)
            await asyncio.to_thread(pay)
            await receiver.wait_for(1)
            await engine.join(timeout=10)
        assert receiver.bodies == [b'{"id":1}']
    assert left(url) == []


def alembic_url(url: str) -> str:
    scheme, rest = url.split("://", 1)
    driver = {"sqlite": "pysqlite", "postgresql": "psycopg", "mysql": "pymysql"}[scheme]
    return f"{scheme}+{driver}://{rest}"


async def test_an_alembic_revision(tmp_path: Path, url: str) -> None:
    versions = tmp_path / "versions"
    versions.mkdir()
    (versions / "0007_webhook_outbox.py").write_text(documented("versions/0007_webhook_outbox.py"), "utf-8")
    (tmp_path / "env.py").write_text(documented("env.py") + ENV, "utf-8")
    config = Config()
    config.set_main_option("script_location", str(tmp_path))
    config.set_main_option("sqlalchemy.url", alembic_url(url).replace("%", "%%"))
    database = sqlalchemy.create_engine(alembic_url(url))

    def pay() -> None:
        with database.begin() as connection:
            enqueue(connection, application="acme", event_type="invoice.paid", payload={"id": 1})
        with database.connect() as connection:
            enqueue(connection, application="acme", event_type="invoice.paid", payload={"id": 2})

    try:
        command.upgrade(config, "head")
        command.check(config)  # that --autogenerate finds nothing to do
        await deliver(tmp_path, url, pay)
        command.downgrade(config, "base")
        assert not sqlalchemy.inspect(database).has_table("webhook_outbox")
    finally:
        database.dispose()


OFFLINE = """
from alembic import context

context.configure(url=context.config.get_main_option("sqlalchemy.url"), include_object=include_object)
with context.begin_transaction():
    context.run_migrations()
"""


def test_an_alembic_revision_that_is_only_printed(tmp_path: Path, url: str) -> None:
    versions = tmp_path / "versions"
    versions.mkdir()
    (versions / "0007_webhook_outbox.py").write_text(documented("versions/0007_webhook_outbox.py"), "utf-8")
    (tmp_path / "env.py").write_text(documented("env.py") + OFFLINE, "utf-8")
    printed = io.StringIO()
    config = Config(output_buffer=printed)
    config.set_main_option("script_location", str(tmp_path))
    config.set_main_option("sqlalchemy.url", alembic_url(url).replace("%", "%%"))
    command.upgrade(config, "head", sql=True)
    run_script(url, printed.getvalue())
    with connected(url) as connection:
        enqueue(connection, application="acme", event_type="a.b", payload={})
        connection.commit()
    [(_, application, _)] = left(url)
    assert application == "acme"
    printed.truncate(0)
    command.downgrade(config, "0007:base", sql=True)
    run_script(url, printed.getvalue().lstrip("\0"))
    with pytest.raises(Exception, match="webhook_outbox"):
        left(url)
    nothing_is_left(url)


def run_script(url: str, script: str) -> None:
    """What an administrator does with the SQL that they were given."""
    with connected(url) as connection:
        if url.startswith("sqlite"):
            connection.executescript(script)
            return
        cursor = connection.cursor()
        if url.startswith("postgresql"):
            cursor.execute(script)
        else:
            for statement in re.sub(r"^--.*$", "", script, flags=re.MULTILINE).split(";\n"):
                if statement.strip():
                    cursor.execute(statement)
        connection.commit()


def nothing_is_left(url: str) -> None:
    """Not even the function that the trigger of the table has called."""
    if url.startswith("postgresql"):
        here = "pronamespace = current_schema()::regnamespace"
        assert run(url, f"SELECT proname FROM pg_proc WHERE proname LIKE 'webhook%' AND {here}") == []


def test_dropping_the_table_leaves_nothing(url: str) -> None:
    with connected(url) as connection:
        for _ in range(2):
            create_table(connection)
            connection.commit()
            drop_table(connection)
            drop_table(connection)
            connection.commit()
    with pytest.raises(Exception, match="webhook_outbox"):
        left(url)
    nothing_is_left(url)


def test_a_revision_that_is_printed_has_no_connection_and_is_told_what_to_use() -> None:
    with pytest.raises(ValidationError, match="create_outbox"):
        create_table(None)  # type: ignore[arg-type]


@about_the_file
async def test_alembic_leaves_all_tables_of_an_engine_alone(tmp_path: Path) -> None:
    path = tmp_path / "shared.db"
    async with Engine.open(path):
        pass
    database = sqlalchemy.create_engine(f"sqlite:///{path}")
    assert set(sqlalchemy.inspect(database).get_table_names()) == ENGINE_TABLES
    database.dispose()
    (tmp_path / "versions").mkdir()
    (tmp_path / "env.py").write_text(documented("env.py") + ENV, "utf-8")
    config = Config()
    config.set_main_option("script_location", str(tmp_path))
    config.set_main_option("sqlalchemy.url", f"sqlite:///{path}")
    await asyncio.to_thread(command.check, config)
    assert not is_outbox("invoice")


async def test_without_the_filter_alembic_would_remove_the_outbox(tmp_path: Path) -> None:
    versions = tmp_path / "versions"
    versions.mkdir()
    (versions / "0007_webhook_outbox.py").write_text(documented("versions/0007_webhook_outbox.py"), "utf-8")
    (tmp_path / "env.py").write_text("include_object = None\n" + ENV, "utf-8")
    config = Config()
    config.set_main_option("script_location", str(tmp_path))
    config.set_main_option("sqlalchemy.url", f"sqlite:///{tmp_path / 'app.db'}")
    command.upgrade(config, "head")
    with pytest.raises(CommandError, match="webhook_outbox"):
        command.check(config)


def django_database(url: str) -> dict[str, object]:
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": parts.path.removeprefix("/")}
    query = parse_qs(parts.query)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.removeprefix("/"),
        "USER": query["user"][0],
        "HOST": query["host"][0],
    }


@pytest.mark.parametrize(
    "source",
    [
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.slow),
        pytest.param("mysql", marks=pytest.mark.slow),
    ],
    indirect=True,
)
async def test_a_migration_of_a_django_app(tmp_path: Path, url: str) -> None:
    if url.startswith("mysql"):
        pytest.skip("Django speaks to MySQL through mysqlclient, which has to be compiled")
    migrations = tmp_path / "shop" / "migrations"
    migrations.mkdir(parents=True)
    for package in (migrations.parent, migrations):
        (package / "__init__.py").touch()
    (migrations / "0007_webhook_outbox.py").write_text(documented("shop/migrations/0007_webhook_outbox.py"), "utf-8")
    (tmp_path / "settings.py").write_text(SETTINGS % django_database(url), "utf-8")
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "settings", "PYTHONPATH": str(tmp_path)}

    def django(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    printed = await asyncio.to_thread(django, "-m", "django", "sqlmigrate", "shop", "0007")
    run_script(url, printed)
    with connected(url) as connection:
        enqueue(connection, application="acme", event_type="a.b", payload={})
        drop_table(connection)
        connection.commit()
    assert "Applying shop.0007_webhook_outbox... OK" in await asyncio.to_thread(django, "-m", "django", "migrate")
    await deliver(tmp_path, url, lambda: django("-c", PAY))
    assert "OK" in await asyncio.to_thread(django, "-m", "django", "migrate", "shop", "zero")
    with pytest.raises(Exception, match="webhook_outbox"):
        left(url)
    nothing_is_left(url)
