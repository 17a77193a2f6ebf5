"""Where a message was said, and by which names it and its place are known — https://core.telegram.org/bots/api#message.

In a group all share one conversation. Some places that look like groups are not: only one person and the account see what
is written there. Such a place is named `{chat}:{kind}:{number}`, has a conversation of its own beside that person's private
chat, and what goes there must say so.
"""

from __future__ import annotations

from typing import Any, Final

Json = dict[str, Any]

TOPIC: Final = "direct"  # one person's direct messages to a channel: …/bots/api#directmessagestopic
EPHEMERAL: Final = (
    "ephemeral"  # what one person and the bot alone see in a group: …/bots/api#ephemeralmessageparameters
)
PRESS: Final = "press"  # a button pressed there, by its query, which an answer names


def external_id(chat: Json, message_id: int) -> str:
    """Message ids are unique only within their chat."""
    return f"{chat['id']}:{message_id}"


def named(message: Json) -> str:
    """The message's name. Ephemeral ones have a number of their own, which counts for one person in one chat."""
    if message["message_id"]:
        return external_id(message["chat"], message["message_id"])
    return f"{message['chat']['id']}:{EPHEMERAL}:{reader(message)}:{message['ephemeral_message_id']}"


def name_of(message: Json) -> str | None:
    """None for one that is only going to be sent: its number is 0 until then."""
    return named(message) if message["message_id"] or "ephemeral_message_id" in message else None


def press(place: str, query: str) -> str | None:
    """What a pressed button is called where the answer must name it."""
    return f"{place}:{PRESS}:{query}" if is_ephemeral(place) else None


def private(message: Json) -> str | None:
    """The place that is one person's alone; None in a group or channel."""
    chat = message["chat"]
    if chat["type"] == "private":
        return str(chat["id"])
    if "ephemeral_message_id" in message:
        return f"{chat['id']}:{EPHEMERAL}:{reader(message)}"
    if topic := message.get("direct_messages_topic"):
        return f"{chat['id']}:{TOPIC}:{topic['topic_id']}"
    if chat.get("is_direct_messages"):  # a reaction names no topic: it is the person's number
        return f"{chat['id']}:{TOPIC}:{sender(message)['id']}"
    return None


def reader(message: Json) -> int:
    """The person who sees an ephemeral message: whoever of the two is no bot."""
    people = (message.get("from") or {}, message.get("receiver_user") or {})
    numbers = [person["id"] for person in people if "id" in person and not person.get("is_bot")]
    number: int = numbers[0]
    return number


def sender(message: Json) -> Json:
    """A channel speaks for itself, an administrator may speak as the group."""
    speaker = message.get("sender_chat") or message.get("actor_chat") or message.get("from") or message.get("user")
    found: Json = speaker or message["chat"]
    return found


def answered(message: Json) -> Json | None:
    """Whose direct messages this answers, by whoever may write for the channel; None of what they write themselves."""
    person: Json | None = (message.get("direct_messages_topic") or {}).get("user")
    return person if person is not None and sender(message)["id"] != person["id"] else None


def is_ephemeral(place: str) -> bool:
    return place.partition(":")[2].startswith(f"{EPHEMERAL}:")


def chat_of(to: str, thread_key: str | None) -> Json:
    """What a send is told of the place `to`, and of the topic in it."""
    chat, _, place = to.partition(":")
    kind, _, number = place.partition(":")
    if kind == TOPIC:
        return {"chat_id": chat, "direct_messages_topic_id": int(number)}
    if kind == EPHEMERAL:
        return {"chat_id": chat, "ephemeral_message_parameters": {"receiver_user_id": int(number)}}
    return {"chat_id": to} | ({"message_thread_id": last_number(thread_key)} if thread_key else {})


def answers(to: str, reply_to: str) -> Json:
    """`reply_parameters`; nothing where the message stands in another place, whose numbers mean something else here."""
    chat, _, place = to.partition(":")
    if reply_to.startswith(f"{chat}:{EPHEMERAL}:"):
        here = place.startswith(EPHEMERAL) and reply_to.startswith(f"{to}:")
        return _answers_in_private(to, reply_to) if here else {}
    if not reply_to.startswith(f"{chat}:"):
        return {}
    named = {"message_id": last_number(reply_to), "allow_sending_without_reply": True}
    return {"reply_parameters": named}


def _answers_in_private(to: str, reply_to: str) -> Json:
    if not reply_to.startswith(f"{to}:{PRESS}:"):
        return {"reply_parameters": {"ephemeral_message_id": last_number(reply_to)}}
    told = chat_of(to, None)["ephemeral_message_parameters"]
    return {"ephemeral_message_parameters": {**told, "callback_query_id": reply_to.rpartition(":")[2]}}


def last_number(name: str) -> int:
    return int(name.rpartition(":")[2])
