"""A table of names that stands in for the DNS."""

from __future__ import annotations

import socket
import threading
from typing import Any

__all__ = ["Names"]


class Names:
    """What names resolve to, instead of the DNS; a look-up may fail, or hang until an event is set."""

    def __init__(self) -> None:
        self.table: dict[str, list[str] | threading.Event | OSError] = {}
        self.asked: list[str] = []
        self._real = socket.getaddrinfo

    def __call__(self, host: str, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host not in self.table:
            return self._real(host, port, *args, **kwargs)
        self.asked.append(host)
        addresses = self.table[host]
        if isinstance(addresses, threading.Event):
            addresses.wait(60)
            addresses = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        if isinstance(addresses, OSError):
            raise addresses
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (a, port, 0, 0))
            if ":" in a
            else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port))
            for a in addresses
        ]

    def let_go(self) -> None:
        """Let everything end that hangs."""
        for entry in self.table.values():
            if isinstance(entry, threading.Event):
                entry.set()
