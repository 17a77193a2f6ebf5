"""Meta's Graph API on loopback: what its platforms share — https://developers.facebook.com/docs/graph-api."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol

from aiohttp import ClientSession, web

from services.sandbox.bodies import Upload, read_values
from services.sandbox.faults import Control
from services.sandbox.graph.apps import Apps
from services.sandbox.graph.deliveries import Deliveries
from services.sandbox.graph.errors import GraphError, bad_token, invalid, no_such_object
from services.sandbox.refusals import Refused
from services.sandbox.shelf import Shelf

Json = dict[str, Any]
CALL: Final = "/{version:v\\d+\\.\\d+}/{path:.+}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """A call of the Graph: `node` is the object's id, `edge` what of it (`messages`), "" for the object itself."""

    request: web.Request
    node: str
    edge: str
    values: Json
    token: str

    @property
    def method(self) -> str:
        return self.request.method

    def text(self, name: str) -> str:
        """A parameter that must be there. Raises GraphError."""
        value = self.values.get(name)
        if not isinstance(value, str) or not value:
            raise invalid(f"The parameter {name} is required.")
        return value

    def file(self, name: str) -> Upload:
        value = self.values.get(name)
        if not isinstance(value, Upload):
            raise invalid(f"The parameter {name} is required.")
        return value


class Platform(Protocol):
    """One of Meta's products: which calls are its own, and what it answers."""

    name: str

    def claims(self, call: Call) -> bool:
        """Whether the call is for this platform: by a node that it knows, or by the call's form."""

    def sends(self, call: Call) -> bool:
        """Whether a person would see its effect; faults of sending are for such calls."""

    async def answer(self, call: Call) -> Json:
        """The JSON of a 200. Raises GraphError."""


class Graph:
    """Calls are dispatched to the platforms, in the order in which they were added; webhooks leave through `tell`."""

    def __init__(self, shelf: Shelf, control: Control, client: ClientSession) -> None:
        self._control = control
        self.apps = Apps(shelf, client)
        self.deliveries = Deliveries(shelf, control, client, self.apps)
        self._platforms: list[Platform] = []
        control.on_change(self.deliveries.release)

    def add(self, platform: Platform) -> None:
        self._platforms.append(platform)

    def routes(self) -> list[web.RouteDef]:
        return [web.route("*", CALL, self._call)]

    async def close(self) -> None:
        await self.deliveries.close()

    def tell(self, node: str, *, topic: str, field: str, lane: str, entry: Json) -> bool:
        """Send an entry to the app that is subscribed to this field of the node; False where none is.

        `lane`: what stays in order, usually the account and the person. Several entries share one body while the fault
        `batch` asks for it.
        """
        subscribed = self.apps.subscription(node, topic=topic, field=field)
        if subscribed is None:
            return False
        self.deliveries.tell(subscribed[0]["id"], topic, lane=lane, entry=entry)
        return True

    async def _call(self, request: web.Request) -> web.StreamResponse:
        await self._control.answers()
        try:
            call = await _read(request)
            if request.method == "POST" and call.edge == "subscriptions":
                return web.json_response(await self._subscribe(call))
            return await self._answer(call)
        except GraphError as error:
            return error.response()
        except Refused as error:
            return GraphError(100, error.description, status=error.status).response()

    async def _subscribe(self, call: Call) -> Json:
        done = await self.apps.subscribe(self.apps.by_token(call.node, call.token), call.values)
        self.deliveries.retry.set()
        return done

    async def _answer(self, call: Call) -> web.StreamResponse:
        platform = next((one for one in self._platforms if one.claims(call)), None)
        if platform is None:
            raise no_such_object(call.node)
        sends = platform.sends(call)
        if provoked := await self._control.failure(
            f"{platform.name}/{call.edge}".lower(), channel=platform.name, sends=sends
        ):
            return provoked
        answer = await platform.answer(call)
        if sends and self._control.drops() and call.request.transport:
            call.request.transport.abort()
        return web.json_response(answer)


async def _read(request: web.Request) -> Call:
    node, _, edge = request.match_info["path"].strip("/").partition("/")
    values = await read_values(request)
    given = values.pop("access_token", None)
    token = request.headers.get("Authorization", "").removeprefix("Bearer ") or given
    if not isinstance(token, str) or not token:
        raise bad_token("An access token is required to request this resource.")
    return Call(request=request, node=node, edge=edge, values=values, token=token)


__all__ = ["Call", "Graph", "GraphError", "Json", "Platform", "bad_token", "invalid", "no_such_object"]
