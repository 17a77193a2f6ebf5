"""Reaching an address that a stranger chose: only public ones, checked on the very socket that connects."""

from __future__ import annotations

import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

Address = IPv4Address | IPv6Address
Reach = Callable[[Address], bool]

NAT64: Final = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are the IPv4 address that is reached
UNICAST: Final = IPv6Network("2000::/3")  # RFC 4291 §2.4: what is assigned of global unicast
RELAY: Final = IPv6Network("2002::/16")  # RFC 7526: 6to4, an IPv4 address in disguise


class NotPublic(PermissionError):
    """The address belongs to a private, local or reserved network."""


def public(address: Address) -> bool:
    """Whether the whole internet can mean this address, and only one host by it (RFC 6890); mapped ones count as what they map."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return public(address.ipv4_mapped)
        if address in NAT64:
            return public(IPv4Address(int(address) & 0xFFFFFFFF))
        if address not in UNICAST or address in RELAY:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


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
