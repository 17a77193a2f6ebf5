"""The social adapter's parts, put together."""

from __future__ import annotations

from services.social_adapter.registry import CHANNELS
from shared.adapter.parts import open_parts, serve
from shared.runtime.lifecycle import Life


async def start(life: Life) -> None:
    await serve(await open_parts(life, "social", CHANNELS))
