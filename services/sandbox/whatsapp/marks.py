"""Read marks, and that an answer is being written — https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/mark-message-as-read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from services.sandbox.chats import Chat, Chats
from services.sandbox.graph import Call, GraphError

Json = dict[str, Any]
MARKED_WITHIN: Final = timedelta(days=30)


def mark(call: Call, number: Json, chats: Chats) -> Json:
    """What a person wrote, and what they wrote before it, is read; with `typing_indicator` they see that someone types.

    Raises GraphError 131009 for a name that no message of a person has, or one that is too old.
    """
    chat, view = _found(call.text("message_id"), number, chats)
    typing = call.values.get("typing_indicator")
    if typing is not None and typing != {"type": "text"}:
        raise _invalid("typing_indicator must be of type text")
    for earlier in [one for one in chat.views.values() if _unread(one) and one["at"] <= view["at"]]:
        chat.show({**earlier, "status": "read"})
    if typing:
        chat.types()
    return {"success": True}


def react(call: Call, chat: Chat) -> None:
    """An emoji at what the person wrote; none takes it back. Raises GraphError 131009."""
    said = call.values.get("reaction")
    view = chat.views.get(str(said.get("message_id"))) if isinstance(said, dict) else None
    if not isinstance(said, dict) or view is None or not isinstance(said.get("emoji"), str):
        raise _invalid("reaction must name a message of this chat, and an emoji")
    chat.show({**view, "reacted": said["emoji"] or None})


def _found(name: str, number: Json, chats: Chats) -> tuple[Chat, Json]:
    chat = next((one for one in chats if one.account == number["id"] and name in one.views), None)
    view = chat.views[name] if chat else {}
    if chat is None or view["direction"] != "out":
        raise _invalid("message_id is not the id of a message that this number has received")
    if datetime.now(UTC) - datetime.fromisoformat(view["at"]) > MARKED_WITHIN:
        raise _invalid("message_id is the id of a message received more than 30 days ago")
    return chat, view


def _unread(view: Json) -> bool:
    return view["direction"] == "out" and view.get("status") != "read"


def _invalid(details: str) -> GraphError:
    return GraphError(131009, "Parameter value is not valid", details=details, product="whatsapp")
