"""`make siege`: what an ordinary sender notices while somebody without a secret attacks, and what it costs the service.

Each attack of tests/siege/attacks has a service of its own. Everything runs on loopback, for a bounded number of seconds,
and stops by itself. Written to tests/siege/results.json as well; `ARGS="--before FILE"` prints the figures of an earlier run
beside these, `ARGS="packed_bodies stalled_heads"` runs some of them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import pkgutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import psycopg
from rich.console import Console
from rich.table import Table

from deploy.local.home import choose_port
from deploy.local.servers import start_servers, stop_servers
from shared.runtime.settings import Settings
from tests.bench.__main__ import process, wait_ready, world
from tests.siege import attacks
from tests.siege.ground import READY, SECONDS, Ground
from tests.siege.ordinary import watch

RESULTS: Final = Path(__file__).with_name("results.json")
QUIET: Final = 3.0  # seconds of ordinary traffic before the attack
ENOUGH: Final = (
    240.0  # seconds after which no other attack begins, so that all ends within five minutes on a slow machine too
)
ACCOUNTS: Final = """
[apps.whatsapp.shop]
secret = "9f0c2b5e7d1a4c3688e2f5a7b9d0c1e4"
verify_token = "mekong-and-tonle-sap"
app_id = "700100200300"
[accounts.whatsapp.shop]
phone_number_id = "410020030040"
waba_id = "520030040050"
token = "sandbox-only"
"""
Found = dict[str, dict[str, Any]]
UNITS: Final = {"p50": "ms", "p99": "ms", "megabytes": "MiB", "refused": "", "unready": "", "sent": ""}


@contextmanager
def own_database(server: str) -> Iterator[str]:
    """The DSN of an empty database that goes away afterwards, whoever's server this is."""
    name = f"siege_{time.time_ns()}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield server.rpartition("/")[0] + "/" + name
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def besiege(settings: Settings, name: str) -> dict[str, Any]:
    """The figures of one attack: before it, and while it goes on."""
    target = import_module(f"tests.siege.attacks.{name}").TARGET
    ground = Ground(http=choose_port(set()), smtp=choose_port(set()) if target == "email_adapter" else 0)
    listening = settings.model_copy(update={"smtp_host": "127.0.0.1", "smtp_port": ground.smtp})
    with process(listening, f"services.{target}", port=ground.http) as service:
        asyncio.run(wait_ready(ground.http))
        quiet = asyncio.run(watch(ground, service, QUIET))
        argv = [sys.executable, "-m", "tests.siege.attack", name, str(ground.http), str(ground.smtp)]
        attacker = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        try:
            assert attacker.stdout is not None
            if attacker.stdout.readline().strip() != READY:
                raise SystemExit(f"the attack {name} did not begin")
            during = asyncio.run(watch(ground, service, SECONDS))
        finally:
            attacker.kill()
            attacker.wait()
    return {"quiet": quiet.row(), "during": during.row()}


def show(found: Found, before: Found) -> None:
    """One row per attack and figure."""
    table = Table(title="Parley under siege: an ordinary sender's figures")
    for column in ("attack", "figure", "quiet", "during", *(("during, before",) if before else ())):
        table.add_column(column, justify="left" if column in {"attack", "figure"} else "right")
    for name, figures in found.items():
        for figure, unit in UNITS.items():
            row = [f"{figures[when][figure]:,.0f} {unit}" for when in ("quiet", "during")]
            if before:
                row.append(f"{before[name]['during'][figure]:,.0f} {unit}" if name in before else "")
            table.add_row(name if figure == "p50" else "", figure, *row)
    Console(width=120).print(table)


def main() -> None:
    every = [module.name for module in pkgutil.iter_modules(attacks.__path__)]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(every)}; default: all")
    parser.add_argument("--before", type=Path, help="results of an earlier run")
    asked = parser.parse_args()
    found: Found = {}
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="parley-siege-") as folder:
        home = Path(folder)
        addresses = start_servers(home)
        try:
            with own_database(addresses.database) as database:
                settings = world(home, addresses.kafka, database)
                with Path(settings.accounts).open("a") as accounts:
                    accounts.write(ACCOUNTS)
                for name in asked.names or every:
                    is_late = time.monotonic() - began > ENOUGH
                    Console(stderr=True).print(
                        f"{name}: no time is left, run it by its name" if is_late else f"{name} …"
                    )
                    if not is_late:
                        found[name] = besiege(settings, name)
        finally:
            stop_servers(home)
    RESULTS.write_text(json.dumps(found, indent=2))
    show(found, json.loads(asked.before.read_text()) if asked.before else {})


if __name__ == "__main__":
    main()
