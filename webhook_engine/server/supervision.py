"""Integration with systemd: status (``sd_notify``), watchdog, credentials, and inherited sockets.

All of it does nothing if systemd did not start the process.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import suppress
from pathlib import Path

from webhook_engine.errors import ConfigError, StoreError
from webhook_engine.log import get_logger

__all__ = ["Supervisor", "inherited_socket", "with_credentials"]

FIRST_SOCKET = 3
"""The descriptor of the first socket that systemd hands over."""

CREDENTIALS = {
    "main_secret": "WEBHOOK_ENGINE_SECURITY__MAIN_SECRET",
    "jwt_secret": "WEBHOOK_ENGINE_AUTH__JWT_SECRET",
}
"""The names of systemd credentials, and the settings that they provide."""

log = get_logger("supervision")


class Supervisor:
    """Notifies the service manager that started this process, if there is one."""

    def __init__(self, environ: MutableMapping[str, str] | None = None) -> None:
        environ = os.environ if environ is None else environ
        # Child processes must not send notifications in this one's name.
        self._address = environ.pop("NOTIFY_SOCKET", None)
        watchdog, process = environ.pop("WATCHDOG_USEC", None), environ.pop("WATCHDOG_PID", None)
        self._watchdog_s = 0.0
        if self._address and watchdog and watchdog.isdecimal() and process in (None, str(os.getpid())):
            self._watchdog_s = int(watchdog) / 1_000_000
        self._beating: asyncio.Task[None] | None = None

    def ready(self, status: str) -> None:
        """Notify systemd that the service is ready, at start or after a reload."""
        self._tell("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """Notify systemd that the service reloads its configuration."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1_000}")

    def stopping(self, status: str) -> None:
        """Notify systemd that the service is stopping."""
        self._tell("STOPPING=1", f"STATUS={status}")

    def watch(self, progress: Callable[[], Awaitable[object]]) -> None:
        """Notify the watchdog each time after ``progress`` has returned; does nothing without a watchdog.

        A ``StoreError`` counts as progress too: a restart would not free any disk space.
        """
        if self._watchdog_s:
            self._beating = asyncio.create_task(self._beat(progress), name="webhook-engine-watchdog")

    async def end(self) -> None:
        """Stop notifying the watchdog."""
        if self._beating is not None:
            self._beating.cancel()
            with suppress(asyncio.CancelledError):
                await self._beating
            self._beating = None

    async def _beat(self, progress: Callable[[], Awaitable[object]]) -> None:
        while True:
            began_at = asyncio.get_running_loop().time()
            with suppress(StoreError):
                await progress()
            self._tell("WATCHDOG=1")
            took = asyncio.get_running_loop().time() - began_at
            await asyncio.sleep(max(0.0, self._watchdog_s / 2 - took))

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        # A name that begins with "@" is in the abstract namespace.
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sending:
                sending.connect(address)
                sending.sendall("\n".join(lines).encode())
        except OSError as error:
            log.warning("supervisor.not_told", error=str(error))


def inherited_socket(environ: MutableMapping[str, str] | None = None) -> socket.socket | None:
    """The listening socket that systemd opened for this process (``LISTEN_FDS``), if any."""
    environ = os.environ if environ is None else environ
    count, process = environ.pop("LISTEN_FDS", "0"), environ.pop("LISTEN_PID", None)
    environ.pop("LISTEN_FDNAMES", None)
    if process != str(os.getpid()) or not count.isdecimal() or int(count) < 1:
        return None
    if int(count) > 1:
        log.warning("supervisor.sockets_ignored", count=int(count) - 1, hint="one ListenStream is enough")
    os.set_inheritable(FIRST_SOCKET, False)
    return socket.socket(fileno=FIRST_SOCKET)


def with_credentials(environ: Mapping[str, str]) -> Mapping[str, str]:
    """The environment, plus the secrets that systemd passes as files (``LoadCredential``).

    Raises ``ConfigError`` if a file cannot be read.
    """
    directory = environ.get("CREDENTIALS_DIRECTORY")
    found = {}
    for name, variable in CREDENTIALS.items():
        path = Path(directory, name) if directory else None
        if path is not None and variable not in environ and path.exists():
            try:
                found[variable] = path.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(f"the credential {path} cannot be read: {error}") from error
    return {**environ, **found}
