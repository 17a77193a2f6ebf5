"""How Bluesky says no — https://atproto.com/specs/xrpc#error-responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared.contract.channel import Response, SendFailed
from shared.contract.codes import Code
from shared.contract.readable import otherwise

ENDED: Final = frozenset(
    {"AccountDeactivated", "AccountTakedown", "AuthFactorTokenRequired", "ExpiredToken", "InvalidToken"}
)
STATUSES: Final[Mapping[int, Code]] = {
    400: "malformed",
    401: "auth",
    403: "auth",
    404: "bad_address",
    413: "too_long",
    429: "throttled",
}


def outcome(response: Response) -> None:
    if response.ok:
        return
    if response.status >= 500:
        raise SendFailed("unreachable", f"Bluesky answered {response.status}")
    name, words = otherwise(lambda: [str(response.json().get(field, "")) for field in ("error", "message")], ["", ""])
    detail = ": ".join(filter(None, (name, words)))[:500] or f"HTTP {response.status}"
    code = "auth" if name in ENDED else STATUSES.get(response.status, "refused")
    raise SendFailed(code, detail, retry_after=response.retry_after if code == "throttled" else None)
