"""What Apple posts as records — https://register.apple.com/resources/messages/msp-rest-api/messages-received."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import unquote

from services.chat_adapter.channels.apple.content import read_parts
from shared.contract.channel import Incoming, Message, TypingSeen
from shared.contract.envelope import SYSTEM, Assessment, MessageContext, Notice, Party, Referral, Route
from shared.contract.readable import otherwise

Json = dict[str, Any]

SHOWS_FOR: Final = timedelta(days=365)  # that a device can do no less than it said


def read(body: Json, shows: str, now: datetime) -> Iterator[Incoming]:
    """One event, which names no time. `shows`: what the person's device can show (`capability-list`)."""
    account, peer, kind = body["destinationId"], body["sourceId"], body["type"]
    if kind == "typing_start":
        yield TypingSeen(account_key=account, peer=peer, occurred_at=now)
    elif kind != "typing_end":
        yield _message(body, account, peer, now, shows)


def _message(body: Json, account: str, peer: str, now: datetime, shows: str) -> Message:
    """A chat that they have closed takes nothing more until they write again."""
    closed = body["type"] == "close"
    return Message(
        account_key=account,
        event_key=body["id"],
        peer=peer,
        sender=Party(address=peer, verified="provider", locale=otherwise(lambda: _locale(body["locale"]), None)),
        parts=(Notice(type="blocked"),) if closed else read_parts(body),
        occurred_at=now,
        external_id=None if closed else body["id"],
        context=otherwise(lambda: _context(body), None),
        assessment=SYSTEM if closed else Assessment(),
        route=None if closed else otherwise(lambda: _route(shows, now), None),
    )


def _locale(told: str) -> str | None:
    """BCP 47: Apple writes en_US."""
    return told.replace("_", "-")[:35] or None


def _context(body: Json) -> MessageContext | None:
    """Which of the business's links, buttons or places on a map they came by, in its own words: …/common-specs, `intent`, `group`."""
    intent, group = body.get("intent"), body.get("group")
    return MessageContext(referral=Referral(source="link", ref=intent, id=group)) if intent or group else None


def _route(shows: str, now: datetime) -> Route | None:
    """What an answer may look like: QUICK,LIST,TIME."""
    names = sorted({name.strip().upper() for name in unquote(shows).split(",")} - {""})
    return Route(value=",".join(names), expires_at=now + SHOWS_FOR) if names else None
