"""JSON with sorted members and its own numbers."""

from __future__ import annotations

from webhook_engine.server.api.canonical import canonical_json


def test_what_is_no_json_has_no_canonical_form() -> None:
    assert canonical_json(b"<xml/>") is None
    assert canonical_json(b'{"a":NaN}') is None
    assert canonical_json(b"[" * 100_000 + b"]" * 100_000) is None
    assert canonical_json(b'{"a":"\\ud800"}') == '{"a":"\ufffd"}'.encode()
