"""The Dockerfile: what it promises, and its steps, run without a container engine."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def instructions() -> list[tuple[str, str]]:
    """Name and arguments of each, without comments and with continued lines joined."""
    text = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in lines)]


def arguments(name: str) -> list[str]:
    return [rest for found, rest in instructions() if found == name]


def environment() -> dict[str, str]:
    (words,) = arguments("ENV")
    return dict(word.split("=", 1) for word in shlex.split(words))


def test_it_is_small_and_without_root() -> None:
    assert all("slim" in image for image in arguments("FROM"))
    (user,) = arguments("USER")
    assert user.isdigit()
    assert int(user) > 0
    names = [name for name, _ in instructions()]
    last = len(names) - 1 - names[::-1].index("FROM")
    assert "COPY" in names[last:]
    assert all("--from=build" in rest for name, rest in instructions()[last:] if name == "COPY")


def test_what_it_keeps_is_in_its_volume() -> None:
    assert arguments("VOLUME") == ["/data"]
    assert environment()["WEBHOOK_ENGINE_STORE__URL"].startswith("sqlite:////data/")


def test_it_copies_only_what_is_sent_to_the_builder() -> None:
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {word for rest in arguments("COPY") if "--from" not in rest for word in rest.split()[:-1]}
    assert copied == sent
    assert all((ROOT / name).exists() for name in copied)


@pytest.mark.slow
def test_its_wheel_serves_and_its_health_check_tells(tmp_path: Path) -> None:
    source = tmp_path / "src"
    source.mkdir()
    for name in (word for rest in arguments("COPY") if "--from" not in rest for word in rest.split()[:-1]):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name)
        else:
            shutil.copy(ROOT / name, source)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path / "wheels"), "."]
    subprocess.run(build, cwd=source, check=True, capture_output=True)
    (wheel,) = (tmp_path / "wheels").glob("*.whl")
    # What the wheel needs is what the tests run with; only the package itself comes from the wheel.
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    program = tmp_path / "venv" / "bin" / "webhook-engine"
    pip = [str(program.with_name("python")), "-m", "pip", "install", "-q", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(pip, check=True)
    (packages,) = {path for path in sys.path if path.endswith("site-packages")}
    (ours,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    (ours / "needed.pth").write_text(packages)

    (health,) = arguments("HEALTHCHECK")
    command = json.loads(health.partition(" CMD ")[2])
    given = {name: value for name, value in environment().items() if name.startswith("WEBHOOK_ENGINE_")}
    assert given["WEBHOOK_ENGINE_SERVER__LISTEN"].endswith(":8071")
    assert ":8071/" in command[-1]
    data = tmp_path / "data"
    data.mkdir()
    given["WEBHOOK_ENGINE_STORE__URL"] = given["WEBHOOK_ENGINE_STORE__URL"].replace("/data/", f"{data}/")
    given["WEBHOOK_ENGINE_SERVER__LISTEN"] = "127.0.0.1:0"
    (entry,) = (json.loads(rest) for rest in arguments("ENTRYPOINT"))
    (serve,) = (json.loads(rest) for rest in arguments("CMD"))
    assert entry == ["webhook-engine"]
    log = tmp_path / "log"
    with (
        log.open("wb") as output,
        subprocess.Popen([program, *serve], env=os.environ | given, cwd=data, stderr=output, stdout=output) as daemon,
    ):
        try:
            port = _port(log, daemon)
            asked = [program.with_name("python"), *command[1:-1], command[-1].replace(":8071/", f":{port}/")]
            done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=30)
            assert done.returncode == 0, done.stderr
        finally:
            daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(30) == 0, log.read_text()
    assert (data / "webhook-engine.db").exists()
    assert subprocess.run(asked, capture_output=True, check=False, timeout=30).returncode != 0


def _port(log: Path, daemon: subprocess.Popen[bytes]) -> int:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and daemon.poll() is None:
        if found := re.search(r"http://127\.0\.0\.1:(\d+)", log.read_text()):
            return int(found[1])
        time.sleep(0.05)
    pytest.fail(log.read_text())
