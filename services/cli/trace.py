"""`parley trace`: one message's way, step by step, with its times, and why it is whose it is."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from services.cli.customer import named, told_bond
from services.cli.ids import asking, get, resolve
from services.cli.running import AsJson, Home, RouterAddress, fail, find_running, run
from shared.contract.text import on_one_line

if TYPE_CHECKING:
    from services.cli.running import System

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
        str,
        typer.Argument(
            metavar="ID", help="A message's id, or a conversation's for all its messages; its first letters do."
        ),
    ],
    router: RouterAddress = "",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show the way of a message from webhook or mail to event, or from request to receipt, with the milliseconds of each step;
    and whose it is: the address with which its conversation began, the person whose that is now, and what joins them.

    Exit codes: 0 found, 1 the router cannot be reached, 2 misused, 3 there is no such message or conversation.
    """
    system = find_running(home, unreachable=CANNOT)
    address = router or system.services.get("router", "")
    if not address:
        fail("The router's address is not known. Give it with --router or PARLEY_ROUTER.", 2)
    messages, whose = run(look_up(system, address, name), unreachable=CANNOT)
    if not messages:
        fail(f"The router knows no message and no conversation {name}. See `parley tail --from-beginning`.", NOT_FOUND)
    ways = [{"message": message["id"], "steps": list(way(message["events"]))} for message in messages]
    if as_json:
        print(json.dumps([{**one, "steps": [asdict(step) for step in one["steps"]], "whose": whose} for one in ways]))
        return
    for one in ways:
        show(one["message"], one["steps"])
    print("\n".join(map(on_one_line, lines(whose))))


async def look_up(system: System, address: str, name: str) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """The message, or every message of the conversation, as the router's API tells them; empty: neither. And whose they are."""
    whole = await resolve(system, name, router=address, kinds=("conversations", "messages"))
    async with asking(system, address) as router:
        if message := await get(router, f"/api/messages/{whole}"):
            conversation = await get(router, f"/api/conversations/{message['conversation']}?limit=1") or {}
            return [message], await whose_is(router, conversation)
        conversation = await get(router, f"/api/conversations/{whole}?limit=1000") or {"events": []}
        ids = [
            event["id"] for event in conversation["events"] if event["type"] in {"message.received", "message.queued"}
        ]
        messages = [message for id_ in ids if (message := await get(router, f"/api/messages/{id_}"))]
        return messages, await whose_is(router, conversation)


async def whose_is(router: Any, conversation: dict[str, Any]) -> dict[str, Any] | None:
    """`home`: the customer with whose address the conversation began; `identities`; `person`: who that is now; `bonds`: what
    joins the two, from the one to the other. None: not known any more.
    """
    home = str(conversation.get("home", ""))
    person = await get(router, f"/api/customers/{home}?limit=1") if home else None
    if person is None:
        return None
    own = next(one for one in person["members"] if one["id"] == home)
    bonds = between(home, person["id"], [bond for bond in person["bonds"] if bond["live"]])
    return {"home": home, "identities": own["identities"], "person": person["id"], "bonds": bonds}


def between(home: str, person: str, bonds: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The fewest that lead from the one to the other."""
    ways: dict[str, list[dict[str, Any]]] = {home: []}
    for here in (queue := [home]):
        for bond in bonds:
            if here in (bond["a"], bond["b"]):
                there = bond["b"] if here == bond["a"] else bond["a"]
                if there not in ways:
                    ways[there] = [*ways[here], bond]
                    queue.append(there)
    return ways.get(person, [])


def lines(whose: dict[str, Any] | None) -> list[str]:
    """Whose it is, for a person."""
    if whose is None:
        return ["The router no longer knows with whom this conversation is."]
    alone = whose["person"] == whose["home"]
    joined = [f"  one person with {whose['person']}", *(f"    {told_bond(bond)}" for bond in whose["bonds"])]
    return [f"customer {whose['home']}", *map(named, whose["identities"]), *([] if alone else joined)]


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
