"""Streams of events, which end when the sandbox stops — https://html.spec.whatwg.org/multipage/server-sent-events.html."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import Any, Final

import orjson
from aiohttp import web

from services.sandbox.refusals import Refused
from services.sandbox.signals import Signal, happens

HEARTBEAT: Final = 15.0  # seconds
ALL: Final = b""  # what a generator of events yields when there is no more for now


class Streams:
    """Those that are open."""

    def __init__(self) -> None:
        self._closing = False
        self._heard: list[Signal] = []

    async def tell(self, request: web.Request, changed: Signal, news: Iterator[bytes]) -> web.StreamResponse:
        """Write the `news`, which never end, up to the next ALL; go on whenever something changed."""
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await stream.prepare(request)
        self._heard.append(changed)
        try:
            while not self._closing:
                change = changed.next()
                for event in takewhile(bool, news):
                    await stream.write(event)
                if not await happens(change, HEARTBEAT):
                    await stream.write(b": still here\n\n")
        finally:
            self._heard.remove(changed)
        return stream

    async def close(self, _app: web.Application) -> None:
        """End them all, so that stopping need not wait for them."""
        self._closing = True
        for changed in self._heard:
            changed.set()


STREAMS: Final = web.AppKey("streams", Streams)


def prepare(app: web.Application) -> None:
    streams = app[STREAMS] = Streams()
    app.on_shutdown.append(streams.close)


async def tell(request: web.Request, changed: Signal, news: Iterator[bytes]) -> web.StreamResponse:
    """Answer with a stream of events; see Streams.tell."""
    return await request.app[STREAMS].tell(request, changed, news)


def event(name: str, data: Any, *, n: int | None = None) -> bytes:
    """One event, with its number where it has one."""
    number = b"" if n is None else b"id: %d\n" % n
    return b"%bevent: %b\ndata: %b\n\n" % (number, name.encode(), orjson.dumps(data))


def last_seen(request: web.Request, *, what: str = "message") -> int:
    """The number after which the stream or list goes on. Raises Refused."""
    after = request.headers.get("Last-Event-ID") or request.query.get("after") or "0"
    if not after.isdecimal():
        raise Refused(400, f"after is the n of the last {what} seen")
    return int(after[:15])
