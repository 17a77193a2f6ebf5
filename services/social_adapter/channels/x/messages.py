"""Direct messages as records: those in clear, and what is known of those that are encrypted.

https://docs.x.com/x-api/activity/event-payloads#legacy-dm-events, …#chat-events-xchat
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from services.social_adapter.channels.x import chat
from services.social_adapter.channels.x.events import Event, milliseconds, plain
from services.social_adapter.channels.x.posts import KINDS, address_of
from shared.contract.channel import Malformed, Message, Receipt, TypingSeen
from shared.contract.envelope import LATEST, Assessment, Choice, Location, Media, Part, Text, Unsupported
from shared.contract.readable import each, few, otherwise
from shared.dialects import likeness

Json = dict[str, Any]

SEALED: Final = "An encrypted message of X Chat, to which the account has no keys here: read it in the X app."


def said(event: Event) -> Iterator[Message | Malformed]:
    return each(partial(_said, event), event.payload["direct_message_events"])


def _said(event: Event, one: Json) -> Iterator[Message]:
    created = one["message_create"]
    sender, data = created["sender_id"], created["message_data"]
    ours = sender == event.account
    peer = created["target"]["recipient_id"] if ours else sender
    text = otherwise(lambda: _text(data), "")
    yield Message(
        account_key=event.account,
        event_key=f"dm/{one['id']}",
        peer=peer,
        sender=event.party(sender),
        parts=tuple(few(_parts(data, text))),
        occurred_at=otherwise(lambda: milliseconds(one["created_timestamp"]), LATEST),
        external_id=one["id"],
        join_key=likeness.key(peer, text) if ours else None,
        assessment=Assessment() if ours else event.assessment(sender),
        echo=ours,
    )


def _text(data: Json) -> str:
    """With links as they were written, and without the one to the file beneath."""
    text, file = plain(data["text"]), otherwise(lambda: data["attachment"]["media"]["url"], None)
    for link in (data.get("entities") or {}).get("urls") or ():
        text = text.replace(link["url"], "" if link["url"] == file else link.get("expanded_url") or link["url"])
    return text.strip()


def _parts(data: Json, text: str) -> Iterator[Part]:
    """What was pressed, which another app had offered, stands in the words too."""
    pressed = otherwise(lambda: data["quick_reply_response"]["metadata"], None)
    attached = data.get("attachment")
    if pressed:
        yield otherwise(lambda: Choice(id=pressed, title=text or None), Unsupported(type="quick_reply_response"))
    elif text:
        yield otherwise(lambda: Text(text=text), Unsupported(type="message"))
    if attached:
        kind = otherwise(lambda: Unsupported(type=attached["type"]), Unsupported(type="attachment"))
        yield otherwise(lambda: _attached(attached), kind)
    if not (pressed or text or attached):
        yield Unsupported(type="message")


def _attached(attached: Json) -> Part:
    if attached["type"] == "location":
        longitude, latitude = attached["location"]["shared_coordinate"]["coordinates"]["coordinates"]
        return Location(latitude=latitude, longitude=longitude)
    media = attached["media"]
    return Media(media=KINDS[media["type"]], handle=address_of({**media, "url": media["media_url_https"]}))


def read(event: Event) -> Iterator[Receipt | Malformed]:
    """All up to then: X names the last that was read, and when."""
    return each(partial(_read, event), event.payload["direct_message_mark_read_events"])


def _read(event: Event, one: Json) -> Iterator[Receipt]:
    at = milliseconds(one["created_timestamp"])
    yield Receipt(account_key=event.account, peer=one["sender_id"], status="read", occurred_at=at, watermark=at)


def typing(event: Event) -> Iterator[TypingSeen | Malformed]:
    return each(partial(_typing, event), event.payload["direct_message_indicate_typing_events"])


def _typing(event: Event, one: Json) -> Iterator[TypingSeen]:
    at = milliseconds(one["created_timestamp"])
    yield TypingSeen(account_key=event.account, peer=one["sender_id"], occurred_at=at)


def sealed(event: Event) -> Iterator[Message]:
    """Who wrote, where and when: the rest is for who has the keys (chat.py). A group has a name, two people have both of theirs."""
    payload = event.payload
    sender, place = payload["sender_id"], payload["conversation_id"]
    both = re.split("[:-]", place)
    shared = len(both) != 2 or event.account not in both
    other = next((one for one in both if one != event.account), sender)
    yield Message(
        account_key=event.account,
        event_key=f"chat/{payload['id']}",
        peer=place if shared else other,
        sender=event.party(sender),
        parts=(Unsupported(type=event.kind, text=SEALED),),
        sealed=chat.sealed(payload, event.account),
        occurred_at=otherwise(lambda: milliseconds(payload["created_at_msec"]), LATEST),
        external_id=payload["id"],
        surface="group" if shared else "direct",
        container=place if shared else None,
        echo=sender == event.account,
    )
