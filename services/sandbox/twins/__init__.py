"""The providers that are played in small, each in a file of its own."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from services.sandbox.twins.apple import Apple
from services.sandbox.twins.bluesky import Bluesky
from services.sandbox.twins.discord import Discord
from services.sandbox.twins.googlechat import GoogleChat
from services.sandbox.twins.instagram import Instagram
from services.sandbox.twins.line import Line
from services.sandbox.twins.rcs import Rcs
from services.sandbox.twins.slack import Slack
from services.sandbox.twins.sms import Sms
from services.sandbox.twins.teams import Teams
from services.sandbox.twins.telnyx import Telnyx
from services.sandbox.twins.tiktok import TikTok
from services.sandbox.twins.twin import Kit, Twin
from services.sandbox.twins.viber import Viber
from services.sandbox.twins.voicemail import Voicemail
from services.sandbox.twins.x import X
from services.sandbox.twins.youtube import YouTube

TWINS: Final[tuple[type[Twin], ...]] = (
    Apple,
    Bluesky,
    Discord,
    Instagram,
    GoogleChat,
    Line,
    Rcs,
    Slack,
    Sms,
    Teams,
    Telnyx,
    TikTok,
    Viber,
    Voicemail,
    X,
    YouTube,
)


class Twins:
    """All of them; /phone/apps says how the phone shows each."""

    def __init__(self, kit: Kit) -> None:
        self._twins = [twin(kit) for twin in TWINS]

    def routes(self) -> list[web.RouteDef]:
        apps = web.get("/phone/apps", self._apps)
        return [apps, *(route for twin in self._twins for route in twin.routes())]

    async def close(self) -> None:
        for twin in self._twins:
            await twin.close()

    async def hang_up(self, _app: web.Application) -> None:
        """Connections that would stay open."""
        for twin in self._twins:
            await twin.hang_up()

    async def _apps(self, _request: web.Request) -> web.Response:
        return web.json_response({"apps": [twin.app() for twin in self._twins]})
