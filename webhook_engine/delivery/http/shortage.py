"""Recognizing failures caused by a lack of the engine's own resources, which are not the endpoint's failures."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence

from webhook_engine.delivery.http.problems import problem
from webhook_engine.delivery.http.resolver import AddressInfo
from webhook_engine.delivery.http.response import OwnTroubleError
from webhook_engine.delivery.troubles import Lack, lack_of

__all__ = ["own_trouble"]

_MISSING = {
    Lack.DESCRIPTORS: "no file descriptor is left",
    Lack.MEMORY: "no memory is left",
    Lack.PORTS: "no local port is left for connections to there",
}


def own_trouble(what: str, error: BaseException, tried: Sequence[AddressInfo] = ()) -> OwnTroubleError | None:
    """The exception to raise if an error shows that the engine lacked something; ``None`` if the peer failed.

    ``what`` says what could not be done. ``tried`` are the addresses that were connected to.
    """
    lack = lack_of(error)
    if lack is None or (lack is Lack.PORTS and not _reached_from_here(tried)):
        return None
    missing = _MISSING.get(lack)
    return OwnTroubleError(lack, f"{what}: {missing} ({problem(error)})" if missing else f"{what}: {problem(error)}")


def _reached_from_here(addresses: Sequence[AddressInfo]) -> bool:
    """Whether this machine has a source address for any of these.

    ``EADDRNOTAVAIL`` means a shortage of ports or no source address. A UDP socket tells the two apart, since it has
    ports of its own: connecting it sends nothing, and fails only without a source address.
    """
    for family, _, _, _, address in addresses:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect(address)
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                continue
        return True
    return False
