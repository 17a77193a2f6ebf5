"""How LINE says no — https://developers.line.biz/en/reference/messaging-api/#error-responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared.contract.channel import AlreadySent, Response, RouteGone, SendFailed
from shared.contract.codes import Code
from shared.contract.readable import otherwise

# LINE says why in English; the first phrase found decides, else the status. A month's limit ends with the month or by hand:
# https://developers.line.biz/en/docs/messaging-api/handling-http-429-errors/
PHRASES: Final[Mapping[str, Code]] = {
    "monthly limit": "refused",
    "failed to send messages": "bad_address",
    "the property, 'to'": "bad_address",
    "length must be": "too_long",
}
STATUSES: Final[Mapping[int, Code]] = {
    400: "malformed",
    401: "auth",
    403: "auth",
    404: "bad_address",
    410: "expired",
    413: "too_long",
    415: "malformed",
    429: "throttled",
}
NO_TOKEN: Final = "invalid reply token"  # noqa: S105 LINE's words


def outcome(response: Response) -> None:
    """A 409 is of a push that LINE has accepted before, and names its messages as the first answer did."""
    if response.ok:
        return
    if response.status >= 500:
        raise SendFailed("unreachable", f"LINE answered {response.status}")
    if response.status == 409:
        raise AlreadySent(external_ids=otherwise(lambda: _sent(response), ()))
    words = otherwise(lambda: _words(response.json()), "") or f"HTTP {response.status}"
    said = words.lower()
    if NO_TOKEN in said:
        raise RouteGone(words[:500])
    code = next((code for phrase, code in PHRASES.items() if phrase in said), None)
    raise SendFailed(code or STATUSES.get(response.status, "refused"), words[:500])


def _sent(response: Response) -> tuple[str, ...]:
    names = (sent["id"] for sent in response.json()["sentMessages"])
    return tuple(name for name in names if isinstance(name, str) and 0 < len(name) < 900)[:5]


def _words(body: dict[str, Any]) -> str:
    """What is wrong, and with which property."""
    details = otherwise(lambda: [f"{one['property']}: {one['message']}" for one in body["details"][:5]], [])
    return "; ".join([body["message"], *details])
