"""What mail programs report in a form made for programs: delivery (RFC 3464), display (RFC 8098) and abuse (RFC 5965)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from services.email_adapter.mail.addresses import mailboxes
from services.email_adapter.mail.bodies import content
from services.email_adapter.mail.headers import Headers, head
from services.email_adapter.mail.refusals import Refused
from services.email_adapter.mail.sections import Section
from services.email_adapter.mail.words import read_words

LOOKED_AT: Final = 64 * 1024  # bytes of a report
GROUPS: Final = 100  # of fields: one for the report, then one a recipient
DIAGNOSTIC: Final = 500  # characters
DELIVERY: Final = ("message/delivery-status", "message/global-delivery-status")
FEEDBACK: Final = ("message/feedback-report", "message/x-feedback-report")
DISPLAYED: Final = ("message/disposition-notification", "message/global-disposition-notification")
RETURNED: Final = frozenset(
    {"message/rfc822", "message/global", "text/rfc822-headers", "message/rfc822-headers", "message/global-headers"}
)
STATUS: Final = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
ACTIONS: Final = frozenset({"failed", "delayed", "delivered", "relayed", "expanded"})
FAILS: Final = re.compile(rb"fail|error|undeliver|reject|bounce")
LINE_ENDS: Final = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|\Z)")
BLOCK_IN_WORDS: Final = re.compile(
    rb"(?<![^\r\n])(?:reporting-mta|arrival-date|original-recipient|final-recipient)[ \t]*:", re.IGNORECASE
)


class Fate(NamedTuple):
    """What became of a mail at one recipient. `action` as RFC 3464 §2.3.3 names it, `status` as RFC 3463, "" where none is told."""

    recipient: str
    action: str
    status: str = ""
    diagnostic: str = ""


def groups(data: bytes) -> Iterator[Headers]:
    """The groups of fields that empty lines part; what is no field is passed over."""
    data, at, count = data[:LOOKED_AT], 0, 0
    while at < len(data) and count < GROUPS:
        try:
            fields, end = head(data, at, len(data))
        except Refused:
            return
        if fields.fields:
            count += 1
            yield fields
        if end == at and (line := LINE_ENDS.match(data, at)):
            end = line.end()
        at = max(end, at + 1)


def fates(section: Section, raw: bytes) -> tuple[Fate, ...]:
    """What a delivery status says of each recipient (RFC 3464 §2.3)."""
    return told_fates(groups(content(section, raw)))


def fates_in_words(words: bytes) -> tuple[Fate, ...]:
    """The same, where such a block stands in the words of a mail that is no MIME, or is broken."""
    found = BLOCK_IN_WORDS.search(words)
    return told_fates(groups(words[found.start() :])) if found else ()


def told_fates(blocks: Iterable[Headers]) -> tuple[Fate, ...]:
    """One of each recipient, in their order."""
    told: dict[str, Fate] = {}
    for block in blocks:
        recipient = recipient_of(block)
        if not recipient:
            continue
        diagnostic = " ".join(read_words(block.first("diagnostic-code") or b"").partition(";")[2].split())[:DIAGNOSTIC]
        told.setdefault(recipient, Fate(recipient, _action(block), _status(block, diagnostic), diagnostic))
    return tuple(told.values())


def recipient_of(block: Headers) -> str:
    """Where it ended, which may be another address than it was sent to; that one where this is not told (RFC 3464 §2.3.1)."""
    for name in ("final-recipient", "original-recipient", "x-actual-recipient"):
        for value in block.every(name):
            kind, semicolon, address = value.partition(b";")
            told = address if semicolon else kind
            if found := next((box.address for box in mailboxes(told)), ""):
                return found
    return ""


def _action(block: Headers) -> str:
    words = (block.first("action") or b"").lower()
    first = words.split(None, 1)[0].rstrip(b".,;").decode("latin-1") if words.strip() else ""
    if first in ACTIONS:
        return first
    return "failed" if FAILS.search(words) or block.first("status") or block.first("diagnostic-code") else ""


def _status(block: Headers, diagnostic: str) -> str:
    """Where the field says nothing exact, the remote server's words may (5.0.0 beside `550 5.1.1 …`)."""
    told = enhanced((block.first("status") or b"").decode("latin-1"))
    if told and not told.endswith(".0.0"):
        return told
    found = enhanced(diagnostic)
    return found if found and found[0] == (told or found)[0] else told


def enhanced(words: str) -> str:
    """The first enhanced status code (RFC 3463) in it, or ""."""
    found = STATUS.search(words)
    return found[0] if found else ""


def returned(top: Section, raw: bytes) -> Headers:
    """The headers of the mail that a report sends back; none where it sends none."""
    for section in top.walk():
        if section.kind in RETURNED:
            data = content(section, raw)[:LOOKED_AT].lstrip(b"\r\n")
            try:
                return head(data, 0, len(data))[0]
            except Refused:
                return Headers()
    return Headers()
