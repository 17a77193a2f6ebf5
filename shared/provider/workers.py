"""Who works on what is due: every account has room of its own, so one that is slow or told to wait holds up no other."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any, Final, Generic, Protocol, TypeVar

import structlog

from shared.contract.errors import DatabaseUnavailable
from shared.provider.parts import Parts
from shared.runtime.lasting import spawn
from shared.storage.turns import Place, Room

log = structlog.get_logger(__name__)

CLAIMED: Final = 100  # tasks of one claim
WORKERS: Final = 1000  # tasks of one process
LOOK: Final = 1.0  # seconds between two looks for what has become due


class Due(Protocol):
    """Something to do by an account."""

    @property
    def account(self) -> Place: ...


D = TypeVar("D", bound=Due)
D_co = TypeVar("D_co", bound=Due, covariant=True)


class Claim(Protocol[D_co]):
    """Takes what is due and what nobody holds, as much as there is room for."""

    async def __call__(self, room: Room, /) -> Sequence[D_co]: ...


class Blocked:
    """Accounts whose provider told us to wait, and for how long."""

    def __init__(self) -> None:
        self._until: dict[Place, float] = {}

    def block(self, account: Place, pause: timedelta) -> None:
        self._until[account] = max(self._until.get(account, 0), time.monotonic() + pause.total_seconds())

    def wait(self, account: Place) -> timedelta | None:
        """How long still; None: not at all."""
        left = self._until.get(account, 0) - time.monotonic()
        return timedelta(seconds=left) if left > 0 else None

    def accounts(self) -> list[Place]:
        """Those that still have to wait; the others are forgotten."""
        now = time.monotonic()
        self._until = {account: until for account, until in self._until.items() if until > now}
        return list(self._until)


class Workers(Generic[D]):
    """Claims what is due and gives each to a task that runs `work`; of one account `at_once` at the most."""

    def __init__(
        self,
        name: str,
        parts: Parts,
        *,
        claim: Claim[D],
        work: Callable[[D], Coroutine[Any, Any, None]],
        at_once: int,
        blocked: Blocked | None = None,
    ) -> None:
        self._name, self._claim_due, self._work, self._most = name, claim, work, at_once
        self._parts, self._blocked = parts, blocked or Blocked()
        self._working: Counter[Place] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._news = asyncio.Event()

    def wake(self) -> None:
        """Something has become due."""
        self._news.set()

    async def run(self) -> None:
        while True:
            self._parts.health.tick(self._name)
            self._news.clear()
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
            claimed = await self._claim_due(
                Room(free=self._room(), default=self._most, limit=limit, channels=self._parts.served)
            )
        except DatabaseUnavailable as error:
            log.warning("work.waiting", what=self._name, error=str(error))
            return 0
        for due in claimed:
            self._start(due)
        return len(claimed)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(LOOK):
                await self._news.wait()
        except TimeoutError:
            pass

    def _room(self) -> dict[Place, int]:
        """For every account that is not idle: how much more of it may be worked on here."""
        room = {account: self._at_once(account) - working for account, working in self._working.items()}
        return room | dict.fromkeys(self._blocked.accounts(), 0)

    def _at_once(self, account: Place) -> int:
        """No more than get a turn within seconds: who waits for the rate holds a lease."""
        channel = self._parts.channels.get(account[0])
        return max(1, min(self._most, int(channel.capabilities.per_second * 10))) if channel else self._most

    def _start(self, due: D) -> None:
        self._working[due.account] += 1
        task = spawn(self._work(due), f"{self._name} work")
        self._tasks.add(task)
        task.add_done_callback(lambda task: self._ended(task, due.account))

    def _ended(self, task: asyncio.Task[None], account: Place) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("work.broke", what=self._name, exc_info=error)
        self._working[account] -= 1
        if not self._working[account]:
            del self._working[account]
        self.wake()
