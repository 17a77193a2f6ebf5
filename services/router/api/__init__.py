"""The router's HTTP API and its page: PostgreSQL read, requests written to Kafka, events as they happen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final

from aiohttp import web

from services.router.api import (
    consents,
    customers,
    fitting,
    mails,
    media,
    openapi,
    page,
    people,
    plans,
    published,
    requests,
    search,
    state,
    stream,
    threads,
)
from services.router.api.answers import answer, open_to_all
from services.router.api.feed import Feed
from services.router.api.tokens import GRANT, Scope, Tokens, guarded
from services.router.directory import Directory
from shared.bus.produce import Producer
from shared.runtime.settings import Settings
from shared.storage.blobs import Blobs
from shared.storage.database import Pool

Handler = Callable[..., Awaitable[web.StreamResponse]]  # of a request, behind what it stands on

FILE: Final = "{ref:[^/]+/[0-9a-f]{64}}"


@dataclass(frozen=True, kw_only=True)
class Deps:
    """What the API stands on. `pool` is that of the router's schema."""

    pool: Pool
    producer: Producer
    settings: Settings
    blobs: Blobs
    directory: Directory
    tokens: Tokens


@dataclass(frozen=True)
class Route:
    """One address. `given`: what its handler stands on, by the names of `routes`. `scope`: the least that a token for it may;
    None: it asks for none, and tells nothing but to whom proves it in another way.
    """

    method: str
    path: str
    handler: Handler
    given: tuple[str, ...]
    scope: Scope | None


def get(path: str, handler: Handler, *given: str, scope: Scope = "read") -> Route:
    return Route("GET", path, handler, given, scope)


def post(path: str, handler: Handler, *given: str, scope: Scope = "write") -> Route:
    return Route("POST", path, handler, given, scope)


def public(path: str, handler: Handler, *given: str) -> Route:
    return Route("GET", path, handler, given, None)


async def list_accounts(directory: Directory, request: web.Request) -> web.Response:
    """GET /api/accounts: how each account is and what its channel can do, as it last said on accounts.v1."""
    seen = (state for state in directory.all() if request[GRANT].sees(state.tenant))
    states = sorted(seen, key=lambda state: (state.tenant, state.channel, state.account))
    return answer({"accounts": [state.model_dump(mode="json") for state in states]})


async def describe(request: web.Request) -> web.Response:
    """GET /api/openapi.json: this API as OpenAPI 3.2."""
    return answer(described())


@cache
def described() -> dict[str, Any]:
    return openapi.document(TABLE)


TABLE: Final = (
    get("/api/conversations", threads.list_conversations, "pool"),
    get("/api/conversations/{id}", threads.show_conversation, "pool", "settings"),
    get("/api/conversations/{id}/plans", plans.show_plans, "pool"),
    get("/api/search", search.search, "pool"),
    get("/api/customers", people.find_people, "pool"),
    get("/api/customers/{id}/export", people.export_person, "pool", "blobs", "exports", scope="admin"),
    get("/api/ids/{prefix}", threads.list_ids, "pool"),
    get("/api/messages/{id}", threads.show_message, "pool", "settings"),
    get("/api/messages/{id}/published", published.show_published, "pool", "log"),
    get("/api/messages/{id}/html", mails.give_address, "pool", "token"),
    post("/api/conversations/{id}/fit", fitting.show_fit, "pool", "directory", scope="read"),
    *(
        post(f"/api/conversations/{{id}}/{name}", partial(requests.of_conversation, kind), "producer", "settings")
        for name, kind in requests.OF_CONVERSATION.items()
    ),
    get("/api/customers/{id}/consent", consents.show_consent, "pool"),
    post("/api/customers/{id}/consent", consents.set_consent, "producer", "settings"),
    get("/api/customers/{id}", customers.show_customer, "pool"),
    *(
        post(f"/api/customers/{{id}}/{name}", partial(customers.ask_of_one, kind), "producer", "settings")
        for name, kind in customers.OF_ONE.items()
    ),
    *(
        post(
            f"/api/customers/{{id}}/{name}", partial(customers.ask_of_one, kind), "producer", "settings", scope="admin"
        )
        for name, kind in customers.FOR_GOOD.items()
    ),
    *(
        post(f"/api/customers/{name}", partial(customers.ask_of_several, kind), "producer", "settings")
        for name, kind in customers.OF_SEVERAL.items()
    ),
    post("/api/send", requests.send, "producer", "settings"),
    get("/api/events", stream.stream_events, "feed", "tokens"),
    get("/api/state", state.show_state, "standing"),
    get("/api/accounts", list_accounts, "directory"),
    post("/api/media", media.upload, "blobs"),
    get(f"/api/media/{FILE}", media.give_address, "blobs", "token"),
    public(f"/media/{FILE}", media.serve, "blobs", "token"),
    public("/mail/{id}/{part:[0-9]{1,2}}", mails.serve, "pool", "blobs", "token"),
    get("/console/config.json", page.show_config, "settings"),
    public("/api/openapi.json", describe),
    public("/console/languages.json", page.list_languages),
    public("/console", page.to_console),
    public("/console/{name:.*}", page.show_file, "settings"),
)


def mount(app: web.Application, deps: Deps) -> None:
    """Serve the API and the page; when the process stops, streams end before HTTP waits for them."""
    feed = Feed(deps.settings)

    async def close(_app: web.Application) -> None:
        await feed.close()

    app.add_routes(routes(deps, feed))
    app.on_shutdown.append(close)


def routes(deps: Deps, feed: Feed | None = None) -> list[web.RouteDef]:
    """TABLE with what it stands on. Whoever gives no feed of its own (see `mount`) waits for open streams when it stops."""
    given = {
        **vars(deps),
        "feed": feed or Feed(deps.settings),
        "exports": people.Exports(),
        "log": published.Log(deps.settings),
        "standing": state.Standing(deps.settings, deps.pool),
        "token": deps.settings.token,
    }

    def serve(route: Route) -> web.RouteDef:
        handler = partial(route.handler, *(given[name] for name in route.given))
        served = guarded(deps.tokens, route.scope, handler) if route.scope else open_to_all(handler)
        return web.RouteDef(route.method, route.path, served, {})

    return [serve(route) for route in TABLE]
