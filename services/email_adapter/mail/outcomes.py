"""What a mail server's reply means (RFC 5321 §4.2, RFC 3463)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from shared.contract.channel import Response, SendFailed
from shared.contract.codes import Code

SAID: Final = 500  # characters of the server's words
ENHANCED: Final = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
TOO_FAST: Final = re.compile(r"\b(?:rate|throttl\w*|too many|too fast|quota of|exceeded the)\b", re.IGNORECASE)

# By subject and detail of the enhanced code, https://www.iana.org/assignments/smtp-enhanced-status-codes
DETAILS: Final[Mapping[tuple[int, int], Code]] = {
    (1, 7): "refused",  # our own address, not theirs
    (1, 8): "refused",
    (2, 2): "refused",  # the mailbox is full
    (2, 3): "too_long",
    (3, 4): "too_long",
    (7, 8): "auth",
    (7, 9): "auth",
    (7, 11): "auth",
}
SUBJECTS: Final[Mapping[int, Code]] = {1: "bad_address", 6: "malformed"}
REPLIES: Final[Mapping[int, Code]] = {
    501: "bad_address",
    511: "bad_address",
    530: "auth",
    534: "auth",
    535: "auth",
    538: "auth",
    550: "bad_address",
    551: "bad_address",
    552: "too_long",
    553: "bad_address",
}
# Where a server says no more than 550, words of rules mean that it is not the address.
RULES: Final = re.compile(
    r"\b(?:spam\w*|polic\w+|block\w*|blacklist\w*|reputation|dnsbl|rbl|spf|dkim|dmarc|relay\w*|denied|authenti\w+|sender)\b",
    re.IGNORECASE,
)
POLICY: Final = 7  # the subject of enhanced codes that speak of rules, not of the address


def outcome(response: Response) -> None:
    """2xx is a yes; 4xx is tried again; all else is a no in the server's own words. Raises SendFailed."""
    if response.ok:
        return
    words = " ".join(response.body.decode("utf-8", "replace").split())
    detail = f"{response.status} {words}"[:SAID].rstrip()
    if response.status < 500:
        raise SendFailed("throttled" if TOO_FAST.search(words) else "unreachable", detail)
    raise SendFailed(_code(response.status, words), detail)


def code_of(words: str) -> Code | None:
    """What an enhanced code in the words means, where that says more than yes or no."""
    found = ENHANCED.search(words)
    if not found:
        return None
    subject, told = int(found[2]), int(found[3])
    return DETAILS.get((subject, told)) or SUBJECTS.get(subject)


def _code(status: int, words: str) -> Code:
    if code := code_of(words):
        return code
    found = ENHANCED.search(words)
    if found and int(found[2]) == POLICY and status not in {530, 534, 535, 538}:
        return "refused"
    code = REPLIES.get(status, "refused")
    return "refused" if code == "bad_address" and RULES.search(words) else code
