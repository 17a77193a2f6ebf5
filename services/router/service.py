"""The batch: load, fold, write in one PostgreSQL transaction, then publish by helping."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import asyncpg

from services.router import needs
from services.router.directory import Directory
from services.router.facts import Facts
from services.router.load import load
from services.router.publish import Outbox, Place, Row, Sweeper, forget, out, row_of
from services.router.rules import decide
from services.router.write import write
from shared.bus import In
from shared.database import CONTENDED, Connection, Pool, transaction
from shared.errors import BusUnavailable, DatabaseUnavailable, Fenced
from shared.observe import BATCH_SIZE, EVENT_LATENCY
from shared.produce import Producer
from shared.settings import Settings

TRIES: Final = 6  # how often a batch that met another transaction is loaded and folded again


@dataclass(slots=True)
class Stand:
    """What this process knows of a partition it owns: its epoch, and the rows that Kafka has acknowledged since."""

    epoch: int
    acknowledged: list[Place] = field(default_factory=list)
    busy: bool = False


class Router:
    """Owner of the router's input partitions: PostgreSQL keeps their offsets, fenced by epoch (DELIVERY §5)."""

    def __init__(
        self,
        *,
        settings: Settings,
        pool: Pool,
        producer: Producer,
        outbox: Outbox,
        sweeper: Sweeper,
        directory: Directory,
    ) -> None:
        self._settings, self._pool = settings, pool
        self._producer, self._outbox, self._sweeper, self._directory = producer, outbox, sweeper, directory
        self._secret = settings.secret.get_secret_value().encode()
        self._stands: dict[tuple[str, int], Stand] = {}

    async def claim(self, topic: str, partition: int) -> int | None:
        """Raise the epoch, which fences whoever had it, and publish what is left over."""
        await self._directory.complete.wait()
        async with transaction(self._pool) as connection:
            offset, epoch = await connection.fetchrow(
                """INSERT INTO source_offset (topic, partition, next_offset, epoch) VALUES ($1, $2, -1, 1)
                ON CONFLICT (topic, partition) DO UPDATE SET epoch = source_offset.epoch + 1
                RETURNING next_offset, epoch""",
                topic,
                partition,
            )
        self._stands[topic, partition] = Stand(epoch)
        await self._sweeper.sweep(older_than=0)
        return offset if offset >= 0 else None

    async def handle(self, topic: str, partition: int, records: Sequence[In], start: int, end: int) -> None:
        """One batch, durable and published when this returns."""
        stand = self._stands[topic, partition]
        stand.busy = True
        for attempt in range(1, TRIES + 1):
            try:
                facts, leftover = await self._commit((topic, partition), stand, records, start, end)
                break
            except CONTENDED as error:
                if attempt == TRIES and isinstance(error, asyncpg.UniqueViolationError):
                    raise  # with fresh facts every time: it is the record itself
                if attempt == TRIES:
                    raise DatabaseUnavailable(f"{type(error).__name__}, {TRIES} times") from error
                await asyncio.sleep(0.01 * attempt)
        stand.acknowledged += await self._outbox.publish([*leftover, *map(row_of, facts.emissions)])
        stand.busy = False
        await self._pass_on(facts)
        _measure(records)

    async def _commit(
        self, where: tuple[str, int], stand: Stand, records: Sequence[In], start: int, end: int
    ) -> tuple[Facts, list[Row]]:
        async with transaction(self._pool) as connection:
            await _move(connection, where, stand.epoch, start, end)
            await forget(connection, stand.acknowledged)
            facts, leftover = await load(
                connection,
                needs.of(records, self._secret),
                now=datetime.now(UTC),
                secret=self._secret,
                capabilities=self._directory.capabilities,
            )
            for record in records:
                decide(facts, record)
            await write(connection, facts)
        self._outbox.forgotten(stand.acknowledged)
        stand.acknowledged = []
        return facts, leftover

    async def _pass_on(self, facts: Facts) -> None:
        """What is fleeting goes out once, and only if the bus takes it now."""
        for emission in facts.fleeting:
            try:
                await self._producer.send(out(self._settings, row_of(emission)))
            except BusUnavailable:
                return

    async def flush(self) -> None:
        """Delete what was acknowledged and not deleted yet: idle partitions have no next transaction."""
        for stand in [stand for stand in self._stands.values() if not stand.busy]:
            places, stand.acknowledged = stand.acknowledged, []
            if places:
                try:
                    async with transaction(self._pool) as connection:
                        await forget(connection, places)
                    self._outbox.forgotten(places)
                except (DatabaseUnavailable, asyncpg.PostgresError):
                    stand.acknowledged += places

    async def flush_when_idle(self) -> None:
        while True:
            await asyncio.sleep(1)
            await self.flush()


async def _move(connection: Connection, where: tuple[str, int], epoch: int, start: int, end: int) -> None:
    """Compare-and-set of the stored offset: a zombie's matches no row. -1: nothing was ever read here."""
    done = await connection.execute(
        """UPDATE source_offset SET next_offset = $5
        WHERE topic = $1 AND partition = $2 AND epoch = $3 AND next_offset IN ($4, -1)""",
        *where,
        epoch,
        start,
        end,
    )
    if done != "UPDATE 1":
        raise Fenced(f"{where[0]}/{where[1]} at {start}")


def _measure(records: Sequence[In]) -> None:
    BATCH_SIZE.observe(len(records))
    if records:
        EVENT_LATENCY.observe((datetime.now(UTC) - records[0].at).total_seconds())
