"""LINE in small — https://developers.line.biz/en/reference/messaging-api/."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

from aiohttp import web

from services.sandbox.chats import Chat
from services.sandbox.files import download
from services.sandbox.said import choice_view
from services.sandbox.twins.line.events import Tells
from services.sandbox.twins.twin import Call, No, digits

Json = dict[str, Any]
TEXT: Final = 5000
MESSAGES: Final = 5


class Line(Tells):
    def calls(self) -> Iterator[web.RouteDef]:
        yield self.call("GET", "/v2/bot/info", self._info)
        yield self.call("PUT", "/v2/bot/channel/webhook/endpoint", self._endpoint)
        yield self.call("GET", "/v2/bot/profile/{user}", self._profile)
        yield self.call("GET", "/v2/bot/message/{id}/content", self._content)
        yield self.call("POST", "/v2/bot/chat/loading/start", self._loading)
        yield self.call("POST", "/v2/bot/chat/markAsRead", self._seen)
        yield self.call("POST", "/v2/bot/message/reply", self._reply, sends=True)
        yield self.call("POST", "/v2/bot/message/push", self._push, sends=True)

    def _info(self, call: Call) -> Json:
        return {"userId": self.id_of(call.seat), "basicId": "@parley", "displayName": "Parley Shop", "chatMode": "bot"}

    def _endpoint(self, call: Call) -> Json:
        self.set_hook(call.seat, call.values["endpoint"])
        return {}

    def _profile(self, call: Call) -> Json:
        chat = self.reached(call, call.path["user"], self.no("no_friend"))
        return {"userId": chat.user, "displayName": chat.name, "language": "km"}

    def _content(self, call: Call) -> web.Response:
        name = call.path["id"]
        media = next((chat.views[name].get("media") for chat in self.chats if name in chat.views), None) or {}
        file = self.file(media.get("id"))
        return download(self.files.data(file), file.mime_type)

    def _loading(self, call: Call) -> web.Response:
        self.reached(call, call.values["chatId"], self.no("nobody_of_that_id")).types()
        return web.json_response({}, status=202)

    def _seen(self, call: Call) -> Json:
        """Up to the message of that token."""
        name = call.values["markAsReadToken"].removeprefix("m-")
        chat = next((one for one in self.chats if name in one.views), None)
        if chat is None:
            raise self.no("seen_bad_token")
        chat.seen(chat.views[name]["at"])
        return {}

    async def _reply(self, call: Call) -> Json:
        """A token is good once, for a minute."""
        token, now = call.values["replyToken"], time.time()
        chat = next((one for one in self.chats if one.about.get("tokens", {}).get(token, 0) > now), None)
        if chat is None or "X-Line-Retry-Key" in call.request.headers:
            raise self.no("reply_token_is_gone")
        sent = await self._sent(chat, call.values)
        chat.remember(tokens={name: until for name, until in chat.about["tokens"].items() if name != token})
        return sent

    async def _push(self, call: Call) -> Json:
        key = call.request.headers.get("X-Line-Retry-Key", "")
        if known := self.shelf.get(f"key/{key}"):
            raise No(409, {"message": "The retry key is already accepted", **known})
        sent = await self._sent(self.reached(call, call.values["to"], self.no("nobody_of_that_id")), call.values)
        if key:
            self.shelf.put(f"key/{key}", sent)
        return sent

    async def _sent(self, chat: Chat, values: Json) -> Json:
        if not 0 < len(values["messages"]) <= MESSAGES:
            raise self.no("malformed")
        views = [await self._view(chat, message) for message in values["messages"]]
        shown = [self.show(chat, view) for view in views]
        return {"sentMessages": [{"id": view["id"], "quoteToken": f"q-{view['id']}"} for view in shown]}

    async def _view(self, chat: Chat, message: Json) -> Json:
        quoted = str(message.get("quoteToken", "")).removeprefix("q-")
        view: Json = {"id": digits(18), **({"reply_to": quoted} if quoted in chat.views else {})}
        if items := message.get("quickReply", {}).get("items"):
            actions = [item["action"] for item in items]
            view["choices"] = [choice_view(one.get("data", ""), one["label"], one.get("uri", "")) for one in actions]
        match message["type"]:
            case "text" if len(message["text"].encode("utf-16-le")) // 2 > TEXT:
                raise self.no("too_long")
            case "text" if message["text"]:
                return {**view, "text": message["text"]}
            case "location":
                place = {name: message[name] for name in ("latitude", "longitude", "address")}
                return {**view, "location": {**place, "name": message["title"]}}
            case ("image" | "video" | "audio") as kind:
                return {**view, "media": await self.fetched(chat, message["originalContentUrl"], kind)}
        raise self.no("malformed")
