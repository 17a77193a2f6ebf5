"""One connection of someone who brings mail: aiosmtpd's server, bounded, and strict where it is lenient."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Final, cast

from aiosmtpd.smtp import SMTP, Envelope

from services.email_adapter.recipients import Owner
from services.email_adapter.smtp.content import Content
from services.email_adapter.smtp.door import UNKNOWN, Door, place_of
from services.email_adapter.smtp.limits import Limits
from shared.runtime.observe import SMTP_REFUSED

CHUNK: Final = 1024 * 1024  # bytes; more than a reader can hold, so that one read leaves it empty
LINGER: Final = 5.0  # seconds until a connection that is being closed is cut
# RFC 5321 §4.1.2, without the expensive parser of general addresses: <local@domain>, with a source route that is ignored.
PATH: Final = re.compile(r"<(?:@[^:<>\s]+:)?(?P<address>[^<>\s]*)>(?P<rest>(?:\s.*)?)")
SIZE: Final = re.compile(r"SIZE=(\d+)", re.IGNORECASE)  # RFC 1870
MARGIN: Final = 256 * 1024  # bytes that a mail may be over its SIZE: doubled dots, and what one read brings
CROWDED: Final = "452 4.3.1 too much mail at once; send it again later"
CLOSING: Final = "421 4.3.2 this server is about to stop; come again"
TOO_MANY: Final = "452 4.5.3 too many recipients; send it to the others in another transaction"


class Letter(Envelope):
    """A mail that is being brought: whose its recipients are, and which. `known`: called when the 250 was surely read."""

    def __init__(self) -> None:
        super().__init__()
        self.owners: dict[Owner, list[str]] = {}
        self.known: Callable[[], None] | None = None


class Session(SMTP):
    """`handler` answers RCPT and DATA (services/email_adapter/smtp/handler.py)."""

    line_length_limit = 64 * 1024  # what one read may buffer; the limits of lines are our own

    def __init__(self, handler: Any, *, door: Door, limits: Limits, sessions: set[Session], **options: Any) -> None:
        super().__init__(
            handler, data_size_limit=limits.message, timeout=limits.idle, enable_SMTPUTF8=True, ident="ESMTP", **options
        )
        self._door, self._limits, self._sessions = door, limits, sessions
        # The library's own are one table for all connections, which grows with every EHLO.
        self.command_size_limits = defaultdict(lambda: limits.command)
        self.command_size_limit = limits.command
        for command in ("AUTH", "HELP", "EXPN"):
            self._smtp_methods.pop(command)
        self._place: str | None = None
        self._errors = self._held = 0
        self._crowded = self._shaking = self._lost = False
        self._end: asyncio.TimerHandle | None = None
        self.receiving = self._left = False
        self._known: Callable[[], None] | None = None
        self.since = self.loop.time()

    @property
    def standing(self) -> tuple[int, float]:
        """Who goes first where there is no room: of those with the most connections the one that has been silent longest."""
        return -self._door.connections_of(self._place or UNKNOWN), self.since

    def _create_envelope(self) -> Letter:
        return Letter()

    # its life

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called again when TLS stands, by the connection that is inside already."""
        if self._place is None:
            host = (transport.get_extra_info("peername") or (UNKNOWN,))[0]
            if refused := self._enter(place_of(host)):
                _turn_away(cast("asyncio.Transport", transport), refused)
                return
            self._place = place_of(host)
            self._sessions.add(self)
            self._end = self.loop.call_later(self._limits.session, self._timeout_cb)
        super().connection_made(transport)

    def _enter(self, place: str) -> str | None:
        """As the door says; where all is full, one that only waits makes room: silence keeps nobody out."""
        refused = self._door.enter(place)
        idle = [one for one in self._sessions if not one.receiving] if refused == "connections" else []
        if not idle:
            return refused
        min(idle, key=lambda one: one.standing).make_room()
        return self._door.enter(place)

    def connection_lost(self, error: Exception | None) -> None:
        if self._place is None or self._lost:
            return
        self._lost = True  # a TLS handshake that fails is told of twice
        self._leave()
        if error is None and not self._left:
            self._is_known()
        super().connection_lost(error)

    def _is_known(self) -> None:
        """Who goes on after the 250, or leaves in order, has read it; who breaks off, or had left before, may not have."""
        known, self._known = self._known, None
        if known:
            known()

    def _leave(self) -> None:
        """Counted out, once."""
        if self in self._sessions:
            self._sessions.discard(self)
            self._door.leave(self._place or UNKNOWN)
        if self._end:
            self._end.cancel()

    def make_room(self) -> None:
        """Go for the sake of one who comes; the place is free at once."""
        self.dismiss("421 4.3.2 others need this connection; come again", "idle")
        self._leave()

    def eof_received(self) -> bool | None:
        self._left |= self.receiving
        return super().eof_received() if self._place and not self._lost else None

    def _timeout_cb(self) -> None:
        self.dismiss("421 4.4.2 that took too long", "timeout")

    def dismiss(self, reply: str, reason: str) -> None:
        """Say why, and close; what the other side does not read is not waited for."""
        transport = cast("asyncio.Transport | None", self.transport)
        if transport is None or transport.is_closing():
            return
        if self._shaking:
            self._break_off(reason)
            return
        transport.write(_refuse(reply, reason).encode() + b"\r\n")
        transport.close()
        self.loop.call_later(LINGER, transport.abort)

    def _break_off(self, reason: str) -> None:
        """In the middle of a handshake nothing can be said, and asyncio tells nobody that the connection is lost."""
        SMTP_REFUSED.labels("none", reason).inc()
        cast("asyncio.Transport", self._original_transport or self.transport).abort()
        self.connection_lost(None)

    def _reset_timeout(self, duration: float | None = None) -> None:
        self.since = self.loop.time()
        super()._reset_timeout(duration)

    async def push(self, status: Any) -> None:
        """Every refusal counts; who goes on collecting them is sent away. Others come in between, however many commands were
        sent at once (RFC 2920).
        """
        await asyncio.sleep(0)
        self._is_known()
        await super().push(status)
        if status[:1] in {"4", "5"} and status != TOO_MANY:
            self._errors += 1
            if self._errors >= self._limits.errors:
                self.dismiss("421 4.7.0 too many errors", "errors")

    # commands

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """The address, `<>` for none, and what follows it; (None, None) for what is no address."""
        found = PATH.fullmatch(arg.strip())
        if not found:
            return None, None
        return found["address"] or "<>", found["rest"]

    async def smtp_VRFY(self, _arg: str) -> None:  # noqa: N802 the library's name
        await self.push("502 5.5.1 not here")

    async def smtp_STARTTLS(self, arg: str) -> None:  # noqa: N802
        """Once (RFC 3207 §4.2); what was typed behind it in the clear is thrown away by the library."""
        if self._tls_protocol is not None:
            await self.push("503 5.5.1 TLS is there already")
            return
        self._shaking = True
        try:
            await super().smtp_STARTTLS(arg)
        finally:
            self._shaking = False

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        if await self.check_helo_needed():
            return
        assert self.envelope is not None
        if not self.envelope.rcpt_tos:
            await self.push("503 5.5.1 say who it is for first")
        elif arg:
            await self.push("501 5.5.4 DATA stands alone")
        elif not self._holds(self._announced):
            await self.push(_refuse(CROWDED, "memory"))
        else:
            await self._receive()

    # a mail

    async def _receive(self) -> None:
        assert self._timeout_handle is not None
        self.receiving = True
        try:
            await self.push("354 end with a dot on a line of its own")
            self._timeout_handle.cancel()  # DATA has limits of its own
            content = Content(self._limits.message, self._limits.line)
            await self._read(content)
            status = self._fault(content) or await self._take(content)
            await self.push(status)
            self._known = cast("Letter", self.envelope).known
        except TimeoutError:
            self.dismiss("421 4.4.2 the mail came too slowly", "slow")
        finally:
            self._finish()

    async def _read(self, content: Content) -> None:
        """Until the final dot. Raises TimeoutError when it comes too slowly, or never stops coming."""
        begun, limits = self.loop.time(), self._limits
        while True:
            whole = min(limits.data, limits.block + content.received / limits.rate)
            async with asyncio.timeout(min(limits.block, whole - (self.loop.time() - begun))):
                chunk = await self._reader.read(CHUNK)
            if not chunk or content.received > 2 * self._limits.message:
                raise ConnectionResetError
            rest = content.feed(chunk)
            self._hold(content)
            if rest is not None:
                if rest:
                    self._reader.feed_data(rest)
                return

    @property
    def _announced(self) -> int:
        """Bytes that a large mail will hold, as its SIZE says; 0 for a small one, and where nothing was said."""
        options = self.envelope.mail_options if self.envelope else ()
        size = next((int(found[1]) for each in options if (found := SIZE.fullmatch(each))), 0)
        return size + MARGIN if size > self._limits.small else 0

    def _hold(self, content: Content) -> None:
        """Ask for the room that it takes; where there is none it is let go of."""
        if self._holds(self._room(content)):
            return
        self._crowded = True
        content.drop()
        self._holds(content.held)

    def _room(self, content: Content) -> int:
        """A small mail has what it holds. A large one has room for the whole at once: of several that grow none would fit."""
        is_small = max(content.held, self._held) <= self._limits.small
        if content.dropped or is_small:
            return content.held
        return next(size for size in (self._held, self._limits.message, content.held) if size >= content.held)

    def _holds(self, size: int) -> bool:
        """Whether there is room for so many bytes."""
        granted = self._door.hold(self._place or UNKNOWN, before=self._held, after=size)
        if granted:
            self._held = size
        return granted

    def _fault(self, content: Content) -> str | None:
        if self._crowded:
            return _refuse(CROWDED, "memory")
        if content.dropped:
            return _refuse(f"552 5.3.4 the mail is larger than {self._limits.message} bytes", "size")
        fault = content.fault()
        return fault and _refuse(fault, "syntax")

    async def _take(self, content: Content) -> str:
        assert self.envelope is not None
        self.envelope.content = content.message()
        return str(await self._call_handler_hook("DATA"))

    def _finish(self) -> None:
        """Whatever became of it: what was held is given back, and the connection may be idle again, or end."""
        self.envelope = self._create_envelope()
        self._holds(0)
        self._crowded, self.receiving = False, False
        if self._door.closing:
            self.dismiss(CLOSING, "closing")
        elif self.transport is not None:
            self._reset_timeout()


def _turn_away(transport: asyncio.Transport, reason: str) -> None:
    """421 before anything was asked; nothing is remembered of who is not let in."""
    transport.write(_refuse("421 4.7.0 too many connections; come again later", reason).encode() + b"\r\n")
    transport.close()


def _refuse(reply: str, reason: str) -> str:
    SMTP_REFUSED.labels(reply[:3], reason).inc()
    return reply
