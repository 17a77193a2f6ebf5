"""Batches of several partitions that wait at the same moment share a transaction: it costs as much for one record as for thirty."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from shared.bus.cloudevents import In
from shared.contract.errors import DatabaseUnavailable
from shared.contract.requests import Erase
from shared.runtime.lasting import spawn

LANES: Final = 2  # transactions at once, where there is a backlog: while one waits for PostgreSQL, the other is folded


@dataclass(frozen=True, slots=True)
class Batch:
    """The records of one partition's offsets [start, end), and the epoch in which they were read; no topic: what fires, without
    offsets.
    """

    topic: str
    partition: int
    epoch: int
    records: Sequence[In]
    start: int
    end: int

    @property
    def is_alone(self) -> bool:
        """Whether it shares a transaction with nobody: all that is known of a person goes in it."""
        return any(isinstance(record.model, Erase) for record in self.records)


Work = Callable[[Sequence[Batch]], Awaitable[asyncio.Future[None]]]


@dataclass(frozen=True, slots=True, eq=False)
class _Turn:
    batch: Batch
    done: asyncio.Future[asyncio.Future[None]]


class Together:
    """Hands batches to `work`, those that had to wait together, at most so many records at once.

    `work` raises for all of them, so an error is told only to a batch that was alone: the others are tried by themselves.
    """

    def __init__(self, work: Work, *, most: int) -> None:
        self._work, self._most = work, most
        self._waiting: deque[_Turn] = deque()
        self._lanes: set[asyncio.Task[None]] = set()
        self._busy = 0

    async def take(self, batch: Batch) -> asyncio.Future[None]:
        """What `work` gave for this batch, which may have shared it."""
        turn = _Turn(batch, asyncio.get_running_loop().create_future())
        self._waiting.append(turn)
        if self._busy == 0 or (self._busy < LANES and self._is_backlog()):
            self._busy += 1
            lane = spawn(self._run(), "batches")
            self._lanes.add(lane)
            lane.add_done_callback(self._lanes.discard)
        return await turn.done

    def _is_backlog(self) -> bool:
        """Whether as much waits as one transaction takes; what is less gathers behind the one that runs, and is cheaper so."""
        return sum(len(turn.batch.records) for turn in self._waiting) >= self._most

    async def _run(self) -> None:
        try:
            while turns := self._next():
                await self._settle(turns)
        finally:
            self._busy -= 1

    def _next(self) -> list[_Turn]:
        """The one that has waited longest, and as many behind it as fit; nobody waits any more for one that was cancelled."""
        turns: list[_Turn] = []
        room = self._most
        while self._waiting and (not turns or self._fits(self._waiting[0].batch, turns[-1].batch, room)):
            turn = self._waiting.popleft()
            if not turn.done.done():
                turns.append(turn)
                room -= len(turn.batch.records)
        return turns

    def _fits(self, batch: Batch, before: Batch, room: int) -> bool:
        return len(batch.records) <= room and not batch.is_alone and not before.is_alone

    async def _settle(self, turns: Sequence[_Turn]) -> None:
        try:
            given = await self._work([turn.batch for turn in turns])
        except Exception as error:  # noqa: BLE001 whoever waits is told
            if len(turns) > 1 and not isinstance(error, DatabaseUnavailable):
                for turn in turns:
                    await self._settle([turn])
                return
            for turn in _waited_for(turns):
                turn.done.set_exception(error)
        else:
            for turn in _waited_for(turns):
                turn.done.set_result(given)
        finally:  # by what it awaited: nobody waits for what will not come
            for turn in _waited_for(turns):
                turn.done.cancel()


def _waited_for(turns: Sequence[_Turn]) -> Sequence[_Turn]:
    return [turn for turn in turns if not turn.done.done()]
