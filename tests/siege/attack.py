"""The attacker, a process of its own: python -m tests.siege.attack NAME HTTP_PORT SMTP_PORT. Says when it begins."""

from __future__ import annotations

import asyncio
import importlib
import sys
from contextlib import suppress

from tests.siege.ground import READY, SECONDS, Ground


async def main(name: str, http: str, smtp: str) -> None:
    attack = importlib.import_module(f"tests.siege.attacks.{name}").attack
    print(READY, flush=True)
    with suppress(TimeoutError):
        async with asyncio.timeout(SECONDS):
            await attack(Ground(http=int(http), smtp=int(smtp)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
