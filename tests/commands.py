"""Commands that talk to a daemon, run in this process; and what they are tried on."""

from __future__ import annotations

import io
import json
import os
import subprocess
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from webhook_engine.cli import main


@dataclass
class Done:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Hooks(BaseHTTPRequestHandler):
    """Answers 500 below /bad, as long as it is told to."""

    broken = True
    received: list[tuple[str, bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        type(self).received.append((self.path, body))
        self.send_response(500 if type(self).broken and self.path.startswith("/bad") else 200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@dataclass
class World:
    """A daemon in a directory of its own, a token for it, and a receiver."""

    url: str
    token: str
    hook: str
    directory: Path
    hooks: type[Hooks]

    def __call__(self, *arguments: str, stdin: bytes = b"") -> Done:
        """Run a command in this process, as its entry point does."""
        return command(*arguments, stdin=stdin, WEBHOOK_ENGINE_URL=self.url, WEBHOOK_ENGINE_TOKEN=self.token)

    def json(self, *arguments: str) -> Any:
        done = self(*arguments, "--json")
        assert (done.code, done.err) == (0, "")
        return done.json

    def bodies(self, path: str, count: int) -> list[bytes]:
        """What came to a path, as soon as it is so many."""
        until = time.monotonic() + 10
        while len(found := [body for to, body in self.hooks.received if to == path]) < count:
            assert time.monotonic() < until, f"{len(found)} of {count} came to {path}"
            time.sleep(0.02)
        return found

    def settled(self, app: str, count: int) -> list[dict[str, Any]]:
        """The messages of an application, when none of so many is pending any more."""
        until = time.monotonic() + 10
        while True:
            found: list[dict[str, Any]] = self.json("message", "list", app, "--all")["data"]
            if len(found) >= count and not any(message["pending"] for message in found):
                return found
            assert time.monotonic() < until, found
            time.sleep(0.05)


def command(*arguments: str, stdin: bytes = b"", **environment: str) -> Done:
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        for name in [name for name in os.environ if name.startswith("WEBHOOK_ENGINE_")]:
            patch.delenv(name)
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setattr("sys.argv", ["webhook-engine", *arguments])
        patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as ended:
            main()
    code = ended.value.code
    assert code is None or isinstance(code, int)
    shown = []
    for stream in (out, err):
        stream.flush()
        shown.append(stream.buffer.getvalue().decode())  # type: ignore[attr-defined]
    return Done(code or 0, *shown)


def run(*arguments: str, stdin: bytes | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """What :func:`program.run` does, without the half second that a process of its own takes to begin."""
    done = command(*arguments, stdin=stdin or b"", **environment)
    return subprocess.CompletedProcess(arguments, done.code, done.out, done.err)
