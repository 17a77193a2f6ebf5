"""`parley handover`: who is to have a conversation's thread at the provider, and what became of it."""

from __future__ import annotations

from typing import Annotated

import typer

from services.cli.asking import How, asking
from services.cli.ids import as_uuid
from services.cli.message import CANNOT, finish, identified, valid
from services.cli.running import find_running

app = typer.Typer()


@app.command()
@asking
def handover(
    conversation: Annotated[str, typer.Argument(help="The conversation's id; its first letters do.")],
    action: Annotated[str, typer.Argument(help="`pass` it to somebody else, `take` it from them, or `release` it.")],
    to: Annotated[str, typer.Option(help="Of a pass: to whom, as the provider calls them.")] = "",
    note: Annotated[str, typer.Option(help="Words for whoever has it then; no customer sees them.")] = "",
    *,
    how: How,
) -> None:
    """Say who has the thread at the provider, where several answer there, and wait until it is so.

    Exit codes: as `parley edit`.
    """
    from shared.contract.requests import HandOverThread

    system = find_running(how.home, unreachable=CANNOT)
    place = as_uuid(conversation) or identified(system, conversation)
    given = {"tenant": how.tenant, "conversation": place, "action": action, "to": to or None, "note": note or None}
    asked = valid(lambda: HandOverThread.model_validate(given))
    finish(system, asked, place=str(place), how=how)
