"""What a person leaves is removed behind the batch that erased them: in steps that may be repeated, of a few rows each, for one after the other.

All is found by the customer, whose row says that it is erased before any of this begins: nothing joins it any more.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import orjson
import structlog

from services.router.batch.snapshots import mark
from services.router.retention import REMOVE_NAMES, Retention
from services.router.search.index import Index
from shared.bus.cloudevents import encode
from shared.contract.codes import CHANNELS
from shared.contract.deliveries import Forget
from shared.contract.envelope import derive
from shared.contract.errors import ParleyError
from shared.contract.identities import EVERYWHERE
from shared.contract.records import outbound_topic
from shared.runtime.observe import ERASURES, WALK_FAILURES
from shared.storage.database import Connection, Pool, transaction
from shared.storage.leases import Leases
from shared.storage.walks import BOUND, STEP, rest

Row = Mapping[str, Any]

NAME: Final = "erasures"
TOGETHER: Final = 50  # conversations of one step
LOOK: Final = 1.0  # seconds between two looks, where nothing is to be done or what is must wait
BEGINNING: Final = uuid.UUID(int=0)
GONE: Final = b'{"erased_at":'  # how what is left of an event begins, which no other does
STAYS: Final = frozenset(
    {
        "tenant",
        "conversation",
        "customer",
        "home",
        "sequence",
        "occurred_at",
        "cause",
        "message_id",
        "request_id",
        "trail",
    }
)

log = structlog.get_logger(__name__)


class Erasures:
    """One replica at a time does it, and rests three times as long as it works: the rest is for what is live."""

    def __init__(self, pool: Pool, index: Index, retention: Retention) -> None:
        self._pool, self._index, self._retention = pool, index, retention

    async def run(self) -> None:
        await Leases(self._pool).run(NAME, self._work)

    async def _work(self, _epoch: int) -> None:
        WALK_FAILURES.labels(NAME)
        while True:
            since = time.monotonic()
            try:
                worked = await self.step()
            except ParleyError as error:
                WALK_FAILURES.labels(NAME).inc()
                log.warning("erasing.waiting", error=str(error))
                worked = False
            except Exception:
                WALK_FAILURES.labels(NAME).inc()
                log.exception("erasing.failed")
                worked = False
            await (rest(since) if worked else asyncio.sleep(LOOK))

    async def step(self) -> bool:
        """Something of each that is open, the oldest first, and of the files; whether anything was done."""
        async with transaction(self._pool) as connection:
            count, rows = await connection.fetchval(COUNT), await connection.fetch(OPEN)
        ERASURES.set(count)
        worked = [await self._go_on(row) for row in rows]
        return any([*worked, await self._files()])

    async def _go_on(self, row: Row) -> bool:
        """The next of: orders to adapters; the conversations that were theirs; what they wrote in others'; what names them elsewhere."""
        if row["ordered_at"] is None:
            await self._order(row)
            return True
        if await self._remove(row) or await self._empty(row):
            return True
        async with transaction(self._pool) as connection:
            await connection.execute(BOUND)
            if await connection.fetchval(WAITS, row["customer_id"]):
                return False  # for what is published, or refused, by others
            await self._end(connection, row)
        return True

    async def _order(self, row: Row) -> None:
        """Conversations are closed, adapters told, what was scheduled is due now and refused."""
        customer, addresses = row["customer_id"], row["addresses"]
        async with transaction(self._pool) as connection:
            await connection.execute(BOUND)
            found = await connection.fetch(NEXT, customer, row["ordered_to"] or BEGINNING, TOGETHER)
            own = [one for one in found if one["container"] is None]
            orders = [(one["id"], one["last_sequence"] + 1, one) for one in own]
            await connection.execute(CLOSE, [one["id"] for one in own])
            values = [_forget(row, one["channel"], one["account"], one["peer"], one["id"]) for one in own]
            if row["ordered_to"] is None:
                for kind, address in addresses:
                    channel, _, account = kind.partition(":")
                    if channel in CHANNELS and (account or channel in EVERYWHERE):
                        orders.append((derive("apart", "forget", customer, kind, address), 0, None))
                        values.append(_forget(row, channel, account or None, address))
                    await connection.execute(DUE_ELSEWHERE, row["tenant"], orjson.dumps(address))
            await connection.execute(DUE, [one["id"] for one in own])
            await connection.execute(NO_OTHER_WAY, customer, [one["id"] for one in own])
            await connection.execute(ORDER, *_columns(list(_rows(row, orders, values)), 6))
            is_end = len(found) < TOGETHER
            await connection.execute(ORDERED, customer, found[-1]["id"] if found else BEGINNING, is_end)

    async def _remove(self, row: Row) -> bool:
        """So many rows of the first conversation of theirs alone that is free; the last of them takes it along."""
        async with transaction(self._pool) as connection:
            await connection.execute(BOUND)
            found = await connection.fetchrow(FREE, row["customer_id"])
            if found is None:
                return False
            here = (found["channel"], found["account"])
            gone = await connection.fetch(REMOVE_MESSAGES, found["id"], STEP)
            await _forget_names(connection, row["tenant"], here, list(names_in(gone)))
            await _note_files(connection, row["tenant"], [ref for one in gone for ref in one["files"] or ()])
            if len(gone) == STEP:
                return True
            events = await connection.fetch(REMOVE_EVENTS, found["id"], STEP)
            await _note_files(connection, row["tenant"], [ref for one in events for ref in one["files"] or ()])
            if len(events) == STEP:
                return True
            await _forget_people(connection, row["tenant"], here, [found["peer"]])
            await connection.execute(REMOVE_NAMES, [found["id"]])
            if await connection.fetchval(REMOVE_CONVERSATION, found["id"]):
                await mark(connection, "conversation", [found["id"]])
        return True

    async def _empty(self, row: Row) -> bool:
        """The next of what they wrote where others write too: what is left keeps its number, and says nothing."""
        customer, addresses = row["customer_id"], [address for _, address in row["addresses"]]
        async with transaction(self._pool) as connection:
            await connection.execute(BOUND)
            rows = await connection.fetch(WRITTEN, customer, STEP, GONE)
            named = await connection.fetch(NAMED, customer, TOGETHER)
            if not rows and not named:
                return False
            ids = [one["id"] for one in rows]
            here = sorted({*(one["conversation_id"] for one in rows), *(one["id"] for one in named)})
            await connection.execute(EMPTY_MESSAGES, ids, [emptied(one["body"], row) for one in rows])
            await _note_files(connection, row["tenant"], [ref for one in rows for ref in one["files"] or ()])
            for one in rows:
                await _forget_names(connection, row["tenant"], (one["channel"], one["account"]), list(names_in([one])))
            for conversation in here:
                await self._empty_events(connection, row, conversation, ids, addresses)
            await connection.execute(UNNAME, here, customer)
            await mark(connection, "conversation", here)
        await self._index.look_at(ids, here)
        return True

    async def _empty_events(
        self,
        connection: Connection,
        row: Row,
        conversation: uuid.UUID,
        ids: Sequence[uuid.UUID],
        addresses: Sequence[str],
    ) -> None:
        """Those that are about these messages, or that name the person."""
        found = await connection.fetch(EVENTS, conversation, list(ids), [orjson.dumps(one) for one in addresses], GONE)
        await _note_files(connection, row["tenant"], [ref for one in found for ref in one["files"] or ()])
        await connection.execute(
            EMPTY_EVENTS, conversation, [one["sequence"] for one in found], [emptied(one["body"], row) for one in found]
        )

    async def _end(self, connection: Connection, row: Row) -> None:
        """What was told of them as customers, whom they had stopped, what names them by their address; then it is done."""
        addresses = [address for _, address in row["addresses"]]
        await connection.execute(REMOVE_TOLD, row["customer_id"])
        for other in row["others"]:
            await self._empty_events(connection, row, other, (), addresses)
        for kind, address in row["addresses"]:
            channel, _, account = kind.partition(":")
            await connection.execute(UNBLOCK, row["tenant"], channel, account or None, address)
            await connection.execute(NOT_BAD, row["tenant"], kind, address)
            if account:
                await _forget_people(connection, row["tenant"], (channel, account), [address])
        await connection.execute(NOT_SENT, row["customer_id"])
        await connection.execute(DONE, row["customer_id"])

    async def _files(self) -> bool:
        """The next of their files: put aside where nobody else has them. Who does so later looks again a day after that."""
        async with transaction(self._pool) as connection:
            rows = await connection.fetch("SELECT blob, tenant FROM erased_file ORDER BY blob LIMIT $1", TOGETHER)
        if not rows:
            return False
        for tenant in sorted({row["tenant"] for row in rows}):
            await self._retention.put_aside([row["blob"] for row in rows if row["tenant"] == tenant], tenant)
        async with transaction(self._pool) as connection:
            await connection.execute(
                "DELETE FROM erased_file WHERE blob = ANY($1::text[])", [row["blob"] for row in rows]
            )
        return True


def _rows(
    row: Row, orders: Sequence[tuple[uuid.UUID, int, Row | None]], values: Sequence[Forget]
) -> Iterator[tuple[Any, ...]]:
    """Of the outbox: keyed as whatever else the adapter is told of the same conversation, and behind it."""
    for (key, sequence, _), value in zip(orders, values, strict=True):
        name = derive("apart", "forget", row["customer_id"], key)
        yield key, sequence, outbound_topic(CHANNELS[value.channel]), row["tenant"], name, encode(value)


def _forget(row: Row, channel: str, account: str | None, address: str, conversation: uuid.UUID | None = None) -> Forget:
    return Forget(
        tenant=row["tenant"],
        channel=channel,
        account=account,
        address=address,
        conversation=conversation,
        erased_at=row["erased_at"],
    )


def emptied(body: bytes, row: Row) -> bytes:
    """What is left of an event: where it stands, and since when it says nothing. A message is one still, which nobody wrote."""
    told: Mapping[str, Any] = orjson.loads(body)
    kept = {name: value for name, value in told.items() if name in STAYS}
    if message := told.get("message"):
        where = (
            "id",
            "tenant",
            "channel",
            "account",
            "direction",
            "peer",
            "surface",
            "container",
            "occurred_at",
            "received_at",
        )
        kept["message"] = {name: message[name] for name in where if name in message} | {
            "sender": {"address": "erased"},
            "parts": [{"kind": "unsupported", "type": "erased"}],
        }
    return orjson.dumps({"erased_at": row["erased_at"], **kept}, option=orjson.OPT_UTC_Z, default=str)


def names_in(rows: Iterable[Row]) -> Iterator[str]:
    """What providers call these messages."""
    for row in rows:
        message = orjson.loads(row["body"]).get("message") or {}
        yield from filter(None, (message.get("external_id"), message.get("join_key"), *message.get("external_ids", ())))
        for piece in (row["progress"] or {}).values():
            yield from filter(None, (*piece.get("ids", ()), piece.get("join")))


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]


async def _forget_names(connection: Connection, tenant: str, here: tuple[str, str], names: Sequence[str]) -> None:
    await connection.execute(FORGET_NAMES, tenant, *here, ["message", "join", "answered"], list(names))


async def _forget_people(connection: Connection, tenant: str, here: tuple[str, str], addresses: Sequence[str]) -> None:
    await connection.execute(FORGET_NAMES, tenant, *here, ["person", "brake"], list(addresses))


async def _note_files(connection: Connection, tenant: str, refs: Sequence[str]) -> None:
    await connection.execute(
        "INSERT INTO erased_file SELECT DISTINCT blob, $2 FROM unnest($1::text[]) blob ORDER BY blob ON CONFLICT DO NOTHING",
        list(refs),
        tenant,
    )


COUNT: Final = "SELECT count(*) FROM erasure WHERE done_at IS NULL"
OPEN: Final = "SELECT * FROM erasure WHERE done_at IS NULL ORDER BY noted_at LIMIT 100"
NEXT: Final = """
SELECT id, channel, account, peer, container, last_sequence FROM conversation WHERE customer_id = $1 AND id > $2
ORDER BY id LIMIT $3 FOR NO KEY UPDATE"""
CLOSE: Final = """
UPDATE conversation SET status = 'erased', reopens = false, closed_at = now(), waiting_since = NULL, unread_from = NULL,
    failure = NULL, name = NULL, signed_name = NULL, preview = NULL, subject = NULL WHERE id = ANY($1::uuid[])"""
DUE: Final = """
WITH due AS (UPDATE plan SET due = least(due, now()) WHERE conversation_id = ANY($1::uuid[]) RETURNING id)
UPDATE alarm SET due = least(alarm.due, now()) FROM due WHERE alarm.entity = due.id"""
DUE_ELSEWHERE: Final = """
WITH due AS (UPDATE plan SET due = least(due, now()) WHERE tenant = $1 AND conversation_id IS NULL AND position($2::bytea IN request) > 0
    RETURNING id)
UPDATE alarm SET due = least(alarm.due, now()) FROM due WHERE alarm.entity = due.id"""
NO_OTHER_WAY: Final = """
WITH gone AS (
    DELETE FROM fallback WHERE (ended_at IS NULL AND owners && ARRAY[$1]::uuid[]) OR conversations && $2::uuid[] RETURNING id
)
DELETE FROM alarm a USING gone WHERE a.entity = gone.id"""
ORDER: Final = """
INSERT INTO outbox (conversation_id, sequence, topic, tenant, id, type, value)
SELECT key, sequence, topic, tenant, id, 'outbound.forget', value
FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::uuid[], $6::bytea[]) n(key, sequence, topic, tenant, id, value)
ON CONFLICT DO NOTHING"""
ORDERED: Final = """
UPDATE erasure SET ordered_to = $2, ordered_at = CASE WHEN $3 THEN now() END WHERE customer_id = $1"""
_FREE: Final = """NOT EXISTS (SELECT FROM outbox o WHERE o.conversation_id = c.id)
    AND NOT EXISTS (SELECT FROM plan p WHERE p.conversation_id = c.id)"""
# What is not published yet stands in these tables only; a plan tells its end there.
FREE: Final = f"""
SELECT id, channel, account, peer FROM conversation c WHERE customer_id = $1 AND container IS NULL AND {_FREE}
ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"""  # noqa: S608 constants only
WAITS: Final = """
SELECT EXISTS (SELECT FROM conversation WHERE customer_id = $1 AND container IS NULL)
    OR EXISTS (SELECT FROM outbox WHERE conversation_id = $1)"""
REMOVE_MESSAGES: Final = """
WITH gone AS (
    DELETE FROM message WHERE id IN (SELECT id FROM message WHERE conversation_id = $1 ORDER BY sequence LIMIT $2)
    RETURNING id, body
), words AS (
    DELETE FROM indexed_message i USING gone WHERE i.message_id = gone.id
), sends AS (
    DELETE FROM sending s USING gone WHERE s.message_id = gone.id RETURNING s.message_id, s.progress
)
SELECT body, files_of(body) AS files, progress FROM gone LEFT JOIN sends ON sends.message_id = gone.id"""
REMOVE_EVENTS: Final = """
DELETE FROM event WHERE conversation_id = $1
    AND sequence IN (SELECT sequence FROM event WHERE conversation_id = $1 ORDER BY sequence LIMIT $2)
RETURNING files_of(body) AS files"""
REMOVE_CONVERSATION: Final = """
WITH gone AS (
    DELETE FROM conversation WHERE id = $1 AND NOT EXISTS (SELECT FROM external_ref WHERE conversation_id = $1) RETURNING id
), named AS (
    DELETE FROM indexed_conversation i USING gone WHERE i.conversation_id = gone.id
), alarms AS (
    DELETE FROM alarm a USING gone WHERE a.entity = gone.id
)
SELECT EXISTS (SELECT FROM gone)"""
FORGET_NAMES: Final = """
WITH doomed AS MATERIALIZED (
    SELECT r.kind, r.external_id FROM external_ref r
    WHERE (tenant, channel, account) = ($1, $2, $3) AND kind = ANY($4::text[]) AND external_id = ANY($5::text[])
    ORDER BY kind, external_id FOR UPDATE SKIP LOCKED
)
DELETE FROM external_ref r USING doomed d
WHERE (r.tenant, r.channel, r.account, r.kind, r.external_id) = ($1, $2, $3, d.kind, d.external_id)"""
# Written elsewhere, or where they began and others write too.
WRITTEN: Final = """
SELECT m.id, m.conversation_id, m.body, files_of(m.body) AS files, c.channel, c.account, NULL::jsonb AS progress
FROM (
    (SELECT id, conversation_id, body FROM message WHERE home = $1 AND substring(body FROM 1 FOR 13) <> $3 LIMIT $2)
    UNION ALL
    (SELECT m.id, m.conversation_id, m.body FROM conversation c JOIN message m ON m.conversation_id = c.id
        WHERE c.customer_id = $1 AND c.container IS NOT NULL AND m.home IS NULL AND m.type = 'message.received'
            AND substring(m.body FROM 1 FOR 13) <> $3 LIMIT $2)
) m JOIN conversation c ON c.id = m.conversation_id"""
NAMED: Final = (
    "SELECT id FROM conversation WHERE customer_id = $1 AND container IS NOT NULL AND name IS NOT NULL LIMIT $2"
)
EMPTY_MESSAGES: Final = """
UPDATE message m SET body = n.body FROM unnest($1::uuid[], $2::bytea[]) n(id, body) WHERE m.id = n.id"""
EVENTS: Final = """
SELECT sequence, body, files_of(body) AS files FROM event
WHERE conversation_id = $1 AND substring(body FROM 1 FOR 13) <> $4
    AND (message_id = ANY($2::uuid[]) OR EXISTS (SELECT FROM unnest($3::bytea[]) address WHERE position(address IN body) > 0))"""
EMPTY_EVENTS: Final = """
UPDATE event e SET body = n.body FROM unnest($2::bigint[], $3::bytea[]) n(sequence, body)
WHERE e.conversation_id = $1 AND e.sequence = n.sequence"""
UNNAME: Final = """
UPDATE conversation SET preview = NULL, name = CASE WHEN customer_id <> $2 THEN name END,
    signed_name = CASE WHEN customer_id <> $2 THEN signed_name END
WHERE id = ANY($1::uuid[])"""
REMOVE_TOLD: Final = "DELETE FROM event WHERE conversation_id = $1 AND type <> 'customer.erased'"
UNBLOCK: Final = """
DELETE FROM blocked WHERE tenant = $1 AND channel = $2 AND ($3::text IS NULL OR account = $3) AND address = $4"""
NOT_BAD: Final = "DELETE FROM bad_address WHERE (tenant, kind, value) = ($1, $2, $3)"
NOT_SENT: Final = "DELETE FROM proactive WHERE customer_id = $1"
DONE: Final = """
UPDATE erasure SET done_at = now(), addresses = '[]', others = '{}' WHERE customer_id = $1"""
