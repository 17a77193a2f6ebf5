"""The content of DATA as it comes in (RFC 5321 §4.5.2): where it ends, what must not be in it, and dots put back."""

from __future__ import annotations

import io
from typing import Final

END: Final = b"\r\n.\r\n"
BEHIND: Final = len(END) - 1  # bytes that may be the beginning of the end
BEFORE: Final = 2  # bytes that are kept of what was settled: a line end, whose dot may come in the next piece


class Content:
    """Ends at CRLF . CRLF and nowhere else. What is beyond `limit` bytes is counted, not kept; a line has `line` bytes at the
    most, its end not counted. Each piece is looked at when it comes: a look at the whole would hold everybody up.
    """

    def __init__(self, limit: int, line: int) -> None:
        self._limit, self._longest = limit, line
        self._mail = io.BytesIO()  # settled: gives its bytes away without a copy
        self._tail = bytearray(b"\r\n")  # a dot in the very first line is one at the start of a line
        self._size = self._line = self._doubled = 0
        self._pairs = self._returns = self._feeds = 1
        self._is_long = False
        self.received = 0
        self.dropped = False

    @property
    def held(self) -> int:
        return self._mail.tell() + len(self._tail)

    def feed(self, chunk: bytes) -> bytes | None:
        """None: more is to come. Otherwise it has ended, and these bytes came after it."""
        self.received += len(chunk)
        seen = max(0, len(self._tail) - BEHIND)
        self._tail += chunk
        end = self._tail.find(END, seen)
        rest = bytes(self._tail[end + len(END) :]) if end >= 0 else None
        self._settle(len(self._tail) - BEHIND if end < 0 else end + 2)
        self.dropped |= self._size > self._limit
        if self.dropped:
            self.drop()
        return rest

    def drop(self) -> None:
        """Let go of what came, except of what may be the beginning of the end."""
        self.dropped = True
        self._mail = io.BytesIO()
        del self._tail[:-BEHIND]

    def _settle(self, until: int) -> None:
        """Take over what is surely of the mail: counted, the dots that were doubled on the way single again, NUL removed."""
        if self.dropped or until <= BEFORE:
            return
        known = bytes(self._tail[:until])
        self._size += until - BEFORE
        self._pairs += known.count(b"\r\n", 1)
        self._doubled += known.count(b"\r\r\n")
        self._returns += known.count(b"\r", BEFORE)
        self._feeds += known.count(b"\n", BEFORE)
        self._measure(known)
        self._mail.write(known.replace(b"\r\n.", b"\r\n")[BEFORE:].replace(b"\x00", b""))
        del self._tail[: until - BEFORE]

    def _measure(self, known: bytes) -> None:
        """Lines that end in this piece, and how long the last one is until now."""
        first, last = known.find(b"\r\n", 1), known.rfind(b"\r\n", 1)
        if first < 0:
            self._line += len(known) - BEFORE
        else:
            self._is_long |= self._line + first - BEFORE > self._longest
            self._is_long |= longest_exceeds(known[first + 2 : last + 2], self._longest)
            self._line = len(known) - last - 2

    def fault(self) -> str | None:
        """The reply for what no honest sender sends: a CR or LF alone, with which a second mail can be smuggled past one
        of two servers (CVE-2023-51764 and its family), or a line that is too long. A mail whose every line ends
        with CR CR LF is one whose line ends were made twice, and hides nothing.
        """
        doubled, pairs = self._doubled, self._pairs
        whole = doubled if doubled >= pairs - 2 else 0  # but for the first, which is ours, and the last before the dot
        if not pairs == self._returns - whole == self._feeds:
            return "550 5.5.2 CR and LF must come together"
        if self._is_long:
            return f"500 5.5.2 a line is longer than {self._longest} bytes"
        return None

    def message(self) -> bytes:
        """The mail. It is let go of here: no two copies stay."""
        mail, self._mail = self._mail, io.BytesIO()
        return mail.getvalue()


def longest_exceeds(data: bytes, line: int) -> bool:
    """Whether one of the lines, which all have their ends, is longer; looks only at every so many bytes."""
    start = 0
    while len(data) - start > line:
        end = data.rfind(b"\r\n", start, start + line + 2)
        if end < 0:
            return True
        start = end + 2
    return False
