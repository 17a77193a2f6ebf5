"""`parley search`: what was said, by whom."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlencode

import typer

from services.cli.ids import SHORT, asking, get
from services.cli.running import AsJson, Home, RouterAddress, fail, find_running, run
from shared.contract.text import on_one_line

if TYPE_CHECKING:
    from services.cli.running import System

CANNOT: Final = 1
MISUSED: Final = 2
NOT_FOUND: Final = 3
PAGE: Final = 50

app = typer.Typer()


@app.command()
def search(
    asked: Annotated[list[str], typer.Argument(metavar="WORDS", help="Words of messages, in any script.")],
    channel: Annotated[str, typer.Option(help="Only this channel.")] = "",
    most: Annotated[int, typer.Option(min=1, help="So many messages at the most.")] = 20,
    router: RouterAddress = "",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Find messages by all of these words, newest first, and conversations by a part of a name, an address or a subject.

    Exit codes: 0 found, 1 the router cannot be reached, 2 misused, 3 nothing is found.
    """
    system = find_running(home, unreachable=CANNOT)
    address = router or system.services.get("router", "")
    if not address:
        fail("The router's address is not known. Give it with --router or PARLEY_ROUTER.", MISUSED)
    found = run(look_up(system, address, " ".join(asked), channel=channel, most=most), unreachable=CANNOT)
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        for line in (*map(conversation_line, found["conversations"]), *map(message_line, found["messages"])):
            print(on_one_line(line))
    if not any(found.values()):
        raise typer.Exit(NOT_FOUND)


async def look_up(system: System, address: str, asked: str, *, channel: str, most: int) -> dict[str, list[Any]]:
    """{"conversations", "messages"}, page after page."""
    found: dict[str, list[Any]] = {"conversations": [], "messages": []}
    before = ""
    async with asking(system, address) as router:
        while len(found["messages"]) < most:
            limit = min(PAGE, most - len(found["messages"]))
            query = urlencode({"q": asked, "channel": channel, "before": before, "limit": limit})
            page = await get(router, f"/api/search?{query}")
            if page is None:
                fail(
                    "The router cannot look for this: 1 to 200 characters, and a channel of `parley channels`.", MISUSED
                )
            for kind in found:
                found[kind] += page[kind]
            before = page["next"]
            if not before:
                break
    return found


def conversation_line(one: dict[str, Any]) -> str:
    """Its short id, where it is, with whom."""
    said = (one["id"][:SHORT], one["channel"], one["account"], one["peer"], one["name"], one["subject"])
    return "  ".join(filter(None, said))


def message_line(one: dict[str, Any]) -> str:
    """Its conversation's short id, when, where, from whom, and the words around the first that was found."""
    words = "".join(piece["text"] for piece in one["excerpt"])
    return "  ".join((one["conversation"][:SHORT], one["at"][:19], one["channel"], one["name"] or one["peer"], words))
