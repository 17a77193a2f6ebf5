"""Microsoft Teams in small — https://learn.microsoft.com/en-us/azure/bot-service/rest-api/bot-framework-rest-connector-api-reference."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import orjson
from aiohttp import web

from services.sandbox.chats import Chat
from services.sandbox.said import choice_view
from services.sandbox.twins.proofs import Signer
from services.sandbox.twins.teams.events import REACTIONS, Tells, number_of, place_of
from services.sandbox.twins.twin import Call, No, digits

Json = dict[str, Any]
BYTES: Final = 100 * 1024  # of a message, in UTF-16
EMOJI: Final = {kind: emoji for emoji, kind in REACTIONS.items()}
ACTIVITY: Final = "/v3/conversations/{place}/activities/{id}"
NO_CLIENT: Final = {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided."}
CARD: Final = "application/vnd.microsoft.card.adaptive"


class Teams(Tells):
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

    def _openid(self, call: Call) -> Json:
        return {"issuer": "https://api.botframework.com", "jwks_uri": f"{call.seat.account['api']}/.well-known/keys"}

    def _keys(self, call: Call) -> Json:
        return {"keys": [{**Signer(self.shelf).public(), "endorsements": ["msteams"]}]}

    def _token(self, call: Call) -> Json:
        """https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow."""
        given = {**call.values, **call.path}
        seat = self.seats.known(given, "directory", client_id="app_id", client_secret="secret")  # noqa: S106 a setting's name
        if seat is None:
            raise No(401, NO_CLIENT)
        return self.grant(seat)

    def _conversation(self, call: Call) -> Json:
        (member,) = call.values["members"]
        return {"id": place_of(self.reached(call, member["id"], self.no("no_such_person")).user)}

    async def _sent(self, call: Call) -> web.Response:
        chat = self._chat(call)
        if streams := [one for one in call.values.get("entities", ()) if one["type"] == "streaminfo"]:
            return await self._streamed(chat, call.values, streams[0])
        if call.values["type"] == "typing":
            chat.types()
            return web.json_response({"id": digits(13)}, status=201)
        view = self.show(chat, {"id": self.new_id(chat), **await self._view(chat, call.values)})
        return web.json_response({"id": number_of(view["id"])}, status=201)

    async def _streamed(self, chat: Chat, activity: Json, told: Json) -> web.Response:
        """…/microsoftteams/platform/bots/streaming-ux#response-codes."""
        final, number, name = told["streamType"] == "final", told.get("streamSequence"), told.get("streamId")
        shows = await self._view(chat, activity)
        if name is None:
            if final or number != 1:
                raise no(400, "BadRequest", "Start streaming activities should have the sequence 1")
            begun = chat.show({"id": self.new_id(chat), "direction": "in", "streams": 1, **shows})
            return web.json_response({"id": number_of(begun["id"])}, status=201)
        view = chat.views.get(f"{place_of(chat.user)}/{name}", {})
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
        return chat, self.standing(chat, f"{place_of(chat.user)}/{call.path['id']}", gone=gone, theirs=theirs)

    async def _view(self, chat: Chat, activity: Json) -> Json:
        quoted = f"{place_of(chat.user)}/{activity.get('replyToId')}"
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


def _choice(action: Json) -> Json:
    if action["type"] == "Action.OpenUrl":
        return choice_view(action["url"], action["title"], action["url"])
    back = action["data"]["msteams"]
    return choice_view(back["value"]["choice"], back["displayText"])
