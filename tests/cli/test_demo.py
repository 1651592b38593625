"""``webhook-engine demo``: what a newcomer runs first."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
from program import PROGRAM, run, run_on_terminal

from webhook_engine import Webhook
from webhook_engine.cli import main
from webhook_engine.cli.demo import receiver


def test_it_shows_the_main_job_and_leaves_nothing_behind(tmp_path: Path) -> None:
    done = run("demo", TMPDIR=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    delivered, retried, disabled = re.split(r"\n\d\. ", done.stdout)[1:]
    assert delivered.count("✓ signature verified   answered 200") == 1
    assert re.findall(r"answered (\d+)", retried) == ["503", "503", "200"]
    assert "EndpointDisabledEvent" in disabled
    assert re.search(r"invoice\.paid +200 +delivered", disabled)
    assert re.search(r"order\.shipped +503 503 200 +delivered", disabled)
    assert re.search(r"user\.created +500( 500)+ +failed, endpoint disabled", disabled)
    assert "check-config" in done.stdout.partition("What next")[2]
    assert str(tmp_path) in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_without_a_terminal_it_is_plain_text(tmp_path: Path) -> None:
    done = run("demo", TMPDIR=str(tmp_path), PYTHONIOENCODING="ascii", COLUMNS="40")
    assert done.returncode == 0
    assert done.stdout.isascii()
    assert "\x1b" not in done.stdout
    assert "ok: signature verified   answered 200" in done.stdout


@pytest.mark.slow
def test_on_a_terminal_it_has_color(tmp_path: Path) -> None:
    done = run_on_terminal("demo", TMPDIR=str(tmp_path))
    assert done.returncode == 0
    assert "\x1b[32m✓ signature verified\x1b[0m" in done.stdout
    assert "the next attempt is not due yet" in done.stdout


@pytest.mark.parametrize(
    "signal_number",
    [
        signal.SIGTERM,
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, marks=pytest.mark.slow),
    ],
)
def test_stopped_half_way_it_cleans_up_too(tmp_path: Path, signal_number: int) -> None:
    with subprocess.Popen(
        [PROGRAM, "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as process:
        assert process.stdout is not None
        while "answered 503" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal_number)
        _, errors = process.communicate(timeout=10)
    assert process.returncode not in {0, -signal_number}
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []


def test_what_goes_wrong_is_the_reason_and_the_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(receiver, "Webhook", lambda _secret: Webhook("whsec_" + "A" * 32))
    monkeypatch.setattr("sys.argv", ["webhook-engine", "demo"])
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: /invoices refused its webhook: no signature fits")
    assert list(tmp_path.iterdir()) == []
