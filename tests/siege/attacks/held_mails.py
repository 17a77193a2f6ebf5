"""12 connections of one address, each with 33 MB of a mail whose final dot never comes."""

from __future__ import annotations

import asyncio

from tests.siege.attacks.large_mails import HEAD, SIZE, film
from tests.siege.ground import Ground
from tests.siege.stranger import keep_on, opened

TARGET = "email_adapter"
COUNT = 12


async def attack(ground: Ground) -> None:
    letter = HEAD + film(SIZE - len(HEAD))
    await asyncio.gather(*(keep_on(hold, ground, letter) for _ in range(COUNT)))


async def hold(ground: Ground, letter: bytes) -> None:
    """All but the end; then whatever the other side does is waited for."""
    async with opened(ground) as client:
        await client.begin()
        client.write(letter)
        await client.writer.drain()
        await client.reader.read()
