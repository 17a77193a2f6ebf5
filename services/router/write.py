"""What the fold decided, written: one statement per table and batch."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import orjson

from services.router.facts import Conversation, Emission, Facts, Sending
from shared.database import Connection


async def write(connection: Connection, facts: Facts) -> None:
    await write_refs(connection, facts)
    await write_conversations(connection, [c for c in facts.conversations.values() if c.changed])
    await write_messages(connection, [e for e in facts.emissions if e.stored and e.announces])
    await write_events(connection, [e for e in facts.emissions if e.stored and not e.announces])
    await write_sendings(connection, {*map(id, facts.queued)}, list(facts.sendings.values()))
    await write_outbox(connection, facts.emissions)


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _json(items: list[dict[str, Any]]) -> str | None:
    """A list as JSON text: asyncpg would take it for one more dimension of the array."""
    return orjson.dumps(items).decode() if items else None


async def write_refs(connection: Connection, facts: Facts) -> None:
    rows = [
        (*ref.key, ref.message_id, ref.conversation_id, ref.piece, ref.edited_at, _json(ref.parked))
        for _, ref in sorted(facts.refs.items())
        if ref.changed
    ]
    if rows:
        await connection.execute(
            """INSERT INTO external_ref
                (tenant, channel, account, kind, external_id, message_id, conversation_id, piece, edited_at, parked)
            SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::uuid[],
                $8::int[], $9::timestamptz[], $10::text[]::jsonb[])
            ON CONFLICT (tenant, channel, account, kind, external_id) DO UPDATE SET message_id = excluded.message_id,
                conversation_id = excluded.conversation_id, piece = excluded.piece, edited_at = excluded.edited_at,
                parked = excluded.parked""",
            *_columns(rows),
        )


async def write_conversations(connection: Connection, conversations: Sequence[Conversation]) -> None:
    if not conversations:
        return
    rows = [
        (
            c.id,
            c.tenant,
            c.customer_id,
            c.channel,
            c.account,
            c.peer,
            c.container,
            c.thread_key,
            c.status,
            c.last_sequence,
            c.name,
            c.subject,
            c.preview,
            c.opened_at,
            c.last_at,
            c.last_inbound_at,
            c.last_external_id,
            c.window,
            c.delivered_to,
            c.read_to,
            _json(c.parked),
        )
        for c in conversations
    ]
    await connection.execute(
        """INSERT INTO conversation (id, tenant, customer_id, channel, account, peer, container, thread_key, status,
            last_sequence, name, subject, preview, opened_at, last_at, last_inbound_at, last_external_id, "window",
            delivered_to, read_to, parked)
        SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[],
            $8::text[], $9::text[], $10::bigint[], $11::text[], $12::text[], $13::text[], $14::timestamptz[],
            $15::timestamptz[], $16::timestamptz[], $17::text[], $18::jsonb[], $19::timestamptz[], $20::timestamptz[],
            $21::text[]::jsonb[])
        ON CONFLICT (id) DO UPDATE SET status = excluded.status, last_sequence = excluded.last_sequence,
            name = excluded.name, subject = excluded.subject, preview = excluded.preview, last_at = excluded.last_at,
            last_inbound_at = excluded.last_inbound_at, last_external_id = excluded.last_external_id,
            "window" = excluded."window", delivered_to = excluded.delivered_to, read_to = excluded.read_to,
            parked = excluded.parked""",
        *_columns(rows),
    )


async def write_messages(connection: Connection, emissions: Sequence[Emission]) -> None:
    if emissions:
        await connection.execute(
            """INSERT INTO message (id, conversation_id, sequence, type, at, body)
            SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::timestamptz[], $6::bytea[])""",
            *_columns([(e.id, e.conversation_id, e.sequence, e.name, e.at, e.value) for e in emissions]),
        )


async def write_events(connection: Connection, emissions: Sequence[Emission]) -> None:
    if emissions:
        await connection.execute(
            """INSERT INTO event (conversation_id, sequence, id, type, message_id, at, body)
            SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::text[], $5::uuid[], $6::timestamptz[],
                $7::bytea[])""",
            *_columns([(e.conversation_id, e.sequence, e.id, e.name, e.message_id, e.at, e.value) for e in emissions]),
        )


async def write_sendings(connection: Connection, new: set[int], sendings: Sequence[Sending]) -> None:
    rows = [
        (s.message_id, s.conversation_id, s.status, s.attempt, s.pieces, s.progress, s.request_id, s.at)
        for s in sendings
        if s.changed or id(s) in new
    ]
    if rows:
        await connection.execute(
            """INSERT INTO sending (message_id, conversation_id, status, attempt, pieces, progress, request_id, at)
            SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::int[], $5::int[], $6::jsonb[], $7::text[],
                $8::timestamptz[])
            ON CONFLICT (message_id) DO UPDATE SET status = excluded.status, attempt = excluded.attempt,
                pieces = excluded.pieces, progress = excluded.progress""",
            *_columns(rows),
        )


async def write_outbox(connection: Connection, emissions: Sequence[Emission]) -> None:
    """Stored events are pointed at; only what stands nowhere else is written out."""
    if emissions:
        await connection.execute(
            """INSERT INTO outbox (conversation_id, sequence, topic, tenant, traceparent, id, type, value)
            SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::text[],
                $8::bytea[])""",
            *_columns([_outbox_row(emission) for emission in emissions]),
        )


def _outbox_row(e: Emission) -> tuple[Any, ...]:
    own: tuple[uuid.UUID | None, str | None, bytes | None] = (None, None, None) if e.stored else (e.id, e.name, e.value)
    return (e.conversation_id, e.sequence, e.topic, e.tenant, e.traceparent, *own)
