"""`parley edit`, `delete`, `react`, `seen` and `cancel`: a change of a message, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.asking import How, asking
from services.cli.ids import as_uuid
from services.cli.message import CANNOT, Words, finish, identified, valid, words
from services.cli.running import find_running

if TYPE_CHECKING:
    from shared.contract.requests import Cancel, OfMessage

app = typer.Typer()

Named = Annotated[str, typer.Argument(help="The message's id; its first letters do.")]


@app.command()
@asking
def edit(
    message: Named,
    text: Words,
    *,
    how: How,
) -> None:
    """Put other words in the place of a message of ours, where the channel can, and wait until it is so.

    Exit codes: as `parley send`; 4 also where the provider refuses it.
    """
    from shared.contract.envelope import Text
    from shared.contract.requests import EditMessage

    _ask(EditMessage, message, how, parts=(Text(text=words(text)),))


@app.command()
@asking
def delete(
    message: Named,
    *,
    how: How,
) -> None:
    """Take back a message of ours, where the channel can, and wait until it is so.

    Exit codes: as `parley edit`.
    """
    from shared.contract.requests import DeleteMessage

    _ask(DeleteMessage, message, how)


@app.command()
@asking
def react(
    message: Named,
    emoji: Annotated[str, typer.Argument(help="What to show; without it all of ours are taken back.")] = "",
    remove: Annotated[bool, typer.Option(help="Take this emoji back.")] = False,
    *,
    how: How,
) -> None:
    """Show an emoji at a message, theirs or ours, where the channel can, and wait until it is so.

    Exit codes: as `parley edit`.
    """
    from shared.contract.requests import ReactMessage

    _ask(ReactMessage, message, how, emoji=emoji or None, removed=remove)


@app.command()
@asking
def seen(
    message: Named,
    *,
    how: How,
) -> None:
    """Show a customer that this message of theirs, and all before it, are read, where the channel can.

    Exit codes: as `parley edit`.
    """
    from shared.contract.requests import SeenMessage

    _ask(SeenMessage, message, how)


@app.command()
@asking
def cancel(
    message: Named,
    *,
    how: How,
) -> None:
    """Take back a message that waits until its time, or has not begun to be sent, and wait until it is so.

    Exit codes: 0 it is never sent, 4 it has gone, or is none; else as `parley send`. One that waits is named by its whole id.
    """
    from shared.contract.requests import Cancel

    _ask(Cancel, message, how)


def _ask(
    kind: type[OfMessage | Cancel],
    message: str,
    how: How,
    **what: Any,
) -> None:
    system = find_running(how.home, unreachable=CANNOT)
    place = as_uuid(message) or identified(system, message, kind="messages")
    asked = valid(lambda: kind(tenant=how.tenant, message=place, **what))
    finish(system, asked, place=str(place), how=how)
