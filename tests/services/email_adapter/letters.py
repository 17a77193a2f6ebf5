"""Mails written and read again, for the tests of the mail channel."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime

from pydantic import SecretStr

from services.email_adapter.mail import CHANNEL
from shared.contract.channel import Context, Mail, MailRead, Message, Piece, Response, Smtp
from shared.inbound import translate

CONTEXT = Context(now=datetime(2026, 2, 4, 4, 5, 6, tzinfo=UTC), secret=SecretStr("Angkor-signing-key"))
ACCOUNT = CHANNEL.account(
    name="main",
    address="help@shop.example",
    display_name="ហាង Angkor",
    reply_domain="reply.shop.example",
    host="smtp.shop.example",
)
FILE = bytes(range(256)) * 3
STORED = f"default/{hashlib.sha256(FILE).hexdigest()}"


def read(raw: bytes, *recipients: str, context: Context = CONTEXT) -> MailRead:
    return translate.read_mail(CHANNEL.mail, ACCOUNT, Mail(raw, recipients=recipients), context)


def record(raw: bytes, *recipients: str) -> Message:
    (message,) = read(raw, *recipients).records
    assert isinstance(message, Message)
    return message


def stamped(raw: bytes) -> bytes:
    """The record as it travels."""
    envelope = translate.stamp(record(raw), channel=CHANNEL, account=ACCOUNT, received_at=CONTEXT.now)
    return envelope.model_dump_json(exclude_none=True).encode()


def sent(piece: Piece, context: Context = CONTEXT) -> Smtp:
    """The request that a piece becomes."""
    steps = CHANNEL.outbound(ACCOUNT, piece, context)
    request = next(steps)
    assert isinstance(request, Smtp)
    return request


def external_ids(piece: Piece) -> tuple[str, ...]:
    steps = CHANNEL.outbound(ACCOUNT, piece, CONTEXT)
    next(steps)
    try:
        steps.send(Response(status=250))
    except StopIteration as end:
        return end.value.external_ids
    raise AssertionError("one request is enough")


def on_the_wire(request: Smtp) -> bytes:
    """The mail as the driver writes it, with FILE for every file."""
    encoded = base64.encodebytes(FILE).replace(b"\n", b"\r\n")
    return b"".join(part if isinstance(part, bytes) else encoded for part in request.data)


def mail(body: str | bytes = "hello", *headers: str | bytes) -> bytes:
    """A mail with a sender, and whatever else is given."""
    lines = [b"From: Dara <dara@example.com>", *(as_bytes(header) for header in headers), b"", as_bytes(body)]
    return b"\r\n".join(lines)


def as_bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text
