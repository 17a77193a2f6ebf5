"""RCS for Business in small — https://developers.google.com/business-communications/rcs-business-messaging/reference/rest."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Iterator
from typing import Any, Final

import orjson
from aiohttp import web

from services.sandbox.chats import Chat, now
from services.sandbox.said import choice_view, taken_back
from services.sandbox.twins.proofs import b64, mac
from services.sandbox.twins.seats import Seat
from services.sandbox.twins.serviced import Serviced, pushed, service_account
from services.sandbox.twins.twin import HERE, Call, First, Post

Json = dict[str, Any]
TEXT: Final = 3072
SUGGESTIONS: Final = 11
PHONE: Final = "/v1/phones/{phone}"


class Rcs(Serviced):
    channel = "rcs"
    name = "RCS"
    key = "agent"
    person = ("+855", 8)
    can = ("media", "location")
    offers = "beside"

    @classmethod
    def first(cls) -> First:
        account = {"agent": "parley_shop_sandbox_agent", "credentials": service_account(), "traffic": "TRANSACTION"}
        return First({**account, "login": HERE, "api": HERE}, {"token": secrets.token_urlsafe(12)})

    def calls(self) -> Iterator[web.RouteDef]:
        yield self.call("POST", "/token", self.token, anyone=True)
        yield self.call("GET", f"{PHONE}/capabilities", self._capabilities)
        yield self.call("POST", f"{PHONE}/agentMessages", self._message, sends=True)
        yield self.call("DELETE", f"{PHONE}/agentMessages/{{id}}", self._revoke)
        yield self.call("POST", f"{PHONE}/agentEvents", self._event)
        yield self.call("GET", "/files/{id}", self.serve, anyone=True)

    # what the adapter is told

    def new_id(self, chat: Chat) -> str:
        return f"Mx{uuid.uuid4().hex[:22]}"

    def post(self, seat: Seat, event: Json) -> Post:
        told = {**event, "agentId": f"{self.id_of(seat)}@rbm.goog"}
        proof = b64(mac(seat.app["token"], orjson.dumps(told), hashlib.sha512))
        return Post(self.hook(seat), orjson.dumps(pushed(told)), {"X-Goog-Signature": proof})

    def said(self, chat: Chat, view: Json) -> Iterator[Json]:
        yield {**_said(view, f"{self.api(chat)}/files"), **_place(chat), "messageId": view["id"]}

    def blocked(self, chat: Chat, *, blocked: bool) -> Iterator[Json]:
        yield _told(chat, "UNSUBSCRIBE" if blocked else "SUBSCRIBE")

    def read(self, chat: Chat, views: list[Json]) -> Iterator[Json]:
        for view in views:
            yield _told(chat, "READ", messageId=view["id"])

    # what the adapter calls

    def _at(self, call: Call) -> Chat:
        return self.reached(call, call.path["phone"], self.no("nobody_of_that_number"))

    def _capabilities(self, call: Call) -> Json:
        return {"name": f"phones/{self._at(call).user}/capabilities", "features": ["RICHCARD_STANDALONE"]}

    async def _message(self, call: Call) -> Json:
        """An id that was used before is ignored."""
        chat, name, content = self._at(call), call.values["messageId"], call.values["contentMessage"]
        if name not in chat.views:
            uuid.UUID(name)
            self.show(chat, {"id": name, **await self._content(chat, content)})
            self.tell(chat, _told(chat, "DELIVERED", messageId=name))
        return {"name": f"phones/{chat.user}/agentMessages/{name}", "sendTime": now(), "contentMessage": content}

    async def _content(self, chat: Chat, content: Json) -> Json:
        suggestions = content.get("suggestions", ())
        if "contentInfo" in content:
            return {"media": await self.fetched(chat, content["contentInfo"]["fileUrl"])}
        if not 0 < len(content["text"]) <= TEXT or len(suggestions) > SUGGESTIONS:
            raise self.no("malformed")
        choices = [_choice(one.get("reply") or one["action"]) for one in suggestions]
        return {"text": content["text"], **({"choices": choices} if choices else {})}

    def _revoke(self, call: Call) -> Json:
        """It is answered alike whether it was in time. On this phone it always was."""
        chat = self._at(call)
        if view := chat.views.get(call.path["id"]):
            chat.show(taken_back(view))
        return {}

    def _event(self, call: Call) -> Json:
        chat, kind = self._at(call), call.values["eventType"]
        if kind == "IS_TYPING":
            chat.types()
        elif kind == "READ" and (view := chat.views.get(call.values["messageId"])):
            chat.show({**view, "status": "read"})
        return {"name": f"phones/{chat.user}/agentEvents/{call.values['eventId']}", "eventType": kind}


def _place(chat: Chat) -> Json:
    return {"senderPhoneNumber": chat.user, "sendTime": now()}


def _told(chat: Chat, kind: str, **about: str) -> Json:
    return {**_place(chat), "eventType": kind, "eventId": uuid.uuid4().hex, **about}


def _choice(suggestion: Json) -> Json:
    """A place is shown by a map of the phone's, which is an address here."""
    url = suggestion.get("openUrlAction", {}).get("url", "")
    if place := suggestion.get("viewLocationAction"):
        url = f"geo:{place['latLong']['latitude']},{place['latLong']['longitude']}"
    return choice_view(suggestion["postbackData"], suggestion["text"], url)


def _said(view: Json, files: str) -> Json:
    """https://developers.google.com/business-communications/rcs-business-messaging/reference/rest/v1/UserMessage."""
    if "pressed" in view:
        return {"suggestionResponse": {"postbackData": view["pressed"], "text": view["text"], "type": "REPLY"}}
    if media := view.get("media"):
        about = {"mimeType": media["mime_type"], "fileSizeBytes": media["size"], "fileName": media["name"]}
        return {"userFile": {"payload": {**about, "fileUri": f"{files}/{media['id']}"}}}
    if place := view.get("location"):
        return {"location": {name: place[name] for name in ("latitude", "longitude")}}
    return {"text": view["text"]}
