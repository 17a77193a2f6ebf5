"""Calls that nobody takes, by Twilio: answered with a greeting, recorded, written down — https://www.twilio.com/docs/voice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from services.chat_adapter.channels.voicemail import inbound as webhooks, twiml
from services.chat_adapter.channels.voicemail.settings import Account, App
from shared.contract.channel import (
    Capabilities,
    Channel,
    Context,
    Incoming,
    Piece,
    Request,
    Response,
    SendFailed,
    Sent,
    Steps,
)
from shared.contract.envelope import Media
from shared.dialects import sms, twilio
from shared.dialects.twilio.errors import outcome

MEDIA_BYTES: Final = 5 * 1024 * 1024  # of an MMS; Twilio plays longer sounds too


def able(account: Account) -> Capabilities:
    return _with_calls(sms.of(account, CAPABILITIES))


def _with_calls(able: Capabilities) -> Capabilities:
    """A sound can be played to somebody whom we call."""
    return able.model_copy(update={"media": {**able.media, "audio": "full"}})


def inbound(app: App, request: Request, context: Context) -> Iterator[Incoming]:
    yield from webhooks.read(twilio.form_of(request), request.query, context.now)


def accepted(app: App, request: Request, context: Context) -> Response:
    """What the caller hears next; nothing where Twilio only tells something."""
    form = twilio.form_of(request)
    words = twiml.NOTHING
    if webhooks.is_over(request.query):
        words = twiml.goodbye(app.goodbye, app.language)
    elif webhooks.rings(form, request.query):
        words = twiml.greeting(app, context.hook, form)
    return Response(headers={"content-type": "text/xml"}, body=words.encode())


def outbound(account: Account, piece: Piece, context: Context) -> Steps[Sent]:
    """A text as an SMS, a sound in a call back, which says the words beside it first."""
    if piece.to.startswith(webhooks.HIDDEN):
        raise SendFailed("bad_address", "the caller hid their number: nobody can answer")
    words, files = sms.content_of(piece)
    spoken = isinstance(piece.part, Media) and piece.part.media == "audio" and len(files) == 1
    common = [("To", piece.to), ("From", account.number), ("StatusCallback", twilio.told_at(context, piece))]
    if spoken or (account.answer_by == "call" and not files):
        called = [*common, ("Twiml", twiml.spoken(words, [context.link(file) for file in files]))]
        return (yield from twilio.create(account, "Calls.json", called, piece))
    written = [*common, ("Body", words), *(("MediaUrl", context.link(file)) for file in files)]
    return (yield from twilio.create(account, "Messages.json", written, piece))


def register(app: App, account: Account, context: Context) -> Steps[None]:
    hooks = [("VoiceUrl", context.hook + twilio.AGAIN), ("VoiceMethod", "POST")]
    yield from twilio.set_hooks(account, account.number, hooks)


CAPABILITIES: Final = _with_calls(sms.capabilities(media_bytes=MEDIA_BYTES))
CHANNEL = Channel(
    name="voicemail",
    docs="https://www.twilio.com/docs/voice",
    app=App,
    account=Account,
    capabilities=CAPABILITIES,
    able=able,
    proof=twilio.PROOF,
    body_limit=256 * 1024,
    verify=twilio.verify,
    inbound=inbound,
    proves=sms.proves,
    accepted=accepted,
    outbound=outbound,
    outcome=outcome,
    fetch=twilio.fetch,
    register=register,
)
