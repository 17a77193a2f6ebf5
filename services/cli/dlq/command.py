"""`parley dlq`: what could not be read or translated, seen and given another chance."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from services.cli.running import MISUSED, AsJson, Home, fail, find, run

if TYPE_CHECKING:
    from services.cli.dlq.deadletters import Letter

CANNOT: Final = 1
NOT_FOUND: Final = 3
STILL_FAILING: Final = 4

app = typer.Typer()
dlq = typer.Typer(no_args_is_help=True, help="List, show and replay dead letters.")
app.add_typer(dlq, name="dlq")

Topic = Annotated[str, typer.Argument(help="A dead-letter topic, with or without the prefix.")]
Partition = Annotated[int, typer.Argument(min=0)]
Offset = Annotated[int, typer.Argument(min=0)]


@dlq.command("list")
def list_(
    topic: Annotated[
        str, typer.Argument(help="Only this one, each letter a line; default: how many each topic has.")
    ] = "",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List the dead-letter topics that hold something, or the letters of one.

    Exit codes: 0 listed (also when there are none), 1 Kafka cannot be reached, 2 no such topic.
    """
    from services.cli.dlq.deadletters import counts, named

    settings = find(home).settings
    if topic:
        found = [letter.told() for letter in run(named(settings, topic), unreachable=CANNOT)]
        lines = [_line(letter) for letter in found]
    else:
        found = [{"topic": name, "letters": n} for name, n in run(counts(settings), unreachable=CANNOT).items()]
        lines = [f"{one['letters']:>8}  {one['topic']}" for one in found]
    if as_json:
        print(json.dumps(found))
    else:
        print("\n".join(lines or ["there are no dead letters"]))


def _line(letter: dict[str, Any]) -> str:
    from services.cli.lines import fit

    why = fit(f"{letter['error']}: {letter['message']}", 120)
    return f"{letter['partition']:>4} {letter['offset']:>8}  {letter['at']}  {fit(letter['from'] or '-', 60)}  {why}"


@dlq.command()
def show(topic: Topic, partition: Partition, offset: Offset, home: Home = None) -> None:
    """Print one dead letter whole, as JSON: why, from where, key, headers, value.

    Exit codes: 0 shown, 1 Kafka cannot be reached, 2 no such topic, 3 no such letter.
    """
    from services.cli.lines import as_json

    print(as_json(_one(find_letters(topic, home), partition, offset).whole(), indent=2))


def find_letters(topic: str, home: Any) -> list[Letter]:
    from services.cli.dlq.deadletters import named

    return run(named(find(home).settings, topic), unreachable=CANNOT)


def _one(letters: list[Letter], partition: int, offset: int) -> Letter:
    place = (partition, offset)
    found = next((one for one in letters if (one.record.partition, one.record.offset) == place), None)
    if found is None:
        fail(f"There is no letter {partition} {offset} (any more). See `parley dlq list TOPIC`.", NOT_FOUND)
    return found


@dlq.command()
def replay(
    topic: Topic,
    partition: Annotated[int | None, typer.Argument(min=0)] = None,
    offset: Annotated[int | None, typer.Argument(min=0)] = None,
    every: Annotated[bool, typer.Option("--all", help="Every letter of the topic.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Give letters another chance, one or --all. Nothing is remembered here and the letters stay: a message that has
    been taken in is not taken in twice.

    A record goes back to the topic it was read from, as it was. A provider's request (ingress.*.dlq) is translated
    again without its signature, which was checked when it came, with today's code and accounts file.

    Exit codes: 0 all sent, 1 Kafka cannot be reached, 2 misused, 3 no such letter, 4 some still cannot be translated.
    """
    from services.cli.dlq.replay import replay_all

    if every == (offset is not None) or (partition is None) != (offset is None):
        fail("Say which: `parley dlq replay TOPIC PARTITION OFFSET`, or TOPIC --all.", MISUSED)
    letters = find_letters(topic, home)
    chosen = letters if every else [_one(letters, partition or 0, offset or 0)]
    done = run(replay_all(find(home).settings, chosen), unreachable=CANNOT)
    if as_json:
        print(json.dumps([one.told() for one in done]))
    else:
        for one in done:
            went = f"sent to {', '.join(one.sent_to)}" if one.sent_to else one.error or "says nothing that is kept"
            print(f"{one.letter.place}  {went}")
        print(f"{sum(not one.error for one in done)} of {len(done)} replayed")
    if any(one.error for one in done):
        raise typer.Exit(STILL_FAILING)
