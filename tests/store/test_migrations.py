"""Numbered migrations of both stores: without a gap, and never from a newer release."""

from __future__ import annotations

import pytest

from webhook_engine.errors import SchemaVersionError
from webhook_engine.store.migrations import Migration, migrations_of, refuse_newer

PACKAGES = ("webhook_engine.store.sqlite", "webhook_engine.store.postgresql")


@pytest.mark.parametrize("package", PACKAGES)
def test_they_are_numbered_without_a_gap_and_leave_transactions_alone(package: str) -> None:
    known = migrations_of(package)
    assert [one.version for one in known] == list(range(1, len(known) + 1))
    for migration in known:
        words = migration.sql.upper().split()
        assert "COMMIT" not in words
        assert "COMMIT;" not in words
        assert "BEGIN;" not in words


def test_a_newer_schema_is_refused_and_an_older_one_is_not() -> None:
    known = [Migration(1, ""), Migration(2, "")]
    refuse_newer("x.db", 0, known)
    refuse_newer("x.db", 2, known)
    with pytest.raises(SchemaVersionError, match=r"x\.db has schema version 3, .* versions up to 2"):
        refuse_newer("x.db", 3, known)
