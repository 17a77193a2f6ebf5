"""Gateway events and interactions as records — https://docs.discord.com/developers/events/gateway-events#receive-events."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from services.chat_adapter.channels.discord import content, places
from shared.contract import hints
from shared.contract.channel import Incoming, Malformed, Message, TypingSeen
from shared.contract.envelope import (
    LATEST,
    SYSTEM,
    Assessment,
    Deletion,
    Edit,
    MessageContext,
    Notice,
    Part,
    Party,
    Reaction,
    Text,
    Thread,
    Unsupported,
    automatic,
)
from shared.contract.readable import each, otherwise

Json = dict[str, Any]

REPLY, FORWARD = 0, 1  # …/resources/message#message-reference-types
# …/interactions/receiving-and-responding#interaction-object-interaction-type
PING, COMMAND, COMPONENT, SUGGEST = 1, 2, 3, 4


@dataclass(frozen=True, slots=True)
class Known:
    """What an event does not say: whose it is, the bot's own user id, when it came, its number in the session."""

    account_key: str
    bot: str
    now: datetime
    number: int | None = None


def event(kind: str, told: Json, known: Known) -> Iterator[Incoming | Malformed]:
    """One dispatched event. What is of no place and of nobody (servers, roles, who is online) says nothing of anybody."""
    read = EVENTS.get(kind)
    if read is not None:
        yield from read(told, known)
    elif "channel_id" in told and kind not in QUIET:
        yield from _other(kind, told, known)


def _created(told: Json, known: Known) -> Iterator[Message]:
    place = _place(told, known)
    key = {"event_key": told["id"], "external_id": told["id"]}
    if otherwise(lambda: told["type"] not in content.SAID, False):
        part = otherwise(lambda: content.notice(told), Notice(type="other"))
        yield Message(**place, **key, sender=_author(told, place), parts=(part,), assessment=SYSTEM)
        return
    if own := told["author"]["id"] == known.bot:
        if places.is_growing(told.get("nonce")):
            return
        place = _spoken_to(told, place)
    yield Message(
        **place,
        **key,
        sender=_author(told, place) if not own else Party(address=places.person(known.bot)),
        parts=content.read(told),
        thread=Thread(reply_to=_answered(told)),
        context=MessageContext(forwarded=True) if _reference(told) == FORWARD else None,
        assessment=_assessed(told),
        echo=own,
        join_key=told["nonce"] if own and isinstance(told.get("nonce"), str) and told["nonce"] else None,
    )


def _spoken_to(told: Json, place: Json) -> Json:
    """The echo of a first word of ours is of the person whom it was for."""
    to = None if place["container"] else otherwise(lambda: places.spoken_to(told["nonce"]), None)
    return {**place, "peer": to} if to else place


def _updated(told: Json, known: Known) -> Iterator[Message]:
    """Without a new time of editing only a preview or a pin has changed; a message may come in part."""
    edited = told.get("edited_timestamp")
    if not (edited and isinstance(told.get("content"), str)) or _user(told) == known.bot:
        return
    place = _place(told, known)
    yield Message(
        **{**place, "occurred_at": otherwise(lambda: _time(edited), place["occurred_at"])},
        event_key=f"{told['id']}/edited/{edited}",
        sender=_author(told, place),
        parts=(Edit(target=told["id"]), *content.read(told)),
        assessment=_assessed(told),
    )


def _deleted(told: Json, known: Known) -> Iterator[Message | Malformed]:
    """Discord does not say who did it."""
    place = {**_place(told, known), "occurred_at": known.now}
    sender = Party(address=place["peer"])

    def one(name: str) -> Iterator[Message]:
        yield Message(**place, event_key=f"{name}/deleted", sender=sender, parts=(Deletion(target=name),))

    return each(one, told["ids"] if "ids" in told else [told["id"]])


def _reacted(told: Json, known: Known, *, removed: bool) -> Iterator[Message]:
    """An event has no name of its own: someone may show the same again."""
    if told["user_id"] == known.bot:
        return
    place = {**_place(told, known), "occurred_at": known.now}
    emoji = otherwise(lambda: _emoji(told["emoji"]), ":unknown:")
    name, change = told["message_id"], f"{told['user_id']}/{'-' if removed else '+'}{emoji}"
    yield Message(
        **place,
        event_key=f"{name}/reaction/{change}/{known.number}",
        sender=places.party(_member(told), told.get("member"), place),
        parts=(Reaction(target=name, emoji=emoji, removed=removed),),
    )


def _emoji(emoji: Json) -> str:
    """One of a server is known by its name."""
    return f":{emoji['name']}:" if emoji.get("id") else str(emoji["name"])


def _typing(told: Json, known: Known) -> Iterator[TypingSeen]:
    if told["user_id"] != known.bot:
        yield TypingSeen(account_key=known.account_key, peer=told["channel_id"], occurred_at=known.now)


def _member_changed(told: Json, known: Known, *, joined: bool) -> Iterator[Message]:
    """Of a server, not of a channel: it is told where the person is."""
    user, address = told["user"], places.person(told["user"]["id"])
    yield Message(
        account_key=known.account_key,
        event_key=f"{told['guild_id']}/{user['id']}/{'joined' if joined else 'left'}/{known.number}",
        peer=address,
        sender=places.party(user, told, {"peer": address, "container": told["guild_id"]}),
        parts=(Notice(type="joined" if joined else "left", text=hints.word(told["guild_id"])),),
        occurred_at=known.now,
        assessment=SYSTEM,
    )


def interaction(told: Json, known: Known) -> Iterator[Message]:
    """What was pressed, or the words of a command; one that only asks for suggestions is none of a person's."""
    kind = told["type"]
    if kind in {PING, SUGGEST}:
        return
    place = _place(told, known)
    member = told.get("member")
    user = told["user"] if "user" in told else told["member"]["user"]
    person = places.party(user, member, place)
    locale = otherwise(lambda: Party(address=person.address, locale=told["locale"][:35]).locale, None)
    pressed: tuple[Part, ...] = (Unsupported(type="component"),)
    yield Message(
        **place,
        event_key=f"interaction/{told['id']}",
        sender=person.model_copy(update={"locale": locale}),
        parts=otherwise(lambda: content.pressed(told), pressed) if kind == COMPONENT else (_asked(told, kind),),
    )


def _asked(told: Json, kind: Any) -> Part:
    words = otherwise(lambda: Text(text=_command(told["data"])).text, None) if kind == COMMAND else None
    return Unsupported(type="command" if kind == COMMAND else f"interaction of type {str(kind)[:20]}", text=words)


def _command(data: Json) -> str:
    options = (f"{one['name']}: {one.get('value')}" for one in data.get("options") or ())
    return " ".join((f"/{data['name']}", *options))[:4000]


def _other(kind: str, told: Json, known: Known) -> Iterator[Message]:
    """What has no translation is kept; nobody said what names nobody."""
    place = {**_place(told, known), "occurred_at": known.now}
    user = otherwise(lambda: _user(told), None)
    if user == known.bot:
        return
    sender = Party(address=places.person(user) if isinstance(user, str) else place["peer"])
    part: Part = Unsupported(type=kind[:200]) if user else Notice(type="other", text=kind[:200])
    name = told.get("message_id") or told.get("id") or ""
    assessment = Assessment() if user else SYSTEM
    key = f"{kind[:200]}/{str(name)[:30]}/{known.number}"
    yield Message(**place, event_key=key, sender=sender, parts=(part,), assessment=assessment)


def _place(told: Json, known: Known) -> Json:
    when = otherwise(lambda: _time(told["timestamp"]), None) or otherwise(lambda: places.made_at(told["id"]), LATEST)
    return {**places.of(told), "account_key": known.account_key, "occurred_at": when}


def _time(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp).astimezone(UTC)


def _author(told: Json, place: Json) -> Party:
    return places.party(told["author"], told.get("member"), place)


def _member(told: Json) -> Json:
    return {**otherwise(lambda: dict(told["member"]["user"]), {}), "id": told["user_id"]}


def _user(told: Json) -> Any:
    return told.get("user_id") or otherwise(lambda: told["author"]["id"], None)


def _reference(told: Json) -> int | None:
    return otherwise(lambda: told["message_reference"].get("type", REPLY), None)


def _answered(told: Json) -> str | None:
    """In the same place; a pin, a thread and a message that was followed from elsewhere refer to something too."""
    reference: Json = otherwise(lambda: dict(told["message_reference"]), {})
    if _reference(told) != REPLY or reference.get("channel_id", told["channel_id"]) != told["channel_id"]:
        return None
    return otherwise(lambda: Thread(reply_to=reference["message_id"]).reply_to, None)


def _assessed(told: Json) -> Assessment:
    programs = {"author.bot": otherwise(lambda: told["author"].get("bot"), None), "webhook_id": told.get("webhook_id")}
    reason = next((name for name, found in programs.items() if found), None)
    return automatic(reason) if reason else Assessment()


QUIET: Final = frozenset({"CHANNEL_PINS_UPDATE", "VOICE_STATE_UPDATE", "VOICE_CHANNEL_EFFECT_SEND"})
EVENTS: Final[Mapping[str, Callable[[Json, Known], Iterator[Incoming | Malformed]]]] = {
    "MESSAGE_CREATE": _created,
    "MESSAGE_UPDATE": _updated,
    "MESSAGE_DELETE": _deleted,
    "MESSAGE_DELETE_BULK": _deleted,
    "MESSAGE_REACTION_ADD": lambda told, known: _reacted(told, known, removed=False),
    "MESSAGE_REACTION_REMOVE": lambda told, known: _reacted(told, known, removed=True),
    "TYPING_START": _typing,
    "GUILD_MEMBER_ADD": lambda told, known: _member_changed(told, known, joined=True),
    "GUILD_MEMBER_REMOVE": lambda told, known: _member_changed(told, known, joined=False),
    "INTERACTION_CREATE": interaction,
}
