"""How RCS for Business says no — https://developers.google.com/business-communications/rcs-business-messaging/reference/error-codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared.contract.channel import AlreadySent, Response
from shared.contract.codes import Code
from shared.contract.deliveries import Cost
from shared.contract.readable import otherwise
from shared.contract.saying_no import SaysNo
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
    if response.status == 409:
        raise AlreadySent
    _NO(response)


def _said(body: Json) -> tuple[str, str]:
    """That no access token is given says no in a form of its own (RFC 6749 §5.2)."""
    error = body["error"]
    return (error, body.get("error_description", "")) if isinstance(error, str) else (error["status"], error["message"])


_NO: Final = SaysNo("Google", _said, dict.fromkeys(REFUSED, "auth"), STATUSES)


def cost_of(answer: Response) -> Cost | None:
    """As what it is billed in the United States; elsewhere Google does not say: …/phones.agentMessages#RichMessageClassification."""
    return otherwise(lambda: _cost(answer.json()["richMessageClassification"]), None)


def _cost(classified: Json) -> Cost:
    count = otherwise(lambda: f"{int(classified['segmentCount'])} segments", None)
    return Cost(category=classified["classificationType"][:255], model=count)
