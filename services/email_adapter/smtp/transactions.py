"""Which of several mails alike a transaction brings (RFC 5321 §4.5.4.1): one whose 250 may be lost is that one when it comes again."""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

NAMED: Final = re.compile(rb"^(?:message-id|received)[ \t]*:", re.IGNORECASE | re.MULTILINE)
HEAD: Final = 100 * 1024  # bytes; headers are no longer
LARGE: Final = 1024 * 1024  # bytes that are not hashed in the loop
AT_ONCE: Final = 10_000  # open ones that are remembered
HORIZON: Final = 3600.0  # seconds


class Transactions:
    """Those of this process whose 250 nobody is known to have read, of mails that nothing else names."""

    def __init__(self) -> None:
        self._open: OrderedDict[bytes, tuple[str, float]] = OrderedDict()

    async def begin(self, content: bytes, sender: str, recipients: Sequence[str]) -> tuple[bytes, str]:
        """What the mail is known by, and the transaction's name: the former one's where that is open. Empty where the mail has
        a Message-ID or Received.
        """
        if NAMED.search(content[:HEAD].partition(b"\r\n\r\n")[0]):
            return b"", ""
        told = (content, sender, recipients)
        mark = await asyncio.to_thread(_mark, *told) if len(content) > LARGE else _mark(*told)
        self._forget()
        name, _ = self._open.pop(mark, ("", 0.0))
        self._open[mark] = (name or secrets.token_hex(8), time.monotonic())
        return mark, self._open[mark][0]

    def end(self, mark: bytes) -> None:
        """Whoever brought it knows that it is here: the next one alike is another."""
        self._open.pop(mark, None)

    def _forget(self) -> None:
        while self._open:
            mark, (_, begun) = next(iter(self._open.items()))
            if len(self._open) < AT_ONCE and time.monotonic() - begun < HORIZON:
                return
            del self._open[mark]


def _mark(content: bytes, sender: str, recipients: Sequence[str]) -> bytes:
    digest = hashlib.sha256(content)
    digest.update("\x1f".join((sender, *sorted(recipients))).encode(errors="surrogateescape"))
    return digest.digest()
