"""What Google Chat posts, as records — https://developers.google.com/workspace/chat/receive-respond-interactions.

It comes in one of two forms, of a classic app (…/chat/api/reference/rest/v1/Event) or of an add-on
(https://developers.google.com/workspace/add-ons/concepts/event-objects), at once or through Pub/Sub.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from services.chat_adapter.channels.googlechat import subscribed
from services.chat_adapter.channels.googlechat.content import commanded, pressed
from services.chat_adapter.channels.googlechat.messages import in_place, person, said
from services.chat_adapter.channels.googlechat.settings import App
from shared.contract import hints
from shared.contract.channel import Incoming, Malformed, Message
from shared.contract.envelope import SYSTEM, Choice, Notice, Party, Unsupported
from shared.contract.mend import loads
from shared.contract.readable import each, otherwise

Json = dict[str, Any]

ADDED, REMOVED = "ADDED_TO_SPACE", "REMOVED_FROM_SPACE"
# The payloads of an add-on's event, in a classic app's words: …/event-objects#chat-event-object
PAYLOADS: Final[Mapping[str, str]] = {
    "messagePayload": "MESSAGE",
    "addedToSpacePayload": ADDED,
    "removedFromSpacePayload": REMOVED,
    "buttonClickedPayload": "CARD_CLICKED",
    "appCommandPayload": "APP_COMMAND",
    "widgetUpdatedPayload": "WIDGET_UPDATED",
}


def read(body: Json, app: App) -> Iterator[Incoming | Malformed]:
    kinds, event = unwrapped(body)
    if kinds is None:
        yield from each(lambda one: _event(classic(one), app.account_key), [event])
    else:
        yield from subscribed.read(event, kinds, app.account_key, app.bot)


def unwrapped(body: Json) -> tuple[Mapping[str, str] | None, Json]:
    """What a push of Pub/Sub carries, and the attributes of an event that was subscribed to: https://cloud.google.com/pubsub/docs/push."""
    if "subscription" not in body:
        return None, body
    pushed = body["message"]
    event: Json = loads(base64.b64decode(pushed["data"]))
    attributes = pushed.get("attributes") or {}
    return attributes if "ce-type" in attributes else None, event


def classic(event: Json) -> Json:
    """The event of an add-on in the form of a classic app's."""
    if "chat" not in event:
        return event
    chat = event["chat"]
    name = next(name for name in chat if name.endswith("Payload"))
    about = {field: chat[field] for field in ("user", "space", "eventTime") if field in chat}
    return {**about, "type": PAYLOADS.get(name, name), "common": event.get("commonEventObject"), **chat[name]}


def _event(event: Json, account_key: str) -> Iterator[Incoming]:
    place = _place(event, account_key)
    kind: str = event["type"]
    if kind == "MESSAGE" or (kind == "APP_COMMAND" and _is_slash(event)):
        yield said({**event["message"], "space": event.get("space") or event["message"]["space"]}, place)
    elif kind in PRESSES and event.get("dialogEventType") != "CANCEL_DIALOG":
        part = otherwise(lambda: PRESSES[kind](event), Unsupported(type=hints.word(kind)))
        yield Message(**place, parts=(part,))
    else:
        yield from _told(kind, event, place)


def _is_slash(event: Json) -> bool:
    """Whether somebody wrote it: …/chat/commands#types."""
    return otherwise(
        lambda: event["appCommandMetadata"]["appCommandType"] == "SLASH_COMMAND" and "name" in event["message"], False
    )


def _place(event: Json, account_key: str) -> Json:
    """Whose event it is, and where. What nobody wrote has no name, and is told apart by its time to the microsecond."""
    message = event.get("message") or {}
    space = event.get("space") or message["space"]
    who = person(event["user"], event.get("common"))
    key = (event["type"], space["name"], who.address, message.get("name"), event.get("eventTime"))
    return {
        **in_place(space, who, message),
        "account_key": account_key,
        "event_key": "|".join(map(hints.word, key)),
        "occurred_at": hints.moment(event.get("eventTime")),
    }


def _told(kind: str, event: Json, place: Json) -> Iterator[Incoming]:
    """The app comes and goes by a person's hand: in their own chat that stops it, in a space it is the app that does.

    Whoever adds it by naming it in a message has said that message, which comes along.
    """
    shared = place["container"]
    notice = (SHARED if shared else OWN).get(kind) or Notice(type="other", text=hints.word(kind))
    sender = Party(address=shared, verified="provider") if shared and kind in SHARED else place["sender"]
    yield Message(**{**place, "sender": sender}, parts=(notice,), assessment=SYSTEM)
    if kind == ADDED and "name" in (event.get("message") or {}):
        yield said({**event["message"], "space": event.get("space") or event["message"]["space"]}, place)


PRESSES: Final[Mapping[str, Callable[[Json], Choice]]] = {
    "CARD_CLICKED": pressed,
    "SUBMIT_FORM": pressed,
    "APP_COMMAND": commanded,
}
OWN: Final[Mapping[str, Notice]] = {ADDED: Notice(type="unblocked"), REMOVED: Notice(type="blocked")}
SHARED: Final[Mapping[str, Notice]] = {ADDED: Notice(type="joined"), REMOVED: Notice(type="left")}
