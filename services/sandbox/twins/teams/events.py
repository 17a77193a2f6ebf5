"""What Teams tells — https://learn.microsoft.com/en-us/azure/bot-service/rest-api/bot-framework-rest-connector-api-reference#activity-object."""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Iterator
from typing import Any, Final

import orjson

from services.sandbox.chats import Chat, now
from services.sandbox.said import words_of
from services.sandbox.twins.grants import HOUR, Granting
from services.sandbox.twins.proofs import Signer
from services.sandbox.twins.seats import Seat
from services.sandbox.twins.twin import HERE, First, Post, digits

Json = dict[str, Any]
REACTIONS: Final = {"👍": "like", "❤️": "heart", "😆": "laugh", "😮": "surprised", "😢": "sad", "😠": "angry"}
FILE: Final = "application/vnd.microsoft.teams.file.download.info"


class Tells(Granting):
    channel = "teams"
    name = "Microsoft Teams"
    person = ("29:", 18)
    can = ("media", "caption", "reply", "edit", "remove")
    emoji = tuple(REACTIONS)
    stranger = "token_is_not_good"
    malformed = "bad_argument"

    @classmethod
    def first(cls) -> First:
        bot = {"app_id": str(uuid.uuid4())}
        account = {
            **bot,
            "directory": str(uuid.uuid4()),
            "secret": secrets.token_urlsafe(30),
            "login": HERE,
            "api": HERE,
        }
        return First(account, {**bot, "openid": f"{HERE}/.well-known/openidconfiguration"})

    def id_of(self, seat: Seat) -> str:
        return f"{seat.account['app_id']}@{seat.account['directory']}"

    def new_id(self, chat: Chat) -> str:
        return f"{place_of(chat.user)}/{int(1000 * time.time())}{digits(3)}"

    def post(self, seat: Seat, event: Json) -> Post:
        claims = {"iss": "https://api.botframework.com", "aud": seat.app["app_id"], "serviceurl": event["serviceUrl"]}
        token = Signer(self.shelf).token({**claims, "nbf": int(time.time())}, lives=HOUR)
        return Post(self.hook(seat), orjson.dumps(event), {"Authorization": f"Bearer {token}"})

    def said(self, chat: Chat, view: Json) -> Iterator[Json]:
        if "pressed" in view:
            value = {"value": {"choice": view["pressed"]}, "replyToId": number_of(view["reply_to"])}
            yield self._told(chat, "message", number_of(view["id"]), text=view["text"], **value)
            return
        about: Json = {"textFormat": "plain", "text": words_of(view)}
        if "reply_to" in view:
            quoted = number_of(view["reply_to"])
            about["text"] = f'<quoted messageId="{quoted}"/> {about["text"]}'
            about["entities"] = [{"type": "quotedReply", "quotedReply": {"messageId": quoted}}]
        if "media" in view:
            about["attachments"] = [_attachment(self.api(chat), view["media"])]
        yield self._told(chat, "message", number_of(view["id"]), **about)

    def edited(self, chat: Chat, view: Json) -> Iterator[Json]:
        yield self._told(chat, "messageUpdate", number_of(view["id"]), textFormat="plain", text=view.get("text", ""))

    def removed(self, chat: Chat, view: Json) -> Iterator[Json]:
        yield self._told(chat, "messageDelete", number_of(view["id"]))

    def reacted(self, chat: Chat, view: Json, emoji: str | None) -> Iterator[Json]:
        fields = {"reactionsAdded": emoji, "reactionsRemoved": view.get("reactions", {}).get("person")}
        changes = {name: [{"type": REACTIONS.get(one, one)}] for name, one in fields.items() if one}
        yield self._told(chat, "messageReaction", f"f:{digits(8)}", replyToId=number_of(view["id"]), **changes)

    def blocked(self, chat: Chat, *, blocked: bool) -> Iterator[Json]:
        yield self._told(chat, "installationUpdate", f"f:{digits(8)}", action="remove" if blocked else "add")

    def read(self, chat: Chat, views: list[Json]) -> Iterator[Json]:
        if views:
            last = {"lastReadMessageId": max(number_of(view["id"]) for view in views)}
            yield self._told(chat, "event", digits(13), name="application/vnd.microsoft.readReceipt", value=last)

    def _told(self, chat: Chat, kind: str, name: str, /, **about: Any) -> Json:
        app, _, directory = chat.account.partition("@")
        place = {"conversationType": "personal", "tenantId": directory, "id": place_of(chat.user)}
        whose = {"recipient": {"id": f"28:{app}", "name": "Parley Shop"}, "channelData": {"tenant": {"id": directory}}}
        said = {"type": kind, "id": name, "timestamp": now(), "from": {"id": chat.user, "name": chat.name}, **about}
        where = {"channelId": "msteams", "locale": "km-KH", "serviceUrl": f"{self.api(chat)}/", "conversation": place}
        return where | whose | said


def _attachment(api: str, media: Json) -> Json:
    address = f"{api}/v3/attachments/{media['id']}/views/original"
    if media["kind"] == "image":
        return {"contentType": "image/*", "contentUrl": address}
    content = {"downloadUrl": address, "fileType": media["name"].rpartition(".")[2], "uniqueId": media["id"]}
    return {"contentType": FILE, "contentUrl": address, "name": media["name"], "content": content}


def place_of(user: str) -> str:
    """The conversation of a person with a bot."""
    return user.replace("29:", "a:", 1)


def number_of(name: str) -> str:
    return name.rpartition("/")[2]
