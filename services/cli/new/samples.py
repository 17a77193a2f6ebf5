"""The first samples of a channel, which its scaffold passes, and its account of the first start."""

from __future__ import annotations

from typing import Any, Final

Json = dict[str, Any]

NOW: Final = "2026-02-03T04:05:06Z"
TOKEN: Final = "sandbox-only-token"  # noqa: S105 nobody's
PIECE: Final = "0d2f2c0e-6b1c-5c1e-8f43-0a8f1b3d9a11/0"
SARA: Final = {"id": "p-17", "name": "Sok Sara"}

SETTINGS: Final[Json] = {
    "app": {"secret": "sandbox-only-Secret-of-the-webhook"},
    "account": {"number": "a-1", "token": TOKEN},
    "now": NOW,
    "to": "p-17",
    "naming": ["account", "events", "from", "group", "id", "time", "type"],
    "signs_no_time": "https://docs.example.com/webhooks",
}
LIMITS: Final[Json] = {"text": [2000, "https://docs.example.com/messages"]}


def _event(number: int, text: str | None, **more: object) -> Json:
    words = {"text": text} if text is not None else {}
    return {"id": f"m-{number}", "type": "text", "from": SARA, "time": 1770091500 + number, **words, **more}


BODIES: Final[dict[str, Json]] = {
    name: {"account": "a-1", "events": events}
    for name, events in {
        "text": [_event(1, "សួស្តី 👋 is it open?")],
        "batch": [_event(2, "one"), _event(3, "two", **{"from": {"id": "p-18"}})],
        "group": [_event(4, "hello all", group="g-5")],
        "unknown_type": [_event(5, "a picture", type="hologram")],
    }.items()
}


def _exchange(status: int, body: Json, headers: Json) -> list[Json]:
    request = {
        "method": "POST",
        "url": "https://api.example.com/messages",
        "headers": {"authorization": f"Bearer {TOKEN}"},
        "body": {"to": "p-17", "text": "សូមអរគុណ"},
    }
    return [{"request": request, "response": {"status": status, "headers": headers, "body": body}}]


def _sent(status: int, body: Json, headers: Json = {}, **came: object) -> Json:
    piece = {"id": PIECE, "to": "p-17", "part": {"kind": "text", "text": "សូមអរគុណ"}}
    return {"piece": piece, "exchange": _exchange(status, body, headers), **came}


OUT: Final[dict[str, Json]] = {
    "text": _sent(200, {"id": "m-100"}, sent={"external_ids": ["m-100"]}),
    "bad_token": _sent(401, {"error": "unauthorized"}, failed={"code": "auth"}),
    "nobody_of_that_id": _sent(404, {"error": "not found"}, failed={"code": "bad_address"}),
    "blocked": _sent(403, {"error": "blocked"}, failed={"code": "blocked"}),
    "malformed": _sent(400, {"error": "bad request"}, failed={"code": "malformed"}),
    "too_long": _sent(413, {"error": "too long"}, failed={"code": "too_long"}),
    "throttled": _sent(
        429, {"error": "slow down"}, {"retry-after": "7"}, failed={"code": "throttled", "retry_after": 7.0}
    ),
    "provider_is_down": _sent(503, {}, failed={"code": "unreachable"}),
}
