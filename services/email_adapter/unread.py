"""Mails that could not be read, by their bytes: who brings one again brings the same message, however much time there is now."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from typing import Final

AT_ONCE: Final = 1000  # that are remembered


class Unread:
    """Those of this process."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, str] = OrderedDict()

    async def why(self, raw: bytes) -> str:
        """Why it could not be read; empty for one that was not tried, or was read."""
        return self._known.get(await _digest(raw), "") if self._known else ""

    async def note(self, raw: bytes, why: str) -> None:
        self._known[await _digest(raw)] = why
        while len(self._known) > AT_ONCE:
            self._known.popitem(last=False)


async def _digest(raw: bytes) -> bytes:
    """Elsewhere than in the loop: a mail may be large."""
    return (await asyncio.to_thread(hashlib.sha256, raw)).digest()
