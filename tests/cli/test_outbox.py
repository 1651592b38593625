"""``webhook-engine outbox``: the table's SQL, and looking after what was set aside."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from outbox.sources import connected, left, run
from typer.testing import CliRunner

from webhook_engine import Engine, StoreUnavailableError
from webhook_engine.cli.outbox import outbox
from webhook_engine.cli.terminal import CommandError, UsageError
from webhook_engine.outbox import enqueue, table_sql


def invoke(*arguments: str) -> str:
    result = CliRunner().invoke(outbox, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql", "mysql"])
def test_the_table_is_printed_for_each_kind_of_database(dialect: str) -> None:
    assert invoke("sql", "--dialect", dialect) == table_sql(dialect)  # type: ignore[arg-type]


def test_a_database_that_is_not_there_is_no_riddle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_ENGINE_STORE__URL", f"sqlite:///{tmp_path / 'webhooks.db'}")
    with pytest.raises(StoreUnavailableError, match="check that the file is there"):
        invoke("list")
    assert not list(tmp_path.iterdir())


async def test_rows_are_listed_retried_and_discarded(
    tmp_path: Path, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBHOOK_ENGINE_STORE__URL", f"sqlite:///{tmp_path / 'webhooks.db'}")
    monkeypatch.setenv("WEBHOOK_ENGINE_OUTBOX__SOURCES", json.dumps([source]))
    async with Engine.open(tmp_path / "webhooks.db"):
        pass
    with connected(source) as connection:
        for application in ("first", "second", "third"):
            enqueue(connection, application=application, event_type="a.b", payload={})
        connection.commit()
    run(
        source,
        "UPDATE webhook_outbox SET error = 'nobody is there', failed_at = CURRENT_TIMESTAMP "
        "WHERE application <> 'third'",
    )

    own, other = json.loads(invoke("list", "--json"))["sources"]
    assert (own["waiting"], own["set_aside"]) == (0, [])
    assert other["waiting"] == 1
    first, second = other["set_aside"]
    assert (first["application"], first["error"], second["application"]) == ("first", "nobody is there", "second")
    assert "nobody is there" in invoke("list", "--source", source)

    with pytest.raises(UsageError, match="--source"):
        invoke("retry", str(first["id"]))
    with pytest.raises(UsageError, match="--all"):
        invoke("discard")
    assert invoke("retry", str(first["id"]), "--source", source) == "1 row tried again\n"
    for action in ("retry", "discard"):
        with pytest.raises(CommandError, match=r"^1 of the rows named is not set aside; .* list"):
            invoke(action, str(first["id"]), "--source", source)
    assert invoke("discard", "--all") == "1 row discarded\n"
    assert [(application, error) for _, application, error in left(source)] == [("first", None), ("third", None)]
