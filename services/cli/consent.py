"""`parley consent`: what a customer wants, or does not want, to be sent without having asked."""

from __future__ import annotations

from typing import Annotated

import typer

from services.cli.asking import How, asking
from services.cli.ids import as_uuid
from services.cli.message import CANNOT, finish, valid
from services.cli.running import find_running

app = typer.Typer()


@app.command()
@asking
def consent(
    customer: Annotated[str, typer.Argument(help="The customer's id, as events have it.")],
    purposes: Annotated[list[str], typer.Argument(help="service, notification, marketing.")],
    given: Annotated[bool, typer.Option("--given/--withdrawn", help="Whether they want it.")],
    evidence: Annotated[str, typer.Option(help="How that is known.")],
    channel: Annotated[str, typer.Option(help="On which channel; none: on every one.")] = "",
    *,
    how: How,
) -> None:
    """Say what a customer wants to be sent without having asked, and wait until it stands.

    Exit codes: as `parley edit`.
    """
    from shared.contract.requests import SetConsent

    system = find_running(how.home, unreachable=CANNOT)
    about = {"customer": as_uuid(customer) or customer, "purposes": purposes, "channel": channel or None}
    asked = valid(
        lambda: SetConsent.model_validate({"tenant": how.tenant, **about, "given": given, "evidence": evidence})
    )
    finish(system, asked, place=str(about["customer"]), how=how)
