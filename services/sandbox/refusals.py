"""What people's phones, posts and mailboxes answer where something cannot be done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Refused(Exception):
    """What cannot be done, in a sentence; `status` says how HTTP calls it."""

    def __init__(self, status: int, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.description = description


def answering(handler: Handler) -> Handler:
    """The handler, whose refusals are answered as {"error"}."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except Refused as refused:
            return web.json_response({"error": refused.description}, status=refused.status)

    return answer
