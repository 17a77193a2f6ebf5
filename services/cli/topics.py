"""`parley topics`: the topics as they are declared, and the steps from what is there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import typer

from services.cli.running import AsJson, Home, find, run

if TYPE_CHECKING:
    from shared.bus.topics import Change

CANNOT: Final = 1
CHANGES: Final = 2
MARKS: Final = {"create": "+", "configure": "~", "never": "!"}

app = typer.Typer()
topics = typer.Typer(no_args_is_help=True, help="Compare Kafka's topics with the declared ones, and create them.")
app.add_typer(topics, name="topics")


@topics.command()
def plan(home: Home = None, as_json: AsJson = False) -> None:
    """Show what `apply` would do: + creates, ~ configures, ! differs and is left to people.

    Exit codes: 0 nothing to do, 1 Kafka cannot be reached, 2 there are differences.
    """
    from shared.bus.topics import plan as compare

    changes = run(compare(find(home).settings), unreachable=CANNOT)
    show(changes, as_json=as_json)
    if changes:
        raise typer.Exit(CHANGES)


@topics.command()
def apply(home: Home = None, as_json: AsJson = False) -> None:
    """Create and configure topics. What is marked ! is only shown: a keyed topic must never be widened.

    Exit codes: 0 done, 1 Kafka cannot be reached or refuses.
    """
    from shared.bus.topics import apply as carry_out

    show(run(carry_out(find(home).settings), unreachable=CANNOT), as_json=as_json)


def show(changes: Sequence[Change], *, as_json: bool) -> None:
    """The changes, a line each, or as one JSON array."""
    if as_json:
        print(json.dumps([asdict(change) for change in changes]))
        return
    for change in changes:
        print(f"{MARKS[change.kind]} {change.topic}  {change.detail}")
    if not changes:
        print("all topics are as declared")
