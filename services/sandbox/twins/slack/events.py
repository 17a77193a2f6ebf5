"""What Slack tells: messages and what becomes of them, and what is pressed — https://docs.slack.dev/reference/events."""

from __future__ import annotations

import html
import secrets
import time
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlencode

import orjson
from emoji import demojize

from services.sandbox.chats import Chat
from services.sandbox.said import words_of
from services.sandbox.twins.proofs import mac
from services.sandbox.twins.seats import Seat
from services.sandbox.twins.twin import HERE, First, Post, Twin, digits

Json = dict[str, Any]
APP: Final = "A08PARLEY01"
BOT: Final = {"user": "U08BOTPARLY", "bot_id": "B08PARLEY01", "app_id": APP}
FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}


class Tells(Twin):
    channel = "slack"
    name = "Slack"
    key = "team"
    person = ("U08", 8)
    can = ("media", "caption", "reply", "edit", "remove")
    emoji = ("👍", "❤️", "😂", "👀", "🎉", "🙏")
    stranger = "token_revoked"
    gone = "file_is_gone"

    @classmethod
    def first(cls) -> First:
        token = f"xoxb-{digits(12)}-{digits(13)}-{secrets.token_urlsafe(18)}"
        return First({"team": f"T08{digits(8)}", "token": token, "api": HERE}, {"secret": secrets.token_hex(16)})

    def post(self, seat: Seat, event: Json) -> Post:
        """…/authentication/verifying-requests-from-slack."""
        team = self.id_of(seat)
        if event["type"] == "block_actions":
            about = {**event, "team": {"id": team}, "api_app_id": APP}
            kind, body = FORM, urlencode({"payload": orjson.dumps(about)}).encode()
        else:
            seen = {"team_id": team, "user_id": BOT["user"], "is_bot": True, "is_enterprise_install": False}
            about = {"type": "event_callback", "team_id": team, "api_app_id": APP, "authorizations": [seen]}
            kind, body = {}, orjson.dumps({**about, "event": event})
        stamp = str(int(time.time()))
        proof = f"v0={mac(seat.app['secret'], f'v0:{stamp}:'.encode() + body).hex()}"
        return Post(self.hook(seat), body, {**kind, "X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": proof})

    def new_id(self, chat: Chat) -> str:
        return f"{place_of(chat)}:{stamp()}"

    def said(self, chat: Chat, view: Json) -> Iterator[Json]:
        if "pressed" in view:
            label = {"action_ts": stamp(), "text": {"type": "plain_text", "text": view["text"]}}
            action = {"type": "button", "action_id": "option", "value": view["pressed"], **label}
            stands = {"message_ts": ts_of(view["reply_to"]), "channel_id": place_of(chat)}
            place = {"container": stands, "channel": {"id": place_of(chat)}, "trigger_id": secrets.token_hex(8)}
            who = {"id": chat.user, "username": chat.name}
            yield {"type": "block_actions", "user": who, **place, "actions": [action]}
            return
        thread = {"thread_ts": ts_of(view["reply_to"])} if "reply_to" in view else {}
        yield event(chat, **message(chat, view), **thread)

    def edited(self, chat: Chat, view: Json) -> Iterator[Json]:
        now = {**message(chat, view), "edited": {"user": chat.user, "ts": stamp()}}
        yield hidden(chat, "message_changed", message=now, previous_message=message(chat, chat.views[view["id"]]))

    def removed(self, chat: Chat, view: Json) -> Iterator[Json]:
        before = message(chat, chat.views[view["id"]])
        yield hidden(chat, "message_deleted", deleted_ts=ts_of(view["id"]), previous_message=before)

    def reacted(self, chat: Chat, view: Json, emoji: str | None) -> Iterator[Json]:
        item = {"type": "message", "channel": place_of(chat), "ts": ts_of(view["id"])}
        for kind, shown in (("removed", view.get("reactions", {}).get("person")), ("added", emoji)):
            if shown:
                about = {"user": chat.user, "reaction": short_name(shown), "item": item}
                yield {"type": f"reaction_{kind}", **about, "event_ts": stamp()}


def event(chat: Chat, **about: Any) -> Json:
    place = {"channel": place_of(chat), "channel_type": "im"}
    return {"type": "message", **place, **about, "event_ts": about["ts"]}


def hidden(chat: Chat, subtype: str, **about: Any) -> Json:
    return event(chat, subtype=subtype, hidden=True, ts=stamp(), **about)


def message(chat: Chat, view: Json) -> Json:
    """…/reference/events/message."""
    shared = {"subtype": "file_share", "files": [file_shown(view["media"])]} if "media" in view else {}
    by = BOT if view.get("direction") == "in" else {"user": chat.user}
    return {**by, "ts": ts_of(view["id"]), "text": html.escape(words_of(view), quote=False), **shared}


def place_of(chat: Chat) -> str:
    return f"D{chat.user[1:]}"


def stamp() -> str:
    return f"{time.time():.6f}"


def ts_of(name: str) -> str:
    """All files of one message are shown by its name, and -1, -2 behind it."""
    return name.partition(":")[2].partition("-")[0]


def short_name(emoji: str) -> str:
    return demojize(emoji, language="alias").strip(":")


def file_shown(media: Json) -> Json:
    about = {name: media[name] for name in ("id", "name", "size")}
    return {**about, "mimetype": media["mime_type"], "mode": "hosted"}
