"""TikTok in small: direct messages — https://business-api.tiktok.com/portal/docs?id=1832184403754242."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from aiohttp import web

from services.sandbox.access import same
from services.sandbox.chats import Chat
from services.sandbox.said import choice_view, media_view
from services.sandbox.twins.proofs import derived
from services.sandbox.twins.seats import Seat
from services.sandbox.twins.tiktok.events import Tells
from services.sandbox.twins.twin import Call, No

Json = dict[str, Any]
API: Final = "/open_api/v1.3"
TEXT: Final = 6000
QUESTION: Final = 40
BUTTON: Final = 20
PICTURES: Final = ("image/jpeg", "image/png")
DAY: Final = 86_400
NO_GRANT: Final = {"code": 40107, "message": "Invalid or incorrect refresh token.", "data": {}}


class TikTok(Tells):
    def calls(self) -> Iterator[web.RouteDef]:
        yield self.call("POST", f"{API}/tt_user/oauth2/refresh_token/", self._token, anyone=True)
        yield self.call("POST", f"{API}/business/webhook/update/", self._webhook, anyone=True)
        yield self.call("POST", f"{API}/business/message/send/", self._send, sends=True)
        yield self.call("POST", f"{API}/business/message/media/upload/", self._upload)
        yield self.call("POST", f"{API}/business/message/media/download/", self._download)
        yield self.call("GET", f"{API}/business/message/content/list/", self._list)
        yield self.call("GET", "/kept/{id}", self._kept, anyone=True)

    def access(self, seat: Seat) -> str:
        return f"act.{derived(seat.account.get('refresh_token'), 'access ')}"

    def allowed(self, seat: Seat, request: web.Request) -> bool:
        return same(request.headers.get("Access-Token", ""), self.access(seat))

    def _token(self, call: Call) -> Json:
        seat = self.seats.known(call.values, "client_id", "client_secret")
        if seat is None or call.values["refresh_token"] not in (seat.account["refresh_token"], _rotated(seat)):
            raise No(200, NO_GRANT)
        given = {"access_token": self.access(seat), "refresh_token": _rotated(seat)}
        return _ok(**given, expires_in=DAY, open_id=self.id_of(seat))

    def _webhook(self, call: Call) -> Json:
        for seat in self.seats.all():
            if (
                same(str(call.values["secret"]), str(seat.app["secret"]))
                and call.values["app_id"] == seat.app["app_id"]
            ):
                self.set_hook(seat, call.values["callback_url"])
                return _ok()
        raise self.no("bad_token")

    def _send(self, call: Call) -> Json:
        values = call.values
        chat = self._chat(call, values["recipient"])
        if values["message_type"] == "SENDER_ACTION":
            if values["sender_action"] == "MARK_READ":
                chat.seen(max((view["at"] for view in chat.views.values()), default=""))
            return _ok(message={"message_id": ""})
        above = values.get("referenced_message_info")
        reply = {"reply_to": above["referenced_message_id"]} if above else {}
        shown = self.show(chat, {"id": self.new_id(chat), **reply, **self._shown(values)})
        echo = {"type": "text", "text": {"body": shown.get("text", "")}, "message_tag": {"source": "API"}}
        self.tell(chat, self._event(chat, "im_send_msg", message_id=shown["id"], **echo))
        return _ok(message={"message_id": shown["id"]})

    def _shown(self, values: Json) -> Json:
        match values["message_type"]:
            case "TEXT" if 0 < len(values["text"]["body"]) <= TEXT:
                return {"text": values["text"]["body"]}
            case "IMAGE":
                return {"media": media_view(self.file(values["image"]["media_id"]))}
            case "TEMPLATE":
                card = values["template"]
                if 0 < len(card["title"]) <= QUESTION and all(
                    0 < len(one["title"]) <= BUTTON for one in card["buttons"]
                ):
                    choices = [choice_view(one["id"], one["title"]) for one in card["buttons"][:3]]
                    return {"text": card["title"], "choices": choices}
        raise self.no("malformed")

    def _upload(self, call: Call) -> Json:
        given = call.values["file"]
        if given.mime_type not in PICTURES or call.values["media_type"] != "IMAGE":
            raise self.no("file_is_not_taken")
        kept = self.files.keep(given.data, owner=self.id_of(call.seat), mime_type=given.mime_type, name=given.name)
        return _ok(media_id=kept.id)

    def _download(self, call: Call) -> Json:
        self._chat(call, call.values["conversation_id"])
        return _ok(download_url=f"{call.seat.account['api']}/kept/{self.file(call.values['media_id']).id}")

    def _kept(self, call: Call) -> web.Response:
        """By the token in a header of its own; what is of a sticker by anyone."""
        given = call.request.headers.get("X-User")
        if given is not None and not any(same(given, self.access(seat)) for seat in self.seats.all()):
            raise self.no("bad_token")
        return self.serve(call)

    def _list(self, call: Call) -> Json:
        chat = self._chat(call, call.values["conversation_id"])
        return _ok(participants=[{"role": "PERSONAL_ACCOUNT", "id": chat.user, "display_name": chat.name}], messages=[])

    def _chat(self, call: Call, conversation: str) -> Chat:
        return self.reached(call, conversation.removesuffix("=="), self.no("nobody_there"))


def _ok(**data: Any) -> Json:
    return {"code": 0, "message": "OK", "request_id": "sandbox", "data": data}


def _rotated(seat: Seat) -> str:
    return f"rft.{derived(seat.account.get('refresh_token'), 'refresh ')}"
