"""Twilio's webhooks as records — https://www.twilio.com/docs/messaging/guides/webhook-request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from services.chat_adapter.channels.sms.errors import failure_of
from shared.contract.channel import Incoming, Message, Receipt
from shared.contract.codes import Status
from shared.dialects import sms

Form = Mapping[str, str]

# https://www.twilio.com/docs/messaging/api/message-resource#message-status-values; what has not left says nothing
STATUSES: Final[Mapping[str, Status | None]] = {
    "accepted": None,
    "scheduled": None,
    "queued": None,
    "sending": None,
    "sent": "sent",
    "delivered": "delivered",
    "read": "read",
    "undelivered": "failed",
    "failed": "failed",
    "canceled": "cancelled",
}
ORDERS: Final[Mapping[str, sms.Word]] = {"STOP": "stop", "START": "start", "HELP": "help"}


def read(form: Form, piece: str | None, now: datetime) -> Iterator[Incoming]:
    """`piece`: which of ours it is of, where the callback's address says so."""
    if "MessageStatus" in form:
        yield from _receipt(form, piece, now)
        return
    text = form.get("Body", "")
    message = Message(
        account_key=form["To"],
        event_key=form["MessageSid"],
        external_id=form["MessageSid"],
        peer=form["From"],
        sender=sms.person(form["From"]),
        parts=sms.parts_of(text, _files(form)),
        occurred_at=now,
    )
    yield from sms.told(message, ORDERS.get(form.get("OptOutType", "")) or sms.word_of(text))


def _files(form: Form) -> Iterator[tuple[str, str | None]]:
    for number in range(sms.FILES):
        if address := form.get(f"MediaUrl{number}"):
            yield address, form.get(f"MediaContentType{number}")


def _receipt(form: Form, piece: str | None, now: datetime) -> Iterator[Receipt]:
    """https://www.twilio.com/docs/messaging/guides/track-outbound-message-status. It tells no price."""
    status = STATUSES[form["MessageStatus"]]
    if status is not None:
        yield Receipt(
            account_key=form["From"],
            peer=form["To"],
            status=status,
            occurred_at=now,
            external_ids=(form["MessageSid"],),
            join_key=piece or None,
            failure=failure_of(form) if status == "failed" else None,
        )
