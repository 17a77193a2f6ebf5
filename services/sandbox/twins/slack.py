"""Slack in small: people's direct messages with an app — https://docs.slack.dev."""

from __future__ import annotations

import hashlib
import hmac
import html
import secrets
import time
from typing import Any, Final
from urllib.parse import urlencode

import orjson
from aiohttp import web
from emoji import demojize, emojize

from services.sandbox.bodies import read_bytes, read_values
from services.sandbox.chats import Chat
from services.sandbox.files import download
from services.sandbox.refusals import Refused
from services.sandbox.said import CONTENT, media_view
from services.sandbox.twins.seats import Seat
from services.sandbox.twins.twin import No, Post, Twin

Json = dict[str, Any]
CUT: Final = 40_000  # characters: …/reference/methods/chat.postMessage#truncating
LIVES: Final = 600.0  # seconds of an address to upload to
APP: Final = "A08PARLEY01"
BOT: Final = {"user": "U08BOTPARLY", "bot_id": "B08PARLEY01", "app_id": APP}


class Slack(Twin):
    channel = "slack"
    name = "Slack"
    person = ("U08", 8)
    can = ("edit", "remove", "caption")
    emoji = ("👍", "❤️", "😂", "👀", "🎉", "🙏")

    @staticmethod
    def id_of(seat: Seat) -> str:
        return str(seat.account["team"])

    def calls(self) -> list[web.RouteDef]:
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
        sent = {"chat.postMessage": self._say, "files.completeUploadExternal": self._share}
        return [
            *(self.call("POST", f"/{method}", act) for method, act in asked.items()),
            *(self.call("POST", f"/{method}", act, sends=True) for method, act in sent.items()),
            self.call("POST", "/upload/{key}", self._upload),
            self.call("GET", "/files/{id}", self._file),
        ]

    # what the adapter is told

    def post(self, seat: Seat, event: Json) -> Post:
        """…/authentication/verifying-requests-from-slack."""
        if event["type"] == "block_actions":
            about = {**event, "team": {"id": self.id_of(seat)}, "api_app_id": APP}
            kind, body = "application/x-www-form-urlencoded", urlencode({"payload": orjson.dumps(about)}).encode()
        else:
            team = self.id_of(seat)
            seen = {"team_id": team, "user_id": BOT["user"], "is_bot": True, "is_enterprise_install": False}
            about = {"type": "event_callback", "team_id": team, "api_app_id": APP, "authorizations": [seen]}
            kind, body = "application/json", orjson.dumps({**about, "event": event})
        stamp = str(int(time.time()))
        digest = hmac.digest(str(seat.app["secret"]).encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256).hex()
        signed = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={digest}"}
        return Post(self.hook(seat), body, {"Content-Type": kind, **signed})

    def new_id(self, chat: Chat) -> str:
        return f"{_place(chat)}:{_now()}"

    def said(self, chat: Chat, view: Json) -> None:
        if "pressed" in view:
            stands = {"message_ts": _ts(view["reply_to"]), "channel_id": _place(chat)}
            label = {"type": "plain_text", "text": view["text"]}
            action = {
                "type": "button",
                "action_id": "option",
                "value": view["pressed"],
                "text": label,
                "action_ts": _now(),
            }
            about = {
                "user": {"id": chat.user, "username": chat.name},
                "container": stands,
                "channel": {"id": _place(chat)},
            }
            self.tell(chat, {"type": "block_actions", **about, "trigger_id": secrets.token_hex(8), "actions": [action]})
            return
        thread = {"thread_ts": _ts(view["reply_to"])} if "reply_to" in view else {}
        self._event(chat, **self._message(chat, view), **thread)

    def edited(self, chat: Chat, view: Json) -> None:
        now = {**self._message(chat, view), "edited": {"user": chat.user, "ts": _now()}}
        self._hidden(chat, "message_changed", message=now, previous_message=self._message(chat, chat.views[view["id"]]))

    def removed(self, chat: Chat, view: Json) -> None:
        before = self._message(chat, chat.views[view["id"]])
        self._hidden(chat, "message_deleted", deleted_ts=_ts(view["id"]), previous_message=before)

    def reacted(self, chat: Chat, view: Json, emoji: str | None) -> None:
        """One at a time on the phone, so another takes the place of the one before."""
        item = {"type": "message", "channel": _place(chat), "ts": _ts(view["id"])}
        before = view.get("reactions", {}).get("person")
        for kind, shown in (("reaction_removed", before), ("reaction_added", emoji)):
            if shown:
                about = {"user": chat.user, "reaction": _short(shown), "item": item}
                self.tell(chat, {"type": kind, **about, "event_ts": _now()})

    def blocked(self, chat: Chat, *, blocked: bool) -> None:
        """Nobody can block an app in Slack; messages to it can be switched off, which is told of a send."""

    def _event(self, chat: Chat, **about: Any) -> None:
        place = {"channel": _place(chat), "channel_type": "im"}
        self.tell(chat, {"type": "message", **place, **about, "event_ts": about["ts"]})

    def _hidden(self, chat: Chat, subtype: str, **about: Any) -> None:
        self._event(chat, subtype=subtype, hidden=True, ts=_now(), **about)

    def _message(self, chat: Chat, view: Json) -> Json:
        """…/reference/events/message; what people write has no words of another kind."""
        if not {"text", "media"} & view.keys():
            raise Refused(400, "Slack sends no places and no cards")
        words = html.escape(view.get("text") or view.get("caption") or "", quote=False)
        shared = {"subtype": "file_share", "files": [_shown(view["media"])]} if "media" in view else {}
        return {"user": chat.user, "ts": _ts(view["id"]), "text": words, **shared}

    # what the adapter calls

    def allowed(self, seat: Seat, request: web.Request) -> bool:
        """Whoever has an address to upload to may."""
        upload = self.shelf.get(f"upload/{request.match_info.get('key', '')}")
        return bool(upload and upload["seat"] == seat.name) or super().allowed(seat, request)

    def unknown(self) -> No:
        return _no("invalid_auth")

    async def _who_we_are(self, seat: Seat, request: web.Request) -> Json:
        return {"ok": True, "team_id": self.id_of(seat), "user_id": BOT["user"], "bot_id": BOT["bot_id"]}

    async def _person_info(self, seat: Seat, request: web.Request) -> Json:
        chat = self._chat(seat, (await read_values(request)).get("user"))
        return {"ok": True, "user": {"id": chat.user, "name": chat.user.lower(), "profile": {"real_name": chat.name}}}

    async def _typing(self, seat: Seat, request: web.Request) -> Json:
        self._chat(seat, (await read_values(request)).get("channel_id")).types()
        return {"ok": True}

    async def _say(self, seat: Seat, request: web.Request) -> Json:
        values = await read_values(request)
        chat = self._chat(seat, values.get("channel"))
        if not values.get("text") and not values.get("blocks"):
            raise _no("no_text")
        thread = {"thread_ts": values["thread_ts"]} if values.get("thread_ts") else {}
        view = {"id": self.new_id(chat), **_content(values)}
        if (answered := f"{_place(chat)}:{thread.get('thread_ts')}") in chat.views:
            view["reply_to"] = answered
        self.show(chat, view)
        about = {name: values[name] for name in ("text", "blocks", "metadata") if name in values}
        self._event(chat, **BOT, ts=_ts(view["id"]), **about, **thread)
        return {"ok": True, "channel": _place(chat), "ts": _ts(view["id"]), "message": {**about, **BOT}}

    async def _update(self, seat: Seat, request: web.Request) -> Json:
        values = await read_values(request)
        chat, view = self._standing(seat, values.get("channel"), values.get("ts"), ours="cant_update_message")
        chat.show({**view, **_content(values), "edited": True})
        return {"ok": True, "channel": _place(chat), "ts": values["ts"]}

    async def _delete(self, seat: Seat, request: web.Request) -> Json:
        values = await read_values(request)
        chat, view = self._standing(seat, values.get("channel"), values.get("ts"), ours="cant_delete_message")
        chat.show({name: value for name, value in view.items() if name not in CONTENT} | {"removed": True})
        self._hidden(chat, "message_deleted", deleted_ts=values["ts"], previous_message={**BOT, "ts": values["ts"]})
        return {"ok": True}

    async def _react(self, seat: Seat, request: web.Request) -> Json:
        values, removing = await read_values(request), request.path.endswith("remove")
        chat, view = self._standing(seat, values.get("channel"), values.get("timestamp"))
        emoji = emojize(f":{values.get('name')}:", language="alias")
        shown: list[str] = view.get("reactions", {}).get("bot", [])
        if emoji.startswith(":"):
            raise _no("invalid_name")
        if removing != (emoji in shown):
            raise _no("no_reaction" if removing else "already_reacted")
        bot = [one for one in shown if one != emoji] if removing else [*shown, emoji]
        chat.show({**view, "reactions": {**view.get("reactions", {}), "bot": bot}})
        return {"ok": True}

    async def _reactions(self, seat: Seat, request: web.Request) -> Json:
        values = await read_values(request)
        _, view = self._standing(seat, values.get("channel"), values.get("timestamp"))
        ours = [{"name": _short(one), "users": [BOT["user"]]} for one in view.get("reactions", {}).get("bot", [])]
        return {"ok": True, "type": "message", "message": {"ts": values["timestamp"], "reactions": ours}}

    async def _upload_address(self, seat: Seat, request: web.Request) -> Json:
        values = await read_values(request)
        if not values.get("filename") or not str(values.get("length", "")).isdecimal():
            raise _no("invalid_arguments")
        key, file = secrets.token_urlsafe(20), f"F08{secrets.token_hex(4).upper()}"
        about = {"seat": seat.name, "file": file, "name": values["filename"], "until": time.time() + LIVES}
        self.shelf.put(f"upload/{key}", about)
        return {"ok": True, "upload_url": f"{seat.account['api']}/upload/{key}", "file_id": file}

    async def _upload(self, seat: Seat, request: web.Request) -> web.Response:
        about = self.shelf.get(f"upload/{request.match_info['key']}")
        if about["until"] < time.time():
            raise No(404, "expired")
        data, mime_type = await read_bytes(request), request.content_type
        self.files.keep(data, owner=self.id_of(seat), mime_type=mime_type, name=about["name"], file_id=about["file"])
        return web.Response(text=f"OK - {len(data)}")

    async def _share(self, seat: Seat, request: web.Request) -> Json:
        """On the phone each file stands by itself, the words above the first."""
        values = await read_values(request)
        chat = self._chat(seat, values.get("channel_id") or values.get("channels"))
        files = [self.files.get(one.get("id")) for one in values.get("files", ())]
        if not files or not all(files):
            raise _no("file_not_found")
        words: str = values.get("initial_comment", "")
        shown: list[Json] = []
        for file in filter(None, files):
            caption = {"caption": html.unescape(words)} if words and not shown else {}
            media = media_view(file, kind if (kind := file.mime_type.partition("/")[0]) in KINDS else "file")
            shown.append(self.show(chat, {"id": self.new_id(chat), "media": media, **caption}))
        about = {"subtype": "file_share", "text": words, "files": [_shown(view["media"]) for view in shown]}
        self._event(chat, **BOT, ts=_ts(shown[0]["id"]), **about)
        return {"ok": True, "files": [{"id": view["media"]["id"]} for view in shown]}

    async def _file_info(self, seat: Seat, request: web.Request) -> Json:
        name = (await read_values(request)).get("file")
        if (file := self.files.get(name)) is None:
            raise _no("file_not_found")
        named = {
            chat: [v["id"] for v in chat.views.values() if v.get("media", {}).get("id") == name] for chat in self.chats
        }
        shares = {_place(chat): [{"ts": _ts(one)} for one in names] for chat, names in named.items() if names}
        about = {"id": file.id, "name": file.name, "mimetype": file.mime_type, "shares": {"private": shares}}
        return {"ok": True, "file": {**about, "url_private_download": f"{seat.account['api']}/files/{file.id}"}}

    async def _file(self, seat: Seat, request: web.Request) -> web.Response:
        if (file := self.files.get(request.match_info["id"])) is None:
            raise No(404, "no such file")
        return download(self.files.data(file), file.mime_type)

    def _chat(self, seat: Seat, place: object) -> Chat:
        """By the chat's name, or the person's, who need not have written. Raises No."""
        team = self.id_of(seat)
        if isinstance(place, str) and self._person.fullmatch(place):
            return self.chats.meet(team, place)
        found = (chat for chat in self.chats if chat.account == team and place == _place(chat))
        if (chat := next(found, None)) is None:
            raise _no("channel_not_found")
        return chat

    def _standing(self, seat: Seat, place: object, ts: object, *, ours: str = "") -> tuple[Chat, Json]:
        """A message that is there; `ours`: the no to whoever would change another's. Raises No."""
        chat = self._chat(seat, place)
        view = chat.views.get(f"{_place(chat)}:{ts}")
        if view is None or view.get("removed"):
            raise _no("message_not_found")
        if ours and view["direction"] != "in":
            raise _no(ours)
        return chat, view


KINDS: Final = {"image", "audio", "video"}


def _place(chat: Chat) -> str:
    return f"D{chat.user[1:]}"


def _now() -> str:
    return f"{time.time():.6f}"


def _ts(name: str) -> str:
    return name.partition(":")[2]


def _no(error: str) -> No:
    return No(200, {"ok": False, "error": error})


def _short(emoji: str) -> str:
    return demojize(emoji, language="alias").strip(":")


def _shown(media: Json) -> Json:
    return {
        "id": media["id"],
        "name": media["name"],
        "mimetype": media["mime_type"],
        "size": media["size"],
        "mode": "hosted",
    }


def _content(values: Json) -> Json:
    """The words, and the buttons of …/reference/block-kit/blocks/actions-block."""
    text = html.unescape(values.get("text", ""))[:CUT]
    buttons = [each for block in values.get("blocks", ()) for each in block.get("elements", ())]
    choices = [{"id": one.get("value", ""), "title": one["text"]["text"], **({"url": one["url"]} if "url" in one else {})} for one in buttons]  # fmt: skip
    return {"text": text, **({"choices": choices} if choices else {})}
