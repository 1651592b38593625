"""The installed command, run as a user runs it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

PROGRAM = str(Path(sys.executable).with_name("webhook-engine"))


def run(*arguments: str, stdin: bytes | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command with these arguments, without a terminal, and wait for its end."""
    done = subprocess.run(
        [PROGRAM, *arguments],
        input=stdin if stdin is not None else b"",
        capture_output=True,
        env=_clean() | {"PYTHONIOENCODING": "utf-8"} | environment,
        check=False,
        timeout=60,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def run_on_terminal(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command on a terminal of 100 columns, and wait for its end; errors come with the output."""
    ours, theirs = pty.openpty()
    colorful = {"TERM": "xterm-256color", "COLUMNS": "100", "PYTHONIOENCODING": "utf-8"}
    with subprocess.Popen(
        [PROGRAM, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=_clean() | colorful | environment
    ) as process:
        os.close(theirs)
        shown = b""
        while chunk := _read(ours):
            shown += chunk
        os.close(ours)
        return subprocess.CompletedProcess(process.args, process.wait(timeout=60), shown.decode(), "")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so when the other end is closed
        return b""


def _clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("WEBHOOK_") and name != "NO_COLOR"}
