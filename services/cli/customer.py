"""`parley customer`: who one person is, by which addresses and why, and what joins or parts them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.asking import How, asking
from services.cli.ids import NOT_FOUND, as_uuid, asking as router_of, get
from services.cli.message import CANNOT, finish, valid
from services.cli.running import MISUSED, AsJson, Home, RouterAddress, fail, find_running, run
from shared.contract.text import on_one_line

if TYPE_CHECKING:
    from uuid import UUID

    from services.cli.running import System
    from shared.contract.requests import Request

Named = Annotated[str, typer.Argument(help="The customer's id, as events and conversations name it.")]
Several = Annotated[list[str], typer.Argument(help="The customers' ids.")]
Kind = Annotated[str, typer.Argument(help="`email`, `phone`, `telegram`, `facebook:ACCOUNT`, or a name of your own.")]
Address = Annotated[str, typer.Argument(help="The address, number or id itself.")]
Why = Annotated[str, typer.Option(help="Why, for whoever reads the event.")]

app = typer.Typer()
group = typer.Typer(help="Who one person is, and what joins or parts them.", no_args_is_help=True)
app.add_typer(group, name="customer")


@group.command()
def show(
    customer: Named,
    router: RouterAddress = "",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show the person whom a customer is: addresses, why they are one, who they may be too, and the newest conversations.

    Exit codes: 0 found, 1 the router cannot be reached, 2 misused, 3 there is no such customer.
    """
    system = find_running(home, unreachable=CANNOT)
    address = router or system.services.get("router", "")
    if not address:
        fail("The router's address is not known. Give it with --router or PARLEY_ROUTER.", MISUSED)
    found = run(look_up(system, address, whole(customer)), unreachable=CANNOT)
    if found is None:
        fail(f"The router knows no customer {customer}.", NOT_FOUND)
    print(json.dumps(found) if as_json else "\n".join(map(on_one_line, lines(found))))


async def look_up(system: System, address: str, customer: UUID) -> dict[str, Any] | None:
    async with router_of(system, address) as router:
        return await get(router, f"/api/customers/{customer}?limit=10")


def lines(found: dict[str, Any]) -> list[str]:
    """The person for a person."""
    said = [f"customer {found['id']}"]
    for member in found["members"]:
        said.append(f"  {member['id']}  since {member['born']}{'  shared by many' if member['shared'] else ''}")
        said += map(named, member["identities"])
    said += [f"  {told_bond(one)}" for one in found["bonds"]]
    for word in ("suggestions", "apart"):
        said += [f"  {word}: {one['other']}  {one['name'] or ''}  {one['reason']}" for one in found[word]]
    for one in found["conversations"]:
        said.append(f"  {one['last_at']}  {one['id']}  {one['channel']}/{one['account']}  {one['status']}")
    return said


def named(identity: dict[str, Any]) -> str:
    return f"    {identity['kind']}  {identity['address']}  {identity['name'] or ''}".rstrip()


def told_bond(bond: dict[str, Any]) -> str:
    end = "" if bond["live"] else f", cut by {bond['cut_by']} at {bond['cut_at']}"
    return (
        f"{bond['a'][:8]} and {bond['b'][:8]}: {bond['source']}, {bond['reason']} ({bond['cause']}, {bond['at']}){end}"
    )


@group.command()
@asking
def merge(customers: Several, reason: Why = "", *, how: How) -> None:
    """These customers are one person: the oldest stays.

    Exit codes: as `parley edit`.
    """
    from shared.contract.requests import Merge

    ask(Merge, how, customers=[whole(one) for one in customers], reason=reason)


@group.command()
@asking
def apart(customers: Several, reason: Why = "", *, how: How) -> None:
    """These two are two people, whatever suggests otherwise.

    Exit codes: as `parley edit`.
    """
    from shared.contract.requests import KeepApart

    ask(KeepApart, how, customers=[whole(one) for one in customers], reason=reason)


@group.command()
@asking
def split(customer: Named, reason: Why = "", *, how: How) -> None:
    """Undo what joined this customer to the oldest of their person; of the oldest, the last merge.

    Exit codes: as `parley edit`.
    """
    from shared.contract.requests import Split

    ask(Split, how, customer=whole(customer), reason=reason)


@group.command()
@asking
def erase(
    customer: Named,
    reason: Why,
    by: Annotated[str, typer.Option(help="Who asks for it.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether you are sure.")] = False,
    *,
    how: How,
) -> None:
    """Forget this person: by whichever of their customers, with messages and files. It cannot be undone.

    Exit codes: as `parley edit`.
    """
    from shared.contract.requests import Erase

    if not yes and not typer.confirm(f"Erase {customer} with all that they wrote? It cannot be undone."):
        fail("Nothing was erased.", MISUSED)
    ask(Erase, how, customer=whole(customer), reason=reason, by=by or None)


@group.command()
@asking
def link(customer: Named, kind: Kind, address: Address, reason: Why = "", *, how: How) -> None:
    """This address is that customer's.

    Exit codes: as `parley edit`.
    """
    from shared.contract.requests import Link

    ask(Link, how, customer=whole(customer), kind=kind, address=address, reason=reason)


@group.command()
@asking
def unlink(customer: Named, kind: Kind, address: Address, reason: Why = "", *, how: How) -> None:
    """This address is not that customer's.

    Exit codes: as `parley edit`.
    """
    from shared.contract.requests import Unlink

    ask(Unlink, how, customer=whole(customer), kind=kind, address=address, reason=reason)


def whole(name: str) -> UUID:
    """Ends the command where it is no id."""
    return as_uuid(name) or fail(f"{name!r} is not a customer's id: give it whole.", MISUSED)


def ask(model: type[Request], how: How, /, **given: Any) -> None:
    system = find_running(how.home, unreachable=CANNOT)
    asked = valid(lambda: model.model_validate({"tenant": how.tenant} | given))
    place = given.get("customer") or given["customers"][0]
    finish(system, asked, place=str(place), how=how)
