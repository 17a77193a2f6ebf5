"""The index behind GET /api/search: it follows events.v1 behind the batch, and once a day looks for what it has missed.

What a message says is always read from where it stands, under a lock that lets nobody remove it meanwhile, so that in which
order and how often a message is looked at is all the same.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
import structlog
from aiokafka.errors import KafkaError

from services.router.api.stream import read_positions, write_positions
from services.router.api.tail import Positions, Tail, open_tail
from services.router.search import words
from services.router.search.said import said_in
from shared.contract.errors import ParleyError
from shared.runtime.elsewhere import elsewhere
from shared.runtime.observe import WALK_FAILURES
from shared.runtime.settings import Settings
from shared.storage.database import Connection, Pool, transaction
from shared.storage.leases import Leases
from shared.storage.walks import BOUND, STEP, Walks, rest

Row = Any  # asyncpg.Record, which has no types

NAME: Final = "search"
FOLLOWED: Final = "search.events"  # its place among the walks
TOGETHER: Final = 50  # messages that are in memory at once; one has a megabyte at the most
QUIET_SECONDS: Final = 15.0
BACK_OFF_SECONDS: Final = 1.0
ANNOUNCES: Final = frozenset({"parley.message.received.v1", "parley.message.queued.v1"})
CHANGES: Final = frozenset({"parley.message.edited.v1", "parley.message.deleted.v1"})
INTRODUCES: Final = frozenset({"parley.conversation.opened.v1", "parley.conversation.participant.v1"})

log = structlog.get_logger(__name__)


@dataclass
class Heard:
    """What some events are about."""

    messages: set[uuid.UUID] = field(default_factory=set)
    conversations: set[uuid.UUID] = field(default_factory=set)


class Index:
    """One replica at a time fills it, and rests three times as long as it works: the rest is for what is live."""

    def __init__(self, settings: Settings, pool: Pool) -> None:
        self._settings, self._pool = settings, pool

    async def run(self) -> None:
        """For ever: follow what happens, and look daily for what was missed or stood there before."""
        await asyncio.gather(
            Leases(self._pool).run(FOLLOWED, self._follow), Walks(self._pool, NAME, {NAME: self.missed}).run()
        )

    async def _follow(self, _epoch: int) -> None:
        WALK_FAILURES.labels(FOLLOWED)
        while True:
            try:
                async with open_tail(self._settings, await self._place() or "beginning") as tail:
                    await self.follow(tail)
            except (ParleyError, KafkaError, OSError, TimeoutError) as error:
                WALK_FAILURES.labels(FOLLOWED).inc()
                log.warning("search.waiting", error=repr(error))
            except Exception:
                WALK_FAILURES.labels(FOLLOWED).inc()
                log.exception("search.failed")
            await asyncio.sleep(BACK_OFF_SECONDS)

    async def follow(self, tail: Tail, *, until_quiet: bool = False) -> None:
        """Take what comes; ends where the reader stays silent though there is something (aiokafka#1154)."""
        heard_at = time.monotonic()
        while True:
            records = await tail.records()
            since = time.monotonic()
            if records:
                heard_at = since
                about = heard(records)
                await self.look_at(about.messages, about.conversations)
                await self._keep(tail.positions)
                await rest(since)
            elif until_quiet or (since - heard_at > QUIET_SECONDS and await tail.is_behind()):
                return

    async def look_at(self, messages: Iterable[uuid.UUID], conversations: Iterable[uuid.UUID] = ()) -> None:
        """Index these as they stand."""
        ids, named = sorted(messages), sorted(conversations)
        for start in range(0, max(len(ids), len(named)), TOGETHER):
            async with transaction(self._pool) as connection:
                await connection.execute(BOUND)
                rows = await connection.fetch(STANDING, ids[start : start + TOGETHER])
                await _write_messages(connection, rows)
                here = {row["conversation_id"] for row in rows} | set(named[start : start + TOGETHER])
                await _write_conversations(connection, await connection.fetch(NAMES, sorted(here)))

    async def missed(self, place: Sequence[str]) -> Sequence[str]:
        """The next messages by id: those that the index lacks, and what it has of messages that are gone."""
        after = uuid.UUID(place[0]) if place else uuid.UUID(int=0)
        async with transaction(self._pool) as connection:
            await connection.execute(BOUND)
            rows = await connection.fetch(NEXT, after, STEP)
            last = rows[-1]["id"] if len(rows) == STEP else uuid.UUID(int=2**128 - 1)
            await connection.execute(FORGET, after, last)
        await self.look_at(row["id"] for row in rows if row["is_missing"])
        return [str(last)] if len(rows) == STEP else []

    async def _place(self) -> Positions | None:
        async with transaction(self._pool) as connection:
            found = await connection.fetchval("SELECT place FROM walk WHERE name = $1", FOLLOWED)
        return read_positions(found[0]) if found else None

    async def _keep(self, positions: Positions) -> None:
        async with transaction(self._pool) as connection:
            await connection.execute(KEEP, FOLLOWED, [write_positions(positions)])


def heard(records: Iterable[Any]) -> Heard:
    """What is no event of ours is passed over: the daily walk finds what it was about."""
    about = Heard()
    for record in records:
        try:
            _hear(about, record)
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            log.warning("search.passed_over", offset=record.offset, error=repr(error))
    return about


def _hear(about: Heard, record: Any) -> None:
    headers = dict(record.headers)
    name = headers.get("ce_type", b"").decode(errors="replace")
    if name in ANNOUNCES:
        about.messages.add(uuid.UUID(headers["ce_id"].decode()))
    elif name in CHANGES:
        message = orjson.loads(record.value).get("message_id")
        about.messages.update([uuid.UUID(message)] if message else [])
    elif name in INTRODUCES:
        about.conversations.add(uuid.UUID(record.key.decode()))


async def _write_messages(connection: Connection, rows: Sequence[Row]) -> None:
    """Long texts are cut into words elsewhere."""
    if rows:
        documents = await elsewhere(lambda: list(map(_document, rows)))
        await connection.execute(
            WRITE_MESSAGES,
            *([row[name] for row in rows] for name in ("id", "tenant", "at", "told")),
            documents,
        )


def _document(row: Row) -> str:
    tags = (
        words.tag_of_tenant(row["tenant"]),
        words.tag_of_channel(row["channel"]),
        *words.tags_of_time(row["at"]),
    )
    return words.document(said_in(row), tags)


async def _write_conversations(connection: Connection, rows: Sequence[Row]) -> None:
    if rows:
        named = [words.folded("\n".join(filter(None, row[1:]))[: words.NAMED]) for row in rows]
        grams = [sorted(words.grams(one)) for one in named]
        await connection.execute(
            WRITE_CONVERSATIONS, [row[0] for row in rows], named, [orjson.dumps(some).decode() for some in grams]
        )


STANDING: Final = """
SELECT m.id, m.conversation_id, m.tenant, m.at, coalesce(e.body, m.body) AS body,
    greatest(m.sequence, e.sequence, d.sequence) AS told, d.sequence IS NOT NULL AS deleted, c.channel
FROM message m JOIN conversation c ON c.id = m.conversation_id
LEFT JOIN LATERAL (SELECT sequence, body FROM event WHERE message_id = m.id AND type = 'message.edited'
    ORDER BY sequence DESC LIMIT 1) e ON true
LEFT JOIN LATERAL (SELECT sequence FROM event WHERE message_id = m.id AND type = 'message.deleted'
    ORDER BY sequence DESC LIMIT 1) d ON true
WHERE m.id = ANY($1::uuid[]) ORDER BY m.id FOR KEY SHARE OF m SKIP LOCKED"""
WRITE_MESSAGES: Final = """
INSERT INTO indexed_message (message_id, tenant, at, told, words)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::bigint[], $5::text[]::tsvector[])
ON CONFLICT (message_id) DO UPDATE SET told = excluded.told, words = excluded.words
WHERE indexed_message.told <= excluded.told"""
NAMES: Final = "SELECT id, name, peer, subject FROM conversation WHERE id = ANY($1::uuid[]) ORDER BY id"
WRITE_CONVERSATIONS: Final = """
INSERT INTO indexed_conversation (conversation_id, named, grams)
SELECT id, named, ARRAY(SELECT jsonb_array_elements_text(grams::jsonb))
FROM unnest($1::uuid[], $2::text[], $3::text[]) n(id, named, grams)
ON CONFLICT (conversation_id) DO UPDATE SET named = excluded.named, grams = excluded.grams
WHERE indexed_conversation.named <> excluded.named"""
NEXT: Final = """
SELECT m.id, NOT EXISTS (SELECT FROM indexed_message i WHERE i.message_id = m.id) AS is_missing
FROM message m WHERE m.id > $1 ORDER BY m.id LIMIT $2"""
FORGET: Final = """
DELETE FROM indexed_message i WHERE i.message_id > $1 AND i.message_id <= $2
    AND NOT EXISTS (SELECT FROM message m WHERE m.id = i.message_id)"""
KEEP: Final = """
INSERT INTO walk (name, place) VALUES ($1, $2::text[]) ON CONFLICT (name) DO UPDATE SET place = excluded.place"""
