"""515 requests that never say more than one byte of their body, begun again as soon as they are let go."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from tests.siege.ground import Ground

TARGET = "chat_adapter"
COUNT = 515
HEAD = b"POST /hooks/webhook/demo HTTP/1.1\r\nHost: attacker.example\r\nContent-Length: 1000\r\n\r\n"


async def attack(ground: Ground) -> None:
    await asyncio.gather(*(stall(ground, HEAD + b"{") for _ in range(COUNT)))


async def stall(ground: Ground, said: bytes) -> None:
    """Say this and then nothing, again and again."""
    while True:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", ground.http)
            writer.write(said)
            await reader.read()
            writer.close()
        await asyncio.sleep(0.5)
