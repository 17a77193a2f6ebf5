"""`parley close`, `reopen`, `assign`, `tag`, `read`: the desk's work on a conversation, as any system may ask for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from services.cli.asking import How, asking
from services.cli.ids import as_uuid
from services.cli.message import CANNOT, finish, identified, valid
from services.cli.running import find_running

if TYPE_CHECKING:
    from shared.contract.requests import Request

Conversation = Annotated[str, typer.Argument(help="The conversation's id; its first letters do.")]
Why = Annotated[str, typer.Option(help="Why, for whoever reads the event.")]
EVERYTHING: Final = 2**62  # above every sequence

app = typer.Typer()


@app.command()
@asking
def close(conversation: Conversation, reason: Why = "", *, how: How) -> None:
    """The conversation is done; a message of its customer may open it again.

    Exit codes: as `parley edit`.
    """
    from shared.contract.requests import Close

    ask(Close, conversation, how, reason=reason)


@app.command()
@asking
def reopen(conversation: Conversation, reason: Why = "", *, how: How) -> None:
    """The conversation goes on.

    Exit codes: as `parley edit`.
    """
    from shared.contract.requests import Reopen

    ask(Reopen, conversation, how, reason=reason)


@app.command()
@asking
def assign(
    conversation: Conversation,
    assignee: Annotated[str, typer.Argument(help="Who answers from now on; nobody in particular, if left out.")] = "",
    *,
    how: How,
) -> None:
    """Say who answers.

    Exit codes: as `parley edit`.
    """
    from shared.contract.requests import Assign

    ask(Assign, conversation, how, assignee=assignee or None)


@app.command()
@asking
def tag(
    conversation: Conversation,
    add: Annotated[list[str] | None, typer.Argument(help="Labels to put on.")] = None,
    remove: Annotated[list[str] | None, typer.Option(help="A label to take off; may be given several times.")] = None,
    priority: Annotated[str, typer.Option(help="low, normal, high or urgent; as it was, if left out.")] = "",
    *,
    how: How,
) -> None:
    """Put labels on a conversation or take them off, and say how urgent it is.

    Exit codes: as `parley edit`.
    """
    from shared.contract.requests import Tag

    ask(Tag, conversation, how, add=add or [], remove=remove or [], priority=priority or None)


@app.command()
@asking
def read(conversation: Conversation, *, how: How) -> None:
    """Somebody of ours has read all of it; no customer is told.

    Exit codes: as `parley edit`.
    """
    from shared.contract.requests import Read

    ask(Read, conversation, how, upto=EVERYTHING)


def ask(kind: type[Request], conversation: str, how: How, **given: Any) -> None:
    system = find_running(how.home, unreachable=CANNOT)
    place = as_uuid(conversation) or identified(system, conversation)
    asked = valid(lambda: kind.model_validate({"tenant": how.tenant, "conversation": place} | given))
    finish(system, asked, place=str(place), how=how)
