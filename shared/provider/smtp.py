"""Hands mails over by SMTP (RFC 5321), and knows what may have left: nothing has before the final dot."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import structlog
from aiosmtplib import SMTP, SMTPException, SMTPHeloError, SMTPResponseException

from shared.contract.channel import Response, Smtp
from shared.contract.errors import SendFailed
from shared.provider.handover import BROKEN, Before, Handover, cut, exchange
from shared.provider.mailbytes import measure, signed
from shared.runtime.lasting import spawn
from shared.storage.blobs import Blobs

log = structlog.get_logger(__name__)

CONNECT: Final = 15.0  # seconds for the connection and each reply that makes it ready
IDLE: Final = 20.0  # seconds that a connection waits for the next mail
MAILS: Final = 100  # over one connection
SPARE: Final = 4  # idle connections of one account at one server
PATH: Final = re.compile(r"[^\x00-\x20\x7f<>]*")


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
        request = await signed(request, self._blobs)
        work = Handover(request, await measure(request.data, self._blobs), before, self._blobs)
        await before(replace(request, commits=False))
        while True:
            known = self._take(_server(request))
            try:
                return await self._hand_over(known, work)
            except BROKEN as error:
                if known is None or work.left:  # only a connection that had gone stale is worth another at once
                    raise _failure(work, error) from None

    async def _hand_over(self, known: Line | None, work: Handover) -> Response:
        try:
            line = known or await self._connect(work)
        except SMTPResponseException as error:
            if error.code < 400:
                raise  # nothing that a server may say
            return _answer(error.code, error.message)
        try:
            reply = await exchange(line.smtp, work)
        except BaseException:
            cut(line.smtp)
            raise
        line.mails += 1
        self._keep(_server(work.request), line)
        return _answer(reply.code, reply.message)

    async def _connect(self, work: Handover) -> Line:
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
        task = spawn(_quit(line.smtp), "leaving a mail server")
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)


def _check(request: Smtp) -> None:
    """An address must not become another word of the command."""
    if not request.recipients or not all(map(PATH.fullmatch, (request.sender, *request.recipients))):
        raise SendFailed("bad_address", "an address that cannot be said in SMTP")


def _server(request: Smtp) -> Server:
    return Server(request.host, request.port, request.security, request.username, request.password.get_secret_value())


def _answer(code: int, text: str) -> Response:
    return Response(status=code, body=text.encode(errors="replace"))


def _failure(work: Handover, error: Exception) -> SendFailed:
    """What it means; the error's own text is left out, unless it is the library's about what the server cannot."""
    cause = error.__cause__ or error
    name = type(cause).__name__
    if isinstance(cause, ssl.SSLCertVerificationError):
        name = f"the server's certificate: {cause.verify_message}"
    elif type(error) is SMTPException:
        name = error.message[:200]
    log.warning("mail.failed", host=work.request.host, port=work.request.port, error=name, left=work.left)
    return SendFailed("unknown" if work.left and work.request.commits else "unreachable", name)


async def _quit(smtp: SMTP) -> None:
    with suppress(*BROKEN):
        await smtp.quit(timeout=1)
    smtp.close()
