"""`parley grow`: an answer that the customer sees grow, of words that come on standard input."""

from __future__ import annotations

import asyncio
import codecs
import os
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final

import typer

from services.cli.asking import How, asking
from services.cli.ids import as_uuid
from services.cli.message import CANNOT, finish, identified, producing, valid
from services.cli.running import find_running, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from shared.contract.requests import Grow
    from shared.runtime.settings import Settings

EVERY: Final = 1.0  # seconds; channels show it at their own pace
READ_BYTES: Final = 64 * 1024

app = typer.Typer()


@app.command()
@asking
def grow(
    conversation: Annotated[str, typer.Argument(help="The conversation's id; its first letters do.")],
    *,
    how: How,
) -> None:
    """Answer with the words of standard input, which the customer sees grow as they come, where the channel can.

    The end of the input makes them one message, for which it waits as `parley reply` does. Where it is broken off
    (Ctrl-C) nothing has been said.

    Exit codes: as `parley send`.
    """
    from shared.bus.cloudevents import new_id
    from shared.contract.envelope import Text
    from shared.contract.requests import Grow, Reply

    system = find_running(how.home, unreachable=CANNOT)
    place, answer = as_uuid(conversation) or identified(system, conversation), how.key or new_id()
    about = {"tenant": how.tenant, "conversation": place, "author": "cli", "automatic": False}
    text = run(
        show(system.settings, place, lambda so_far: Grow(**about, answer=answer, text=so_far)), unreachable=CANNOT
    )
    asked = valid(lambda: Reply(**about, parts=(Text(text=text.rstrip("\n")),)))
    finish(system, asked, place=str(place), how=replace(how, key=answer))


async def show(settings: Settings, place: UUID, make: Callable[[str], Grow]) -> str:
    """Ask that the words be shown as far as they have come, a pause between, until they end; all of them. Raises BusUnavailable."""
    from shared.bus.cloudevents import new_id

    text, come = "", asyncio.Queue[str | None]()
    threading.Thread(target=follow, args=(asyncio.get_running_loop(), come), daemon=True).start()
    async with producing(settings) as produce:
        while (more := await come.get()) is not None:
            text += more
            if come.empty() and text.strip():
                await produce(valid(partial(make, text)), place=str(place), id_=new_id())
                await asyncio.sleep(EVERY)
    return text


def follow(loop: asyncio.AbstractEventLoop, come: asyncio.Queue[str | None]) -> None:
    """Standard input as it comes; a letter of which half has come waits for the rest. Nobody waits for this thread."""
    read = codecs.getincrementaldecoder("utf-8")(errors="replace")
    with suppress(RuntimeError):  # whoever was to hear of it has gone
        while data := os.read(sys.stdin.fileno(), READ_BYTES):
            loop.call_soon_threadsafe(come.put_nowait, read.decode(data))
        loop.call_soon_threadsafe(come.put_nowait, read.decode(b"", final=True))
        loop.call_soon_threadsafe(come.put_nowait, None)
