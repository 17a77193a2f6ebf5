"""What a provider has to tell, on its way: in order within a lane, again until it is taken, on a shelf until then."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from typing import Any, Final

from services.sandbox.shelf import Shelf
from services.sandbox.signals import Signal, happens
from shared.runtime.lasting import spawn

Json = dict[str, Any]
FIRST_PAUSE: Final = 0.5  # seconds, doubled with every failure
LONGEST_PAUSE: Final = 16.0

Deliver = Callable[[Sequence[Json]], Awaitable[bool]]


def one_by_one(_lane: str) -> tuple[int, int]:
    return 1, 1


class Lanes:
    """One task per lane that has something waiting. `deliver` is given updates of one lane and says whether they were
    taken; `lane_of` names an update's lane; `bounds` says how many of a lane wait for one another, and how many go at once.
    """

    def __init__(
        self,
        shelf: Shelf,
        deliver: Deliver,
        *,
        lane_of: Callable[[Json], str],
        bounds: Callable[[str], tuple[int, int]] = one_by_one,
    ) -> None:
        self._shelf, self._deliver, self._lane_of, self._bounds = shelf, deliver, lane_of, bounds
        self._lanes: dict[str, deque[tuple[str, Json]]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._numbers = count(1 + max((int(key.partition("/")[2]) for key, _ in shelf.under("update/")), default=0))
        self.retry = Signal()
        self._idle = Signal()
        for key, update in shelf.under("update/"):
            self._queue(key, update)

    def tell(self, update: Json) -> None:
        key = f"update/{next(self._numbers)}"
        self._shelf.put(key, update)
        self._queue(key, update)

    def release(self) -> None:
        """The bounds have changed: what waited for others may go."""
        for name in tuple(self._lanes):
            self._wake(name)

    async def settled(self, seconds: float) -> None:
        """When nothing is on its way any more, but after this many seconds at the latest."""
        while self._tasks and seconds > 0:
            idle = self._idle.next()
            if self._tasks and not await happens(idle, seconds):
                return

    async def close(self) -> None:
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _queue(self, key: str, update: Json) -> None:
        name = self._lane_of(update)
        self._lanes.setdefault(name, deque()).append((key, update))
        self._wake(name)

    def _wake(self, name: str) -> None:
        if name not in self._tasks and self._ready(name):
            task = self._tasks[name] = spawn(self._drain(name), "what a provider tells")
            task.add_done_callback(lambda ended: self._ended(ended, name))

    def _ready(self, name: str) -> bool:
        waiting = len(self._lanes.get(name, ()))
        return waiting > 0 and waiting >= self._bounds(name)[0]

    def _ended(self, task: asyncio.Task[None], name: str) -> None:
        """What came after the task had looked for the last time gets a new one."""
        del self._tasks[name]
        self._idle.set()
        if not task.cancelled() and not task.exception():
            self._wake(name)

    async def _drain(self, name: str) -> None:
        lane, pause = self._lanes[name], FIRST_PAUSE
        while self._ready(name):
            updates = [lane[at] for at in range(min(self._bounds(name)[1], len(lane)))]
            if await self._deliver([update for _, update in updates]):
                for key, _ in updates:
                    lane.popleft()
                    self._shelf.drop(key)
                pause = FIRST_PAUSE
            else:
                # An address that is set anew is tried at once.
                pause = FIRST_PAUSE if await happens(self.retry.next(), pause) else min(2 * pause, LONGEST_PAUSE)
        if not lane:
            self._lanes.pop(name, None)
