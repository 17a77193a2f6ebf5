"""Microsoft Teams in small — https://learn.microsoft.com/en-us/azure/bot-service/rest-api/bot-framework-rest-connector-api-reference."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from typing import Any, Final

import jwt
import orjson
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from services.sandbox.access import same
from services.sandbox.bodies import read_values
from services.sandbox.chats import Chat
from services.sandbox.files import download
from services.sandbox.refusals import Refused
from services.sandbox.twins.seats import Seat
from services.sandbox.twins.twin import No, Post, Twin, digits

Json = dict[str, Any]
BYTES: Final = 100 * 1024  # of a message, in UTF-16
REACTIONS: Final = {"👍": "like", "❤️": "heart", "😆": "laugh", "😮": "surprised", "😢": "sad", "😠": "angry"}
EMOJI: Final = {kind: emoji for emoji, kind in REACTIONS.items()}
PEM: Final = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
ACTIVITY: Final = "/v3/conversations/{place}/activities/{id}"


def no(status: int, code: str, words: str = "") -> No:
    return No(status, {"error": {"code": code, "message": words or code}})


NOT_THERE: Final = no(403, "BotNotInConversationRoster", "The bot is not part of the conversation roster.")
NOT_FOUND: Final = no(404, "ActivityNotFoundInConversation", "Conversation not found.")


class Teams(Twin):
    channel = "teams"
    name = "Microsoft Teams"
    person = ("29:", 18)
    can = ("edit", "remove", "caption")
    emoji = tuple(REACTIONS)

    @staticmethod
    def id_of(seat: Seat) -> str:
        return f"{seat.account['app_id']}@{seat.account['directory']}"

    def new_id(self, chat: Chat) -> str:
        return f"{_place(chat.user)}/{int(1000 * time.time())}{digits(3)}"

    def calls(self) -> list[web.RouteDef]:
        return [
            self.call("GET", "/.well-known/openidconfiguration", self._openid),
            self.call("GET", "/.well-known/keys", self._keys),
            self.call("POST", "/{directory}/oauth2/v2.0/token", self._token),
            self.call("POST", "/v3/conversations", self._conversation),
            self.call("POST", "/v3/conversations/{place}/activities", self._sent, sends=True),
            self.call("PUT", ACTIVITY, self._edited),
            self.call("DELETE", ACTIVITY, self._deleted),
            self.call("PUT", f"{ACTIVITY}/reactions/{{kind}}", self._reaction),
            self.call("DELETE", f"{ACTIVITY}/reactions/{{kind}}", self._reaction),
            self.call("GET", "/v3/attachments/{id}/views/original", self._file),
        ]

    def allowed(self, seat: Seat, request: web.Request) -> bool:
        """By an access token of the last hour; for that itself by what its body holds, and keys are everyone's."""
        if directory := request.match_info.get("directory"):
            return same(directory, str(seat.account["directory"]))
        token, until = self.shelf.get(f"token/{seat.name}") or ("", 0)
        given = request.headers.get("Authorization", "")
        return "/.well-known/" in request.path or (same(given, f"Bearer {token}") and time.time() < until)

    def unknown(self) -> No:
        return No(401, {"message": "Authorization has been denied for this request."})

    # what the adapter is told

    def post(self, seat: Seat, event: Json) -> Post:
        now, app = int(time.time()), str(seat.app["app_id"])
        claims = {"iss": "https://api.botframework.com", "aud": app, "serviceurl": event["serviceUrl"]}
        token = jwt.encode({**claims, "nbf": now, "exp": now + 3600}, self._pem(), "RS256", headers={"kid": "sandbox"})
        signed = {"Content-Type": "application/json; charset=utf-8", "Authorization": f"Bearer {token}"}
        return Post(self.hook(seat), orjson.dumps(event), signed)

    def said(self, chat: Chat, view: Json) -> None:
        if "pressed" in view:
            value = {"value": {"choice": view["pressed"]}, "replyToId": _number(view["reply_to"])}
            self._tell(chat, "message", _number(view["id"]), text=view["text"], **value)
            return
        about: Json = {"textFormat": "plain", "text": view.get("text") or view.get("caption") or ""}
        if "reply_to" in view:
            quoted = _number(view["reply_to"])
            about["text"] = f'<quoted messageId="{quoted}"/> {about["text"]}'
            about["entities"] = [{"type": "quotedReply", "quotedReply": {"messageId": quoted}}]
        if not about["text"] and "media" not in view:
            raise Refused(400, "Teams sends no places and no cards")
        if "media" in view:
            about["attachments"] = [self._attachment(chat, view["media"])]
        self._tell(chat, "message", _number(view["id"]), **about)

    def edited(self, chat: Chat, view: Json) -> None:
        self._tell(chat, "messageUpdate", _number(view["id"]), textFormat="plain", text=view.get("text", ""))

    def removed(self, chat: Chat, view: Json) -> None:
        self._tell(chat, "messageDelete", _number(view["id"]))

    def reacted(self, chat: Chat, view: Json, emoji: str | None) -> None:
        before = view.get("reactions", {}).get("person")
        fields = {"reactionsAdded": emoji, "reactionsRemoved": before}
        changes = {name: [{"type": REACTIONS.get(one, one)}] for name, one in fields.items() if one}
        self._tell(chat, "messageReaction", f"f:{digits(8)}", replyToId=_number(view["id"]), **changes)

    def blocked(self, chat: Chat, *, blocked: bool) -> None:
        self._tell(chat, "installationUpdate", f"f:{digits(8)}", action="remove" if blocked else "add")

    def read(self, chat: Chat, views: list[Json]) -> None:
        if views:
            last = {"lastReadMessageId": max(_number(view["id"]) for view in views)}
            self._tell(chat, "event", digits(13), name="application/vnd.microsoft.readReceipt", value=last)

    def _tell(self, chat: Chat, kind: str, name: str, /, **about: Any) -> None:
        seat = self.seat(chat.account)
        directory = chat.account.partition("@")[2]
        event = {
            "type": kind,
            "id": name,
            "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "channelId": "msteams",
            "serviceUrl": f"{seat.account['api'] if seat else ''}/",
            "from": {"id": chat.user, "name": chat.name},
            "conversation": {"conversationType": "personal", "tenantId": directory, "id": _place(chat.user)},
            "recipient": {"id": f"28:{chat.account.partition('@')[0]}", "name": "Parley Shop"},
            "channelData": {"tenant": {"id": directory}},
            "locale": "km-KH",
        }
        self.tell(chat, {**event, **about})

    def _attachment(self, chat: Chat, media: Json) -> Json:
        seat = self.seat(chat.account)
        address = f"{seat.account['api'] if seat else ''}/v3/attachments/{media['id']}/views/original"
        if media["kind"] == "image":
            return {"contentType": "image/*", "contentUrl": address}
        content = {"downloadUrl": address, "fileType": media["name"].rpartition(".")[2], "uniqueId": media["id"]}
        kind = "application/vnd.microsoft.teams.file.download.info"
        return {"contentType": kind, "contentUrl": address, "name": media["name"], "content": content}

    # what the adapter calls

    def _pem(self) -> bytes:
        if (kept := self.shelf.get("key")) is None:
            kept = rsa.generate_private_key(65537, 2048).private_bytes(*PEM).decode()
            self.shelf.put("key", kept)
        return str(kept).encode()

    async def _openid(self, seat: Seat, request: web.Request) -> Json:
        return {"issuer": "https://api.botframework.com", "jwks_uri": f"{seat.account['api']}/.well-known/keys"}

    async def _keys(self, seat: Seat, request: web.Request) -> Json:
        key = serialization.load_pem_private_key(self._pem(), None)
        assert isinstance(key, rsa.RSAPrivateKey)
        public = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": "sandbox", "use": "sig", "endorsements": ["msteams"]}]}

    async def _token(self, seat: Seat, request: web.Request) -> Json:
        asked = await read_values(request)
        good = {"client_id": seat.account["app_id"], "client_secret": seat.account["secret"]}
        if not all(same(str(asked.get(name)), str(value)) for name, value in good.items()):
            raise No(401, {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret."})
        token = secrets.token_urlsafe(40)
        self.shelf.put(f"token/{seat.name}", (token, time.time() + 3600))
        return {"token_type": "Bearer", "expires_in": 3600, "access_token": token}

    async def _conversation(self, seat: Seat, request: web.Request) -> Json:
        (member,) = (await read_values(request))["members"]
        return {"id": _place(self.reached(seat, member["id"], NOT_THERE).user)}

    async def _sent(self, seat: Seat, request: web.Request) -> web.Response:
        chat, activity = await self._asked(seat, request)
        if streams := [one for one in activity.get("entities", ()) if one["type"] == "streaminfo"]:
            return await self._streamed(chat, activity, streams[0])
        if activity["type"] == "typing":
            chat.types()
            return web.json_response({"id": digits(13)}, status=201)
        view = self.show(chat, {"id": self.new_id(chat), **await self._view(chat, activity)})
        return web.json_response({"id": _number(view["id"])}, status=201)

    async def _streamed(self, chat: Chat, activity: Json, told: Json) -> web.Response:
        """…/microsoftteams/platform/bots/streaming-ux#response-codes."""
        final, number, name = told["streamType"] == "final", told.get("streamSequence"), told.get("streamId")
        shows = await self._view(chat, activity)
        if name is None:
            if final or number != 1:
                raise no(400, "BadRequest", "Start streaming activities should have the sequence 1")
            begun = chat.show({"id": self.new_id(chat), "direction": "in", "streams": 1, **shows})
            return web.json_response({"id": _number(begun["id"])}, status=201)
        view = chat.views.get(f"{_place(chat.user)}/{name}", {})
        if not view.get("streams"):
            words = "Content stream is not allowed on an already completed streamed message"
            raise no(403, "ContentStreamNotAllowed", words)
        if not str(shows.get("text")).startswith(view["text"]):
            words = "Request streamed content should contain the previously streamed content"
            raise no(403, "ContentStreamNotAllowed", words)
        if final:
            self.show(chat, {**view, "streams": 0, **shows})
        elif number > view["streams"]:
            chat.show({**view, "streams": number, **shows})
        return web.json_response({}, status=202)

    async def _edited(self, seat: Seat, request: web.Request) -> Json:
        chat, activity = await self._asked(seat, request)
        view = self._own(chat, request)
        chat.show({**view, **await self._view(chat, activity), "edited": True})
        return {"id": request.match_info["id"]}

    async def _deleted(self, seat: Seat, request: web.Request) -> Json:
        chat, _ = await self._asked(seat, request)
        view = self._own(chat, request)
        chat.show({"id": view["id"], "direction": "in", "removed": True})
        return {}

    async def _reaction(self, seat: Seat, request: web.Request) -> Json:
        chat, _ = await self._asked(seat, request)
        view, emoji = self._view_of(chat, request), EMOJI.get(request.match_info["kind"])
        if emoji is None:
            raise no(400, "BadArgument", "no such reaction")
        others = {who: shown for who, shown in view.get("reactions", {}).items() if who != "bot"}
        chat.show({**view, "reactions": {**others, **({"bot": emoji} if request.method == "PUT" else {})}})
        return {}

    async def _file(self, seat: Seat, request: web.Request) -> web.Response:
        if (file := self.files.get(request.match_info["id"])) is None:
            raise NOT_FOUND
        return download(self.files.data(file), file.mime_type)

    async def _asked(self, seat: Seat, request: web.Request) -> tuple[Chat, Json]:
        chat = self.reached(seat, request.match_info["place"].replace("a:", "29:", 1), NOT_THERE)
        activity = await read_values(request) if request.body_exists else {}
        if len(orjson.dumps(activity).decode().encode("utf-16-le")) > BYTES:
            raise no(413, "MessageSizeTooBig", "Message size too large.")
        return chat, activity

    def _view_of(self, chat: Chat, request: web.Request) -> Json:
        view = chat.views.get(f"{_place(chat.user)}/{request.match_info['id']}")
        if view is None or view.get("removed"):
            raise NOT_FOUND
        return view

    def _own(self, chat: Chat, request: web.Request) -> Json:
        view = self._view_of(chat, request)
        if view["direction"] != "in":
            raise no(403, "NotEnoughPermissions", "only the bot's own messages can be changed")
        return view

    async def _view(self, chat: Chat, activity: Json) -> Json:
        quoted = f"{_place(chat.user)}/{activity.get('replyToId')}"
        reply = {"reply_to": quoted} if quoted in chat.views else {}
        match activity.get("attachments"):
            case None:
                return {**reply, "text": activity["text"]}
            case [{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}]:
                lines = ["".join(run["text"] for run in block["inlines"]) for block in card["body"]]
                return {**reply, "text": "\n".join(lines), "choices": [_choice(one) for one in card["actions"]]}
            case [{"contentType": ("image/png" | "image/jpeg" | "image/gif"), "contentUrl": address}]:
                return {**reply, "media": await self.fetched(chat, address, "image")}
        raise no(400, "BadArgument", "Unknown attachment type")


def _choice(action: Json) -> Json:
    if action["type"] == "Action.OpenUrl":
        return {"id": action["url"], "title": action["title"], "url": action["url"]}
    back = action["data"]["msteams"]
    return {"id": back["value"]["choice"], "title": back["displayText"]}


def _place(user: str) -> str:
    """The conversation of a person with a bot."""
    return user.replace("29:", "a:", 1)


def _number(name: str) -> str:
    return name.rpartition("/")[2]
