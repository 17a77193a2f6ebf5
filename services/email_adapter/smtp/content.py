"""The content of DATA as it comes in (RFC 5321 §4.5.2): where it ends, what must not be in it, and dots put back."""

from __future__ import annotations

from typing import Final

END: Final = b"\r\n.\r\n"


class Content:
    """Ends at CRLF . CRLF and nowhere else. What is beyond `limit` bytes is counted, not kept."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._data = bytearray(b"\r\n")  # a dot in the very first line is one at the start of a line
        self.received = 0
        self.dropped = False

    @property
    def held(self) -> int:
        return len(self._data)

    def feed(self, chunk: bytes) -> bytes | None:
        """None: more is to come. Otherwise it has ended, and these bytes came after it."""
        self.received += len(chunk)
        seen = max(0, len(self._data) - len(END) + 1)
        self._data += chunk
        end = self._data.find(END, seen)
        if end < 0:
            if self.dropped or len(self._data) > self._limit + len(END):
                self.drop()
            return None
        rest = bytes(self._data[end + len(END) :])
        del self._data[end + 2 :]
        self.dropped |= len(self._data) - 2 > self._limit
        return rest

    def drop(self) -> None:
        """Let go of what came, except of what may be the beginning of the end."""
        self.dropped = True
        del self._data[: -len(END) + 1]

    def fault(self, line: int) -> str | None:
        """The reply for what no honest sender sends: a CR or LF alone, with which a second mail can be smuggled past one
        of two servers (CVE-2023-51764 and its family), or a line of more than `line` bytes. A mail whose every line ends
        with CR CR LF is one whose line ends were made twice, and hides nothing.
        """
        data = self._data
        pairs, doubled = data.count(b"\r\n"), data.count(b"\r\r\n")
        whole = doubled if doubled >= pairs - 2 else 0  # but for the first, which is ours, and the last before the dot
        if not pairs == data.count(b"\r") - whole == data.count(b"\n"):
            return "550 5.5.2 CR and LF must come together"
        if longest_exceeds(data, line):
            return f"500 5.5.2 a line is longer than {line} bytes"
        return None

    def message(self) -> bytes:
        """The mail: the dots that were doubled on the way single again, NUL removed. It is let go of here: no two copies stay."""
        data, self._data = self._data, bytearray()
        if b"\r\n." in data:
            data = data.replace(b"\r\n.", b"\r\n")
        if b"\x00" in data:
            data = data.replace(b"\x00", b"")
        del data[:2]
        return bytes(data)


def longest_exceeds(data: bytes | bytearray, line: int) -> bool:
    """Whether a line, its end not counted, is longer; looks only at every so many bytes."""
    start = 0
    while len(data) - start > line:
        end = data.rfind(b"\r\n", start, start + line + 2)
        if end < 0:
            return True
        start = end + 2
    return False
