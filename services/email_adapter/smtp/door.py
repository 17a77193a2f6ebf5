"""Who is let in: so many connections in all, so many of one address, and so much memory for what they bring."""

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
        self._left = asyncio.Event()
        self.held = 0
        self.closing = False

    @property
    def inside(self) -> int:
        return self._inside.total()

    @property
    def trouble(self) -> str | None:
        """Why nobody else should come at the moment."""
        return "as many mail connections as may be open" if self.inside >= self._limits.connections else None

    def enter(self, place: str) -> str | None:
        """None: come in. Otherwise why not."""
        if self.closing:
            return "closing"
        if self.inside >= self._limits.connections:
            return "connections"
        if self._inside[place] >= self._limits.per_address:
            return "per_address"
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

    def hold(self, size: int) -> bool:
        """Whether there is room for so many bytes more; given back by a negative size."""
        if size > 0 and self.held + size > self._limits.memory:
            return False
        self.held += size
        return True


def place_of(host: str) -> str:
    """The address that is counted; of IPv6 the network that one customer gets, /64."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return UNKNOWN
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return f"{IPv6Address(int(address) >> 64 << 64)}/64"
    return str(address.ipv4_mapped or address) if isinstance(address, IPv6Address) else str(address)
