"""The email adapter's parts, put together."""

from __future__ import annotations

from services.email_adapter.registry import CHANNELS
from shared.adapter import open_parts, serve
from shared.lifecycle import Life


async def start(life: Life) -> None:
    await serve(await open_parts(life, "email", CHANNELS))
