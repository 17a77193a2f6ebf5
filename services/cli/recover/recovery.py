"""A restored PostgreSQL made fit to go on: sequences above what consumers have seen, sends that may have gone out marked unknown."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aiokafka import TopicPartition

from services.cli.offsets.positions import positions
from services.cli.reading import consumer, headers_of, seek, standing
from services.router.batch.snapshots import mark
from shared.bus import witness
from shared.bus.cloudevents import decode
from shared.bus.produce import Producer
from shared.bus.witness import Seen
from shared.contract.codes import FAMILIES, Family
from shared.contract.deliveries import Amended, Delivery, Order
from shared.contract.errors import Malformed
from shared.contract.records import (
    CONVERSATIONS,
    CUSTOMERS,
    DELIVERY,
    EVENTS,
    REQUESTS,
    ROUTER_GROUP,
    adapter_group,
    inbound_topic,
    outbound_topic,
)
from shared.runtime.settings import Settings
from shared.storage.database import Connection, connect
from shared.storage.migrate import SCHEMAS

AHEAD: Final = 1000  # ticks above the last that Kafka knows: processes may have seen one that it was not told
GRACE: Final = timedelta(seconds=10)  # after an adapter's last tick: it may have sent what came until then
AT_ONCE: Final = 10_000  # conversations that are kept in memory
WHY: Final = "PostgreSQL was restored from an older copy: this may have been sent"
Attempt = tuple[uuid.UUID, int]


@dataclass(frozen=True, kw_only=True)
class Recovered:
    """What was done in one schema. `raised`: conversations; `unknown`, `told`: pieces whose end nobody knows, or Kafka does."""

    schema: str
    raised: int = 0
    unknown: int = 0
    told: int = 0


async def older(settings: Settings) -> dict[str, Seen]:
    """The schemas that are older than what Kafka knows of them, and what it knows. Raises DatabaseUnavailable, KafkaError."""
    found: dict[str, Seen] = {}
    async with connect(settings) as connection:
        for schema in SCHEMAS:
            known = await witness.told(settings, schema)
            if known and known.is_ahead_of(await _stands_at(connection, schema)):
                found[schema] = known
    return found


async def recover(settings: Settings, schemas: dict[str, Seen]) -> list[Recovered]:
    """Each schema in a transaction of its own; what was recovered is told to Kafka last."""
    done = []
    producer = Producer(settings)
    await producer.start()
    try:
        async with connect(settings) as connection:
            for schema, known in schemas.items():
                async with connection.transaction():
                    await connection.execute(f"SET LOCAL search_path TO {schema}")
                    done.append(await _recover(settings, connection, schema, known))
                    row = await connection.fetchrow(
                        "UPDATE witness SET tick = $1 RETURNING id, tick", known.tick + AHEAD
                    )
                await producer.send(witness.record(settings, schema, Seen(row[0], row[1], datetime.now(UTC))))
    finally:
        await producer.stop()
    return done


async def _stands_at(connection: Connection, schema: str) -> Seen:
    async with connection.transaction():
        await connection.execute(f"SET LOCAL search_path TO {schema}")
        return await witness.stands_at(connection)


async def _recover(settings: Settings, connection: Connection, schema: str, known: Seen) -> Recovered:
    if schema == "router":
        return await _recover_router(settings, connection)
    family = next(family for family in FAMILIES if schema == f"{family}_adapter")
    return await _recover_adapter(settings, connection, family, known)


# the router: nothing is numbered twice --------------------------------------------------------------------------------


async def _recover_router(settings: Settings, connection: Connection) -> Recovered:
    seen: dict[uuid.UUID, int] = {}
    raised: set[uuid.UUID] = set()
    for topic, kind in ((CONVERSATIONS, "conversation"), (CUSTOMERS, "customer"), (EVENTS, None)):
        async for record in _each(settings, topic):
            if sequence := headers_of(record).get("ce_sequence"):
                key = uuid.UUID(record.key.decode())
                seen[key] = max(seen.get(key, 0), int(sequence))
            if len(seen) >= AT_ONCE:
                raised |= await _raise(connection, seen, kind)
                seen.clear()
        raised |= await _raise(connection, seen, kind)
        seen.clear()
    await connection.execute("UPDATE source_offset SET epoch = epoch + 1")
    await _stand_at_the_beginning(settings, connection)
    await _read_first(settings, connection)
    return Recovered(schema="router", raised=len(raised))


async def _raise(connection: Connection, seen: dict[uuid.UUID, int], kind: str | None) -> set[uuid.UUID]:
    """The conversations and customers whose next sequence is higher now, and those that the copy does not know. How they are is
    to be told again: what stands on the topic, where they were seen on that of one `kind`, is of what the copy has forgotten.
    """
    raised: set[uuid.UUID] = set()
    for table in ("conversation", "customer"):
        known = await connection.fetch(
            f"""UPDATE {table} c SET last_sequence = n.last_sequence
            FROM unnest($1::uuid[], $2::bigint[]) n(id, last_sequence)
            WHERE c.id = n.id AND c.last_sequence < n.last_sequence RETURNING c.id""",  # noqa: S608 two constants
            list(seen),
            list(seen.values()),
        )
        higher = {row[0] for row in known}
        await mark(connection, table, higher)
        raised |= higher
    forgotten = await connection.fetch(
        """INSERT INTO sequence_floor SELECT * FROM unnest($1::uuid[], $2::bigint[]) n(id, last_sequence)
        WHERE NOT EXISTS (SELECT FROM conversation c WHERE c.id = n.id)
            AND NOT EXISTS (SELECT FROM customer c WHERE c.id = n.id)
        ON CONFLICT (conversation_id) DO UPDATE SET
            last_sequence = greatest(sequence_floor.last_sequence, excluded.last_sequence) RETURNING conversation_id""",
        list(seen),
        list(seen.values()),
    )
    if kind:
        await mark(connection, kind, [row[0] for row in forgotten])
    return raised.union(row[0] for row in forgotten)


async def _stand_at_the_beginning(settings: Settings, connection: Connection) -> None:
    """Where the copy has no position yet, Kafka's own would pass by what was read since."""
    for one in await positions(settings):
        if one.group == ROUTER_GROUP and one.next is None:
            await connection.execute(
                """INSERT INTO source_offset (topic, partition, next_offset, epoch, log_id) VALUES ($1, $2, $3, 1, $4)
                ON CONFLICT (topic, partition) DO UPDATE SET next_offset = excluded.next_offset, log_id = excluded.log_id""",
                one.topic,
                one.partition,
                one.first,
                one.log_id,
            )


async def _read_first(settings: Settings, connection: Connection) -> None:
    """What was asked for stands before what became of it: up to the last record of each input that a reader is given."""
    rows = await connection.fetch("SELECT topic, partition, next_offset FROM source_offset")
    stands = {TopicPartition(row[0], row[1]): max(row[2], 0) for row in rows}
    topics = [settings.topic(name) for name in (REQUESTS, *map(inbound_topic, FAMILIES))]
    async with consumer(settings, topics, isolation_level="read_committed") as reading:
        upto = await _last(reading, stands)
    await connection.execute("DELETE FROM read_first")
    await connection.executemany(
        "INSERT INTO read_first VALUES ($1, $2, $3)",
        [(place.topic, place.partition, end) for place, end in upto.items()],
    )


async def _last(reading: Any, stands: dict[TopicPartition, int]) -> dict[TopicPartition, int]:
    """Behind the last record of each partition that has one from its position on; marks of transactions are none."""
    ends = await seek(reading, beginning=True)
    for place in ends:
        reading.seek(place, max(await reading.position(place), stands.get(place, 0)))
    upto: dict[TopicPartition, int] = {}
    while any([await reading.position(place) < end for place, end in ends.items()]):
        for place, batch in (await reading.getmany(timeout_ms=1000)).items():
            upto[place] = batch[-1].offset + 1
    return upto


# an adapter: nothing is sent twice in silence -------------------------------------------------------------------------


async def _recover_adapter(settings: Settings, connection: Connection, family: Family, known: Seen) -> Recovered:
    async for record in _taken(settings, family, known):
        await _store(connection, record)
    open_ = await connection.fetch("SELECT message_id, attempt FROM send WHERE done_at IS NULL")
    reports: dict[Attempt, dict[int, Delivery]] = {(row[0], row[1]): {} for row in open_}
    async for record in _each(settings, DELIVERY):
        one = _told(_read(record))
        if one and one.message_id and (found := reports.get((one.message_id, one.attempt))) is not None:
            found[one.piece] = one
    told = unknown = 0
    for attempt, found in reports.items():
        told += len(found)
        unknown += await _end(connection, attempt, found)
    await connection.execute(
        "DELETE FROM lane WHERE NOT EXISTS (SELECT FROM send s WHERE s.conversation = lane.conversation AND done_at IS NULL)"
    )
    return Recovered(schema=f"{family}_adapter", unknown=unknown, told=told)


async def _taken(settings: Settings, family: Family, known: Seen) -> AsyncIterator[Any]:
    """Orders that the adapter had taken, or may have: before its own offset, or before its last sign of life."""
    group, topic = adapter_group(family), settings.topic(outbound_topic(family))
    read = {
        TopicPartition(one.topic, one.partition): one.next or 0
        for one in await positions(settings)
        if one.group == group and one.topic == topic
    }
    until = (known.at + GRACE).timestamp() * 1000
    async for record in _each(settings, outbound_topic(family)):
        if record.offset < read.get(TopicPartition(record.topic, record.partition), 0) or record.timestamp <= until:
            yield record


def _told(one: Any) -> Delivery | None:
    """What was told of a send; of a change of one, its end."""
    if not isinstance(one, Amended):
        return one if isinstance(one, Delivery) else None
    order = one.order
    return Delivery(
        tenant=one.tenant,
        channel=one.channel,
        account=one.account,
        peer=one.peer,
        message_id=order.id,
        attempt=order.attempt,
        status="failed" if one.failure else "sent",
        occurred_at=one.occurred_at,
    )


async def _store(connection: Connection, record: Any) -> None:
    message = _read(record)
    if isinstance(message, Order):
        await connection.execute(
            "INSERT INTO send (message_id, attempt, conversation, body, traceparent) VALUES ($1, $2, $3, $4, $5)"
            " ON CONFLICT DO NOTHING",
            message.id,
            message.attempt,
            message.conversation,
            record.value,
            headers_of(record).get("traceparent"),
        )


async def _end(connection: Connection, attempt: Attempt, found: dict[int, Delivery]) -> int:
    """As Kafka tells it; of what it does not tell, nobody knows whether it was sent. How many pieces these are."""
    for piece, one in found.items():
        await connection.execute(
            """INSERT INTO piece (message_id, attempt, piece, pieces, status, external_ids, join_key, settled_at, reported)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, true) ON CONFLICT (message_id, attempt, piece) DO UPDATE SET
                status = excluded.status, external_ids = excluded.external_ids, join_key = excluded.join_key,
                settled_at = excluded.settled_at, reported = true""",
            *attempt,
            piece,
            one.pieces,
            one.status,
            list(one.external_ids),
            one.join_key,
            one.occurred_at,
        )
    pieces = max((one.pieces for one in found.values()), default=1)
    if not any(one.status in {"failed", "expired"} for one in found.values()):
        await connection.execute(
            "INSERT INTO piece (message_id, attempt, piece, pieces) SELECT $1, $2, n, $3 FROM generate_series(0, $3 - 1) n"
            " ON CONFLICT DO NOTHING",
            *attempt,
            pieces,
        )
    unknown = await connection.fetch(
        "UPDATE piece SET status = 'unknown', code = 'unknown', detail = $3, settled_at = now()"
        " WHERE message_id = $1 AND attempt = $2 AND settled_at IS NULL RETURNING 1",
        *attempt,
        WHY,
    )
    await connection.execute("UPDATE send SET done_at = now() WHERE message_id = $1 AND attempt = $2", *attempt)
    return len(unknown)


async def _each(settings: Settings, name: str) -> AsyncIterator[Any]:
    """Each partition in order, and so what is of one message or conversation; a topic may hold more than memory does."""
    async with consumer(settings, [settings.topic(name)]) as reading:
        async for record in standing(reading):
            yield record


def _read(record: Any) -> Any:
    """Its model; None where it is none."""
    try:
        return decode(record).model
    except Malformed:
        return None
