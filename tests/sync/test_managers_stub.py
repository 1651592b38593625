"""The types of the managers without ``await`` are those of the asynchronous ones."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from stores import no_engine

pytestmark = no_engine


def test_the_stub_is_up_to_date() -> None:
    pytest.importorskip("ruff", reason="the stub is formatted with ruff")
    path = Path(__file__).with_name("managers_stub.py")
    spec = importlib.util.spec_from_file_location("managers_stub", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.STUB.read_text("utf-8") == module.stub(), "run: python tests/sync/managers_stub.py"
