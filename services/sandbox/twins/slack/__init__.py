"""Slack in small: people's direct messages with an app — https://docs.slack.dev."""

from __future__ import annotations

import html
import secrets
import time
from collections.abc import Iterator
from typing import Any, Final

from aiohttp import web
from emoji import emojize

from services.sandbox.chats import Chat
from services.sandbox.said import choice_view, media_view, taken_back
from services.sandbox.twins.slack.events import BOT, Tells, event, file_shown, place_of, short_name, ts_of
from services.sandbox.twins.twin import Call, No

Json = dict[str, Any]
CUT: Final = 40_000  # characters: …/reference/methods/chat.postMessage#truncating
LIVES: Final = 600.0  # seconds of an address to upload to


class Slack(Tells):
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
        answered = f"{place_of(chat)}:{thread.get('thread_ts')}"
        reply = {"reply_to": answered} if answered in chat.views else {}
        ts = ts_of(self.show(chat, {"id": self.new_id(chat), **_content(values), **reply})["id"])
        about = {name: values[name] for name in ("text", "blocks", "metadata") if name in values}
        self.tell(chat, event(chat, **BOT, ts=ts, **about, **thread))
        return {"ok": True, "channel": place_of(chat), "ts": ts, "message": {**about, **BOT}}

    def _update(self, call: Call) -> Json:
        chat, view = self._standing(call, theirs=_no("cant_update_message"))
        chat.show({**view, **_content(call.values), "edited": True})
        return {"ok": True, "channel": place_of(chat), "ts": call.values["ts"]}

    def _delete(self, call: Call) -> Json:
        chat, view = self._standing(call, theirs=self.no("delete_is_refused"))
        self.tell(chat, *self.removed(chat, view))
        chat.show(taken_back(view))
        return {"ok": True}

    def _react(self, call: Call) -> Json:
        (chat, view), removing = self._standing(call, "timestamp"), call.request.path.endswith("remove")
        emoji = emojize(f":{call.values.get('name')}:", language="alias")
        if emoji.startswith(":"):
            raise self.no("react_with_no_emoji")
        if not self.react(chat, view, emoji, back=removing):
            raise _no("no_reaction" if removing else "already_reacted")
        return {"ok": True}

    def _reactions(self, call: Call) -> Json:
        _, view = self._standing(call, "timestamp")
        ours = [{"name": short_name(one), "users": [BOT["user"]]} for one in view.get("reactions", {}).get("bot", [])]
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
        ts = ts_of(self.show_files(chat, {"id": self.new_id(chat), "text": html.unescape(words)}, files)["id"])
        about = {"subtype": "file_share", "text": words, "files": [file_shown(media) for media in files]}
        self.tell(chat, event(chat, **BOT, ts=ts, **about))
        return {"ok": True, "files": [{"id": media["id"]} for media in files]}

    def _file_info(self, call: Call) -> Json:
        file = self.file(call.values.get("file"))
        shares: Json = {}
        for chat in self.chats:
            views = [view for view in chat.views.values() if view.get("media", {}).get("id") == file.id]
            shares |= {place_of(chat): [{"ts": ts_of(view["id"])} for view in views]} if views else {}
        about = {"id": file.id, "name": file.name, "mimetype": file.mime_type, "shares": {"private": shares}}
        return {"ok": True, "file": {**about, "url_private_download": f"{call.seat.account['api']}/files/{file.id}"}}

    def _chat(self, call: Call, name: str = "channel") -> Chat:
        """By the chat's name, or the person's, who need not have written. Raises No."""
        team, place = self.id_of(call.seat), call.values.get(name)
        if isinstance(place, str) and self.knows(place):
            return self.chats.meet(team, place)
        no = self.no("channel_is_unknown")
        return self.chat_where(lambda chat: (chat.account, place_of(chat)) == (team, place), no)

    def _standing(self, call: Call, ts: str = "ts", theirs: No | None = None) -> tuple[Chat, Json]:
        chat = self._chat(call)
        name = f"{place_of(chat)}:{call.values.get(ts)}"
        return chat, self.standing(chat, name, gone=_no("message_not_found"), theirs=theirs)


def _no(error: str) -> No:
    return No(200, {"ok": False, "error": error})


def _content(values: Json) -> Json:
    """The words, and the buttons of …/reference/block-kit/blocks/actions-block."""
    buttons = [each for block in values.get("blocks", ()) for each in block.get("elements", ())]
    choices = [choice_view(one.get("value", ""), one["text"]["text"], one.get("url", "")) for one in buttons]
    return {"text": html.unescape(values.get("text", ""))[:CUT], **({"choices": choices} if choices else {})}
