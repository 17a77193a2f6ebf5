"""What a channel must ask of its provider before it can read one message: asked once, kept for a while, and seldom, whatever
strangers send.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog
from aiolimiter import AsyncLimiter

from shared.contract.channel import Account, Channel, Keys
from shared.contract.errors import ParleyError
from shared.provider.calls import Principal
from shared.provider.exchange import Driver
from shared.provider.keys import AGAIN, LONGEST, PATIENCE, SHORTEST
from shared.runtime.lasting import spawn

log = structlog.get_logger(__name__)

KEPT: Final = 10_000  # answers of one process, those asked for last
A_MINUTE: Final = 60  # questions of one account: the rest of its calls are for what it sends
Name = tuple[str, str, str]  # channel, account, what is asked for


@dataclass(frozen=True, slots=True)
class _Held:
    """An answer, {} where there was none; the times are the loop's."""

    account: Account
    value: Mapping[str, Any]
    came: float
    good_until: float


class Lookups:
    """The answers that one process holds, for whichever of its accounts."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._held: OrderedDict[Name, _Held] = OrderedDict()
        self._under_way: dict[Name, asyncio.Task[None]] = {}
        self._limits: dict[tuple[str, str], AsyncLimiter] = {}

    async def of(
        self, channel: Channel, account: Account, names: Iterable[str], *, newer: bool = False
    ) -> Mapping[str, Mapping[str, Any]]:
        """What is known under each of the names; nothing for what the provider did not tell in time. `newer`: of the last minute."""
        wanted = dict.fromkeys((channel.name, account.name, name) for name in names)
        asked = [task for name in wanted if (task := await self._asked(name, channel, account, newer=newer))]
        if asked:
            await asyncio.wait(asked, timeout=PATIENCE)
        return {name[2]: held.value for name in wanted if (held := self._held.get(name)) and held.value}

    async def _asked(self, name: Name, channel: Channel, account: Account, *, newer: bool) -> asyncio.Task[None] | None:
        """The question under way; None where the answer is here, or too many were asked of late."""
        if task := self._under_way.get(name):
            return task
        held = self._held.get(name)
        if held and held.account == account and _now() < (held.came + AGAIN if newer else held.good_until):
            self._held.move_to_end(name)
            return None
        limit = self._limits.setdefault(name[:2], AsyncLimiter(A_MINUTE, 60))
        if not limit.has_capacity():
            log.warning("lookup.too_many", channel=channel.name, account=account.name)
            return None
        await limit.acquire()  # at once, so that nobody comes between
        task = self._under_way[name] = spawn(self._ask(name, channel, account), f"look-up of {channel.name}")
        task.add_done_callback(lambda _: self._under_way.pop(name, None))
        return task

    async def _ask(self, name: Name, channel: Channel, account: Account) -> None:
        assert channel.lookup is not None
        principal, lookup = Principal(channel=channel, account=account), channel.lookup
        try:
            found = await self._driver(lambda context: lookup(account, name[2], context), principal)
        except ParleyError as error:
            log.warning("lookup.failed", channel=channel.name, account=account.name, error=type(error).__name__)
            found = Keys(value={})
        kept = min(max(found.expires_in or SHORTEST, SHORTEST), LONGEST).total_seconds() if found.value else AGAIN
        self._held[name] = _Held(account, found.value, _now(), _now() + kept)
        self._held.move_to_end(name)
        while len(self._held) > KEPT:
            self._held.popitem(last=False)


def _now() -> float:
    return asyncio.get_running_loop().time()
