"""Telnyx webhooks as records — https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final

from pydantic import AwareDatetime, TypeAdapter

from services.chat_adapter.channels.telnyx.errors import failure_of
from shared.contract.channel import Incoming, Malformed, Message, Receipt
from shared.contract.codes import Status
from shared.contract.deliveries import Cost
from shared.contract.envelope import Media, Part, Party, Text, Unsupported, kind_of
from shared.contract.readable import each, otherwise
from shared.dialects import sms

Json = dict[str, Any]

STATUSES: Final[Mapping[str, Status | None]] = {
    "queued": None,
    "sending": None,
    "sent": "sent",
    "delivered": "delivered",
    "delivery_unconfirmed": "sent",  # no carrier says more
    "sending_failed": "failed",
    "delivery_failed": "failed",
    "expired": "failed",
}
RECEIPTS: Final = frozenset({"message.sent", "message.finalized"})
MOMENT: Final = TypeAdapter(AwareDatetime)


def read(body: Json, piece: str | None, now: datetime) -> Iterator[Incoming | Malformed]:
    """`piece`: which of ours it is of, where the webhook's address says so."""
    return each(lambda event: _event(event, piece, now), (body["data"],))


def _event(event: Json, piece: str | None, now: datetime) -> Iterator[Incoming | Malformed]:
    """What is neither a message nor a status is about the account."""
    at = otherwise(lambda: MOMENT.validate_python(event["occurred_at"]), now)
    if event["event_type"] == "message.received":
        yield from _message(event["payload"], at)
    elif event["event_type"] in RECEIPTS:
        yield from _receipts(event["payload"], piece, at)


def _message(said: Json, at: datetime) -> Iterator[Message]:
    """Ours is the first it went to; whoever else got it stands beside, and is not answered (…/messages/group-messaging)."""
    text = otherwise(lambda: Text(text=said["text"] or "").text, "")
    message = Message(
        account_key=said["to"][0]["phone_number"],
        event_key=said["id"],
        external_id=said["id"],
        peer=said["from"]["phone_number"],
        sender=sms.person(said["from"]["phone_number"]),
        recipients=otherwise(lambda: _others(said), ()),
        parts=_parts(text, said),
        occurred_at=at,
    )
    yield from sms.told(message, sms.word_of(text))


def _others(said: Json) -> tuple[Party, ...]:
    others = (*said["to"][1:], *said["cc"])[: sms.FILES]
    found = (otherwise(partial(_person, one), None) for one in others)
    return tuple(filter(None, found))


def _person(one: Json) -> Party:
    return sms.person(one["phone_number"])


def _parts(text: str, said: Json) -> tuple[Part, ...]:
    files = [
        otherwise(lambda one=one: _file(one), Unsupported(type="media"))  # type: ignore[misc]
        for one in otherwise(lambda: list(said["media"])[: sms.FILES], [])
    ]
    return (*([Text(text=text)] if text else ()), *files) or (Unsupported(type="empty"),)


def _file(file: Json) -> Media:
    kind = otherwise(lambda: Media(media="file", mime_type=file["content_type"]).mime_type, None)
    size = otherwise(lambda: Media(media="file", size=file["size"]).size, None)
    return Media(media=kind_of(kind), handle=file["url"], mime_type=kind, size=size)


def _receipts(said: Json, piece: str | None, at: datetime) -> Iterator[Receipt | Malformed]:

    def told(one: Json) -> Iterator[Receipt]:
        status = STATUSES[one["status"]]
        if status is not None:
            yield Receipt(
                account_key=said["from"]["phone_number"],
                peer=one["phone_number"],
                status=status,
                occurred_at=at,
                external_ids=(said["id"],),
                join_key=piece or None,
                failure=failure_of(said.get("errors") or []) if status == "failed" else None,
                cost=otherwise(lambda: _cost(said), None),
            )

    return each(told, said["to"])


def _cost(said: Json) -> Cost:
    """Whether it is billed, as what, and for how many segments."""
    return Cost(
        billable=float(said["cost"]["amount"]) > 0, category=said["type"], model=f"{said['parts']} {said['encoding']}"
    )
