"""Here the store is the one in SQLite."""

from __future__ import annotations

from pathlib import Path

import pytest
from store.conftest import SqlitePlace


@pytest.fixture
def place(tmp_path: Path) -> SqlitePlace:
    return SqlitePlace(tmp_path)
