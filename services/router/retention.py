"""What is older than its tenant keeps is removed: messages and events, the names that led to them, files that nobody uses.

Its steps never wait for a row: what a batch holds is left for the next day, so no order of locks can be turned round by them.
What holds a conversation's lock sees its messages, their statuses and its row go together. `seen`, positions, customers and
their addresses stay.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from services.router.batch.snapshots import mark
from shared.contract.policy import LONGEST
from shared.runtime.settings import OTHERS, Settings
from shared.storage.blobs import Blobs, folder_of
from shared.storage.database import Connection, Pool, transaction
from shared.storage.walks import BOUND, STEP, Walks, ago, count_removed, in_steps, rest

TOGETHER: Final = 50  # conversations of one transaction
ASIDE: Final = timedelta(days=1)  # that a file which nobody uses lies aside; longer than a stream of one may take

Due = tuple[uuid.UUID, datetime]  # a conversation, and before when its events go


class Retention:
    """Where no age is set, only what nobody reads any more goes: files that were put aside, what counted for a cap once."""

    def __init__(self, settings: Settings, pool: Pool, blobs: Blobs) -> None:
        self._settings, self._pool, self._blobs = settings, pool, blobs

    async def run(self) -> None:
        every = {"conversations": self.conversations, "references": self.references, "files": self.files}
        steps = every if self._settings.retention else {"aside": self.aside}
        await Walks(self._pool, "retention", {**steps, "counted": self.counted}).run()

    async def conversations(self, place: Sequence[str]) -> Sequence[str]:
        """The events of the next conversations by id, from the oldest on; a conversation that has none left goes too."""
        after = uuid.UUID(place[0]) if place else uuid.UUID(int=0)
        async with transaction(self._pool) as connection:
            rows = await connection.fetch(NEXT_CONVERSATIONS, after, STEP)
        tenants = {row["id"]: row["tenant"] for row in rows}
        due = [(row["id"], before) for row in rows if (before := self._before(row)) and row["oldest"] < before]
        if await self._trim(due[:TOGETHER], tenants):
            return [str(after)]
        if len(due) > TOGETHER:
            return [str(due[TOGETHER - 1][0])]
        return [str(rows[-1]["id"])] if len(rows) == STEP else []

    def _before(self, row: Mapping[str, Any]) -> datetime | None:
        """Before when what is the row's tenant's goes; None: never."""
        return ago(self._settings.kept(row["tenant"]).messages)

    async def _trim(self, due: Sequence[Due], tenants: Mapping[uuid.UUID, str]) -> bool:
        """One transaction; whether there is more to do."""
        if not due:
            return False
        async with transaction(self._pool) as connection:
            await connection.execute(BOUND)
            locked = [row[0] for row in await connection.fetch(LOCK, [one for one, _ in due])]
            free = {row[0] for row in await connection.fetch(FREE, locked)}
            mine = [one for one in due if one[0] in free]
            removed = await _remove(connection, mine)
            if is_done := sum(removed.values()) < STEP:
                ended = await _end(connection, mine)
                removed, is_done = removed + ended, sum(ended.values()) < STEP
        for (kind, conversation), count in removed.items():
            count_removed(self._settings, kind, tenants[conversation], count)
        return not is_done

    async def references(self, place: Sequence[str]) -> Sequence[str]:
        """The next names that providers gave: those long not heard of go, whose message and conversation are gone."""
        async with transaction(self._pool) as connection:
            await connection.execute(BOUND)
            rows = await connection.fetch(NEXT_REFERENCES, *(place or [""] * 5), STEP)
            old = [(*row[:5], before) for row in rows if (before := self._before(row)) and row["mentioned_at"] < before]
            gone = await connection.fetch(REMOVE_REFERENCES, *zip(*old, strict=True)) if old else []
        for tenant, count in Counter(row["tenant"] for row in gone).items():
            count_removed(self._settings, "reference", tenant, count)
        return list(rows[-1][:5]) if len(rows) == STEP else []

    async def counted(self, _place: Sequence[str]) -> Sequence[str]:
        """What was sent so long ago that no cap counts it."""
        await in_steps(self._pool, REMOVE_COUNTED, datetime.now(UTC) - LONGEST)
        return []

    async def files(self, _place: Sequence[str]) -> Sequence[str]:
        """All files, by folder. One that no message uses lies aside for a day before it goes, and comes back if one does
        by then: somebody may send the same bytes in the very moment in which they are looked at.
        """
        tenants = {folder_of(tenant): tenant for tenant in self._settings.retention}
        await self._blobs.clear_incoming(datetime.now(UTC) - ASIDE)
        await self._clear_aside(tenants)
        for folder in await self._blobs.folders():
            tenant = tenants.get(folder, OTHERS)
            if before := self._file_before(tenant):
                await self._put_aside(folder, tenant, before)
        return []

    async def aside(self, _place: Sequence[str]) -> Sequence[str]:
        """The end of what was put aside a day ago."""
        await self._clear_aside({})
        return []

    async def put_aside(self, refs: Sequence[str], tenant: str) -> None:
        """Those of these files that nobody uses now."""
        for ref in await self._unused(refs, tenant):
            if await self._blobs.put_aside(ref, datetime.now(UTC)):
                count_removed(self._settings, "file", tenant, 1)

    async def _put_aside(self, folder: str, tenant: str, before: datetime) -> None:
        async for found in self._blobs.listed(folder):
            since = time.monotonic()
            for ref in await self._unused([ref for ref, written_at in found if written_at < before], tenant):
                if await self._blobs.put_aside(ref, before):
                    count_removed(self._settings, "file", tenant, 1)
            await rest(since)

    async def _clear_aside(self, tenants: Mapping[str, str]) -> None:
        async for found in self._blobs.aside():
            since = time.monotonic()
            for one in found:
                if one.since > datetime.now(UTC) - ASIDE:
                    continue
                if await self._unused([one.ref], tenants.get(one.ref.partition("/")[0], OTHERS)):
                    await self._blobs.forget(one)
                else:
                    await self._blobs.put_back(one)
            await rest(since)

    def _file_before(self, tenant: str) -> datetime | None:
        """Before when a file must have been written last to go: files go with their messages, or earlier."""
        kept = self._settings.kept(tenant)
        return ago(kept.media or kept.messages)

    async def _unused(self, refs: Sequence[str], tenant: str) -> list[str]:
        """Those that no message names, or none that is young enough to have its files."""
        if not refs:
            return []
        async with transaction(self._pool) as connection:
            rows = await connection.fetch(UNUSED, list(refs), ago(self._settings.kept(tenant).media))
        return [row[0] for row in rows]


async def _remove(connection: Connection, due: Sequence[Due]) -> Counter[tuple[str, uuid.UUID]]:
    """The oldest events of these conversations, and where each stands now; so many of each kind and conversation."""
    ids, before = [one for one, _ in due], [moment for _, moment in due]
    removed = await connection.fetch(REMOVE, ids, before, STEP)
    await connection.execute(STANDS, ids)
    return Counter({(row["kind"], row["id"]): row["count"] for row in removed})


async def _end(connection: Connection, due: Sequence[Due]) -> Counter[tuple[str, uuid.UUID]]:
    """Conversations in which nothing is left but who took part."""
    found = await connection.fetch(ENDED, [one for one, _ in due], [moment for _, moment in due])
    ended = [row[0] for row in found]
    removed = await connection.fetch(REMOVE_PEOPLE, ended, STEP)
    counted = Counter({("event", row["id"]): row["count"] for row in removed})
    if sum(counted.values()) < STEP:
        await connection.execute(REMOVE_NAMES, ended)
        gone = [row[0] for row in await connection.fetch(REMOVE_CONVERSATIONS, ended)]
        await connection.execute(REMOVE_PLANS, gone)
        await mark(connection, "conversation", gone)
        counted.update(("conversation", one) for one in gone)
    return counted


REMOVE_PLANS: Final = "DELETE FROM fallback WHERE conversation_id = ANY($1::uuid[]) AND ended_at IS NOT NULL"
REMOVE_COUNTED: Final = """
DELETE FROM proactive WHERE (customer_id, cause) IN (
    SELECT customer_id, cause FROM proactive WHERE at <= $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED)"""
NEXT_CONVERSATIONS: Final = """
SELECT id, tenant, coalesce(oldest_at, opened_at) AS oldest FROM conversation WHERE id > $1 ORDER BY id LIMIT $2"""
LOCK: Final = "SELECT id FROM conversation WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE SKIP LOCKED"
# What is not published yet stands in these tables only, and an echo that waits is still to be a message.
FREE: Final = """
SELECT id FROM conversation c WHERE id = ANY($1::uuid[]) AND parked IS NULL
    AND NOT EXISTS (SELECT FROM outbox o WHERE o.conversation_id = c.id)"""
# By sequence, up to the first that is kept, so that what is left has no gap. Who took part is told as long as there is one.
REMOVE: Final = """
WITH doomed AS MATERIALIZED (
    SELECT d.id, p.sequence FROM unnest($1::uuid[], $2::timestamptz[]) d(id, before) JOIN conversation c USING (id)
    CROSS JOIN LATERAL (
        SELECT sequence, bool_and(at < d.before) OVER (ORDER BY sequence) AS is_old FROM (
            (SELECT sequence, at FROM message WHERE conversation_id = d.id ORDER BY sequence LIMIT $3)
            UNION ALL
            (SELECT sequence, at FROM event WHERE conversation_id = d.id AND sequence > c.removed_to
                AND type <> 'conversation.participant' ORDER BY sequence LIMIT $3)
            ORDER BY sequence LIMIT $3
        ) standing
    ) p WHERE p.is_old LIMIT $3
), messages AS (
    DELETE FROM message m USING doomed d WHERE (m.conversation_id, m.sequence) = (d.id, d.sequence)
    RETURNING m.id, m.conversation_id
), sends AS (
    DELETE FROM sending s USING messages m WHERE s.message_id = m.id
), words AS (
    DELETE FROM indexed_message i USING messages m WHERE i.message_id = m.id
), events AS (
    DELETE FROM event e USING doomed d WHERE (e.conversation_id, e.sequence) = (d.id, d.sequence)
    RETURNING e.conversation_id
)
SELECT 'message' AS kind, conversation_id AS id, count(*) FROM messages GROUP BY conversation_id
UNION ALL
SELECT 'event', conversation_id, count(*) FROM events GROUP BY conversation_id"""
STANDS: Final = """
UPDATE conversation c SET removed_to = n.removed_to, oldest_at = n.oldest_at,
    preview = CASE WHEN EXISTS (SELECT FROM message m WHERE m.conversation_id = c.id) THEN c.preview END
FROM (
    SELECT k.id, coalesce(f.sequence - 1, k.last_sequence) AS removed_to, coalesce(f.at, k.last_at) AS oldest_at
    FROM conversation k LEFT JOIN LATERAL (
        (SELECT sequence, at FROM message WHERE conversation_id = k.id ORDER BY sequence LIMIT 1)
        UNION ALL
        (SELECT sequence, at FROM event WHERE conversation_id = k.id AND sequence > k.removed_to
            AND type <> 'conversation.participant' ORDER BY sequence LIMIT 1)
        ORDER BY sequence LIMIT 1
    ) f ON true WHERE k.id = ANY($1::uuid[])
) n WHERE c.id = n.id"""
ENDED: Final = """
SELECT c.id FROM conversation c JOIN unnest($1::uuid[], $2::timestamptz[]) d(id, before) USING (id)
WHERE c.last_at < d.before AND c.opened_at < d.before
    AND NOT EXISTS (SELECT FROM message m WHERE m.conversation_id = c.id)
    AND NOT EXISTS (SELECT FROM event e WHERE e.conversation_id = c.id
        AND (e.type <> 'conversation.participant' OR e.at >= d.before))"""
REMOVE_PEOPLE: Final = """
WITH doomed AS MATERIALIZED (
    SELECT conversation_id, sequence FROM event WHERE conversation_id = ANY($1::uuid[]) LIMIT $2
), gone AS (
    DELETE FROM event e USING doomed d
    WHERE (e.conversation_id, e.sequence) = (d.conversation_id, d.sequence) RETURNING e.conversation_id
)
SELECT conversation_id AS id, count(*) FROM gone GROUP BY conversation_id"""
# A name that stood when its conversation is gone would begin another under the same id, whose sequences were given before.
REMOVE_NAMES: Final = """
WITH doomed AS MATERIALIZED (
    SELECT tenant, channel, account, kind, external_id FROM external_ref WHERE conversation_id = ANY($1::uuid[])
    ORDER BY 1, 2, 3, 4, 5 FOR UPDATE SKIP LOCKED
)
DELETE FROM external_ref r USING doomed d WHERE (r.tenant, r.channel, r.account, r.kind, r.external_id)
    = (d.tenant, d.channel, d.account, d.kind, d.external_id)"""
REMOVE_CONVERSATIONS: Final = """
WITH gone AS (
    DELETE FROM conversation c WHERE id = ANY($1::uuid[])
        AND NOT EXISTS (SELECT FROM external_ref r WHERE r.conversation_id = c.id)
        AND NOT EXISTS (SELECT FROM event e WHERE e.conversation_id = c.id) RETURNING id
), named AS (
    DELETE FROM indexed_conversation i USING gone WHERE i.conversation_id = gone.id
)
SELECT id FROM gone"""
NEXT_REFERENCES: Final = """
SELECT tenant, channel, account, kind, external_id, mentioned_at FROM external_ref
WHERE (tenant, channel, account, kind, external_id) > ($1, $2, $3, $4, $5)
ORDER BY tenant, channel, account, kind, external_id LIMIT $6"""
REMOVE_REFERENCES: Final = """
WITH doomed AS MATERIALIZED (
    SELECT r.tenant, r.channel, r.account, r.kind, r.external_id
    FROM external_ref r JOIN unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
        d(tenant, channel, account, kind, external_id, before) USING (tenant, channel, account, kind, external_id)
    WHERE r.mentioned_at < d.before
        AND NOT EXISTS (SELECT FROM message m WHERE m.id = r.message_id)
        AND NOT EXISTS (SELECT FROM conversation c WHERE c.id = r.conversation_id)
    ORDER BY 1, 2, 3, 4, 5 FOR UPDATE OF r SKIP LOCKED
)
DELETE FROM external_ref r USING doomed d WHERE (r.tenant, r.channel, r.account, r.kind, r.external_id)
    = (d.tenant, d.channel, d.account, d.kind, d.external_id) RETURNING r.tenant"""
_FILED: Final = """(position('"blob":"'::bytea IN body) > 0 OR position('"raw":"'::bytea IN body) > 0)"""
UNUSED: Final = f"""
SELECT ref FROM unnest($1::text[]) ref
WHERE NOT EXISTS (SELECT FROM message WHERE files_of(body) @> ARRAY[ref] AND {_FILED}
        AND ($2::timestamptz IS NULL OR at >= $2))
    AND NOT EXISTS (SELECT FROM event WHERE files_of(body) @> ARRAY[ref] AND {_FILED}
        AND ($2::timestamptz IS NULL OR at >= $2))"""  # noqa: S608 constants only
