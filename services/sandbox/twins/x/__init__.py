"""X in small — https://docs.x.com/x-api/activity/event-payloads.

What a person writes that begins with @ is a post that mentions the business, with all that is answered beneath it; anything
else is a direct message.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from typing import Any, Final

from aiohttp import web

from services.sandbox.access import same
from services.sandbox.chats import Chat
from services.sandbox.said import media_view, taken_back
from services.sandbox.twins.proofs import derived
from services.sandbox.twins.seats import Seat
from services.sandbox.twins.twin import Call, No, digits
from services.sandbox.twins.x.events import Tells, users_of
from shared.contract.text import measure

Json = dict[str, Any]
POST: Final = 280
LIVES: Final = 7200  # seconds of an access token
NO_GRANT: Final = {"error": "invalid_request", "error_description": "Value passed for the token was invalid."}


class X(Tells):
    def calls(self) -> Iterator[web.RouteDef]:
        yield self.call("POST", "/2/oauth2/token", self._token, anyone=True)
        yield self.call("GET", "/2/webhooks", lambda _: {"data": [], "meta": {"result_count": 0}})
        yield self.call("POST", "/2/webhooks", self._webhook)
        yield self.call("GET", "/2/activity/subscriptions", lambda _: {"data": [], "meta": {}})
        yield self.call("POST", "/2/activity/subscriptions", lambda call: {"data": {"subscription": call.values}})
        yield self.call("GET", "/2/users/{user}", self._user)
        yield self.call("POST", "/2/users/{user}/likes", self._like)
        yield self.call("DELETE", "/2/users/{user}/likes/{id}", self._like)
        yield self.call("POST", "/2/media/upload/initialize", self._begin)
        yield self.call("POST", "/2/media/upload/{id}/append", self._append)
        yield self.call("POST", "/2/media/upload/{id}/finalize", lambda call: {"data": {"id": call.path["id"]}})
        yield self.call("GET", "/2/dm_conversations/media/{dm}/{id}/{name}", self.serve)
        yield self.call("GET", "/kept/{id}", self.serve)
        yield self.call("POST", "/2/tweets", self._tweet, sends=True)
        yield self.call("DELETE", "/2/tweets/{id}", self._delete)
        yield self.call("POST", "/2/dm_conversations/with/{user}/messages", self._message, sends=True)

    def access(self, seat: Seat) -> str:
        return derived(seat.account.get("refresh_token"), "access ")

    def allowed(self, seat: Seat, request: web.Request) -> bool:
        given = request.headers.get("Authorization", "")
        return any(same(given, f"Bearer {one}") for one in (self.access(seat), seat.app.get("bearer_token")))

    def _token(self, call: Call) -> Json:
        """A client proves itself by its head (RFC 6749 §2.3.1)."""
        for seat in self.seats.all():
            client = f"{seat.account.get('client_id')}:{seat.account.get('client_secret')}"
            proof = f"Basic {base64.b64encode(client.encode()).decode()}"
            known = (str(seat.account.get("refresh_token")), _rotated(seat))
            if same(call.request.headers.get("Authorization", ""), proof) and call.values["refresh_token"] in known:
                given = {"access_token": self.access(seat), "refresh_token": _rotated(seat)}
                return {"token_type": "bearer", "expires_in": LIVES, **given}
        raise No(400, NO_GRANT)

    def _webhook(self, call: Call) -> Json:
        self.set_hook(call.seat, call.values["url"])
        return {"data": {"id": digits(19), "url": call.values["url"], "valid": True}}

    def _user(self, call: Call) -> Json:
        return {
            "data": users_of(self.reached(call, call.path["user"], self.no("nobody_there")))[call.path["user"]]["data"]
        }

    def _like(self, call: Call) -> Json:
        name, back = call.values.get("tweet_id") or call.path["id"], call.request.method == "DELETE"
        chat = self._of(name)
        self.react(chat, self.standing(chat, name, gone=self.no("nobody_there")), "❤️", back=back)
        return {"data": {"liked": not back}}

    def _begin(self, call: Call) -> Json:
        file = self.files.keep(b"", owner=self.id_of(call.seat), mime_type=call.values["media_type"], name="file")
        return {"data": {"id": file.id, "media_key": f"3_{file.id}", "expires_after_secs": 86400}}

    def _append(self, call: Call) -> Json:
        file = self.file(call.path["id"])
        whole = self.files.data(file) + call.values["media"].data
        about = {"owner": file.owner, "mime_type": file.mime_type, "name": call.values["media"].name}
        self.files.keep(whole, **about, file_id=file.id)
        return {"data": {"expires_at": int(time.time()) + 86400}}

    def _tweet(self, call: Call) -> Json:
        above, text = call.values["reply"]["in_reply_to_tweet_id"], call.values.get("text", "")
        if measure(text, "weighted") > POST:
            raise self.no("not_as_x_wants_it")
        chat = self._of(above)
        shown = self._show(chat, {"reply_to": above}, text, call.values.get("media", {}).get("media_ids", []))
        self.tell(chat, self._event(chat, "post.create", self._written(chat, shown)))
        return {"data": {"id": shown["id"], "text": text}}

    def _delete(self, call: Call) -> Json:
        chat = self._of(call.path["id"])
        chat.show(taken_back(self.standing(chat, call.path["id"], gone=self.no("nobody_there"))))
        return {"data": {"deleted": True}}

    def _message(self, call: Call) -> Json:
        chat = self.reached(call, call.path["user"], self.no("they_take_no_messages"))
        files = [one["media_id"] for one in call.values.get("attachments", [])]
        shown = self._show(chat, {}, call.values.get("text", ""), files)
        self.tell(chat, self._event(chat, "dm.sent", self._direct(chat, shown)))
        return {"data": {"dm_conversation_id": f"{chat.account}-{chat.user}", "dm_event_id": shown["id"]}}

    def _show(self, chat: Chat, about: Json, text: str, files: list[str]) -> Json:
        if not (text or files):
            raise self.no("not_as_x_wants_it")
        view = {"id": self.new_id(chat), **about, **({"text": text} if text else {})}
        return self.show_files(chat, view, [media_view(self.file(one)) for one in files])

    def _of(self, name: object) -> Chat:
        return self.chat_where(lambda chat: str(name) in chat.views, self.no("nobody_there"))


def _rotated(seat: Seat) -> str:
    return derived(seat.account.get("refresh_token"), "refresh ")
