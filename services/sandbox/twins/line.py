"""LINE in small — https://developers.line.biz/en/reference/messaging-api/."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from typing import Any, Final

import orjson
from aiohttp import web

from services.sandbox.bodies import read_values
from services.sandbox.chats import Chat
from services.sandbox.files import download
from services.sandbox.refusals import Refused
from services.sandbox.twins.seats import Seat
from services.sandbox.twins.twin import No, Post, Twin, digits

Json = dict[str, Any]
LIVES: Final = 60.0  # seconds of a reply token
TEXT: Final = 5000
KINDS: Final = {"image", "video", "audio", "file"}
NOT_FOUND: Final = {"message": "Not found"}
NOBODY: Final = {"message": "The property, 'to', in the request body is invalid (line: -, column: -)"}
PROPERTY: Final = {"message": "Length must be between 0 and 5000", "property": "messages[0].text"}
TOO_LONG: Final = {"message": "The request body has 1 error(s)", "details": [PROPERTY]}


class Line(Twin):
    channel = "line"
    name = "LINE"
    person = ("U", 32)
    can = ("remove",)
    offers = "beside"

    @staticmethod
    def id_of(seat: Seat) -> str:
        return str(seat.account["user_id"])

    def calls(self) -> list[web.RouteDef]:
        return [
            self.call("GET", "/v2/bot/info", self._info),
            self.call("PUT", "/v2/bot/channel/webhook/endpoint", self._endpoint),
            self.call("GET", "/v2/bot/profile/{user}", self._profile),
            self.call("GET", "/v2/bot/message/{id}/content", self._file),
            self.call("POST", "/v2/bot/chat/loading/start", self._loading),
            self.call("POST", "/v2/bot/message/reply", self._reply, sends=True),
            self.call("POST", "/v2/bot/message/push", self._push, sends=True),
        ]

    # what the adapter is told

    def post(self, seat: Seat, event: Json) -> Post:
        body = orjson.dumps({"destination": self.id_of(seat), "events": [event]})
        digest = hmac.digest(str(seat.app["secret"]).encode(), body, hashlib.sha256)
        signed = {"Content-Type": "application/json", "X-Line-Signature": base64.b64encode(digest).decode()}
        return Post(self.shelf.get(f"endpoint/{seat.name}") or self.hook(seat), body, signed)

    def said(self, chat: Chat, view: Json) -> None:
        if "pressed" in view:
            self._event(chat, "postback", postback={"data": view["pressed"]}, replyToken=self._token(chat))
            return
        told = {"id": view["id"], "quoteToken": f"q-{view['id']}", "markAsReadToken": secrets.token_urlsafe(20)}
        quotes = {"quotedMessageId": view["reply_to"]} if "reply_to" in view else {}
        self._event(chat, "message", message={**_message(view), **told, **quotes}, replyToken=self._token(chat))

    def removed(self, chat: Chat, view: Json) -> None:
        self._event(chat, "unsend", unsend={"messageId": view["id"]})

    def blocked(self, chat: Chat, *, blocked: bool) -> None:
        back = {"follow": {"isUnblocked": True}, "replyToken": self._token(chat)}
        self._event(chat, "unfollow" if blocked else "follow", **({} if blocked else back))

    def _event(self, chat: Chat, kind: str, **about: Any) -> None:
        event = {
            "type": kind,
            "mode": "active",
            "timestamp": int(1000 * time.time()),
            "source": {"type": "user", "userId": chat.user},
            "webhookEventId": secrets.token_hex(13).upper(),
            "deliveryContext": {"isRedelivery": False},
        }
        self.tell(chat, {**event, **about})

    def _token(self, chat: Chat) -> str:
        token, now = secrets.token_hex(16), time.time()
        good = {name: until for name, until in chat.about.get("tokens", {}).items() if until > now}
        chat.remember(tokens={**good, token: now + LIVES})
        return token

    # what the adapter calls

    async def _info(self, seat: Seat, request: web.Request) -> Json:
        return {"userId": self.id_of(seat), "basicId": "@parley", "displayName": "Parley Shop", "chatMode": "bot"}

    async def _endpoint(self, seat: Seat, request: web.Request) -> Json:
        self.shelf.put(f"endpoint/{seat.name}", (await read_values(request))["endpoint"])
        self.lanes.retry.set()
        return {}

    async def _profile(self, seat: Seat, request: web.Request) -> Json:
        chat = self.reached(seat, request.match_info["user"], No(404, NOT_FOUND))
        return {"userId": chat.user, "displayName": chat.name, "language": "km"}

    async def _file(self, seat: Seat, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        media = next((chat.views[name].get("media") for chat in self.chats if name in chat.views), None)
        if not media or (file := self.files.get(media["id"])) is None:
            raise No(404, NOT_FOUND)
        return download(self.files.data(file), file.mime_type)

    async def _loading(self, seat: Seat, request: web.Request) -> web.Response:
        self.reached(seat, (await read_values(request)).get("chatId"), No(400, NOBODY)).types()
        return web.json_response({}, status=202)

    async def _reply(self, seat: Seat, request: web.Request) -> Json:
        """A token is good once, for a minute."""
        values = await read_values(request)
        token, now = values.get("replyToken"), time.time()
        chat = next((one for one in self.chats if one.about.get("tokens", {}).get(token, 0) > now), None)
        if chat is None or "X-Line-Retry-Key" in request.headers:
            raise No(400, {"message": "Invalid reply token" if chat is None else "The retry key is not supported"})
        sent = await self._sent(chat, values)
        chat.remember(tokens={name: until for name, until in chat.about["tokens"].items() if name != token})
        return sent

    async def _push(self, seat: Seat, request: web.Request) -> Json:
        values, key = await read_values(request), request.headers.get("X-Line-Retry-Key", "")
        if known := self.shelf.get(f"key/{key}"):
            raise No(409, {"message": "The retry key is already accepted", **known})
        sent = await self._sent(self.reached(seat, values.get("to"), No(400, NOBODY)), values)
        if key:
            self.shelf.put(f"key/{key}", sent)
        return sent

    async def _sent(self, chat: Chat, values: Json) -> Json:
        views = [self.show(chat, await self._view(chat, message)) for message in values["messages"][:5]]
        return {"sentMessages": [{"id": view["id"], "quoteToken": f"q-{view['id']}"} for view in views]}

    async def _view(self, chat: Chat, message: Json) -> Json:
        quoted = str(message.get("quoteToken", "")).removeprefix("q-")
        view: Json = {"id": digits(18), **({"reply_to": quoted} if quoted in chat.views else {})}
        if items := message.get("quickReply", {}).get("items"):
            view["choices"] = [_choice(item["action"]) for item in items]
        match message.get("type"):
            case "text" if 0 < len(message["text"].encode("utf-16-le")) // 2 <= TEXT:
                return {**view, "text": message["text"]}
            case "location":
                place = {name: message[name] for name in ("latitude", "longitude", "address")}
                return {**view, "location": {**place, "name": message["title"]}}
            case ("image" | "video" | "audio") as kind:
                return {**view, "media": await self.fetched(chat, message["originalContentUrl"], kind)}
        raise No(400, TOO_LONG)


def _choice(action: Json) -> Json:
    return {
        "id": action.get("data", ""),
        "title": action["label"],
        **({"url": action["uri"]} if "uri" in action else {}),
    }


def _message(view: Json) -> Json:
    """https://developers.line.biz/en/reference/messaging-api/#message-event."""
    if "media" in view:
        media = view["media"]
        if "caption" in view:
            raise Refused(400, "LINE has no words under a file")
        if media["kind"] in KINDS - {"file"}:
            return {"type": media["kind"], "contentProvider": {"type": "line"}}
        return {"type": "file", "fileName": media["name"], "fileSize": media["size"]}
    if "location" in view:
        place = view["location"]
        return {
            "type": "location",
            "title": place.get("name"),
            **{name: place[name] for name in place if name != "name"},
        }
    if "text" not in view:
        raise Refused(400, "LINE sends no cards")
    return {"type": "text", "text": view["text"]}
