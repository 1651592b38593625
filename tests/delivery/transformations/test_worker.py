"""What a script can and cannot do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("quickjs")
WORKER = Path(__file__).parents[3] / "webhook_engine/delivery/transformations/worker.py"
JOB: dict[str, Any] = {
    "webhook": json.dumps({"payload": {"n": 1}, "url": "https://a.example/"}),
    "memory": 16_000_000,
    "seconds": 0.05,
    "output": 10_000,
}


def run(code: str, **changes: Any) -> Any:
    """What one script says, in a process of its own, confined as in the worker."""
    program = (
        "import json, os, sys, importlib.util\n"
        f"spec = importlib.util.spec_from_file_location('worker', {str(WORKER)!r})\n"
        "worker = importlib.util.module_from_spec(spec); spec.loader.exec_module(worker)\n"
        "sys.stdout.buffer.write(worker._in_child(sys.stdin.buffer.read(), worker._filter()))"
    )
    job = json.dumps({**JOB, "code": code, **changes}).encode()
    done = subprocess.run([sys.executable, "-I", "-c", program], input=job, capture_output=True, check=True, timeout=60)
    return json.loads(done.stdout)


def returned(code: str) -> Any:
    return json.loads(run(code)["text"])


def test_it_changes_what_it_gets_and_may_write_on_a_console() -> None:
    code = "function handler(webhook) { webhook.payload.n += 1; console.log('n', webhook.payload); return webhook }"
    assert returned(code) == {"webhook": {"payload": {"n": 2}, "url": "https://a.example/"}, "logs": ['n {"n":2}']}


@pytest.mark.parametrize(
    "code",
    [
        "const handler = (webhook) => webhook",
        "async function handler(webhook) { await null; return webhook }",
        "var handler = (webhook) => Promise.resolve(webhook)",
    ],
)
def test_a_handler_may_be_written_in_any_way(code: str) -> None:
    assert returned(code)["webhook"]["payload"] == {"n": 1}


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("function handler(webhook) { while (true); }", "too long"),
        ("while (true);", "too long"),
        ("function handler(webhook) { /(a+)+$/.test('a'.repeat(50) + 'b') }", "too long"),
        ("async function handler(webhook) { while (true) await null }", "too long"),
        ("function handler(webhook) { for (;;) console.log('x'.repeat(10000)) }", "too long"),
        ("function handler(webhook) { const all = []; for (;;) all.push('x'.repeat(10000) + all.length) }", "memory"),
        ("function handler(webhook) { return new Array(1e9).fill(0) }", "memory"),
        ("function handler(webhook) { const f = () => f(); f() }", "stack"),
        ("function handler(webhook) { webhook.x = 'x'.repeat(20000); return webhook }", "larger than 10000"),
        ("function handler(webhook) { return new Promise(() => {}) }", "never comes to an end"),
        ("function handler(webhook) { return 7 }", "must return the webhook"),
        ("function handler(webhook) { throw new Error('no such customer') }", "no such customer"),
        ("async function handler(webhook) { throw new Error('no such customer') }", "no such customer"),
        ("const other = 1", "function with the name handler"),
        ("function handler(", "SyntaxError"),
        ("function handler() { return fetch('http://127.0.0.1/') }", "fetch"),
        ("function handler() { return require('fs') }", "require"),
    ],
)
def test_what_goes_wrong_is_said_in_words(code: str, words: str) -> None:
    assert words in run(code)["error"]


def test_nothing_but_the_language_is_there() -> None:
    names = returned("function handler(webhook) { return {all: Object.getOwnPropertyNames(globalThis)} }")["webhook"]
    assert not {"std", "os", "fetch", "process", "require", "Deno", "setTimeout", "Worker"} & set(names["all"])


def test_the_console_keeps_little() -> None:
    code = "function handler(webhook) { for (let i = 0; i < 999; i++) console.log('x'.repeat(9999)); return {} }"
    said = run(code, output=100_000, seconds=2)
    logs = json.loads(said["text"])["logs"]
    assert (len(logs), {len(line) for line in logs}) == (50, {500})


@pytest.mark.skipif(sys.platform != "linux", reason="the filter of system calls is Linux's")
@pytest.mark.parametrize(
    "deed",
    [
        "import socket; socket.socket()",
        "open('/etc/passwd')",
        "os.fork()",
        "os.execv('/bin/true', ['true'])",
        "os.kill(os.getppid(), 0)",
        "bytearray(500_000_000)",
    ],
)
def test_whoever_broke_out_of_the_language_could_do_nothing(deed: str) -> None:
    program = (
        "import os, sys, importlib.util, socket\n"
        f"spec = importlib.util.spec_from_file_location('worker', {str(WORKER)!r})\n"
        "worker = importlib.util.module_from_spec(spec); spec.loader.exec_module(worker)\n"
        "reading, writing = os.pipe()\n"
        "if os.fork() == 0:\n"
        "    worker._confine(16_000_000, 1, worker._filter())\n"
        "    try:\n"
        f"        exec({deed!r})\n"
        "    except (OSError, MemoryError) as error:\n"
        "        os.write(writing, type(error).__name__.encode())\n"
        "    else:\n"
        "        os.write(writing, b'done')\n"
        "    os._exit(0)\n"
        "os.close(writing)\n"
        "print(os.read(reading, 100).decode())"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() in ("PermissionError", "OSError", "MemoryError"), done.stderr
    assert os.path.exists("/etc/passwd")
