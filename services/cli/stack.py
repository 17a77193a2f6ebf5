"""`parley up`, `down`, `status`: the local stack from the command line."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import webbrowser
from collections.abc import Awaitable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from deploy.local import kafka, postgres, services
from deploy.local.home import Addresses, Roll, is_held, read_addresses, read_roll
from deploy.local.servers import launch, stop_servers
from deploy.local.stack import Stack, run_stack
from deploy.local.trouble import Trouble
from services.cli.running import MISUSED
from shared.bus.kafka import connection
from shared.contract.errors import Misconfigured
from shared.runtime.settings import Settings

PARTIAL = 1
NOT_RUNNING = 3

app = typer.Typer()
console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 200)

Home = Annotated[Path, typer.Option(help="The folder that holds the stack's data, logs and addresses.")]
DEFAULT_HOME = Path(".parley")


@app.command()
def up(
    home: Home = DEFAULT_HOME,
    detach: Annotated[bool, typer.Option("--detach", help="Return once everything is ready.")] = False,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open the console page.")] = False,
    servers: Annotated[bool, typer.Option("--servers", help="Only Kafka and PostgreSQL.")] = False,
) -> None:
    """Start Kafka, PostgreSQL and every service, and keep them running.

    PARLEY_KAFKA and PARLEY_DATABASE, when set, name servers of your own that are used instead. PARLEY_MAVEN names a
    mirror of Maven Central for the first download; PARLEY_FREE_MB is the space that must be free (500).

    Exit codes: 0 stopped in order, 1 an unforeseen failure, 2 settings that cannot be used, 10 a port is busy, 11 the
    disk is full, 12 no network for the first download, 13 already running in this folder, 14 something did not get ready.
    """
    browser = not (no_browser or servers) and has_screen()
    try:
        connection(Settings())
        if detach:
            addresses = launch(home.resolve(), servers_only=servers, say=say)
            open_page(addresses, wanted=browser)
        else:
            show = partial(announce, servers=servers, browser=browser)
            asyncio.run(run_stack(Stack(home=home.resolve(), say=say, servers_only=servers), on_ready=show))
    except (Trouble, Misconfigured) as trouble:
        Console(stderr=True, highlight=False, soft_wrap=True).print(str(trouble), markup=False, style="red")
        raise typer.Exit(getattr(trouble, "exit_code", MISUSED)) from None


def announce(addresses: Addresses, *, servers: bool, browser: bool) -> None:
    """Print the addresses and `ready`, and open the page."""
    shown = {"kafka": addresses.kafka, "database": addresses.database}
    if not servers:
        shown |= {"sandbox": addresses.sandbox, "console": page_address(addresses)}
    for name, address in shown.items():
        say(f"{name:<10}{address}")
    say("ready")
    open_page(addresses, wanted=browser)


def open_page(addresses: Addresses, *, wanted: bool) -> None:
    """Show the console in the user's browser."""
    if wanted:
        webbrowser.open(page_address(addresses))


def page_address(addresses: Addresses) -> str:
    """Return the console's address with the token in the fragment, which no server ever sees."""
    return f"{addresses.console}#token={addresses.token}"


def has_screen() -> bool:
    """Tell whether a browser window can open here."""
    return sys.platform != "linux" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


@app.command()
def down(home: Home = DEFAULT_HOME) -> None:
    """Stop the stack of this folder, and wait until it is gone. Exit code 0 also when nothing runs."""
    home = home.resolve()
    say("stopped" if stop_servers(home) else f"nothing is running in {home}")


@dataclass(frozen=True)
class Health:
    """One line of `status`."""

    healthy: bool
    pid: int | None
    restarts: int
    address: str


@app.command()
def status(
    home: Home = DEFAULT_HOME,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show every process of the stack, its health and its address.

    Exit codes: 0 all healthy, 1 some are not (or the stack is still starting), 3 nothing runs.
    """
    home = home.resolve()
    roll = read_roll(home) if is_held(home) else None
    lines = asyncio.run(examine(roll, read_addresses(home))) if roll else {}
    if as_json:
        processes = {name: asdict(line) for name, line in lines.items()}
        print(json.dumps({"home": str(home), "running": roll is not None, "processes": processes}))
    elif roll is None:
        say(f"nothing is running in {home}")
    else:
        console.print(make_table(lines))
    if roll is None:
        raise typer.Exit(NOT_RUNNING)
    if not (roll.ready and all(line.healthy for line in lines.values())):
        raise typer.Exit(PARTIAL)


async def examine(roll: Roll, addresses: Addresses) -> dict[str, Health]:
    """Ask everything that runs how it is, all at once."""
    questions: dict[str, tuple[str, Awaitable[bool]]] = {
        "kafka": (addresses.kafka, kafka.answers(addresses.kafka)),
        "postgres": (hide_password(addresses.database), postgres.answers(addresses.database)),
    }
    for name in roll.processes:
        if service := addresses.services.get(name):
            questions[name] = (service.http, services.is_ready(service.http))
    answers = await asyncio.gather(*(answer for _, answer in questions.values()))
    found = {name: (entry, entry.find()) for name, entry in roll.processes.items()}
    lines = {}
    for (name, (address, _)), healthy in zip(questions.items(), answers, strict=True):
        entry, process = found.get(name, (None, None))
        lines[name] = Health(healthy, process.pid if process else None, entry.restarts if entry else 0, address)
    return lines


def hide_password(dsn: str) -> str:
    """Return a database address that may be shown."""
    return re.sub(r"(?<=:)[^:@/]+(?=@)", "…", dsn)


def make_table(lines: Mapping[str, Health]) -> Table:
    """Lay the health lines out for a person."""
    table = Table(box=None)
    for heading in ("process", "health", "pid", "restarts", "address"):
        table.add_column(heading, no_wrap=True, overflow="fold")
    for name, line in lines.items():
        health = "[green]healthy" if line.healthy else "[red]not healthy"
        table.add_row(name, health, str(line.pid or "-"), str(line.restarts), line.address)
    return table


def say(text: str) -> None:
    """Print one line at once, also into a file."""
    console.print(text, markup=False)
