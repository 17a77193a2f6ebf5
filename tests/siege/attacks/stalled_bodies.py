"""120 bodies of 2.9 MB whose last byte never comes."""

from __future__ import annotations

import asyncio

from tests.siege.attacks.stalled_requests import stall
from tests.siege.ground import Ground

TARGET = "chat_adapter"
COUNT, SIZE = 120, 2_900_000
HEAD = (
    f"POST /hooks/whatsapp/shop HTTP/1.1\r\nHost: x\r\nX-Hub-Signature-256: sha256=0\r\nContent-Length: {SIZE}\r\n\r\n"
)


async def attack(ground: Ground) -> None:
    said = HEAD.encode() + bytes(SIZE - 1)
    await asyncio.gather(*(stall(ground, said) for _ in range(COUNT)))
