"""Where something was said in Teams, and by which names it is known.

Activity ids are unique only within a conversation, so a message is named `{conversation}/{activity}`. In a channel each thread
is a conversation `{channel};messageid={its first message}`, and its messages are known by the channel's name too, since not every
event names the thread.
https://learn.microsoft.com/en-us/microsoftteams/platform/bots/how-to/conversations/channel-and-group-conversations
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import quote

Json = dict[str, Any]

THREAD: Final = ";messageid="
SHARED: Final = "19:"  # how the ids of channels and group chats begin
ONE_TO_ONE: Final = "@unq.gbl.spaces"  # … and this is how those that end that are chats of two

# Who may be shown the bot's token: https://learn.microsoft.com/en-us/microsoftteams/platform/bots/how-to/conversations/send-proactive-messages
HOSTS: Final = frozenset(
    {
        "smba.trafficmanager.net",
        "smba.infra.gcc.teams.microsoft.com",
        "smba.infra.gov.teams.microsoft.us",
        "smba.infra.dod.teams.microsoft.us",
    }
)


def is_shared(conversation: Json) -> bool:
    """A channel or a group chat."""
    base = conversation["id"].partition(THREAD)[0]
    personal = conversation.get("conversationType") == "personal" or base.endswith(ONE_TO_ONE)
    return base.startswith(SHARED) and not personal


def names(conversation: str, activity: str) -> tuple[str, ...]:
    """All names of a message, the one that says where it stands first."""
    return tuple(dict.fromkeys((f"{conversation}/{activity}", named(conversation, activity))))


def named(conversation: str, activity: str) -> str:
    """The name by which every event knows it."""
    return f"{conversation.partition(THREAD)[0]}/{activity}"


def taken_apart(name: str) -> tuple[str, str]:
    """Conversation and activity."""
    conversation, _, activity = name.rpartition("/")
    return conversation, activity


def known_place(to: str, thread_key: str | None, mentioned: Iterable[str | None]) -> str | None:
    """The conversation in which `to` is written to, by the messages that were said there; None for a person whom nothing tells of."""
    places = filter(None, (taken_apart(name or "")[0] for name in mentioned))
    if not to.startswith(SHARED):
        return next(places, None)
    if thread_key:
        return f"{to}{THREAD}{thread_key}"
    return next((place for place in places if place.partition(THREAD)[0] == to), to)


def path(*parts: str) -> str:
    return "/".join(quote(part, safe="") for part in parts)
