"""How RCS for Business says no — https://developers.google.com/business-communications/rcs-business-messaging/reference/error-codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared.contract.channel import AlreadySent, Response, SendFailed
from shared.contract.codes import Code
from shared.contract.deliveries import Cost
from shared.contract.readable import otherwise
from shared.dialects.google import REFUSED

Json = dict[str, Any]

STATUSES: Final[Mapping[int, Code]] = {
    400: "malformed",
    401: "auth",
    403: "refused",  # the agent may not write there: not launched in this network, or nobody's tester
    404: "bad_address",  # no RCS at this number, or none that this agent reaches
    413: "too_long",
    429: "throttled",
}


def outcome(response: Response) -> None:
    """A 409 is of a message or an event that has been sent under this id before."""
    if response.ok:
        return
    if response.status >= 500:
        raise SendFailed("unreachable", f"Google answered {response.status}")
    if response.status == 409:
        raise AlreadySent
    words, denied = otherwise(lambda: _said(response.json()), (f"HTTP {response.status}", False))
    code = "auth" if denied else STATUSES.get(response.status, "refused")
    raise SendFailed(code, words, retry_after=response.retry_after)


def _said(body: Json) -> tuple[str, bool]:
    """Its words, and whether no access token is given: that says no in a form of its own (RFC 6749 §5.2)."""
    error = body["error"]
    if isinstance(error, str):
        return f"{error}: {body.get('error_description')}"[:500], error in REFUSED
    return f"{error['status']}: {error['message']}"[:500], False


def cost_of(answer: Response) -> Cost | None:
    """As what it is billed in the United States; elsewhere Google does not say: …/phones.agentMessages#RichMessageClassification."""
    return otherwise(lambda: _cost(answer.json()["richMessageClassification"]), None)


def _cost(classified: Json) -> Cost:
    count = otherwise(lambda: f"{int(classified['segmentCount'])} segments", None)
    return Cost(category=classified["classificationType"][:255], model=count)
