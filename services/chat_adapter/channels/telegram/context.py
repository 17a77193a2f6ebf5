"""What a message refers to: whose words it passes on, what it quotes, what it came together with.

https://core.telegram.org/bots/api#messageorigin, …/bots/api#externalreplyinfo, …/bots/api#textquote
"""

from __future__ import annotations

from typing import Any

from services.chat_adapter.channels.telegram.places import external_id
from shared.contract import hints
from shared.contract.envelope import MessageContext, Party, Quote
from shared.contract.readable import otherwise

Json = dict[str, Any]


def of(message: Json) -> MessageContext | None:
    """None where it stands for itself."""
    origin, group = message.get("forward_origin"), message.get("media_group_id")
    found = MessageContext(
        forwarded=origin is not None,
        forwarded_from=otherwise(lambda: author(origin), None) if origin else None,
        quoted=otherwise(lambda: _quoted(message), None),
        group=group if isinstance(group, str) and 0 < len(group) < 900 else None,
    )
    return None if found == MessageContext() else found


def author(origin: Json) -> Party:
    """Whoever wrote it first; some let only their name be seen."""
    if hidden := origin.get("sender_user_name"):
        return Party(address=f"hidden:{hidden}", name=hidden)
    return party(origin.get("sender_user") or origin.get("sender_chat") or origin["chat"])


def party(speaker: Json) -> Party:
    """A user or a chat, by number; its name and username as far as they can be read."""
    name = otherwise(lambda: _name(speaker), None)
    return hints.party(Party(address=str(speaker["id"])), name=name, username=speaker.get("username"))


def _name(speaker: Json) -> str | None:
    name = speaker.get("title") or " ".join(filter(None, (speaker.get("first_name"), speaker.get("last_name"))))
    return name or speaker.get("username")


def _quoted(message: Json) -> Quote | None:
    """Words of the message that is answered, one that stands in another chat, or a story."""
    words = otherwise(lambda: Quote(text=message["quote"]["text"]).text, None)
    if reply := message.get("external_reply"):
        return _elsewhere(reply, words)
    if story := message.get("reply_to_story"):
        chat = story["chat"]
        return Quote(external_id=f"{chat['id']}:story:{story['id']}", container=str(chat["id"]), sender=party(chat))
    replied = message.get("reply_to_message")
    if words is None or not replied:
        return Quote(text=words) if words else None
    return Quote(text=words, external_id=external_id(message["chat"], replied["message_id"]))


def _elsewhere(reply: Json, words: str | None) -> Quote:
    chat, name = reply.get("chat"), reply.get("message_id")
    return Quote(
        text=words,
        external_id=external_id(chat, name) if chat and name else None,
        container=str(chat["id"]) if chat else None,
        sender=otherwise(lambda: author(reply["origin"]), None),
    )
