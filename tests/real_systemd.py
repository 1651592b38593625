"""A systemd of the tests' own, as process 1 of its own namespaces: for tests that run as root on Linux.

It sees the machine's programs, but has its own ``/run``, ``/tmp``, ``/var/lib`` and control groups, and knows no units
but those that it is given. The network is the machine's.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import site
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

SYSTEMD = Path("/lib/systemd/systemd")
HERE = Path("/opt/engine")
"""Where the programs of the units are: the places where Python and this package may really be are hidden from units."""
LOG = "/run/units.log"
"""Where units may write what they say."""
PATIENCE_S = 20.0

# Units need some targets that the machine's own units would bring.
TARGETS = ("sysinit", "basic", "shutdown", "sockets", "network-online", "multi-user", "default")

BOOT = """
set -e
mount --make-rprivate /
umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs /opt
mkdir -p {here}/python {here}/package
mount --rbind {python} {here}/python
mount --rbind {package} {here}/package
n=0
for each in {sites}; do
    mkdir -p {here}/site$n
    mount --rbind "$each" {here}/site$n
    n=$((n + 1))
done
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/systemd /run/test-units /run/credstore
cp -r {units}/. /run/test-units/
for each in /tmp /var/tmp; do mount -t tmpfs -o mode=1777 tmpfs $each; done
mount -t tmpfs -o mode=755 tmpfs /var/lib
mount --make-rshared /
export container=tests SYSTEMD_UNIT_PATH=/run/test-units
exec {systemd} --system --log-target=console --show-status=0
"""


class Systemd:
    """The running manager, and what its ``systemctl`` does."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command where the manager is."""
        return subprocess.run(
            ["nsenter", f"--target={self._pid}", "--mount", "--pid", "--cgroup", *command],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd="/",
        )

    def systemctl(self, *arguments: str) -> None:
        """Run ``systemctl``, which must succeed."""
        done = self.run("systemctl", *arguments)
        assert done.returncode == 0, done.stderr + self.run("tail", "-n", "40", LOG).stdout

    def show(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.run("systemctl", "show", unit, f"--property={name}", "--value").stdout.strip()

    def until(self, unit: str, name: str, wanted: str) -> None:
        """Wait until a property of a unit has a value."""
        ends_at = time.monotonic() + PATIENCE_S
        while (found := self.show(unit, name)) != wanted:
            assert time.monotonic() < ends_at, f"{name} of {unit} is still {found!r}, not {wanted!r}"
            time.sleep(0.05)

    def write(self, path: str, text: str, *, mode: str = "600") -> None:
        """Write a file where the manager is."""
        shell = f"umask 077; mkdir -p $(dirname {path}); cat > {path}; chmod {mode} {path}"
        subprocess.run(
            ["nsenter", f"--target={self._pid}", "--mount", "--pid", "sh", "-c", shell],
            input=text,
            text=True,
            check=True,
            cwd="/",
        )


def python_environment() -> dict[str, str]:
    """What Python needs to find itself and this package under :data:`HERE`."""
    sites = [f"{HERE}/site{number}" for number in range(len(_sites()))]
    return {
        "PYTHONHOME": f"{HERE}/python",
        "LD_LIBRARY_PATH": f"{HERE}/python/lib",
        "PYTHONPATH": ":".join([f"{HERE}/package", *sites]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def python() -> str:
    """The interpreter, as a path that units can run."""
    program = Path(sys.executable).resolve()
    return str(HERE / "python" / program.relative_to(Path(sys.base_prefix).resolve()))


@contextmanager
def booted(directory: Path, units: Mapping[str, str]) -> Iterator[Systemd]:
    """Boot it with these units, by file name; skips the test, with the reason, where that is impossible."""
    if os.geteuid() != 0:
        pytest.skip("a systemd of its own needs root")
    for program in (str(SYSTEMD), "unshare", "nsenter", "setpriv", "systemctl"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (Debian packages systemd and util-linux)")
    home, groups = directory / "units", directory / "cgroup"
    home.mkdir()
    for name in TARGETS:
        (home / f"{name}.target").write_text("[Unit]\nDefaultDependencies=no\n")
    for name, text in units.items():
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).write_text(text)
    groups.mkdir()
    mounted = subprocess.run(["mount", "-t", "cgroup2", "cgroup2", groups], capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"control groups of version 2 cannot be mounted here: {mounted.stderr.strip()}")
    group = groups / f"webhook-engine-test-{os.getpid()}"
    try:
        group.mkdir()
        yield from _boot(directory, home, group)
    finally:
        _remove(group)
        subprocess.run(["umount", groups], check=False)


def _boot(directory: Path, units: Path, group: Path) -> Iterator[Systemd]:
    script = directory / "boot.sh"
    script.write_text(
        BOOT.format(
            here=HERE,
            python=Path(sys.base_prefix).resolve(),
            package=Path(__file__).resolve().parents[1],
            sites=" ".join(map(str, _sites())),
            units=units,
            systemd=SYSTEMD,
        )
    )
    unshare = ["unshare", "--pid", "--mount", "--ipc", "--uts", "--cgroup", "--fork", "--kill-child", "--mount-proc"]
    enter = f"echo $$ > {group}/cgroup.procs; exec {' '.join(unshare)} sh {script}"
    log = directory / "systemd.log"
    with log.open("wb") as out:
        # However the tests end, it ends with them.
        command = ["setpriv", "--pdeathsig", "KILL", "sh", "-c", enter]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd="/")
    try:
        pid = _first(process, log)
        manager = Systemd(pid)
        ends_at = time.monotonic() + PATIENCE_S
        while manager.run("systemctl", "is-system-running").stdout.strip() != "running":
            if process.poll() is not None or time.monotonic() > ends_at:
                pytest.skip(f"systemd does not come up here: {log.read_text(errors='replace')[-500:]}")
            time.sleep(0.05)
        yield manager
    finally:
        process.kill()  # and with it, by --kill-child, process 1 of the namespace and all others there
        process.wait()


def _first(process: subprocess.Popen[bytes], log: Path) -> int:
    """The process that is number 1 in the namespace."""
    ends_at = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends_at and process.poll() is None:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        if children:
            return int(children[0])
        time.sleep(0.02)
    pytest.skip(f"no namespaces of its own can be had here: {log.read_text(errors='replace')[-500:]}")


def _sites() -> list[Path]:
    return [Path(each).resolve() for each in site.getsitepackages()]


def _remove(group: Path) -> None:
    """Remove a control group and those in it, when the processes in them have ended."""
    ends_at = time.monotonic() + PATIENCE_S
    while group.exists() and time.monotonic() < ends_at:
        for each in sorted(group.rglob("*/"), key=lambda path: -len(path.parts)):
            if each.is_dir():
                _try_to_remove(each)
        _try_to_remove(group)
        time.sleep(0.05)


def _try_to_remove(group: Path) -> None:
    with contextlib.suppress(OSError):  # still in use
        group.rmdir()
