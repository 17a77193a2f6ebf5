"""`parley tail`: records as they come."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from services.cli.running import AsJson, Home, find_running, run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shared.runtime.settings import Settings

CANNOT: Final = 1

app = typer.Typer()


@app.command()
def tail(
    topic: Annotated[str, typer.Option(help="events, requests, delivery, inbound, outbound.chat …")] = "events",
    conversation: Annotated[str, typer.Option(help="Only this conversation; its first letters are enough.")] = "",
    from_beginning: Annotated[bool, typer.Option("--from-beginning", help="Also what is there already.")] = False,
    no_follow: Annotated[bool, typer.Option("--no-follow", help="End where the log ends now.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Print a topic's records, one a line, until Ctrl-C; --json prints one object a line.

    Exit codes: 0 ended (with --no-follow), 1 Kafka cannot be reached, 2 no such topic, 130 Ctrl-C.
    """
    from services.cli.reading import described, resolve

    system = find_running(home, unreachable=CANNOT)
    settings = system.settings
    topics = resolve(settings, topic)
    show = printer(as_json=as_json)

    def take(record: Any) -> None:
        told = described(record)
        if concerns(told, conversation):
            show(told)

    run(follow(settings, topics, take, beginning=from_beginning, endless=not no_follow), unreachable=CANNOT)


async def follow(
    settings: Settings, topics: Sequence[str], take: Callable[[Any], None], *, beginning: bool, endless: bool
) -> None:
    """Hand over what is there, then what comes; not `endless`: only what is there."""
    from services.cli.reading import consumer, present, records, seek

    async with consumer(settings, topics) as reading:
        if not endless:
            for record in await present(reading) if beginning else ():
                take(record)
            return
        await seek(reading, beginning=beginning)
        async for record in records(reading):
            take(record)


def concerns(told: dict[str, Any], conversation: str) -> bool:
    """Whether the record is about the conversation whose id begins so."""
    if not conversation:
        return True
    data = told["data"] if isinstance(told["data"], dict) else {}
    return any(str(name or "").startswith(conversation) for name in (told["key"], data.get("conversation")))


def printer(*, as_json: bool) -> Callable[[dict[str, Any]], None]:
    """What prints one record."""
    from services.cli.lines import Places, Seen, as_json as in_json, line

    if as_json:
        return lambda told: print(in_json(told), flush=True)
    from rich.console import Console

    console, seen = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 200), Seen()
    places = Places()
    return lambda told: console.print(line(told, places.of(told), again=seen.again(told)))
