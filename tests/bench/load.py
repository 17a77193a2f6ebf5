"""The load generator of the webhook bench, a process of its own: signed posts over N connections for so many seconds."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import sys
import time
import uuid
from datetime import UTC, datetime

import aiohttp

from tests.bench.record import TEXT

URL, SECRET, CONNECTIONS, SECONDS = sys.argv[1], base64.b64decode(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])


def request(number: int) -> tuple[bytes, dict[str, str]]:
    now = datetime.now(UTC)
    body = json.dumps(
        {
            "type": "message",
            "id": uuid.uuid4().hex,
            "from": {"address": f"customer-{number % 5000}", "name": "Sok Dara"},
            "parts": [{"kind": "text", "text": TEXT}],
            "occurred_at": now.isoformat(),
        }
    ).encode()
    name, stamp = uuid.uuid4().hex, str(int(now.timestamp()))
    signed = hmac.digest(SECRET, f"{name}.{stamp}.".encode() + body, hashlib.sha256)
    return body, {
        "content-type": "application/json",
        "webhook-id": name,
        "webhook-timestamp": stamp,
        "webhook-signature": "v1," + base64.b64encode(signed).decode(),
        "x-bare": signed.hex(),
    }


async def main() -> None:
    took: list[float] = []
    wrong = 0
    end = time.perf_counter() + SECONDS

    async def work(session: aiohttp.ClientSession, first: int) -> None:
        nonlocal wrong
        number = first
        while time.perf_counter() < end:
            body, headers = request(number)
            number += CONNECTIONS
            started = time.perf_counter()
            async with session.post(URL, data=body, headers=headers) as answer:
                wrong += answer.status != 200
                await answer.read()
            took.append(time.perf_counter() - started)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(work(session, n) for n in range(CONNECTIONS)))
    took.sort()
    print(
        json.dumps(
            {"requests": len(took), "wrong": wrong, "p50": took[len(took) // 2], "p99": took[len(took) * 99 // 100]}
        )
    )


asyncio.run(main())
