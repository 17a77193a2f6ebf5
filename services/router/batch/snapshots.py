"""Snapshots: what has changed is told as it is now, on compacted topics where the last record is the newest (docs/architecture.md, Snapshots)."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from services.router.batch.publish import SOURCE
from services.router.fold import snapshots
from services.router.fold.events import dump
from shared.bus.cloudevents import Out, headers
from shared.bus.produce import Publisher
from shared.contract.envelope import derive
from shared.contract.errors import DatabaseUnavailable
from shared.contract.records import CONVERSATIONS, CUSTOMERS
from shared.runtime.observe import SNAPSHOT_AGE
from shared.runtime.settings import Settings
from shared.storage.database import Connection, Pool, transaction

log = structlog.get_logger(__name__)

ANYBODY: Final = uuid.UUID(int=0)  # whose marks whoever comes first takes
LINGER: Final = 1.0  # seconds: what changes several times in one of them is told once
TOGETHER: Final = 500  # entities that are read and told at once
SEEN: Final = 2.0  # seconds between two signs of life
GONE: Final = (
    60.0  # seconds without one after which a process is dead, and what it had sent stands on Kafka or never will
)
LATE: Final = 60.0  # seconds in which what Kafka did not acknowledge may still come to stand there
ABSENT: Final = -1  # the version of what is not there any more


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of snapshot: `name` of its record type, the table it is read from, by which columns."""

    name: str
    topic: str
    table: str
    columns: str


KINDS: Final = (
    Kind("conversation", CONVERSATIONS, "conversation", snapshots.CONVERSATION),
    Kind("customer", CUSTOMERS, "customer", snapshots.CUSTOMER),
)


@dataclass(frozen=True, slots=True)
class Told:
    """One entity as it was read: `mark`, the version that stood in its mark; `version`, its own."""

    entity: uuid.UUID
    mark: int
    version: int
    value: bytes | None
    tenant: str


class Snapshots:
    """Publishes what this process has changed, and what processes that are gone had changed.

    The topic keeps the last record of each key, so that one must be the newest, whoever else publishes the same entity. A mark
    stands in the transaction of the change, for each process its own. It goes only when the record is acknowledged and a look
    after that finds the entity as it was told; else it is told again. `publisher` must be nobody else's: what it reports as
    failed is this one's.
    """

    def __init__(self, settings: Settings, pool: Pool, publisher: Publisher, name: uuid.UUID) -> None:
        self._settings, self._pool, self._publisher, self._name = settings, pool, publisher, name
        self._seen = -GONE

    async def run(self) -> None:
        while True:
            try:
                await self.tell()
            except DatabaseUnavailable as error:
                log.info("snapshots.waiting", error=str(error))
            await asyncio.sleep(LINGER)

    async def tend(self) -> None:
        """Say that we live, and take over from those that do not."""
        while True:
            try:
                await self.appear()
                for kind in KINDS:
                    await self.adopt(kind)
                await self.measure()
            except DatabaseUnavailable as error:
                log.info("snapshots.waiting", error=str(error))
            await asyncio.sleep(SEEN)

    async def appear(self) -> None:
        async with transaction(self._pool) as connection:
            await connection.execute(APPEAR, self._name, GONE)
        self._seen = time.monotonic()

    async def adopt(self, kind: Kind, *, silent: float = GONE) -> None:
        """Make the marks of processes ours that have given no sign of life for so many seconds."""
        async with transaction(self._pool) as connection:
            await connection.execute(ADOPT, self._name, silent, kind.name, TOGETHER)

    async def measure(self) -> None:
        async with transaction(self._pool) as connection:
            SNAPSHOT_AGE.set(await connection.fetchval(AGE))

    async def tell(self) -> int:
        """Everything that we have marked, by id, a page at a time; how many records that were."""
        count = 0
        for kind in KINDS:
            page = await self._read(kind, ANYBODY)
            while page:
                count += len(page)
                await self._publish(kind, page)
                page = await self._read(kind, page[-1].entity) if len(page) == TOGETHER else []
        return count

    async def _read(self, kind: Kind, after: uuid.UUID) -> list[Told]:
        """The next that are marked, as they are. Who was taken for dead, having been stopped, first says that it is not."""
        if time.monotonic() - self._seen > GONE / 2:
            await self.appear()
        async with transaction(self._pool) as connection:
            rows = await connection.fetch(_marked(kind), self._name, kind.name, after, TOGETHER)
        return [_told(row) for row in rows]

    async def _publish(self, kind: Kind, page: Sequence[Told]) -> None:
        failures = self._publisher.failures
        await self._publisher.publish([self._out(kind, one) for one in page])
        if self._publisher.failures != failures:  # what failed may come to stand behind what was sent instead of it
            await asyncio.sleep(LATE)
            return
        await self._confirm(kind, page)

    async def _confirm(self, kind: Kind, page: Sequence[Told]) -> None:
        """Forget the marks of what stands as it was told. What has moved is marked, be it that somebody took the mark over.

        A batch may hold the same rows: who deletes them waits for none, and who writes them does so in a transaction of its own.
        """
        given = (self._name, kind.name, [one.entity for one in page])
        versions = [one.version for one in page]
        async with transaction(self._pool) as connection:
            done = await connection.fetch(_forget(kind), *given, [one.mark for one in page], versions)
        if len(done) < len(page):
            async with transaction(self._pool) as connection:
                await connection.execute(_mark_again(kind), *given, versions)

    def _out(self, kind: Kind, one: Told) -> Out:
        """Keyed by the entity; of what is gone a tombstone, which is its key and nothing else."""
        key, topic = str(one.entity), self._settings.topic(kind.topic)
        if one.value is None:
            return Out(topic, key.encode(), None, [])
        made = headers(
            kind.name,
            source=SOURCE,
            id=str(derive("snapshot", kind.name, one.entity, one.version)),
            time=datetime.now(UTC),
            tenant=one.tenant,
            subject=key,
            sequence=one.version,
        )
        return Out(topic, key.encode(), one.value, made)


async def mark(connection: Connection, kind: str, ids: Iterable[uuid.UUID], *, publisher: uuid.UUID = ANYBODY) -> None:
    """These entities are to be told as they are now, or as gone."""
    await connection.execute(MARK, publisher, kind, list(ids))


def _told(row: Mapping[str, Any]) -> Told:
    values = dict(row)
    entity, stood = values.pop("entity"), values.pop("mark")
    if values["id"] is None:
        return Told(entity, stood, ABSENT, None, "")
    return Told(entity, stood, values["version"], dump(snapshots.state(values)), values["tenant"])


def _marked(kind: Kind) -> str:
    return f"""
    SELECT u.entity, u.version AS mark, k.* FROM untold u LEFT JOIN (SELECT {kind.columns} FROM {kind.table}) k ON k.id = u.entity
    WHERE u.publisher = $1 AND u.kind = $2 AND u.entity > $3 ORDER BY u.entity LIMIT $4"""  # noqa: S608 constants only


def _forget(kind: Kind) -> str:
    # The mark is looked at again once it is locked: one that a batch has written since stays.
    return f"""
    WITH done AS MATERIALIZED (
        SELECT u.entity FROM untold u
        JOIN unnest($3::uuid[], $4::bigint[], $5::bigint[]) n(entity, mark, version) ON n.entity = u.entity
        LEFT JOIN {kind.table} k ON k.id = n.entity
        WHERE u.publisher = $1 AND u.kind = $2 AND u.version = n.mark AND coalesce(k.last_sequence, {ABSENT}) = n.version
        FOR UPDATE OF u SKIP LOCKED
    )
    DELETE FROM untold u USING done WHERE (u.publisher, u.kind, u.entity) = ($1, $2, done.entity) RETURNING u.entity"""  # noqa: S608 constants only


def _mark_again(kind: Kind) -> str:
    return f"""
    INSERT INTO untold (publisher, kind, entity, version) SELECT $1, $2, n.entity, coalesce(k.last_sequence, {ABSENT})
    FROM unnest($3::uuid[], $4::bigint[]) n(entity, version) LEFT JOIN {kind.table} k ON k.id = n.entity
    WHERE coalesce(k.last_sequence, {ABSENT}) <> n.version ORDER BY n.entity ON CONFLICT DO NOTHING"""  # noqa: S608 constants only


APPEAR: Final = """
WITH forgotten AS (
    DELETE FROM publisher p WHERE seen_at < now() - 60 * make_interval(secs => $2) AND id <> $1
        AND NOT EXISTS (SELECT FROM untold u WHERE u.publisher = p.id)
)
INSERT INTO publisher VALUES ($1, now()) ON CONFLICT (id) DO UPDATE SET seen_at = now()"""
# Publishers are found by steps along the key, however many marks there are.
ADOPT: Final = """
WITH RECURSIVE publishers(id) AS (
    (SELECT publisher FROM untold ORDER BY publisher LIMIT 1)
    UNION ALL
    SELECT (SELECT u.publisher FROM untold u WHERE u.publisher > p.id ORDER BY u.publisher LIMIT 1)
    FROM publishers p WHERE p.id IS NOT NULL
), dead AS (
    SELECT p.id FROM publishers p WHERE p.id <> $1
        AND NOT EXISTS (SELECT FROM publisher s WHERE s.id = p.id AND s.seen_at > now() - make_interval(secs => $2))
), theirs AS MATERIALIZED (
    SELECT u.publisher, u.entity FROM untold u JOIN dead ON dead.id = u.publisher WHERE u.kind = $3
    ORDER BY u.publisher, u.entity LIMIT $4 FOR UPDATE OF u SKIP LOCKED
), taken AS (
    DELETE FROM untold u USING theirs t WHERE (u.publisher, u.kind, u.entity) = (t.publisher, $3, t.entity)
    RETURNING u.entity, u.version, u.at
)
INSERT INTO untold (publisher, kind, entity, version, at)
SELECT $1, $3, entity, max(version), min(at) FROM taken GROUP BY entity ORDER BY entity
ON CONFLICT (publisher, kind, entity) DO UPDATE SET version = greatest(untold.version, excluded.version)"""
MARK: Final = """
INSERT INTO untold (publisher, kind, entity, version) SELECT $1, $2, entity, 0 FROM unnest($3::uuid[]) entity ORDER BY entity
ON CONFLICT (publisher, kind, entity) DO UPDATE SET version = untold.version + 1"""
AGE: Final = "SELECT coalesce(extract(epoch FROM clock_timestamp() - min(at)), 0)::float FROM untold"
