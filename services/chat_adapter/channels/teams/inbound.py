"""Activities as records — https://learn.microsoft.com/en-us/microsoftteams/platform/bots/how-to/conversations/subscribe-to-conversation-events."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, Literal

from services.chat_adapter.channels.teams.content import PRESSED, quoted, read_parts
from services.chat_adapter.channels.teams.places import THREAD, is_shared, named, names
from services.chat_adapter.channels.teams.reactions import emoji_of
from shared.contract import hints
from shared.contract.channel import Incoming, Malformed, Message, Receipt, TypingSeen
from shared.contract.envelope import (
    LATEST,
    SYSTEM,
    Assessment,
    Choice,
    Deletion,
    Edit,
    MessageContext,
    Notice,
    Part,
    Party,
    Reaction,
    Route,
    Thread,
    Unsupported,
    automatic,
)
from shared.contract.readable import each, few, otherwise

Json = dict[str, Any]

BOT: Final = automatic("a bot wrote it")
READ: Final = "application/vnd.microsoft.readReceipt"
CARD: Final = "adaptiveCard/action"


def read(activity: Json, app_id: str) -> Iterator[Incoming | Malformed]:
    """One activity is one record, but of reactions, members and read marks, which may be several."""
    kind: str = activity["type"]
    yield from TYPES.get(kind, _other)(activity, _place(activity, app_id))


def _place(activity: Json, app_id: str) -> Json:
    """Whose event it is and where. A bot may serve several directories, so both name the account."""
    conversation = activity["conversation"]
    base, _, thread = conversation["id"].partition(THREAD)
    shared, person = is_shared(conversation), activity["from"]["id"]
    directory = conversation.get("tenantId") or activity["channelData"]["tenant"]["id"]
    return {
        "account_key": f"{app_id}@{directory}",
        "event_key": _event_key(activity, base),
        "peer": base if shared else person,
        "sender": _person(activity),
        "occurred_at": hints.moment(activity.get("timestamp")),
        "surface": "group" if shared else "direct",
        "container": base if shared else None,
        "thread": otherwise(lambda: Thread(thread_key=thread or None), Thread()) if shared else Thread(),
        "route": otherwise(lambda: Route(value=activity["serviceUrl"], expires_at=LATEST), None),
    }


def _event_key(activity: Json, base: str) -> str:
    """What changes a message has the message's id, and is told apart by its time."""
    kind = activity["type"]
    when = (activity.get("timestamp"),) if kind in CHANGES else ()
    return "/".join(map(hints.word, (kind, base, activity.get("id"), *when)))


def _person(activity: Json) -> Party:
    who = activity["from"]
    return hints.party(
        Party(address=who["id"], verified="provider"),
        aliases=(who.get("aadObjectId"),),
        name=who.get("name"),
        locale=activity.get("locale"),
        time_zone=activity.get("localTimezone"),
    )


def _said(activity: Json, place: Json) -> Iterator[Incoming]:
    conversation = activity["conversation"]["id"]
    external_id, *others = names(conversation, activity["id"])
    thread, context = _answers(activity, place)
    yield Message(
        **{**place, "thread": thread},
        parts=read_parts(activity),
        external_id=external_id,
        external_ids=tuple(others),
        context=context,
        assessment=BOT if place["sender"].address.startswith("28:") else Assessment(),
    )


def _answers(activity: Json, place: Json) -> tuple[Thread, MessageContext | None]:
    """What is quoted; else, of an answer in a channel's thread, its first message."""
    base = activity["conversation"]["id"].partition(THREAD)[0]
    thread: Thread = place["thread"]
    if found := otherwise(lambda: quoted(activity, base), None):
        name, context = found
        return otherwise(lambda: Thread(thread_key=thread.thread_key, reply_to=name), thread), context
    if thread.thread_key and thread.thread_key != activity["id"]:
        return thread.model_copy(update={"reply_to": f"{base}/{thread.thread_key}"}), None
    return thread, None


def _edited(activity: Json, place: Json) -> Iterator[Incoming]:
    """Also what was deleted and is shown again: it comes whole."""
    yield Message(**place, parts=(Edit(target=_target(activity, "id")), *read_parts(activity)))


def _deleted(activity: Json, place: Json) -> Iterator[Incoming]:
    yield Message(**place, parts=(Deletion(target=_target(activity, "id")),))


def _target(activity: Json, field: str) -> str:
    return named(activity["conversation"]["id"], activity[field])


def _reacted(activity: Json, place: Json) -> Iterator[Incoming | Malformed]:
    target = _target(activity, "replyToId")

    def told(reaction: Json, *, removed: bool) -> Iterator[Message]:
        kind = reaction["type"]
        key = f"{place['event_key']}/{'-' if removed else '+'}{kind}"
        part = Reaction(target=target, emoji=emoji_of(kind), removed=removed)
        yield Message(**{**place, "event_key": key}, parts=(part,))

    for field, removed in (("reactionsAdded", False), ("reactionsRemoved", True)):
        yield from each(partial(told, removed=removed), few(activity.get(field) or ()))


def _changed(activity: Json, place: Json) -> Iterator[Incoming | Malformed]:
    """Who comes and who goes is told of by themselves; in a chat of two it is the app that does."""

    def told(kind: Literal["joined", "left"], member: Json) -> Iterator[Message]:
        who = hints.party(Party(address=member["id"], verified="provider"), name=member.get("name"))
        key = f"{place['event_key']}/{kind}/{who.address}"
        yield Message(**{**place, "event_key": key, "sender": who}, parts=(Notice(type=kind),), assessment=SYSTEM)

    joined, left = (few(activity.get(field) or ()) for field in ("membersAdded", "membersRemoved"))
    if place["container"] and (joined or left):
        yield from each(partial(told, "joined"), joined)
        yield from each(partial(told, "left"), left)
        return
    event = otherwise(lambda: hints.word(activity["channelData"]["eventType"]), "conversationUpdate")
    notice = otherwise(lambda: _renamed(event, activity), None) or Notice(type="other", text=event)
    yield _told(notice, _where(activity, place))


def _renamed(event: str, activity: Json) -> Notice | None:
    field = RENAMED.get(event)
    return Notice(type="renamed", to=activity["channelData"][field]["name"]) if field else None


def _where(activity: Json, place: Json) -> Json:
    """What is told of a channel comes in the team's name."""
    channel = otherwise(lambda: hints.name(activity["channelData"]["channel"]["id"]), None)
    return {**place, "peer": channel, "container": channel} if channel and place["container"] else place


def _installed(activity: Json, place: Json) -> Iterator[Incoming]:
    """Whoever removes the app from their own chat can be sent nothing any more."""
    action = hints.word(activity["action"])
    kind = INSTALLED.get(action) if place["container"] is None else None
    yield _told(kind or Notice(type="other", text=f"installationUpdate {action}"), place)


def _typing(activity: Json, place: Json) -> Iterator[Incoming]:
    yield TypingSeen(**_whose(place))


def _event(activity: Json, place: Json) -> Iterator[Incoming]:
    """A read mark says that everything up to it is read. The ids are the milliseconds of their messages."""
    if activity.get("name") != READ:
        yield from _other(activity, place)
        return
    last = str(activity["value"]["lastReadMessageId"])
    yield Receipt(**_whose(place), status="read", external_ids=(named(activity["conversation"]["id"], last),))
    if until := otherwise(lambda: datetime.fromtimestamp(int(last) / 1000, UTC), None):
        yield Receipt(**_whose(place), status="read", watermark=until)


def _whose(place: Json) -> Json:
    return {name: place[name] for name in ("account_key", "peer", "occurred_at")}


def _invoked(activity: Json, place: Json) -> Iterator[Incoming]:
    """Something that waits for an answer (see `answer_to`)."""
    if activity.get("name") == CARD:
        yield Message(**place, parts=(otherwise(lambda: _pressed(activity), Unsupported(type=CARD)),))
    else:
        yield _told(Notice(type="other", text=hints.word(activity.get("name"))), place)


def _pressed(activity: Json) -> Part:
    return Choice(id=activity["value"]["action"]["data"][PRESSED], target=_target(activity, "replyToId"))


def answer_to(activity: Json) -> Json | None:
    """What an invoke is answered: https://learn.microsoft.com/en-us/adaptive-cards/authoring-cards/universal-action-model."""
    if activity["type"] != "invoke":
        return None
    if activity.get("name") != CARD:
        return {}
    return {"statusCode": 200, "type": "application/vnd.microsoft.activity.message", "value": "✓"}


def _other(activity: Json, place: Json) -> Iterator[Incoming]:
    words = map(hints.word, filter(None, (activity["type"], activity.get("name"))))
    yield _told(Notice(type="other", text=" ".join(words)), place)


def _told(notice: Notice, place: Json) -> Message:
    return Message(**place, parts=(notice,), assessment=SYSTEM)


CHANGES: Final = frozenset({"messageUpdate", "messageDelete", "messageReaction"})
RENAMED: Final[Mapping[str, str]] = {"channelRenamed": "channel", "teamRenamed": "team"}
INSTALLED: Final[Mapping[str, Notice]] = {"add": Notice(type="unblocked"), "remove": Notice(type="blocked")}
TYPES: Final[Mapping[str, Callable[[Json, Json], Iterator[Incoming | Malformed]]]] = {
    "message": _said,
    "messageUpdate": _edited,
    "messageDelete": _deleted,
    "messageReaction": _reacted,
    "conversationUpdate": _changed,
    "installationUpdate": _installed,
    "typing": _typing,
    "event": _event,
    "invoke": _invoked,
}
