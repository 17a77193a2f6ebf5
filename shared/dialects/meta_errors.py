"""Meta's no, in the closed set of codes — https://developers.facebook.com/docs/graph-api/guides/error-handling."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, ValidationError

from shared.channel import Response, SendFailed
from shared.envelope import Model
from shared.errors import Scope
from shared.records import Code, Failure


class Details(Model):
    details: str | None = None


class Error(Model):
    """`error` of an answer, or one of `errors` in a webhook."""

    code: int = -1
    error_subcode: Annotated[int, BeforeValidator(lambda subcode: subcode or 0)] = 0
    message: str | None = None
    title: str | None = None
    is_transient: bool | None = None
    error_data: Details | str | None = None

    @property
    def reason(self) -> Code | None:
        """By subcode, by code; None where neither is known."""
        return SUBCODES.get((self.code, self.error_subcode)) or CODES.get(self.code) or _by_range(self.code)

    @property
    def sentence(self) -> str:
        details = self.error_data.details if isinstance(self.error_data, Details) else self.error_data
        number = f"{self.code}/{self.error_subcode}" if self.error_subcode else str(self.code)
        words = (part for part in (self.message or self.title, details) if part)
        return f"({number}) {' – '.join(words)}"[:500]


class Refused(Model):
    error: Error


def outcome(response: Response) -> None:
    """A Graph answer's no in the closed set of codes. What says nothing of itself is judged by its HTTP status."""
    wait = _retry_after(response)
    try:
        error = Refused.model_validate_json(response.body).error
    except ValidationError:
        if response.status < 400:
            return
        raise SendFailed(_by_status(response.status), f"HTTP {response.status}", retry_after=wait) from None
    code = error.reason or ("unreachable" if error.is_transient else _by_status(response.status))
    scope: Scope = "peer" if error.code in OF_ONE_PERSON else "account"
    raise SendFailed(code, error.sentence, retry_after=wait if code == "throttled" else None, scope=scope)


def failure(error: Mapping[str, Any]) -> Failure:
    """One of the `errors` of a webhook, in our words."""
    found = Error.model_validate(error)
    return Failure(code=found.reason or "refused", detail=found.sentence)


def _by_range(code: int) -> Code | None:
    """What Meta documents for whole ranges: 200–299 permissions, 132xxx templates."""
    if 200 <= code < 300:
        return "auth"
    return "refused" if 132_000 <= code < 133_000 else None


def _by_status(status: int) -> Code:
    if status >= 500 or status == 408:
        return "unreachable"
    return STATUSES.get(status, "refused")


def _retry_after(response: Response) -> timedelta | None:
    """Retry-After in seconds where there is one; at most a day."""
    said = response.headers.get("retry-after", "")
    return timedelta(seconds=min(int(said[:6]), 86_400)) if said.isascii() and said.isdigit() else None


STATUSES: Final[Mapping[int, Code]] = {401: "auth", 413: "too_long", 429: "throttled"}
# https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
# https://developers.facebook.com/docs/messenger-platform/error-codes
CODES: Final[Mapping[int, Code]] = {
    0: "auth",
    1: "unreachable",
    2: "unreachable",
    3: "auth",
    4: "throttled",
    10: "auth",
    17: "throttled",
    32: "throttled",
    33: "bad_address",
    102: "auth",
    190: "auth",
    368: "refused",
    551: "blocked",
    613: "throttled",
    1200: "unreachable",
    80006: "throttled",  # Messenger's own business use case limit
    80007: "throttled",
    130429: "throttled",
    130472: "refused",
    130497: "refused",
    131000: "unreachable",
    131005: "auth",
    131008: "malformed",
    131009: "malformed",
    131016: "unreachable",
    131021: "bad_address",
    131026: "bad_address",
    131030: "bad_address",
    131031: "auth",
    131037: "auth",
    131042: "refused",
    131045: "auth",
    131047: "window_closed",
    131048: "refused",
    131049: "refused",
    131050: "opted_out",
    131051: "unsupported",
    131052: "malformed",
    131053: "malformed",
    131056: "throttled",
    131062: "unsupported",
    131057: "throttled",  # the number is being moved: nothing was taken
    132005: "too_long",
    132015: "refused",
    133004: "unreachable",
    133010: "auth",
    133016: "throttled",
}
OF_ONE_PERSON: Final = frozenset({131056})  # throttles that leave everyone else's messages alone
SUBCODES: Final[Mapping[tuple[int, int], Code]] = {
    (10, 2018065): "window_closed",
    (10, 2018278): "window_closed",
    (10, 2018108): "blocked",
    (100, 2018001): "bad_address",
    (100, 2018109): "too_long",
    (200, 1545041): "blocked",
    (200, 2018028): "auth",
    (551, 1545041): "blocked",
}
