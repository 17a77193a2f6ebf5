"""Whether a program may answer a mail: never one that a program wrote, or two of them would go on for ever (RFC 3834 §2)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from services.email_adapter.mail.headers import Headers

SAID: Final = ("x-autoreply", "x-autorespond", "x-auto-response-suppress")
PRECEDENCE: Final = frozenset({b"auto_reply", b"bulk", b"junk", b"list"})
NOBODY_READS: Final = re.compile(
    r"(?:no|do-?not|dont)[-_.]?reply|(?:mailer|mail)-daemon|postmaster|bounces?", re.IGNORECASE
)
WORDS: Final = 100  # bytes of a header that are looked at


def reasons(headers: Headers, *, sender: str, envelope_sender: str) -> Iterator[str]:
    """Why no program should answer; none: it may. `envelope_sender` is "<>" for what must not be answered at all (RFC 5321 §4.5.5)."""
    if envelope_sender == "<>" or _word(headers, "return-path") == b"<>":
        yield "empty envelope sender"
    if _word(headers, "auto-submitted") not in {b"", b"no"}:
        yield "auto-submitted"
    if _word(headers, "precedence") in PRECEDENCE:
        yield "precedence"
    if any(name.startswith("list-") for name, _ in headers.fields):
        yield "mailing list"
    yield from (name for name in SAID if _word(headers, name) not in {b"", b"no", b"none"})
    if _word(headers, "content-type") == b"multipart/report":
        yield "report"
    if NOBODY_READS.match(sender):
        yield "sender that nobody reads"


def _word(headers: Headers, name: str) -> bytes:
    """A header's value, without its parameters."""
    return (headers.first(name) or b"")[:WORDS].partition(b";")[0].strip().lower()
