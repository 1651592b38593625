from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook_engine.delivery.http.guard import BLOCKED, AddressGuard


def each(text: str) -> list[str]:
    return text.split()


REFUSED = each("""
0.0.0.0 0.255.255.255 10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255 127.0.0.1 127.255.255.255 169.254.0.1
169.254.255.255 172.16.0.0 172.31.255.255 192.0.0.0 192.0.0.255 192.0.2.1 192.88.99.1 192.168.0.1 192.168.255.255
198.18.0.0 198.19.255.255 198.51.100.7 203.0.113.7 224.0.0.1 239.255.255.255 240.0.0.0 255.255.255.255
:: ::1 ::2 ff00::1 ff02::1 fe80::1 fe80::1%eth0 febf::1 fec0::1 fc00::1 fdff::1 2001:db8::1 3fff::1 100::1 5f00::1
4000::1 200::1 2001:10::1 2001:20::1
""")

CARRYING = each("""
::ffff:10.0.0.1 ::ffff:127.0.0.1 ::ffff:192.168.1.1 ::ffff:a00:1 ::10.0.0.1 ::127.0.0.1 64:ff9b::10.0.0.1
64:ff9b::127.0.0.1 64:ff9b:1:a00:1:: 64:ff9b:1::10.0.0.1 2002:a00:1:: 2002:7f00:1::1
2001:0:a00:1:0:0:f7f7:f7f7 2001:0:808:808:0:0:f5ff:fffe
""")

TUNNELLED_PUBLIC = each("::8.8.8.8 64:ff9b::8.8.8.8 64:ff9b:1:808:8:800:: 2002:808:808::1 2001:0:808:808:0:0:f7f7:f7f7")

PUBLIC = each("""
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.1 169.253.255.255 172.15.0.1
172.32.0.0 192.0.1.1 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255
2606:4700:4700::1111 2a00:1450:4001:80e::200e 2001:4860:4860::8888 ::ffff:8.8.8.8
""")

METADATA = each("""
169.254.169.254 169.254.170.2 169.254.170.23 100.100.100.200 168.63.129.16 192.0.0.192 fd00:ec2::254
::ffff:169.254.169.254 ::ffff:168.63.129.16 64:ff9b::169.254.169.254 64:ff9b::168.63.129.16 64:ff9b:1:a9fe:a9:fe00::
64:ff9b:1::169.254.169.254 2002:a9fe:a9fe::1 ::169.254.169.254 2001:0:a9fe:a9fe:0:0:f7f7:f7f7
2001:0:808:808:0:0:5601:5601 fd00:ec2::254%eth0
""")

EVERYTHING = [ip_network("0.0.0.0/0"), ip_network("::/0")]

v4 = st.integers(0, 2**32 - 1).map(IPv4Address)
v6 = st.integers(0, 2**128 - 1).map(IPv6Address)


@pytest.mark.parametrize("address", REFUSED + CARRYING + TUNNELLED_PUBLIC + METADATA)
def test_what_is_not_plainly_public_is_refused(address: str) -> None:
    refusal = AddressGuard([]).refusal(address)
    assert refusal
    assert BLOCKED in refusal


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_accepted(address: str) -> None:
    guard = AddressGuard([])
    assert guard.refusal(address) is None
    assert guard.refusal(ip_address(address)) is None


def test_the_text_says_what_to_do() -> None:
    assert AddressGuard([]).refusal("10.0.0.1") == (
        "requests to this IP range are blocked (private network; the operator can allow it with delivery.allow_subnets)"
    )


def test_the_text_does_not_tell_the_address() -> None:
    assert "10.1.2.3" not in str(AddressGuard([]).refusal("10.1.2.3"))


@pytest.mark.parametrize("address", METADATA)
def test_metadata_stays_refused_whatever_is_allowed(address: str) -> None:
    guard = AddressGuard([*EVERYTHING, ip_network(address.partition("%")[0])])
    assert "cannot be allowed" in str(guard.refusal(address))


@pytest.mark.parametrize("address", [a for a in REFUSED + CARRYING if a not in METADATA])
def test_everything_else_can_be_allowed(address: str) -> None:
    assert AddressGuard(EVERYTHING).refusal(address) is None


@pytest.mark.parametrize(
    ("subnet", "accepted", "refused"),
    [
        (
            "127.0.0.1/32",
            ["127.0.0.1", "::ffff:127.0.0.1"],
            ["127.0.0.2", "::1", "64:ff9b::127.0.0.1", "2002:7f00:1::"],
        ),
        ("10.0.0.0/8", ["10.1.2.3", "::ffff:10.1.2.3"], ["192.168.0.1", "64:ff9b::10.1.2.3", "::10.1.2.3"]),
        ("::ffff:10.0.0.0/104", ["10.1.2.3", "::ffff:10.1.2.3"], ["127.0.0.1", "::1"]),
        ("::1/128", ["::1"], ["127.0.0.1", "::2"]),
        ("fe80::/10", ["fe80::1", "fe80::1%eth0"], ["fc00::1"]),
        ("64:ff9b::/96", ["64:ff9b::8.8.8.8"], ["64:ff9b::10.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b:1::8.8.8.8"]),
        ("64:ff9b:1::/48", ["64:ff9b:1:808:8:800::", "64:ff9b:1::8.8.8.8"], ["64:ff9b:1:a00:0:100::"]),
        ("2002::/16", ["2002:808:808::1"], ["2002:a00:1::1"]),
        ("2001::/32", ["2001:0:808:808:0:0:f7f7:f7f7"], ["2001:0:808:808:0:0:f5ff:fffe"]),
        ("::/0", ["::1", "64:ff9b::8.8.8.8"], ["10.0.0.1", "64:ff9b::10.0.0.1", "::ffff:10.0.0.1"]),
        ("0.0.0.0/0", ["10.0.0.1", "::ffff:10.0.0.1"], ["::1", "64:ff9b::10.0.0.1"]),
    ],
)
def test_an_allowed_subnet_opens_itself_and_nothing_else(subnet: str, accepted: list[str], refused: list[str]) -> None:
    guard = AddressGuard([ip_network(subnet)])
    assert [a for a in accepted if guard.refusal(a)] == []
    assert [a for a in refused if not guard.refusal(a)] == []


def test_a_tunnelled_private_address_needs_both_to_be_allowed() -> None:
    guard = AddressGuard([ip_network("64:ff9b::/96"), ip_network("10.0.0.0/8")])
    assert guard.refusal("64:ff9b::10.0.0.1") is None
    assert guard.refusal("64:ff9b::127.0.0.1")


@pytest.mark.parametrize("text", ["", "localhost", "2130706433", "0x7f000001", "127.1", "017700000001", "1.2.3.4.5"])
def test_what_is_no_address_is_refused(text: str) -> None:
    assert BLOCKED in str(AddressGuard(EVERYTHING).refusal(text))


@given(v4)
def test_ipv4_is_refused_exactly_if_it_is_not_global_unicast(address: IPv4Address) -> None:
    guard = AddressGuard([])
    if not address.is_global or address.is_multicast or address.is_reserved:
        assert guard.refusal(address)
    assert (guard.refusal(address) is None) == (guard.refusal(f"::ffff:{address}") is None)


@given(v6)
def test_ipv6_is_refused_if_it_is_not_global_unicast(address: IPv6Address) -> None:
    if not address.is_global or address.is_multicast or address not in ip_network("2000::/3"):
        unmapped = address.ipv4_mapped or address
        assert AddressGuard([]).refusal(address) or unmapped.is_global


@given(v4, st.sampled_from(["64:ff9b::{}", "::{}"]))
def test_a_carried_address_never_passes_unless_it_would_pass_alone(inner: IPv4Address, form: str) -> None:
    guard = AddressGuard([ip_network("64:ff9b::/96"), ip_network("::/96")])
    carried = form.format(inner)
    if int(inner) > 1:
        assert (guard.refusal(carried) is None) == (guard.refusal(inner) is None)


@given(v4, v4)
def test_both_addresses_in_teredo_are_judged(server: IPv4Address, client: IPv4Address) -> None:
    guard = AddressGuard([ip_network("2001::/32")])
    carried = IPv6Address(0x20010000 << 96 | int(server) << 64 | (int(client) ^ 0xFFFFFFFF))
    assert (guard.refusal(carried) is None) == (guard.refusal(server) is None and guard.refusal(client) is None)
