"""A name server on loopback, by UDP and TCP, whose zone a test writes."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

BROKEN: Final = "SERVFAIL"
SILENT: Final = "SILENT"
UDP: Final = 1232  # bytes of an answer

Zone = Mapping[str, Mapping[str, tuple[str, ...]] | str]


@dataclass
class Server(asyncio.DatagramProtocol):
    """Answers out of the zone; what is BROKEN is answered so, what is SILENT not at all. `asked` counts."""

    zone: Zone
    asked: list[str] = field(default_factory=list)
    port: int = 0
    transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self.answer(data)
        if answer is None or self.transport is None:
            return
        wire = answer.to_wire()
        if len(wire) > UDP:
            short = dns.message.make_response(dns.message.from_wire(data))
            short.flags |= dns.flags.TC
            wire = short.to_wire()
        self.transport.sendto(wire, addr)

    async def stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = struct.unpack("!H", await reader.readexactly(2))[0]
        if answer := self.answer(await reader.readexactly(size)):
            wire = answer.to_wire(max_size=65535)
            writer.write(struct.pack("!H", len(wire)) + wire)
            await writer.drain()
        writer.close()

    def answer(self, data: bytes) -> dns.message.Message | None:
        asked = dns.message.from_wire(data)
        question = asked.question[0]
        answer = dns.message.make_response(asked)
        name, kind = question.name.to_text().rstrip(".").lower(), dns.rdatatype.to_text(question.rdtype)
        self.asked.append(f"{kind} {name}")
        for _ in range(20):  # as far as one answer follows aliases
            here = self.zone.get(name)
            if here == SILENT:
                return None
            if here == BROKEN:
                answer.set_rcode(dns.rcode.SERVFAIL)
                return answer
            if here is None:
                if not answer.answer:
                    answer.set_rcode(dns.rcode.NXDOMAIN)
                return answer
            assert not isinstance(here, str)
            owner = dns.name.from_text(name)
            if alias := here.get("CNAME"):
                answer.answer.append(dns.rrset.from_text(owner, 60, "IN", "CNAME", alias[0]))
                name = alias[0].rstrip(".")
                continue
            if values := here.get(kind):
                answer.answer.append(dns.rrset.from_text(owner, 60, "IN", kind, *map(_written(kind), values)))
            return answer
        return answer


def _written(kind: str):
    """As a zone file has it: strings of a TXT are of 255 bytes at the most."""

    def write(value: str) -> str:
        if kind != "TXT":
            return value
        cuts = [value[at : at + 250] for at in range(0, len(value), 250)]
        return " ".join('"' + cut.replace("\\", "\\\\").replace('"', '\\"') + '"' for cut in cuts)

    return write


@asynccontextmanager
async def serving(zone: Zone) -> AsyncIterator[Server]:
    server = Server(zone)
    loop = asyncio.get_running_loop()
    stream = await asyncio.start_server(server.stream, "127.0.0.1", 0)
    server.port = stream.sockets[0].getsockname()[1]
    transport, _ = await loop.create_datagram_endpoint(lambda: server, local_addr=("127.0.0.1", server.port))
    try:
        yield server
    finally:
        transport.close()
        stream.close()
