"""Discord in small: people's direct messages with a bot, over a gateway — https://docs.discord.com/developers/intro."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import orjson
from aiohttp import web

from services.sandbox.access import same
from services.sandbox.bodies import Upload
from services.sandbox.chats import Chat
from services.sandbox.said import choice_view, media_view, taken_back
from services.sandbox.twins.discord.events import bot, event, place_of
from services.sandbox.twins.discord.gateway import Gateway, address
from services.sandbox.twins.proofs import public_key
from services.sandbox.twins.seats import Seat
from services.sandbox.twins.twin import Call, No

Json = dict[str, Any]
TEXT: Final = 2000
ESCAPED: Final = re.compile(r"\\([\\*_~`|<\[>#-])")
MESSAGE: Final = "/channels/{channel}/messages/{id}"


class Discord(Gateway):
    def calls(self) -> Iterator[web.RouteDef]:
        yield self.call("GET", "/gateway/bot", self._where)
        yield self.call("GET", "/gateway/", self.gateway, anyone=True)
        yield self.call("GET", "/applications/@me", self._application)
        yield self.call("PATCH", "/applications/@me", self._endpoint)
        yield self.call("POST", "/users/@me/channels", self._open)
        yield self.call("POST", "/channels/{channel}/messages", self._say, sends=True)
        yield self.call("GET", MESSAGE, self._message)
        yield self.call("PATCH", MESSAGE, self._edit)
        yield self.call("DELETE", MESSAGE, self._delete)
        yield self.call("PUT", MESSAGE + "/reactions/{emoji}/@me", self._react)
        yield self.call("DELETE", MESSAGE + "/reactions/{emoji}/@me", self._react)
        yield self.call("POST", "/channels/{channel}/typing", self._typing)
        yield self.call("GET", "/attachments/{id}", self.serve, anyone=True)

    def allowed(self, seat: Seat, request: web.Request) -> bool:
        return same(request.headers.get("Authorization", ""), f"Bot {seat.account.get('token', '')}")

    def _where(self, call: Call) -> Json:
        limit = {"total": 1000, "remaining": 999, "reset_after": 0, "max_concurrency": 1}
        return {"url": address(call.seat), "shards": 1, "session_start_limit": limit}

    def _application(self, call: Call) -> Json:
        told = {"id": self.id_of(call.seat), "verify_key": public_key(call.seat.account["token"]).hex()}
        return {**told, "interactions_endpoint_url": self.hook(call.seat)}

    def _endpoint(self, call: Call) -> Json:
        self.set_hook(call.seat, call.values["interactions_endpoint_url"])
        return self._application(call)

    def _open(self, call: Call) -> Json:
        no = self.no("shares_no_server_with_the_bot")
        return {"id": place_of(self.reached(call, call.values["recipient_id"], no)), "type": 1}

    def _typing(self, call: Call) -> None:
        self._chat(call).types()

    def _say(self, call: Call) -> Json:
        chat, values = self._chat(call), call.values
        told = orjson.loads(values["payload_json"]) if "payload_json" in values else values
        nonce, nonces = told.get("nonce"), chat.about.get("nonces", {})
        if told.get("enforce_nonce") and nonce in nonces:
            return {"id": nonces[nonce], "channel_id": place_of(chat), "nonce": nonce}
        files = [media_view(self.kept(chat, one)) for one in values.values() if isinstance(one, Upload)]
        content = self._content(told)
        if not content["text"] and not files:
            raise _no(400, 50006, "Cannot send an empty message")
        reply = (told.get("message_reference") or {}).get("message_id")
        answered = {"reply_to": reply} if reply in chat.views else {}
        shown = self.show_files(chat, {"id": self.new_id(chat), **content, **answered}, files)
        chat.remember(nonces={**nonces, **({nonce: shown["id"]} if nonce else {})})
        echo = self.shown(chat, shown, author=bot(chat.account), **({"nonce": nonce} if nonce else {}))
        self.tell(chat, event("MESSAGE_CREATE", echo))
        return echo

    def _message(self, call: Call) -> Json:
        chat, view = self._standing(call)
        ours = [_ours(emoji) for emoji in view.get("reactions", {}).get("bot", [])]
        return {"id": view["id"], "channel_id": place_of(chat), "reactions": ours}

    def _edit(self, call: Call) -> Json:
        chat, view = self._standing(call, _no(403, 50005, "Cannot edit a message authored by another user"))
        chat.show({**view, **self._content(call.values), "edited": True})
        return {"id": view["id"]}

    def _delete(self, call: Call) -> None:
        chat, view = self._standing(call, self.no("delete_not_allowed"))
        chat.show(taken_back(view))
        self.tell(chat, *self.removed(chat, view))

    def _react(self, call: Call) -> None:
        chat, view = self._standing(call)
        self.react(chat, view, call.path["emoji"], back=call.request.method == "DELETE")

    def _chat(self, call: Call) -> Chat:
        user = f"28{call.path['channel'][2:]}"
        if self.chats.get(self.id_of(call.seat), user) is None:
            raise self.no("channel_is_gone")
        return self.reached(call, user, self.no("takes_no_words_of_the_bot"))

    def _standing(self, call: Call, theirs: No | None = None) -> tuple[Chat, Json]:
        chat, gone = self._chat(call), _no(404, 10008, "Unknown Message")
        return chat, self.standing(chat, call.path["id"], gone=gone, theirs=theirs)

    def _content(self, told: Json) -> Json:
        """The words, and the buttons of …/components/reference#button."""
        if len(text := told.get("content", "")) > TEXT:
            raise self.no("too_long")
        buttons = [one for row in told.get("components", ()) for one in row["components"]]
        choices = [choice_view(one.get("custom_id", ""), one["label"], one.get("url", "")) for one in buttons]
        return {"text": ESCAPED.sub(r"\1", text), **({"choices": choices} if choices else {})}


def _no(status: int, code: int, message: str) -> No:
    return No(status, {"message": message, "code": code})


def _ours(emoji: str) -> Json:
    return {"me": True, "count": 1, "emoji": {"id": None, "name": emoji}}
