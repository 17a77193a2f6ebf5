"""The social adapter's parts, put together."""

from __future__ import annotations

from services.social_adapter.registry import CHANNELS
from shared.adapter.adapter import open_adapter, serve
from shared.runtime.lifecycle import Life


async def start(life: Life) -> None:
    await serve(await open_adapter(life, "social", CHANNELS))
