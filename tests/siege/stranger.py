"""Somebody who brings mails and means no good: what the attacks on the mail port have in common."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from tests.services.email_adapter.port import Client
from tests.siege.ground import Ground

ADDRESS: Final = "127.0.0.3"  # not the ordinary sender's: shares are by address
REFUSED: Final = (AssertionError, OSError, TimeoutError)  # by a reply, or by the end of the connection
PAUSE: Final = 0.2  # seconds until the next try


async def keep_on(what: Callable[..., Awaitable[None]], *args: Any) -> None:
    """Again and again, whatever it is answered."""
    while True:
        with suppress(*REFUSED):
            await what(*args)
        await asyncio.sleep(PAUSE)


@asynccontextmanager
async def opened(ground: Ground, address: str = ADDRESS) -> AsyncIterator[Client]:
    """A connection of its own, greeted."""
    client = await Client.connect(ground.smtp, address)
    try:
        assert (await client.reply()).startswith("220 ")
        assert (await client("EHLO attacker.example")).startswith("250")
        yield client
    finally:
        client.writer.transport.abort()
