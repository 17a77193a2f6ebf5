"""How Viber says no, and what a message costs — https://creators.viber.com/docs/bots-api/errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared.contract.channel import Response, SendFailed
from shared.contract.codes import Code
from shared.contract.deliveries import Cost
from shared.contract.readable import otherwise

Json = dict[str, Any]

CODES: Final[Mapping[int, Code]] = {
    **dict.fromkeys((1, 3, 4, 14), "malformed"),
    **dict.fromkeys((2, 7, 8, 9, 10, 15), "auth"),  # of the bot: its token, its webhook, its standing
    5: "bad_address",
    6: "opted_out",
    **dict.fromkeys((11, 13), "unsupported"),  # by their device
    12: "throttled",
}
STATUSES: Final[Mapping[int, Code]] = {401: "auth", 403: "auth", 413: "too_long", 429: "throttled"}

# https://creators.viber.com/docs/bots-api/resources/messaging/send-message#billing-statuses
BILLING: Final = (
    "free",
    "inSessionNonBillableBot",
    "inSessionForBillableBot",
    "outOfSessionFreeMessageNonBillableBot",
    "outOfSessionFreeMessageForBillableBot",
    "outOfSessionBilledMessage",
)
BILLED: Final = 5


def outcome(response: Response) -> None:
    """A no comes under 200, as the number of its kind. What cannot be read says nothing of what was done."""
    if response.status >= 500:
        raise SendFailed("unreachable", f"Viber answered {response.status}")
    if not response.ok:
        raise SendFailed(STATUSES.get(response.status, "refused"), f"HTTP {response.status}")
    number, words = otherwise(lambda: _said(response.json()), (0, ""))
    if number:
        raise SendFailed(CODES.get(number, "refused"), words)


def _said(body: Json) -> tuple[int, str]:
    number = int(body["status"])
    return number, f"{number}: {body.get('status_message')}"[:500]


def cost_of(body: Json) -> Cost | None:
    return otherwise(lambda: _cost(body["billing_status"]), None)


def _cost(number: int) -> Cost:
    """A number that is not known yet is told as it is."""
    known = 0 <= number < len(BILLING)
    return Cost(billable=number == BILLED if known else None, category=BILLING[number] if known else str(number)[:255])
