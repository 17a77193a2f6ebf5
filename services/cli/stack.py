"""`parley up`, `down`, `status`: the local stack from the command line."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
import webbrowser
from collections.abc import Awaitable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, NoReturn, TextIO

import psutil  # type: ignore[import-untyped]
import typer
from rich.console import Console
from rich.table import Table

from deploy.local import kafka, postgres, services
from deploy.local.home import Addresses, Roll, already_running, is_held, read_addresses, read_roll
from deploy.local.stack import Stack, end_leftovers, run_stack
from deploy.local.trouble import Trouble

PARTIAL = 1
NOT_RUNNING = 3
DOWN_SECONDS = 75
ANNOUNCEMENT = "  "

app = typer.Typer()
console = Console(highlight=False, soft_wrap=True)

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

    PARLEY_KAFKA and PARLEY_DATABASE, when set, name servers of your own that are used instead.

    Exit codes: 0 stopped in order, 1 an unforeseen failure, 10 a port is busy, 11 the disk is full, 12 no network for
    the first download, 13 already running in this folder, 14 something did not get ready.
    """
    try:
        if detach:
            start_detached(home.resolve(), servers=servers)
            announce(read_addresses(home), servers=servers, browser=not no_browser)
        else:
            show = partial(announce, servers=servers, browser=not no_browser)
            asyncio.run(run_stack(Stack(home=home.resolve(), say=say, servers_only=servers), on_ready=show))
    except Trouble as trouble:
        fail(trouble)


def start_detached(home: Path, *, servers: bool) -> None:
    """Start `up` in a session of its own and follow what it says until it is ready; exit as it does when it fails."""
    if is_held(home):
        raise already_running(home)
    log = home / "logs" / "stack.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, "-m", "services.cli", "up", "--home", str(home), "--no-browser"]
    with log.open("a") as output, log.open() as said:
        said.seek(0, os.SEEK_END)
        child = subprocess.Popen(
            [*argv, *(["--servers"] if servers else [])],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            follow(child, said)
        except KeyboardInterrupt:
            child.terminate()
            raise typer.Exit(child.wait() or 130) from None


def follow(child: subprocess.Popen[bytes], said: TextIO) -> None:
    """Pass on what a detached `up` says, until it has announced itself; exit as it does when it ends before."""
    while True:
        code = child.poll()
        for line in said:
            if line.strip() == "ready":
                return
            if not line.startswith(ANNOUNCEMENT):
                print(line, end="", file=sys.stderr if code else sys.stdout, flush=True)
        if code is not None:
            raise typer.Exit(code or 1)
        time.sleep(0.1)


def announce(addresses: Addresses, *, servers: bool, browser: bool) -> None:
    """Print the addresses and `ready`, and open the page where there is a screen."""
    page = f"{addresses.console}#token={addresses.token}"
    shown = {"kafka": addresses.kafka, "database": addresses.database}
    if not servers:
        shown |= {"console": page, "sandbox": addresses.sandbox}
    for name, address in shown.items():
        say(f"{ANNOUNCEMENT}{name:<10}{address}")
    say("ready")
    if browser and not servers and has_screen():
        webbrowser.open(page)


def has_screen() -> bool:
    """Tell whether a browser window can open here."""
    return sys.platform != "linux" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


@app.command()
def down(home: Home = DEFAULT_HOME) -> None:
    """Stop the stack of this folder, and wait until it is gone. Exit code 0 also when nothing runs."""
    home = home.resolve()
    roll = read_roll(home)
    if is_held(home) and roll and (supervisor := roll.supervisor.find()):
        supervisor.terminate()
        wait_gone(home, supervisor)
        asyncio.run(end_leftovers(home, say))
        say("stopped")
    else:
        asyncio.run(end_leftovers(home, say))
        say(f"nothing is running in {home}")


def wait_gone(home: Path, supervisor: psutil.Process) -> None:
    """Wait until the supervisor has let go of its home; end it the hard way when it takes too long."""
    deadline = time.monotonic() + DOWN_SECONDS
    while is_held(home):
        if time.monotonic() > deadline:
            supervisor.kill()
            supervisor.wait(10)
            return
        time.sleep(0.1)


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
        lines[name] = Health(healthy, process and process.pid, entry.restarts if entry else 0, address)
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


def fail(trouble: Trouble) -> NoReturn:
    """Print the sentence of a trouble and exit with its code."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(str(trouble), markup=False, style="red")
    raise typer.Exit(trouble.exit_code)
