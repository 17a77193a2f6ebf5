"""Calls as records — https://www.twilio.com/docs/voice/twiml#twilios-request-to-your-application.

A call is a message as soon as it rings, so that one which ends at the greeting is not lost. The recording changes that message, and
what was written down of it does once more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from shared.contract.channel import Incoming, Message, Receipt
from shared.contract.codes import Failure, Status
from shared.contract.envelope import SYSTEM, Call, Edit, Media, Notice, Party, Text
from shared.dialects import sms, twilio

HIDDEN: Final = "hidden:"  # whom a call is from that tells no number: each is somebody of its own
# https://www.twilio.com/docs/voice/twiml#request-parameters: letters on a keypad, where the network tells no number
UNTOLD: Final = frozenset({"", "anonymous", "restricted", "unavailable", "unknown", "blocked", "+266696687", "+7378742833", "+2562533", "+8656696", "+86282452253"})  # fmt: skip
ENDS: Final[Mapping[str, Status]] = {
    "completed": "delivered",
    "busy": "failed",
    "no-answer": "failed",
    "failed": "failed",
    "canceled": "cancelled",
}


def is_over(query: Mapping[str, str]) -> bool:
    """The caller has spoken, and Twilio asks what comes next."""
    return "over" in query


def rings(form: twilio.Form, query: Mapping[str, str]) -> bool:
    """Somebody calls us."""
    return "CallStatus" in form and not query


def read(form: twilio.Form, query: Mapping[str, str], now: datetime) -> Iterator[Incoming]:
    """`query`: whose call it was, or which of ours it is of, as the address says that we gave to Twilio."""
    if "MessageStatus" in form:
        yield from twilio.receipt(form, query.get(sms.PIECE), now)
    elif is_over(query):
        return
    elif rings(form, query):
        yield _called(form, form["From"], form["To"], now)
    elif "TranscriptionStatus" in form:
        yield _written(form, _called(form, query["from"], query["to"], now))
    elif "RecordingStatus" in form:
        yield from _recorded(form, _called(form, query["from"], query["to"], now))
    else:
        yield from _called_back(form, query.get(sms.PIECE), now)


def _called(form: twilio.Form, caller: str, number: str, now: datetime) -> Message:
    call = form["CallSid"]
    known = caller.strip().lower() not in UNTOLD
    sender = sms.person(caller) if known else Party(address=f"{HIDDEN}{call}", verified="signature")
    return Message(
        account_key=number,
        event_key=call,
        external_id=call,
        peer=sender.address,
        sender=sender.model_copy(update={"name": form.get("CallerName") or None}),
        parts=(Call(outcome="missed"),),
        occurred_at=now,
    )


def _recorded(form: twilio.Form, call: Message) -> Iterator[Message]:
    """https://www.twilio.com/docs/voice/twiml/record#recordingstatuscallback; a silence leaves the call as it was."""
    if form["RecordingStatus"] == "completed":
        seconds = int(form["RecordingDuration"])
        parts = (Edit(target=form["CallSid"]), Call(outcome="voicemail", seconds=seconds), _sound(form))
        yield replace(call, event_key=f"{call.event_key}/{form['RecordingSid']}", external_id=None, parts=parts)


def _written(form: twilio.Form, call: Message) -> Message:
    """https://www.twilio.com/docs/voice/twiml/record#transcribecallback; what cannot be written down is told."""
    named = replace(call, event_key=f"{call.event_key}/{form['TranscriptionSid']}", external_id=None)
    if form["TranscriptionStatus"] == "completed" and form.get("TranscriptionText"):
        text = Text(text=form["TranscriptionText"])
        return replace(named, parts=(Edit(target=form["CallSid"]), Call(outcome="voicemail"), _sound(form), text))
    told = Notice(type="other", text=f"transcription {form['TranscriptionStatus']}")
    return replace(named, parts=(told,), assessment=SYSTEM)


def _sound(form: twilio.Form) -> Media:
    return Media(media="audio", handle=f"{form['RecordingUrl']}.mp3", mime_type="audio/mpeg", name="voicemail.mp3")


def _called_back(form: twilio.Form, piece: str | None, now: datetime) -> Iterator[Receipt]:
    """https://www.twilio.com/docs/voice/api/call-resource#statuscallback; what has not ended says nothing."""
    status = ENDS.get(form["CallStatus"])
    if status is not None and form["Direction"].startswith("outbound"):
        failed = Failure(code="refused", detail=f"the call back ended: {form['CallStatus']}")
        yield Receipt(
            account_key=form["From"],
            peer=form["To"],
            status=status,
            occurred_at=now,
            external_ids=(form["CallSid"],),
            join_key=piece or None,
            failure=failed if status == "failed" else None,
        )
