"""`parley edit`, `delete`, `react` and `seen`: a change of a message that stands at the provider, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.ids import as_uuid
from services.cli.message import CANNOT, Key, Tenant, Timeout, Words, finish, identified, valid, words
from services.cli.running import AsJson, Home, find_running

if TYPE_CHECKING:
    from shared.contract.requests import OfMessage

app = typer.Typer()

Named = Annotated[str, typer.Argument(help="The message's id; its first letters do.")]


@app.command()
def edit(
    message: Named,
    text: Words,
    tenant: Tenant = "default",
    key: Key = "",
    timeout: Timeout = 30.0,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Put other words in the place of a message of ours, where the channel can, and wait until it is so.

    Exit codes: as `parley send`; 4 also where the provider refuses it.
    """
    from shared.contract.envelope import Text
    from shared.contract.requests import EditMessage

    _ask(EditMessage, message, tenant, key, timeout, home, as_json, parts=(Text(text=words(text)),))


@app.command()
def delete(
    message: Named,
    tenant: Tenant = "default",
    key: Key = "",
    timeout: Timeout = 30.0,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Take back a message of ours, where the channel can, and wait until it is so.

    Exit codes: as `parley edit`.
    """
    from shared.contract.requests import DeleteMessage

    _ask(DeleteMessage, message, tenant, key, timeout, home, as_json)


@app.command()
def react(
    message: Named,
    emoji: Annotated[str, typer.Argument(help="What to show; without it all of ours are taken back.")] = "",
    remove: Annotated[bool, typer.Option(help="Take this emoji back.")] = False,
    tenant: Tenant = "default",
    key: Key = "",
    timeout: Timeout = 30.0,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show an emoji at a message, theirs or ours, where the channel can, and wait until it is so.

    Exit codes: as `parley edit`.
    """
    from shared.contract.requests import ReactMessage

    _ask(ReactMessage, message, tenant, key, timeout, home, as_json, emoji=emoji or None, removed=remove)


@app.command()
def seen(
    message: Named,
    tenant: Tenant = "default",
    key: Key = "",
    timeout: Timeout = 30.0,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show a customer that this message of theirs, and all before it, are read, where the channel can.

    Exit codes: as `parley edit`.
    """
    from shared.contract.requests import SeenMessage

    _ask(SeenMessage, message, tenant, key, timeout, home, as_json)


def _ask(
    kind: type[OfMessage],
    message: str,
    tenant: str,
    key: str,
    timeout: float,
    home: Any,
    as_json: bool,
    **what: Any,
) -> None:
    system = find_running(home, unreachable=CANNOT)
    place = as_uuid(message) or identified(system, message, kind="messages")
    asked = valid(lambda: kind(tenant=tenant, message=place, **what))
    finish(system, asked, place=str(place), key=key, timeout=timeout, as_json=as_json)
