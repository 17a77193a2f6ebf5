"""What the fold decided, written: one statement per table and batch."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, astuple
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from services.router.batch.snapshots import mark
from services.router.fold.alarms import shard_of
from services.router.fold.facts import Conversation, Emission, Facts, Pair, Sending
from services.router.fold.identity import mark_of
from shared.contract.identities import identity_kind
from shared.contract.policy import LONGEST
from shared.contract.records import EVENTS
from shared.storage.database import Connection

LATE: Final = timedelta(minutes=1)


async def write(connection: Connection, facts: Facts, publisher: uuid.UUID) -> None:
    """`publisher`: who is to tell how things are now."""
    await write_refs(connection, facts)
    await write_people(connection, facts)
    await write_atoms(connection, facts, publisher)
    await write_bonds(connection, facts)
    await write_remarks(connection, facts)
    await write_blocks(connection, facts)
    await write_bad_addresses(connection, facts)
    await write_consents(connection, facts)
    await write_zones(connection, facts)
    await write_sent(connection, facts)
    await open_conversations(connection, facts.opened)
    await write_conversations(connection, [c for c in facts.conversations.values() if c.changed], publisher)
    await write_messages(connection, [e for e in facts.emissions if e.stored and e.announces])
    await write_events(connection, [e for e in facts.emissions if e.stored and not e.announces])
    await write_sendings(connection, {*map(id, facts.queued)}, list(facts.sendings.values()))
    await write_outbox(connection, [e for e in facts.emissions if not e.stored])
    await write_plans(connection, facts)
    await write_fallbacks(connection, facts)
    await write_alarms(connection, facts)
    await write_erased(connection, facts)


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _json(items: Sequence[object]) -> str | None:
    """A list as JSON text: asyncpg would take it for one more dimension of the array."""
    return orjson.dumps(items).decode() if items else None


async def write_refs(connection: Connection, facts: Facts) -> None:
    rows = [
        (*ref.key, ref.message_id, ref.conversation_id, ref.piece, ref.edited_at, _json(ref.pending))
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


async def write_people(connection: Connection, facts: Facts) -> None:
    rows = [(*key, person.name, person.profile) for key, person in sorted(facts.people.items()) if person.changed]
    if rows:
        await connection.execute(
            """UPDATE identity i SET name = n.name, profile = n.profile
            FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::jsonb[]) n(tenant, kind, value, name, profile)
            WHERE (i.tenant, i.kind, i.value) = (n.tenant, n.kind, n.value)""",
            *_columns(rows),
        )


async def write_atoms(connection: Connection, facts: Facts, publisher: uuid.UUID) -> None:
    """Who is whom now; what of them is to be told, whoever became known among them."""
    rows = [
        (one.id, one.person if one.person != one.id else None, one.shape, one.shared, one.last_sequence, one.erased_at)
        for _, one in sorted(facts.atoms.items())
        if one.changed
    ]
    if rows:
        await connection.execute(
            """UPDATE customer c SET merged_into = n.person, shape = n.shape, shared = n.shared,
                last_sequence = n.last_sequence, erased_at = n.erased_at
            FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bool[], $5::bigint[], $6::timestamptz[])
                n(id, person, shape, shared, last_sequence, erased_at)
            WHERE c.id = n.id""",
            *_columns(rows),
        )
    if moved := facts.begun.union(row[0] for row in rows):
        await mark(connection, "customer", moved, publisher=publisher)


async def write_bonds(connection: Connection, facts: Facts) -> None:
    """The ledger: a bond that was cut and is asked for again is another."""
    rows = [
        (*one.pair, one.source, one.n, one.live, one.reason, one.cause, one.at, one.cut_by, one.cut_at)
        for one in facts.bonds.values()
        if one.changed
    ]
    if rows:
        await connection.execute(
            """INSERT INTO bond (a, b, source, n, live, reason, cause, at, cut_by, cut_at)
            SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::bool[], $6::text[], $7::text[],
                $8::timestamptz[], $9::text[], $10::timestamptz[])
            ON CONFLICT (a, b, source) DO UPDATE SET n = excluded.n, live = excluded.live, reason = excluded.reason,
                cause = excluded.cause, at = excluded.at, cut_by = excluded.cut_by, cut_at = excluded.cut_at""",
            *_columns(rows),
        )


async def write_remarks(connection: Connection, facts: Facts) -> None:
    """Who was parted, or may be one; what parted them is gone where somebody joined them."""
    if not facts.remarked:
        return
    vetoes = [(*pair, facts.vetoes[pair]) for pair in sorted(facts.remarked & facts.vetoes.keys())]
    if lifted := [(a, b) for a, b, reason in vetoes if reason is None]:
        await connection.execute(
            "DELETE FROM veto v USING unnest($1::uuid[], $2::uuid[]) n(a, b) WHERE (v.a, v.b) = (n.a, n.b)",
            *_columns(lifted),
        )
    if kept := [(*row, facts.now) for row in vetoes if row[2] is not None]:
        await connection.execute(
            """INSERT INTO veto SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[])
            ON CONFLICT (a, b) DO UPDATE SET reason = excluded.reason, at = excluded.at""",
            *_columns(kept),
        )
    if rows := [
        (*pair, *facts.suggestions[pair], facts.now) for pair in sorted(facts.remarked & facts.suggestions.keys())
    ]:
        await connection.execute(
            """INSERT INTO suggestion (a, b, reason, is_open, at)
            SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bool[], $5::timestamptz[])
            ON CONFLICT (a, b) DO UPDATE SET is_open = excluded.is_open""",
            *_columns(rows),
        )


async def write_blocks(connection: Connection, facts: Facts) -> None:
    """Whoever wrote has stopped nothing, by any of their addresses; then what was told of each address last."""
    if facts.lifted:
        await connection.execute(
            """DELETE FROM blocked b USING identity i
                JOIN unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
                    n(customer_id, channel, account, kind, moment) USING (customer_id, kind)
            WHERE (b.tenant, b.channel, b.account, b.address) = (i.tenant, n.channel, n.account, i.value)
                AND b.since <= n.moment""",
            *_columns(
                sorted(
                    (one, place.channel, place.account, identity_kind(place.channel, place.account), moment)
                    for place, moment in facts.lifted.items()
                    for one in facts.members(place.customer_id) or [place.customer_id]
                )
            ),
        )
    if ended := sorted(key for key, since in facts.blocks.items() if since is None):
        await connection.execute(
            """DELETE FROM blocked b USING unnest($1::text[], $2::text[], $3::text[], $4::text[])
                n(tenant, channel, account, address)
            WHERE (b.tenant, b.channel, b.account, b.address) = (n.tenant, n.channel, n.account, n.address)""",
            *_columns(ended),
        )
    if begun := sorted((*key, since) for key, since in facts.blocks.items() if since is not None):
        await connection.execute(
            """INSERT INTO blocked SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
            ON CONFLICT (tenant, channel, account, address) DO UPDATE SET since = excluded.since""",
            *_columns(begun),
        )


async def write_bad_addresses(connection: Connection, facts: Facts) -> None:
    """Where somebody is again, and where nobody is any more."""
    if lifted := sorted(address for address, mark in facts.marked.items() if mark is None):
        await connection.execute(
            """DELETE FROM bad_address b USING unnest($1::text[], $2::text[], $3::text[]) n(tenant, kind, value)
            WHERE (b.tenant, b.kind, b.value) = (n.tenant, n.kind, n.value)""",
            *_columns(lifted),
        )
    if made := sorted((*address, *mark) for address, mark in facts.marked.items() if mark is not None):
        await connection.execute(
            """INSERT INTO bad_address (tenant, kind, value, since, detail)
            SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[])
            ON CONFLICT (tenant, kind, value) DO UPDATE SET since = excluded.since, detail = excluded.detail""",
            *_columns(made),
        )


async def write_consents(connection: Connection, facts: Facts) -> None:
    """Every word that was news; what was said of one moment twice is one."""
    if facts.consented:
        await connection.execute(
            """INSERT INTO consent (customer_id, purpose, channel, given, at, evidence, said_by)
            SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::boolean[], $5::timestamptz[], $6::text[], $7::text[])
            ON CONFLICT (customer_id, purpose, channel, at) DO UPDATE SET given = consent.given AND excluded.given""",
            *_columns([(*wish, *said) for (wish, _), said in facts.consented.items()]),
        )


async def write_zones(connection: Connection, facts: Facts) -> None:
    """Where people are; seldom anywhere else than before, then nothing is written."""
    if facts.zones:
        await connection.execute(
            """UPDATE identity i SET time_zone = n.time_zone
            FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) n(tenant, kind, value, time_zone)
            WHERE (i.tenant, i.kind, i.value) = (n.tenant, n.kind, n.value) AND i.time_zone IS DISTINCT FROM n.time_zone""",
            *_columns([(*key, zone) for key, zone in sorted(facts.zones.items())]),
        )


async def write_sent(connection: Connection, facts: Facts) -> None:
    """What counts for a cap; what is too old to does not stay."""
    if facts.counted:
        await connection.execute(
            "DELETE FROM proactive WHERE customer_id = ANY($1::uuid[]) AND at <= $2",
            list({one.customer for one in facts.counted}),
            facts.now - LONGEST,
        )
        await connection.execute(
            """INSERT INTO proactive (customer_id, cause, at, purpose)
            SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[]) ON CONFLICT DO NOTHING""",
            *_columns(facts.counted),
        )


async def open_conversations(connection: Connection, conversations: Sequence[Conversation]) -> None:
    """New rows with what never changes; the rest follows in the update."""
    if conversations:
        await connection.execute(
            """INSERT INTO conversation (id, tenant, customer_id, channel, account, peer, container, thread_key, subject,
                surface, opened_at, last_at, listed_at)
            SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[],
                $8::text[], $9::text[], $10::text[], $11::timestamptz[], $11::timestamptz[], $12::timestamptz[])""",
            *_columns([(c.id, c.tenant, c.customer_id, c.channel, c.account, c.peer, c.container, c.thread_key,
                        c.subject, c.surface, c.opened_at, listed_at(c)) for c in conversations]),
        )  # fmt: skip


def listed_at(conversation: Conversation) -> datetime:
    """The time of its newest message, a minute late at the most: while it stays the same, no index has to be written."""
    before, now = conversation.listed_at, conversation.last_at
    return before if before and before <= now < before + LATE else now


async def write_conversations(
    connection: Connection, conversations: Sequence[Conversation], publisher: uuid.UUID
) -> None:
    """What moves with every message, and that it is to be told; what moves seldom is written apart, for those that have it."""
    if conversations:
        await connection.execute(
            """WITH moved AS (
            UPDATE conversation c SET last_sequence = n.last_sequence, name = n.name, preview = n.preview,
                last_at = n.last_at, last_inbound_at = n.last_inbound_at, last_external_id = n.last_external_id,
                listed_at = n.listed_at, waiting_since = n.waiting_since, heard = n.heard, unread_from = n.unread_from,
                responses = n.responses
            FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[],
                $7::text[], $8::timestamptz[], $9::timestamptz[], $10::bigint[], $11::bigint[], $12::jsonb[])
                n(id, last_sequence, name, preview, last_at, last_inbound_at, last_external_id, listed_at, waiting_since,
                heard, unread_from, responses)
            WHERE c.id = n.id RETURNING c.id, c.last_sequence)
            INSERT INTO untold (publisher, kind, entity, version)
            SELECT $13, 'conversation', id, last_sequence FROM moved ORDER BY id
            ON CONFLICT (publisher, kind, entity) DO UPDATE SET version = excluded.version""",
            *_columns([(c.id, c.last_sequence, c.name, c.preview, c.last_at, c.last_inbound_at, c.last_external_id,
                        listed_at(c), c.waiting_since, c.heard, c.unread_from, c.responses)
                       for c in conversations]),
            publisher,
        )  # fmt: skip
    if seldom := [c for c in conversations if c.moved]:
        await connection.execute(
            """UPDATE conversation c SET status = n.status, "window" = n."window", delivered_to = n.delivered_to,
                read_to = n.read_to, parked = n.parked, chain = n.chain, peer = n.peer, container = n.container,
                customer_id = n.customer_id, blocked_at = n.blocked_at, responder = n.responder,
                responder_at = n.responder_at, brake = n.brake, subject = n.subject, signed_name = n.signed_name,
                route = n.route, alarms = n.alarms, reopens = n.reopens, closed_at = n.closed_at, assignee = n.assignee, tags = n.tags,
                priority = n.priority, failure = n.failure, turn = n.turn
            FROM unnest($1::uuid[], $2::text[], $3::jsonb[], $4::timestamptz[], $5::timestamptz[], $6::text[]::jsonb[],
                $7::text[]::jsonb[], $8::text[], $9::text[], $10::uuid[], $11::timestamptz[], $12::text[],
                $13::timestamptz[], $14::jsonb[], $15::text[], $16::text[], $17::jsonb[], $18::jsonb[],
                $19::boolean[], $20::timestamptz[], $21::text[], $22::text[]::jsonb[], $23::text[], $24::jsonb[], $25::jsonb[])
                n(id, status, "window", delivered_to, read_to, parked, chain, peer, container, customer_id, blocked_at,
                responder, responder_at, brake, subject, signed_name, route, alarms, reopens, closed_at, assignee,
                tags, priority, failure, turn)
            WHERE c.id = n.id""",
            *_columns([(c.id, c.status, c.window, c.delivered_to, c.read_to, _json(c.pending), _json(c.chain), c.peer,
                        c.container, c.customer_id, c.blocked_at, c.responder, c.responder_at, c.brake, c.subject,
                        c.signed_name, c.route, c.alarms, c.reopens, c.closed_at, c.assignee, _json(c.tags or ()), c.priority,
                        c.failure, c.turn)
                       for c in seldom]),
        )  # fmt: skip


async def write_messages(connection: Connection, emissions: Sequence[Emission]) -> None:
    """The messages, and a row of the outbox that points at each."""
    if emissions:
        await connection.execute(
            """WITH written AS (
                INSERT INTO message (id, conversation_id, sequence, type, tenant, traceparent, body, home, at)
                SELECT *, $9 FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[],
                    $7::bytea[], $8::uuid[]) RETURNING conversation_id, sequence)
            INSERT INTO outbox (conversation_id, sequence, topic) SELECT conversation_id, sequence, $10 FROM written""",
            *_columns([(e.id, e.conversation_id, e.sequence, e.name, e.tenant, e.traceparent, e.value, e.home)
                       for e in emissions]),
            emissions[0].at,
            EVENTS,
        )  # fmt: skip


async def write_events(connection: Connection, emissions: Sequence[Emission]) -> None:
    """The other events, and a row of the outbox that points at each."""
    if emissions:
        await connection.execute(
            """WITH written AS (
                INSERT INTO event (id, conversation_id, sequence, type, tenant, traceparent, body, message_id, at)
                SELECT *, $9 FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[],
                    $7::bytea[], $8::uuid[]) RETURNING conversation_id, sequence)
            INSERT INTO outbox (conversation_id, sequence, topic) SELECT conversation_id, sequence, $10 FROM written""",
            *_columns([(e.id, e.conversation_id, e.sequence, e.name, e.tenant, e.traceparent, e.value, e.message_id)
                       for e in emissions]),
            emissions[0].at,
            EVENTS,
        )  # fmt: skip


async def write_sendings(connection: Connection, new: set[int], sendings: Sequence[Sending]) -> None:
    rows = [
        (s.message_id, s.conversation_id, s.status, s.attempt, s.pieces, s.progress, s.request_id, s.at, s.plan)
        for s in sendings
        if s.changed or id(s) in new
    ]
    if rows:
        await connection.execute(
            """INSERT INTO sending (message_id, conversation_id, status, attempt, pieces, progress, request_id, at, plan_id)
            SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::int[], $5::int[], $6::jsonb[], $7::text[],
                $8::timestamptz[], $9::uuid[])
            ON CONFLICT (message_id) DO UPDATE SET status = excluded.status, attempt = excluded.attempt,
                pieces = excluded.pieces, progress = excluded.progress""",
            *_columns(rows),
        )


async def write_outbox(connection: Connection, emissions: Sequence[Emission]) -> None:
    """What stands in no table of its own is written out whole; an event apart that is told again is on its way already."""
    if emissions:
        await connection.execute(
            """INSERT INTO outbox (conversation_id, sequence, topic, tenant, traceparent, id, type, value)
            SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::text[],
                $8::bytea[])
            ON CONFLICT (conversation_id, sequence, topic) DO NOTHING""",
            *_columns([(e.conversation_id, e.sequence, e.topic, e.tenant, e.traceparent, e.id, e.name, e.value)
                       for e in emissions]),
        )  # fmt: skip


async def write_alarms(connection: Connection, facts: Facts) -> None:
    """What has rung goes; of two times the earlier stands. Whoever writes one holds the lock of its entity."""
    if facts.rung:
        await connection.execute(
            """DELETE FROM alarm a USING unnest($1::uuid[], $2::text[]) n(entity, kind)
            WHERE (a.entity, a.kind) = (n.entity, n.kind)""",
            *_columns(sorted(facts.rung)),
        )
    if facts.alarms:
        await connection.execute(
            """INSERT INTO alarm (entity, kind, shard, due)
            SELECT * FROM unnest($1::uuid[], $2::text[], $3::smallint[], $4::timestamptz[])
            ON CONFLICT (entity, kind) DO UPDATE SET due = excluded.due WHERE alarm.due > excluded.due""",
            *_columns([(*key, shard_of(key.entity), due) for key, due in sorted(facts.alarms.items())]),
        )


async def write_plans(connection: Connection, facts: Facts) -> None:
    if gone := [plan for plan in facts.unplanned if plan not in facts.plans]:
        await connection.execute("DELETE FROM plan WHERE id = ANY($1::uuid[])", gone)
    if made := sorted(
        (astuple(plan) for plan in facts.planned if facts.plans.get(plan.id) is plan), key=lambda row: row[0]
    ):
        await connection.execute(
            """INSERT INTO plan (id, tenant, conversation_id, message_id, request_id, type, request, traceparent, requested_at, due)
            SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::bytea[],
                $8::text[], $9::timestamptz[], $10::timestamptz[])
            ON CONFLICT (id) DO UPDATE SET conversation_id = excluded.conversation_id, due = excluded.due""",
            *_columns(made),
        )


async def write_fallbacks(connection: Connection, facts: Facts) -> None:
    """One that has ended where no conversation is, or none any more, has nowhere to be seen; one to whoever is erased names them."""
    for plan in facts.fallbacks.values():
        if plan.ended_at and (plan.why == "erased" or plan.conversation_id not in facts.conversations):
            await connection.execute("DELETE FROM fallback WHERE id = $1", plan.id)
        elif plan.changed:
            await connection.execute(
                """INSERT INTO fallback (id, tenant, owners, conversation_id, conversations, message_id, request_id, type, request,
                    traceparent, step, legs, due, began_at, ended_at, why)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
                ON CONFLICT (id) DO UPDATE SET owners = excluded.owners, conversation_id = excluded.conversation_id,
                    conversations = excluded.conversations, message_id = excluded.message_id, step = excluded.step,
                    legs = excluded.legs, due = excluded.due, ended_at = excluded.ended_at, why = excluded.why""",
                plan.id,
                plan.tenant,
                plan.owners,
                plan.conversation_id,
                plan.conversations,
                plan.message_id,
                plan.request_id,
                plan.type,
                plan.request,
                plan.traceparent,
                plan.step,
                [asdict(leg) for leg in plan.legs],
                plan.due,
                plan.began_at,
                plan.ended_at,
                plan.why,
            )


async def write_erased(connection: Connection, facts: Facts) -> None:
    """Who they were, by what they were called and what was said of it is gone at once; what is left to do is noted, behind which
    services/router/erasing.py goes. A mark's time never goes back, whichever request comes last.
    """
    if not facts.erased:
        return
    ids = list(facts.erased)
    graves = [
        (mark_of(facts.secret, address), facts.atoms[one].erased_at, _json(list(unwanted)) or "[]")
        for one, unwanted in facts.erased.items()
        for address in facts.addresses.get(one, ())
    ]
    if graves:
        await connection.execute(
            """INSERT INTO tombstone (mark, erased_at, generation, unwanted)
            SELECT mark, at, 1, unwanted FROM unnest($1::bytea[], $2::timestamptz[], $3::text[]::jsonb[]) n(mark, at, unwanted)
            ORDER BY mark ON CONFLICT (mark) DO UPDATE SET erased_at = greatest(tombstone.erased_at, excluded.erased_at),
                generation = tombstone.generation + 1, unwanted = excluded.unwanted""",
            *_columns(sorted(graves)),
        )
    others = {
        one for known in (facts.bonds, facts.vetoes, facts.suggestions) for one in _ends(known)
    } - facts.erased.keys()
    await connection.execute(
        """INSERT INTO erasure (customer_id, tenant, erased_at, addresses, others)
        SELECT id, tenant, at, addresses, $5 FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::text[]::jsonb[])
            n(id, tenant, at, addresses)""",
        *_columns(
            [
                (one, atom.tenant, atom.erased_at, _json([key[1:] for key in facts.addresses.get(one, ())]) or "[]")
                for one, atom in ((one, facts.atoms[one]) for one in ids)
            ]
        ),
        sorted(others),
    )
    for table in ("identity", "consent"):
        await connection.execute(f"DELETE FROM {table} WHERE customer_id = ANY($1::uuid[])", ids)  # noqa: S608 constants
    for table in ("bond", "veto", "suggestion"):
        await connection.execute(f"DELETE FROM {table} WHERE a = ANY($1::uuid[]) OR b = ANY($1::uuid[])", ids)  # noqa: S608 constants


def _ends(known: Iterable[Any]) -> Iterator[uuid.UUID]:
    """The customers that these pairs, or bonds by pair and source, are of."""
    for one in known:
        yield from one if isinstance(one, Pair) else one[0]
