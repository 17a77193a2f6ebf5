"""How Apple says no — https://register.apple.com/resources/messages/msp-rest-api/common-specs#response-codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared.contract.channel import Response, SendFailed
from shared.contract.codes import Code

STATUSES: Final[Mapping[int, Code]] = {
    400: "malformed",
    401: "auth",
    403: "auth",  # the token is not this MSP's, or the business is another's
    404: "bad_address",  # nobody of that id
    410: "opted_out",  # they have closed the chat
    413: "too_long",
    429: "throttled",
}


def outcome(response: Response) -> None:
    """The status says it all; the body may hold words for people."""
    if response.ok:
        return
    if response.status >= 500:
        raise SendFailed("unreachable", f"Apple answered {response.status}")
    words = response.body[:500].decode(errors="replace").strip()
    code = STATUSES.get(response.status, "refused")
    raise SendFailed(code, f"HTTP {response.status} {words}".rstrip(), retry_after=response.retry_after)
