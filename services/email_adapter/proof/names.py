"""DNS, asked within bounds: what cannot be told is an answer of its own, and never a yes."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Final, NamedTuple

import dns.asyncresolver
import dns.exception
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.resolver
from spftrace import BaseResolver

from shared.contract.errors import Misconfigured

ONE: Final = 4.0  # seconds for one question
LONGEST: Final = 16 * 1024  # bytes of all TXT records of a name
RECORDS: Final = 100  # of a name
PORT: Final = 53

FOUND: Final = "NOERROR"
NOTHING: Final = "NXDOMAIN"
TROUBLE: Final = "SERVFAIL"


class Answer(NamedTuple):
    """`state`: FOUND (`values` may be empty), NOTHING, or that there was TROUBLE, after which nothing is known."""

    state: str
    values: tuple[str, ...] = ()


class Resolver(BaseResolver):
    """Asks the name servers, by default the system's; keeps no answers."""

    def __init__(self, servers: str = "", *, seconds: float = ONE) -> None:
        """`servers`: addresses, with a port or without, with commas between them. Raises Misconfigured."""
        try:
            self._asked = dns.asyncresolver.Resolver(configure=not servers)
            if servers:
                self._asked.nameservers = [_server(one.strip()) for one in servers.split(",")]
        except (ValueError, dns.exception.DNSException) as error:
            raise Misconfigured(f"PARLEY_DNS: {error}") from error
        self._asked.lifetime = seconds
        self._asked.timeout = seconds / 2  # the next server is asked meanwhile

    async def look(self, name: str, kind: str = "TXT") -> Answer:
        """The records of a name; a name that no zone can hold has none."""
        try:
            asked = dns.name.from_text(name.rstrip(".") + ".")
        except (dns.exception.DNSException, UnicodeError):
            return Answer(NOTHING)
        try:
            found = await self._asked.resolve(asked, kind, raise_on_no_answer=False, search=False)
        except dns.resolver.NXDOMAIN:
            return Answer(NOTHING)
        except (dns.exception.DNSException, OSError, EOFError):
            return Answer(TROUBLE)
        records = list(found.rrset or ())
        values = tuple(_value(kind, record) for record in records[:RECORDS])
        if len(records) > RECORDS or sum(map(len, values)) > LONGEST:
            return Answer(TROUBLE)
        return Answer(FOUND, values)

    async def _lookup(self, name: str, rtype: str) -> tuple[str, list[str]]:
        """As SPF asks for it."""
        answer = await self.look(name, rtype)
        return answer.state, list(answer.values)


def _server(text: str) -> dns.nameserver.Nameserver:
    """`192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1` or `[2001:db8::1]:5353`."""
    host, colon, port = text.rpartition(":")
    if colon and ":" in host and not host.startswith("["):
        host, colon = "", ""
    address = ip_address((host if colon else text).strip("[]"))
    return dns.nameserver.Do53Nameserver(str(address), int(port) if colon else PORT)


def _value(kind: str, record: object) -> str:
    """A record as text; a TXT's strings are one (RFC 7208 §3.3)."""
    match kind:
        case "TXT":
            strings: Sequence[bytes] = getattr(record, "strings", ())
            return b"".join(strings).decode("utf-8", "replace")
        case "MX":
            return str(getattr(record, "exchange", "")).rstrip(".")
        case "PTR":
            return str(getattr(record, "target", "")).rstrip(".")
        case _:
            return str(getattr(record, "address", ""))
