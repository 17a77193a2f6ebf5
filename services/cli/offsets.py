"""`parley offsets`: where the router stands in each input, and how it gets past records that are gone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from services.cli.running import MISUSED, AsJson, Home, fail, find, run

if TYPE_CHECKING:
    from shared.settings import Settings

CANNOT: Final = 1
REFUSED: Final = 4

app = typer.Typer()
offsets = typer.Typer(no_args_is_help=True, help="Show where the router stands; accept that records are gone.")
app.add_typer(offsets, name="offsets")


@dataclass(frozen=True)
class Position:
    """One input partition. `next`: the router's stored offset, None before the first start; `first`, `end`: the log's."""

    topic: str
    partition: int
    next: int | None
    first: int
    end: int
    missing_from: int | None = None
    missing_to: int | None = None

    @property
    def gone(self) -> int:
        """How many records were deleted before they were read."""
        return max(0, self.first - self.next) if self.next is not None else 0

    @property
    def lag(self) -> int:
        return self.end - max(self.first, self.first if self.next is None else self.next)


@offsets.command()
def show(home: Home = None, as_json: AsJson = False) -> None:
    """Show every input partition: what is read next, what is left, what is gone.

    Exit codes: 0 nothing is gone, 1 Kafka or PostgreSQL cannot be reached, 4 records are gone that were never read.
    """
    found = run(positions(find(home).settings), unreachable=CANNOT)
    if as_json:
        print(json.dumps([{**asdict(one), "gone": one.gone, "lag": one.lag} for one in found]))
    else:
        for one in found:
            print(f"{one.topic} {one.partition}  {_said(one)}")
    if any(one.gone for one in found):
        raise typer.Exit(REFUSED)


def _said(one: Position) -> str:
    stands = "not read yet" if one.next is None else f"at {one.next}"
    gone = (
        f"  GONE {one.next}..{one.first - 1}: `parley offsets accept {one.topic} {one.partition}`" if one.gone else ""
    )
    past = f"  accepted before: {one.missing_from}..{one.missing_to}" if one.missing_to is not None else ""
    return f"{stands}, log {one.first}..{one.end}, {one.lag} to read{gone}{past}"


@offsets.command()
def accept(
    topic: Annotated[str, typer.Argument(help="An input topic, with or without the prefix.")],
    partition: Annotated[int, typer.Argument(min=0)],
    home: Home = None,
) -> None:
    """Go on at the log's beginning, though records before it were never read; the range is kept beside the offset.

    Look first whether the records are still at the provider or in the archive: afterwards nobody asks for them.
    The router takes it up when it next claims the partition: restart it.

    Exit codes: 0 accepted, 1 Kafka or PostgreSQL cannot be reached, 2 no such partition, 4 refused: nothing is missing.
    """
    settings = find(home).settings
    full = topic if topic.startswith(settings.prefix) else settings.topic(topic)
    found = run(positions(settings), unreachable=CANNOT)
    one = next((one for one in found if (one.topic, one.partition) == (full, partition)), None)
    if one is None:
        fail(f"The router reads no {full} {partition}. `parley offsets show` lists what it reads.", MISUSED)
    if not one.gone:
        fail(
            f"Nothing is missing: {one.topic} {one.partition} stands at {one.next}, the log begins at {one.first}.",
            REFUSED,
        )
    if not run(move(settings, one), unreachable=CANNOT):
        fail("The router moved meanwhile. Look again with `parley offsets show`.", REFUSED)
    print(f"{one.topic} {one.partition}: {one.next}..{one.first - 1} accepted as missing; restart the router")


async def positions(settings: Settings) -> list[Position]:
    """Every partition of the router's inputs. Raises KafkaError, PostgresError, OSError."""
    from services.cli.reading import SECONDS, consumer
    from shared.records import ROUTER_INPUTS

    async with connected(settings) as connection:
        rows = await connection.fetch("SELECT * FROM router.source_offset")
    stored = {(row["topic"], row["partition"]): row for row in rows}
    async with (
        consumer(settings, [settings.topic(name) for name in ROUTER_INPUTS]) as reading,
        asyncio.timeout(SECONDS),
    ):
        places = sorted(reading.assignment())
        firsts, ends = await reading.beginning_offsets(places), await reading.end_offsets(places)
    return [_position(place, stored.get(tuple(place)), firsts[place], ends[place]) for place in places]


def _position(place: Any, row: Any, first: int, end: int) -> Position:
    if row is None:
        return Position(place.topic, place.partition, None, first, end)
    stands = row["next_offset"] if row["next_offset"] >= 0 else None
    return Position(place.topic, place.partition, stands, first, end, row["missing_from"], row["missing_to"])


async def move(settings: Settings, one: Position) -> bool:
    """Set the stored offset to the log's beginning, unless it moved; the first range that was missing stays noted."""
    async with connected(settings) as connection:
        done: str = await connection.execute(
            """UPDATE router.source_offset SET next_offset = $4::bigint, epoch = epoch + 1,
                missing_from = coalesce(missing_from, $3), missing_to = $4::bigint - 1
            WHERE topic = $1 AND partition = $2 AND next_offset = $3""",
            one.topic,
            one.partition,
            one.next,
            one.first,
        )
    return done == "UPDATE 1"


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Any]:
    """A connection to PostgreSQL."""
    import asyncpg

    connection = await asyncpg.connect(settings.database.get_secret_value(), timeout=10)
    try:
        yield connection
    finally:
        await connection.close()
