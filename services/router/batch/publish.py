"""From the outbox to Kafka: by helping, in order, and deleted only after the acknowledgement (docs/architecture.md, Publishing)."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Final, NamedTuple

import structlog

from services.router.fold.facts import Emission
from shared.bus.cloudevents import Out, headers
from shared.bus.produce import Publisher
from shared.contract.errors import DatabaseUnavailable
from shared.contract.records import EVENTS
from shared.runtime.lifecycle import Health
from shared.runtime.observe import OUTBOX_AGE, OUTBOX_ROWS
from shared.runtime.settings import Settings
from shared.storage.database import Pool, transaction

log = structlog.get_logger(__name__)

OLD: Final = 10.0  # seconds after which a row is taken for left behind
SOURCE: Final = "/router"


class Row(NamedTuple):
    """A row of the outbox with what it stands for."""

    conversation_id: uuid.UUID
    sequence: int
    topic: str
    tenant: str
    traceparent: str | None
    id: uuid.UUID
    type: str
    at: datetime
    value: bytes


Place = tuple[uuid.UUID, int, str]


def row_of(emission: Emission) -> Row:
    return Row(
        emission.conversation_id,
        emission.sequence,
        emission.topic,
        emission.tenant,
        emission.traceparent,
        emission.id,
        emission.name,
        emission.at,
        emission.value,
    )


def out(settings: Settings, row: Row) -> Out:
    """The record on the bus: keyed by conversation, so that one partition holds its sequence."""
    key = str(row.conversation_id)
    return Out(
        settings.topic(row.topic),
        key.encode(),
        row.value,
        headers(
            row.type,
            source=SOURCE,
            id=str(row.id),
            time=row.at,
            tenant=row.tenant,
            subject=key,
            sequence=row.sequence if row.topic == EVENTS else None,
            traceparent=row.traceparent,
        ),
    )


def place(row: Row) -> Place:
    return (row.conversation_id, row.sequence, row.topic)


class Outbox:
    """Publishes rows in order, and knows which of them this process has published or is about to.

    `name`: who it is, as long as its process lives. Rows of its own are not helped with again: they stand in the publisher's queue before whatever comes later, or have
    been acknowledged. Only what other processes left is helped with.
    """

    def __init__(self, settings: Settings, publisher: Publisher) -> None:
        self.name = uuid.uuid4()
        self._settings, self._publisher = settings, publisher
        self._mine: set[Place] = set()
        self._acknowledged: set[Place] = set()

    async def publish(self, rows: Sequence[Row]) -> None:
        """Return when all are durable; what is on its way already is left out."""
        await self._publisher.prepare({self._settings.topic(row.topic) for row in rows})
        fresh = [row for row in rows if place(row) not in self._mine]
        places = [place(row) for row in fresh]
        durable = self._publisher.enqueue([out(self._settings, row) for row in fresh])
        self._mine.update(places)
        durable.add_done_callback(lambda done: None if done.cancelled() else self._acknowledged.update(places))
        await asyncio.shield(durable)

    @contextmanager
    def forgetting(self) -> Iterator[set[Place]]:
        """The rows that were acknowledged since, to be deleted by the transaction within; kept when it fails."""
        places, self._acknowledged = self._acknowledged, set()
        try:
            yield places
        except BaseException:
            self._acknowledged |= places
            raise
        self._mine -= places


class Sweeper:
    """Publishes whole conversations that have an old row: what a publisher that died left behind.

    It chooses conversations, never rows by age: the row with sequence 6 may be older than 5.
    """

    def __init__(self, pool: Pool, outbox: Outbox, health: Health) -> None:
        self._pool, self._outbox, self._health = pool, outbox, health

    async def run(self) -> None:
        while True:
            self._health.tick("sweeper")
            try:
                await self.measure()
                await self.sweep(older_than=OLD)
            except DatabaseUnavailable as error:
                log.warning("sweep.waiting", error=str(error))
            await asyncio.sleep(2)

    async def measure(self) -> None:
        async with transaction(self._pool) as connection:
            rows, age = await connection.fetchrow(
                "SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(at)), 0)::float FROM outbox"
            )
        OUTBOX_ROWS.set(rows)
        OUTBOX_AGE.set(age)

    async def sweep(self, *, older_than: float) -> int:
        """Publish, and how many rows. `older_than` in seconds; 0 takes everything, as a new owner does."""
        async with transaction(self._pool) as connection:
            rows = [Row(*row) for row in await connection.fetch(LEFT_BEHIND, older_than)]
        await self._outbox.publish(rows)
        return len(rows)


LEFT_BEHIND: Final = """
WITH old AS (
    SELECT conversation_id FROM outbox
    GROUP BY conversation_id HAVING min(at) <= clock_timestamp() - make_interval(secs => $1)
    LIMIT 1000
)
SELECT o.conversation_id, o.sequence, o.topic,
    coalesce(o.tenant, m.tenant, e.tenant), coalesce(o.traceparent, m.traceparent, e.traceparent),
    coalesce(o.id, m.id, e.id), coalesce(o.type, m.type, e.type), coalesce(m.at, e.at, o.at),
    coalesce(o.value, m.body, e.body)
FROM outbox o JOIN old USING (conversation_id)
LEFT JOIN message m ON o.value IS NULL AND m.conversation_id = o.conversation_id AND m.sequence = o.sequence
LEFT JOIN event e ON o.value IS NULL AND e.conversation_id = o.conversation_id AND e.sequence = o.sequence
ORDER BY o.conversation_id, o.sequence"""
