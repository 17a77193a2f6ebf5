"""How TikTok says no: `code` of an answer, whose status is 200 all the same — https://business-api.tiktok.com/portal/docs?id=1737172488964097."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from shared.contract.channel import Response, SendFailed
from shared.contract.codes import Code
from shared.contract.readable import otherwise

CODES: Final[Mapping[int, Code]] = {
    40000: "malformed",
    40001: "auth",  # no permission: the scope is missing, or the account is of a country without this API; TikTok's words say it
    40002: "malformed",
    40006: "malformed",
    40007: "bad_address",
    40016: "throttled",
    40064: "refused",  # by the rules of direct messages: the window, how many may be sent in it, what the person allows
    40100: "throttled",
    40101: "auth",
    40102: "auth",
    40103: "auth",
    40104: "auth",
    40105: "auth",
    40106: "auth",
    40107: "auth",
    40108: "auth",
    40110: "auth",
    40132: "throttled",
    40133: "throttled",
    40908: "unsupported",
}
TOO_FAST: Final = "too fast"  # one code has these words as well: https://documentation.qiscus.com/omnichannel-chat/tiktok-direct-message
WAIT: Final[Mapping[int, timedelta]] = {
    40100: timedelta(minutes=5)
}  # https://business-api.tiktok.com/portal/docs?id=1740029171730433
INSIDE: Final = 50_000  # from here on something failed at TikTok
STATUSES: Final[Mapping[int, Code]] = {401: "auth", 413: "too_long", 429: "throttled"}


def outcome(response: Response) -> None:
    """What fails inside TikTok, by its code or its status, may have been done."""
    code, words = otherwise(lambda: _told(response), (0, ""))
    if response.status >= 500 or code >= INSIDE:
        raise SendFailed("unreachable", f"{code}: {words}" if code else f"HTTP {response.status}")
    if code:
        kind = "throttled" if TOO_FAST in words.lower() else CODES.get(code, "refused")
        raise SendFailed(kind, f"{code}: {words}"[:500], retry_after=WAIT.get(code))
    if not response.ok:
        raise SendFailed(STATUSES.get(response.status, "refused"), f"HTTP {response.status}")


def _told(response: Response) -> tuple[int, str]:
    body = response.json()
    return int(body["code"]), str(body.get("message") or "")
