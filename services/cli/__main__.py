"""The `parley` command: one file per command group."""

from __future__ import annotations

import typer

from services.cli import (
    accounts,
    amend,
    channels,
    consent,
    customer,
    dkim,
    export,
    grow,
    handover,
    message,
    migrate,
    plans,
    render,
    sample,
    search,
    stack,
    tail,
    topics,
    trace,
    translate,
    work,
)
from services.cli.dlq import command as dlq
from services.cli.docs import command as docs
from services.cli.doctor import command as doctor
from services.cli.new import command as new
from services.cli.offsets import command as offsets
from services.cli.recover import command as recover
from services.cli.running import quiet

GROUPS = (
    stack,
    tail,
    message,
    grow,
    amend,
    handover,
    work,
    consent,
    customer,
    trace,
    plans,
    search,
    translate,
    render,
    sample,
    channels,
    accounts,
    dkim,
    doctor,
    migrate,
    topics,
    offsets,
    recover,
    dlq,
    export,
    docs,
    new,
)

app = typer.Typer(
    name="parley",
    help="Parley, a multi-channel messaging gateway.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for group in GROUPS:
    app.add_typer(group.app)


def main() -> None:
    """Run the command line."""
    quiet()
    app()


if __name__ == "__main__":
    main()
