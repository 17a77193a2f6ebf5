"""How often a provider is called: evenly per account, and per person written to."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from aiolimiter import AsyncLimiter

from shared.contract.channel import Capabilities

Key = tuple[str, ...]
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
