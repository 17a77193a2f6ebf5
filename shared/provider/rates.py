"""How often a provider is called: evenly per account and per person written to, and as often as its answers allow."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from aiolimiter import AsyncLimiter

from shared.contract.channel import Capabilities, Limit
from shared.contract.errors import SendFailed

Key = tuple[str, ...]
PATIENCE: Final = 5.0  # seconds that a call waits here; whoever waits longer gives up its turn
REMEMBERED: Final = 20_000  # peers; one that is forgotten has not been written to for long


class Rates:
    """Calls are spaced, not let through in bursts: providers count in windows that we do not know."""

    def __init__(self) -> None:
        self._accounts: OrderedDict[Key, AsyncLimiter] = OrderedDict()
        self._peers: OrderedDict[Key, AsyncLimiter] = OrderedDict()

    async def wait(self, *, channel: str, account: str, peer: str | None, capabilities: Capabilities) -> None:
        """Return when the account, and the person where there is one, may be called again."""
        if peer is not None:
            await _limiter(self._peers, (channel, account, peer), capabilities.per_peer_second).acquire()
        await _limiter(self._accounts, (channel, account), capabilities.per_second).acquire()


def _limiter(known: OrderedDict[Key, AsyncLimiter], key: Key, per_second: float) -> AsyncLimiter:
    if key not in known:
        known[key] = AsyncLimiter(1, 1 / per_second)
    known.move_to_end(key)
    if len(known) > REMEMBERED:
        known.popitem(last=False)
    return known[key]


@dataclass(slots=True)
class _Bucket:
    remaining: int
    full_at: float


class Buckets:
    """What providers tell of their limits with each answer, by account: what is used up is not asked before it is full again.

    Each process knows what it was told itself. A chat's messages go by one process at a time, so its bucket is whole here;
    what is shared by all of an account's chats each process learns by a refusal of its own, which harms nobody.
    """

    def __init__(self) -> None:
        self._names: OrderedDict[Key, str] = OrderedDict()
        self._buckets: OrderedDict[Key, _Bucket] = OrderedDict()

    async def wait(self, account: Key, counts: Key) -> None:
        """Return when a request that counts so may be made. Raises SendFailed where that takes long: nothing has left."""
        bucket = self._buckets.get(self._key(account, counts))
        if bucket is None:
            return
        left = bucket.full_at - time.monotonic()
        if bucket.remaining > 0 or left <= 0:
            bucket.remaining -= 1
            return
        if left > PATIENCE:
            raise SendFailed("throttled", "its limit is used up", retry_after=timedelta(seconds=left), scope="peer")
        await asyncio.sleep(left)

    def learn(self, account: Key, counts: Key, limit: Limit) -> None:
        """Several kinds of requests may share a limit; for each place of theirs it counts anew."""
        self._names[account + counts[:1]] = limit.bucket
        full_at = time.monotonic() + limit.resets_in.total_seconds()
        self._buckets[self._key(account, counts)] = _Bucket(limit.remaining, full_at)
        for known in (self._names, self._buckets):
            if len(known) > REMEMBERED:
                known.popitem(last=False)

    def _key(self, account: Key, counts: Key) -> Key:
        return (*account, self._names.get(account + counts[:1], ""), *counts[1:])
