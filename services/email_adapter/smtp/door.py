"""Who is let in: so many connections in all, so many of one address, and so much memory for what all and each may bring."""

from __future__ import annotations

import asyncio
from collections import Counter
from ipaddress import IPv6Address, ip_address
from typing import Final

from services.email_adapter.smtp.limits import Limits

UNKNOWN: Final = "unknown"


class Door:
    """Counts. Whoever was let in is let out again, and what was held is given back."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._inside: Counter[str] = Counter()
        self._large: Counter[str] = Counter()
        self._small = 0
        self._left = asyncio.Event()
        self.closing = False

    @property
    def inside(self) -> int:
        return self._inside.total()

    @property
    def held(self) -> int:
        """Bytes of all mails that are coming in."""
        return self._small + self._large.total()

    @property
    def full(self) -> bool:
        return self.inside >= self._limits.connections

    @property
    def trouble(self) -> str | None:
        """What an operator should know. Nobody is kept away by it: who is idle makes room for who comes."""
        return "as many mail connections as may be open" if self.full else None

    def connections_of(self, place: str) -> int:
        return self._inside[place]

    def enter(self, place: str) -> str | None:
        """None: come in. Otherwise why not."""
        if self.closing:
            return "closing"
        if self._inside[place] >= self._limits.per_address:
            return "per_address"
        if self.full:
            return "connections"
        self._inside[place] += 1
        return None

    def leave(self, place: str) -> None:
        self._inside[place] -= 1
        if not self._inside[place]:
            del self._inside[place]
        self._left.set()

    async def empty(self) -> None:
        """Return when the last has left."""
        while self.inside:
            self._left.clear()
            await self._left.wait()

    def hold(self, place: str, *, before: int, after: int) -> bool:
        """Whether a mail of this address that holds `before` bytes may hold `after`; less is always granted."""
        small = self._as_small(after) - self._as_small(before)
        large = self._as_large(after) - self._as_large(before)
        if after > before and not self._has_room(place, small, large):
            return False
        self._small += small
        self._large[place] += large
        if not self._large[place]:
            del self._large[place]
        return True

    def _has_room(self, place: str, small: int, large: int) -> bool:
        if large <= 0:
            return self._small + small <= self._limits.reserve
        all_together, of_one = self._large.total() + large, self._large[place] + large
        return all_together <= self._limits.memory and of_one <= self._limits.share

    def _as_small(self, size: int) -> int:
        return size if size <= self._limits.small else 0

    def _as_large(self, size: int) -> int:
        return size - self._as_small(size)


def place_of(host: str) -> str:
    """The address that is counted; of IPv6 the network that one customer gets, /64."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return UNKNOWN
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return f"{IPv6Address(int(address) >> 64 << 64)}/64"
    return str(address.ipv4_mapped or address) if isinstance(address, IPv6Address) else str(address)
