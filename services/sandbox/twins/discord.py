"""Discord in small: people's direct messages with a bot, over a gateway — https://docs.discord.com/developers/intro."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from typing import Any, Final

import orjson
from aiohttp import WSMsgType, web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.sandbox.bodies import Upload, read_values
from services.sandbox.chats import Chat
from services.sandbox.files import download
from services.sandbox.refusals import Refused
from services.sandbox.said import CONTENT, media_view
from services.sandbox.twins.seats import Seat
from services.sandbox.twins.twin import Kit, No, Post, Twin

Json = dict[str, Any]
EPOCH: Final = 1_420_070_400_000  # …/developers/reference#snowflakes
BEAT: Final = 41_250  # milliseconds
KEPT: Final = 1000  # events of a session, for whoever resumes it
ESCAPED: Final = re.compile(r"\\([\\*_~`|<\[>#-])")
KINDS: Final = {"image", "audio", "video"}


def signer(token: str) -> Ed25519PrivateKey:
    """The application's key, which follows from its bot's token: the accounts file holds the public one only."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(token.encode()).digest())


def public_key(token: str) -> str:
    return signer(token).public_key().public_bytes_raw().hex()


class Discord(Twin):
    channel = "discord"
    name = "Discord"
    person = ("2822656076", 8)
    can = ("edit", "remove", "caption")
    emoji = ("👍", "❤️", "😂", "🔥", "🎉", "🙏")

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self._wires: dict[str, web.WebSocketResponse] = {}

    @staticmethod
    def id_of(seat: Seat) -> str:
        return str(seat.account["application_id"])

    def calls(self) -> list[web.RouteDef]:
        message = "/channels/{channel}/messages/{id}"
        return [
            self.call("GET", "/gateway/bot", self._where),
            web.get("/discord/gateway/", self._gateway),
            self.call("GET", "/applications/@me", self._application),
            self.call("PATCH", "/applications/@me", self._endpoint),
            self.call("POST", "/users/@me/channels", self._open),
            self.call("POST", "/channels/{channel}/messages", self._say, sends=True),
            self.call("GET", message, self._message),
            self.call("PATCH", message, self._edit),
            self.call("DELETE", message, self._delete),
            self.call("PUT", message + "/reactions/{emoji}/@me", self._react),
            self.call("DELETE", message + "/reactions/{emoji}/@me", self._react),
            self.call("POST", "/channels/{channel}/typing", self._typing),
            web.get("/discord/attachments/{id}", self._file),
        ]

    # what the adapter is told

    def post(self, seat: Seat, event: Json) -> Post:
        """An interaction: …/interactions/overview#setting-up-an-endpoint."""
        body, stamp = orjson.dumps(event["d"]), str(int(time.time()))
        signature = signer(str(seat.account["token"])).sign(stamp.encode() + body).hex()
        signed = {"X-Signature-Ed25519": signature, "X-Signature-Timestamp": stamp}
        url = self.shelf.get(f"endpoint/{seat.name}") or self.hook(seat)
        return Post(url, body, {"Content-Type": "application/json", **signed})

    def new_id(self, chat: Chat) -> str:
        return _snowflake()

    def said(self, chat: Chat, view: Json) -> None:
        if "pressed" in view:
            stands = {
                "id": view["reply_to"],
                "channel_id": _place(chat),
                "components": [_row([chat.views[view["reply_to"]]])],
            }
            about = {"application_id": chat.account, "channel_id": _place(chat), "context": 1, "user": _user(chat)}
            pressed = {"component_type": 2, "custom_id": view["pressed"]}
            told = {"id": view["id"], "type": 3, "token": secrets.token_urlsafe(30), "version": 1, **about}
            self.tell(chat, {"t": "INTERACTION_CREATE", "d": {**told, "data": pressed, "message": stands}})
            return
        self._event(chat, "MESSAGE_CREATE", self._shown(chat, view))

    def edited(self, chat: Chat, view: Json) -> None:
        self._event(chat, "MESSAGE_UPDATE", {**self._shown(chat, view), "edited_timestamp": _now()})

    def removed(self, chat: Chat, view: Json) -> None:
        self._event(chat, "MESSAGE_DELETE", {"id": view["id"], "channel_id": _place(chat)})

    def reacted(self, chat: Chat, view: Json, emoji: str | None) -> None:
        """One at a time on the phone, so another takes the place of the one before."""
        about = {"user_id": chat.user, "channel_id": _place(chat), "message_id": view["id"], "type": 0, "burst": False}
        before = view.get("reactions", {}).get("person")
        for kind, shown in (("REMOVE", before), ("ADD", emoji)):
            if shown:
                self._event(chat, f"MESSAGE_REACTION_{kind}", {**about, "emoji": {"id": None, "name": shown}})

    def _event(self, chat: Chat, kind: str, told: Json) -> None:
        self.tell(chat, {"t": kind, "d": told})

    def _shown(self, chat: Chat, view: Json, *, author: Json | None = None, nonce: str | None = None) -> Json:
        """…/resources/message#message-object."""
        if not {"text", "media"} & view.keys():
            raise Refused(400, "Discord sends no places and no cards")
        files = [_attachment(self._api(chat), view["media"])] if "media" in view else []
        answered = (
            {"message_reference": {"message_id": view["reply_to"]}, "type": 19} if "reply_to" in view else {"type": 0}
        )
        words = view.get("text") or view.get("caption") or ""
        about = {"id": view["id"], "channel_id": _place(chat), "author": author or _user(chat), "timestamp": _now()}
        return {
            **about,
            **answered,
            **({"nonce": nonce} if nonce else {}),
            "content": words,
            "attachments": files,
            "mentions": [],
            "embeds": [],
            "edited_timestamp": None,
        }

    def _api(self, chat: Chat) -> str:
        seat = self.seat(chat.account)
        return str(seat.account["api"]) if seat else ""

    # the gateway: https://docs.discord.com/developers/events/gateway

    async def _deliver(self, updates: Any) -> bool:
        """What is pressed goes to the webhook; the rest into the session, from which it is told as often as it is resumed."""
        (update,) = updates
        if update["event"]["t"] == "INTERACTION_CREATE" or self.seat(update["account"]) is None:
            return await super()._deliver(updates)
        times = 2 if self.control.faults.twice else 1
        return all([await self._dispatch(update["account"], update["event"]) for _ in range(times)])

    async def _dispatch(self, account: str, event: Json) -> bool:
        """Whether there is a session."""
        if (session := self.shelf.get(f"session/{account}")) is None:
            return False
        number = session["number"] + 1
        frame = {"op": 0, "s": number, **event}
        self.shelf.put(f"frame/{account}/{number:012}", frame)
        self.shelf.put(f"session/{account}", {**session, "number": number})
        self.shelf.drop(f"frame/{account}/{number - KEPT:012}")
        await self._say_on(self._wires.get(account), frame)
        return True

    async def _say_on(self, wire: web.WebSocketResponse | None, frame: Json) -> None:
        if wire is not None and not wire.closed:
            try:
                await wire.send_str(orjson.dumps(frame).decode())
            except ConnectionError:
                return

    async def _gateway(self, request: web.Request) -> web.WebSocketResponse:
        wire, account = web.WebSocketResponse(), ""
        await wire.prepare(request)
        await self._say_on(wire, {"op": 10, "d": {"heartbeat_interval": BEAT}})
        async for message in wire:
            told = orjson.loads(message.data) if message.type is WSMsgType.TEXT else {}
            match told.get("op"):
                case 1:
                    await self._say_on(wire, {"op": 11})
                case 2 | 6 if seat := self._seat_of(told["d"].get("token")):
                    account = self.id_of(seat)
                    await (self._begin if told["op"] == 2 else self._resume)(wire, account, told["d"])
                case 2 | 6:
                    await wire.close(code=4004)
                case _:
                    await wire.close(code=4001)
        if self._wires.get(account) is wire:
            del self._wires[account]
        return wire

    def _seat_of(self, token: object) -> Seat | None:
        return next((seat for seat in self.seats.all() if seat.account.get("token") == token), None)

    async def _begin(self, wire: web.WebSocketResponse, account: str, _told: Json) -> None:
        for key, _ in self.shelf.under(f"frame/{account}/"):
            self.shelf.drop(key)
        session = {"id": secrets.token_hex(16), "number": 0}
        self.shelf.put(f"session/{account}", session)
        self._wires[account] = wire
        url = next(str(seat.account["api"]) for seat in self.seats.all() if self.id_of(seat) == account)
        about = {"session_id": session["id"], "resume_gateway_url": f"{url.replace('http', 'ws', 1)}/gateway"}
        await self._dispatch(account, {"t": "READY", "d": {"v": 10, "user": _bot(account), "guilds": [], **about}})
        self.lanes.retry.set()

    async def _resume(self, wire: web.WebSocketResponse, account: str, told: Json) -> None:
        session = self.shelf.get(f"session/{account}")
        if session is None or session["id"] != told.get("session_id"):
            await self._say_on(wire, {"op": 9, "d": False})
            return
        self._wires[account] = wire
        for _, frame in sorted(self.shelf.under(f"frame/{account}/")):
            if frame["s"] > (told.get("seq") or 0):
                await self._say_on(wire, frame)
        await self._say_on(wire, {"op": 0, "t": "RESUMED", "s": session["number"], "d": {}})

    async def hang_up(self) -> None:
        for wire in list(self._wires.values()):
            await wire.close(code=1012)

    # what the adapter calls

    def allowed(self, seat: Seat, request: web.Request) -> bool:
        return request.headers.get("Authorization") == f"Bot {seat.account.get('token', '')}"

    def unknown(self) -> No:
        return _no(401, 0, "401: Unauthorized")

    async def _where(self, seat: Seat, request: web.Request) -> Json:
        url = str(seat.account["api"]).replace("http", "ws", 1)
        limit = {"total": 1000, "remaining": 999, "reset_after": 0, "max_concurrency": 1}
        return {"url": f"{url}/gateway", "shards": 1, "session_start_limit": limit}

    async def _application(self, seat: Seat, request: web.Request) -> Json:
        told = {"id": self.id_of(seat), "verify_key": public_key(str(seat.account["token"]))}
        return {**told, "interactions_endpoint_url": self.shelf.get(f"endpoint/{seat.name}")}

    async def _endpoint(self, seat: Seat, request: web.Request) -> Json:
        self.shelf.put(f"endpoint/{seat.name}", (await read_values(request))["interactions_endpoint_url"])
        self.lanes.retry.set()
        return await self._application(seat, request)

    async def _open(self, seat: Seat, request: web.Request) -> Json:
        user = (await read_values(request)).get("recipient_id")
        return {"id": _place(self.reached(seat, user, _no(400, 50278, "Cannot send messages to this user"))), "type": 1}

    async def _typing(self, seat: Seat, request: web.Request) -> web.Response:
        self._chat(seat, request).types()
        return web.Response(status=204)

    async def _say(self, seat: Seat, request: web.Request) -> Json:
        """On the phone each file stands by itself, the words above the first."""
        chat, values = self._chat(seat, request), await read_values(request)
        files = [one for one in values.values() if isinstance(one, Upload)]
        told = orjson.loads(values["payload_json"]) if "payload_json" in values else values
        nonce = told.get("nonce")
        if nonce and told.get("enforce_nonce") and (known := chat.about.get("nonces", {}).get(nonce)):
            return {"id": known, "channel_id": _place(chat), "nonce": nonce}
        content = _content(told)
        if not content.get("text") and not files:
            raise _no(400, 50006, "Cannot send an empty message")
        reply = (told.get("message_reference") or {}).get("message_id")
        answered = {"reply_to": reply} if reply in chat.views else {}
        views = [{"id": self.new_id(chat), **content, **answered}] if not files else []
        for number, file in enumerate(files):
            kept = self.files.keep(file.data, owner=chat.account, mime_type=file.mime_type, name=file.name)
            kind = kind if (kind := file.mime_type.partition("/")[0]) in KINDS else "file"
            words = {"caption": content["text"]} if content.get("text") and not number else {}
            views.append({"id": self.new_id(chat), "media": media_view(kept, kind), **words})
        shown = [self.show(chat, view) for view in views]
        chat.remember(nonces={**chat.about.get("nonces", {}), **({nonce: shown[0]["id"]} if nonce else {})})
        echo = self._shown(chat, shown[0], author=_bot(chat.account), nonce=nonce)
        self._event(chat, "MESSAGE_CREATE", echo)
        return echo

    async def _message(self, seat: Seat, request: web.Request) -> Json:
        chat, view = self._standing(seat, request)
        ours = [
            {"me": True, "count": 1, "emoji": {"id": None, "name": one}}
            for one in view.get("reactions", {}).get("bot", [])
        ]
        return {"id": view["id"], "channel_id": _place(chat), "reactions": ours}

    async def _edit(self, seat: Seat, request: web.Request) -> Json:
        chat, view = self._standing(seat, request, ours="Cannot edit a message authored by another user")
        chat.show({**view, **_content(await read_values(request)), "edited": True})
        return {"id": view["id"]}

    async def _delete(self, seat: Seat, request: web.Request) -> web.Response:
        chat, view = self._standing(seat, request, ours="Missing Permissions")
        chat.show({name: value for name, value in view.items() if name not in CONTENT} | {"removed": True})
        self._event(chat, "MESSAGE_DELETE", {"id": view["id"], "channel_id": _place(chat)})
        return web.Response(status=204)

    async def _react(self, seat: Seat, request: web.Request) -> web.Response:
        chat, view = self._standing(seat, request)
        emoji, shown = request.match_info["emoji"], view.get("reactions", {}).get("bot", [])
        rest = [one for one in shown if one != emoji]
        bot = rest if request.method == "DELETE" else [*rest, emoji]
        chat.show({**view, "reactions": {**view.get("reactions", {}), "bot": bot}})
        return web.Response(status=204)

    async def _file(self, request: web.Request) -> web.Response:
        if (file := self.files.get(request.match_info["id"])) is None:
            return web.Response(status=404)
        return download(self.files.data(file), file.mime_type)

    def _chat(self, seat: Seat, request: web.Request) -> Chat:
        user = f"28{request.match_info['channel'][2:]}"
        if self.chats.get(self.id_of(seat), user) is None:
            raise _no(404, 10003, "Unknown Channel")
        return self.reached(seat, user, _no(403, 50007, "Cannot send messages to this user"))

    def _standing(self, seat: Seat, request: web.Request, *, ours: str = "") -> tuple[Chat, Json]:
        """A message that is there; `ours`: the no to whoever would change another's. Raises No."""
        chat = self._chat(seat, request)
        view = chat.views.get(request.match_info["id"])
        if view is None or view.get("removed"):
            raise _no(404, 10008, "Unknown Message")
        if ours and view["direction"] != "in":
            raise _no(403, 50005, ours)
        return chat, view


def _no(status: int, code: int, message: str) -> No:
    return No(status, {"message": message, "code": code})


def _snowflake() -> str:
    return str((int(1000 * time.time()) - EPOCH) << 22 | secrets.randbelow(1 << 22))


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


def _row(views: list[Json]) -> Json:
    buttons = [
        {"type": 2, "custom_id": one["id"], "label": one["title"]} for view in views for one in view.get("choices", ())
    ]
    return {"type": 1, "components": buttons}


def _content(told: Json) -> Json:
    """The words, and the buttons of …/components/reference#button."""
    text = ESCAPED.sub(r"\1", told.get("content", ""))[:2000]
    buttons = [one for row in told.get("components", ()) for one in row["components"]]
    choices = [{"id": one.get("custom_id", ""), "title": one["label"], **({"url": one["url"]} if "url" in one else {})} for one in buttons]  # fmt: skip
    return {"text": text, **({"choices": choices} if choices else {})}
