"""Telegram updates as records — https://core.telegram.org/bots/api#update."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from services.chat_adapter.channels.telegram import context, places, service
from services.chat_adapter.channels.telegram.formatting import as_html
from services.chat_adapter.channels.telegram.tables import ABOUT_MESSAGE, FILES, WORDS
from shared.contract import hints
from shared.contract.channel import Message
from shared.contract.envelope import (
    Assessment,
    Choice,
    Contact,
    Edit,
    Location,
    Media,
    Notice,
    Part,
    Party,
    Reaction,
    Text,
    Thread,
    Unsupported,
    automatic,
)
from shared.contract.identities import proved
from shared.contract.readable import otherwise

Json = dict[str, Any]


def read(update: Json, account_key: str, now: datetime) -> Iterator[Message]:
    """One update is one record, but of reactions, which are several. `now` is the time of what Telegram gives none (a
    pressed button).
    """
    ((kind, content),) = ((name, value) for name, value in update.items() if name != "update_id")
    translate = UPDATES.get(kind, _unsupported_update)
    for fields in translate(content, {"id": update["update_id"], "kind": kind, "now": now}):
        yield Message(account_key=account_key, **fields)


def pressed(update: Json) -> str | None:
    """The query that a pressed button waits for, whatever else can be read of the update."""
    query = update.get("callback_query")
    name = query.get("id") if isinstance(query, dict) else None
    return name if isinstance(name, str) else None


def _new_message(message: Json, update: Json) -> Iterator[Json]:
    told = service.notice(message)
    found = {
        **_place(message, update),
        "event_key": _event_key(message, update),
        "parts": told or (_part(message),),
        "occurred_at": otherwise(lambda: _time(message["date"]), update["now"]),
    }
    if told:
        yield {**found, **service.moved(message)}
    else:
        yield {**found, "external_id": places.name_of(message), "context": context.of(message)}


def _event_key(message: Json, update: Json) -> str:
    """`message_id` is 0, and names nothing, where a message is ephemeral or not yet sent (https://core.telegram.org/bots/api#message)."""
    name = message["message_id"] or f"0/{update['id']}"
    return f"{message['chat']['id']}/{name}"


def _edited_message(message: Json, update: Json) -> Iterator[Json]:
    """Someone may edit twice within the second that edit_date counts in."""
    name = message["message_id"] or f"0/{message['ephemeral_message_id']}"
    yield {
        **_place(message, update),
        "event_key": f"{message['chat']['id']}/{name}/{message.get('edit_date')}/{update['id']}",
        "parts": (Edit(target=places.named(message)), _part(message)),
        "occurred_at": otherwise(lambda: _time(message["edit_date"]), update["now"]),
        "context": context.of(message),
    }


def _message_reaction(reaction: Json, update: Json) -> Iterator[Json]:
    """Telegram tells what was shown before and what is shown now: each that came or went is a change of its own."""
    target = places.external_id(reaction["chat"], reaction["message_id"])
    before, after = (
        dict.fromkeys(otherwise(partial(_emoji, one), ":unknown:") for one in reaction.get(name) or ())
        for name in ("old_reaction", "new_reaction")
    )
    gone = [Reaction(target=target, emoji=emoji, removed=True) for emoji in before if emoji not in after]
    came = [Reaction(target=target, emoji=emoji) for emoji in after if emoji not in before]
    for part in (*gone, *came):
        change = f"{'-' if part.removed else '+'}{part.emoji}"
        yield {
            **_place(reaction, update),
            "event_key": f"{reaction['chat']['id']}/{reaction['message_id']}/reaction/{update['id']}/{change}",
            "parts": (part,),
            "occurred_at": otherwise(lambda: _time(reaction["date"]), update["now"]),
        }


def _emoji(reaction: Json) -> str:
    match reaction["type"]:
        case "emoji":
            return str(reaction["emoji"])
        case "custom_emoji":
            return f":{reaction['custom_emoji_id']}:"
        case kind:
            return f":{kind}:"


def _member(change: Json, update: Json) -> Iterator[Json]:
    """Who may write where, and who has stopped the bot: https://core.telegram.org/bots/api#chatmemberupdated."""
    yield {
        **_place(change, update),
        "event_key": f"update/{update['id']}",
        "parts": (service.member(change, own=update["kind"] == "my_chat_member"),),
        "occurred_at": otherwise(lambda: _time(change["date"]), update["now"]),
    }


# What the message with the button says of itself is not said by who pressed it.
PRESSED: Final[Json] = {"reply_to_message": None, "sender_chat": None, "contact": None, "is_automatic_forward": None}


def _callback_query(query: Json, update: Json) -> Iterator[Json]:
    message = query.get("message") or {"chat": {"id": query["from"]["id"], "type": "private"}}
    place = _place({**message, **PRESSED, "from": query["from"]}, update)
    yield {
        **place,
        "event_key": f"callback/{query['id']}",
        "parts": (otherwise(lambda: _choice(query, message), Unsupported(type="callback_query")),),
        "occurred_at": update["now"],
        "external_id": places.press(place["peer"], query["id"]),
    }


def _choice(query: Json, message: Json) -> Part:
    if "data" not in query:
        return Unsupported(type="callback_query", text=query.get("game_short_name"))
    rows = message.get("reply_markup", {}).get("inline_keyboard", ())
    titles = {button.get("callback_data"): button["text"] for row in rows for button in row}
    target = otherwise(lambda: places.name_of(message) if "message_id" in message else None, None)
    return Choice(id=query["data"], title=titles.get(query["data"]), target=target)


def _unsupported_update(content: Json, update: Json) -> Iterator[Json]:
    """What has no translation is kept: it belongs to whoever it names. What names nobody, and has no words, is nobody's
    message: how many have reacted, that messages were deleted, a boost.
    """
    somebody = content.get("from") or content.get("user")
    chat = content.get("chat") or somebody or {"id": f"update:{update['kind']}"}
    words = otherwise(lambda: Text(text=content.get("text") or content["caption"]).text, None)
    told = Notice(type="other", text=update["kind"])
    kept: Part = Unsupported(type=update["kind"], text=words) if somebody or words else told
    yield {
        **_place({**content, "chat": {"type": "private", **chat}}, update),
        "event_key": f"update/{update['id']}",
        "parts": (kept,),
        "occurred_at": otherwise(lambda: _time(content["date"]), update["now"]),
    }


UPDATES: Final[Mapping[str, Callable[[Json, Json], Iterator[Json]]]] = {
    "message": _new_message,
    "edited_message": _edited_message,
    "channel_post": _new_message,
    "edited_channel_post": _edited_message,
    "message_reaction": _message_reaction,
    "callback_query": _callback_query,
    "my_chat_member": _member,
    "chat_member": _member,
}


def _place(message: Json, update: Json) -> Json:
    """Where it was said and by whom: of everything that has a chat."""
    chat, own = message["chat"], places.private(message)
    peer = own or str(chat["id"])
    answered = places.answered(message)
    return {
        "peer": peer,
        "sender": _person(places.sender(message), message),
        "recipients": (context.party(answered),) if answered else (),
        "surface": "direct" if own else "group",
        "container": None if chat["type"] == "private" else peer,
        "thread": otherwise(lambda: _thread(message), Thread()),
        "assessment": otherwise(lambda: _assessment(message), Assessment()),
        "echo": answered is not None,
    }


def _person(speaker: Json, message: Json) -> Party:
    phone = otherwise(lambda: _own_phone(message, speaker), None)
    proofs = proved("phone", phone, by="provider")
    locale = speaker.get("language_code")
    return hints.party(context.party(speaker), verified="provider", phone=phone, proofs=proofs, locale=locale)


def _own_phone(message: Json, speaker: Json) -> str | None:
    """Telegram puts the user id on a contact; who shares their own card has shown whose number it is. One that is passed on may
    be of a number that they had once.
    """
    contact = {} if message.get("forward_origin") else message.get("contact") or {}
    return f"+{contact['phone_number'].lstrip('+')}" if contact.get("user_id") == speaker["id"] else None


def _thread(message: Json) -> Thread:
    topic = message["message_thread_id"] if message.get("is_topic_message") else None
    replied = message.get("reply_to_message")
    if replied and replied["message_id"] == topic:  # in a topic, what answers nothing answers the topic's beginning
        replied = None
    return Thread(
        reply_to=places.name_of({**replied, "chat": message["chat"]}) if replied else None,
        thread_key=places.external_id(message["chat"], topic) if topic else None,
    )


def _assessment(message: Json) -> Assessment:
    if message.get("from", {}).get("is_bot") and not message.get("sender_chat"):
        return automatic("from.is_bot")
    if message.get("is_automatic_forward"):
        return automatic("is_automatic_forward")
    return Assessment()


def _part(message: Json) -> Part:
    """What was said; in the place of what has another shape than is known, that it was there, with its words."""
    kind = next((name for name in message if name not in ABOUT_MESSAGE), "message")
    words = otherwise(lambda: Text(text=message["caption"]).text, None)
    return otherwise(lambda: _content(message), Unsupported(type=kind, text=words))


def _content(message: Json) -> Part:
    for field, translate in CONTENT.items():
        if field in message:
            return translate(message)
    for field in FILES:
        if field in message:
            return _file(message, field)
    return _unsupported(message)


def _text(message: Json) -> Part:
    words = message["text"]
    return Text(text=words, html=otherwise(lambda: as_html(words, message.get("entities", ())), None))


def _photo(message: Json) -> Part:
    largest = max(message["photo"], key=lambda size: size["width"] * size["height"])
    return Media(
        media="image",
        handle=largest["file_id"],
        mime_type="image/jpeg",
        size=largest.get("file_size"),
        caption=message.get("caption"),
    )


def _file(message: Json, field: str) -> Part:
    kind, file = FILES[field], message[field]
    return Media(
        media=kind.media,
        handle=file["file_id"],
        mime_type=_sticker_type(file) or file.get("mime_type") or kind.mime_type,
        size=file.get("file_size"),
        name=file.get("file_name"),
        caption=message.get("caption") or file.get("emoji"),
    )


def _sticker_type(file: Json) -> str | None:
    if file.get("is_animated"):
        return "application/x-tgsticker"
    return "video/webm" if file.get("is_video") else None


def _venue(message: Json) -> Part:
    venue = message["venue"]
    return _position(venue["location"], name=venue["title"], address=venue["address"])


def _location(message: Json) -> Part:
    return _position(message["location"])


def _position(location: Json, *, name: str | None = None, address: str | None = None) -> Location:
    return Location(latitude=location["latitude"], longitude=location["longitude"], name=name, address=address)


def _contact(message: Json) -> Part:
    contact = message["contact"]
    name = " ".join(filter(None, (contact["first_name"], contact.get("last_name"))))
    return Contact(name=name, phones=(contact["phone_number"],))


def _unsupported(message: Json) -> Part:
    kind = next((name for name in message if name not in ABOUT_MESSAGE), "message")
    words = message[kind].get(WORDS[kind]) if kind in WORDS else None
    return Unsupported(type=kind, text=words or message.get("caption"))


# A venue carries its location too, so it stands before it.
CONTENT: Final[Mapping[str, Callable[[Json], Part]]] = {
    "text": _text,
    "photo": _photo,
    "venue": _venue,
    "location": _location,
    "contact": _contact,
}


def _time(stamp: int) -> datetime:
    return datetime.fromtimestamp(stamp, UTC)
