"""Channels that speak over a socket of ours: one replica holds it, and what it says is durable before the cursor moves."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

import aiohttp
import structlog

from shared.contract.channel import (
    TRANSIENT,
    Account,
    Channel,
    Close,
    Context,
    Frame,
    Publish,
    Receive,
    Send,
    Socket,
)
from shared.contract.codes import Failure
from shared.contract.errors import (
    BusUnavailable,
    DatabaseUnavailable,
    Malformed,
    ParleyError,
    SendFailed,
    StoreUnavailable,
    TooLarge,
    UnknownAccount,
)
from shared.contract.readable import readable
from shared.inbound.accept import Intake
from shared.inbound.cursor import Cursor
from shared.provider.calls import Principal
from shared.provider.parts import Parts
from shared.runtime.lasting import spawn
from shared.runtime.observe import SOCKET_ENDS, SOCKETS

log = structlog.get_logger(__name__)

AHEAD: Final = 500  # frames that were read and are not durable yet, at most
AHEAD_BYTES: Final = 8 * 1024 * 1024  # of them together
PATIENCE: Final = 30.0  # seconds for which nothing is read, before the connection is given up to be resumed
PAUSE: Final = 1.0  # seconds between two tries of the bus or the store
STORED: Final = 1.0  # seconds between two writings of a cursor that moves all the time
LONGEST: Final = 60.0  # seconds between two connections that did not last
STEADY: Final = 60.0  # seconds after which a connection was a good one
REFUSED: Final = 900.0  # seconds after a no that only a person can mend; the accounts file is looked at meanwhile
TROUBLED: Final = 5  # connections in a row that did not last, after which the account is not well
ENDING: Final = 4.0  # seconds for what was read before a stop; the rest comes again when the socket is resumed
STEPS: Final = 100  # of a channel that was told to stop
SENDING: Final = 10.0  # seconds for a frame of ours to leave
NO_CODE, BROKEN = 1005, 1006  # RFC 6455 §7.4.1: a close frame without a code, and none at all
UNUSABLE: Final = Close(code=1011)
ENDS: Final = ("theirs", "ours", "broken", "refused")

Noticed = Callable[[str, str, Failure | None], None]


class Listener:
    """One of an account's sockets, under the lease of its name. `noticed` is told whether the account works."""

    def __init__(
        self,
        parts: Parts,
        intake: Intake,
        channel: Channel,
        account: Account,
        *,
        shard: int,
        noticed: Noticed,
        rest: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._channel, self._account, self._shard = channel, account, shard
        self._parts, self._intake, self._noticed, self._rest = parts, intake, noticed, rest
        place = f"{account.name}#{shard}"
        self.name = f"socket {channel.name}/{place}"
        self._cursor = Cursor(parts.pool, channel.name, place, self.name)

    async def run(self, epoch: int) -> None:
        """Until the lease is lost: connect, listen, and connect again, ever more slowly while it does not last."""
        tries = 0
        while True:
            began = time.monotonic()
            try:
                pause = (await self._connection(epoch)).again_in.total_seconds()
            except (SendFailed, Malformed) as error:
                SOCKET_ENDS.labels(self._channel.name, "refused").inc()
                pause = self._refused(error)
            except DatabaseUnavailable as error:
                log.warning("socket.waiting", name=self.name, error=str(error))
                pause = 0.0
            tries = 0 if time.monotonic() - began > STEADY else tries + 1
            if tries == TROUBLED:
                self._tell(Failure(code="unreachable", detail="no connection lasts"))
            await self._rest(max(pause, min(LONGEST, 2.0**tries / 2)) * random.uniform(1, 1.5))

    def _refused(self, error: SendFailed | Malformed) -> float:
        """How long to wait then."""
        log.warning("socket.refused", name=self.name, error=str(error))
        if not isinstance(error, SendFailed) or error.reason in TRANSIENT:
            wait = error.retry_after if isinstance(error, SendFailed) else None
            return (wait or timedelta()).total_seconds()
        self._tell(Failure(code=error.reason, detail=error.detail[:2000]))
        return REFUSED

    def _tell(self, failure: Failure | None) -> None:
        self._noticed(self._channel.name, self._account.name, failure)

    async def _connection(self, epoch: int) -> Close:
        """One connection from its address to its end."""
        connect, socket = self._channel.connect, self._channel.socket
        assert connect is not None
        assert socket is not None
        cursor, principal = await self._cursor.read(), Principal(channel=self._channel, account=self._account)
        url = await self._parts.drive(lambda context: connect(self._account, cursor, self._here(context)), principal)
        context = self._here(await self._parts.contexts.of(self._channel, self._account))
        async with self._parts.caller.socket(url) as wire:
            log.info("socket.opened", name=self.name)
            with closing(socket(self._account, cursor, context)) as steps:
                ahead = _Ahead(self._take, partial(self._cursor.move, epoch=epoch), partial(_send, wire))
                return await _Connection(steps, wire, ahead, well=lambda: self._tell(None), name=self.name).last(
                    self._channel.name
                )

    def _here(self, context: Context) -> Context:
        return replace(context, shard=self._shard)

    def _now(self) -> Context:
        return self._parts.contexts.plain(self._channel, self._account)

    async def _take(self, publish: Publish, frame: bytes) -> None:
        """What cannot be taken is kept with its frame, and holds up nothing behind it. Raises BusUnavailable, StoreUnavailable."""
        try:
            await self._intake.take_frame(
                self._channel, self._account, self._parts.accounts.current, publish.records, frame, self._now()
            )
        except (Malformed, TooLarge, UnknownAccount) as error:
            await self._intake.dead_letters.keep_page(self._channel, self._account, frame, error)


class _Ahead:
    """What was read and is not durable yet: in order, bounded, tried until it is."""

    def __init__(
        self,
        take: Callable[[Publish, bytes], Any],
        move: Callable[[Mapping[str, Any]], Any],
        send: Callable[[bytes], Any],
    ) -> None:
        self._take, self._move, self._send = take, move, send
        self._waiting: deque[tuple[Publish, bytes]] = deque()
        self._bytes = 0
        self._cursor: Mapping[str, Any] | None = None
        self._moved_at = 0.0
        self._changed = asyncio.Condition()

    def put(self, publish: Publish, frame: bytes) -> None:
        self._waiting.append((publish, frame))
        self._bytes += len(frame)

    @property
    def full(self) -> bool:
        return len(self._waiting) >= AHEAD or self._bytes >= AHEAD_BYTES

    async def nudge(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def wait_for(self, true: Callable[[], bool]) -> None:
        async with self._changed:
            await self._changed.wait_for(true)

    async def room(self) -> None:
        await self.wait_for(lambda: not self.full)

    async def empty(self) -> None:
        """All durable, and the cursor behind it."""
        await self.wait_for(lambda: not self._waiting and self._cursor is None)

    async def run(self) -> None:
        """For ever; raises Fenced where another replica has the socket now."""
        while True:
            await self.wait_for(lambda: bool(self._waiting) or self._cursor is not None)
            if self._waiting:
                publish, frame = self._waiting[0]
                if publish.records:
                    await _patiently(partial(self._take, publish, frame))
                self._waiting.popleft()
                self._bytes -= len(frame)
                self._cursor = self._cursor if publish.cursor is None else publish.cursor
                if publish.then:
                    await self._send(publish.then.frame)
            if self._cursor is not None and (not self._waiting or time.monotonic() - self._moved_at > STORED):
                await _patiently(partial(self._move, self._cursor))
                self._cursor, self._moved_at = None, time.monotonic()
            await self.nudge()


async def _send(wire: aiohttp.ClientWebSocketResponse, frame: bytes) -> None:
    """What cannot be sent any more shows when the next frame is awaited. Raises SendFailed where the other side takes nothing."""
    try:
        async with asyncio.timeout(SENDING):
            await wire.send_str(frame.decode())
    except (ConnectionError, aiohttp.ClientError):
        return
    except TimeoutError:
        raise SendFailed("unreachable", "the socket takes nothing") from None


async def _patiently(step: Callable[[], Any]) -> None:
    """Until it is done: nothing that was read is let go while the bus, the store or PostgreSQL is away."""
    while True:
        try:
            await step()
            return
        except (BusUnavailable, StoreUnavailable, DatabaseUnavailable) as error:
            log.warning("socket.waiting", error=str(error))
            await asyncio.sleep(PAUSE)


class _Connection:
    """What a channel says on one open socket, and what it hears."""

    def __init__(
        self,
        steps: Socket,
        wire: aiohttp.ClientWebSocketResponse,
        ahead: _Ahead,
        *,
        well: Callable[[], None],
        name: str,
    ) -> None:
        self._steps, self._wire, self._ahead, self._well, self._name = steps, wire, ahead, well, name
        self._frame = b""
        self._closed: int | None = None  # with which code the other side did
        self._coming: asyncio.Task[aiohttp.WSMessage] | None = None
        self._full_since: float | None = None

    async def last(self, channel: str) -> Close:
        """Talk until the channel, the provider or a stop ends it; then all that was read is durable, or comes again."""
        SOCKETS.labels(channel).inc()
        writer = spawn(self._ahead.run(), "socket to bus")
        try:
            try:
                close = await self._talk(writer)
            except (SendFailed, Malformed):
                await self._shut(UNUSABLE)
                await self._durable(writer)
                raise
            await self._shut(close)
            await self._durable(writer)
            return close
        except asyncio.CancelledError:
            await self._give_up(writer)
            raise
        finally:
            SOCKETS.labels(channel).dec()
            SOCKET_ENDS.labels(channel, self._by()).inc()
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)

    def _by(self) -> str:
        return "ours" if self._closed is None else "broken" if self._closed == BROKEN else "theirs"

    async def _talk(self, writer: asyncio.Task[None]) -> Close:
        answer: Frame | None = None
        while True:
            try:
                with readable():
                    step = next(self._steps) if answer is None else self._steps.send(answer)
            except StopIteration as end:
                return end.value or Close()
            answer = await self._done(step, writer)

    async def _done(self, step: Send | Receive | Publish, writer: asyncio.Task[None]) -> Frame:
        match step:
            case Send(frame=frame):
                await _send(self._wire, frame)
            case Publish():
                self._ahead.put(step, self._frame)
                await self._ahead.nudge()
                self._well()
            case Receive(until=until):
                return await self._receive(until, writer)
        return _frame()

    async def _receive(self, until: datetime, writer: asyncio.Task[None]) -> Frame:
        """The next frame; nothing is read while too much waits for the bus, and after a while the connection is given up."""
        while (left := (until - datetime.now(UTC)).total_seconds()) > 0:
            if writer.done():
                writer.result()
            if self._ahead.full:
                if await self._held_up(left, writer):
                    return _frame(stop=True)
                continue
            self._full_since = None
            if self._coming is None:
                self._coming = spawn(self._wire.receive(), "socket")
            await asyncio.wait({self._coming, writer}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if self._coming.done():
                message, self._coming = self._coming.result(), None
                return self._heard(message)
        return _frame()

    async def _held_up(self, left: float, writer: asyncio.Task[None]) -> bool:
        """Wait for room; True: there has been none for too long."""
        self._full_since = self._full_since or time.monotonic()
        patience = self._full_since + PATIENCE - time.monotonic()
        if patience <= 0:
            log.warning("socket.given_up", name=self._name, error="what it said is not durable yet")
            return True
        room = spawn(self._ahead.room(), "socket")
        await asyncio.wait({room, writer}, timeout=min(left, patience), return_when=asyncio.FIRST_COMPLETED)
        room.cancel()
        await asyncio.gather(room, return_exceptions=True)
        return False

    def _heard(self, message: aiohttp.WSMessage) -> Frame:
        match message.type:
            case aiohttp.WSMsgType.TEXT:
                self._frame = message.data.encode()
            case aiohttp.WSMsgType.BINARY:
                self._frame = message.data
            case _:
                self._closed = _code(self._wire, message)
                return _frame(closed=self._closed)
        return _frame(data=self._frame)

    async def _shut(self, close: Close) -> None:
        if self._coming is not None:
            self._coming.cancel()
            await asyncio.gather(self._coming, return_exceptions=True)
            self._coming = None
        await self._wire.close(code=close.code)
        log.info("socket.closed", name=self._name, code=self._closed or close.code, by=self._by())

    async def _durable(self, writer: asyncio.Task[None]) -> None:
        """Before the next connection begins where this one ended."""
        empty = spawn(self._ahead.empty(), "socket")
        try:
            await asyncio.wait({empty, writer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            empty.cancel()
            await asyncio.gather(empty, return_exceptions=True)
        if writer.done():
            writer.result()

    async def _give_up(self, writer: asyncio.Task[None]) -> None:
        """In order: what was read is durable, the cursor is stored, the other side is told."""
        try:
            async with asyncio.timeout(ENDING):
                close = self._ended()
                await self._ahead.nudge()
                await self._durable(writer)
                await self._shut(close)
        except (TimeoutError, ParleyError, RuntimeError, ValueError) as error:
            log.info("socket.left", name=self._name, error=type(error).__name__)

    def _ended(self) -> Close:
        """What the channel says when it is told to stop; what it would still send is not sent."""
        with suppress(StopIteration), readable():
            for _ in range(STEPS):
                try:
                    step = self._steps.send(_frame(stop=True))
                except StopIteration as end:
                    return end.value or Close()
                if isinstance(step, Publish):
                    self._ahead.put(step, self._frame)
        return Close()


def _frame(*, data: bytes | None = None, closed: int | None = None, stop: bool = False) -> Frame:
    return Frame(now=datetime.now(UTC), data=data, closed=closed, stop=stop)


def _code(wire: aiohttp.ClientWebSocketResponse, message: aiohttp.WSMessage) -> int:
    """With which code the other side closed; without a word of it, or with a frame that was none, the connection is broken."""
    if message.type is aiohttp.WSMsgType.CLOSE:
        return int(message.data) or NO_CODE
    return int((wire.close_code if message.type is aiohttp.WSMsgType.ERROR else None) or BROKEN)
