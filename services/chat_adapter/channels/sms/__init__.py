"""SMS and MMS by Twilio, or who speaks like it — https://www.twilio.com/docs/messaging/api/message-resource."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pydantic import Field as Described

from services.chat_adapter.channels.sms import inbound as webhooks
from shared.contract.channel import Capabilities, Channel, Context, Incoming, Piece, Request, Response, Sent, Steps
from shared.dialects import sms, twilio
from shared.dialects.twilio.errors import outcome

MEDIA_BYTES: Final = 5 * 1024 * 1024  # of a message: https://www.twilio.com/docs/messaging/guides/accepted-mime-types


class Account(twilio.Sender, sms.Sender):
    """One sender."""

    service: str = Described(
        default="", pattern=r"^(MG[0-9a-f]{32})?$", description="the Messaging Service that the number belongs to"
    )


def able(account: Account) -> Capabilities:
    return sms.of(account, CAPABILITIES)


def inbound(app: twilio.App, request: Request, context: Context) -> Iterator[Incoming]:
    yield from webhooks.read(twilio.form_of(request), request.query.get(sms.PIECE), context.now)


def accepted(app: twilio.App, request: Request, context: Context) -> Response:
    """TwiML that says nothing; any other answer would go to the person as a text."""
    return Response(headers={"content-type": "text/xml"}, body=b"<Response/>")


def outbound(account: Account, piece: Piece, context: Context) -> Steps[Sent]:
    words, files = sms.content_of(piece)
    fields = [
        ("To", piece.to),
        ("From", account.number),
        ("MessagingServiceSid", account.service),
        ("Body", words),
        *(("MediaUrl", context.link(file)) for file in files),
        ("StatusCallback", twilio.told_at(context, piece)),
    ]
    return (yield from twilio.create(account, "Messages.json", fields, piece))


def register(app: twilio.App, account: Account, context: Context) -> Steps[None]:
    hooks = [("SmsUrl", context.hook + twilio.AGAIN), ("SmsMethod", "POST")]
    yield from twilio.set_hooks(account, account.number, hooks)


CAPABILITIES: Final = sms.capabilities(media_bytes=MEDIA_BYTES)
CHANNEL = Channel(
    name="sms",
    docs="https://www.twilio.com/docs/messaging",
    app=twilio.App,
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
