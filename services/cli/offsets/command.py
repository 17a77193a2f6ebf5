"""`parley offsets`: where each consumer stands, and how it gets past records that are gone."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Final

import typer

from services.cli.running import MISUSED, AsJson, Home, fail, find, run
from shared.contract.records import ROUTER_GROUP

if TYPE_CHECKING:
    from services.cli.offsets.positions import Position

CANNOT: Final = 1
REFUSED: Final = 4

app = typer.Typer()
offsets = typer.Typer(
    no_args_is_help=True, help="Show where each consumer stands; accept that records are gone, or fail."
)
app.add_typer(offsets, name="offsets")


@offsets.command()
def show(home: Home = None, as_json: AsJson = False) -> None:
    """Show every partition that router and adapters read: what is read next, what is left, what is gone.

    Exit codes: 0 all go on, 1 Kafka or PostgreSQL cannot be reached, 4 one stands still: records are gone that were never
    read, its topic was made anew, or one record after the other fails.
    """
    from services.cli.offsets.positions import positions

    found = run(positions(find(home).settings), unreachable=CANNOT)
    if as_json:
        print(
            json.dumps(
                [{**asdict(one), "gone": one.gone, "lag": one.lag, "is_elsewhere": one.is_elsewhere} for one in found]
            )
        )
    else:
        for one in found:
            print(f"{one.group:<15} {one.topic} {one.partition}  {_said(one)}")
    if any(one.gone or one.is_elsewhere or one.fails for one in found):
        raise typer.Exit(REFUSED)


def _said(one: Position) -> str:
    stands = "not read yet" if one.next is None else f"at {one.next}"
    gone = f"  GONE {one.next}..{one.first - 1}: `{remedy(one)}`" if one.gone else ""
    past = f"  accepted before: {one.missing_from}..{one.missing_to}" if one.missing_to is not None else ""
    other = f"  NOT THIS LOG, {why_elsewhere(one)}: `{remedy(one)}`" if one.is_elsewhere else ""
    fails = f"  STANDS STILL, {one.fails}: mend the version, or `{remedy(one)}`" if one.fails else ""
    return f"{stands}, log {one.first}..{one.end}, {one.lag} to read{gone}{other}{fails}{past}"


def why_elsewhere(one: Position) -> str:
    """Why what is kept is no place of this log."""
    if one.kept_log_id not in {None, one.log_id}:
        return "the topic was made anew or is another cluster's"
    return f"{one.next} lies behind its end"


def remedy(one: Position) -> str:
    """The command that accepts what is gone, or fails."""
    return f"parley offsets accept {one.topic} {one.partition} --group {one.group}"


@offsets.command()
def accept(
    topic: Annotated[str, typer.Argument(help="A topic, with or without the prefix.")],
    partition: Annotated[int | None, typer.Argument(min=0, help="Without it: all that stand still.")] = None,
    group: Annotated[str, typer.Option(help="Whose place it is, as `parley offsets show` says.")] = "router",
    home: Home = None,
) -> None:
    """Go on at the log's beginning, though records before it were never read, or though it is another log than it was.

    Look first whether what is missing is still at the provider or in an archive: afterwards nobody asks for it. For the
    router the range stays noted beside its offset, and within seconds it goes on from the new place. Of another log all is
    read; what was taken from the one before is known by its id, and nothing is done twice.
    An adapter must be stopped while its place is moved.
    Where one record after the other fails, those of the records there now that fail become dead letters, and within seconds
    the others are read; nobody need be stopped. Only where it is the records' fault: a bad version is taken back instead.

    Exit codes: 0 accepted, 1 Kafka or PostgreSQL cannot be reached, 2 no such partition, 4 refused: nothing is missing,
    or the group is running.
    """
    from services.cli.offsets.positions import go_on, positions, skip

    settings = find(home).settings
    full = topic if topic.startswith(settings.prefix) else settings.topic(topic)
    found = run(positions(settings), unreachable=CANNOT)
    found = [one for one in found if (one.topic, one.group) == (full, group) and partition in {None, one.partition}]
    if not found:
        fail(f"{group} reads no {full} {partition}. `parley offsets show` lists who reads what.", MISUSED)
    standing = [one for one in found if one.gone or one.is_elsewhere or one.fails]
    if not standing:
        stand = ", ".join(f"{one.partition} at {one.next} (begins at {one.first})" for one in found)
        fail(f"Nothing is missing: {group} stands in {full} {stand}.", REFUSED)
    moved = [one for one in standing if one.gone or one.is_elsewhere]
    for one in (one for one in standing if one not in moved):
        run(go_on(settings, one), unreachable=CANNOT)
        print(f"{full} {one.partition}: what fails before {one.end} is set aside; {group} goes on within seconds")
    for one in moved:
        if not run(skip(settings, one), unreachable=CANNOT):
            fail(f"{group} is running or has moved. Stop it (the router need not be), and try again.", REFUSED)
        print(f"{full} {one.partition}: {_accepted(one)}; {group} reads on from {one.first}, {one.lag} records")
    if moved and group != ROUTER_GROUP:
        print(f"start {group} again")


def _accepted(one: Position) -> str:
    return f"{one.next}..{one.first - 1} accepted as missing" if one.gone else "the log accepted as it is now"
