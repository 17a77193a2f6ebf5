"""`parley export`: all that is known of one person, in a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final
from uuid import UUID

import typer

from services.cli.ids import asking
from services.cli.running import Home, RouterAddress, fail, find_running, run

if TYPE_CHECKING:
    from services.cli.running import System

CANNOT: Final = 1
MISUSED: Final = 2
NOT_FOUND: Final = 3

app = typer.Typer()


@app.command()
def export(
    customer: Annotated[UUID, typer.Argument(help="A customer's id; whoever is one person with it comes along.")],
    file: Annotated[Path, typer.Argument(help="The ZIP to write; it must not be there yet.")],
    router: RouterAddress = "",
    home: Home = None,
) -> None:
    """Write all that is known of one person, messages and files too, into a ZIP: a token that may `admin` is needed.

    Exit codes: 0 written, 1 the router cannot be reached, refuses or breaks off, 2 misused, 3 there is no such customer.
    """
    system = find_running(home, unreachable=CANNOT)
    address = router or system.services.get("router", "")
    if not address:
        fail("The router's address is not known. Give it with --router or PARLEY_ROUTER.", MISUSED)
    if file.exists():
        fail(f"{file} is there already. Name another file.", MISUSED)
    run(write(system, address, customer, file), unreachable=CANNOT)


async def write(system: System, address: str, customer: UUID, file: Path) -> None:
    """Under another name until it is whole."""
    import aiohttp

    part = file.with_name(f"{file.name}.part")
    no_end = aiohttp.ClientTimeout(total=None, sock_read=60)
    try:
        async with (
            asking(system, address) as router,
            router.get(f"/api/customers/{customer}/export", timeout=no_end) as answer,
        ):
            if answer.status == NOT_KNOWN:
                fail(f"The router knows no customer {customer}.", NOT_FOUND)
            if answer.status != DONE:
                fail(f"The router says no: {(await answer.json())['error']['detail']}", CANNOT)
            with part.open("wb") as written:
                async for chunk in answer.content.iter_chunked(256 * 1024):
                    written.write(chunk)
        part.rename(file)
    finally:
        part.unlink(missing_ok=True)


DONE: Final = 200
NOT_KNOWN: Final = 404
