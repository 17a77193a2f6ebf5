"""What a transaction begins with, in one statement: its offsets, the rows that may be forgotten, which ids are new, and the time."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from services.router.batch.publish import Place
from services.router.batch.together import Batch
from shared.contract.errors import Fenced
from shared.storage.database import Connection


async def begin(
    connection: Connection,
    batches: Sequence[Batch],
    *,
    forget: Collection[Place],
    ids: Collection[uuid.UUID],
    plans: Collection[uuid.UUID] = (),
) -> tuple[datetime, set[uuid.UUID], set[uuid.UUID], bool]:
    """PostgreSQL's time, by which all is judged, the ids that were never seen before, which of these plans there are, and whether
    anybody's message has other ways: one that begins later cannot be what a record of this batch answers. Raises Fenced where a
    partition has another owner or stands elsewhere.
    """
    offsets = [(b.topic, b.partition, b.epoch, b.start, b.end) for b in batches if b.topic]
    now, moved, fresh, planned, falls = await connection.fetchrow(
        BEGIN, *_columns(offsets, 5), *_columns(list(forget), 3), list(ids), list(plans)
    )
    if moved != len(offsets):
        raise Fenced(", ".join(f"{b.topic}/{b.partition} at {b.start}" for b in batches))
    return now, set(fresh), set(planned), falls


def _columns(rows: Sequence[tuple[object, ...]], width: int) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]


# Offsets by compare-and-set: a zombie's matches no row, and -1 says that nothing was ever read there. Ids for ever: the
# dedupe. Rows are locked sorted before they are written: an UPDATE or DELETE takes them in whatever order its plan reads
# them, and two who want the same ones would lock each other out.
BEGIN: Final = """
WITH own AS MATERIALIZED (
    SELECT s.topic, s.partition, n.upto, n.epoch, n.start
    FROM source_offset s JOIN unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[], $5::bigint[])
        n(topic, partition, epoch, start, upto) USING (topic, partition)
    ORDER BY s.topic, s.partition FOR NO KEY UPDATE OF s
), moved AS (
    UPDATE source_offset s SET next_offset = n.upto FROM own n
    WHERE (s.topic, s.partition, s.epoch) = (n.topic, n.partition, n.epoch) AND s.next_offset IN (n.start, -1)
    RETURNING 1
), known AS MATERIALIZED (
    SELECT o.conversation_id, o.sequence, o.topic
    FROM outbox o JOIN unnest($6::uuid[], $7::bigint[], $8::text[]) n(conversation_id, sequence, topic)
        USING (conversation_id, sequence, topic)
    ORDER BY o.conversation_id, o.sequence, o.topic FOR UPDATE OF o
), forgotten AS (
    DELETE FROM outbox o USING known n
    WHERE (o.conversation_id, o.sequence, o.topic) = (n.conversation_id, n.sequence, n.topic)
), fresh AS (
    INSERT INTO seen SELECT id FROM unnest($9::uuid[]) id ORDER BY id ON CONFLICT DO NOTHING RETURNING id
)
SELECT clock_timestamp(), (SELECT count(*) FROM moved), ARRAY(SELECT id FROM fresh),
    ARRAY(SELECT id FROM plan WHERE id = ANY($10::uuid[])), EXISTS (SELECT FROM fallback WHERE ended_at IS NULL)"""
