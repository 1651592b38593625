"""A process that is kept: its answers, its death, and that it is no copy of anything."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from engines import until
from stores import no_engine

from webhook_engine.delivery.processes.kept_process import KeptProcess, NotStartedError

pytestmark = [no_engine, pytest.mark.skipif(os.name != "posix", reason="there are none elsewhere")]

PROGRAM = """
import json, os, sys, time

def reply(job):
    if job == b"die":
        os._exit(3)
    if job == b"hang":
        time.sleep(600)
    if job == b"import":
        import beside_the_host
        return beside_the_host.SAID
    if job == b"where":
        return json.dumps({"environment": dict(os.environ), "cwd": os.getcwd(), "path": sys.path}).encode()
    return job
"""
A_WHILE_S = 60.0
"""Nothing here takes as long."""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    return path


@pytest.fixture
def process(program: Path) -> Iterator[KeptProcess]:
    process = KeptProcess(program)
    yield process
    process.kill()


def is_there(pid: int) -> bool:
    """Whether a process runs; one that is dead and that nobody has asked about does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("size", [1, 70_000, 2_000_000])
def test_it_answers_and_is_kept(process: KeptProcess, size: int) -> None:
    assert process.pid is None
    pids = set()
    for _ in range(3):
        assert process.do(b"x" * size, A_WHILE_S) == b"x" * size
        pids.add(process.pid)
    assert len(pids) == 1


def test_one_that_dies_at_a_job_is_gone_and_the_next_job_has_another(process: KeptProcess) -> None:
    assert process.do(b"die", A_WHILE_S) is None
    assert process.pid is None
    assert process.do(b"1", A_WHILE_S) == b"1"


def test_one_that_is_killed_between_jobs_is_replaced(process: KeptProcess) -> None:
    process.do(b"1", A_WHILE_S)
    before = process.pid
    assert before is not None
    os.kill(before, signal.SIGKILL)
    assert (process.do(b"2", A_WHILE_S) or process.do(b"2", A_WHILE_S)) == b"2"
    assert process.pid != before


def test_one_that_takes_too_long_is_killed(process: KeptProcess) -> None:
    process.do(b"1", A_WHILE_S)
    before = process.pid
    assert process.do(b"hang", 0.1) is None
    assert before is not None
    assert not is_there(before)


async def test_one_that_reads_nothing_is_killed_too(process: KeptProcess) -> None:
    process.do(b"1", A_WHILE_S)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGSTOP)
    more_than_a_pipe_holds = b"x" * 2_000_000
    async with asyncio.timeout(A_WHILE_S):
        assert await process.in_thread(lambda: process.do(more_than_a_pipe_holds, 0.1)) is None


async def test_who_is_cancelled_leaves_it_free_for_the_next(process: KeptProcess) -> None:
    await process.in_thread(lambda: process.do(b"1", A_WHILE_S))
    hanging = asyncio.create_task(process.in_thread(lambda: process.do(b"hang", A_WHILE_S)))
    await asyncio.sleep(0)
    hanging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging
    answers = [await process.in_thread(lambda: process.do(b"2", A_WHILE_S)) for _ in range(2)]
    assert answers[-1] == b"2"


def test_it_has_an_empty_environment_and_finds_what_the_host_finds(
    process: KeptProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside/beside_the_host.py").write_text("SAID = b'found'")
    monkeypatch.syspath_prepend(tmp_path / "beside")
    monkeypatch.setenv("SECRET", "1")
    where = json.loads(process.do(b"where", A_WHILE_S) or b"")
    assert "SECRET" not in where["environment"]
    assert where["cwd"] == "/"
    own, of_the_host = (where["path"].index(str(one)) for one in (Path(json.__file__).parents[1], tmp_path / "beside"))
    assert own < of_the_host
    assert process.do(b"import", A_WHILE_S) == b"found"


@pytest.mark.parametrize("instead", ["/nowhere/python", "/bin/false"])
def test_where_none_can_be_started_that_is_said(
    process: KeptProcess, monkeypatch: pytest.MonkeyPatch, instead: str
) -> None:
    monkeypatch.setattr(sys, "executable", instead)
    with pytest.raises(NotStartedError) as raised:
        process.do(b"1", A_WHILE_S)
    assert raised.value.exit_code == (1 if instead == "/bin/false" else None)
    monkeypatch.undo()
    assert process.do(b"1", A_WHILE_S) == b"1"


def test_a_program_that_cannot_be_loaded_is_not_started(program: Path, process: KeptProcess) -> None:
    program.write_text("import nothing_of_this_name")
    with pytest.raises(NotStartedError):
        process.do(b"1", A_WHILE_S)


@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
async def test_it_ends_with_its_starter_also_if_that_is_killed(program: Path) -> None:
    code = (
        "from pathlib import Path; from webhook_engine.delivery.processes.kept_process import KeptProcess\n"
        f"process = KeptProcess(Path({str(program)!r})); process.do(b'1', 60); print(process.pid, flush=True)\n"
        "input()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        assert is_there(pid)
        starter.kill()
        await until(lambda: not is_there(pid))
