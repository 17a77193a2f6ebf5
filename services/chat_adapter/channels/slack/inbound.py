"""What Slack sends as records: events, presses and slash commands — https://docs.slack.dev/apis/events-api."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl

from services.chat_adapter.channels.slack import content, interactions, places
from services.chat_adapter.channels.slack.words import emoji, plain
from shared.contract import hints
from shared.contract.channel import Incoming, Malformed, Message
from shared.contract.envelope import (
    LATEST,
    SYSTEM,
    Assessment,
    Deletion,
    Edit,
    Notice,
    Part,
    Party,
    Reaction,
    Thread,
    automatic,
)
from shared.contract.mend import loads
from shared.contract.readable import each, otherwise

Json = dict[str, Any]

OURS: Final = "parley_piece"  # the type of the metadata that our messages carry
GROWING: Final = "parley_growing"  # and of what shows an answer that is not whole yet: nothing has been said by it
FIELDS: Final = 100  # of a form
BOT: Final = automatic("bot")
SLACKBOT: Final = "USLACKBOT"


def payload(body: bytes) -> Json:
    """An event is JSON, a press a form with JSON in it, a slash command a form: …/interactivity/handling-user-interaction#payloads."""
    if body.lstrip()[:1] == b"{":
        found: Json = loads(body)
        return found
    form = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS))
    if "payload" in form:
        pressed: Json = loads(form["payload"].encode())
        return pressed
    return {**form, "type": "slash_command"}


def read(body: Json, now: datetime) -> Iterator[Incoming | Malformed]:
    """The records of one request. What speaks of the app as a whole (it was removed, its events are too many, a menu asks for
    its options) is of no chat.
    """
    kind = body["type"]
    if kind == "event_callback":
        return each(_event, [body])
    if kind in NOBODYS:
        return iter(())
    return each(lambda one: interactions.read(one, account_of(one), now), [body])


def account_of(body: Json) -> str:
    """The workspace whose installation may see it, which is not where it happened in a channel that several share; an
    installation for a whole organisation has the organisation's name: …/apis/events-api#authorizations.
    """
    seen: Json = otherwise(lambda: body["authorizations"][0], {}) or body
    install = str(otherwise(lambda: seen["is_enterprise_install"], False)).lower() == "true"
    names = (
        otherwise(lambda: install and (seen.get("enterprise_id") or seen["enterprise"]["id"]), None),
        otherwise(lambda: seen.get("team_id") or seen["team"]["id"], None),
        body.get("team_id"),
    )
    return _name(next((name for name in names if name and isinstance(name, str)), None))


def _event(body: Json) -> Iterator[Message]:
    event = body["event"]
    kind = event["type"]
    if _shows_so_far(event, body) or _shows_so_far(event.get("previous_message"), body):
        return
    if kind in {"message", "app_mention"}:  # the same words, told twice to whoever asks for both
        yield from MESSAGES.get(_subtype(event), _said)(event, body)
    elif kind in {"reaction_added", "reaction_removed"}:
        yield from _reaction(event, body)
    elif kind not in NOBODYS:
        yield from _notice(event, body)


def _subtype(event: Json) -> str | None:
    subtype = event.get("subtype")
    return subtype if isinstance(subtype, str) else None


def _said(event: Json, body: Json) -> Iterator[Message]:
    channel, ts = _name(event["channel"]), _name(event["ts"])
    name, others = places.names(channel, ts, event.get("thread_ts"))
    yield Message(
        **_place(event, body, channel),
        event_key=f"{channel}:{ts}",
        parts=content.parts(event),
        occurred_at=_time(ts),
        external_id=name,
        external_ids=others,
        join_key=_key(event, body),
        thread=otherwise(lambda: _thread(event, channel, ts), Thread()),
        context=otherwise(lambda: content.context(event), None),
        assessment=BOT if _is_bot(event) else Assessment(),
    )


def _changed(event: Json, body: Json) -> Iterator[Message]:
    """An edit, where what is said differs: a link's preview, a reply and a pin change the message too. Of a deletion that
    leaves its thread a stone is left. What the app says otherwise of its own we know from who asked for it.
    """
    message, channel = event["message"], _name(event["channel"])
    ts = _name(message["ts"])
    before = otherwise(lambda: content.parts(event["previous_message"]), ())
    now = content.parts(message)
    if message.get("subtype") == "tombstone":
        parts: tuple[Part, ...] = (Deletion(target=f"{channel}:{ts}"),)
        author = otherwise(lambda: {**message, "user": event["previous_message"]["user"]}, message)
    elif now == before or _is_own(message, body):
        return
    else:
        parts, author = (Edit(target=f"{channel}:{ts}"), *now), message
    yield _amendment(event, body, author, parts, ts)


def _deleted(event: Json, body: Json) -> Iterator[Message]:
    """By its author, as far as is told: Slack does not say who took it away."""
    before = otherwise(lambda: dict(event["previous_message"]), {})
    ts = _name(event["deleted_ts"])
    yield _amendment(event, body, before, (Deletion(target=f"{_name(event['channel'])}:{ts}"),), ts)


def _amendment(event: Json, body: Json, message: Json, parts: tuple[Part, ...], ts: str) -> Message:
    channel, at = _name(event["channel"]), _name(event.get("event_ts") or event["ts"])
    said = {**message, "channel_type": event.get("channel_type")}
    return Message(
        **_place(said, body, channel),
        event_key=f"{channel}:{ts}/{parts[0].kind}/{at}",
        parts=parts,
        occurred_at=_time(at),
        thread=otherwise(lambda: _thread(said, channel, ts), Thread()),
    )


def _reaction(event: Json, body: Json) -> Iterator[Message]:
    """Of a person's reactions one at a time; those to files of old are to no message, our own we know of."""
    item = event["item"]
    if item["type"] != "message" or _is_own(event, body):
        return
    channel, at = _name(item["channel"]), _name(event["event_ts"])
    target, removed = f"{channel}:{_name(item['ts'])}", event["type"] == "reaction_removed"
    yield Message(
        **_place(event, body, channel),
        event_key=f"{target}/{_name(event['user'])}/{_name(event['reaction'])}/{at}",
        parts=(Reaction(target=target, emoji=emoji(event["reaction"]), removed=removed),),
        occurred_at=_time(at),
    )


def _notice(event: Json, body: Json) -> Iterator[Message]:
    """What happened in a channel, or to somebody; what names neither is nobody's."""
    about = otherwise(lambda: {**event, **event["assistant_thread"]}, event)
    channel, person = _named(about, "channel", "channel_id", "item"), _named(about, "user", "user_id")
    if not channel and not person:
        return
    kind = _subtype(event) or event["type"]
    at = _name(event.get("event_ts") or event["ts"])
    part = otherwise(lambda: NOTICES.get(kind, _other)(event), _other(event))
    place = {**_place({**about, "user": person}, body, channel or person or ""), "echo": False}
    if part.type == "moved":
        place = {**place, "peer": event["old_channel_id"], "container": event["old_channel_id"]}
    yield Message(
        **place,
        event_key=f"{channel or person}/{kind}/{person or ''}/{at}",
        parts=(part,),
        occurred_at=_time(at),
        assessment=SYSTEM,
    )


def _named(about: Json, *fields: str) -> str | None:
    """The first of these that names something, be it by an object."""
    for field in fields:
        found = about.get(field)
        if isinstance(found, dict):
            found = found.get("id") or found.get("channel")
        if isinstance(found, str) and found:
            return found
    return None


def _place(said: Json, body: Json, channel: str) -> Json:
    """Whose it is and where. What the app itself said is told back to it: as far as that is ours, with whom it went to."""
    own = _is_own(said, body)
    direct = places.is_own(channel)
    sender = _named(said, "user", "bot_id") or channel
    return {
        "account_key": account_of(body),
        "peer": (_sent_to(said) if own and direct else None) or channel,
        "sender": _party(said, places.party(sender, "" if own else channel)),
        "surface": "direct" if direct else "group",
        "container": None if direct else channel,
        "echo": own,
    }


def _party(said: Json, party: Party) -> Party:
    about = said.get("user_profile") or said.get("bot_profile") or {}
    name = otherwise(lambda: about.get("display_name") or about.get("real_name") or about.get("name"), None)
    return hints.party(party, name=name or said.get("username"))


def _is_own(said: Json, body: Json) -> bool:
    app = body.get("api_app_id")
    bots = otherwise(lambda: [one["user_id"] for one in body["authorizations"] if one["is_bot"] is True], [])
    return (app is not None and said.get("app_id") == app) or said.get("user") in bots


def _is_bot(said: Json) -> bool:
    return bool(said.get("bot_id")) or said.get("user") == SLACKBOT


def _ours(said: Json) -> Json:
    """What our message carries: https://docs.slack.dev/messaging/message-metadata."""
    about: Json = said["metadata"]
    carried: Json = about["event_payload"] if about["event_type"] == OURS else {}
    return carried


def _shows_so_far(said: Any, body: Json) -> bool:
    """Of our own only: nobody else makes their messages unseen by it."""
    return bool(otherwise(lambda: said["metadata"]["event_type"] == GROWING and _is_own(said, body), False))


def _sent_to(said: Json) -> str | None:
    return otherwise(lambda: hints.name(_ours(said)["to"]), None)


def _key(said: Json, body: Json) -> str | None:
    """By what our own words are known again: the piece that they carry, or the file that they bring."""
    if not _is_own(said, body):
        return None
    found = otherwise(lambda: _ours(said)["piece"], None) or otherwise(lambda: said["files"][0]["id"], None)
    return hints.name(found)


def _thread(said: Json, channel: str, ts: str) -> Thread:
    """In a channel each thread is a conversation; among a few who write to each other, as with one, all of it is."""
    apart = not places.is_direct(channel) and said.get("channel_type") != "mpim"
    return places.thread(channel, ts, said.get("thread_ts"), apart=apart)


def _name(value: Any) -> str:
    """What things are told apart by; anything else there is no name."""
    if (found := hints.name(value)) is None:
        raise TypeError("no name")
    return found


def _time(ts: str) -> datetime:
    return otherwise(lambda: datetime.fromtimestamp(float(ts), UTC), LATEST)


def _other(event: Json) -> Notice:
    words = otherwise(lambda: plain(event["text"]), "")
    return Notice(type="other", text=hints.word(words or _subtype(event) or event["type"]))


def _renamed(event: Json) -> Notice:
    about = event["channel"] if isinstance(event["channel"], dict) else event
    return Notice(type="renamed", to=about["name"])


JOINED: Final = Notice(type="joined")
LEFT: Final = Notice(type="left")
NOTICES: Final[Mapping[str, Callable[[Json], Notice]]] = {
    "channel_join": lambda _: JOINED,
    "group_join": lambda _: JOINED,
    "member_joined_channel": lambda _: JOINED,
    "channel_leave": lambda _: LEFT,
    "group_leave": lambda _: LEFT,
    "member_left_channel": lambda _: LEFT,
    "channel_left": lambda _: LEFT,
    "group_left": lambda _: LEFT,
    "channel_name": _renamed,
    "group_name": _renamed,
    "channel_rename": _renamed,
    "group_rename": _renamed,
    "channel_id_changed": lambda event: Notice(type="moved", to=event["new_channel_id"]),
    "pinned_item": lambda _: Notice(type="pinned"),
    "pin_added": lambda _: Notice(type="pinned"),
}
# Subtypes that tell of a channel: …/reference/events/message#subtypes.
TELLING: Final = """
    channel_join channel_leave channel_topic channel_purpose channel_name channel_archive channel_unarchive
    channel_convert_to_private channel_convert_to_public channel_posting_permissions group_join group_leave group_topic
    group_purpose group_name group_archive group_unarchive pinned_item unpinned_item ekm_access_denied bot_add bot_remove
    bot_enable bot_disable reminder_add joiner_notification joiner_notification_for_inviter sh_room_created huddle_thread
    sh_room_shared tabbed_canvas_updated document_comment_root"""
TOLD: Final = frozenset(TELLING.split())
MESSAGES: Final[Mapping[str | None, Callable[[Json, Json], Iterator[Message]]]] = {
    "message_changed": _changed,
    "message_deleted": _deleted,
    "message_replied": lambda _event, _body: iter(()),  # the answer comes as itself
    **dict.fromkeys(TOLD, _notice),
}
NOBODYS: Final = frozenset(
    {
        "url_verification",
        "app_rate_limited",
        "block_suggestion",
        "app_uninstalled",
        "app_uninstalled_team",
        "tokens_revoked",
    }
)
