"""Where every consumer group stands in every partition it reads, against what the log still holds."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import stamina
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    CommitFailedError,
    GroupCoordinatorNotAvailableError,
    IllegalGenerationError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)

from services.cli.reading import SECONDS, consumer
from shared.bus.halts import GOES_ON, Halt, halt_of, halts_group, tell
from shared.bus.joining import start
from shared.bus.kafka import connection
from shared.bus.logs import logs_of
from shared.contract.codes import FAMILIES
from shared.contract.records import (
    ROUTER_GROUP,
    ROUTER_INPUTS,
    adapter_group,
    afterwards_group,
    inbound_topic,
    outbound_topic,
)
from shared.runtime.settings import Settings
from shared.storage.database import connect

MEMBERS_ARE_ALIVE: Final = (
    CommitFailedError,
    IllegalGenerationError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)


@dataclass(frozen=True, kw_only=True)
class Position:
    """One partition of one group. `next`: what it reads next, None before its first start; `first`, `end`: the log's.

    `fails`: why it stands still there, over records that fail. `log_id` is Kafka's id of the topic as it is now, `kept_log_id` of the one that `next` is a place of, where that is known.
    """

    group: str
    topic: str
    partition: int
    next: int | None
    first: int
    end: int
    missing_from: int | None = None
    missing_to: int | None = None
    log_id: str | None = None
    kept_log_id: str | None = None
    fails: str | None = None

    @property
    def is_elsewhere(self) -> bool:
        """Whether what is kept is no place of this log: the topic was made anew, or is another cluster's."""
        return self.next is not None and (self.next > self.end or self.kept_log_id not in {None, self.log_id})

    @property
    def gone(self) -> int:
        """How many records were deleted before they were read."""
        return 0 if self.next is None or self.is_elsewhere else max(0, self.first - self.next)

    @property
    def lag(self) -> int:
        """How many of those that are there were not read yet."""
        unknown = self.next is None or self.is_elsewhere
        return self.end - (self.first if unknown else max(self.first, self.next or 0))


def consumed() -> Iterator[tuple[str, str]]:
    """Each group that keeps its offsets in Kafka, with the topic it reads; the router keeps its own in PostgreSQL."""
    for family in FAMILIES:
        yield adapter_group(family), outbound_topic(family)
        yield afterwards_group(family), inbound_topic(family)


async def positions(settings: Settings) -> list[Position]:
    """The router's partitions, then the adapters'. Raises KafkaError, PostgresError, OSError."""
    stored = await _of_router(settings)
    kept, halts = await _of_groups(settings)
    topics = {topic for _, topic in consumed()} | set(ROUTER_INPUTS)
    async with consumer(settings, map(settings.topic, topics)) as reading, asyncio.timeout(SECONDS):
        places = sorted(reading.assignment())
        firsts, ends = await reading.beginning_offsets(places), await reading.end_offsets(places)
        logs = await logs_of(reading._client, sorted({place.topic for place in places}))
    pairs = [(ROUTER_GROUP, topic) for topic in ROUTER_INPUTS] + list(consumed())
    return [
        _position(
            Position(
                group=group,
                topic=place.topic,
                partition=place.partition,
                next=None,
                first=firsts[place],
                end=ends[place],
                log_id=logs[place.topic],
            ),
            (stored if group == ROUTER_GROUP else kept[group]).get(place),
            halt_of(halts[group].get(place)),
        )
        for group, topic in pairs
        for place in places
        if place.topic == settings.topic(topic)
    ]


def _position(log: Position, kept: tuple[Any, ...] | None, halt: Halt | None) -> Position:
    if kept is None or kept[0] < 0:
        return log
    stands, missing_from, missing_to, log_id = kept
    stops = halt is not None and not halt.goes_on and (halt.offset, halt.log_id) == (stands, log.log_id)
    return replace(
        log,
        next=stands,
        missing_from=missing_from,
        missing_to=missing_to,
        kept_log_id=log_id,
        fails=halt.why if halt and stops else None,
    )


async def _of_router(settings: Settings) -> dict[Any, tuple[Any, ...]]:
    async with connect(settings) as connection:
        rows = await connection.fetch(
            "SELECT topic, partition, next_offset, missing_from, missing_to, log_id FROM router.source_offset"
        )
    return {TopicPartition(row[0], row[1]): tuple(row[2:]) for row in rows}


async def _of_groups(settings: Settings) -> tuple[dict[str, dict[Any, tuple[Any, ...]]], dict[str, dict[Any, Any]]]:
    """Where each group is, and where it has said that it stands still."""
    admin = AIOKafkaAdminClient(**connection(settings))
    try:
        await start(admin, settings, seconds=SECONDS)
        async with asyncio.timeout(SECONDS):
            groups = [group for group, _ in consumed()]
            offsets = {group: await _of_group(admin, settings.topic(group)) for group in groups}
            halts = {g: await _of_group(admin, settings.topic(halts_group(g))) for g in (ROUTER_GROUP, *groups)}
    finally:
        await admin.close()
    places = {
        group: {place: (kept.offset, None, None, kept.metadata or None) for place, kept in found.items()}
        for group, found in offsets.items()
    }
    return places, halts


@stamina.retry(on=GroupCoordinatorNotAvailableError, attempts=20, timeout=SECONDS, wait_max=1)
async def _of_group(admin: Any, group: str) -> dict[Any, Any]:
    """A cluster makes the topic of its groups' offsets when it is asked for the first time: that takes a moment."""
    found: dict[Any, Any] = await admin.list_consumer_group_offsets(group)
    return found


async def go_on(settings: Settings, one: Position) -> None:
    """What fails of the records that are there now is set aside."""
    place = TopicPartition(one.topic, one.partition)
    await tell(settings, one.group, place, Halt(one.end, one.log_id or "", GOES_ON))


async def skip(settings: Settings, one: Position) -> bool:
    """Go on at the log's beginning; False where the group moved meanwhile, or is running and keeps its own offset."""
    return await (_skip_router(settings, one) if one.group == ROUTER_GROUP else _skip_group(settings, one))


async def _skip_router(settings: Settings, one: Position) -> bool:
    """The range from the first record that was ever missing in this log to the last stays noted."""
    async with connect(settings) as connection:
        done: str = await connection.execute(
            """UPDATE router.source_offset SET next_offset = $4::bigint, epoch = epoch + 1, log_id = $5,
                missing_from = CASE WHEN $6 THEN coalesce(missing_from, $3) ELSE missing_from END,
                missing_to = CASE WHEN $6 THEN $4::bigint - 1 ELSE missing_to END
            WHERE topic = $1 AND partition = $2 AND next_offset = $3""",
            one.topic,
            one.partition,
            one.next,
            one.first,
            one.log_id,
            bool(one.gone),
        )
    return done == "UPDATE 1"


async def _skip_group(settings: Settings, one: Position) -> bool:
    """Kafka takes an offset from outside only while the group has no members."""
    place = TopicPartition(one.topic, one.partition)
    group = AIOKafkaConsumer(**connection(settings), group_id=settings.topic(one.group), enable_auto_commit=False)
    try:
        await start(group, settings, seconds=SECONDS)
        async with asyncio.timeout(SECONDS):
            group.assign([place])
            await group.commit({place: (one.first, one.log_id or "")})
    except MEMBERS_ARE_ALIVE:
        return False
    finally:
        async with asyncio.timeout(SECONDS):
            await group.stop()
    return True
