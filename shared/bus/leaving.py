"""A client of Kafka that is no longer wanted: stopped, or, where it does not stop, left to itself."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from shared.runtime.lasting import spawn

PATIENCE: Final = 10.0  # seconds


async def leave(client: Any) -> bool:
    """Whether a consumer, producer or admin client came to its end in time; errors on the way do not matter any more.

    A timeout would not do: aiokafka's fetcher may swallow that it is cancelled, and whoever awaits it waits for ever.
    """
    stopping = spawn(client.stop(), "leaving Kafka")
    done, _ = await asyncio.wait({stopping}, timeout=PATIENCE)
    stopping.cancel()
    return bool(done) and not stopping.cancelled() and stopping.exception() is None
