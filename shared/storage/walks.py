"""Work on whole tables in small steps, with rests. A walk goes on once a day, on one replica: where it stands is a row."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from shared.contract.errors import ParleyError
from shared.runtime.observe import REMOVED, WALK_ENDED, WALK_FAILURES
from shared.runtime.settings import OTHERS, Settings
from shared.storage.database import Pool, connected, transaction
from shared.storage.leases import Leases

log = structlog.get_logger(__name__)

EVERY: Final = timedelta(days=1)  # from one end to the next beginning
LOOK: Final = 60.0  # seconds between two looks whether it is time, and after a failure
REST: Final = 3.0  # times as long as a step took, nothing is done before the next: the rest is for what is live

STEP: Final = 500  # rows that one step looks at, or one transaction removes
BOUND: Final = "SET LOCAL statement_timeout = '20s'"  # of each statement of such a transaction

# From a place to the next; from nothing at the beginning, to nothing at the end.
Step = Callable[[Sequence[str]], Awaitable[Sequence[str]]]


async def rest(since: float) -> None:
    """After work that began then, by the monotonic clock."""
    await asyncio.sleep(REST * (time.monotonic() - since))


async def in_steps(pool: Pool, removal: str, *given: object) -> None:
    """Run a statement that removes so many rows at the most, its last parameter, until there are no more. Where several
    replicas do so, it passes over the others' rows (SKIP LOCKED).
    """
    removed = STEP
    while removed == STEP:
        since = time.monotonic()
        async with connected(pool) as connection:
            done: str = await connection.execute(removal, *given, STEP)
        removed = int(done.rsplit(maxsplit=1)[-1])
        await rest(since)


def ago(days: int | None) -> datetime | None:
    """So many days before now; None: before any time."""
    return datetime.now(UTC) - timedelta(days=days) if days else None


def count_removed(settings: Settings, kind: str, tenant: str, number: int) -> None:
    """By tenant as the setting names it: there are as many of these as an operator wrote down."""
    REMOVED.labels(kind, tenant if tenant in settings.retention else OTHERS).inc(number)


class Walks:
    """Several walks, one after the other. `pool`: connections in a schema with tables `walk` and `lease`."""

    def __init__(self, pool: Pool, name: str, steps: Mapping[str, Step]) -> None:
        self._pool, self._name, self._steps = pool, name, steps
        self._leases = Leases(pool)

    async def run(self) -> None:
        """For ever, while the lease is ours. What fails is told and tried again, and stops nothing else."""
        await self._leases.run(self._name, self._work)

    async def _work(self, _epoch: int) -> None:
        while True:
            for name, step in self._steps.items():
                await self._try(name, step)
            await asyncio.sleep(LOOK)

    async def _try(self, name: str, step: Step) -> None:
        WALK_FAILURES.labels(name)
        try:
            await self.walk(name, step)
        except ParleyError as error:
            WALK_FAILURES.labels(name).inc()
            log.warning("walk.waiting", name=name, error=str(error))
        except Exception:
            WALK_FAILURES.labels(name).inc()
            log.exception("walk.failed", name=name)

    async def walk(self, name: str, step: Step) -> None:
        """From where it stands to the end, if it is time."""
        async with transaction(self._pool) as connection:
            place, last, is_due = await connection.fetchrow(BEGIN, name, EVERY)
        WALK_ENDED.labels(name).set(last.timestamp())
        while is_due:
            since = time.monotonic()
            place = await step(place)
            async with transaction(self._pool) as connection:
                await connection.execute(GO_ON, name, list(place))
            if not place:
                WALK_ENDED.labels(name).set(datetime.now(UTC).timestamp())
                return
            await rest(since)


BEGIN: Final = """
INSERT INTO walk (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET name = excluded.name
RETURNING place, coalesce(ended_at, begun_at), coalesce(ended_at < now() - $2::interval, true)"""
GO_ON: Final = """
UPDATE walk SET place = $2::text[], ended_at = CASE WHEN $2::text[] = '{}' THEN now() ELSE ended_at END WHERE name = $1"""
