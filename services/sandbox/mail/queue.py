"""What people's server sends: by SMTP to ours, tried again while it says "later", given back when it says "no"."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

from aiosmtplib import SMTP, SMTPException, SMTPResponseException

from services.sandbox.mail.boxes import Boxes, Kept
from services.sandbox.shelf import Shelf
from shared.runtime.lasting import spawn

FIRST: Final = 0.5  # seconds between two tries, twice as many after each
LONGEST: Final = 30.0  # seconds
GIVE_UP: Final = 24 * 3600.0  # seconds
AT_ONCE: Final = 8  # connections
SECONDS: Final = 30.0  # for each reply
ACCEPTED: Final = "accepted"

Item = dict[str, Any]


class Later(Exception):
    """The server does not take it now, in its words."""


class Never(Exception):
    """The server does not take it, in its words."""


class Queue:
    """Mails on their way, kept on the shelf until they are taken or given back. `mx`: host:port of the server for all."""

    def __init__(self, shelf: Shelf, boxes: Boxes, mx: str) -> None:
        self._shelf, self._boxes, self._mx = shelf, boxes, mx
        self._free = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Go on with what an earlier process left."""
        for _, item in self._shelf.under("queue/"):
            self._begin(item)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def send(self, kept: Kept, to: Iterable[str]) -> None:
        item = {"mail": kept.id, "from": kept.address, "to": list(to), "since": time.time()}
        self._shelf.put(f"queue/{kept.id}", item)
        self._begin(item)

    def _begin(self, item: Item) -> None:
        task = spawn(self._until_done(item), "queue of mails")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _until_done(self, item: Item) -> None:
        pause = FIRST
        while True:
            status, done = await self._try(item)
            if not done and time.time() - item["since"] > GIVE_UP:
                status, done = f"bounced: {status}", True
            self._boxes.mark(item["from"], item["mail"], status if done else f"queued: {status}")
            if done:
                self._shelf.drop(f"queue/{item['mail']}")
                return
            await asyncio.sleep(pause)
            pause = min(LONGEST, pause * 2)

    async def _try(self, item: Item) -> tuple[str, bool]:
        """What the page shows, and whether that is the end."""
        box = self._boxes.open(item["from"])
        if (kept := box.mails.get(item["mail"])) is None:
            return "bounced: it was deleted", True
        try:
            async with self._free:
                await self._hand_over(item, self._boxes.raw(kept))
        except Never as never:
            return f"bounced: {never}", True
        except Later as later:
            return str(later), False
        return ACCEPTED, True

    async def _hand_over(self, item: Item, raw: bytes) -> None:
        """Raises Later and Never. Those recipients that are taken get it even when others are not."""
        host, _, port = self._mx.rpartition(":")
        if not port.isdecimal():
            raise Never("nobody takes mail: PARLEY_SANDBOX_MX names no server")
        smtp = SMTP(
            hostname=host, port=int(port), start_tls=False, timeout=SECONDS, local_hostname="mail.sandbox.example"
        )
        try:
            await smtp.connect()
            await smtp.ehlo()
            await _say(smtp, item, raw)
        except SMTPResponseException as refused:
            raise _refusal(refused.code, refused.message) from None
        except (SMTPException, OSError, TimeoutError) as error:
            raise Later(f"{host}:{port} cannot be reached ({type(error).__name__})") from None
        finally:
            with suppress(SMTPException, OSError, TimeoutError):
                await smtp.quit(timeout=1)
            smtp.close()


async def _say(smtp: SMTP, item: Item, raw: bytes) -> None:
    wide = not (item["from"] + "".join(item["to"])).isascii()
    options = [f"SIZE={len(raw)}", *(["SMTPUTF8"] if wide else []), *([] if raw.isascii() else ["BODY=8BITMIME"])]
    await smtp.mail(item["from"], options=options, encoding="utf-8")
    refused: list[SMTPResponseException] = []
    for address in item["to"]:
        try:
            await smtp.rcpt(address, encoding="utf-8")
        except SMTPResponseException as refusal:
            refused.append(refusal)
    if len(refused) < len(item["to"]):
        await smtp.data(raw)
    if refused:
        raise refused[0]


def _refusal(code: int, words: str) -> Later | Never:
    told = f"{code} {' '.join(words.split())}"
    return Never(told) if code >= 500 else Later(told)
