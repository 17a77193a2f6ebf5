"""How X says no — https://docs.x.com/x-api/fundamentals/response-codes-and-errors."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

from shared.contract.channel import Limit, Response
from shared.contract.codes import Code
from shared.contract.errors import SendFailed
from shared.contract.readable import otherwise

Json = dict[str, Any]

DAY: Final = 24 * 3600.0  # seconds, the longest of X's windows
USED_UP: Final = timedelta(minutes=30)  # credits and caps are filled up by a person, or by the next cycle

# The end of `type`, where it says more than the status: …/response-codes-and-errors#error-types.
TYPES: Final[Mapping[str, Code]] = {
    "resource-not-found": "bad_address",
    "client-forbidden": "auth",
    "usage-capped": "throttled",
    "credits": "throttled",
}
USED: Final = frozenset({"usage-capped", "credits"})
# X says why in English, where `type` says nothing. The first phrase found decides, else the type, else the status.
# Whom they block, or let write to them, is theirs: …/x-api/direct-messages/manage/integrate#common-issues.
PHRASES: Final[Mapping[str, Code]] = {
    "permission to dm one or more participants": "blocked",
    "longer than": "too_long",
}
STATUSES: Final[Mapping[int, Code]] = {
    400: "malformed",
    401: "auth",
    402: "throttled",
    404: "bad_address",
    429: "throttled",
}


def outcome(response: Response) -> None:
    """A 200 may hold nothing but `errors`: …/response-codes-and-errors#partial-errors; or that a film cannot be shown."""
    if response.ok:
        if why := otherwise(lambda: _unshown(response), None):
            raise SendFailed("refused", f"X cannot show the file: {why}"[:500])
        if not otherwise(lambda: _only_errors(response), False):
            return
    if response.status >= 500:
        raise SendFailed("unreachable", f"X answered {response.status}")
    told = otherwise(lambda: _told(response.json()), {})
    kind = str(told.get("type") or "").rpartition("/")[2]
    words = " ".join(str(told[name]) for name in ("title", "detail") if told.get(name)) or f"HTTP {response.status}"
    code = next((code for phrase, code in PHRASES.items() if phrase in words.lower()), None) or TYPES.get(kind)
    if "error" in told:  # of the token's end point, in the words of RFC 6749 §5.2
        words, code = f"{told['error']}: {told.get('error_description') or ''}", "auth"
    code = code or STATUSES.get(response.status, "refused")
    used_up = kind in USED or response.status == 402
    wait = (USED_UP if used_up else otherwise(lambda: _resets_in(response), None)) if code == "throttled" else None
    raise SendFailed(code, words[:500], retry_after=wait)


def limit(response: Response) -> Limit:
    """What is left of this end point for this account: https://docs.x.com/x-api/fundamentals/rate-limits."""
    return Limit(
        bucket="", remaining=int(response.headers["x-rate-limit-remaining"][:9]), resets_in=_resets_in(response)
    )


def _resets_in(response: Response) -> timedelta:
    """By X's own clock, which the answer tells."""
    answered = parsedate_to_datetime(response.headers["date"]).timestamp()
    return timedelta(seconds=min(max(1.0, float(response.headers["x-rate-limit-reset"]) - answered), DAY))


def _only_errors(response: Response) -> bool:
    body = response.json()
    return bool(body["errors"]) and "data" not in body


def _unshown(response: Response) -> str | None:
    """https://docs.x.com/x-api/media/quickstart/media-upload-chunked#step-4-check-status-status."""
    work = response.json()["data"]["processing_info"]
    return str((work.get("error") or {}).get("message") or "no reason") if work["state"] == "failed" else None


def _told(body: Json) -> Json:
    """One problem (RFC 9457), or the first of a list, which may be all that there is."""
    first: Json = next(iter(body.get("errors") or ()), {})
    found = {
        "title": first.get("title"),
        "detail": first.get("detail") or first.get("message"),
        "type": first.get("type"),
    }
    return {**found, **{name: value for name, value in body.items() if value}}
