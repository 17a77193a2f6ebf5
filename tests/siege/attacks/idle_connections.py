"""1,000 connections of 50 addresses that say hello and then nothing, begun again as soon as they are let go."""

from __future__ import annotations

import asyncio

from tests.siege.ground import Ground
from tests.siege.stranger import keep_on, opened

TARGET = "email_adapter"
COUNT, ADDRESSES = 1000, 50


async def attack(ground: Ground) -> None:
    await asyncio.gather(*(keep_on(wait, ground, f"127.0.1.{n % ADDRESSES + 1}") for n in range(COUNT)))


async def wait(ground: Ground, address: str) -> None:
    async with opened(ground, address) as client:
        await client.reader.read()
