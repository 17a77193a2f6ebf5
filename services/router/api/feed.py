"""Everything on events.v1 as it happens: one reader for the process, fanned out to whoever listens."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, field
from typing import Final

import structlog

from services.router.api.tail import SECONDS, Event, Positions, Start, Tail, open_tail
from shared.contract.errors import BusUnavailable
from shared.runtime.lasting import spawn
from shared.runtime.settings import Settings

QUEUE: Final = 2000  # events that a listener may be behind before it is dropped
LISTENERS: Final = 200
CATCHING_UP: Final = 8  # readers of old events at the same time
QUIET_SECONDS: Final = 15.0
BACK_OFF_SECONDS: Final = 1.0

log = structlog.get_logger(__name__)


class Full(Exception):
    """As many listeners as one process serves; another replica, or a moment later, will do."""


class Dropped(Exception):
    """This listener was too slow, or the process stops: it should come again with its positions."""


@dataclass(eq=False)
class Listener:
    """A bounded queue, and where in the log its reader stands. None in the queue: dropped."""

    positions: Positions
    queue: asyncio.Queue[Event | None] = field(default_factory=lambda: asyncio.Queue(QUEUE))

    def offer(self, event: Event) -> None:
        if self.queue.full():
            self.drop()
        else:
            self.queue.put_nowait(event)

    def drop(self) -> None:
        while not self.queue.empty():
            self.queue.get_nowait()
        self.queue.put_nowait(None)

    def advances(self, event: Event) -> bool:
        """Whether the event is new to this listener; if so, the listener stands behind it from now on."""
        if event.offset < self.positions.get(event.partition, 0):
            return False
        self.positions[event.partition] = event.offset + 1
        return True

    async def take(self) -> Event | None:
        """The next event; None after 15 quiet seconds; raises Dropped."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(QUIET_SECONDS):
                while (event := await self.queue.get()) is not None:
                    if self.advances(event):
                        return event
                raise Dropped
        return None


class Feed:
    """Reads from the first listener on, beginning at the end of the log."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._listeners: set[Listener] = set()
        self._positions: Positions = {}
        self._beginning = asyncio.Lock()
        self._catching_up = asyncio.Semaphore(CATCHING_UP)
        self._reading: asyncio.Task[None] | None = None
        self._closed = False

    async def close(self) -> None:
        """Let every listener go, so that the HTTP server can stop, and end the reader."""
        self._closed = True
        for listener in self._listeners:
            listener.drop()
        if self._reading:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    async def listen(self, start: Start) -> Listener:
        """A listener from `start` on, or from the end of the log; pass it to `events`. Raises Full, BusUnavailable."""
        if self._closed or len(self._listeners) >= LISTENERS:
            raise Full
        await self._begin()
        return Listener(dict(self._positions) if start == "now" else {})

    async def events(self, listener: Listener, start: Start) -> AsyncGenerator[Event | None, None]:
        """Each event once and in order; None: quiet, all is read. Raises Dropped."""
        try:
            if start == "now":
                self._listeners.add(listener)
            else:
                async with contextlib.aclosing(self._catch_up(listener, start)) as old:
                    async for event in old:
                        yield event
            yield None
            while True:
                yield await listener.take()
        finally:
            self._listeners.discard(listener)

    async def _catch_up(self, listener: Listener, start: Start) -> AsyncGenerator[Event, None]:
        """What is in the log already. As soon as the listener stands where the feed does it joins, in the same breath."""
        async with self._catching_up, open_tail(self._settings, start) as tail:
            listener.positions |= tail.positions
            while not _reached(listener.positions, self._positions):
                for event in await tail.read():
                    if listener.advances(event):
                        yield event
                if self._closed:
                    raise Dropped
            self._listeners.add(listener)

    async def _begin(self) -> None:
        async with self._beginning:
            if self._reading and not self._reading.done():
                return
            ready = asyncio.Event()
            self._reading = spawn(self._read_for_ever(ready), "events feed")
            self._reading.add_done_callback(self._ended)
            try:
                async with asyncio.timeout(SECONDS):
                    await ready.wait()
            except TimeoutError as error:
                self._reading.cancel()
                self._reading = None
                raise BusUnavailable("the events cannot be read") from error

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Nobody reads for them any more: whoever listens again begins it again."""
        for listener in self._listeners:
            listener.drop()

    async def _read_for_ever(self, ready: asyncio.Event) -> None:
        while True:
            try:
                async with open_tail(self._settings, self._positions or "now") as tail:
                    self._positions = tail.positions
                    ready.set()
                    await self._read_until_stalled(tail)
            except Exception as error:  # noqa: BLE001 whatever it is: who listens waits for this task
                log.warning("feed.interrupted", error=repr(error))
            await asyncio.sleep(BACK_OFF_SECONDS)

    async def _read_until_stalled(self, tail: Tail) -> None:
        """A consumer that stays silent after a broker's restart (aiokafka#1154) is noticed, and replaced by the caller."""
        loop = asyncio.get_running_loop()
        heard = loop.time()
        while True:
            events = await tail.read()
            self._fan_out(events)
            if events:
                heard = loop.time()
            elif loop.time() - heard > QUIET_SECONDS:
                if await tail.is_behind():
                    return
                heard = loop.time()

    def _fan_out(self, events: Iterable[Event]) -> None:
        for event in events:
            for listener in tuple(self._listeners):
                listener.offer(event)


def _reached(here: Positions, there: Positions) -> bool:
    return all(here.get(partition, 0) >= offset for partition, offset in there.items())
