"""How Telnyx says no — https://developers.telnyx.com/docs/messaging/messages/error-codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared.contract.channel import Response, SendFailed
from shared.contract.codes import Code, Failure
from shared.contract.readable import otherwise

Json = dict[str, Any]

CODES: Final[Mapping[str, Code]] = {
    **dict.fromkeys(("10009", "10010"), "auth"),
    **dict.fromkeys(("10011", "40011", "40014", "40018"), "throttled"),
    **dict.fromkeys(("10002", "10016", "40001", "40310"), "bad_address"),
    **dict.fromkeys(("10004", "10015", "40009"), "malformed"),
    **dict.fromkeys(
        ("10005", "40004", "40008"), "refused"
    ),  # by a network, for no reason, or what is asked for is not there
    "40005": "expired",
    "40006": "unreachable",  # their network's server
    "40300": "opted_out",
    "40302": "too_long",
}
STATUSES: Final[Mapping[int, Code]] = {401: "auth", 403: "auth", 404: "refused", 429: "throttled"}


def outcome(response: Response) -> None:
    if response.ok:
        return
    if response.status >= 500:
        raise SendFailed("unreachable", f"Telnyx answered {response.status}")
    failure = failure_of(otherwise(lambda: response.json()["errors"], []))
    code = failure.code if failure.code != "unknown" else STATUSES.get(response.status, "refused")
    raise SendFailed(code, failure.detail or f"HTTP {response.status}")


def failure_of(errors: list[Json]) -> Failure:
    """The first error; unknown where there is none that can be read."""
    return otherwise(lambda: _failure(errors[0]), Failure(code="unknown"))


def _failure(error: Json) -> Failure:
    words = ": ".join(str(error[name]) for name in ("code", "title", "detail") if error.get(name))
    return Failure(code=CODES.get(str(error["code"]), "refused"), detail=words[:500])
