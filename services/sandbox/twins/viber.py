"""Viber in small — https://creators.viber.com/docs/bots-api/welcome."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from html import unescape
from typing import Any, Final

import orjson
from aiohttp import web

from services.sandbox.access import same
from services.sandbox.chats import Chat
from services.sandbox.said import choice_view
from services.sandbox.twins.proofs import mac
from services.sandbox.twins.seats import Seat
from services.sandbox.twins.twin import HERE, Call, First, Post, Twin, digits

Json = dict[str, Any]
TEXT: Final = 7000
TYPES: Final = {"image": "picture", "video": "video", "sticker": "sticker"}
KINDS: Final = {"picture": "image", "video": "video", "file": "file"}


class Viber(Twin):
    channel = "viber"
    name = "Viber"
    person = ("viber-", 9)
    can = ("media", "caption", "location", "contact")
    offers = "beside"

    @classmethod
    def first(cls) -> First:
        token = {"token": "-".join(secrets.token_hex(8) for _ in range(3))}
        return First({**token, "sender": "Parley Shop", "api": HERE}, token)

    def id_of(self, seat: Seat) -> str:
        return seat.name

    def calls(self) -> Iterator[web.RouteDef]:
        yield self.call("POST", "/pa/set_webhook", self._webhook)
        yield self.call("POST", "/pa/send_message", self._send, sends=True)
        yield self.call("GET", "/media/{id}", self.serve, anyone=True)

    def allowed(self, seat: Seat, request: web.Request) -> bool:
        return same(request.headers.get("X-Viber-Auth-Token", ""), str(seat.account.get("token", "")))

    # what the adapter is told

    def post(self, seat: Seat, event: Json) -> Post:
        body = orjson.dumps(event)
        return Post(self.hook(seat), body, {"X-Viber-Content-Signature": mac(seat.app["token"], body).hex()})

    def said(self, chat: Chat, view: Json) -> Iterator[Json]:
        """What the last message of the bot brought along goes back with the answer to it."""
        back = {"tracking_data": chat.about["asked"]} if "asked" in chat.about else {}
        message = {**_message(view, f"{self.api(chat)}/media"), **back}
        yield _event("message", view["id"], sender=_person(chat), message=message, silent=False)

    def blocked(self, chat: Chat, *, blocked: bool) -> Iterator[Json]:
        if blocked:
            yield _event("unsubscribed", digits(18), user_id=chat.user)
        else:
            yield _event("subscribed", digits(18), user=_person(chat))

    def read(self, chat: Chat, views: list[Json]) -> Iterator[Json]:
        for view in views:
            yield _event("seen", view["id"], user_id=chat.user)

    # what the adapter calls

    async def _webhook(self, call: Call) -> Json:
        """Called before the answer, to see that somebody listens."""
        self.set_hook(call.seat, call.values["url"])
        if not await self.deliver(call.seat, _event("webhook", digits(18))):
            raise self.no("invalid_url")
        return {"status": 0, "status_message": "ok", "event_types": call.values["event_types"]}

    async def _send(self, call: Call) -> Json:
        values = call.values
        chat = self.reached(call, values["receiver"], self.no("not_subscribed"))
        if not values["sender"]["name"]:
            raise self.no("missing")
        view = self.show(chat, {"id": digits(18), **await self._content(chat, values), **_choices(values)})
        chat.remember(asked=values.get("tracking_data", ""))
        self.tell(chat, _event("delivered", view["id"], user_id=chat.user))
        return {"status": 0, "status_message": "ok", "message_token": int(view["id"]), "billing_status": 1}

    async def _content(self, chat: Chat, values: Json) -> Json:
        match values["type"]:
            case "text" if 0 < len(values["text"]) <= TEXT:
                return {"text": values["text"]}
            case "location":
                return {"location": {"latitude": values["location"]["lat"], "longitude": values["location"]["lon"]}}
            case "url":
                return {"text": values["media"]}
            case ("picture" | "video" | "file") as kind:
                media = await self.fetched(chat, values["media"], KINDS[kind])
                return {"media": {**media, "name": values.get("file_name") or media["name"]}}
        raise self.no("malformed")


def _event(kind: str, token: str, **about: Any) -> Json:
    return {"event": kind, "timestamp": int(1000 * time.time()), "message_token": int(token), **about}


def _person(chat: Chat) -> Json:
    return {"id": chat.user, "name": chat.name, "country": "KH", "language": "km", "api_version": 10}


def _choices(values: Json) -> Json:
    """A button's words are HTML."""
    buttons = values.get("keyboard", {}).get("Buttons", ())
    return {"choices": [choice_view(one["ActionBody"], unescape(one["Text"])) for one in buttons]} if buttons else {}


def _message(view: Json, files: str) -> Json:
    """https://creators.viber.com/docs/bots-api/events/user-message-received."""
    if file := view.get("media"):
        about = {"media": f"{files}/{file['id']}", "file_name": file["name"], "file_size": file["size"]}
        return {"type": TYPES.get(file["kind"], "file"), **about, "text": view.get("caption", "")}
    if place := view.get("location"):
        return {"type": "location", "location": {"lat": place["latitude"], "lon": place["longitude"]}}
    if card := view.get("contact"):
        return {"type": "contact", "contact": {"name": card["name"], "phone_number": card.get("phone", "")}}
    return {"type": "text", "text": view.get("pressed") or view["text"]}
