"""LINE webhooks as records — https://developers.line.biz/en/reference/messaging-api/#webhook-event-objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from services.chat_adapter.channels.line.content import read_part, read_press
from shared.contract import hints
from shared.contract.channel import Incoming, Malformed, Message
from shared.contract.envelope import (
    LATEST,
    SYSTEM,
    Assessment,
    Deletion,
    MessageContext,
    Notice,
    Part,
    Party,
    Route,
    Thread,
    Unsupported,
)
from shared.contract.readable import each, otherwise

Json = dict[str, Any]

# "within a minute after the webhook", …/messaging-api/#send-reply-message; the rest is for the way to us and back
REPLY_TOKEN_LIVES: Final = timedelta(seconds=50)
OTHER: Final = "another channel"  # of a chat on standby: LINE does not say which (…/docs/partner-docs/module/)
STANDBY: Final = Assessment(may_auto_answer=False, reasons=("standby: another channel has the chat",))


def read(body: Json, now: datetime) -> Iterator[Incoming | Malformed]:
    """The records of a body. The console's Verify sends one without events."""
    return each(lambda event: _event(event, body["destination"], now), body["events"])


def _event(event: Json, bot: str, now: datetime) -> Iterator[Message | Malformed]:
    """What is of no chat (a module was attached, the account suspended) says nothing of anybody."""
    if "source" not in event and event["type"] not in SAID:
        return
    place = _place(event, bot)
    kind = event["type"]
    if kind in SAID:
        yield _said(event, place, now)
    elif kind == "unsend":
        yield Message(**place, parts=(Deletion(target=event["unsend"]["messageId"]),))
    elif kind in MEMBERS:
        yield from _members(event, place)
    else:
        part = otherwise(lambda: NOTICES.get(kind, _other)(event), Notice(type="other", text=hints.word(kind)))
        yield Message(**place, parts=(part,), assessment=SYSTEM)


def _place(event: Json, bot: str) -> Json:
    """Whose event it is and where. A group's events may name nobody: …/docs/messaging-api/group-chats/."""
    source = event["source"]
    shared = source.get("groupId") or source.get("roomId")
    peer = shared or source["userId"]
    return {
        "account_key": bot,
        "event_key": event["webhookEventId"],
        "peer": peer,
        "sender": Party(address=source.get("userId") or peer, verified="signature"),
        "occurred_at": otherwise(lambda: datetime.fromtimestamp(event["timestamp"] / 1000, UTC), LATEST),
        "surface": "group" if shared else "direct",
        "container": shared,
    }


def _said(event: Json, place: Json, now: datetime) -> Message:
    standby = event.get("mode") == "standby"
    pressed = event["type"] == "postback"
    message = {} if pressed else event["message"]
    name, others = (None, ()) if pressed else names(message)
    return Message(
        **place,
        parts=(_press(event) if pressed else read_part(message),),
        external_id=name,
        external_ids=others,
        thread=otherwise(lambda: Thread(reply_to=message.get("quotedMessageId")), Thread()),
        context=otherwise(lambda: MessageContext(group=message["imageSet"]["id"]), None),
        assessment=STANDBY if standby else Assessment(),
        responder=OTHER if standby else None,
        route=otherwise(lambda: _route(event["replyToken"], now), None),
        read_mark=otherwise(lambda: _read_mark(message["markAsReadToken"]), None),
    )


def _press(event: Json) -> Part:
    return otherwise(lambda: read_press(event["postback"]), Unsupported(type="postback"))


def names(message: Json) -> tuple[str, tuple[str, ...]]:
    """The message's id, and behind it what LINE wants to see where the message is quoted; with that, the id alone as well,
    by which LINE itself names it. A quote token is good for ever, in that chat: …/docs/messaging-api/get-quote-tokens/.
    """
    name, quote_token = message["id"], message.get("quoteToken")
    if isinstance(quote_token, str) and quote_token and len(name) + len(quote_token) < hints.LONGEST:
        return f"{name}:{quote_token}", (name,)
    return name, ()


def _route(reply_token: str, now: datetime) -> Route:
    return Route(value=reply_token, expires_at=now + REPLY_TOKEN_LIVES, once=True)


def _read_mark(read_token: str) -> str | None:
    return hints.name(read_token)


def _members(event: Json, place: Json) -> Iterator[Message | Malformed]:
    """Each is told of by themselves, so that they are who the notice is of."""
    kind, field = MEMBERS[event["type"]]

    def told(member: Json) -> Iterator[Message]:
        who: str = member["userId"]
        key, sender = f"{place['event_key']}/{who}", Party(address=who, verified="signature")
        yield Message(**{**place, "event_key": key, "sender": sender}, parts=(Notice(type=kind),), assessment=SYSTEM)

    return each(told, event[field]["members"])


def _follow(event: Json) -> Notice:
    """They have become a friend of the account, or have taken a block back."""
    became_friend = otherwise(lambda: event["follow"]["isUnblocked"], None) is False
    return Notice(type="other", text="follow") if became_friend else Notice(type="unblocked")


def _told(field: str, names: tuple[str, ...], event: Json) -> Notice:
    """A notice that says what it is of."""
    words = (otherwise(lambda name=name: hints.word(event[field][name]), None) for name in names)  # type: ignore[misc]
    return Notice(type="other", text=" ".join(filter(None, (event["type"], *words))))


def _other(event: Json) -> Notice:
    return Notice(type="other", text=hints.word(event["type"]))


SAID: Final = frozenset({"message", "postback"})
MEMBERS: Final[Mapping[str, tuple[Any, str]]] = {"memberJoined": ("joined", "joined"), "memberLeft": ("left", "left")}
NOTICES: Final[Mapping[str, Callable[[Json], Notice]]] = {
    "follow": _follow,
    "unfollow": lambda _: Notice(type="blocked"),
    "join": lambda _: Notice(type="joined"),
    "leave": lambda _: Notice(type="left"),
    "activated": lambda _: Notice(type="responder"),
    "deactivated": lambda _: Notice(type="responder", to=OTHER),
    "videoPlayComplete": partial(_told, "videoPlayComplete", ("trackingId",)),
    "beacon": partial(_told, "beacon", ("type", "hwid")),
    "accountLink": partial(_told, "link", ("result",)),
    "membership": partial(_told, "membership", ("type", "membershipId")),
}
