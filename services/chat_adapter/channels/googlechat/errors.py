"""How Google says no — https://developers.google.com/workspace/chat/api/guides/handle-errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared.contract.channel import AlreadySent, Response, SendFailed
from shared.contract.codes import Code
from shared.contract.readable import otherwise
from shared.dialects.google import REFUSED

Json = dict[str, Any]

# https://cloud.google.com/apis/design/errors#handling_errors
STATUSES: Final[Mapping[str, Code]] = {
    "FAILED_PRECONDITION": "refused",
    "INVALID_ARGUMENT": "malformed",
    "NOT_FOUND": "bad_address",
    "PERMISSION_DENIED": "blocked",  # the app is not, or is no more, where it writes
    "RESOURCE_EXHAUSTED": "throttled",
    "UNAUTHENTICATED": "auth",
}
# A 403 that is of the project, not of the space: https://cloud.google.com/apis/design/errors#error_info
REASONS: Final = frozenset(
    {"SERVICE_DISABLED", "ACCESS_TOKEN_SCOPE_INSUFFICIENT", "CONSUMER_INVALID", "BILLING_DISABLED"}
)
HTTP: Final[Mapping[int, Code]] = {
    400: "malformed",
    401: "auth",
    403: "blocked",
    404: "bad_address",
    413: "too_long",
    429: "throttled",
}


def outcome(response: Response) -> None:
    """A 409 is of a message that has the name which this one was to have (…/create-messages#name_a_created_message); or of two
    requests that met, of which nothing was done.
    """
    if response.ok:
        return
    if response.status >= 500:
        raise SendFailed("unreachable", f"Google answered {response.status}")
    status, reasons, words = otherwise(lambda: _said(response.json()), ("", frozenset(), ""))
    detail = ": ".join(filter(None, (status, words)))[:500] or f"HTTP {response.status}"
    if status == "ALREADY_EXISTS":
        raise AlreadySent(detail)
    if status == "ABORTED":
        raise SendFailed("throttled", detail, scope="peer")
    if status in REFUSED or reasons & REASONS:
        raise SendFailed("auth", detail)
    raise SendFailed(STATUSES.get(status) or HTTP.get(response.status, "refused"), detail)


def _said(body: Json) -> tuple[str, frozenset[str], str]:
    """Status, reasons and words: of the API `error` is an object, of the token's address a word."""
    error = body["error"]
    if isinstance(error, str):
        return error, frozenset(), str(body.get("error_description", ""))
    reasons = (str(one.get("reason")) for one in error.get("details", ())[:10])
    return str(error.get("status", "")), frozenset(reasons), str(error.get("message", ""))
