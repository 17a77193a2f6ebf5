"""Work that has no end: that it ended is an error, which must not pass unseen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import NoReturn

from shared.errors import ParleyError


class Ended(ParleyError):
    """Something that should run as long as its process has ended; the process ends too, and is to be started again."""


async def for_ever(work: Awaitable[object], name: str) -> NoReturn:
    """Await it. Raises Ended where it ends by itself, also by a cancelled future in its midst, which tells nobody."""
    try:
        await work
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
    raise Ended(name)
