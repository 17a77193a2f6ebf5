"""Hands mails over by SMTP (RFC 5321), and knows what may have left: nothing has before the final dot."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import structlog
from aiosmtplib import SMTP, SMTPException, SMTPHeloError, SMTPResponse, SMTPResponseException
from aiosmtplib.protocol import SMTPProtocol

from shared.blobs import Blobs
from shared.channel import Response, Smtp
from shared.errors import SendFailed
from shared.mailbytes import Measured, measure, stream

log = structlog.get_logger(__name__)

CONNECT: Final = 15.0  # seconds for the connection and each reply that makes it ready
IDLE: Final = 20.0  # seconds that a connection waits for the next mail
MAILS: Final = 100  # over one connection
SPARE: Final = 4  # idle connections of one account at one server
PATH: Final = re.compile(r"[^\x00-\x20\x7f<>]*")
BROKEN: Final = (SMTPException, OSError, EOFError, TimeoutError)

Before = Callable[[Smtp], Awaitable[None]]


class Server(NamedTuple):
    """Connections are shared by what makes them the same."""

    host: str
    port: int
    security: str
    username: str
    password: str


@dataclass(slots=True)
class Line:
    """A connection that is ready for a mail."""

    smtp: SMTP
    mails: int = 0
    closing: asyncio.TimerHandle | None = None


@dataclass(slots=True)
class _Handover:
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


class Mailer:
    """Keeps connections for the next mail. Certificates are verified by `trust`, by default as the system does.

    `name` is how it introduces itself; empty: by the host's own name.
    """

    def __init__(self, blobs: Blobs, *, name: str = "", trust: ssl.SSLContext | None = None) -> None:
        self._blobs, self._name, self._trust = blobs, name or socket.gethostname(), trust
        self._idle: dict[Server, list[Line]] = defaultdict(list)
        self._leaving: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Take leave of every server."""
        for line in [line for lines in self._idle.values() for line in lines]:
            self._end(line)
        self._idle.clear()
        await asyncio.gather(*self._leaving)

    async def ask(self, request: Smtp, before: Before) -> Response:
        """The server's reply to the mail, or the one that refused it earlier.

        `before` is awaited twice: as for a request without effect when the exchange begins, and just before the final dot.
        What precedes the dot and what follows it each have the request's timeout. Raises SendFailed: `unreachable` when
        the dot has not left, `unknown` when it may have and the request commits, `malformed` and `bad_address` for what
        cannot be said in SMTP.
        """
        _check(request)
        work = _Handover(request, await measure(request.data, self._blobs), before, self._blobs)
        await before(replace(request, commits=False))
        while True:
            known = self._take(_server(request))
            try:
                return await self._hand_over(known, work)
            except BROKEN as error:
                if known is None or work.left:  # only a connection that had gone stale is worth another at once
                    raise _failure(work, error) from None

    async def _hand_over(self, known: Line | None, work: _Handover) -> Response:
        try:
            line = known or await self._connect(work)
        except SMTPResponseException as error:
            if error.code < 400:
                raise  # nothing that a server may say
            return _answer(error.code, error.message)
        try:
            reply = await _exchange(line.smtp, work)
        except BaseException:
            _cut(line.smtp)
            raise
        line.mails += 1
        self._keep(_server(work.request), line)
        return _answer(reply.code, reply.message)

    async def _connect(self, work: _Handover) -> Line:
        """Greeted, encrypted and logged in as the request says, or SMTPResponseException with the server's refusal."""
        request = work.request
        if self._trust is None and request.security != "none":
            self._trust = await asyncio.to_thread(ssl.create_default_context)
        smtp = SMTP(
            hostname=request.host,
            port=request.port,
            use_tls=request.security == "tls",
            start_tls=request.security == "starttls",
            tls_context=self._trust,
            username=request.username or None,
            password=request.password.get_secret_value() or None,
            local_hostname=self._name,
            timeout=min(CONNECT, work.seconds),
        )
        await smtp.connect()
        if smtp.is_ehlo_or_helo_needed:
            try:
                await smtp.ehlo()
            except SMTPHeloError:
                await smtp.helo()
        return Line(smtp)

    # connections that wait

    def _take(self, server: Server) -> Line | None:
        lines = self._idle[server]
        while lines:
            line = lines.pop()
            if line.closing:
                line.closing.cancel()
            if line.smtp.is_connected:
                return line
        return None

    def _keep(self, server: Server, line: Line) -> None:
        lines = self._idle[server]
        if line.mails >= MAILS or len(lines) >= SPARE or not line.smtp.is_connected:
            self._end(line)
            return
        lines.append(line)
        line.closing = asyncio.get_running_loop().call_later(IDLE, self._expire, server, line)

    def _expire(self, server: Server, line: Line) -> None:
        if line in self._idle[server]:
            self._idle[server].remove(line)
            self._end(line)

    def _end(self, line: Line) -> None:
        if line.closing:
            line.closing.cancel()
        task = asyncio.create_task(_quit(line.smtp))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)


async def _exchange(smtp: SMTP, work: _Handover) -> SMTPResponse:
    """The final reply, or the refusal that came earlier."""
    async with asyncio.timeout(work.seconds):
        if refused := await _announce(smtp, work):
            with suppress(*BROKEN):
                await smtp.execute_command(b"RSET", timeout=CONNECT)
            return refused
        protocol = smtp.protocol
        assert protocol is not None
        answering = asyncio.create_task(protocol.read_response())
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


async def _announce(smtp: SMTP, work: _Handover) -> SMTPResponse | None:
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


async def _write(protocol: SMTPProtocol, work: _Handover, answering: asyncio.Task[SMTPResponse]) -> bool:
    """Everything but the final dot. False: the server has answered, or gone, before all was written."""
    async for chunk in stream(work.request.data, work.blobs):
        if answering.done() or not protocol.is_connected:
            return False
        protocol.write(chunk)
        with suppress(ConnectionError):
            await protocol._drain_helper()  # the library's own way to wait until the other side reads
    return protocol.is_connected and not answering.done()


async def _early(smtp: SMTP, answering: asyncio.Task[SMTPResponse], work: _Handover) -> SMTPResponse:
    """A refusal in the middle of the mail; whatever else it is, the mail has not been given away."""
    async with asyncio.timeout(work.seconds):
        reply = await answering
    _cut(smtp)
    if reply.code < 400:
        raise SMTPException("the server answered before the mail was whole")
    return reply


def _check(request: Smtp) -> None:
    """An address must not become another word of the command."""
    if not request.recipients or not all(map(PATH.fullmatch, (request.sender, *request.recipients))):
        raise SendFailed("bad_address", "an address that cannot be said in SMTP")


def _server(request: Smtp) -> Server:
    return Server(request.host, request.port, request.security, request.username, request.password.get_secret_value())


def _answer(code: int, text: str) -> Response:
    return Response(status=code, body=text.encode(errors="replace"))


def _failure(work: _Handover, error: Exception) -> SendFailed:
    """What it means; the error's own text is left out, unless it is the library's about what the server cannot."""
    cause = error.__cause__ or error
    name = type(cause).__name__
    if isinstance(cause, ssl.SSLCertVerificationError):
        name = f"the server's certificate: {cause.verify_message}"
    elif type(error) is SMTPException:
        name = error.message[:200]
    log.warning("mail.failed", host=work.request.host, port=work.request.port, error=name, left=work.left)
    return SendFailed("unknown" if work.left and work.request.commits else "unreachable", name)


def _cut(smtp: SMTP) -> None:
    """At once: what waits to be written must not leave."""
    transport: Any = smtp.transport
    smtp.close()
    if transport is not None:
        transport.abort()


async def _quit(smtp: SMTP) -> None:
    with suppress(*BROKEN):
        await smtp.quit(timeout=1)
    smtp.close()
