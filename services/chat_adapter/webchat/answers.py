"""What the widget's server answers: JSON, and errors with a code, a sentence, and when to come again."""

from __future__ import annotations

import math
from typing import Any

import orjson
from aiohttp import web

from shared.contract import mend
from shared.contract.errors import (
    BusUnavailable,
    Crowded,
    DatabaseUnavailable,
    Malformed,
    ParleyError,
    StoreUnavailable,
    TooLarge,
    TooSlow,
    Unverified,
)


class Refused(Exception):
    """A request that is answered with an error; `retry_after` in seconds where a later one may succeed."""

    def __init__(self, status: int, code: str, detail: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(detail or code)
        self.status, self.code, self.detail, self.retry_after = status, code, detail, retry_after


def answer(value: object, status: int = 200) -> web.Response:
    return web.Response(
        status=status,
        body=orjson.dumps(value),
        content_type="application/json",
        headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"},
    )


def refuse(refused: Refused) -> web.Response:
    """{"error": {"code", "detail"}}, with Retry-After in whole seconds (RFC 9110 §10.2.3)."""
    made = answer({"error": {"code": refused.code, "detail": refused.detail}}, refused.status)
    if refused.retry_after is not None:
        made.headers["Retry-After"] = str(max(1, math.ceil(refused.retry_after)))
    return made


def refusal_of(error: ParleyError) -> Refused:
    """An error of the house as the visitor's program is told of it: no inner detail."""
    match error:
        case Unverified():
            return Refused(401, "auth", error.detail)
        case Malformed():
            return Refused(400, "malformed", error.detail)
        case TooLarge():
            return Refused(413, "too_long", "larger than this address takes")
        case TooSlow():
            return Refused(408, "malformed", "the body did not arrive in time")
        case Crowded():
            return Refused(503, "throttled", "too much at once, try again", retry_after=5)
        case BusUnavailable() | DatabaseUnavailable() | StoreUnavailable():
            return Refused(503, "unreachable", "not accepted, try again", retry_after=2)
        case _:
            return Refused(500, error.code)


def loads(data: str | bytes) -> Any:
    try:
        return mend.loads(data.encode() if isinstance(data, str) else data)
    except orjson.JSONDecodeError as error:
        raise Refused(400, "malformed", "not JSON") from error
