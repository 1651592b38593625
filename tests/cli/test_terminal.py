"""What is printed is what was said."""

from __future__ import annotations

import pytest
from rich.console import Console

from webhook_engine.cli.terminal import err, error, glyph, out

NAMED = "shop:x: has no [b]engine[/b] :smile:"


def test_an_error_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    error(f"{NAMED}\nand {'more ' * 50}")
    assert capsys.readouterr().err == f"error: {NAMED}\nerror: and {'more ' * 50}\n"


@pytest.mark.parametrize("console", [out, err], ids=["out", "err"])
def test_no_word_between_colons_becomes_a_picture(capsys: pytest.CaptureFixture[str], console: Console) -> None:
    console.print("a:x:b")
    assert "".join(capsys.readouterr()) == "a:x:b\n"


@pytest.mark.parametrize(("encoding", "shown"), [("utf-8", "✓"), ("ascii", "ok")])
def test_a_character_that_the_terminal_cannot_show_has_a_plain_one(
    monkeypatch: pytest.MonkeyPatch, encoding: str, shown: str
) -> None:
    monkeypatch.setattr(Console, "encoding", encoding)
    assert glyph("✓", "ok") == shown
