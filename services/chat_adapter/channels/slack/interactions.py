"""Buttons that were pressed and slash commands — https://docs.slack.dev/interactivity/handling-user-interaction."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from services.chat_adapter.channels.slack import places
from services.chat_adapter.channels.slack.words import plain
from shared.contract import hints
from shared.contract.channel import Malformed, Message
from shared.contract.envelope import Choice, Part, Route, Text, Thread, Unsupported
from shared.contract.readable import each, otherwise

Json = dict[str, Any]

LINK: Final = "link"  # how the names of our buttons begin that open a page: that one was pressed says nothing
# "up to 5 times within 30 minutes": …/handling-user-interaction#message_responses; the rest is for the way to us and back
RESPONSE_LIVES: Final = timedelta(minutes=29)
SCHEMES: Final = ("https://", "http://")
PICKED: Final = ("selected_date", "selected_time", "selected_user", "selected_channel", "selected_conversation")


def read(body: Json, account_key: str, now: datetime) -> Iterator[Message | Malformed]:
    if body["type"] == "slash_command":
        yield _command(body, account_key, now)
    elif body["type"] == "block_actions" and _channel(body):
        yield from each(lambda action: _presses(action, body, account_key, now), body["actions"])
    else:
        yield _other(body, account_key, now)


def _command(body: Json, account_key: str, now: datetime) -> Message:
    """Nobody else sees it, nor what it is answered by: https://docs.slack.dev/interactivity/implementing-slash-commands."""
    place = _place(body["channel_id"], body["user_id"], body, alone=True)
    words = " ".join(filter(None, (body["command"], plain(body.get("text") or ""))))
    return Message(
        **place,
        account_key=account_key,
        event_key=f"command/{body['trigger_id']}",
        parts=(Text(text=words),),
        occurred_at=now,
        route=_route(place, body, now),
    )


def _presses(action: Json, body: Json, account_key: str, now: datetime) -> Iterator[Message]:
    if not str(action.get("action_id")).startswith(LINK):
        yield _press(action, body, account_key, now)


def _press(action: Json, body: Json, account_key: str, now: datetime) -> Message:
    channel, stands = _channel(body) or "", otherwise(lambda: dict(body["container"]), {})
    alone = stands.get("is_ephemeral") is True
    ts = otherwise(lambda: str(stands["message_ts"]), "")
    target = f"{channel}:{ts}" if ts else None
    place = _place(channel, body["user"]["id"], body, alone=alone)
    at, apart = action["action_ts"], not alone and not places.is_direct(channel)
    return Message(
        **place,
        account_key=account_key,
        event_key=f"{channel}:{ts}/{action.get('block_id')}/{action.get('action_id')}/{at}",
        parts=(otherwise(lambda: _choice(action, target), Unsupported(type="block_actions")),),
        occurred_at=otherwise(lambda: datetime.fromtimestamp(float(at), UTC), now),
        thread=Thread(reply_to=target, thread_key=_thread_key(stands, channel) if apart else None),
        route=_route(place, body, now),
    )


def _thread_key(stands: Json, channel: str) -> str | None:
    ts = otherwise(lambda: stands.get("thread_ts") or stands["message_ts"], None)
    return f"{channel}:{ts}" if isinstance(ts, str) else None


def _choice(action: Json, target: str | None) -> Part:
    """The option's id is the button's value; of a menu or a date what was picked."""
    options = action.get("selected_options") or [action.get("selected_option") or {}]
    picked = next((action[name] for name in PICKED if action.get(name)), None)
    values = [one["value"] for one in options if "value" in one]
    titles = [one["text"]["text"] for one in options if "text" in one]
    title = (
        ", ".join(titles)
        or (None if picked is None else str(picked))
        or otherwise(lambda: action["text"]["text"], None)
    )
    name = action.get("value") or ", ".join(values) or action["action_id"]
    return Choice(id=name, title=title, target=target)


def _other(body: Json, account_key: str, now: datetime) -> Message:
    """A form that was sent, a shortcut: told as what it is, in the channel where it was if there is one."""
    channel, person = _channel(body), body["user"]["id"]
    place = _place(channel or person, person, body, alone=channel is not None)
    once = body.get("trigger_id") or body.get("action_ts") or body["view"]["id"]
    return Message(
        **place,
        account_key=account_key,
        event_key=f"{body['type']}/{person}/{once}",
        parts=(
            otherwise(lambda: Unsupported(type=body["type"], text=_callback(body)), Unsupported(type="interaction")),
        ),
        occurred_at=now,
        route=_route(place, body, now),
    )


def _callback(body: Json) -> str | None:
    return body.get("callback_id") or otherwise(lambda: body["view"]["callback_id"], None)


def _channel(body: Json) -> str | None:
    found = otherwise(lambda: body["channel"]["id"], None) or otherwise(lambda: body["container"]["channel_id"], None)
    return found if isinstance(found, str) and found else None


def _place(channel: str, person: str, body: Json, *, alone: bool) -> Json:
    """`alone`: only this person sees it, which is a place of its own (…/places.py)."""
    place = places.only(channel, person) if alone else channel
    name = otherwise(lambda: body.get("user_name") or body["user"].get("username") or body["user"]["name"], None)
    return {
        "peer": place,
        "sender": hints.party(places.party(person, channel), username=name),
        "surface": "direct" if alone or places.is_own(channel) else "group",
        "container": None if places.is_own(place) else place,
    }


def _route(place: Json, body: Json, now: datetime) -> Route | None:
    """Where Slack takes an answer that only this person sees; elsewhere a post does more. It is good five times, which no
    conversation of half an hour's length needs.
    """
    address = body.get("response_url")
    if places.ONLY not in place["peer"] or not isinstance(address, str) or not address.startswith(SCHEMES):
        return None
    return otherwise(lambda: Route(value=address, expires_at=now + RESPONSE_LIVES), None)
