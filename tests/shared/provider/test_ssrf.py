"""Addresses that a stranger chose: what the registries of special purposes name is never reached (RFC 6890)."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from shared.provider.ssrf import SPECIAL, public

INNER = (
    "0.0.0.0", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "169.254.169.254", "172.31.255.255", "192.0.0.9",
    "192.0.0.192", "192.0.2.1", "192.31.196.1", "192.52.193.1", "192.88.99.1", "192.168.1.1", "192.175.48.1", "198.19.255.255",
    "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "168.63.129.16",
    "::", "::1", "::ffff:127.0.0.1", "::ffff:168.63.129.16", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a83f:8110", "64:ff9b:1::1",
    "100::1", "100:0:0:1::1", "2001::1", "2001:0:7f00:1::", "2001:2::1", "2001:3::1", "2001:4:112::1", "2001:10::1", "2001:20::1",
    "2001:30::1", "2001:db8::1", "2002:7f00:1::", "2620:4f:8000::1", "3fff::1", "3fff:fff:ffff::1", "5f00::1", "fc00::1",
    "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "4000::1",
)  # fmt: skip
OUTER = (
    "8.8.8.8",
    "1.1.1.1",
    "198.20.0.1",
    "2a00:1450:4001:81b::200e",
    "2606:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
)


@pytest.mark.parametrize("address", INNER)
def test_an_inner_address_is_not_public(address: str) -> None:
    assert not public(ip_address(address))


@pytest.mark.parametrize("address", OUTER)
def test_what_everybody_can_mean_is(address: str) -> None:
    assert public(ip_address(address))


@pytest.mark.parametrize("network", SPECIAL, ids=str)
def test_a_registry_is_refused_from_its_first_address_to_its_last(network: object) -> None:
    whole = ip_network(str(network))
    assert not public(whole[0])
    assert not public(whole[-1])
