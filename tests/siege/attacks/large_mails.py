"""4 mails of 33 MB at once from one address, again and again; none says its SIZE (RFC 1870)."""

from __future__ import annotations

import asyncio
import base64
import os

from tests.siege.ground import Ground
from tests.siege.stranger import keep_on, opened

TARGET = "email_adapter"
AT_ONCE, SIZE = 4, 33_000_000
HEAD = (
    b"From: mallory@attacker.example\r\nSubject: A film\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: video/mp4; name="film.mp4"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
)


async def attack(ground: Ground) -> None:
    letter = HEAD + film(SIZE - len(HEAD))
    await asyncio.gather(*(keep_on(bring, ground, letter) for _ in range(AT_ONCE)))


def film(size: int) -> bytes:
    """So many bytes of base64 in lines of 76 (RFC 2045 §6.8)."""
    line = base64.b64encode(os.urandom(57)) + b"\r\n"
    return line * (size // len(line))


async def bring(ground: Ground, letter: bytes) -> None:
    """A whole mail, and its answer."""
    async with opened(ground) as client:
        await client.send(letter)
