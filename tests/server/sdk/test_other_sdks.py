"""The SDKs that cannot be installed beside the newest Python one run the same scenario against a real daemon.

npm and pip bring them when the test runs: the newest and the last 1.x for JavaScript, and the last 1.x for Python.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from daemons import daemon, token
from receivers import Receiver

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

HERE = Path(__file__).parent
LOOPBACK = {"WEBHOOK_ENGINE_DELIVERY__ALLOW_SUBNETS": '["127.0.0.1/32"]'}


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The JavaScript SDKs, and the Node that the newest of them needs."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed; it brings the JavaScript SDKs and the Node that they need")
    directory = tmp_path_factory.mktemp("npm")
    wanted = ("svix-v2@npm:svix@^2.5", "svix-v1@npm:svix@^1.99", "node@22")
    subprocess.run(
        [npm, "install", "--prefix", str(directory), "--no-audit", "--no-fund", *wanted],
        check=True,
        capture_output=True,
        timeout=240,
    )
    return directory / "node_modules"


@pytest.fixture(scope="module")
def older_python_sdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("pip")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(directory), "svix<2"],
        check=True,
        capture_output=True,
        timeout=240,
    )
    return directory


async def runs_through(directory: Path, *command: str | Path, **environment: str) -> None:
    async with Receiver() as receiver, daemon(directory, **LOOPBACK) as running:
        process = await asyncio.create_subprocess_exec(
            *command,
            running.url,
            await token(directory),
            receiver.url,
            env={**os.environ, **environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(120):
            said, _ = await process.communicate()
        assert (process.returncode, said.decode()) == (0, "done\n"), said.decode()
        assert len(receiver.requests) >= 2


@pytest.mark.parametrize("sdk", ["svix-v2/dist/index.mjs", "svix-v1/dist/index.js"])
async def test_the_javascript_sdk_drives_the_daemon(packages: Path, tmp_path: Path, sdk: str) -> None:
    await runs_through(tmp_path, packages / ".bin" / "node", HERE / "scenario.mjs", packages / sdk)


async def test_the_last_python_sdk_of_the_first_series_drives_the_daemon(
    older_python_sdk: Path, tmp_path: Path
) -> None:
    await runs_through(tmp_path, sys.executable, HERE / "scenario.py", PYTHONPATH=str(older_python_sdk))
