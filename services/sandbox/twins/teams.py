"""Microsoft Teams in small — https://learn.microsoft.com/en-us/azure/bot-service/rest-api/bot-framework-rest-connector-api-reference."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from aiohttp import web

from services.sandbox.access import same
from services.sandbox.chats import Chat
from services.sandbox.said import choice_view, words_of
from services.sandbox.twins.proofs import Signer
from services.sandbox.twins.seats import Seat
from services.sandbox.twins.twin import Call, No, Post, Twin, digits

Json = dict[str, Any]
BYTES: Final = 100 * 1024  # of a message, in UTF-16
REACTIONS: Final = {"👍": "like", "❤️": "heart", "😆": "laugh", "😮": "surprised", "😢": "sad", "😠": "angry"}
EMOJI: Final = {kind: emoji for emoji, kind in REACTIONS.items()}
ACTIVITY: Final = "/v3/conversations/{place}/activities/{id}"
HOUR: Final = 3600
NO_CLIENT: Final = {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided."}
FILE: Final = "application/vnd.microsoft.teams.file.download.info"
CARD: Final = "application/vnd.microsoft.card.adaptive"


class Teams(Twin):
    channel = "teams"
    name = "Microsoft Teams"
    person = ("29:", 18)
    can = ("media", "caption", "reply", "edit", "remove")
    emoji = tuple(REACTIONS)
    stranger = "token_is_not_good"
    malformed = "bad_argument"

    def id_of(self, seat: Seat) -> str:
        return f"{seat.account['app_id']}@{seat.account['directory']}"

    def new_id(self, chat: Chat) -> str:
        return f"{_place(chat.user)}/{int(1000 * time.time())}{digits(3)}"

    def calls(self) -> Iterator[web.RouteDef]:
        yield self.call("GET", "/.well-known/openidconfiguration", self._openid, anyone=True)
        yield self.call("GET", "/.well-known/keys", self._keys, anyone=True)
        yield self.call("POST", "/{directory}/oauth2/v2.0/token", self._token, anyone=True)
        yield self.call("POST", "/v3/conversations", self._conversation)
        yield self.call("POST", "/v3/conversations/{place}/activities", self._sent, sends=True)
        yield self.call("PUT", ACTIVITY, self._edited)
        yield self.call("DELETE", ACTIVITY, self._deleted)
        yield self.call("PUT", f"{ACTIVITY}/reactions/{{kind}}", self._reaction)
        yield self.call("DELETE", f"{ACTIVITY}/reactions/{{kind}}", self._reaction)
        yield self.call("GET", "/v3/attachments/{id}/views/original", self.serve)

    def allowed(self, seat: Seat, request: web.Request) -> bool:
        """By an access token of the last hour."""
        token, until = self.shelf.get(f"token/{seat.name}") or ("", 0)
        return same(request.headers.get("Authorization", ""), f"Bearer {token}") and time.time() < until

    # what the adapter is told

    def post(self, seat: Seat, event: Json) -> Post:
        claims = {"iss": "https://api.botframework.com", "aud": seat.app["app_id"], "serviceurl": event["serviceUrl"]}
        token = Signer(self.shelf).token({**claims, "nbf": int(time.time())}, lives=HOUR)
        return Post(self.hook(seat), orjson.dumps(event), {"Authorization": f"Bearer {token}"})

    def said(self, chat: Chat, view: Json) -> Iterator[Json]:
        if "pressed" in view:
            value = {"value": {"choice": view["pressed"]}, "replyToId": _number(view["reply_to"])}
            yield self._told(chat, "message", _number(view["id"]), text=view["text"], **value)
            return
        about: Json = {"textFormat": "plain", "text": words_of(view)}
        if "reply_to" in view:
            quoted = _number(view["reply_to"])
            about["text"] = f'<quoted messageId="{quoted}"/> {about["text"]}'
            about["entities"] = [{"type": "quotedReply", "quotedReply": {"messageId": quoted}}]
        if "media" in view:
            about["attachments"] = [_attachment(self.api(chat), view["media"])]
        yield self._told(chat, "message", _number(view["id"]), **about)

    def edited(self, chat: Chat, view: Json) -> Iterator[Json]:
        yield self._told(chat, "messageUpdate", _number(view["id"]), textFormat="plain", text=view.get("text", ""))

    def removed(self, chat: Chat, view: Json) -> Iterator[Json]:
        yield self._told(chat, "messageDelete", _number(view["id"]))

    def reacted(self, chat: Chat, view: Json, emoji: str | None) -> Iterator[Json]:
        fields = {"reactionsAdded": emoji, "reactionsRemoved": view.get("reactions", {}).get("person")}
        changes = {name: [{"type": REACTIONS.get(one, one)}] for name, one in fields.items() if one}
        yield self._told(chat, "messageReaction", f"f:{digits(8)}", replyToId=_number(view["id"]), **changes)

    def blocked(self, chat: Chat, *, blocked: bool) -> Iterator[Json]:
        yield self._told(chat, "installationUpdate", f"f:{digits(8)}", action="remove" if blocked else "add")

    def read(self, chat: Chat, views: list[Json]) -> Iterator[Json]:
        if views:
            last = {"lastReadMessageId": max(_number(view["id"]) for view in views)}
            yield self._told(chat, "event", digits(13), name="application/vnd.microsoft.readReceipt", value=last)

    def _told(self, chat: Chat, kind: str, name: str, /, **about: Any) -> Json:
        app, _, directory = chat.account.partition("@")
        at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        place = {"conversationType": "personal", "tenantId": directory, "id": _place(chat.user)}
        whose = {"recipient": {"id": f"28:{app}", "name": "Parley Shop"}, "channelData": {"tenant": {"id": directory}}}
        said = {"type": kind, "id": name, "timestamp": at, "from": {"id": chat.user, "name": chat.name}, **about}
        where = {"channelId": "msteams", "locale": "km-KH", "serviceUrl": f"{self.api(chat)}/", "conversation": place}
        return where | whose | said

    # what the adapter calls

    def _openid(self, call: Call) -> Json:
        return {"issuer": "https://api.botframework.com", "jwks_uri": f"{call.seat.account['api']}/.well-known/keys"}

    def _keys(self, call: Call) -> Json:
        return {"keys": [{**Signer(self.shelf).public(), "endorsements": ["msteams"]}]}

    def _token(self, call: Call) -> Json:
        """https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow."""
        given = {**call.values, **call.path}
        names = {"client_id": "app_id", "client_secret": "secret", "directory": "directory"}
        for seat in self.seats.all():
            if all(same(str(given.get(name)), str(seat.account[setting])) for name, setting in names.items()):
                token = secrets.token_urlsafe(40)
                self.shelf.put(f"token/{seat.name}", (token, time.time() + HOUR))
                return {"token_type": "Bearer", "expires_in": HOUR, "access_token": token}
        raise No(401, NO_CLIENT)

    def _conversation(self, call: Call) -> Json:
        (member,) = call.values["members"]
        return {"id": _place(self.reached(call, member["id"], self.no("no_such_person")).user)}

    async def _sent(self, call: Call) -> web.Response:
        chat = self._chat(call)
        if streams := [one for one in call.values.get("entities", ()) if one["type"] == "streaminfo"]:
            return await self._streamed(chat, call.values, streams[0])
        if call.values["type"] == "typing":
            chat.types()
            return web.json_response({"id": digits(13)}, status=201)
        view = self.show(chat, {"id": self.new_id(chat), **await self._view(chat, call.values)})
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

    async def _edited(self, call: Call) -> Json:
        chat, view = self._standing(call, self.no("not_ours_to_take_back"))
        chat.show({**view, **await self._view(chat, call.values), "edited": True})
        return {"id": call.path["id"]}

    def _deleted(self, call: Call) -> Json:
        chat, view = self._standing(call, self.no("not_ours_to_take_back"))
        chat.show({"id": view["id"], "direction": "in", "removed": True})
        return {}

    def _reaction(self, call: Call) -> Json:
        (chat, view), emoji = self._standing(call), EMOJI[call.path["kind"]]
        others = {who: shown for who, shown in view.get("reactions", {}).items() if who != "bot"}
        chat.show({**view, "reactions": {**others, **({"bot": emoji} if call.request.method == "PUT" else {})}})
        return {}

    def _chat(self, call: Call) -> Chat:
        if len(orjson.dumps(call.values).decode().encode("utf-16-le")) > BYTES:
            raise self.no("too_large")
        return self.reached(call, call.path["place"].replace("a:", "29:", 1), self.no("not_in_the_conversation"))

    def _standing(self, call: Call, theirs: No | None = None) -> tuple[Chat, Json]:
        chat, gone = self._chat(call), self.no("edits_what_is_gone")
        return chat, self.standing(chat, f"{_place(chat.user)}/{call.path['id']}", gone=gone, theirs=theirs)

    async def _view(self, chat: Chat, activity: Json) -> Json:
        quoted = f"{_place(chat.user)}/{activity.get('replyToId')}"
        reply = {"reply_to": quoted} if quoted in chat.views else {}
        match activity.get("attachments"):
            case None:
                return {**reply, "text": activity["text"]}
            case [{"contentType": kind, "content": card}] if kind == CARD:
                lines = ["".join(run["text"] for run in block["inlines"]) for block in card["body"]]
                return {**reply, "text": "\n".join(lines), "choices": [_choice(one) for one in card["actions"]]}
            case [{"contentType": ("image/png" | "image/jpeg" | "image/gif"), "contentUrl": address}]:
                return {**reply, "media": await self.fetched(chat, address, "image")}
        raise self.no("bad_argument")


def no(status: int, code: str, words: str) -> No:
    return No(status, {"error": {"code": code, "message": words}})


def _attachment(api: str, media: Json) -> Json:
    address = f"{api}/v3/attachments/{media['id']}/views/original"
    if media["kind"] == "image":
        return {"contentType": "image/*", "contentUrl": address}
    content = {"downloadUrl": address, "fileType": media["name"].rpartition(".")[2], "uniqueId": media["id"]}
    return {"contentType": FILE, "contentUrl": address, "name": media["name"], "content": content}


def _choice(action: Json) -> Json:
    if action["type"] == "Action.OpenUrl":
        return choice_view(action["url"], action["title"], action["url"])
    back = action["data"]["msteams"]
    return choice_view(back["value"]["choice"], back["displayText"])


def _place(user: str) -> str:
    """The conversation of a person with a bot."""
    return user.replace("29:", "a:", 1)


def _number(name: str) -> str:
    return name.rpartition("/")[2]
