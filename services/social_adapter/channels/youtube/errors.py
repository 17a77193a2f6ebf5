"""How YouTube says no: `reason` of an error — https://developers.google.com/youtube/v3/docs/errors."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from shared.contract.channel import Response
from shared.contract.codes import Code
from shared.contract.errors import SendFailed
from shared.contract.readable import otherwise

USED_UP: Final = timedelta(minutes=30)  # the day's quota may be spent by others too, so we look again before midnight

REASONS: Final[Mapping[str, Code]] = {
    "quotaExceeded": "throttled",
    "dailyLimitExceeded": "throttled",
    "rateLimitExceeded": "throttled",
    "userRateLimitExceeded": "throttled",
    "insufficientPermissions": "auth",
    "accessNotConfigured": "auth",  # the YouTube Data API is not switched on for the project
    "accountDelegationForbidden": "auth",
    "authenticatedUserAccountClosed": "auth",
    "authenticatedUserAccountSuspended": "auth",
    "authenticatedUserNotChannel": "auth",
    "channelClosed": "auth",
    "channelSuspended": "auth",
    "ineligibleAccount": "auth",
    "youtubeSignupRequired": "auth",
    "commentsDisabled": "refused",
    "forbidden": "refused",
    "operationNotSupported": "refused",  # this comment takes no answers
    "parentCommentIsPrivate": "refused",
    "processingFailure": "refused",  # "usually indicates that the request's input is invalid"
    "banWithoutReject": "malformed",
    "commentTextRequired": "malformed",
    "commentTextTooLong": "too_long",
    "invalidCommentMetadata": "malformed",
    "invalidPageToken": "malformed",
    "parentIdMissing": "malformed",
    "channelNotFound": "bad_address",
    "commentNotFound": "bad_address",
    "commentThreadNotFound": "bad_address",
    "notFound": "bad_address",
    "parentCommentNotFound": "bad_address",
    "videoNotFound": "bad_address",
    # https://developers.google.com/identity/protocols/oauth2/web-server#offline, of the token's end point
    "invalid_grant": "auth",
    "invalid_client": "auth",
    "unauthorized_client": "auth",
}
STATUSES: Final[Mapping[int, Code]] = {400: "malformed", 401: "auth", 404: "bad_address", 429: "throttled"}


def outcome(response: Response) -> None:
    if response.ok:
        return
    reason, message = otherwise(lambda: _told(response.json()["error"]), ("", f"HTTP {response.status}"))
    code = REASONS.get(reason) or STATUSES.get(response.status, "refused")
    if response.status >= 500:
        code = "unreachable"
    wait = USED_UP if reason in {"quotaExceeded", "dailyLimitExceeded"} else None
    raise SendFailed(code, f"{reason}: {message}"[:500].removeprefix(": "), retry_after=wait)


def _told(error: Any) -> tuple[str, str]:
    """The API tells a list of errors, the token's end point a word."""
    if isinstance(error, str):
        return error, ""
    first = (error.get("errors") or [{}])[0]
    return str(first.get("reason") or ""), str(error["message"])
