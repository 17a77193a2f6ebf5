"""`parley trace`: one message's way, step by step, with its times."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from services.cli.running import AsJson, Home, fail, find, run

if TYPE_CHECKING:
    from shared.settings import Settings

CANNOT: Final = 1
NOT_FOUND: Final = 3

app = typer.Typer()


@dataclass(frozen=True)
class Step:
    """A place on the way. `ms`: since the step before; of the first one 0."""

    at: str
    ms: float
    place: str
    event: str


@app.command()
def trace(
    name: Annotated[
        str, typer.Argument(metavar="ID", help="A message's id, or a conversation's for all its messages.")
    ],
    router: Annotated[
        str, typer.Option(envvar="PARLEY_ROUTER", help="The router's address, as http://host:port.")
    ] = "",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show the way of a message from webhook or mail to event, or from request to receipt, with the milliseconds of each step.

    Exit codes: 0 found, 1 the router cannot be reached, 2 misused, 3 there is no such message or conversation.
    """
    system = find(home)
    address = router or system.services.get("router", "")
    if not address:
        fail("The router's address is not known. Give it with --router or PARLEY_ROUTER.", 2)
    messages = run(look_up(address, system.settings, name), unreachable=CANNOT)
    if not messages:
        fail(f"The router knows no message and no conversation {name}. See `parley tail --from-beginning`.", NOT_FOUND)
    ways = [{"message": message["id"], "steps": list(way(message["events"]))} for message in messages]
    if as_json:
        print(json.dumps([{**one, "steps": [asdict(step) for step in one["steps"]]} for one in ways]))
        return
    for one in ways:
        show(one["message"], one["steps"])


async def look_up(address: str, settings: Settings, name: str) -> list[dict[str, Any]]:
    """The message, or every message of the conversation, as the router's API tells them; empty: neither."""
    import aiohttp

    bearer = {"Authorization": f"Bearer {settings.token.get_secret_value()}"}
    limit = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(address, headers=bearer, timeout=limit) as router:
        if message := await get(router, f"/api/messages/{name}"):
            return [message]
        conversation = await get(router, f"/api/conversations/{name}?limit=1000") or {"events": []}
        ids = [
            event["id"] for event in conversation["events"] if event["type"] in {"message.received", "message.queued"}
        ]
        return [message for id_ in ids if (message := await get(router, f"/api/messages/{id_}"))]


async def get(router: Any, path: str) -> dict[str, Any] | None:
    """What the API says; None for what it does not know. Ends the command where it refuses the token."""
    async with router.get(path) as answer:
        if answer.status in {401, 403}:
            fail("The router refuses the token. Set PARLEY_TOKEN to the one it was started with.", CANNOT)
        if answer.status in {400, 404}:
            return None
        answer.raise_for_status()
        found: dict[str, Any] = await answer.json()
        return found


def way(events: Iterable[dict[str, Any]]) -> Iterable[Step]:
    """The steps of all events of a message in the order of their times, each once; what has the same time as it came about."""
    found = dict.fromkeys(
        (step["at"], step["place"], event["type"] if step["place"] == "router" else "")
        for event in events
        for step in event["data"].get("trail", ())
    )
    before: datetime | None = None
    for at, place, event in sorted(found, key=lambda step: datetime.fromisoformat(step[0])):
        now = datetime.fromisoformat(at)
        yield Step(at, round((now - (before or now)).total_seconds() * 1000, 3), place, event)
        before = now


def show(message: str, steps: list[Step]) -> None:
    """The way for a person."""
    print(f"message {message}")
    for step in steps:
        print(f"  {step.at}  {step.ms:>10.1f} ms  {step.place:<9}  {step.event}".rstrip())
    if steps:
        total = datetime.fromisoformat(steps[-1].at) - datetime.fromisoformat(steps[0].at)
        print(f"  {'':27}  {total.total_seconds() * 1000:>10.1f} ms  in all")
