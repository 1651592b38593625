"""Which addresses may be connected to. Pure: no I/O, no names, only addresses.

Everything except public unicast is refused, unless ``delivery.allow_subnets`` names it. An IPv6 address may contain an
IPv4 address; then both are checked:

* IPv4-mapped (``::ffff:10.0.0.1``) *is* that IPv4 address; only the IPv4 rules and IPv4 subnets count.
* NAT64, 6to4, Teredo and IPv4-compatible addresses are refused as such. Where their own range is allowed, the address
  inside must be acceptable too: allowing ``64:ff9b::/96`` opens public IPv4 behind NAT64, and still not ``10.0.0.0/8``.

Cloud metadata services hand out credentials; their addresses stay refused whatever is allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

__all__ = ["BLOCKED", "AddressGuard"]

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

BLOCKED = "requests to this IP range are blocked"
"""The beginning of the text of every refusal."""

_METADATA: frozenset[Address] = frozenset(
    map(
        ip_address,
        (
            "169.254.169.254",  # AWS, Google, Azure, DigitalOcean, Oracle and others
            "169.254.170.2",  # AWS, tasks in containers
            "169.254.170.23",  # AWS, identities of pods
            "169.254.0.23",  # Tencent
            "169.254.42.42",  # Scaleway
            "100.100.100.200",  # Alibaba
            "168.63.129.16",  # Azure, the wire server
            "192.0.0.192",  # Oracle, the older generation
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",
            "fd00:42::42",
        ),
    )
)

_REFUSED: dict[Network, str] = {
    ip_network(network): label
    for network, label in {
        "0.0.0.0/8": "this host",
        "10.0.0.0/8": "private network",
        "100.64.0.0/10": "shared address space",
        "127.0.0.0/8": "loopback",
        "169.254.0.0/16": "link-local",
        "172.16.0.0/12": "private network",
        "192.0.0.0/24": "protocol assignments",
        "192.0.2.0/24": "documentation",
        "192.88.99.0/24": "6to4 relay",
        "192.168.0.0/16": "private network",
        "198.18.0.0/15": "benchmarking",
        "198.51.100.0/24": "documentation",
        "203.0.113.0/24": "documentation",
        "224.0.0.0/4": "multicast",
        "240.0.0.0/4": "reserved",
        "::/128": "this host",
        "::1/128": "loopback",
        "::/96": "IPv4-compatible",
        "64:ff9b::/96": "NAT64",
        "64:ff9b:1::/48": "NAT64",
        "100::/64": "discard",
        "2001::/32": "Teredo",
        "2001::/23": "protocol assignments",
        "2001:db8::/32": "documentation",
        "2002::/16": "6to4",
        "3fff::/20": "documentation",
        "5f00::/16": "segment routing",
        "fc00::/7": "private network",
        "fe80::/10": "link-local",
        "fec0::/10": "site-local",
        "ff00::/8": "multicast",
    }.items()
}

_PUBLIC_V6 = IPv6Network("2000::/3")
_COMPATIBLE = IPv6Network("::/96")
_NAT64 = IPv6Network("64:ff9b::/96")
_LOCAL_NAT64 = IPv6Network("64:ff9b:1::/48")
_MAPPED = IPv6Network("::ffff:0:0/96")
_LOW_32 = 0xFFFF_FFFF


class AddressGuard:
    """Checks addresses; ``allow_subnets`` are the private networks that requests may go to."""

    def __init__(self, allow_subnets: Iterable[Network] = ()) -> None:
        self._allowed = tuple(map(_unmapped, allow_subnets))

    def refusal(self, address: str | IPv4Address | IPv6Address) -> str | None:
        """Why no connection may be made to the address, as text for the attempt; ``None`` if it is allowed.

        The text names the kind of range and not the address, so that the owner of a name does not learn what it
        resolves to inside our network.
        """
        try:
            layers = list(_layers(ip_address(address)))
        except ValueError:
            return f"{BLOCKED} (not an IP address)"
        if not _METADATA.isdisjoint(layers):
            return f"{BLOCKED} (cloud metadata service; it cannot be allowed)"
        for layer in layers:
            label = _label(layer)
            if label and not any(layer in subnet for subnet in self._allowed):
                return f"{BLOCKED} ({label}; the operator can allow it with delivery.allow_subnets)"
        return None


def _label(address: Address) -> str | None:
    for network, label in _REFUSED.items():
        if address in network:
            return label
    if address.version == 6 and address not in _PUBLIC_V6:
        return "reserved"
    return None


def _layers(address: Address) -> Iterator[Address]:
    """The address itself, without its scope, and the IPv4 addresses that it contains."""
    if isinstance(address, IPv4Address):
        yield address
        return
    if address.ipv4_mapped:
        yield address.ipv4_mapped
        return
    number = int(address)
    address = IPv6Address(number)
    yield address
    if address in _NAT64 or (address in _COMPATIBLE and number > 1):
        yield IPv4Address(number & _LOW_32)
    elif address in _LOCAL_NAT64:
        yield IPv4Address(number & _LOW_32 or _split_by_octet_8(number))
    elif address.sixtofour:
        yield address.sixtofour
    elif address.teredo:
        yield from address.teredo


def _split_by_octet_8(number: int) -> int:
    """IPv4 behind a 48 bit prefix: two octets, an octet of zeros, two octets (RFC 6052, section 2.2)."""
    return (number >> 64 & 0xFFFF) << 16 | (number >> 40 & 0xFFFF)


def _unmapped(subnet: Network) -> Network:
    """The IPv4 subnet for a subnet in IPv4-mapped form."""
    if isinstance(subnet, IPv6Network) and subnet.subnet_of(_MAPPED):
        return IPv4Network((int(subnet.network_address) & _LOW_32, subnet.prefixlen - 96))
    return subnet
