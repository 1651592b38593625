"""Here the store is the one in SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prepared import databases_made_anew
from store.conftest import SqlitePlace


@pytest.fixture
def place(tmp_path: Path) -> SqlitePlace:
    return SqlitePlace(tmp_path)


@pytest.fixture(autouse=True)
def made_anew() -> Iterator[None]:
    """These tests are about the file, and how it comes to be."""
    with databases_made_anew():
        yield
