"""`parley plans`: which other ways a conversation's messages have, and how far each has come."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from services.cli.ids import NOT_FOUND, asking, get, resolve
from services.cli.running import MISUSED, AsJson, Home, RouterAddress, fail, find_running, run
from shared.contract.text import on_one_line

if TYPE_CHECKING:
    from services.cli.running import System

CANNOT: Final = 1

app = typer.Typer()


@app.command()
def plans(
    conversation: Annotated[str, typer.Argument(help="The conversation's id; its first letters do.")],
    router: RouterAddress = "",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show the messages that have other ways to the same person: each way, when it is taken, and what became of it.

    Exit codes: 0 found, 1 the router cannot be reached, 2 misused, 3 there is no such conversation.
    """
    system = find_running(home, unreachable=CANNOT)
    address = router or system.services.get("router", "")
    if not address:
        fail("The router's address is not known. Give it with --router or PARLEY_ROUTER.", MISUSED)
    found = run(look_up(system, address, conversation), unreachable=CANNOT)
    if found is None:
        fail(f"The router knows no conversation {conversation}.", NOT_FOUND)
    print(json.dumps(found) if as_json else "\n".join(map(on_one_line, lines(found))))


async def look_up(system: System, address: str, name: str) -> list[dict[str, Any]] | None:
    whole = await resolve(system, name, router=address, kinds=("conversations",))
    async with asking(system, address) as router:
        told = await get(router, f"/api/conversations/{whole}/plans")
    return told["plans"] if told else None


def lines(found: list[dict[str, Any]]) -> list[str]:
    """The plans for a person."""
    said = []
    for plan in found:
        end = f"ended {plan['ended_at']}: {plan['why']}" if plan["ended_at"] else f"looked at again {plan['due']}"
        said.append(f"plan {plan['id']}  since {plan['began_at']}  {end}")
        for number, way in enumerate(plan["ways"]):
            when = f"unless {way['unless']} within {way['within']} s" if way["unless"] else "first"
            what = f"{way['status'] or 'not taken'}{': ' + way['code'] if way['code'] else ''}"
            said.append(f"  {number}  {way['channel']}/{way['account']}  {way['address'] or ''}  {when}  {what}")
    return said or ["no plans"]
