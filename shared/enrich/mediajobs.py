"""Media to fetch: one row per media part of an inbound message."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from shared.bus.cloudevents import In
from shared.contract.envelope import Envelope, Media
from shared.enrich.jobs import Jobs
from shared.storage.database import Pool, connected
from shared.storage.turns import Place, Room
from shared.storage.walks import in_steps

JOBS: Final = Jobs("media_job", ("message_id", "part"))
KEPT: Final = timedelta(days=14)  # longer than the inbound topic, so that a record read again is still known


@dataclass(frozen=True, kw_only=True, slots=True)
class MediaJob:
    """One file to fetch. `key` is that of the envelope's record."""

    message_id: uuid.UUID
    part: int
    tenant: str
    account: Place
    peer: str
    key: bytes
    media: Media
    traceparent: str | None
    owner: uuid.UUID
    tries: int
    received_at: datetime


async def add(pool: Pool, records: Sequence[In]) -> int:
    """A job for each part that is not fetched yet; how many are new."""
    rows = [row for record in records for row in _rows(record)]
    if not rows:
        return 0
    columns = list(zip(*rows, strict=True))
    async with connected(pool) as connection:
        done: str = await connection.execute(
            "INSERT INTO media_job (message_id, part, tenant, channel, account, peer, record_key, media, traceparent)"
            " SELECT * FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bytea[],"
            " $8::jsonb[], $9::text[]) ON CONFLICT DO NOTHING",
            *columns,
        )
    return int(done.rsplit(maxsplit=1)[-1])


def _rows(record: In) -> list[tuple[Any, ...]]:
    envelope: Envelope = record.model
    return [
        (
            envelope.id,
            number,
            envelope.tenant,
            envelope.channel,
            envelope.account,
            envelope.peer,
            record.key,
            part.model_dump(mode="json", exclude_none=True),
            record.traceparent,
        )
        for number, part in enumerate(envelope.parts)
        if isinstance(part, Media) and part.state == "pending"
    ]


async def claim(pool: Pool, room: Room) -> list[MediaJob]:
    _, rows = await JOBS.claim(pool, room)
    return [_job(row) for row in rows]


def _job(row: Any) -> MediaJob:
    return MediaJob(
        message_id=row["message_id"],
        part=row["part"],
        tenant=row["tenant"],
        account=(row["channel"], row["account"]),
        peer=row["peer"],
        key=row["record_key"],
        media=Media.model_validate(row["media"]),
        traceparent=row["traceparent"],
        owner=row["owner"],
        tries=row["tries"],
        received_at=row["received_at"],
    )


async def put_off(pool: Pool, job: MediaJob, delay: timedelta) -> None:
    """Try again then."""
    await JOBS.put_off(pool, (job.message_id, job.part), owner=job.owner, delay=delay)


async def finish(pool: Pool, job: MediaJob) -> None:
    """What became of it is on the bus."""
    async with connected(pool) as connection:
        await connection.execute(
            "UPDATE media_job SET owner = NULL, lease_until = NULL, done_at = now() WHERE message_id = $1 AND part = $2",
            job.message_id,
            job.part,
        )


async def prune(pool: Pool) -> None:
    """Forget what was done long ago."""
    await in_steps(
        pool,
        """DELETE FROM media_job WHERE (message_id, part) IN (SELECT message_id, part FROM media_job
            WHERE done_at < now() - $1::interval ORDER BY done_at LIMIT $2 FOR UPDATE SKIP LOCKED)""",
        KEPT,
    )
