"""Telegram updates as records — https://core.telegram.org/bots/api#update."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from services.chat_adapter.channels.telegram.formatting import as_html
from services.chat_adapter.channels.telegram.tables import ABOUT_MESSAGE, FILES, WORDS
from shared.channel import Message
from shared.envelope import (
    Assessment,
    Choice,
    Contact,
    Edit,
    Location,
    Media,
    Part,
    Party,
    Reaction,
    Text,
    Thread,
    Unsupported,
)

Json = dict[str, Any]


def read(update: Json, account_key: str, now: datetime) -> Message:
    """One update is one record. `now` is the time of what Telegram gives none (a pressed button)."""
    ((kind, content),) = ((name, value) for name, value in update.items() if name != "update_id")
    translate = UPDATES.get(kind, _unsupported_update)
    fields = translate(content, {"id": update["update_id"], "kind": kind, "now": now})
    return Message(account_key=account_key, **fields)


def pressed(update: Json) -> str | None:
    """The query that a pressed button waits for, whatever else can be read of the update."""
    query = update.get("callback_query")
    name = query.get("id") if isinstance(query, dict) else None
    return name if isinstance(name, str) else None


def external_id(chat: Json, message_id: int) -> str:
    """Message ids are unique only within their chat."""
    return f"{chat['id']}:{message_id}"


def _new_message(message: Json, update: Json) -> Json:
    return {
        **_place(message),
        "event_key": f"{message['chat']['id']}/{message['message_id']}",
        "external_id": external_id(message["chat"], message["message_id"]),
        "parts": (_part(message),),
        "occurred_at": _time(message["date"]),
    }


def _edited_message(message: Json, update: Json) -> Json:
    edit = Edit(target=external_id(message["chat"], message["message_id"]))
    return {
        **_place(message),
        # Someone may edit twice within the second that edit_date counts in.
        "event_key": f"{message['chat']['id']}/{message['message_id']}/{message['edit_date']}/{update['id']}",
        "parts": (edit, _part(message)),
        "occurred_at": _time(message["edit_date"]),
    }


def _message_reaction(reaction: Json, update: Json) -> Json:
    target = external_id(reaction["chat"], reaction["message_id"])
    shown = tuple(Reaction(target=target, emoji=_emoji(each)) for each in reaction["new_reaction"])
    return {
        **_place(reaction),
        "event_key": f"{reaction['chat']['id']}/{reaction['message_id']}/reaction/{update['id']}",
        "parts": shown or (Reaction(target=target),),
        "occurred_at": _time(reaction["date"]),
    }


def _emoji(reaction: Json) -> str:
    match reaction["type"]:
        case "emoji":
            return str(reaction["emoji"])
        case "custom_emoji":
            return f":{reaction['custom_emoji_id']}:"
        case kind:
            return f":{kind}:"


# What the message with the button says of itself is not said by who pressed it.
PRESSED: Final[Json] = {"reply_to_message": None, "sender_chat": None, "contact": None, "is_automatic_forward": None}


def _callback_query(query: Json, update: Json) -> Json:
    message = query.get("message") or {"chat": {"id": query["from"]["id"], "type": "private"}}
    return {
        **_place({**message, **PRESSED, "from": query["from"]}),
        "event_key": f"callback/{query['id']}",
        "parts": (_choice(query, message),),
        "occurred_at": update["now"],
    }


def _choice(query: Json, message: Json) -> Part:
    if "data" not in query:
        return Unsupported(type="callback_query", text=query.get("game_short_name"))
    rows = message.get("reply_markup", {}).get("inline_keyboard", ())
    titles = {button.get("callback_data"): button["text"] for row in rows for button in row}
    target = external_id(message["chat"], message["message_id"]) if "message_id" in message else None
    return Choice(id=query["data"], title=titles.get(query["data"]), target=target)


def _unsupported_update(content: Json, update: Json) -> Json:
    """What has no translation is kept: it belongs to whoever it names, or to nobody but itself."""
    nobody = {"id": f"update:{update['kind']}"}
    chat = content.get("chat") or content.get("from") or content.get("user") or nobody
    words = content.get("text") or content.get("caption") or content.get("new_chat_member", {}).get("status")
    return {
        **_place({**content, "chat": {"type": "private", **chat}}),
        "event_key": f"update/{update['id']}",
        "parts": (Unsupported(type=update["kind"], text=words),),
        "occurred_at": _time(content["date"]) if "date" in content else update["now"],
    }


UPDATES: Final[Mapping[str, Callable[[Json, Json], Json]]] = {
    "message": _new_message,
    "edited_message": _edited_message,
    "channel_post": _new_message,
    "edited_channel_post": _edited_message,
    "message_reaction": _message_reaction,
    "callback_query": _callback_query,
}


def _place(message: Json) -> Json:
    """Where it was said and by whom: of everything that has a chat."""
    chat = message["chat"]
    private = chat["type"] == "private"
    return {
        "peer": str(chat["id"]),
        "sender": _sender(message),
        "surface": "direct" if private else "group",
        "container": None if private else str(chat["id"]),
        "thread": _thread(message),
        "assessment": _assessment(message),
    }


def _sender(message: Json) -> Party:
    """A channel speaks for itself, an administrator may speak as the group."""
    speaker = message.get("sender_chat") or message.get("actor_chat") or message.get("from") or message.get("user")
    speaker = speaker or message["chat"]
    name = speaker.get("title") or " ".join(filter(None, (speaker.get("first_name"), speaker.get("last_name"))))
    return Party(
        address=str(speaker["id"]),
        name=name or speaker.get("username"),
        verified="provider",
        phone=_own_phone(message, speaker),
        locale=speaker.get("language_code"),
    )


def _own_phone(message: Json, speaker: Json) -> str | None:
    """Telegram puts the user id on a contact; who shares their own card has shown whose number it is."""
    contact = message.get("contact") or {}
    return f"+{contact['phone_number'].lstrip('+')}" if contact.get("user_id") == speaker["id"] else None


def _thread(message: Json) -> Thread:
    topic = message["message_thread_id"] if message.get("is_topic_message") else None
    replied = message.get("reply_to_message")
    if replied and replied["message_id"] == topic:  # in a topic, what answers nothing answers the topic's beginning
        replied = None
    return Thread(
        reply_to=external_id(message["chat"], replied["message_id"]) if replied else None,
        thread_key=external_id(message["chat"], topic) if topic else None,
    )


def _assessment(message: Json) -> Assessment:
    if message.get("from", {}).get("is_bot") and not message.get("sender_chat"):
        return Assessment(kind="automatic", may_auto_answer=False, reasons=("from.is_bot",))
    if message.get("is_automatic_forward"):
        return Assessment(kind="automatic", may_auto_answer=False, reasons=("is_automatic_forward",))
    return Assessment()


def _part(message: Json) -> Part:
    for field, translate in CONTENT.items():
        if field in message:
            return translate(message)
    for field in FILES:
        if field in message:
            return _file(message, field)
    return _unsupported(message)


def _text(message: Json) -> Part:
    return Text(text=message["text"], html=as_html(message["text"], message.get("entities", ())))


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
