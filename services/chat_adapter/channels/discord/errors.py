"""How Discord says no — https://docs.discord.com/developers/topics/opcodes-and-status-codes#json."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from shared.contract.channel import Limit, Response, SendFailed
from shared.contract.codes import Code
from shared.contract.errors import Scope
from shared.contract.readable import otherwise

DAY: Final = 24 * 3600.0  # seconds

NUMBERS: Final[Mapping[Code, tuple[int, ...]]] = {
    "auth": (40001, 50014),
    "bad_address": (10003, 10004, 10007, 10008, 10013, 50033),
    "blocked": (50007, 50278, 90001),
    "too_long": (40005, 50045),
    "malformed": (10014, 50006, 50035, 50046, 50109, 50146),
    "unsupported": (50008, 50021, 50024, 50068),
    "throttled": (20016, 20022, 20028, 20029, 31001, 31002, 40003, 40062),
    "unreachable": (130000,),
}
CODES: Final[Mapping[int, Code]] = {number: code for code, numbers in NUMBERS.items() for number in numbers}
STATUSES: Final[Mapping[int, Code]] = {
    400: "malformed",
    401: "auth",
    404: "bad_address",
    405: "malformed",
    413: "too_long",
    429: "throttled",
}
TOO_LONG: Final = "BASE_TYPE_MAX_LENGTH"  # of a field: …/developers/reference#error-messages


def outcome(response: Response) -> None:
    """A 403 is of one channel, and of nobody else's; a 401 of the token."""
    if response.ok:
        return
    if response.status >= 500:
        raise SendFailed("unreachable", f"Discord answered {response.status}")
    body: Any = otherwise(response.json, {})
    number = otherwise(lambda: int(body["code"]), 0)
    code = CODES.get(number) or STATUSES.get(response.status, "refused")
    if number == 50035 and TOO_LONG.encode() in response.body:
        code = "too_long"
    words = otherwise(lambda: str(body["message"])[:500], "") or f"HTTP {response.status}"
    raise SendFailed(
        code, f"{words} ({number})" if number else words, retry_after=_wait(response, body), scope=_scope(body)
    )


def limit(response: Response) -> Limit:
    """…/topics/rate-limits#header-format."""
    told = response.headers
    wait = timedelta(seconds=min(max(0.0, float(told["x-ratelimit-reset-after"])), DAY))
    return Limit(bucket=told["x-ratelimit-bucket"], remaining=int(told["x-ratelimit-remaining"]), resets_in=wait)


def _scope(body: Any) -> Scope:
    """A bucket is of one channel; the global limit is the bot's: https://docs.discord.com/developers/topics/rate-limits."""
    return "account" if otherwise(lambda: bool(body["global"]), True) else "peer"


def _wait(response: Response, body: Any) -> timedelta | None:
    """What the body says is finer than Retry-After, which counts whole seconds."""
    said = otherwise(lambda: float(body["retry_after"]), None)
    return timedelta(seconds=min(said, DAY)) if said is not None and said >= 0 else response.retry_after
