"""A sender who does nothing wrong: one signed webhook or one small mail at a time, each by a new connection."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Awaitable
from email.message import EmailMessage
from typing import Final

import aiohttp
import orjson
import psutil

from tests.bench.__main__ import SECRET
from tests.shared.gate import hello, sign
from tests.siege.ground import Figures, Ground

PATIENCE: Final = 20.0  # seconds that a sender waits for an answer
PAUSE: Final = 0.1
ADDRESS: Final = "127.0.0.2"  # of whoever brings the mails: not the attacker's


async def watch(ground: Ground, service: psutil.Process, seconds: float) -> Figures:
    """The figures of so many seconds."""
    send = mail if ground.smtp else webhook
    took: list[float] = []
    refused = unready = 0
    held: list[int] = []
    weighing = asyncio.create_task(_weigh(service, held))
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        started = time.perf_counter()
        refused += not await _tried(send(ground))
        took.append(time.perf_counter() - started)
        unready += not await _tried(ready(ground))
        await asyncio.sleep(PAUSE)
    weighing.cancel()
    took.sort()
    return Figures(
        sent=len(took),
        refused=refused,
        p50=took[len(took) // 2] * 1000,
        p99=took[len(took) * 99 // 100] * 1000,
        unready=unready,
        megabytes=max(held) / 2**20,
    )


async def _weigh(service: psutil.Process, held: list[int]) -> None:
    """What the service and the processes that it began hold, again and again."""
    while True:
        held.append(sum(map(_resident, (service, *service.children(recursive=True)))))
        await asyncio.sleep(PAUSE)


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


async def _tried(asked: Awaitable[bool]) -> bool:
    try:
        async with asyncio.timeout(PATIENCE):
            return await asked
    except (OSError, TimeoutError, EOFError, aiohttp.ClientError):
        return False


async def webhook(ground: Ground) -> bool:
    """Whether a signed webhook was taken."""
    body = orjson.dumps(hello())
    headers = sign(body, key=base64.b64decode(SECRET))
    url = f"http://127.0.0.1:{ground.http}/hooks/webhook/demo"
    async with aiohttp.ClientSession() as client, client.post(url, data=body, headers=headers) as answer:
        return answer.status == 200


async def ready(ground: Ground) -> bool:
    url = f"http://127.0.0.1:{ground.http}/health/ready"
    async with aiohttp.ClientSession() as client, client.get(url) as answer:
        return answer.status == 200


async def mail(ground: Ground) -> bool:
    """Whether a small mail was taken: 250 after its final dot (RFC 5321 §4.1.1.4)."""
    reader, writer = await asyncio.open_connection("127.0.0.1", ground.smtp, local_addr=(ADDRESS, 0))
    try:
        async with asyncio.timeout(PATIENCE):
            return await _say_all(reader, writer)
    finally:
        writer.close()


async def _say_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    said = [b"", b"EHLO home.example\r\n", b"MAIL FROM:<ann@home.example>\r\n", b"RCPT TO:<help@parley.example>\r\n"]
    for line in [*said, b"DATA\r\n", _letter() + b"\r\n.\r\n"]:
        writer.write(line)
        while (answer := await reader.readuntil(b"\n"))[3:4] == b"-":
            pass
        if answer[:1] not in b"23":
            return False
    return True


def _letter() -> bytes:
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = "ann@home.example", "help@parley.example", "Hello"
    letter["Message-ID"] = f"<{time.time_ns()}@home.example>"
    letter.set_content("How much is it?")
    return letter.as_bytes().replace(b"\n", b"\r\n")
