"""How long a test waits for what must come: it costs nothing when it comes, and a machine may have much else to do."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any, Final

SECONDS: Final = 90.0
MILLISECONDS: Final = SECONDS * 1000  # as browsers count


async def until(true: Callable[[], Any]) -> Any:
    """What `true()` returns, awaited where it must be, as soon as it is something: for what tells nobody of itself.

    Raises TimeoutError.
    """
    async with asyncio.timeout(SECONDS):
        while True:
            found = true()
            if inspect.isawaitable(found):
                found = await found
            if found:
                return found
            await asyncio.sleep(0.05)
