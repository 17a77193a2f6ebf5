"""WhatsApp's Cloud API on loopback — https://developers.facebook.com/documentation/business-messaging/whatsapp."""

from __future__ import annotations

import time
from typing import Any, Final

from aiohttp import web

from services.sandbox.chats import Chat, Chats
from services.sandbox.faults import Control
from services.sandbox.files import File, Files
from services.sandbox.graph import Call, Graph, no_such_object
from services.sandbox.graph.templates import listed
from services.sandbox.phones import Phones
from services.sandbox.refusals import Refused
from services.sandbox.shelf import Shelf
from services.sandbox.whatsapp import webhooks
from services.sandbox.whatsapp.media import Media
from services.sandbox.whatsapp.numbers import Numbers
from services.sandbox.whatsapp.sends import Sends
from services.sandbox.whatsapp.templates import TEMPLATES

Json = dict[str, Any]
TOPIC: Final = "whatsapp_business_account"


class WhatsApp:
    """The platform that Graph dispatches to, and the provider behind the phones."""

    name = channel = "whatsapp"

    def __init__(self, shelf: Shelf, control: Control, graph: Graph) -> None:
        self._graph, self._control = graph, control
        self._numbers, self._files, self._chats = Numbers(shelf), Files(shelf), Chats(shelf)
        self._media = Media(self._numbers, self._files, control)
        self._sends = Sends(self._chats, self._files, control, self)
        self._phones = Phones(self, self._chats, self._files)
        graph.add(self)

    def routes(self) -> list[web.RouteDef]:
        return [*self._media.routes(), *self._phones.routes()]

    # the platform

    def claims(self, call: Call) -> bool:
        """Its own nodes; and, of nodes that nobody knows yet, what only WhatsApp is asked."""
        if call.node in self._numbers.accounts or call.node in self._numbers.numbers or self._media.knows(call.node):
            return True
        if call.edge == "subscribed_apps":
            return "subscribed_fields" not in call.values
        asked = str(call.values.get("fields", ""))
        return call.values.get("messaging_product") == "whatsapp" or "display_phone_number" in asked

    def sends(self, call: Call) -> bool:
        return call.edge == "messages" and "status" not in call.values

    async def answer(self, call: Call) -> Json:
        match call.method, call.edge:
            case "POST", "subscribed_apps":
                return self._join(call)
            case "GET", "message_templates":
                self._numbers.account(call.node, call.token)
                return listed(TEMPLATES)
            case "POST", "media":
                return self._media.upload(call, self._numbers.number(call.node, call.token)["id"])
            case "POST", ("register" | "deregister") as change:
                number = self._numbers.number(call.node, call.token)
                return self._numbers.register(number, registered=change == "register")
            case "POST", "messages":
                return await self._sends.take(call, self._numbers.number(call.node, call.token))
            case "POST", "thread_control":
                return self._sends.hand_over(call, self._numbers.number(call.node, call.token))
            case (("GET" | "DELETE"), "") if self._media.knows(call.node):
                return self._media.answer(call)
            case "GET", "":
                return self._describe(self._numbers.meet(call.node, call.token))
        raise no_such_object(call.node)

    def _join(self, call: Call) -> Json:
        """https://developers.facebook.com/documentation/business-messaging/whatsapp/reference/whatsapp-business-account/subscribed-apps-api."""
        self._graph.apps.join(call.node, topic=TOPIC, token=call.token, proof=call.values.get("appsecret_proof"))
        self._numbers.join(call.node, call.token)
        return {"success": True}

    def _describe(self, number: Json) -> Json:
        display = f"+{number['display'][:3]} {number['display'][3:5]} {number['display'][5:8]} {number['display'][8:]}"
        return {"id": number["id"], "display_phone_number": display, "verified_name": number["name"]}

    # the phones

    def accounts(self) -> list[Json]:
        return [{"id": number["id"], "name": number["name"]} for number in self._numbers.numbers.values()]

    def meet(self, account: str, user: str) -> None:
        if account not in self._numbers.numbers:
            raise Refused(404, f"no number {account} is registered yet; start the adapter that has its token")
        if not (webhooks.PHONE.fullmatch(user) or webhooks.USER_ID.fullmatch(user)):
            raise Refused(400, "a person is a phone number in digits, or an id such as KH.1502576394655843")

    def new_id(self, chat: Chat) -> str:
        return webhooks.wamid()

    def said(self, chat: Chat, view: Json) -> None:
        file = self._file(view)
        business = self._numbers.numbers[chat.account]["display"]
        chat.remember(last_in=time.time())  # what opens the window: not what is changed of an earlier message
        self._told(chat, webhooks.said(chat, view, business=business, file=file, sha256=self._hash(file)))

    def edited(self, chat: Chat, view: Json) -> None:
        file = self._file(view)
        self._told(chat, webhooks.edited(chat, view, file=file, sha256=self._hash(file)))

    def removed(self, chat: Chat, view: Json) -> None:
        self._told(chat, webhooks.removed(chat, view))

    def reacted(self, chat: Chat, view: Json, emoji: str | None) -> None:
        self._told(chat, webhooks.reacted(chat, view, emoji))

    def blocked(self, chat: Chat, *, blocked: bool) -> None:
        """WhatsApp tells no business of it."""

    def read(self, chat: Chat, views: list[Json]) -> None:
        for view in views:
            self._sends.read(chat, view)

    def _told(self, chat: Chat, message: Json) -> None:
        self.tell(chat, contacts=[webhooks.contact(chat)], messages=[message])

    def tell(self, chat: Chat, **about: list[Json]) -> None:
        """Messages or statuses to the app that is subscribed to the number's account."""
        number = self._numbers.numbers[chat.account]
        metadata = {"display_phone_number": number["display"], "phone_number_id": number["id"]}
        value = {"messaging_product": "whatsapp", "metadata": metadata, **about}
        entry = {"id": number["waba"], "changes": [{"value": value, "field": "messages"}]}
        self._graph.tell(number["waba"], topic=TOPIC, field="messages", lane=f"{number['id']}/{chat.user}", entry=entry)

    async def settled(self) -> None:
        """When all that was told has arrived, or nearly."""
        await self._graph.deliveries.settled(5)

    def _file(self, view: Json) -> File | None:
        return self._files.get(view["media"]["id"]) if "media" in view else None

    def _hash(self, file: File | None) -> str:
        return self._media.sha256(file) if file else ""
