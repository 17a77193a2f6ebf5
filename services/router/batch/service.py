"""The batch: load, fold, write in one PostgreSQL transaction, then publish by helping."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

import asyncpg
import structlog

from services.router.batch import needs
from services.router.batch.begin import begin
from services.router.batch.load import load
from services.router.batch.publish import Outbox, Row, Sweeper, out, row_of
from services.router.batch.together import Batch, Together
from services.router.batch.write import write
from services.router.directory import Directory
from services.router.fold.alarms import Fired, record_of
from services.router.fold.facts import Facts
from services.router.fold.rules import decide
from shared.bus.cloudevents import In
from shared.bus.produce import Producer
from shared.contract.errors import BusUnavailable, Contended, DatabaseUnavailable, OtherLog
from shared.contract.records import DELIVERY
from shared.contract.requests import Erase
from shared.runtime.lasting import spawn
from shared.runtime.observe import BATCH_SIZE, EVENT_LATENCY
from shared.runtime.settings import Settings
from shared.runtime.sharing import Shared
from shared.storage.database import Connection, Pool, transaction

log = structlog.get_logger(__name__)

TRIES: Final = 6  # how often a batch that met another transaction is loaded and folded again


class Router:
    """Owner of the router's input partitions: PostgreSQL keeps their offsets, fenced by epoch (docs/architecture.md, Offsets and poison)."""

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
        self._epochs: dict[tuple[str, int], int] = {}
        self._floors: dict[uuid.UUID, int] = {}
        self._succeed = Shared(self._take_over)
        self._together = Together(self._route, most=settings.batch)
        self._publishing: set[asyncio.Task[None]] = set()

    async def claim(self, topic: str, partition: int, log_id: str) -> int | None:
        """Raise the epoch, which fences whoever had it, and publish what is left over.

        A position belongs to the log in which it was first moved. Raises OtherLog where this one is another.
        """
        await self._directory.complete.wait()
        async with transaction(self._pool) as connection:
            await self._check_order(connection, topic)
            offset, epoch, kept = await connection.fetchrow(CLAIM, topic, partition, log_id)
        self._epochs[topic, partition] = epoch
        await self._succeed()
        if kept != log_id:
            raise OtherLog(f"{topic}/{partition}: {offset} is a place in log {kept}, and this one is {log_id}")
        return offset if offset >= 0 else None

    async def _take_over(self) -> None:
        """What whoever was fenced has left; for all partitions that are claimed at the moment."""
        async with transaction(self._pool) as connection:
            self._floors = dict(await connection.fetch("SELECT conversation_id, last_sequence FROM sequence_floor"))
        await self._sweeper.sweep(older_than=0)

    async def _check_order(self, connection: Connection, topic: str) -> None:
        """After a restore, what is reported of a send is read when the send itself has been read again."""
        if topic == self._settings.topic(DELIVERY) and await connection.fetchval(READ_FIRST):
            raise DatabaseUnavailable("after a restore, reports wait until what they are of has been read again")

    async def handle(self, topic: str, partition: int, records: Sequence[In], start: int, end: int) -> None:
        """One batch, durable and published when this returns."""
        for part, first, last in _apart(records, start, end):
            batch = Batch(topic, partition, self._epochs[topic, partition], part, first, last)
            await asyncio.shield(await self._together.take(batch))

    async def fire(self, alarms: Sequence[Fired]) -> asyncio.Future[None]:
        """What is due, done; what is given back ends when all is published."""
        return await self._together.take(Batch("", 0, 0, [record_of(fired) for fired in alarms], 0, 0))

    async def _route(self, batches: Sequence[Batch]) -> asyncio.Future[None]:
        """One transaction, again with fresh facts where it met another; what is given back ends when all is published."""
        for attempt in range(1, TRIES + 1):
            try:
                facts, leftover = await self._commit(batches)
                break
            except Contended as error:
                if attempt == TRIES and isinstance(error.__cause__, asyncpg.UniqueViolationError):
                    raise error.__cause__ from None  # with fresh facts every time: it is the record itself
                if attempt == TRIES:
                    raise
                await asyncio.sleep(0.01 * attempt)
        publishing = spawn(self._publish(batches, facts, leftover), "publishing")
        self._publishing.add(publishing)
        publishing.add_done_callback(self._publishing.discard)
        return publishing

    async def _commit(self, batches: Sequence[Batch]) -> tuple[Facts, list[Row]]:
        records = [record for batch in batches for record in batch.records]
        wanted = needs.of(records, self._secret)
        with self._outbox.forgetting() as places:
            async with transaction(self._pool) as connection:
                now, fresh, wanted.plans, wanted.falls = await begin(
                    connection, batches, forget=places, ids=wanted.ids, plans=wanted.plans
                )
                facts = Facts(
                    now,
                    self._secret,
                    fresh,
                    capabilities=self._directory.capabilities,
                    policies=self._directory.policies,
                    floors=self._floors,
                )
                leftover = await load(connection, wanted, facts)
                for record in records:
                    decide(facts, record)
                await write(connection, facts, self._outbox.name)
        return facts, leftover

    async def _publish(self, batches: Sequence[Batch], facts: Facts, leftover: Sequence[Row]) -> None:
        await self._outbox.publish([*leftover, *map(row_of, facts.emissions)])
        await self._pass_on(facts)
        _measure([record for batch in batches if batch.topic for record in batch.records])

    async def _pass_on(self, facts: Facts) -> None:
        """What is fleeting goes out once, and only if the bus takes it now."""
        for emission in facts.fleeting:
            try:
                await self._producer.send(out(self._settings, row_of(emission)))
            except BusUnavailable:
                return

    async def flush(self) -> None:
        """Delete what was acknowledged and not deleted yet: what is idle has no next transaction."""
        try:
            with self._outbox.forgetting() as places:
                if places:
                    async with transaction(self._pool) as connection:
                        await begin(connection, (), forget=places, ids=())
        except (DatabaseUnavailable, asyncpg.PostgresError) as error:
            log.info("flush.waiting", error=type(error).__name__)

    async def flush_when_idle(self) -> None:
        while True:
            await asyncio.sleep(1)
            await self.flush()


def _apart(records: Sequence[In], start: int, end: int) -> Iterator[tuple[Sequence[In], int, int]]:
    """The batch in parts, by their offsets: an erasure stands by itself."""
    first = 0
    for number, record in enumerate(records):
        if isinstance(record.model, Erase):
            if first < number:
                yield records[first:number], start, record.offset
            yield [record], record.offset if first < number else start, record.offset + 1
            first, start = number + 1, record.offset + 1
    if start < end or not records:
        yield records[first:], start, end


CLAIM: Final = """
INSERT INTO source_offset (topic, partition, next_offset, epoch, log_id) VALUES ($1, $2, -1, 1, $3)
ON CONFLICT (topic, partition) DO UPDATE SET epoch = source_offset.epoch + 1,
    log_id = CASE WHEN source_offset.next_offset < 0 THEN $3 ELSE coalesce(source_offset.log_id, $3) END
RETURNING next_offset, epoch, log_id"""


def _measure(records: Sequence[In]) -> None:
    BATCH_SIZE.observe(len(records))
    if records:
        EVENT_LATENCY.observe((datetime.now(UTC) - min(record.at for record in records)).total_seconds())


READ_FIRST: Final = """SELECT EXISTS (SELECT FROM read_first r LEFT JOIN source_offset s USING (topic, partition)
    WHERE r.upto > greatest(coalesce(s.next_offset, 0), 0))"""
