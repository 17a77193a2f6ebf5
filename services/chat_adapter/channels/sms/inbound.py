"""Twilio's webhooks as records — https://www.twilio.com/docs/messaging/guides/webhook-request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from shared.contract.channel import Incoming, Message
from shared.dialects import sms, twilio

ORDERS: Final[Mapping[str, sms.Word]] = {"STOP": "stop", "START": "start", "HELP": "help"}


def read(form: twilio.Form, piece: str | None, now: datetime) -> Iterator[Incoming]:
    """`piece`: which of ours it is of, where the callback's address says so."""
    if "MessageStatus" in form:
        yield from twilio.receipt(form, piece, now)
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


def _files(form: twilio.Form) -> Iterator[tuple[str, str | None]]:
    for number in range(sms.FILES):
        if address := form.get(f"MediaUrl{number}"):
            yield address, form.get(f"MediaContentType{number}")
