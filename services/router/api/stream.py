"""GET /api/events: the feed as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Final

from aiohttp import web

from services.router.api.answers import Mistake
from services.router.api.feed import QUIET_SECONDS, Dropped, Feed, Full
from services.router.api.tail import Event, Positions, Start
from services.router.api.tokens import GRANT, Tokens

POSITIONS_LENGTH: Final = 8192
WRITE_SECONDS: Final = 20.0


async def stream_events(feed: Feed, tokens: Tokens, request: web.Request) -> web.StreamResponse:
    """Everything from now on, from ?from=beginning, or from Last-Event-ID ("partition:next offset,…", as each id says).

    `event: position` with empty data says where the stream stands when there is nothing to tell. A client that is too
    slow is let go; it comes again with the last id it saw and misses nothing. What is another tenant's is passed over, and
    the stream ends with its token.
    """
    grant = request[GRANT]
    start = read_start(request)
    try:
        listener = await feed.listen(start)
    except Full as error:
        raise Mistake(503, "throttled", "too many listeners; try again") from error
    response = web.StreamResponse(
        headers={
            "Content-Type": "text/event-stream",
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",
            "X-Content-Type-Options": "nosniff",
        }
    )
    await response.prepare(request)
    with contextlib.suppress(ConnectionError, TimeoutError, Dropped):
        async with contextlib.aclosing(feed.events(listener, start)) as events:
            quiet_since = time.monotonic()
            async for event in events:
                if not tokens.stands(grant):
                    break
                shown = event if event and grant.sees(event.tenant) else None
                if shown is None and event and time.monotonic() - quiet_since < QUIET_SECONDS:
                    continue
                quiet_since = time.monotonic()
                async with asyncio.timeout(WRITE_SECONDS):
                    await response.write(as_sse(shown, listener.positions))
    return response


def as_sse(event: Event | None, positions: Positions) -> bytes:
    where = write_positions(positions).encode()
    if event is None:
        return b"id: %s\nevent: position\ndata: {}\n\n" % where
    return b"id: %s\ndata: %s\n\n" % (where, event.data)


def read_start(request: web.Request) -> Start:
    last = request.headers.get("Last-Event-ID", "")
    if last:
        return read_positions(last)
    return "beginning" if request.query.get("from") == "beginning" else "now"


def write_positions(positions: Positions) -> str:
    return ",".join(f"{partition}:{offset}" for partition, offset in sorted(positions.items()))


def read_positions(text: str) -> Positions:
    """The reverse of `write_positions`; raises Mistake where it is something else."""
    try:
        if len(text) > POSITIONS_LENGTH:
            raise ValueError("too long")
        pairs = [pair.split(":") for pair in text.split(",")]
        positions = {int(partition): int(offset) for partition, offset in pairs}
    except ValueError as error:
        raise Mistake(400, "malformed", "Last-Event-ID: not an id of this stream") from error
    if any(not 0 <= number < 2**63 for pair in positions.items() for number in pair):
        raise Mistake(400, "malformed", "Last-Event-ID: not an id of this stream")
    return positions
