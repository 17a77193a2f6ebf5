"""One mail over one connection (RFC 5321 §3.3): announced, written, and given away with its final dot."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from aiosmtplib import SMTP, SMTPException, SMTPResponse
from aiosmtplib.protocol import SMTPProtocol

from shared.contract.channel import Smtp
from shared.provider.mailbytes import Measured, stream
from shared.runtime.lasting import spawn
from shared.storage.blobs import Blobs

RESET: Final = 15.0  # seconds
BROKEN: Final = (SMTPException, OSError, EOFError, TimeoutError)

Before = Callable[[Smtp], Awaitable[None]]


@dataclass(slots=True)
class Handover:
    """One mail on its way; `left`: its final dot is."""

    request: Smtp
    measured: Measured
    before: Before
    blobs: Blobs
    left: bool = False

    @property
    def seconds(self) -> float:
        return self.request.timeout.total_seconds()

    async def leave(self) -> None:
        await self.before(self.request)
        self.left = True


async def exchange(smtp: SMTP, work: Handover) -> SMTPResponse:
    """The final reply, or the refusal that came earlier."""
    async with asyncio.timeout(work.seconds):
        if refused := await _announce(smtp, work):
            with suppress(*BROKEN):
                await smtp.execute_command(b"RSET", timeout=RESET)
            return refused
        protocol = smtp.protocol
        assert protocol is not None
        answering = spawn(protocol.read_response(), "reply to a mail")
        answering.add_done_callback(_seen)
        try:
            whole = await _write(protocol, work, answering)
        except BaseException:
            answering.cancel()
            raise
    if not whole:
        return await _early(smtp, answering, work)
    try:
        await work.leave()
        async with asyncio.timeout(work.seconds):
            protocol.write(b".\r\n")
            return await answering
    finally:
        answering.cancel()


def _seen(answering: asyncio.Task[SMTPResponse]) -> None:
    """Nobody waits for the answer of an exchange that was given up."""
    if not answering.cancelled():
        answering.exception()


async def _announce(smtp: SMTP, work: Handover) -> SMTPResponse | None:
    """MAIL, RCPT and DATA; the reply that refuses one of them. One refused recipient refuses the mail."""
    request = work.request
    wide = not (request.sender + "".join(request.recipients)).isascii()
    if refused := _beyond(smtp, work.measured, wide=wide):
        return refused
    reply = await smtp.execute_command(b"MAIL", _path(b"FROM", request.sender), *_options(smtp, work.measured, wide))
    if reply.code != 250:
        return reply
    for recipient in request.recipients:
        reply = await smtp.execute_command(b"RCPT", _path(b"TO", recipient))
        if reply.code not in {250, 251}:
            return reply
    reply = await smtp.execute_command(b"DATA")
    return None if reply.code == 354 else reply


def _beyond(smtp: SMTP, measured: Measured, *, wide: bool) -> SMTPResponse | None:
    """What the server has announced that it cannot take, in the words in which it would say so."""
    most = smtp.esmtp_extensions.get("size", "")
    if most.isdecimal() and 0 < int(most) < measured.size:
        return SMTPResponse(552, f"5.3.4 the mail has {measured.size} bytes, the server takes {most}")
    if wide and not smtp.supports_extension("smtputf8"):
        return SMTPResponse(553, "5.6.7 the server takes no addresses beyond ASCII")
    if measured.eight_bit and not smtp.supports_extension("8bitmime"):
        return SMTPResponse(554, "5.6.3 the server takes no bytes above 127")
    return None


def _options(smtp: SMTP, measured: Measured, wide: bool) -> list[bytes]:
    options = [b"SIZE=%d" % measured.size] if smtp.supports_extension("size") else []
    options += [b"BODY=8BITMIME"] if measured.eight_bit else []
    return options + ([b"SMTPUTF8"] if wide else [])


def _path(word: bytes, address: str) -> bytes:
    return word + b":<" + address.encode() + b">"


async def _write(protocol: SMTPProtocol, work: Handover, answering: asyncio.Task[SMTPResponse]) -> bool:
    """Everything but the final dot. False: the server has answered, or gone, before all was written."""
    async for chunk in stream(work.request.data, work.blobs):
        if answering.done() or not protocol.is_connected:
            return False
        protocol.write(chunk)
        with suppress(ConnectionError):
            await protocol._drain_helper()  # the library's own way to wait until the other side reads
    return protocol.is_connected and not answering.done()


async def _early(smtp: SMTP, answering: asyncio.Task[SMTPResponse], work: Handover) -> SMTPResponse:
    """A refusal in the middle of the mail; whatever else it is, the mail has not been given away."""
    async with asyncio.timeout(work.seconds):
        reply = await answering
    cut(smtp)
    if reply.code < 400:
        raise SMTPException("the server answered before the mail was whole")
    return reply


def cut(smtp: SMTP) -> None:
    """At once: what waits to be written must not leave."""
    transport: Any = smtp.transport
    smtp.close()
    if transport is not None:
        transport.abort()
