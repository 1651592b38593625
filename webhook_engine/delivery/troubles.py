"""The engine's own troubles: distinguished from the failures of receivers, counted and logged.

They are not the receivers' failures, so no attempt is recorded; but unless they are reported, deliveries would just be
late.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from enum import StrEnum

import msgspec

from webhook_engine.errors import SecretsUnreadableError
from webhook_engine.log import get_logger

__all__ = ["Lack", "Trouble", "Troubles", "lack_of"]

LOGGED_EVERY_S = 60
RECENT_S = 60
"""Seconds for which a trouble counts as present after it last occurred."""

log = get_logger("troubles")


class Lack(StrEnum):
    """The resource that is lacking."""

    DESCRIPTORS = "descriptors"
    MEMORY = "memory"
    PORTS = "ports"
    PROXY = "proxy"
    DISK = "disk"
    SECRETS = "secrets"
    MAIL = "mail"


_BY_ERRNO = {
    errno.EMFILE: Lack.DESCRIPTORS,
    errno.ENFILE: Lack.DESCRIPTORS,
    errno.ENOMEM: Lack.MEMORY,
    errno.ENOBUFS: Lack.MEMORY,
    errno.EADDRNOTAVAIL: Lack.PORTS,
    errno.ENOSPC: Lack.DISK,
    errno.EDQUOT: Lack.DISK,
}

_ADVICE = {
    Lack.DESCRIPTORS: (
        "let it have more open files (LimitNOFILE= of the service, ulimit -n), or lower server.max_connections "
        "or delivery.max_in_flight"
    ),
    Lack.MEMORY: "let it have more memory, or lower delivery.max_in_flight",
    Lack.PORTS: "widen net.ipv4.ip_local_port_range, or lower delivery.max_in_flight",
    Lack.PROXY: "see that delivery.proxy is right, that it can be reached, and that it lets this engine through",
    Lack.DISK: "free disk space",
    Lack.MAIL: "see that smtp_host and what is beside it in [alerts] are right, and that the mail server takes letters",
    Lack.SECRETS: "start it with the main secret that the signing secrets of the endpoints were encrypted with",
}


def lack_of(error: BaseException) -> Lack | None:
    """What this process lacked when an error was raised; ``None`` if the peer failed.

    The causes and contexts of the error are examined too.
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, MemoryError):
            return Lack.MEMORY
        if isinstance(seen, SecretsUnreadableError):
            return Lack.SECRETS
        # ``gaierror`` has error numbers of its own, which mean something else.
        if isinstance(seen, OSError) and seen.errno is not None and seen.errno > 0:
            return _BY_ERRNO.get(seen.errno)
        seen = seen.__cause__ or seen.__context__
    return None


class Trouble(msgspec.Struct, frozen=True):
    """How often a resource was lacking, and when last."""

    lack: Lack
    count: int
    last_at: int
    """Microseconds since the epoch."""
    last_text: str

    @property
    def advice(self) -> str:
        """What to do about it."""
        return _ADVICE[self.lack]


class Troubles:
    """Counts what an engine has lacked since it was made."""

    def __init__(self) -> None:
        self._met: dict[Lack, Trouble] = {}
        self._logged_at: dict[Lack, int] = {}

    def met(self, lack: Lack, text: str, now: int) -> None:
        """Count a lack."""
        before = self._met.get(lack)
        count = 1 if before is None else before.count + 1
        trouble = self._met[lack] = Trouble(lack, count, now, text)
        logged_at = self._logged_at.get(lack)
        if logged_at is None or not 0 <= now - logged_at < LOGGED_EVERY_S * 1_000_000:
            self._logged_at[lack] = now
            log.error("engine.lacks", what=lack.value, error=text, times=count, advice=trouble.advice)

    def count(self, lack: Lack) -> int:
        """How often a resource was lacking."""
        trouble = self._met.get(lack)
        return 0 if trouble is None else trouble.count

    def present(self, now: int) -> Sequence[Trouble]:
        """The troubles of the last minute."""
        return [trouble for trouble in self._met.values() if abs(now - trouble.last_at) < RECENT_S * 1_000_000]
