"""POST /{number}/messages: who may be written to, how often, and what is told of it afterwards."""

from __future__ import annotations

import secrets
import time
from typing import Any, Final, Protocol

from services.sandbox.chats import Chat, Chats
from services.sandbox.faults import Control
from services.sandbox.files import Files
from services.sandbox.graph import Call, GraphError, invalid
from services.sandbox.pace import Pace
from services.sandbox.whatsapp import webhooks
from services.sandbox.whatsapp.marks import mark, react
from services.sandbox.whatsapp.messages import shown

Json = dict[str, Any]
NOBODY: Final = "999"  # a country code that is not given to any country: such numbers are not on WhatsApp


class Teller(Protocol):
    """How the business learns of statuses."""

    def tell(self, chat: Chat, **about: list[Json]) -> None: ...

    async def settled(self) -> None: ...


class Sends:
    """Messages of the business, as far as the person's phone."""

    def __init__(self, chats: Chats, files: Files, control: Control, teller: Teller) -> None:
        self._chats, self._files, self._control, self._teller = chats, files, control, teller
        self._pace = Pace()

    async def take(self, call: Call, number: Json) -> Json:
        if call.values.get("messaging_product") != "whatsapp":
            raise invalid("The parameter messaging_product is required.")
        if call.values.get("status") == "read":
            return mark(call, number, self._chats)
        if not number.get("registered", True):
            raise _no(
                133010, "Phone number not registered on the Whatsapp Business Platform.", "Register the number first."
            )
        chat = self._recipient(call, number)
        if call.values.get("type") == "reaction":
            react(call, chat)
            return self._answer(call.values, chat, {"id": f"wamid.{secrets.token_urlsafe(24)}"})
        view = shown(call.values, self._files, number["id"])
        self._check(chat, call.values)
        self._slow_down(number, chat)
        sent = self._place(chat, call.values, view)
        await self._tell(chat, sent)
        return self._answer(call.values, chat, sent)

    def hand_over(self, call: Call, number: Json) -> Json:
        """Only one app answers here, so the thread stays where it is.

        https://developers.facebook.com/documentation/meta-business-agent/reference/operate/thread-control-cloud-api
        """
        action, whom = call.values.get("action"), call.values.get("control_pass")
        if call.values.get("messaging_product") != "whatsapp" or action not in {"pass", "take", "release"}:
            raise invalid("messaging_product must be whatsapp, action one of pass, take, release")
        if whom is not None and (action != "pass" or whom != {"target_role": "ai_agent"}):
            raise invalid("control_pass is of a pass, to the target_role ai_agent")
        self._recipient(call, number)
        return {"messaging_product": "whatsapp"}

    def _recipient(self, call: Call, number: Json) -> Chat:
        """`to` has precedence over `recipient`: …/whatsapp/business-scoped-user-ids#messages."""
        phone = str(call.values.get("to") or "").removeprefix("+")
        if phone == number["display"]:
            raise _no(131021, "Recipient cannot be sender", "Recipient cannot be sender")
        if phone.startswith(NOBODY):
            raise _no(131026, "Message undeliverable", "The recipient phone number is not a WhatsApp phone number.")
        if webhooks.PHONE.fullmatch(phone):
            return self._chats.meet(number["id"], phone)
        wanted = call.values.get("recipient")
        known = (one for one in self._chats if one.account == number["id"] and webhooks.user_id(one.user) == wanted)
        if not phone and (chat := next(known, None)):
            return chat
        raise _no(131009, "Parameter value is not valid", "to must be a phone number, recipient the id of a person")

    def _check(self, chat: Chat, values: Json) -> None:
        quoted = (values.get("context") or {}).get("message_id")
        if quoted is not None and quoted not in chat.views:
            raise invalid("Param context['message_id'] is not a message of this chat")
        age = time.time() - chat.about.get("last_in", 0)
        if values.get("type") != "template" and age > self._control.faults.meta.window_hours * 3600:
            details = "Message failed to send because more than 24 hours have passed since the customer last replied to this number."
            raise _no(131047, "Re-engagement message", details)

    def _slow_down(self, number: Json, chat: Chat) -> None:
        """https://developers.facebook.com/docs/whatsapp/cloud-api/overview#throughput, and #pair-rate-limits."""
        limits = self._control.faults.meta.limits
        whole = self._pace.bucket(number["id"], rate=limits.per_second, burst=limits.burst)
        pair = self._pace.bucket((number["id"], chat.user), rate=limits.per_pair_second, burst=limits.pair_burst)
        if whole.wait():
            details = "Message failed to send because there were too many messages sent from this phone number in a short period of time."
            raise _no(130429, "Rate limit hit", details, status=429)
        if pair.wait():
            details = "Message failed to send because there were too many messages sent from this phone number to the same phone number in a short period of time."
            raise _no(131056, "(Business Account, Consumer Account) pair rate limit hit", details)
        whole.take()
        pair.take()

    def _place(self, chat: Chat, values: Json, view: Json) -> Json:
        """On the phone, unless the person has blocked the business; in the log either way."""
        about = {"id": webhooks.wamid(), "direction": "in", "status": "sent" if chat.blocked else "delivered"}
        if values.get("context"):
            about["reply_to"] = values["context"]["message_id"]
        if values.get("biz_opaque_callback_data"):
            about["callback_data"] = values["biz_opaque_callback_data"]
        if values.get("type") == "interactive" and values["interactive"]["type"] == "list":
            view = {**view, "list": True}
        sent = {**view, **about}
        if not chat.blocked:
            chat.show(sent)
        told = {"account": chat.account, "to": chat.user, "type": values.get("type", "text")}
        words = view.get("text") or view.get("caption")
        self._control.accepted(
            {"provider": "whatsapp", **told, "message_id": sent["id"], "text": words, "at": time.time()}
        )
        return sent

    async def _tell(self, chat: Chat, sent: Json) -> None:
        if chat.blocked:
            self._status(chat, sent, "sent")
            self._status(chat, sent, "failed")
            return
        if self._control.faults.meta.receipts == "backwards":
            chat.remember(held=[*chat.about.get("held", ()), sent["id"]])
            return
        self._status(chat, sent, "sent")
        self._status(chat, sent, "delivered")
        if self._control.faults.meta.receipts == "early":
            await self._teller.settled()

    def read(self, chat: Chat, view: Json) -> None:
        """The person has seen it; what was held back comes after."""
        self._status(chat, view, "read")
        held = chat.about.get("held", [])
        if view["id"] in held:
            self._status(chat, view, "delivered")
            self._status(chat, view, "sent")
            chat.remember(held=[name for name in held if name != view["id"]])

    def _status(self, chat: Chat, view: Json, state: str) -> None:
        """A failure names no contact: …/webhooks/reference/messages/status."""
        error = webhooks.UNDELIVERABLE if state == "failed" else None
        people = {} if error else {"contacts": [webhooks.contact(chat)]}
        self._teller.tell(chat, **people, statuses=[webhooks.status(chat, view, state, error=error)])

    def _answer(self, values: Json, chat: Chat, sent: Json) -> Json:
        if values.get("to"):
            who = {"input": values["to"], "wa_id": chat.user}
        else:
            who = {"input": values["recipient"], "user_id": values["recipient"]}
        accepted = {"message_status": "accepted"} if values.get("type") == "template" else {}
        return {"messaging_product": "whatsapp", "contacts": [who], "messages": [{"id": sent["id"], **accepted}]}


def _no(code: int, message: str, details: str, *, status: int = 400) -> GraphError:
    return GraphError(code, message, status=status, details=details, product="whatsapp")
