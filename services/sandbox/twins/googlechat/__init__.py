"""Google Chat in small — https://developers.google.com/workspace/chat/api/reference/rest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import orjson
from aiohttp import web

from services.sandbox.chats import Chat, now
from services.sandbox.said import choice_view
from services.sandbox.twins.googlechat.events import Tells, space_of
from services.sandbox.twins.proofs import Signer
from services.sandbox.twins.twin import Call

Json = dict[str, Any]
BYTES: Final = 32_000  # of a message
MESSAGES: Final = "/v1/spaces/{space}/messages"


class GoogleChat(Tells):
    def calls(self) -> Iterator[web.RouteDef]:
        yield self.call("GET", "/service_accounts/v1/jwk/{name}", self._keys, anyone=True)
        yield self.call("GET", "/oauth2/v3/certs", self._keys, anyone=True)
        yield self.call("POST", "/token", self.token, anyone=True)
        yield self.call("GET", "/v1/spaces:findDirectMessage", self._found)
        yield self.call("POST", MESSAGES, self._sent, sends=True)
        yield self.call("PATCH", f"{MESSAGES}/{{id}}", self._changed)
        yield self.call("DELETE", f"{MESSAGES}/{{id}}", self._deleted)
        yield self.call("GET", "/v1/media/{id}", self.serve)

    def _keys(self, call: Call) -> Json:
        return {"keys": [Signer(self.shelf).public()]}

    def _found(self, call: Call) -> Json:
        name = str(call.values["name"]).removeprefix("users/")
        return {"name": space_of(self.reached(call, name, self.no("nobody_who_has_the_app")))}

    async def _sent(self, call: Call) -> Json:
        """The name of a request is remembered with the message that it made."""
        chat = self._chat(call)
        if (name := self.shelf.get(key := f"request/{chat.user}/{call.values['requestId']}")) is None:
            name = self.show(chat, {"id": self.new_id(chat), **await self._view(chat, call.values)})["id"]
            self.shelf.put(key, name)
        return {"name": name, "createTime": now()}

    async def _changed(self, call: Call) -> Json:
        chat, view = self._standing(call)
        chat.show({**view, **await self._view(chat, call.values), "edited": True})
        return {"name": view["id"], "createTime": now()}

    def _deleted(self, call: Call) -> Json:
        chat, view = self._standing(call)
        chat.show({"id": view["id"], "direction": "in", "removed": True})
        return {}

    def _chat(self, call: Call) -> Chat:
        if len(orjson.dumps(call.values)) > BYTES:
            raise self.no("too_large")
        return self.reached(call, call.path["space"].removeprefix("dm"), self.no("no_such_space"))

    def _standing(self, call: Call) -> tuple[Chat, Json]:
        chat, name = self._chat(call), f"spaces/{call.path['space']}/messages/{call.path['id']}"
        return chat, self.standing(chat, name, gone=self.no("edits_what_is_gone"), theirs=self.no("somebody_elses"))

    async def _view(self, chat: Chat, message: Json) -> Json:
        words = {"text": message["text"]} if message.get("text") else {}
        match [one["card"]["sections"][0]["widgets"][0] for one in message.get("cardsV2", ())]:
            case []:
                return words
            case [{"image": {"imageUrl": address}}]:
                return {"media": await self.fetched(chat, address, "image"), "caption": message["text"]}
            case [{"buttonList": {"buttons": buttons}}]:
                return {**words, "choices": [_choice(one) for one in buttons]}
        raise self.no("bad_argument")


def _choice(button: Json) -> Json:
    if link := button["onClick"].get("openLink"):
        return choice_view(link["url"], button["text"], link["url"])
    told = {one["key"]: one["value"] for one in button["onClick"]["action"]["parameters"]}
    return choice_view(told["choice"], button["text"])
