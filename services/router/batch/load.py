"""Lock, then read: every fact of a batch, one statement per kind, in the one lock order (docs/architecture.md, Locks and facts)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, cast

import asyncpg
import orjson

from services.router.batch.needs import Needs
from services.router.batch.publish import Row
from services.router.fold import identity, moves, reach
from services.router.fold.brake import brake_ref
from services.router.fold.facts import (
    AlarmKey,
    Conversation,
    Facts,
    IdentityKey,
    Known,
    PeerKey,
    Person,
    Place,
    Ref,
    RefKey,
    Sending,
)
from services.router.fold.windows import answered_ref
from shared.contract.envelope import Envelope, Notice
from shared.contract.requests import Reply
from shared.storage.database import Connection

BEGUN: Final = 1000  # conversations under posts and in groups that are told of a name: the newest
OPEN_PLACE: Final = "c.container IS NOT NULL AND c.thread_key IS NULL AND c.status = 'open'"
CONVERSATION = """id, tenant, customer_id, channel, account, peer, container, thread_key, opened_at, last_at, surface,
    status, last_sequence, name, subject, preview, last_inbound_at, last_external_id, "window", delivered_to, read_to,
    blocked_at, responder, responder_at, brake, signed_name, route, alarms, listed_at, reopens, closed_at, assignee, tags,
    priority, waiting_since, heard, unread_from, failure, responses, parked, chain"""


async def load(
    connection: Connection,
    needs: Needs,
    facts: Facts,
) -> list[Row]:
    """Fill in the facts; what others left in the outbox of the conversations that are locked now."""
    await mention_waiting_echoes(connection, needs)
    await mention_unknown_files(connection, needs)
    await mention_topics(connection, needs)
    await mention_brakes(connection, needs)
    named = await lock_refs(connection, facts, needs)
    await find_identities(connection, facts, needs)
    await lock_customers(connection, facts)
    await find_people(connection, facts, needs)
    await find_blocks(connection, facts, needs)
    await find_messages(connection, facts, needs.messages | named)
    await lock_conversations(connection, facts, needs)
    check_waiting_echoes(facts, needs)
    check_topics(facts, needs)
    check_brakes(facts, needs)
    named |= await find_private_answers(connection, facts, needs)
    await find_sendings(connection, facts, needs, named)
    await lock_alarms(connection, facts, needs)
    return await find_outbox(connection, facts)


async def mention_waiting_echoes(connection: Connection, needs: Needs) -> None:
    """A report may settle echoes that wait in its conversation: their names are locked with the others, in order."""
    if needs.reported:
        rows = await connection.fetch(
            """SELECT DISTINCT called.name FROM sending s JOIN conversation c ON c.id = s.conversation_id,
                jsonb_array_elements(c.parked) item, jsonb_array_elements(item -> 'names') called(name)
            WHERE s.message_id = ANY($1::uuid[])""",
            list(needs.reported),
        )
        needs.mention(RefKey(*row[0]) for row in rows)


def check_waiting_echoes(facts: Facts, needs: Needs) -> None:
    """One that became pending between that look and the conversation's lock: begin again."""
    for message in needs.reported & facts.known.keys():
        conversation = facts.conversations.get(facts.known[message].conversation_id)
        names = (RefKey(*name) for item in conversation.pending for name in item["names"]) if conversation else ()
        if any(name not in facts.refs for name in names):
            raise asyncpg.SerializationError("an echo became pending meanwhile")


async def mention_unknown_files(connection: Connection, needs: Needs) -> None:
    """A file of what is no message yet may be an echo's that waits: it waits at the echo's name."""
    if needs.files:
        rows = await connection.fetch("SELECT id FROM message WHERE id = ANY($1::uuid[])", list(needs.files))
        known = {row[0] for row in rows}
        needs.mention(key for message, key in needs.files.items() if message not in known)


async def mention_topics(connection: Connection, needs: Needs) -> None:
    """A group that is called otherwise from now on: each of its topics has a name under both."""
    for found in needs.moves:
        needs.mention(moves.names_of(found, moved(found), await _topics(connection, found)))


async def _topics(connection: Connection, found: Envelope) -> list[str]:
    rows = await connection.fetch(
        """SELECT DISTINCT thread_key FROM conversation WHERE (tenant, channel, account) = ($1, $2, $3)
        AND peer = ANY($4::text[]) AND container IS NOT NULL AND thread_key IS NOT NULL""",
        found.tenant,
        found.channel,
        found.account,
        [found.peer, moved(found).to],
    )
    return [row[0] for row in rows]


def moved(found: Envelope) -> Notice:
    """The part of a notice that says so."""
    return cast("Notice", found.parts[0])


def check_topics(facts: Facts, needs: Needs) -> None:
    """One that began between that look and the locks: begin again."""
    for found in needs.moves:
        for name in (found.peer, moved(found).to or ""):
            here = facts.with_peer(PeerKey(found.tenant, found.channel, found.account, name))
            topics = {one.thread_key for one in here if one.container}
            if any(key not in facts.refs for key in moves.names_of(found, moved(found), topics)):
                raise asyncpg.SerializationError("a topic began meanwhile")


async def mention_brakes(connection: Connection, needs: Needs) -> None:
    """Where the brakes of the mail conversations stand that are answered."""
    if needs.answered:
        rows = await connection.fetch(
            "SELECT tenant, channel, account, peer FROM conversation WHERE id = ANY($1::uuid[]) AND surface = 'email'",
            list(needs.answered),
        )
        needs.mention(brake_ref(*row) for row in rows)


def check_brakes(facts: Facts, needs: Needs) -> None:
    """One that began, or got another address, between that look and the locks: begin again."""
    for name in needs.answered & facts.conversations.keys():
        conversation = facts.conversations[name]
        if conversation.surface == "email" and brake_ref(*conversation.peer_key) not in facts.refs:
            raise asyncpg.SerializationError("the conversation of an answer has changed meanwhile")


async def lock_refs(connection: Connection, facts: Facts, needs: Needs) -> set[uuid.UUID]:
    """Upsert and lock the names, sorted; those that stood there before may name messages: their ids."""
    if not needs.refs:
        return set()
    keys = sorted(needs.refs)
    claims = [needs.refs[key] for key in keys]
    rows = await connection.fetch(
        """INSERT INTO external_ref (tenant, channel, account, kind, external_id, message_id, piece)
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::int[])
        ON CONFLICT (tenant, channel, account, kind, external_id) DO UPDATE SET
            piece = CASE WHEN external_ref.message_id IS NULL THEN excluded.piece ELSE external_ref.piece END,
            message_id = coalesce(external_ref.message_id, excluded.message_id), mentioned_at = now()
        RETURNING tenant, channel, account, kind, external_id, message_id, conversation_id, piece, edited_at, parked,
            xmax = 0 AS inserted""",
        *(list(column) for column in zip(*keys, strict=True)),
        [claim.message_id for claim in claims],
        [claim.piece for claim in claims],
    )
    older: set[uuid.UUID] = set()
    for row in rows:
        key = RefKey(*row[:5])
        facts.refs[key] = Ref(key, row[5], row[6], row[7], row[8], row[9] or [])
        if row[6]:
            needs.conversations.add(row[6])
        if row[5] and not row[10]:
            older.add(row[5])
        older.update(message for message, _ in reach.sent_to(facts.refs[key]))
    return older


async def find_identities(connection: Connection, facts: Facts, needs: Needs) -> None:
    """The customer of each address and its aliases; new ones are made. Merges move pointers under the customers' locks, read after this."""
    keys = sorted({*needs.identities, *needs.sought, *(alias for some in needs.aliases.values() for alias in some)})
    if not keys:
        return
    columns = [list(column) for column in zip(*keys, strict=True)]
    find = """SELECT i.tenant, i.kind, i.value, i.customer_id FROM identity i
        JOIN unnest($1::text[], $2::text[], $3::text[]) k(tenant, kind, value) USING (tenant, kind, value)"""
    for row in await connection.fetch(find, *columns):
        facts.customers[IdentityKey(*row[:3])] = row[3]
    sought = needs.sought - needs.identities.keys() - {alias for some in needs.aliases.values() for alias in some}
    missing = [key for key in keys if key not in facts.customers and key not in sought]
    if not missing:
        return
    columns = [list(column) for column in zip(*missing, strict=True)]
    customers = identity.match(facts.customers, {key: needs.aliases.get(key, ()) for key in sorted(needs.identities)})
    ids = [customers[key] for key in missing]
    names = [needs.identities.get(key) for key in missing]
    made = await connection.fetch(
        """INSERT INTO identity (tenant, kind, value, customer_id, name)
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::text[])
        ON CONFLICT (tenant, kind, value) DO NOTHING RETURNING tenant, kind, value, customer_id""",
        *columns,
        ids,
        names,
    )
    if len(made) < len(missing):  # another transaction made some of them meanwhile
        made = await connection.fetch(find, *columns)
    for row in made:
        facts.customers[IdentityKey(*row[:3])] = row[3]
    await connection.execute(
        """INSERT INTO customer (id, tenant) SELECT * FROM unnest($1::uuid[], $2::text[]) u(id, tenant) ORDER BY id
        ON CONFLICT DO NOTHING""",
        ids,
        columns[0],
    )


async def lock_customers(connection: Connection, facts: Facts) -> None:
    """Lock them by id, and follow merges as they stand after the lock."""
    wanted = set(facts.customers.values())
    merged: dict[uuid.UUID, uuid.UUID | None] = {}
    while missing := wanted - merged.keys():
        for row in await connection.fetch(
            "SELECT id, merged_into FROM customer WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE",
            list(missing),
        ):
            merged[row[0]] = row[1]
        for absent in missing - merged.keys():
            merged[absent] = None
        wanted |= {into for into in merged.values() if into}
    for key, customer in facts.customers.items():
        facts.customers[key] = _follow(merged, customer)


def _follow(merged: Mapping[uuid.UUID, uuid.UUID | None], customer: uuid.UUID) -> uuid.UUID:
    while into := merged[customer]:
        customer = into
    return customer


async def find_people(connection: Connection, facts: Facts, needs: Needs) -> None:
    """What is known of those whom their messages do not name."""
    if needs.people:
        rows = await connection.fetch(
            """SELECT i.tenant, i.kind, i.value, i.name, i.profile FROM identity i
            JOIN unnest($1::text[], $2::text[], $3::text[]) k(tenant, kind, value) USING (tenant, kind, value)""",
            *(list(column) for column in zip(*needs.people, strict=True)),
        )
        facts.people = {IdentityKey(*row[:3]): Person(*row[3:]) for row in rows}


async def find_blocks(connection: Connection, facts: Facts, needs: Needs) -> None:
    """Who has stopped which account, by whichever of their addresses it came."""
    if needs.blocks and facts.customers:
        rows = await connection.fetch(
            """SELECT i.customer_id, b.channel, b.account, max(b.since) FROM identity i
            JOIN blocked b ON (b.tenant, b.channel, b.address) = (i.tenant, i.kind, i.value)
            WHERE i.customer_id = ANY($1::uuid[]) GROUP BY 1, 2, 3""",
            list({*facts.customers.values()}),
        )
        facts.blocked = {Place(*row[:3]): row[3] for row in rows}


async def find_messages(connection: Connection, facts: Facts, ids: set[uuid.UUID]) -> None:
    """Where messages are; that never changes, so it needs no lock."""
    if not ids:
        return
    for row in await connection.fetch(
        "SELECT id, conversation_id, body FROM message WHERE id = ANY($1::uuid[])", list(ids)
    ):
        facts.known[row[0]] = _known(row[1], orjson.loads(row[2]).get("message", {}))


def _known(conversation: uuid.UUID, message: Mapping[str, Any]) -> Known:
    """`message`: an Envelope or an Outbound, as its event told it."""
    sender, at = message.get("sender"), message.get("occurred_at") or message.get("requested_at")
    names = (message.get("external_id"), *message.get("external_ids", ()))
    return Known(
        conversation,
        message.get("external_id"),
        author=frozenset((sender["address"], *sender.get("aliases", ()))) if sender else frozenset(),
        ours=sender is None or message.get("direction") == "outbound",
        private=message.get("way") == "private",
        at=datetime.fromisoformat(at) if at else None,
        parts=message.get("parts", ()),
        external_ids=tuple(filter(None, names)),
        read_mark=message.get("read_mark"),
    )


async def lock_conversations(connection: Connection, facts: Facts, needs: Needs) -> None:
    """Lock by id all that may be touched: named ones, those of named messages and peers, open ones of the customers."""
    ids = needs.conversations | {known.conversation_id for known in facts.known.values()}
    customers = set(facts.customers.values())
    for peers, which in ((needs.peers, "true"), (needs.places, OPEN_PLACE)):
        if peers:
            found = await connection.fetch(
                f"""SELECT c.id FROM conversation c JOIN unnest($1::text[], $2::text[], $3::text[], $4::text[])
                k(tenant, channel, account, peer) USING (tenant, channel, account, peer) WHERE {which}""",  # noqa: S608 a constant
                *(list(column) for column in zip(*sorted(peers), strict=True)),
            )
            ids |= {row[0] for row in found}
    if needs.profiles:
        found = await connection.fetch(
            """SELECT id FROM conversation WHERE customer_id = ANY($1::uuid[]) AND status = 'open'
                AND container IS NOT NULL ORDER BY listed_at DESC LIMIT $2""",
            [facts.customers[key] for key in needs.profiles],
            BEGUN,
        )
        ids |= {row[0] for row in found}
    if not ids and not customers:
        return
    rows = await connection.fetch(
        f"""SELECT {CONVERSATION} FROM conversation
        WHERE id = ANY($1::uuid[]) OR (customer_id = ANY($2::uuid[]) AND (status = 'open' OR reopens) AND container IS NULL
            AND surface <> 'email')
        ORDER BY id FOR NO KEY UPDATE""",  # noqa: S608 a constant's columns
        list(ids),
        list(customers),
    )
    for row in rows:
        facts.load(_conversation(row))


def _conversation(row: Any) -> Conversation:
    """The columns of CONVERSATION stand in the order of the fields."""
    return Conversation(*(*row[:-2], row[-2] or [], row[-1] or []))


async def lock_alarms(connection: Connection, facts: Facts, needs: Needs) -> None:
    """Those that fire, as they stand now: the candidates were seen without locks."""
    if needs.alarms:
        rows = await connection.fetch(
            """SELECT a.entity, a.kind, a.due FROM alarm a JOIN unnest($1::uuid[], $2::text[]) k(entity, kind)
                USING (entity, kind) ORDER BY a.entity, a.kind FOR UPDATE OF a""",
            *(list(column) for column in zip(*needs.alarms, strict=True)),
        )
        facts.standing = {AlarmKey(row[0], row[1]): row[2] for row in rows}


async def find_private_answers(connection: Connection, facts: Facts, needs: Needs) -> set[uuid.UUID]:
    """The messages that answer these comments in private: read under the locks of their conversations, which everyone who writes
    such a name holds. A comment of this very batch has had none.
    """
    keys = sorted({key for asked in needs.private for key in _answered(facts, asked)})
    if not keys:
        return set()
    rows = await connection.fetch(
        """SELECT tenant, channel, account, kind, external_id, message_id FROM external_ref
        JOIN unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
            k(tenant, channel, account, kind, external_id) USING (tenant, channel, account, kind, external_id)""",
        *(list(column) for column in zip(*keys, strict=True)),
    )
    for row in rows:
        key = RefKey(*row[:5])
        facts.refs[key] = Ref(key, row[5])
    return {row[5] for row in rows}


def _answered(facts: Facts, asked: Reply) -> Iterator[RefKey]:
    conversation = facts.conversations.get(asked.conversation)
    named = facts.known.get(asked.in_reply_to) if asked.in_reply_to else None
    comment = named.external_id if named else conversation and conversation.last_external_id
    if conversation and comment:
        yield answered_ref(conversation, comment)


async def find_sendings(connection: Connection, facts: Facts, needs: Needs, named: set[uuid.UUID]) -> None:
    """How far our own messages are: those that receipts name, and in conversations with echoes or watermarks the open ones."""
    waiting = {c.id for c in facts.conversations.values() if needs.echoes or c.pending}
    marked = {c.id for peer in needs.peers for c in facts.with_peer(peer)}
    ids = needs.messages | named
    if not ids and not waiting and not marked:
        return
    rows = await connection.fetch(
        """SELECT message_id, conversation_id, status, request_id, at, attempt, pieces, progress FROM sending
        WHERE message_id = ANY($1::uuid[])
        OR (conversation_id = ANY($2::uuid[]) AND status IN ('queued', 'unknown'))
        OR (conversation_id = ANY($3::uuid[]) AND status IN ('queued', 'unknown', 'sent', 'delivered'))""",
        list(ids),
        list(waiting),
        list(marked),
    )
    for row in rows:
        facts.sendings[row[0]] = Sending(*row)
        facts.known.setdefault(row[0], Known(row[1], None, ours=True))


async def find_outbox(connection: Connection, facts: Facts) -> list[Row]:
    """What nobody has seen acknowledged yet in these conversations: all that is below what this batch will allocate."""
    if not facts.conversations:
        return []
    return [
        Row(*row)
        for row in await connection.fetch(
            """SELECT o.conversation_id, o.sequence, o.topic,
    coalesce(o.tenant, m.tenant, e.tenant), coalesce(o.traceparent, m.traceparent, e.traceparent),
                coalesce(o.id, m.id, e.id), coalesce(o.type, m.type, e.type), coalesce(m.at, e.at, o.at),
                coalesce(o.value, m.body, e.body)
            FROM outbox o
            LEFT JOIN message m ON o.value IS NULL AND m.conversation_id = o.conversation_id AND m.sequence = o.sequence
            LEFT JOIN event e ON o.value IS NULL AND e.conversation_id = o.conversation_id AND e.sequence = o.sequence
            WHERE o.conversation_id = ANY($1::uuid[]) ORDER BY o.conversation_id, o.sequence""",
            list(facts.conversations),
        )
    ]
