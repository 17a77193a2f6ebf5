"""Who works on which lane: every account has room of its own, so one that is slow or told to wait holds up no other."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Final

import structlog

from shared import lanes
from shared.channel import Channel
from shared.database import Pool
from shared.errors import DatabaseUnavailable
from shared.lanes import Account, Lane
from shared.lifecycle import Health

log = structlog.get_logger(__name__)

AT_ONCE: Final = 16  # lanes of one account that one process works on
CLAIMED: Final = 100  # lanes of one claim
WORKERS: Final = 1000  # lanes of one process
LOOK: Final = 1.0  # seconds between two looks for lanes that have become due


class Blocked:
    """Accounts whose provider told us to wait, and for how long."""

    def __init__(self) -> None:
        self._until: dict[Account, float] = {}

    def block(self, account: Account, pause: timedelta) -> None:
        self._until[account] = max(self._until.get(account, 0), time.monotonic() + pause.total_seconds())

    def wait(self, account: Account) -> timedelta | None:
        """How long still; None: not at all."""
        left = self._until.get(account, 0) - time.monotonic()
        return timedelta(seconds=left) if left > 0 else None

    def accounts(self) -> list[Account]:
        """Those that still have to wait; the others are forgotten."""
        now = time.monotonic()
        self._until = {account: until for account, until in self._until.items() if until > now}
        return list(self._until)


class Workers:
    """Claims what is due and gives each lane to a task that runs `work`."""

    def __init__(
        self,
        work: Callable[[Lane], Awaitable[None]],
        *,
        pool: Pool,
        channels: Mapping[str, Channel],
        blocked: Blocked,
        health: Health,
    ) -> None:
        self._work, self._pool, self._channels = work, pool, channels
        self._blocked, self._health = blocked, health
        self._working: Counter[Account] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._due = asyncio.Event()

    def wake(self) -> None:
        """Something has become due."""
        self._due.set()

    async def run(self) -> None:
        while True:
            self._health.tick("lanes")
            self._due.clear()
            if await self._claim() < CLAIMED:
                await self._wait()

    async def finish(self, patience: float) -> None:
        """Let the tasks under way end; after `patience` seconds they are cut off."""
        if self._tasks:
            _, late = await asyncio.wait(tuple(self._tasks), timeout=patience)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _claim(self) -> int:
        limit = max(0, min(CLAIMED, WORKERS - len(self._tasks)))
        try:
            claimed = await lanes.claim(self._pool, free=self._room(), default=AT_ONCE, limit=limit)
        except DatabaseUnavailable as error:
            log.warning("lanes.waiting", error=str(error))
            return 0
        for lane in claimed:
            self._start(lane)
        return len(claimed)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(LOOK):
                await self._due.wait()
        except TimeoutError:
            pass

    def _room(self) -> dict[Account, int]:
        """For every account that is not idle: how many more of its lanes may be worked on here."""
        room = {account: self._at_once(account) - working for account, working in self._working.items()}
        return room | dict.fromkeys(self._blocked.accounts(), 0)

    def _at_once(self, account: Account) -> int:
        """No more than get a turn within seconds: who waits for the rate holds a lease."""
        channel = self._channels.get(account[0])
        return max(1, min(AT_ONCE, int(channel.capabilities.per_second * 10))) if channel else AT_ONCE

    def _start(self, lane: Lane) -> None:
        self._working[lane.account] += 1
        task = asyncio.ensure_future(self._work(lane))
        self._tasks.add(task)
        task.add_done_callback(lambda task: self._ended(task, lane.account))

    def _ended(self, task: asyncio.Task[None], account: Account) -> None:
        self._tasks.discard(task)
        self._working[account] -= 1
        if not self._working[account]:
            del self._working[account]
        self.wake()
