"""How Twilio says no — https://www.twilio.com/docs/api/errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared.contract.codes import Code, Failure
from shared.contract.readable import otherwise
from shared.contract.saying_no import SaysNo

CODES: Final[Mapping[int, Code]] = {
    **dict.fromkeys((20003, 20005, 20006, 20403, 30002), "auth"),
    **dict.fromkeys((20429, 21611, 30001, 30017, 30022, 63018), "throttled"),
    **dict.fromkeys((21211, 21214, 21217, 21265, 21266, 21614, 21635, 30005, 30006, 20404), "bad_address"),
    **dict.fromkeys((21605, 21617, 30019), "too_long"),
    **dict.fromkeys((21602, 21603, 21604, 21609, 21619, 21620, 21621), "malformed"),
    **dict.fromkeys((12300, 21623, 21655, 30011), "unsupported"),
    21610: "opted_out",
    21612: "refused",  # not from this number of ours
    30003: "unreachable",  # the handset, for as long as it was tried
    30004: "blocked",
    30008: "unknown",
    30036: "expired",
}
STATUSES: Final[Mapping[int, Code]] = {400: "refused", 401: "auth", 403: "auth", 404: "auth", 429: "throttled"}


outcome: Final = SaysNo("Twilio", lambda body: (body["code"], body["message"]), CODES, STATUSES)


def failure_of(form: Mapping[str, str]) -> Failure:
    """Why a message did not arrive: Twilio tells a number, whose page says more."""
    number = otherwise(lambda: int(form["ErrorCode"][:9]), 0)
    words = form.get("ErrorMessage") or f"https://www.twilio.com/docs/api/errors/{number}"
    return Failure(code=CODES.get(number, "refused"), detail=words[:500] if number else "")
