"""Instagram in small, by Instagram Login — https://developers.facebook.com/documentation/instagram-platform.

Who is called ID.post writes where all can read it, as ID under the account's one post, and reads the answers there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Final

from aiohttp import web

from services.sandbox.access import same
from services.sandbox.chats import Chat, now
from services.sandbox.said import choice_view, taken_back
from services.sandbox.twins.instagram.events import POST, Tells, event
from services.sandbox.twins.seats import Seat
from services.sandbox.twins.twin import Call, digits

Json = dict[str, Any]
TEXT: Final = 1000  # bytes
ALBUM: Final = 10
LIFE: Final = 60 * 86400  # seconds of a token


class Instagram(Tells):
    def calls(self) -> Iterator[web.RouteDef]:
        yield self.call("GET", "/refresh_access_token", self._refresh, anyone=True)
        yield self.call("GET", "/files/{id}", self.serve, anyone=True)
        yield self.call("GET", "/{version}/{node}", self._node)
        yield self.call("DELETE", "/{version}/{node}", self._delete)
        yield self.call("POST", "/{version}/{node}/subscribed_apps", self._subscribe)
        yield self.call("POST", "/{version}/{node}/messages", self._messages, sends=True)
        yield self.call("POST", "/{version}/{node}/replies", self._replies, sends=True)

    def allowed(self, seat: Seat, request: web.Request) -> bool:
        given, good = request.headers.get("Authorization", ""), str(seat.account["token"])
        return any(same(given, f"Bearer {token}") for token in (good, _refreshed(good)))

    def _refresh(self, call: Call) -> Json:
        good = [str(seat.account["token"]) for seat in self.seats.all()]
        given = str(call.values["access_token"])
        token = next((one for one in good if same(given, one) or same(given, _refreshed(one))), None)
        if token is None:
            raise self.no("bad_token")
        return {"access_token": _refreshed(token), "token_type": "bearer", "expires_in": LIFE}

    def _node(self, call: Call) -> Json:
        """The account itself, or who has written to it."""
        if call.path["node"] == "me":
            return {"user_id": self.id_of(call.seat)}
        chat = self.reached(call, call.path["node"], self.no("nobody_of_that_number"))
        return {"name": chat.name, "username": f"u{chat.user[-6:]}", "id": chat.user}

    def _subscribe(self, call: Call) -> Json:
        return {"success": bool(call.values["subscribed_fields"])}

    async def _messages(self, call: Call) -> Json:
        to, name = call.values["recipient"], digits(18)
        if "comment_id" in to:
            above = self._post_of(call, to["comment_id"])
            chat = self.chats.meet(above.account, above.user.removesuffix(POST))
        else:
            chat = self.reached(call, to["id"], self.no("person_takes_nothing"))
        if action := call.values.get("sender_action"):
            self._act(chat, action, call.values.get("payload", {}))
            return {"recipient_id": chat.user}
        message, quoted = call.values["message"], call.values.get("reply_to", {}).get("mid")
        attached = message.get("attachments") or ([message["attachment"]] if "attachment" in message else [])
        view: Json = {"id": name, **({"reply_to": quoted} if quoted in chat.views else {})}
        if attached and attached[0]["type"] == "template":
            payload = attached[0]["payload"]
            offered = [
                choice_view(one.get("payload", ""), one["title"], one.get("url", "")) for one in payload["buttons"]
            ]
            self.show(chat, {**view, "text": payload["text"], "choices": offered, "style": "buttons"})
        elif len(attached) <= ALBUM and (attached or 0 < len(message["text"].encode()) <= TEXT):
            files = [await self.fetched(chat, one["payload"]["url"], one["type"]) for one in attached]
            offered = [choice_view(one["payload"], one["title"]) for one in message.get("quick_replies", ())]
            words = {"text": message["text"]} if "text" in message else {}
            self.show_files(chat, {**view, **words, **({"choices": offered} if offered else {})}, files)
        else:
            raise self.no("unknown_error")
        self.tell(chat, event(chat, ours=True, message={"mid": name, "is_echo": True, **message}))
        return {"recipient_id": chat.user, "message_id": name}

    def _act(self, chat: Chat, action: str, about: Json) -> None:
        if action == "typing_on":
            chat.types()
        elif action == "mark_seen":
            chat.seen(now())
        elif action in {"react", "unreact"}:
            view = self.standing(chat, about["message_id"], gone=self.no("unknown_error"))
            self.react(chat, view, about.get("reaction", ""), back=action == "unreact")

    def _post_of(self, call: Call, comment: str) -> Chat:
        def has_it(chat: Chat) -> bool:
            return chat.account == self.id_of(call.seat) and comment in chat.views and chat.user.endswith(POST)

        return self.chat_where(has_it, self.no("comment_is_gone"))

    def _replies(self, call: Call) -> Json:
        """Under the first comment, also an answer to an answer."""
        chat = self._post_of(call, call.path["node"])
        above = chat.views[call.path["node"]].get("reply_to", call.path["node"])
        shown = self.show(chat, {"id": digits(18), "text": call.values["message"], "reply_to": above})
        self.tell(chat, self._comment(chat, shown, {"id": chat.account, "username": "parley.shop"}))
        return {"id": shown["id"]}

    def _delete(self, call: Call) -> Json:
        chat = self._post_of(call, call.path["node"])
        chat.show(taken_back(self.standing(chat, call.path["node"], gone=self.no("comment_is_gone"))))
        return {"success": True}


def _refreshed(token: str) -> str:
    return f"IGAA{hashlib.sha256(token.encode()).hexdigest()}"
