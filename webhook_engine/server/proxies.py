"""Finds the client's address behind reverse proxies. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

from webhook_engine.config.values import Network

__all__ = ["client_address"]


def client_address(peer: str | None, forwarded_for: str | None, trusted: Sequence[Network]) -> str | None:
    """The address of the client.

    ``X-Forwarded-For`` is read from its end, for as long as the address that added an entry is a trusted proxy. So a
    client cannot fake its address with this header.
    """
    hops = [hop.strip() for hop in (forwarded_for or "").split(",") if hop.strip()]
    address = peer
    while hops and address is not None and _is_in(address, trusted):
        address = hops.pop()
    return address


def _is_in(address: str, networks: Sequence[Network]) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None) or parsed
    return any(mapped in network for network in networks)
