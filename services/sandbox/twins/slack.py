"""Slack in small: people's direct messages with an app — https://docs.slack.dev."""

from __future__ import annotations

import html
import secrets
import time
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlencode

import orjson
from aiohttp import web
from emoji import demojize, emojize

from services.sandbox.chats import Chat
from services.sandbox.said import choice_view, media_view, taken_back, words_of
from services.sandbox.twins.proofs import mac
from services.sandbox.twins.seats import Seat
from services.sandbox.twins.twin import Call, No, Post, Twin

Json = dict[str, Any]
CUT: Final = 40_000  # characters: …/reference/methods/chat.postMessage#truncating
LIVES: Final = 600.0  # seconds of an address to upload to
APP: Final = "A08PARLEY01"
BOT: Final = {"user": "U08BOTPARLY", "bot_id": "B08PARLEY01", "app_id": APP}
FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}


class Slack(Twin):
    channel = "slack"
    name = "Slack"
    key = "team"
    person = ("U08", 8)
    can = ("media", "caption", "reply", "edit", "remove")
    emoji = ("👍", "❤️", "😂", "👀", "🎉", "🙏")
    stranger = "token_revoked"
    gone = "file_is_gone"

    def calls(self) -> Iterator[web.RouteDef]:
        asked = {
            "auth.test": self._who_we_are,
            "users.info": self._person_info,
            "files.info": self._file_info,
            "files.getUploadURLExternal": self._upload_address,
            "assistant.threads.setStatus": self._typing,
            "chat.update": self._update,
            "chat.delete": self._delete,
            "reactions.add": self._react,
            "reactions.remove": self._react,
            "reactions.get": self._reactions,
        }
        yield from (self.call("POST", f"/{method}", act) for method, act in asked.items())
        yield self.call("POST", "/chat.postMessage", self._say, sends=True)
        yield self.call("POST", "/files.completeUploadExternal", self._share, sends=True)
        yield self.call("POST", "/upload/{key}", self._upload, anyone=True, raw=True)
        yield self.call("GET", "/files/{id}", self.serve)

    # what the adapter is told

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
        return f"{_place(chat)}:{_now()}"

    def said(self, chat: Chat, view: Json) -> Iterator[Json]:
        if "pressed" in view:
            label = {"action_ts": _now(), "text": {"type": "plain_text", "text": view["text"]}}
            action = {"type": "button", "action_id": "option", "value": view["pressed"], **label}
            stands = {"message_ts": _ts(view["reply_to"]), "channel_id": _place(chat)}
            place = {"container": stands, "channel": {"id": _place(chat)}, "trigger_id": secrets.token_hex(8)}
            who = {"id": chat.user, "username": chat.name}
            yield {"type": "block_actions", "user": who, **place, "actions": [action]}
            return
        thread = {"thread_ts": _ts(view["reply_to"])} if "reply_to" in view else {}
        yield _event(chat, **_message(chat, view), **thread)

    def edited(self, chat: Chat, view: Json) -> Iterator[Json]:
        now = {**_message(chat, view), "edited": {"user": chat.user, "ts": _now()}}
        yield _hidden(chat, "message_changed", message=now, previous_message=_message(chat, chat.views[view["id"]]))

    def removed(self, chat: Chat, view: Json) -> Iterator[Json]:
        before = _message(chat, chat.views[view["id"]])
        yield _hidden(chat, "message_deleted", deleted_ts=_ts(view["id"]), previous_message=before)

    def reacted(self, chat: Chat, view: Json, emoji: str | None) -> Iterator[Json]:
        item = {"type": "message", "channel": _place(chat), "ts": _ts(view["id"])}
        for kind, shown in (("removed", view.get("reactions", {}).get("person")), ("added", emoji)):
            if shown:
                about = {"user": chat.user, "reaction": _short(shown), "item": item}
                yield {"type": f"reaction_{kind}", **about, "event_ts": _now()}

    # what the adapter calls

    def _who_we_are(self, call: Call) -> Json:
        return {"ok": True, "team_id": self.id_of(call.seat), "user_id": BOT["user"], "bot_id": BOT["bot_id"]}

    def _person_info(self, call: Call) -> Json:
        chat = self._chat(call, "user")
        return {"ok": True, "user": {"id": chat.user, "name": chat.user.lower(), "profile": {"real_name": chat.name}}}

    def _typing(self, call: Call) -> Json:
        self._chat(call, "channel_id").types()
        return {"ok": True}

    def _say(self, call: Call) -> Json:
        chat, values = self._chat(call), call.values
        if not values.get("text") and not values.get("blocks"):
            raise _no("no_text")
        thread = {"thread_ts": values["thread_ts"]} if values.get("thread_ts") else {}
        answered = f"{_place(chat)}:{thread.get('thread_ts')}"
        reply = {"reply_to": answered} if answered in chat.views else {}
        ts = _ts(self.show(chat, {"id": self.new_id(chat), **_content(values), **reply})["id"])
        about = {name: values[name] for name in ("text", "blocks", "metadata") if name in values}
        self.tell(chat, _event(chat, **BOT, ts=ts, **about, **thread))
        return {"ok": True, "channel": _place(chat), "ts": ts, "message": {**about, **BOT}}

    def _update(self, call: Call) -> Json:
        chat, view = self._standing(call, theirs=_no("cant_update_message"))
        chat.show({**view, **_content(call.values), "edited": True})
        return {"ok": True, "channel": _place(chat), "ts": call.values["ts"]}

    def _delete(self, call: Call) -> Json:
        chat, view = self._standing(call, theirs=self.no("delete_is_refused"))
        chat.show(taken_back(view))
        ts = call.values["ts"]
        self.tell(chat, _hidden(chat, "message_deleted", deleted_ts=ts, previous_message={**BOT, "ts": ts}))
        return {"ok": True}

    def _react(self, call: Call) -> Json:
        chat, view = self._standing(call, "timestamp")
        emoji, removing = (
            emojize(f":{call.values.get('name')}:", language="alias"),
            call.request.path.endswith("remove"),
        )
        if emoji.startswith(":"):
            raise self.no("react_with_no_emoji")
        if not self.react(chat, view, emoji, back=removing):
            raise _no("no_reaction" if removing else "already_reacted")
        return {"ok": True}

    def _reactions(self, call: Call) -> Json:
        _, view = self._standing(call, "timestamp")
        ours = [{"name": _short(one), "users": [BOT["user"]]} for one in view.get("reactions", {}).get("bot", [])]
        return {"ok": True, "type": "message", "message": {"ts": call.values["timestamp"], "reactions": ours}}

    def _upload_address(self, call: Call) -> Json:
        if not call.values.get("filename") or not str(call.values.get("length", "")).isdecimal():
            raise _no("invalid_arguments")
        key, file = secrets.token_urlsafe(20), f"F08{secrets.token_hex(4).upper()}"
        owner = {"owner": self.id_of(call.seat), "until": time.time() + LIVES}
        self.shelf.put(f"upload/{key}", {**owner, "file": file, "name": call.values["filename"]})
        return {"ok": True, "upload_url": f"{call.seat.account['api']}/upload/{key}", "file_id": file}

    def _upload(self, call: Call) -> web.Response:
        """Whoever has the address may, while it lives."""
        about = self.shelf.get(f"upload/{call.path['key']}")
        if about is None or about["until"] < time.time():
            raise No(404, "expired")
        names = {"owner": about["owner"], "name": about["name"], "file_id": about["file"]}
        self.files.keep(call.body, mime_type=call.request.content_type, **names)
        return web.Response(text=f"OK - {len(call.body)}")

    def _share(self, call: Call) -> Json:
        place = "channel_id" if "channel_id" in call.values else "channels"
        chat, words = self._chat(call, place), call.values.get("initial_comment", "")
        files = [media_view(self.file(one["id"])) for one in call.values["files"]]
        ts = _ts(self.show_files(chat, {"id": self.new_id(chat), "text": html.unescape(words)}, files)["id"])
        about = {"subtype": "file_share", "text": words, "files": [_shown(media) for media in files]}
        self.tell(chat, _event(chat, **BOT, ts=ts, **about))
        return {"ok": True, "files": [{"id": media["id"]} for media in files]}

    def _file_info(self, call: Call) -> Json:
        file = self.file(call.values.get("file"))
        shares: Json = {}
        for chat in self.chats:
            views = [view for view in chat.views.values() if view.get("media", {}).get("id") == file.id]
            shares |= {_place(chat): [{"ts": _ts(view["id"])} for view in views]} if views else {}
        about = {"id": file.id, "name": file.name, "mimetype": file.mime_type, "shares": {"private": shares}}
        return {"ok": True, "file": {**about, "url_private_download": f"{call.seat.account['api']}/files/{file.id}"}}

    def _chat(self, call: Call, name: str = "channel") -> Chat:
        """By the chat's name, or the person's, who need not have written. Raises No."""
        team, place = self.id_of(call.seat), call.values.get(name)
        if isinstance(place, str) and self.knows(place):
            return self.chats.meet(team, place)
        found = (chat for chat in self.chats if chat.account == team and place == _place(chat))
        if (chat := next(found, None)) is None:
            raise self.no("channel_is_unknown")
        return chat

    def _standing(self, call: Call, ts: str = "ts", theirs: No | None = None) -> tuple[Chat, Json]:
        chat = self._chat(call)
        name = f"{_place(chat)}:{call.values.get(ts)}"
        return chat, self.standing(chat, name, gone=_no("message_not_found"), theirs=theirs)


def _event(chat: Chat, **about: Any) -> Json:
    place = {"channel": _place(chat), "channel_type": "im"}
    return {"type": "message", **place, **about, "event_ts": about["ts"]}


def _hidden(chat: Chat, subtype: str, **about: Any) -> Json:
    return _event(chat, subtype=subtype, hidden=True, ts=_now(), **about)


def _message(chat: Chat, view: Json) -> Json:
    """…/reference/events/message."""
    shared = {"subtype": "file_share", "files": [_shown(view["media"])]} if "media" in view else {}
    return {"user": chat.user, "ts": _ts(view["id"]), "text": html.escape(words_of(view), quote=False), **shared}


def _place(chat: Chat) -> str:
    return f"D{chat.user[1:]}"


def _now() -> str:
    return f"{time.time():.6f}"


def _ts(name: str) -> str:
    """All files of one message are shown by its name, and -1, -2 behind it."""
    return name.partition(":")[2].partition("-")[0]


def _no(error: str) -> No:
    return No(200, {"ok": False, "error": error})


def _short(emoji: str) -> str:
    return demojize(emoji, language="alias").strip(":")


def _shown(media: Json) -> Json:
    about = {name: media[name] for name in ("id", "name", "size")}
    return {**about, "mimetype": media["mime_type"], "mode": "hosted"}


def _content(values: Json) -> Json:
    """The words, and the buttons of …/reference/block-kit/blocks/actions-block."""
    buttons = [each for block in values.get("blocks", ()) for each in block.get("elements", ())]
    choices = [choice_view(one.get("value", ""), one["text"]["text"], one.get("url", "")) for one in buttons]
    return {"text": html.unescape(values.get("text", ""))[:CUT], **({"choices": choices} if choices else {})}
