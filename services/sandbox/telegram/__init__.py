"""Telegram's Bot API on loopback — https://core.telegram.org/bots/api."""

from __future__ import annotations

from contextlib import suppress

from aiohttp import ClientSession, web

from services.sandbox.faults import Control
from services.sandbox.screens import Json
from services.sandbox.shelf import Shelf
from services.sandbox.telegram.api import Api
from services.sandbox.telegram.calls import Parameters, Refused, parameters
from services.sandbox.telegram.methods import METHODS
from services.sandbox.telegram.phone import Phone
from services.sandbox.telegram.sending import SENDS
from services.sandbox.telegram.webhooks import Webhooks
from services.sandbox.telegram.world import Bot, World


class Telegram:
    """The provider: its API, its phone, and its deliveries."""

    def __init__(self, shelf: Shelf, control: Control, client: ClientSession) -> None:
        self._control = control
        self._world = World(shelf)
        self._api = Api(control)
        self._webhooks = Webhooks(self._world, control, client, self._perform)
        self._phone = Phone(self._world)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/file/bot{token}/{path:.+}", self._download),
            web.route("*", "/bot{token}/{method}", self._call),
            *self._phone.routes(),
        ]

    async def end_polls(self, _app: web.Application) -> None:
        """So that stopping need not wait for them."""
        for bot in self._world.bots.values():
            bot.poller.set()

    async def close(self) -> None:
        await self._webhooks.close()

    async def _call(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"].lower()
        await self._control.answers()
        if provoked := await self._control.failure(method, channel="telegram", sends=method in SENDS):
            return provoked
        try:
            result = await self._result(request, method)
        except Refused as refused:
            return refused.response()
        if method in SENDS and self._control.drops() and request.transport:
            request.transport.abort()
        return web.json_response({"ok": True, "result": result})

    async def _result(self, request: web.Request, method: str) -> object:
        bot = self._bot(request)
        if request.method not in {"GET", "POST"} or method not in METHODS:
            raise Refused(404, "Not Found")
        return await METHODS[method](self._api, bot, await parameters(request))

    async def _perform(self, bot: Bot, values: Json) -> None:
        """A call in the answer to a webhook: nobody learns what came of it."""
        method = str(values["method"]).lower()
        if method in METHODS:
            with suppress(Refused):
                await METHODS[method](self._api, bot, Parameters(values))

    def _bot(self, request: web.Request) -> Bot:
        if (bot := self._world.by_token(request.match_info["token"])) is None:
            raise Refused(401, "Unauthorized")
        return bot

    async def _download(self, request: web.Request) -> web.StreamResponse:
        await self._control.answers()
        try:
            bot = self._bot(request)
            path = request.match_info["path"]
            kept = next((file for file in bot.files.values() if file["file_path"] == path), None)
            if kept is None:
                raise Refused(404, "Not Found")
        except Refused as refused:
            return refused.response()
        return web.Response(body=bot.shelf.file(kept["file_id"]), content_type="application/octet-stream")
