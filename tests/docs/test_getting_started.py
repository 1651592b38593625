"""Getting started, as somebody types it who has nothing yet: line by line, in new shells, in a fresh checkout."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "getting-started.md").read_text("utf-8")
INSTALLING = (ROOT / "docs" / "installing.md").read_text("utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def environment(home: Path) -> dict[str, str]:
    """That of a new shell: no environment of Python's is active, and nothing of ours is set."""
    ours = ("WEBHOOK_ENGINE_", "PYTHON", "VIRTUAL_ENV", "COV_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    path = [each for each in kept["PATH"].split(":") if not Path(each, "webhook-engine").exists()]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    # Only a test shares its machine with others that listen where the page says.
    return {**kept, "PATH": ":".join(path), "HOME": str(home), "WEBHOOK_ENGINE_SERVER__LISTEN": address}


def typed(lines: str, folder: Path, given: dict[str, str]) -> str:
    """What a shell says to the lines, the first of which that fails ends it."""
    done = subprocess.run(
        ["bash", "--norc", "-e"], input=lines, cwd=folder, env=given, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_page_works_when_it_is_typed(tmp_path: Path) -> None:
    install, serve, first_message = BLOCKS
    folder, home = tmp_path / "checkout", tmp_path / "home"
    home.mkdir()
    given = environment(home)
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    assert "What next" in typed(install, folder, given)
    assert serve == "webhook-engine serve\n"
    activate = install.splitlines()[1]
    assert activate.startswith(". ")
    log = tmp_path / "log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            ["bash", "--norc", "-c", f"{activate}\nexec {serve}"], cwd=folder, env=given, stdout=output, stderr=output
        ) as daemon,
    ):
        try:
            listens(given["WEBHOOK_ENGINE_SERVER__LISTEN"], log, daemon)
            said = typed(first_message, folder, given)
            assert "acme" in said
            assert "invoice.paid" in said
            assert re.search(r"msg_\w+", said)
        finally:
            daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(30) == 0, log.read_text()
    assert (folder / "webhook-engine.db").exists()

    # And the completion that the page about installing promises, in a new shell.
    assert "webhook-engine --install-completion" in INSTALLING
    typed(f"{activate}\nwebhook-engine --install-completion bash", folder, given)
    completed = typed(
        f"{activate}\n. {home}/.bash_completions/webhook-engine.sh\n"
        "COMP_WORDS=(webhook-engine endpoint cr) COMP_CWORD=2\n"
        "_webhook_engine_completion webhook-engine\necho ${COMPREPLY[@]}\n",
        folder,
        given,
    )
    assert completed.split() == ["create"]


def listens(address: str, log: Path, daemon: subprocess.Popen[bytes]) -> None:
    host, _, port = address.partition(":")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and daemon.poll() is None:
        try:
            socket.create_connection((host, int(port)), timeout=5).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(log.read_text())
