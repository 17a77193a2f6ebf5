"""What a filter before us has found in a mail: its verdict, score and symbols (SpamAssassin, rspamd, Exchange)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from services.email_adapter.mail.headers import Headers
from services.email_adapter.mail.words import read_words

SYMBOLS: Final = 50
SYMBOL: Final = re.compile(r"\b([A-Z][A-Z0-9_]{2,63})\b(?=[=(,\s]|\Z)")
SCORE: Final = re.compile(r"(?:score|hits)=(-?\d{1,4}(?:\.\d{1,4})?)", re.IGNORECASE)
TESTS: Final = re.compile(r"tests=\[?(.*)", re.IGNORECASE | re.DOTALL)
RSPAMD: Final = re.compile(r"[^:]{0,60}:\s*(true|false)\s*\[\s*(-?\d{1,4}(?:\.\d{1,4})?)\s*/", re.IGNORECASE)
NUMBER: Final = re.compile(r"-?\d{1,4}(?:\.\d{1,4})?")
YES: Final = re.compile(r"\s*(?:yes|true|spam)\b", re.IGNORECASE)
ACTIONS: Final = re.compile(r"\s*(?:reject|add header|rewrite subject|quarantine|soft reject)\s*\Z", re.IGNORECASE)
Filter = Literal["any", "spamassassin", "rspamd", "exchange", "none"]
ASSASSIN: Final = ("x-spam-",)
RSPAMD_S: Final = ("x-spamd-", "x-rspamd-", "x-spam")
EXCHANGE: Final = ("x-ms-exchange-organization-scl", "x-forefront-antispam-report")
FILTERS: Final[Mapping[Filter, tuple[str, ...]]] = {
    "any": (*RSPAMD_S, *EXCHANGE),
    "spamassassin": ASSASSIN,
    "rspamd": RSPAMD_S,
    "exchange": EXCHANGE,
    "none": (),
}
CERTAIN: Final = 5  # of Exchange's spam confidence level, up to 9


class Spam(NamedTuple):
    """`by`: the header that says so."""

    is_spam: bool = False
    score: float | None = None
    symbols: tuple[str, ...] = ()
    by: str = ""


def verdict(headers: Headers, by_filter: Filter = "any") -> Spam:
    """`by_filter`: whose headers count. By the topmost header of each filter: the last server has put it there; what a sender wrote stands below it."""
    headers = Headers(tuple(one for one in headers.fields if one[0].startswith(FILTERS[by_filter])))
    score, symbols, by = None, (), ""
    if told := _first(headers, "x-spam-status"):
        score = float(found[1]) if (found := SCORE.search(told)) else None
        symbols = tuple(SYMBOL.findall(tests[1])) if (tests := TESTS.search(told)) else ()
        by = by or ("x-spam-status" if YES.match(told) else "")
    if told := _first(headers, "x-spamd-result"):
        if found := RSPAMD.match(told):
            score, by = float(found[2]), by or ("x-spamd-result" if found[1].lower() == "true" else "")
        symbols = symbols or tuple(SYMBOL.findall(told))
    for name, says in (("x-spam-flag", YES), ("x-spam", YES), ("x-rspamd-action", ACTIONS), ("x-spam-action", ACTIONS)):
        by = by or (name if says.match(_first(headers, name)) else "")
    for name in ("x-spam-score", "x-rspamd-score"):
        if score is None and (found := NUMBER.search(_first(headers, name))):
            score = float(found[0])
    by = by or _exchange(headers)
    return Spam(bool(by), score, tuple(dict.fromkeys(symbols))[:SYMBOLS], by)


def _exchange(headers: Headers) -> str:
    """https://learn.microsoft.com/defender-office-365/message-headers-eop-mdo"""
    level = _first(headers, "x-ms-exchange-organization-scl")
    if level.isdecimal() and int(level[:2]) >= CERTAIN:
        return "x-ms-exchange-organization-scl"
    verdicts = {one.strip().upper() for one in _first(headers, "x-forefront-antispam-report").split(";")}
    return (
        "x-forefront-antispam-report" if verdicts & {"SFV:SPM", "SFV:SKB", "CAT:HSPM", "CAT:PHSH", "CAT:HPHSH"} else ""
    )


def _first(headers: Headers, name: str) -> str:
    return read_words((headers.first(name) or b"")[:8192])
