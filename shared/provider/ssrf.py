"""Reaching an address that a stranger chose: only public ones, checked on the very socket that connects."""

from __future__ import annotations

import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final

Address = IPv4Address | IPv6Address
Reach = Callable[[Address], bool]

NAT64: Final = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are the IPv4 address that is reached
UNICAST: Final = IPv6Network("2000::/3")  # RFC 4291 §2.4: what is assigned of global unicast

# Every row of https://www.iana.org/assignments/iana-ipv4-special-registry and …/iana-ipv6-special-registry (RFC 6890), also
# those that are reachable by anybody: they are anycast or belong to a protocol, and nobody's files lie there. Addresses that
# carry another one (6to4, Teredo) are refused with their registries.
SPECIAL: Final = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
            "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
            "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
            "168.63.129.16/32",  # no registry's: what a machine of Azure asks for its secrets
            "2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
        ),
    )
)  # fmt: skip


class NotPublic(PermissionError):
    """The address belongs to a private, local or reserved network."""


def public(address: Address) -> bool:
    """Whether the whole internet can mean this address, and only one host by it; mapped ones count as what they map."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return public(address.ipv4_mapped)
        if address in NAT64:
            return public(IPv4Address(int(address) & 0xFFFFFFFF))
        if address not in UNICAST:
            return False
    return not any(address in network for network in SPECIAL) and address.is_global


def guarded_socket(reach: Reach) -> Callable[[Any], socket.socket]:
    """A factory of sockets for (family, type, protocol, name, address).

    It sees the address that is connected to, after every form of name, redirect and number has been resolved, so no
    second resolution can slip another one in between.
    """

    def make(info: Any) -> socket.socket:
        family, kind, protocol, _, where = info
        if not reach(ip_address(str(where[0]).partition("%")[0])):
            raise NotPublic("not a public address")
        return socket.socket(family, kind, protocol)

    return make
