"""Lock, then read: every fact of a batch, one statement per kind, in the one lock order (docs/architecture.md, Locks and facts)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, cast

import asyncpg
import orjson

from services.router.batch.needs import Needs, of_request
from services.router.batch.publish import Row
from services.router.fold import addresses, identity, moves, reach
from services.router.fold.alarms import Fired, record_of
from services.router.fold.bonds import pair_of
from services.router.fold.brake import brake_ref
from services.router.fold.echoes import ENDS
from services.router.fold.facts import (
    AlarmKey,
    Atom,
    BadAddress,
    Bond,
    Consent,
    Conversation,
    Facts,
    Fallback,
    Grave,
    Hint,
    IdentityKey,
    Known,
    Leg,
    Pair,
    PeerKey,
    Person,
    Place,
    Plan,
    Ref,
    RefKey,
    Sending,
    Sent,
    Suggestion,
    Wish,
)
from services.router.fold.fallback import WAY, asked_of, next_send, way_record
from services.router.fold.plans import DUE, asked_then
from services.router.fold.windows import answered_ref
from shared.contract.envelope import Envelope, Notice, requested_id
from shared.contract.identities import identity_kind, number_of
from shared.contract.policy import LONGEST
from shared.contract.requests import Reply
from shared.storage.database import Connection

BEGUN: Final = 1000  # conversations under posts and in groups that are told of a name: the newest
OPEN_PLACE: Final = "c.container IS NOT NULL AND c.thread_key IS NULL AND c.status = 'open'"
CONVERSATION = """id, tenant, customer_id, channel, account, peer, container, thread_key, opened_at, last_at, surface,
    status, last_sequence, name, subject, preview, last_inbound_at, last_external_id, "window", delivered_to, read_to,
    blocked_at, responder, responder_at, brake, signed_name, route, alarms, listed_at, reopens, closed_at, assignee, tags,
    priority, waiting_since, heard, unread_from, failure, responses, turn, parked, chain"""

# One snapshot for who belongs together and of what shape that is. A row without a home is an address that nobody has: `was_known`
# says whether somebody had it when kinds did not say at which account.
_PERSON: Final = """coalesce(c.merged_into, i.customer_id) AS person, coalesce(r.shape, 0) AS shape, coalesce(c.shared, false) AS shared,
    r.merged_into IS NOT NULL AS is_chain,
    ARRAY(SELECT m.id FROM customer m WHERE m.merged_into = coalesce(c.merged_into, i.customer_id)) AS members"""
FIND: Final = f"""
SELECT k.tenant, k.kind, k.value, i.customer_id AS home, i.erased_before, NULL::timestamptz AS erased_at, {_PERSON},
    i.customer_id IS NULL AND k.kind LIKE '%:%' AND EXISTS (
        SELECT FROM identity o WHERE (o.tenant, o.kind, o.value) = (k.tenant, split_part(k.kind, ':', 1), k.value)
            AND o.adopted IS NULL) AS was_known, b.since AS bad_since, b.detail AS bad_detail
FROM unnest($1::text[], $2::text[], $3::text[]) k(tenant, kind, value)
LEFT JOIN identity i USING (tenant, kind, value) LEFT JOIN bad_address b USING (tenant, kind, value) LEFT JOIN customer c ON c.id = i.customer_id
LEFT JOIN customer r ON r.id = coalesce(c.merged_into, i.customer_id)"""  # noqa: S608 constants only
FIND_NAMED: Final = f"""
SELECT i.tenant, NULL AS kind, NULL AS value, i.customer_id AS home, NULL::timestamptz AS erased_before, c.erased_at, {_PERSON},
    false AS was_known
FROM (SELECT id AS customer_id, tenant FROM customer WHERE id = ANY($1::uuid[])) i JOIN customer c ON c.id = i.customer_id
LEFT JOIN customer r ON r.id = coalesce(c.merged_into, c.id)"""  # noqa: S608 constants only
# Kinds that were a channel's name said nothing of the account: whoever is met at one first since was that person.
ADOPT: Final = """
WITH old AS MATERIALIZED (
    SELECT n.kind AS now, o.* FROM unnest($1::text[], $2::text[], $3::text[]) n(tenant, kind, value)
    JOIN identity o ON (o.tenant, o.kind, o.value) = (n.tenant, split_part(n.kind, ':', 1), n.value)
    WHERE n.kind LIKE '%:%' AND (o.adopted IS NULL OR o.adopted = n.kind)
    ORDER BY o.tenant, o.kind, o.value, n.kind FOR NO KEY UPDATE OF o
), first AS (
    SELECT DISTINCT ON (tenant, kind, value) * FROM old ORDER BY tenant, kind, value, now
), marked AS (
    UPDATE identity i SET adopted = first.now FROM first
    WHERE (i.tenant, i.kind, i.value) = (first.tenant, first.kind, first.value)
)
INSERT INTO identity (tenant, kind, value, customer_id, name, profile)
SELECT tenant, now, value, customer_id, name, profile FROM first ORDER BY tenant, now, value ON CONFLICT DO NOTHING"""
# The release before may have merged somebody into who was merged before: one step is what everybody relies on.
FLATTEN: Final = """
WITH RECURSIVE up AS (
    SELECT id, merged_into AS root FROM customer WHERE id = ANY($1::uuid[]) AND merged_into IS NOT NULL
    UNION SELECT up.id, c.merged_into FROM up JOIN customer c ON c.id = up.root WHERE c.merged_into IS NOT NULL
), ends AS (
    SELECT up.id, up.root FROM up JOIN customer r ON r.id = up.root AND r.merged_into IS NULL
)
UPDATE customer c SET merged_into = ends.root FROM ends WHERE c.id = ends.id OR c.merged_into = ends.id"""
LOCK_CUSTOMERS: Final = """
SELECT id, tenant, coalesce(merged_into, id), shape, coalesce(born, created_at), last_sequence, shared, erased_at FROM customer
WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE"""
LOCK_ADDRESSES: Final = """
SELECT FROM identity WHERE customer_id = ANY($1::uuid[]) ORDER BY tenant, kind, value FOR UPDATE"""
LEDGER: Final = {
    "bond": "a, b, source, n, reason, cause, at, live, cut_by, cut_at",
    "veto": "a, b, reason",
    "suggestion": "a, b, reason, is_open",
}


async def load(
    connection: Connection,
    needs: Needs,
    facts: Facts,
) -> list[Row]:
    """Fill in the facts; what others left in the outbox of the conversations that are locked now."""
    await mention_plans(connection, needs)
    await mention_fallbacks(connection, needs)
    await mention_waiting_echoes(connection, needs)
    await mention_unknown_files(connection, needs)
    await mention_topics(connection, needs)
    await mention_brakes(connection, needs)
    await mention_complainers(connection, needs)
    named = await lock_refs(connection, facts, needs)
    await find_identities(connection, facts, needs)
    await lock_customers(connection, facts, needs)
    await find_fallbacks(connection, facts, needs)
    await find_people(connection, facts, needs)
    await find_blocks(connection, facts, needs)
    await find_consents(connection, facts, needs)
    await find_hints(connection, facts, needs)
    await find_sent(connection, facts, needs)
    await find_messages(connection, facts, needs.messages | named)
    await lock_conversations(connection, facts, needs)
    check_waiting_echoes(facts, needs)
    check_topics(facts, needs)
    check_brakes(facts, needs)
    named |= await find_private_answers(connection, facts, needs)
    await find_sendings(connection, facts, needs, named)
    check_followed(facts, needs)
    await find_bad_addresses(connection, facts, needs)
    await lock_plans(connection, facts, needs)
    await lock_alarms(connection, facts, needs)
    return await find_outbox(connection, facts)


PLAN: Final = "id, tenant, conversation_id, message_id, request_id, type, request, traceparent, requested_at, due"


async def mention_plans(connection: Connection, needs: Needs) -> None:
    """What waits is asked about as if it were asked now; a request never changes."""
    query = f"SELECT {PLAN} FROM plan WHERE id = ANY($1::uuid[])"  # noqa: S608 a constant's columns
    fired, looked = {key.entity for key in needs.alarms}, set[uuid.UUID]()
    while fresh := needs.plans - looked:
        looked |= fresh
        for row in await connection.fetch(query, list(fresh)):
            plan = Plan(*row)
            if plan.conversation_id:
                needs.conversations.add(plan.conversation_id)
            if plan.id in fired:
                asked = asked_then(plan, record_of(Fired(plan.id, DUE, plan.due)))
                of_request(needs, asked, asked.model)


async def lock_plans(connection: Connection, facts: Facts, needs: Needs) -> None:
    if needs.plans:
        query = f"SELECT {PLAN} FROM plan WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE"  # noqa: S608 a constant's columns
        facts.plans = {row[0]: Plan(*row) for row in await connection.fetch(query, list(needs.plans))}


FALLBACK: Final = """id, tenant, owners, conversation_id, conversations, message_id, request_id, type, request, traceparent, step,
    legs, due, began_at, ended_at, why"""
# Where a person is known there: rather where something was said last.
REACHED: Final = """
SELECT i.value FROM identity i JOIN customer c ON c.id = i.customer_id
WHERE (i.tenant, i.kind) = ($1, $2) AND coalesce(c.merged_into, c.id) IN
    (SELECT coalesce(merged_into, id) FROM customer WHERE id = ANY($3::uuid[]))
ORDER BY (SELECT max(last_at) FROM conversation o WHERE (o.tenant, o.channel, o.account, o.peer) = ($1, $4, $5, i.value))
    DESC NULLS LAST, i.value LIMIT 1"""


async def mention_fallbacks(connection: Connection, needs: Needs) -> None:
    """A next way is asked about as the first message that it is; whoever it goes to is locked, and whoever is written to with other ways."""
    if replied := [asked.conversation for asked in needs.followed if isinstance(asked, Reply)]:
        rows = await connection.fetch("SELECT customer_id FROM conversation WHERE id = ANY($1::uuid[])", replied)
        needs.owners.update(row[0] for row in rows)
    fired = {key.entity for key in needs.alarms if key.kind == WAY}
    if not needs.falls or not (fired or needs.cancelled):
        return
    rows = await connection.fetch(
        f"""SELECT {FALLBACK} FROM fallback WHERE ended_at IS NULL AND message_id = ANY($2::uuid[])
        UNION SELECT {FALLBACK} FROM fallback WHERE ended_at IS NULL AND id = ANY($1::uuid[])""",  # noqa: S608 a constant's columns
        [*fired, *needs.cancelled],
        list(needs.cancelled),
    )
    for row in rows:
        plan = _fallback(row)
        needs.owners.update(plan.owners)
        if plan.id not in fired or plan.step + 1 == len(plan.legs):
            continue
        plan.step += 1
        leg, kind = plan.leg, identity_kind(plan.leg.channel, plan.leg.account)
        where = (plan.tenant, kind, plan.owners, leg.channel, leg.account)
        plan.reached = needs.reached[plan.id] = leg.address or await connection.fetchval(REACHED, *where)
        asked = next_send(plan, asked_of(plan), plan.began_at)
        record = way_record(plan, record_of(Fired(plan.id, WAY, plan.began_at)), asked)
        if asked is not None:
            of_request(needs, record, asked)
            needs.messages.add(requested_id(plan.tenant, record.id))


def _fallback(row: Sequence[Any]) -> Fallback:
    plan = Fallback(*row)
    plan.legs = [Leg(**leg) for leg in row["legs"]]  # type: ignore[call-overload]
    return plan


async def find_fallbacks(connection: Connection, facts: Facts, needs: Needs) -> None:
    """What goes on of these persons, locked: two of its addresses may be two persons'. Where their other ways lead, where these are not said."""
    if needs.falls and facts.persons:
        query = (
            f"SELECT {FALLBACK} FROM fallback WHERE ended_at IS NULL AND owners && $1::uuid[] ORDER BY id FOR UPDATE"  # noqa: S608 a constant's columns
        )
        for row in await connection.fetch(query, list(facts.persons)):
            plan = facts.fallbacks[row["id"]] = _fallback(row)
            plan.reached = needs.reached.get(plan.id)
            needs.conversations.update(plan.conversations)
            if plan.conversation_id:
                needs.conversations.add(plan.conversation_id)
            needs.messages.update(uuid.UUID(leg.message) for leg in plan.legs if leg.message)
    if needs.followed and not facts.reshapes:
        await find_addresses(connection, facts, list(facts.persons))


def check_followed(facts: Facts, needs: Needs) -> None:
    """Whose a conversation is, or who they are, has changed between that look and the locks: begin again."""
    for asked in needs.followed:
        there = facts.conversations.get(asked.conversation) if isinstance(asked, Reply) else None
        if there is not None and facts.persons[there.customer_id] not in facts.atoms:
            raise asyncpg.SerializationError("the conversation is another customer's meanwhile")


async def mention_waiting_echoes(connection: Connection, needs: Needs) -> None:
    """A report may settle echoes that wait in its conversation, and so may time: their names are locked with the others, in order."""
    ended = waited(needs)
    if needs.reported or ended:
        rows = await connection.fetch(
            """SELECT DISTINCT called.name FROM conversation c,
                jsonb_array_elements(c.parked) item, jsonb_array_elements(item -> 'names') called(name)
            WHERE c.id IN (SELECT unnest($2::uuid[])
                UNION SELECT conversation_id FROM sending WHERE message_id = ANY($1::uuid[]))""",
            list(needs.reported),
            list(ended),
        )
        needs.mention(RefKey(*row[0]) for row in rows)


def waited(needs: Needs) -> set[uuid.UUID]:
    """The conversations in which the time of an echo may be over."""
    return {alarm.entity for alarm in needs.alarms if alarm.kind == ENDS}


def check_waiting_echoes(facts: Facts, needs: Needs) -> None:
    """One that became pending between that look and the conversation's lock: begin again."""
    reported = {facts.known[message].conversation_id for message in needs.reported & facts.known.keys()}
    for place in reported | waited(needs):
        conversation = facts.conversations.get(place)
        names = (RefKey(*name) for item in conversation.pending for name in item["names"]) if conversation else ()
        if any(name not in facts.refs for name in names):
            raise asyncpg.SerializationError("an echo became pending meanwhile")


async def mention_unknown_files(connection: Connection, needs: Needs) -> None:
    """A file of what is no message yet may be an echo's that waits: it waits at the echo's name."""
    if needs.files:
        rows = await connection.fetch("SELECT id FROM message WHERE id = ANY($1::uuid[])", list(needs.files))
        known = {row[0] for row in rows}
        needs.mention(key for message, key in needs.files.items() if message not in known)


async def mention_complainers(connection: Connection, needs: Needs) -> None:
    """A complaint is of whoever has the mail of ours that it names."""
    if needs.complaints:
        rows = await connection.fetch(
            """SELECT DISTINCT c.customer_id FROM external_ref r
            JOIN unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
                k(tenant, channel, account, kind, external_id) USING (tenant, channel, account, kind, external_id)
            JOIN sending s ON s.message_id = r.message_id JOIN conversation c ON c.id = s.conversation_id""",
            *(list(column) for column in zip(*needs.complaints, strict=True)),
        )
        needs.named.update(row[0] for row in rows)


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
    """Whose each address is, who is one person with them, and of what shape the person is; whoever writes first becomes known."""
    if needs.named or needs.owners:
        await _find(connection, facts, FIND_NAMED, [list(needs.named | needs.owners)])
    for address, customer, at, cause in needs.linked:
        if customer in facts.persons:
            needs.meet(address, None, at, cause)
    if needs.erased:
        await connection.execute(LOCK_ADDRESSES, list(facts.persons))
    keys = sorted({*needs.identities, *needs.sought})
    if keys and await _find(connection, facts, FIND, _columns(keys)):
        await connection.execute(ADOPT, *_columns([key for key in keys if key not in facts.homes]))
        await _find(connection, facts, FIND, _columns(keys))
    missing = [key for key in sorted(needs.identities) if key not in facts.homes]
    if missing:
        await _begin_customers(connection, facts, needs, missing)


def _columns(rows: Sequence[Sequence[object]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]


async def _find(connection: Connection, facts: Facts, statement: str, columns: Sequence[object]) -> bool:
    """Whether somebody was known, before, by a kind that does not say at which account."""
    rows = await connection.fetch(statement, *columns)
    if chained := {row["person"] for row in rows if row["is_chain"]}:
        await connection.execute(FLATTEN, list(chained))
        rows = await connection.fetch(statement, *columns)
    for row in rows:
        address = IdentityKey(row["tenant"], row["kind"], row["value"])
        if since := row.get("bad_since"):
            facts.bad[address] = BadAddress(since, row["bad_detail"])
        if (home := row["home"]) is None:
            continue
        if row["erased_at"]:
            facts.gone[row["tenant"], home] = row["erased_at"]
            continue
        if row["value"] is not None:
            facts.homes[address], facts.customers[address] = home, row["person"]
            if row["erased_before"]:
                facts.graves[address] = Grave(row["erased_before"])
        facts.persons.update(dict.fromkeys((home, row["person"], *row["members"]), row["person"]))
        facts.shapes[row["person"]] = row["shape"]
        if row["shared"]:
            facts.shared.add(home)
    return any(row["was_known"] for row in rows)


async def _begin_customers(connection: Connection, facts: Facts, needs: Needs, missing: Sequence[IdentityKey]) -> None:
    graves = await find_graves(connection, facts, missing)
    facts.graves |= graves
    erased = {key: grave.erased_at for key, grave in graves.items()}
    born = {key: at for key in missing if (at := needs.born(key, facts.fresh, erased.get(key)))}
    if not born:
        return
    own = {
        key: identity.new_customer(facts.secret, key, graves[key].generation if key in graves else 0) for key in born
    }
    made = await connection.fetch(
        """INSERT INTO identity (tenant, kind, value, customer_id, name, erased_before)
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::timestamptz[])
        ON CONFLICT (tenant, kind, value) DO NOTHING RETURNING tenant, kind, value""",
        *_columns([(*key, own[key], needs.identities[key], erased.get(key)) for key in born]),
    )
    for row in made:
        address = IdentityKey(*row)
        facts.homes[address] = facts.customers[address] = facts.persons[own[address]] = own[address]
        facts.shapes[own[address]] = 0
        facts.begun.add(own[address])
    await connection.execute(
        """INSERT INTO customer (id, tenant, born)
        SELECT * FROM unnest($1::uuid[], $2::text[], $3::timestamptz[]) u(id, tenant, born) ORDER BY id
        ON CONFLICT DO NOTHING""",
        *_columns([(own[key], key.tenant, at) for key, at in born.items()]),
    )
    await _keep_refusals(connection, [(own[key], graves[key]) for key in born if key in graves])
    if len(made) < len(born):  # another transaction made some of them meanwhile
        await _find(connection, facts, FIND, _columns([key for key in born if key not in facts.homes]))


async def find_graves(
    connection: Connection, facts: Facts, addresses: Sequence[IdentityKey]
) -> dict[IdentityKey, Grave]:
    """Those of these addresses whose person was erased."""
    marks = {identity.mark_of(facts.secret, key): key for key in addresses}
    rows = await connection.fetch(
        "SELECT mark, erased_at, generation, unwanted FROM tombstone WHERE mark = ANY($1::bytea[])", list(marks)
    )
    return {marks[row[0]]: Grave(*row[1:]) for row in rows}


async def _keep_refusals(connection: Connection, begun: Sequence[tuple[uuid.UUID, Grave]]) -> None:
    """What they did not want before they were erased, they do not want now: until they say otherwise."""
    if rows := [(one, *unwanted, grave.erased_at) for one, grave in begun for unwanted in grave.unwanted]:
        await connection.execute(
            """INSERT INTO consent (customer_id, purpose, channel, at, given, evidence, said_by)
            SELECT id, purpose, channel, at, false, 'not wanted before they were erased', 'request'
            FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[]) u(id, purpose, channel, at)
            ON CONFLICT DO NOTHING""",
            *_columns(rows),
        )


async def lock_customers(connection: Connection, facts: Facts, needs: Needs) -> None:
    """Lock them by id: the oldest of each person, and where others may become one person, everybody. Whoever belongs together
    otherwise than was read: begin again.
    """
    facts.reshapes = bool(needs.named) or await _is_news(connection, facts, needs)
    wanted = facts.persons if facts.reshapes else facts.shapes
    if not wanted:
        return
    for row in await connection.fetch(LOCK_CUSTOMERS, list(wanted)):
        atom = Atom(*row)
        atom.last_sequence = max(atom.last_sequence, facts.floors.get(atom.id, 0))
        facts.atoms[atom.id] = atom
    for atom in facts.atoms.values():
        if atom.person != facts.persons[atom.id] or atom.shape != facts.shapes.get(atom.id, atom.shape):
            raise asyncpg.SerializationError("others are one person meanwhile")
    if facts.reshapes:
        await find_bonds(connection, facts)


async def _is_news(connection: Connection, facts: Facts, needs: Needs) -> bool:
    """Whether something says that two are one person who are not known as that, and nobody has said it before."""
    pairs: set[tuple[object, ...]] = set()
    for claim in needs.claims:
        a, b = facts.homes.get(claim.address), facts.homes.get(claim.other)
        if a and b and a != b and not {a, b} & facts.shared and (claim.by or facts.persons[a] != facts.persons[b]):
            pairs.add(pair_of(a, b))
    if not pairs:
        return False
    return bool(
        await connection.fetchval(
            """SELECT EXISTS (SELECT FROM unnest($1::uuid[], $2::uuid[]) k(a, b)
            WHERE NOT EXISTS (SELECT FROM bond o WHERE (o.a, o.b, o.source) = (k.a, k.b, 'proved'))
                AND NOT EXISTS (SELECT FROM suggestion s WHERE (s.a, s.b) = (k.a, k.b)))""",
            *_columns(list(pairs)),
        )
    )


async def find_bonds(connection: Connection, facts: Facts) -> None:
    """The ledger of everybody who is locked, and what was said of them."""
    own = list(facts.atoms)
    of_them = "WHERE a = ANY($1::uuid[]) UNION SELECT {0} FROM {1} WHERE b = ANY($1::uuid[])"
    for table, columns in LEDGER.items():
        rows = await connection.fetch(f"SELECT {columns} FROM {table} {of_them.format(columns, table)}", own)  # noqa: S608 constants only
        for a, b, *said in rows:
            pair = Pair(a, b)
            match table:
                case "bond":
                    facts.bonds[pair, said[0]] = Bond(pair, *said)
                case "veto":
                    facts.vetoes[pair] = said[0]
                case "suggestion":
                    facts.suggestions[pair] = Suggestion(*said)
    await find_addresses(connection, facts, own)


async def find_addresses(connection: Connection, facts: Facts, customers: list[uuid.UUID]) -> None:
    for home, *address in await connection.fetch(
        "SELECT customer_id, tenant, kind, value FROM identity WHERE customer_id = ANY($1::uuid[])", customers
    ):
        facts.addresses.setdefault(home, []).append(IdentityKey(*address))


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
            """SELECT i.customer_id, b.channel, b.account, b.since, i.kind FROM identity i
            JOIN blocked b ON (b.tenant, b.address) = (i.tenant, i.value) WHERE i.customer_id = ANY($1::uuid[])""",
            list(facts.persons),
        )
        for customer, channel, account, since, kind in rows:
            place = Place(facts.persons[customer], channel, account)
            if kind == identity_kind(channel, account):
                facts.blocked[place] = max(since, facts.blocked.get(place, since))


async def find_consents(connection: Connection, facts: Facts, needs: Needs) -> None:
    """What everybody of these persons has said last of what they want."""
    if needs.consents and facts.persons:
        rows = await connection.fetch(
            """SELECT DISTINCT ON (customer_id, purpose, channel)
                customer_id, purpose, channel, given, at, evidence, said_by FROM consent
            WHERE customer_id = ANY($1::uuid[]) ORDER BY customer_id, purpose, channel, at DESC, given""",
            list(facts.persons),
        )
        facts.consents = {Wish(*row[:3]): Consent(*row[3:]) for row in rows}


async def find_hints(connection: Connection, facts: Facts, needs: Needs) -> None:
    """Where these persons may be, for accounts that mind what time it is there."""
    if any(facts.policy(*place).decent_hours for place in needs.proactive):
        rows = await connection.fetch(
            """SELECT customer_id, kind, value, coalesce(time_zone, profile ->> 'time_zone'), profile ->> 'phone'
            FROM identity WHERE customer_id = ANY($1::uuid[])""",
            list(facts.persons),
        )
        for customer, kind, value, zone, phone in rows:
            facts.hints.setdefault(facts.persons[customer], []).append(Hint(zone, number_of(kind, value) or phone))


async def find_sent(connection: Connection, facts: Facts, needs: Needs) -> None:
    """What these persons were sent, for accounts that count it."""
    if any(facts.policy(*place).caps for place in needs.proactive):
        rows = await connection.fetch(
            "SELECT customer_id, cause, at, purpose FROM proactive WHERE customer_id = ANY($1::uuid[]) AND at > $2",
            list(facts.persons),
            facts.now - LONGEST,
        )
        facts.sent = [Sent(*row) for row in rows]


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
    customers = set(facts.persons)
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
            [one for key in needs.profiles & facts.customers.keys() for one in facts.members(facts.customers[key])],
            BEGUN,
        )
        ids |= {row[0] for row in found}
    if not ids and not customers:
        return
    rows = await connection.fetch(
        f"""SELECT {CONVERSATION}, (SELECT ROW(merged_into, erased_at) FROM customer k WHERE k.id = customer_id) FROM conversation
        WHERE id = ANY($1::uuid[]) OR (customer_id = ANY($2::uuid[]) AND (status = 'open' OR reopens) AND container IS NULL
            AND surface <> 'email')
        ORDER BY id FOR NO KEY UPDATE""",  # noqa: S608 a constant's columns
        list(ids),
        list(customers),
    )
    for *row, whose in rows:
        conversation = _conversation(row)
        person, erased_at = whose or (None, None)
        facts.persons.setdefault(conversation.customer_id, person or conversation.customer_id)
        if erased_at and conversation.container is None:
            conversation.status, conversation.reopens = "erased", False
        facts.load(conversation)


async def find_bad_addresses(connection: Connection, facts: Facts, needs: Needs) -> None:
    """At which of the places that are written to nobody is any more."""
    if not needs.addresses:
        return
    found = {address for one in facts.conversations.values() if (address := addresses.address_of(one))}
    if keys := sorted(found - facts.bad.keys()):
        rows = await connection.fetch(
            """SELECT tenant, kind, value, since, detail FROM bad_address
            JOIN unnest($1::text[], $2::text[], $3::text[]) k(tenant, kind, value) USING (tenant, kind, value)""",
            *_columns(keys),
        )
        facts.bad.update((IdentityKey(*row[:3]), BadAddress(*row[3:])) for row in rows)


def _conversation(row: Sequence[Any]) -> Conversation:
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
        """SELECT message_id, conversation_id, status, request_id, at, attempt, pieces, progress, plan_id FROM sending
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
    """What nobody has seen acknowledged yet in these conversations, and of customers who may become others: all that is below what this batch will allocate."""
    own = [*facts.conversations, *(facts.atoms if facts.reshapes else ())]
    if not own:
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
            own,
        )
    ]
