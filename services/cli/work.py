"""`parley close`, `reopen`, `reachable`, `assign`, `tag`, `read`, `waiting`: the desk's work, as any system may ask for it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlencode

import typer

from services.cli.asking import How, asking
from services.cli.ids import SHORT, as_uuid, asking as asking_router, get
from services.cli.message import CANNOT, finish, identified, valid
from services.cli.running import MISUSED, AsJson, Home, fail, find_running, run
from shared.contract.text import on_one_line

if TYPE_CHECKING:
    from services.cli.running import System
    from shared.contract.requests import Request

Conversation = Annotated[str, typer.Argument(help="The conversation's id; its first letters do.")]
Why = Annotated[str, typer.Option(help="Why, for whoever reads the event.")]
EVERYTHING: Final = 2**62  # above every sequence

app = typer.Typer()


@app.command()
@asking
def close(conversation: Conversation, reason: Why = "", *, how: How) -> None:
    """The conversation is done; a message of its customer may open it again.

    Exit codes: as `parley edit`.
    """
    from shared.contract.requests import Close

    ask(Close, conversation, how, reason=reason)


@app.command()
@asking
def reopen(conversation: Conversation, reason: Why = "", *, how: How) -> None:
    """The conversation goes on.

    Exit codes: as `parley edit`.
    """
    from shared.contract.requests import Reopen

    ask(Reopen, conversation, how, reason=reason)


@app.command()
@asking
def reachable(conversation: Conversation, reason: Why = "", *, how: How) -> None:
    """Somebody is at the conversation's address again: what is sent there is tried.

    Exit codes: as `parley edit`.
    """
    from shared.contract.requests import Reachable

    ask(Reachable, conversation, how, reason=reason)


@app.command()
@asking
def assign(
    conversation: Conversation,
    assignee: Annotated[str, typer.Argument(help="Who answers from now on; nobody in particular, if left out.")] = "",
    *,
    how: How,
) -> None:
    """Say who answers.

    Exit codes: as `parley edit`.
    """
    from shared.contract.requests import Assign

    ask(Assign, conversation, how, assignee=assignee or None)


@app.command()
@asking
def tag(
    conversation: Conversation,
    add: Annotated[list[str] | None, typer.Argument(help="Labels to put on.")] = None,
    remove: Annotated[list[str] | None, typer.Option(help="A label to take off; may be given several times.")] = None,
    priority: Annotated[str, typer.Option(help="low, normal, high or urgent; as it was, if left out.")] = "",
    *,
    how: How,
) -> None:
    """Put labels on a conversation or take them off, and say how urgent it is.

    Exit codes: as `parley edit`.
    """
    from shared.contract.requests import Tag

    ask(Tag, conversation, how, add=add or [], remove=remove or [], priority=priority or None)


@app.command()
@asking
def read(conversation: Conversation, *, how: How) -> None:
    """Somebody of ours has read all of it; no customer is told.

    Exit codes: as `parley edit`.
    """
    from shared.contract.requests import Read

    ask(Read, conversation, how, upto=EVERYTHING)


@app.command()
def waiting(
    channel: Annotated[str, typer.Option(help="Only on this channel.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many at the most.")] = 50,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Who waits for our answer, who has waited longest first.

    Exit codes: 0 nobody, or all are shown, 1 the router cannot be asked.
    """
    system = find_running(home, unreachable=CANNOT)
    address = os.environ.get("PARLEY_ROUTER", "") or system.services.get("router", "")
    if not address:
        fail("Only the router knows who waits. Set PARLEY_ROUTER to its address.", MISUSED)
    for row in run(longest(system, address, channel=channel, limit=limit), unreachable=CANNOT):
        if as_json:
            print(json.dumps(row, ensure_ascii=False))
            continue
        place = f"{row['channel']}/{row['account']}"
        about = on_one_line(row["name"] or row["peer"])
        print(f"{row['waiting_since'][:16].replace('T', ' ')}  {row['id'][:SHORT]}  {place:<24}  {about}")


async def longest(system: System, address: str, *, channel: str, limit: int) -> list[dict[str, Any]]:
    query = urlencode({"waiting": 1, "limit": limit, "channel": channel})
    async with asking_router(system, address) as router:
        found = await get(router, f"/api/conversations?{query}") or {}
    return list(found.get("conversations", ()))


def ask(kind: type[Request], conversation: str, how: How, **given: Any) -> None:
    system = find_running(how.home, unreachable=CANNOT)
    place = as_uuid(conversation) or identified(system, conversation)
    asked = valid(lambda: kind.model_validate({"tenant": how.tenant, "conversation": place} | given))
    finish(system, asked, place=str(place), how=how)
