"""A message of Google Chat as a record, wherever it was told of — https://developers.google.com/workspace/chat/api/reference/rest/v1/spaces.messages."""

from __future__ import annotations

from typing import Any, Final

from services.chat_adapter.channels.googlechat import places
from services.chat_adapter.channels.googlechat.content import quoted, read_parts
from shared.contract import hints
from shared.contract.channel import Message
from shared.contract.envelope import LATEST, Assessment, Party, Route, Thread, automatic
from shared.contract.readable import otherwise

Json = dict[str, Any]

BOT: Final = automatic("an app wrote it")


def said(message: Json, place: Json) -> Message:
    """Told twice, by Chat and by a subscription, it is one: its key is its name. `place`: as `in_place` gives it, and whose."""
    name: str = message["name"]
    thread, root = place["thread"].thread_key, otherwise(lambda: _root(message), None)
    reply_to, context = otherwise(lambda: quoted(message), (None, None))
    answers = message.get("threadReply") is True
    told = {
        "event_key": name,
        "thread": Thread(thread_key=thread, reply_to=reply_to or (root if answers else None)),
        "occurred_at": hints.moment(message["createTime"]) if "createTime" in message else place["occurred_at"],
    }
    return Message(
        **{**place, **told},
        parts=read_parts(message),
        external_id=name,
        external_ids=(root,) if root and not answers and thread else (),
        context=context,
        assessment=BOT if is_apps(message) else Assessment(),
    )


def is_apps(message: Json) -> bool:
    return otherwise(lambda: message["sender"]["type"] == "BOT", False)


def _root(message: Json) -> str:
    """A thread is another name of the message that began it, so that answers in it find that one."""
    name: str = Thread(thread_key=message["thread"]["name"]).thread_key or ""
    return name


def in_place(space: Json, who: Party, message: Json) -> Json:
    """Where it stands. What is for one person's eyes stays that: …/create-messages#private."""
    name: str = space["name"]
    if places.is_own(space):
        way = otherwise(lambda: Route(value=name, expires_at=LATEST), None)
        if is_apps(message) and message["sender"]["name"] == who.address:
            return _at(name, who)  # what an app says there is said to the person whose space it is
        own = Party.model_validate({**dict(who), "aliases": (name,)}) if who.address != name else who
        return {**_at(who.address, own), "route": way}
    if "privateMessageViewer" in message:
        return {**_at(places.only(name, message["privateMessageViewer"]["name"]), who), "container": name}
    thread = None if places.is_flat(space) else otherwise(lambda: _root(message), None)
    return {**_at(name, who), "surface": "group", "container": name, "thread": Thread(thread_key=thread)}


def _at(peer: str, who: Party) -> Json:
    return {"peer": peer, "sender": who, "surface": "direct", "container": None, "thread": Thread()}


def person(user: Json, common: Json | None = None) -> Party:
    return hints.party(
        Party(address=user["name"], verified="provider"),
        name=user.get("displayName"),
        email=user.get("email"),
        locale=otherwise(lambda: (common or {})["userLocale"], None),
        time_zone=otherwise(lambda: (common or {})["timeZone"]["id"], None),
    )
