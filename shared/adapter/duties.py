"""What runs for an app or an account as long as it has these settings, and leaves all others alone when they change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from shared.contract.channel import Settings
from shared.runtime.accounts import Accounts, AccountsFile
from shared.runtime.lasting import give_up, spawn

log = structlog.get_logger(__name__)

AGAIN: Final = 10.0  # seconds after what nobody foresaw
ENDING: Final = 10.0  # seconds that a duty whose settings changed may take to its end


@dataclass(frozen=True, kw_only=True, slots=True)
class Duty:
    """A task of its own. Two are the same while they have the same name and the same settings: whatever of the accounts
    file `work` uses stands in `of`.
    """

    name: str
    of: tuple[Settings | None, ...]
    work: Callable[[], Coroutine[Any, Any, None]] = field(compare=False)


Kind = Callable[[Accounts], Iterable[Duty]]


class Duties:
    """The duties of one process. What runs on one replica at a time takes its lease itself."""

    def __init__(self, accounts: AccountsFile, kinds: Sequence[Kind]) -> None:
        self._accounts, self._kinds = accounts, kinds
        self._begun: dict[str, tuple[Duty, asyncio.Task[None]]] = {}
        self._changed = asyncio.Event()
        self._stopping = False
        accounts.on_change(lambda _accounts: self._changed.set())

    async def stop(self) -> None:
        """While the bus is still there: what a socket has read is durable before it closes."""
        self._stopping = True
        await self._end(list(self._begun))

    async def run(self) -> None:
        try:
            while True:
                self._changed.clear()
                await self._follow(self._accounts.current)
                await self._changed.wait()
        finally:
            await self._end(list(self._begun))

    async def _follow(self, accounts: Accounts) -> None:
        """End what is not wanted any more, or not like that; then begin what is new."""
        if self._stopping:
            return
        wanted = {duty.name: duty for kind in self._kinds for duty in kind(accounts)}
        await self._end([name for name, (duty, _) in self._begun.items() if wanted.get(name) != duty])
        for name, duty in wanted.items():
            if name not in self._begun:
                self._begun[name] = (duty, spawn(_keep(duty), name))

    async def _end(self, names: Iterable[str]) -> None:
        await give_up([self._begun.pop(name)[1] for name in names], within=ENDING)


async def _keep(duty: Duty) -> None:
    """Begun again after what nobody foresaw: an account is not left alone, and takes no other along."""
    while True:
        try:
            await duty.work()
            return
        except (Exception, asyncio.CancelledError):
            if (task := asyncio.current_task()) and task.cancelling():
                raise
            log.exception("duty.failed", duty=duty.name)
        await asyncio.sleep(AGAIN)
