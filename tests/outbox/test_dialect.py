"""The SQL of each kind of database, as text; what the databases make of it is told by the tests of drivers."""

from __future__ import annotations

import pytest

from webhook_engine import ValidationError
from webhook_engine.outbox.dialect import DIALECTS, MYSQL, POSTGRESQL, SQLITE, Dialect, dialect_named, insert_sql


@pytest.mark.parametrize("name", ["sqlite", "postgresql", "mysql", "mariadb"])
def test_it_is_found_by_its_name_here_and_elsewhere(name: str) -> None:
    assert dialect_named(name).name == name.replace("mariadb", "mysql")


def test_one_that_there_is_not_is_named() -> None:
    with pytest.raises(ValidationError, match="must be sqlite, postgresql or mysql, not 'oracle'"):
        dialect_named("oracle")


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda each: each.name)
def test_its_statements_are_those_of_its_file(dialect: Dialect) -> None:
    statements = dialect.table_statements()
    assert "\n\n".join(f"{each};" for each in statements) == dialect.table_sql().strip()
    assert "CREATE TABLE IF NOT EXISTS webhook_outbox" in statements[0]


@pytest.mark.parametrize(("dialect", "quote"), [(SQLITE, '"'), (POSTGRESQL, '"'), (MYSQL, "`")])
def test_in_a_schema_every_statement_says_so(dialect: Dialect, quote: str) -> None:
    for statement in dialect.table_statements("shop"):
        assert f"{quote}shop{quote}.webhook_outbox" in statement
    assert dialect.drop_statements("shop")[0] == f"DROP TABLE IF EXISTS {quote}shop{quote}.webhook_outbox"


@pytest.mark.parametrize("schema", ["", "a.b", 'a"b', "a b", 7])
def test_what_is_no_name_of_a_schema_is_refused(schema: object) -> None:
    with pytest.raises(ValidationError, match="letters, digits"):
        SQLITE.named("webhook_outbox", schema)


def test_a_row_is_inserted_by_the_placeholders_of_each_driver() -> None:
    marks = {"?": "(?, ?", "%s": "(%s, %s", "$": "($1, $2", ":": "(:message_id, :"}
    for placeholder, start in marks.items():
        assert f"VALUES {start}" in insert_sql(placeholder)
