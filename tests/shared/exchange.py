"""A mail server that says what it is told to say, and remembers what it was sent."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.patience import SECONDS

GREETING, EHLO, END = "220 mx.example", "250-mx.example\r\n250-SIZE 100000\r\n250-8BITMIME\r\n250 SMTPUTF8", "."
REPLIES = {
    "GREETING": GREETING,
    "EHLO": EHLO,
    "MAIL": "250 ok",
    "RCPT": "250 ok",
    "DATA": "354 go on",
    END: "250 2.0.0 queued as 1",
    "RSET": "250 ok",
    "QUIT": "221 bye",
    "STARTTLS": "220 go on",
    "AUTH": "235 2.7.0 yes",
}
CUT = ""  # said instead of a reply: the connection is cut


@dataclass
class Exchange:
    """`replies` by command, `.` for the end of a mail; in `once` they stand for the next time only, in order."""

    replies: dict[str, str] = field(default_factory=lambda: dict(REPLIES))
    once: dict[str, list[str]] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)
    mails: list[bytes] = field(default_factory=list)
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)
    held: asyncio.Event = field(default_factory=asyncio.Event)
    tls: ssl.SSLContext | None = None
    connections: int = 0
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._talk(reader, writer)
        except (OSError, EOFError):
            pass
        finally:
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not await self._say(writer, "GREETING"):
            return
        while line := await reader.readline():
            command = line.decode().strip()
            word = command.partition(" ")[0].partition(":")[0].upper()
            await self._note(command)
            if not await self._say(writer, word):
                return
            if word == "STARTTLS":
                await writer.start_tls(self.tls)
            if word == "QUIT":
                return
            if word == "DATA" and self.replies["DATA"].startswith("354"):
                content = await reader.readuntil(b"\r\n.\r\n")
                self.mails.append(content[:-5] + b"\r\n")
                await self._note(END)
                if not await self._say(writer, END):
                    return

    async def _note(self, command: str) -> None:
        async with self.arrived:
            self.commands.append(command)
            self.arrived.notify_all()

    async def _say(self, writer: asyncio.StreamWriter, word: str) -> bool:
        waiting = self.once.get(word)
        reply = waiting.pop(0) if waiting else self.replies[word]
        if reply == "WAIT":
            await self.held.wait()
            return False
        if reply == CUT:
            writer.transport.abort()
            return False
        writer.write(reply.encode() + b"\r\n")
        await writer.drain()
        return True

    async def saw(self, command: str) -> None:
        """Return when it was sent this."""
        async with asyncio.timeout(SECONDS), self.arrived:
            await self.arrived.wait_for(lambda: command in self.commands)


@asynccontextmanager
async def exchange(
    *, replies: Mapping[str, str] = {}, tls: ssl.SSLContext | None = None, implicit: bool = False
) -> AsyncIterator[Exchange]:
    made = Exchange(tls=tls)
    made.replies |= replies
    server = await asyncio.start_server(
        made.serve, "127.0.0.1", 0, limit=16 * 1024 * 1024, ssl=tls if implicit else None
    )
    made.port = server.sockets[0].getsockname()[1]
    yield made
    made.held.set()
    server.close()
