"""Discord in small: people's direct messages with a bot, over a gateway — https://docs.discord.com/developers/intro."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterator
from typing import Any, Final

import orjson
from aiohttp import WSMsgType, web

from services.sandbox.access import same
from services.sandbox.bodies import Upload
from services.sandbox.chats import Chat
from services.sandbox.said import choice_view, media_view, taken_back, words_of
from services.sandbox.twins.proofs import public_key, signer
from services.sandbox.twins.seats import Seat
from services.sandbox.twins.sessions import Sessions, say
from services.sandbox.twins.twin import Call, Kit, No, Post, Twin

Json = dict[str, Any]
EPOCH: Final = 1_420_070_400_000  # …/developers/reference#snowflakes
BEAT: Final = 41_250  # milliseconds
TEXT: Final = 2000
ESCAPED: Final = re.compile(r"\\([\\*_~`|<\[>#-])")
MESSAGE: Final = "/channels/{channel}/messages/{id}"


class Discord(Twin):
    channel = "discord"
    name = "Discord"
    key = "application_id"
    person = ("2822656076", 8)
    can = ("media", "caption", "reply", "edit", "remove")
    emoji = ("👍", "❤️", "😂", "🔥", "🎉", "🙏")

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self._sessions = Sessions(self.shelf, self.wires, lambda number, event: {"op": 0, "s": number, **event})

    def calls(self) -> Iterator[web.RouteDef]:
        yield self.call("GET", "/gateway/bot", self._where)
        yield self.call("GET", "/gateway/", self._gateway, anyone=True)
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

    # what the adapter is told

    def post(self, seat: Seat, event: Json) -> Post:
        """An interaction: …/interactions/overview#setting-up-an-endpoint."""
        body, stamp = orjson.dumps(event["d"]), str(int(time.time()))
        proof = signer(seat.account["token"]).sign(stamp.encode() + body).hex()
        return Post(self.hook(seat), body, {"X-Signature-Ed25519": proof, "X-Signature-Timestamp": stamp})

    async def deliver(self, seat: Seat, event: Json) -> bool:
        """What is pressed goes to the webhook; the rest into the session, from which it is told as often as it is resumed."""
        if event["t"] == "INTERACTION_CREATE":
            return await super().deliver(seat, event)
        return await self._sessions.tell(self.id_of(seat), event)

    def new_id(self, chat: Chat) -> str:
        return str((int(1000 * time.time()) - EPOCH) << 22 | secrets.randbelow(1 << 22))

    def said(self, chat: Chat, view: Json) -> Iterator[Json]:
        if "pressed" not in view:
            yield _event("MESSAGE_CREATE", self._shown(chat, view))
            return
        row = {"type": 1, "components": [_button(one) for one in chat.views[view["reply_to"]]["choices"]]}
        stands = {"id": view["reply_to"], "channel_id": _place(chat), "components": [row]}
        pressed = {"data": {"component_type": 2, "custom_id": view["pressed"]}, "message": stands}
        about = {"application_id": chat.account, "channel_id": _place(chat), "context": 1, "user": _user(chat)}
        told = {"id": view["id"], "type": 3, "token": secrets.token_urlsafe(30), "version": 1}
        yield _event("INTERACTION_CREATE", {**told, **about, **pressed})

    def edited(self, chat: Chat, view: Json) -> Iterator[Json]:
        yield _event("MESSAGE_UPDATE", {**self._shown(chat, view), "edited_timestamp": _now()})

    def removed(self, chat: Chat, view: Json) -> Iterator[Json]:
        yield _event("MESSAGE_DELETE", {"id": view["id"], "channel_id": _place(chat)})

    def reacted(self, chat: Chat, view: Json, emoji: str | None) -> Iterator[Json]:
        about = {"user_id": chat.user, "channel_id": _place(chat), "message_id": view["id"], "type": 0, "burst": False}
        for kind, shown in (("REMOVE", view.get("reactions", {}).get("person")), ("ADD", emoji)):
            if shown:
                yield _event(f"MESSAGE_REACTION_{kind}", {**about, "emoji": {"id": None, "name": shown}})

    def _shown(self, chat: Chat, view: Json, **about: Any) -> Json:
        """…/resources/message#message-object."""
        answers = "reply_to" in view
        reply = {"type": 19, "message_reference": {"message_id": view["reply_to"]}} if answers else {"type": 0}
        files = [_attachment(self.api(chat), view["media"])] if "media" in view else []
        told = {"content": words_of(view), "attachments": files, "mentions": [], "embeds": [], "edited_timestamp": None}
        place = {"id": view["id"], "channel_id": _place(chat), "author": _user(chat), "timestamp": _now()}
        return place | reply | told | about

    # the gateway: https://docs.discord.com/developers/events/gateway

    async def _gateway(self, call: Call) -> web.WebSocketResponse:
        wire, account = web.WebSocketResponse(), ""
        await wire.prepare(call.request)
        await say(wire, {"op": 10, "d": {"heartbeat_interval": BEAT}})
        async for message in wire:
            told = orjson.loads(message.data) if message.type is WSMsgType.TEXT else {}
            match told.get("op"):
                case 1:
                    await say(wire, {"op": 11})
                case 2 | 6 if seat := self._seat_of(told["d"].get("token")):
                    account = self.id_of(seat)
                    await (self._begin if told["op"] == 2 else self._resume)(wire, seat, told["d"])
                case 2 | 6:
                    await wire.close(code=4004)
                case _:
                    await wire.close(code=4001)
        self._sessions.leave(account, wire)
        return wire

    def _seat_of(self, token: object) -> Seat | None:
        return next((seat for seat in self.seats.all() if same(str(seat.account.get("token")), str(token))), None)

    async def _begin(self, wire: web.WebSocketResponse, seat: Seat, _told: Json) -> None:
        account = self.id_of(seat)
        about = {"session_id": self._sessions.begin(account, wire), "resume_gateway_url": _gateway(seat)}
        await self._sessions.tell(account, _event("READY", {"v": 10, "user": _bot(account), "guilds": [], **about}))
        self.lanes.retry.set()

    async def _resume(self, wire: web.WebSocketResponse, seat: Seat, told: Json) -> None:
        number = await self._sessions.resume(self.id_of(seat), wire, told.get("session_id"), told.get("seq") or 0)
        gone = {"op": 9, "d": False}
        await say(wire, gone if number is None else {"op": 0, "t": "RESUMED", "s": number, "d": {}})

    # what the adapter calls

    def _where(self, call: Call) -> Json:
        limit = {"total": 1000, "remaining": 999, "reset_after": 0, "max_concurrency": 1}
        return {"url": _gateway(call.seat), "shards": 1, "session_start_limit": limit}

    def _application(self, call: Call) -> Json:
        told = {"id": self.id_of(call.seat), "verify_key": public_key(call.seat.account["token"]).hex()}
        return {**told, "interactions_endpoint_url": self.hook(call.seat)}

    def _endpoint(self, call: Call) -> Json:
        self.set_hook(call.seat, call.values["interactions_endpoint_url"])
        return self._application(call)

    def _open(self, call: Call) -> Json:
        no = self.no("shares_no_server_with_the_bot")
        return {"id": _place(self.reached(call, call.values["recipient_id"], no)), "type": 1}

    def _typing(self, call: Call) -> None:
        self._chat(call).types()

    def _say(self, call: Call) -> Json:
        chat, values = self._chat(call), call.values
        told = orjson.loads(values["payload_json"]) if "payload_json" in values else values
        nonce, nonces = told.get("nonce"), chat.about.get("nonces", {})
        if told.get("enforce_nonce") and nonce in nonces:
            return {"id": nonces[nonce], "channel_id": _place(chat), "nonce": nonce}
        files = [media_view(self.kept(chat, one)) for one in values.values() if isinstance(one, Upload)]
        content = self._content(told)
        if not content["text"] and not files:
            raise _no(400, 50006, "Cannot send an empty message")
        reply = (told.get("message_reference") or {}).get("message_id")
        answered = {"reply_to": reply} if reply in chat.views else {}
        shown = self.show_files(chat, {"id": self.new_id(chat), **content, **answered}, files)
        chat.remember(nonces={**nonces, **({nonce: shown["id"]} if nonce else {})})
        echo = self._shown(chat, shown, author=_bot(chat.account), **({"nonce": nonce} if nonce else {}))
        self.tell(chat, _event("MESSAGE_CREATE", echo))
        return echo

    def _message(self, call: Call) -> Json:
        chat, view = self._standing(call)
        ours = [_ours(emoji) for emoji in view.get("reactions", {}).get("bot", [])]
        return {"id": view["id"], "channel_id": _place(chat), "reactions": ours}

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


def _event(kind: str, told: Json) -> Json:
    return {"t": kind, "d": told}


def _no(status: int, code: int, message: str) -> No:
    return No(status, {"message": message, "code": code})


def _gateway(seat: Seat) -> str:
    return f"{str(seat.account['api']).replace('http', 'ws', 1)}/gateway"


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000000+00:00", time.gmtime())


def _place(chat: Chat) -> str:
    return f"11{chat.user[2:]}"


def _user(chat: Chat) -> Json:
    return {"id": chat.user, "username": f"user{chat.user[-4:]}", "global_name": chat.name, "discriminator": "0"}


def _bot(account: str) -> Json:
    return {"id": account, "username": "parley", "global_name": None, "discriminator": "0001", "bot": True}


def _attachment(api: str, media: Json) -> Json:
    about = {"id": media["id"], "filename": media["name"], "content_type": media["mime_type"], "size": media["size"]}
    return {**about, "url": f"{api}/attachments/{media['id']}"}


def _button(choice: Json) -> Json:
    return {"type": 2, "custom_id": choice["id"], "label": choice["title"]}


def _ours(emoji: str) -> Json:
    return {"me": True, "count": 1, "emoji": {"id": None, "name": emoji}}
