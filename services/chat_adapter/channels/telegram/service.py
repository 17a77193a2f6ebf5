"""What Telegram tells of a chat, in messages that nobody wrote and in changes of who may write.

https://core.telegram.org/bots/api#message (service messages), …/bots/api#chatmemberupdated
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from services.chat_adapter.channels.telegram.context import party
from services.chat_adapter.channels.telegram.tables import SERVICE
from shared.contract.envelope import Notice
from shared.contract.readable import otherwise

Json = dict[str, Any]


def notice(message: Json) -> tuple[Notice, ...]:
    """The one part of a service message; nothing where somebody said something."""
    kind = next((name for name in message if name in SERVICE), None)
    if kind is None:
        return ()
    plain, told = Notice(type="other", text=kind), TOLD.get(kind)
    return (otherwise(lambda: told(message), plain) if told else plain,)


def moved(message: Json) -> Json:
    """A group that becomes a supergroup says so, and so does the supergroup as its first message: one event, of the group."""
    chat = message["chat"]["id"]
    before, now = message.get("migrate_from_chat_id", chat), message.get("migrate_to_chat_id", chat)
    return (
        {} if before == now else {"peer": str(before), "container": str(before), "event_key": f"{before}/moved/{now}"}
    )


def member(change: Json, *, own: bool) -> Notice:
    """In private: whether the person has stopped the bot. In a group: who came or left; the bot too."""
    before, now = (_is_in(change.get(name) or {}) for name in ("old_chat_member", "new_chat_member"))
    who = otherwise(lambda: party(change["new_chat_member"]["user"]).name, None)
    if own and change["chat"]["type"] == "private":
        return Notice(type="unblocked" if now else "blocked")
    if before == now:
        return Notice(type="other", text=who)
    return Notice(type="joined" if now else "left", text=who)


def _is_in(found: Json) -> bool:
    return found.get("status") not in {"kicked", "left", None} and found.get("is_member", True)


def _joined(message: Json) -> Notice:
    names = (otherwise(partial(_name, one), None) for one in message["new_chat_members"])
    return Notice(type="joined", text=", ".join(filter(None, names)))


def _name(person: Json) -> str | None:
    return party(person).name


def _left(message: Json) -> Notice:
    return Notice(type="left", text=party(message["left_chat_member"]).name)


def _renamed(message: Json) -> Notice:
    return Notice(type="renamed", to=message["new_chat_title"])


def _topic(message: Json) -> Notice:
    name = message["forum_topic_edited"].get("name")
    return Notice(type="renamed", to=name) if name else Notice(type="other", text="forum_topic_edited")


def _pinned(message: Json) -> Notice:
    pinned = message["pinned_message"]
    return Notice(type="pinned", text=pinned.get("text") or pinned.get("caption"))


def _moved(message: Json) -> Notice:
    return Notice(type="moved", to=str(message.get("migrate_to_chat_id") or message["chat"]["id"]))


TOLD: Final[Mapping[str, Callable[[Json], Notice]]] = {
    "new_chat_members": _joined,
    "left_chat_member": _left,
    "new_chat_title": _renamed,
    "forum_topic_edited": _topic,
    "pinned_message": _pinned,
    "migrate_to_chat_id": _moved,
    "migrate_from_chat_id": _moved,
}
