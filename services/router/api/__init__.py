"""The router's HTTP API and its page: PostgreSQL read, requests written to Kafka, events as they happen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from aiohttp import web

from services.router.api import fitting, mails, media, page, published, requests, state, stream, threads
from services.router.api.answers import answer, guarded, open_to_all
from services.router.api.feed import Feed
from services.router.directory import Directory
from shared.bus.produce import Producer
from shared.runtime.settings import Settings
from shared.storage.blobs import Blobs
from shared.storage.database import Pool

Given = Callable[..., Awaitable[web.StreamResponse]]  # a handler, behind what it stands on

FILE: Final = "{ref:[^/]+/[0-9a-f]{64}}"


@dataclass(frozen=True, kw_only=True)
class Deps:
    """What the API stands on. `pool` is that of the router's schema."""

    pool: Pool
    producer: Producer
    settings: Settings
    blobs: Blobs
    directory: Directory


def mount(app: web.Application, deps: Deps) -> None:
    """Serve the API and the page; when the process stops, streams end before HTTP waits for them."""
    feed = Feed(deps.settings)

    async def close(_app: web.Application) -> None:
        await feed.close()

    app.add_routes(routes(deps, feed))
    app.on_shutdown.append(close)


def routes(deps: Deps, feed: Feed | None = None) -> list[web.RouteDef]:
    """All addresses. Only the page's own files and signed media addresses are open; neither tells anything.

    Whoever gives no feed of its own (see `mount`) waits for open streams when it stops.
    """
    token, settings = deps.settings.token, deps.settings
    feed = feed or Feed(settings)

    def get(path: str, handler: Given, *given: Any) -> web.RouteDef:
        return web.get(path, guarded(token, partial(handler, *given)))

    def post(path: str, handler: Given, *given: Any) -> web.RouteDef:
        return web.post(path, guarded(token, partial(handler, *given)))

    def public(path: str, handler: Given, *given: Any) -> web.RouteDef:
        return web.get(path, open_to_all(partial(handler, *given)))

    return [
        get("/api/conversations", threads.list_conversations, deps.pool),
        get("/api/conversations/{id}", threads.show_conversation, deps.pool, settings),
        get("/api/ids/{prefix}", threads.list_ids, deps.pool),
        get("/api/messages/{id}", threads.show_message, deps.pool, settings),
        get("/api/messages/{id}/published", published.show_published, deps.pool, published.Log(settings)),
        get("/api/messages/{id}/html", mails.give_address, deps.pool, token),
        post("/api/conversations/{id}/fit", fitting.show_fit, deps.pool, deps.directory),
        *(
            post(f"/api/conversations/{{id}}/{name}", requests.of_conversation, kind, deps.producer, settings)
            for name, kind in requests.OF_CONVERSATION.items()
        ),
        post("/api/send", requests.send, deps.producer, settings),
        get("/api/events", stream.stream_events, feed),
        get("/api/state", state.show_state, state.Standing(settings, deps.pool)),
        get("/api/accounts", list_accounts, deps.directory),
        post("/api/media", media.upload, deps.blobs),
        get(f"/api/media/{FILE}", media.give_address, deps.blobs, token),
        public(f"/media/{FILE}", media.serve, deps.blobs, token),
        public("/mail/{id}/{part:[0-9]{1,2}}", mails.serve, deps.pool, deps.blobs, token),
        get("/console/config.json", page.show_config, settings),
        public("/console/languages.json", page.list_languages),
        public("/console", page.to_console),
        public("/console/{name:.*}", page.show_file, settings),
    ]


async def list_accounts(directory: Directory, request: web.Request) -> web.Response:
    """GET /api/accounts: how each account is and what its channel can do, as it last said on accounts.v1."""
    states = sorted(directory.all(), key=lambda state: (state.tenant, state.channel, state.account))
    return answer({"accounts": [state.model_dump(mode="json") for state in states]})
