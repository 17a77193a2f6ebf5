"""What can be made to go wrong on purpose, and the log that shows what was really accepted."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import orjson
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.sandbox.bodies import read_bytes
from services.sandbox.failures import failures, refusals
from services.sandbox.refusals import answering
from services.sandbox.shelf import Shelf

SECTIONS: Final = frozenset({"refuse", "telegram", "meta"})


class Fail(BaseModel):
    """The next `count` calls of `method` (every method that sends, when empty) are answered so, and do nothing."""

    model_config = ConfigDict(extra="forbid")

    count: int = Field(default=1, ge=0)
    method: str = ""
    status: int = Field(default=500, ge=200, le=599)
    body: dict[str, Any] | str = ""
    headers: dict[str, str] = {}


class Refusal(BaseModel):
    """The next `count` sends of a channel are refused as the failure of this name."""

    model_config = ConfigDict(extra="forbid")

    name: str
    count: int = Field(default=1, ge=0)


class Limits(BaseModel):
    """How often a bot may send, and to one chat; `burst` is how many at once are let through. Telegram's FAQ gives the rates."""

    model_config = ConfigDict(extra="forbid")

    per_second: float = Field(default=30, gt=0)
    per_chat_second: float = Field(default=1, gt=0)
    burst: float = Field(default=30, ge=1)
    chat_burst: float = Field(default=20, ge=1)


class GraphLimits(BaseModel):
    """How often a number or page may send through Meta's Graph API, and to one person; bursts as in Limits.

    80 a second by default (https://developers.facebook.com/docs/whatsapp/cloud-api/overview#throughput), and to one
    person one in six seconds after 45 at once (…/overview#pair-rate-limits).
    """

    model_config = ConfigDict(extra="forbid")

    per_second: float = Field(default=80, gt=0)
    per_pair_second: float = Field(default=1 / 6, gt=0)
    burst: float = Field(default=80, ge=1)
    pair_burst: float = Field(default=45, ge=1)


class Telegram(BaseModel):
    """`query_seconds`: how long a press on a button may be answered, which Telegram does not say and bots measure as fifteen;
    and what one person of a group alone sees, where Telegram says so.
    """

    model_config = ConfigDict(extra="forbid")

    limits: Limits = Limits()
    query_seconds: float = Field(default=15, ge=0)


class Meta(BaseModel):
    """Of WhatsApp and Facebook. `batch`: so many entries wait for one another and go in one body. `receipts`: `backwards` holds
    sent and delivered back until the person has read, and tells all three the wrong way round; `early` tells before the
    send itself is answered. `link_seconds`: how long a link to media is good. `window_hours`: how long someone who has
    written may be answered. `profiles`: what a page's token may see of people: their names, their language and time zone too.
    """

    model_config = ConfigDict(extra="forbid")

    limits: GraphLimits = GraphLimits()
    batch: int = Field(default=1, ge=1, le=1000)
    receipts: Literal["in_order", "backwards", "early"] = "in_order"
    link_seconds: float = Field(default=300, ge=0)
    window_hours: float = Field(default=24, ge=0)
    profiles: Literal["all", "names", "none"] = "all"


class Faults(BaseModel):
    """Of all providers: `drop`: so many sends are accepted and the connection then cut, so that their outcome is unknown.
    `delay`: seconds before every send. `silent`: no call is answered until it is false again. `twice`: every webhook is
    delivered twice. `refuse`, by channel: a failure that its provider documents (GET /control/failures), for the next sends.
    What only some can do wrong stands in a section of theirs.
    """

    model_config = ConfigDict(extra="forbid")

    fail: Fail | None = None
    drop: int = Field(default=0, ge=0)
    delay: float = Field(default=0, ge=0, le=600)
    silent: bool = False
    twice: bool = False
    refuse: dict[str, Refusal] = {}
    telegram: Telegram = Telegram()
    meta: Meta = Meta()


class Control:
    """The faults in force, set through POST /control, and every accepted send, read through GET /control/log."""

    def __init__(self, shelf: Shelf) -> None:
        self.faults = Faults()
        self._shelf = shelf
        self.sends: list[dict[str, Any]] = [value for _, value in shelf.under("send/")]
        self._numbers = itertools.count(len(self.sends) + 1)
        self._changed = asyncio.Event()
        self._watchers: list[Callable[[], None]] = []
        self.closing = False

    def on_change(self, watcher: Callable[[], None]) -> None:
        """Call this whenever the faults in force are others."""
        self._watchers.append(watcher)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/control", self._show),
            web.post("/control", answering(self._set)),
            web.get("/control/failures", self._failures),
            web.get("/control/log", self._accepted),
        ]

    async def answers(self) -> None:
        """Wait while nothing is to be answered."""
        while self.faults.silent and not self.closing:
            await self._changed.wait()

    async def failure(self, method: str, *, channel: str, sends: bool) -> web.Response | None:
        """The answer that this call gets instead of its own."""
        if sends and self.faults.delay:
            await asyncio.sleep(self.faults.delay)
        refusal = self.faults.refuse.get(channel)
        if refusal and refusal.count and sends:
            refusal.count -= 1
            told = failures(channel)[refusal.name]
            return answer(told["status"], told["body"], told["headers"])
        fail = self.faults.fail
        if not fail or not fail.count or not (sends if not fail.method else fail.method.lower() == method):
            return None
        fail.count -= 1
        return answer(fail.status, fail.body, fail.headers)

    def drops(self) -> bool:
        """Whether the connection of this accepted send is to be cut."""
        cut = self.faults.drop > 0
        self.faults.drop -= cut
        return cut

    def accepted(self, send: Mapping[str, Any]) -> None:
        entry = {"n": next(self._numbers), **send}
        self.sends.append(entry)
        self._shelf.put(f"send/{entry['n']}", entry)

    async def close(self, _app: web.Application) -> None:
        """Let go of the calls that are not answered, so that stopping need not wait for them."""
        self.closing = True
        self.release()

    async def _show(self, _request: web.Request) -> web.Response:
        return web.json_response(self.faults.model_dump())

    async def _failures(self, _request: web.Request) -> web.Response:
        """{channel: {name: code}}: what providers document."""
        return web.json_response(refusals())

    async def _set(self, request: web.Request) -> web.Response:
        """What is named is set, the rest stays; `{"reset": true}` puts all back."""
        try:
            wanted = orjson.loads(await read_bytes(request))
            before = {} if wanted.pop("reset", False) else self.faults.model_dump()
            faults = Faults.model_validate(over(before, wanted))
            for channel, refusal in faults.refuse.items():
                if refusal.name not in (known := refusals().get(channel, {})):
                    raise ValueError(f"{channel} has no failure {refusal.name}; it has {', '.join(known) or 'none'}")
            self.faults = faults
        except (ValueError, AttributeError, TypeError, ValidationError) as error:
            return web.json_response({"error": str(error)}, status=400)
        self.release()
        for watcher in self._watchers:
            watcher()
        return web.json_response(self.faults.model_dump())

    def release(self) -> None:
        """Whoever waits looks again."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def _accepted(self, request: web.Request) -> web.Response:
        after = request.query.get("after", "0")
        return web.json_response({"sends": self.sends[int(after) if after.isdecimal() else 0 :]})


def answer(status: int, body: dict[str, Any] | str, headers: Mapping[str, str]) -> web.Response:
    """JSON, or words."""
    if isinstance(body, str):
        return web.Response(status=status, text=body, headers=headers)
    return web.json_response(body, status=status, headers=headers)


def over(before: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """What is named is set, also within a section; the rest stays."""
    within = {name: before.get(name, {}) | value for name, value in wanted.items() if name in SECTIONS}
    return before | wanted | within
