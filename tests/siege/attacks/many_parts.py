"""6 mails at once from one address, each of 990 parts of 8-bit text whose charset nothing says."""

from __future__ import annotations

import asyncio

from tests.siege.attacks.large_mails import bring
from tests.siege.ground import Ground
from tests.siege.stranger import keep_on

TARGET = "email_adapter"
AT_ONCE, PARTS = 6, 990
HEAD = b"From: mallory@attacker.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
TEXT = "längst grüßt die Höhe übers Tal, und schöner wäre es nie gewesen ".encode("latin-1")


async def attack(ground: Ground) -> None:
    letter = HEAD + b"".join(b"--b\r\n\r\n" + TEXT[n % 40 :] + b"\r\n" for n in range(PARTS)) + b"--b--\r\n"
    await asyncio.gather(*(keep_on(bring, ground, letter) for _ in range(AT_ONCE)))
