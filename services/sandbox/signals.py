"""Something changes, and everyone who waits for it wakes."""

from __future__ import annotations

import asyncio


class Signal:
    """Something changed: everyone who waits wakes."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        self._event.set()
        self._event = asyncio.Event()

    def next(self) -> asyncio.Event:
        """What the next change sets: take it before looking, or a change in between is missed."""
        return self._event


async def happens(event: asyncio.Event, seconds: float) -> bool:
    """Whether it is set within this time."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False
