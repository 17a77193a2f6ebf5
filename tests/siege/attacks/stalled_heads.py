"""600 connections that never say more than the beginning of a head ("slow loris")."""

from __future__ import annotations

import asyncio

from tests.siege.attacks.stalled_requests import stall
from tests.siege.ground import Ground

TARGET = "chat_adapter"
COUNT = 600


async def attack(ground: Ground) -> None:
    await asyncio.gather(*(stall(ground, b"P") for _ in range(COUNT)))
