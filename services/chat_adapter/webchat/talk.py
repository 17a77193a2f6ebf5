"""What a visitor says: a message or that it is typing, straight onto the bus."""

from __future__ import annotations

import uuid
from typing import Annotated

from aiohttp import web
from pydantic import Field, StringConstraints

from services.chat_adapter.webchat.answers import Refused, answer
from services.chat_adapter.webchat.attachments import media_of
from services.chat_adapter.webchat.channel import CHANNEL, OPTION_ID, TEXT_LIMIT
from services.chat_adapter.webchat.door import Call
from services.chat_adapter.webchat.measures import MESSAGES
from services.chat_adapter.webchat.session import Visitor
from shared.contract.channel import Message, TypingSeen
from shared.contract.envelope import Assessment, Choice, Many, Model, Part, Text
from shared.contract.errors import BusUnavailable
from shared.inbound.accept import Intake

Written = Annotated[str, StringConstraints(strip_whitespace=True, max_length=TEXT_LIMIT)]


class Attached(Model):
    """A file, by the ref that its upload gave."""

    ref: Annotated[str, Field(max_length=4096)]


class Chosen(Model):
    """A pressed button: its `id`, and the id of the message that offered it."""

    id: Annotated[str, Field(min_length=1, max_length=OPTION_ID)]
    title: Annotated[str, Field(max_length=200)] | None = None
    target: Annotated[str, Field(min_length=1, max_length=200)] | None = None


class Posted(Model):
    """The body of POST /webchat/{app}/messages. `client_id` is made by the widget and stays when it tries again."""

    client_id: uuid.UUID
    text: Written | None = None
    attachments: Annotated[Many[Attached], Field(max_length=10)] = ()
    choice: Chosen | None = None


async def post_message(intake: Intake, call: Call) -> web.StreamResponse:
    """202 {"id", "client_id"} when Kafka has it; 503 otherwise, and the widget sends it again under the same client_id."""
    visitor = call.visitor()
    _take(call, visitor)
    posted = await call.body(Posted)
    said = _message(call, visitor, posted)
    (message_id,) = await intake.accept(CHANNEL, call.account, [said])
    MESSAGES.inc()
    return answer({"id": str(message_id), "client_id": str(posted.client_id)}, 202)


async def post_typing(intake: Intake, call: Call) -> web.StreamResponse:
    """204, whether or not anybody is told."""
    await see_typing(intake, call, call.visitor())
    return web.Response(status=204)


async def see_typing(intake: Intake, call: Call, visitor: Visitor) -> None:
    """Say that the visitor is typing; more often than every two seconds, or while Kafka is away, say nothing."""
    try:
        call.limits.take("typing", f"{call.app.name} {visitor.address}", burst=1, seconds=2)
        seen = TypingSeen(account_key=call.app.account_key, peer=visitor.address, occurred_at=call.now)
        await intake.accept(CHANNEL, call.account, [seen])
    except (Refused, BusUnavailable):
        return


def _take(call: Call, visitor: Visitor) -> None:
    app = call.app
    call.limits.take("messages", f"{app.name} {visitor.address}", burst=app.messages_per_minute)
    call.limits.take(
        "messages from this address", f"{app.name} {call.address}", burst=app.messages_per_minute_and_address
    )


def _message(call: Call, visitor: Visitor, posted: Posted) -> Message:
    """Its external id is the client_id behind the visitor's own address, so that nobody can take another's name."""
    parts = _parts(call, visitor, posted)
    if not parts:
        raise Refused(400, "malformed", "a message has a text, a file or a choice")
    name = f"{visitor.address}/{posted.client_id}"
    return Message(
        account_key=call.app.account_key,
        event_key=name,
        external_id=name,
        peer=visitor.address,
        sender=visitor.party,
        parts=parts,
        occurred_at=call.now,
        assessment=Assessment(authentication=visitor.verified, kind="human"),
    )


def _parts(call: Call, visitor: Visitor, posted: Posted) -> tuple[Part, ...]:
    return (
        *([Choice(**posted.choice.model_dump())] if posted.choice else []),
        *([Text(text=posted.text)] if posted.text else []),
        *(media_of(call.app, visitor, attached.ref, call.now) for attached in posted.attachments),
    )
