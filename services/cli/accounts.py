"""`parley accounts`: whether the accounts file can be used, before a service says so."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from services.cli.channels import CHANNELS
from services.cli.running import AsJson, Home, fail, find
from shared.contract.errors import Misconfigured

if TYPE_CHECKING:
    from shared.runtime.accounts import Accounts

UNUSABLE: Final = 1

app = typer.Typer()
accounts = typer.Typer(no_args_is_help=True, help="Look at the accounts file.")
app.add_typer(accounts, name="accounts")


@accounts.callback()
def group() -> None:
    """Look at the accounts file."""


@accounts.command()
def check(
    file: Annotated[Path | None, typer.Argument(help="Default: the system's own.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Read the accounts file as a service would, secrets included, and list what it holds.

    Exit codes: 0 it can be used, 1 it cannot: the table, the field and what to do are named, never a value.
    """
    from shared.runtime.accounts import load

    path = file or Path(find(home).settings.accounts)
    try:
        found = load(path, CHANNELS)
    except Misconfigured as error:
        fail(error.detail, UNUSABLE)
    held = [
        *({"kind": "app", "channel": channel, "name": app.name} for channel, app in found.all_apps()),
        *({"kind": "account", "channel": channel, "name": one.name} for channel, one in found.all()),
    ]
    open_files = [str(source) for source in readable_by_others(found)]
    if as_json:
        print(json.dumps({"file": str(path), "holds": held, "readable_by_others": open_files}))
        return
    for one in held:
        print(f"{one['kind']:<8} {one['channel']}/{one['name']}")
    for name in open_files:
        print(f"warning: other users may read {name}: chmod 600 {name}")


def readable_by_others(found: Accounts) -> list[Path]:
    """The files with secrets in them that more than their owner and group may read."""
    return [source for source in found.sources if is_open(source)]


def is_open(source: Path) -> bool:
    mode: Any = source.stat().st_mode
    return bool(mode & (stat.S_IROTH | stat.S_IWOTH | stat.S_IWGRP))
