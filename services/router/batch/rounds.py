"""When something is due: a round is a time and the ends of all inputs asked after it; once all is read up to those ends, what was due by that time is done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from services.router.batch.service import Router
from services.router.fold.alarms import SHARDS, Fired
from services.router.fold.rules import FIRES
from shared.bus.kafka import connection as kafka
from shared.bus.leaving import leave
from shared.bus.logs import logs_of
from shared.contract.errors import BusUnavailable, DatabaseUnavailable, Misconfigured
from shared.contract.records import REQUESTS, ROUTER_INPUTS
from shared.runtime.lifecycle import Health
from shared.runtime.observe import ALARMS_FAILED, ALARMS_FIRED, ALARMS_HELD, ALARMS_LATE, CLOCKS_APART
from shared.runtime.settings import Settings
from shared.storage.database import Pool, connected

log = structlog.get_logger(__name__)

EVERY: Final = (
    1.0  # seconds between two looks whether something is due; a look costs a hundredth of a millisecond a shard
)
AT_ONCE: Final = 500  # alarms of one transaction
OF_A_SHARD: Final = 50  # candidates, so that one shard's do not hide the others'
AGAIN: Final = 600  # seconds until what broke is tried again
STANDS: Final = 0.05  # seconds between two looks whether all is read
OTHER_LOG: Final = 10.0  # seconds until new ends are asked, where a topic is another log than the one that was read

Place = tuple[str, int]


class End(NamedTuple):
    """What a partition holds: from where, up to where, and in which log."""

    first: int
    end: int
    log_id: str | None


class Ends:
    """Where every input stands on Kafka, asked by a client of its own: the reading one's answer waits behind its long poll.

    What an open transaction holds up counts too: it was acknowledged.
    """

    def __init__(self, settings: Settings, topics: Sequence[str]) -> None:
        self._settings, self._topics = settings, topics
        self._consumer: Any = None

    async def ask(self) -> dict[Place, End]:
        """Raises BusUnavailable."""
        try:
            async with asyncio.timeout(20):
                return await self._ask()
        except (KafkaError, OSError, TimeoutError, Misconfigured) as error:
            await self.close()
            raise BusUnavailable(type(error).__name__) from error

    async def _ask(self) -> dict[Place, End]:
        consumer = await self._started()
        logs = await logs_of(consumer._client, self._topics)
        partitions = await self._partitions()
        firsts = await consumer.beginning_offsets(partitions)
        ends = await consumer.end_offsets(partitions)
        return {(p.topic, p.partition): End(firsts[p], end, logs.get(p.topic)) for p, end in ends.items()}

    async def shards(self, requests: str, mine: Collection[int]) -> list[int]:
        """Those of these partitions of requests. Raises BusUnavailable."""
        try:
            async with asyncio.timeout(20):
                await self._started()
                count = sum(partition.topic == requests for partition in await self._partitions())
        except (KafkaError, OSError, TimeoutError, Misconfigured) as error:
            await self.close()
            raise BusUnavailable(type(error).__name__) from error
        return [shard for shard in range(SHARDS) if shard % max(1, count) in mine]

    async def _started(self) -> Any:
        if self._consumer is None:
            self._consumer = AIOKafkaConsumer(
                **kafka(self._settings), group_id=None, enable_auto_commit=False, isolation_level="read_uncommitted"
            )
            await self._consumer.start()
        return self._consumer

    async def _partitions(self) -> list[TopicPartition]:
        """As Kafka has them: what is not waited for could hold an answer."""
        consumer, found = self._consumer, []
        for topic in self._topics:
            await consumer._client._wait_on_metadata(topic)
            found += [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
        return found

    async def close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await leave(consumer)


class Rounds:
    """Looks after the shards of the requests' partitions that are read here, `mine`. Two who look after the same shard do each
    thing once all the same: they look again under the locks.
    """

    def __init__(
        self, *, settings: Settings, pool: Pool, router: Router, mine: Callable[[], Collection[int]], health: Health
    ) -> None:
        self._pool, self._router, self._mine, self._health = pool, router, mine, health
        self._requests = settings.topic(REQUESTS)
        self._topics = [settings.topic(topic) for topic in ROUTER_INPUTS]
        self._ends = Ends(settings, self._topics)

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                self._health.tick("rounds")
                try:
                    pause = await self.step()
                except (BusUnavailable, DatabaseUnavailable, TimeoutError) as error:
                    log.info("round.waiting", error=str(error))
                    pause = EVERY
                await asyncio.sleep(pause)
        finally:
            await self._ends.close()

    async def step(self) -> float:
        """One round, if something is due; how many seconds until the next look."""
        mine = self._mine()
        if not mine:
            ALARMS_LATE.set(0)
            return EVERY
        shards = await self._ends.shards(self._requests, mine)
        upto, due = await self._look(shards)
        ALARMS_LATE.set(max(0.0, (upto - due).total_seconds()) if due else 0)
        if due is None or due > upto:
            return min(EVERY, (due - upto).total_seconds()) if due else EVERY
        ends = await self._ends.ask()
        if not await self._reached(ends):
            return OTHER_LOG
        await self._do(shards, upto)
        return 0

    async def _look(self, shards: Sequence[int]) -> tuple[datetime, datetime | None]:
        """The time, which is the earlier of two clocks', and when the first thing is due."""
        own = datetime.now(UTC)
        async with connected(self._pool) as connection:
            theirs, due = await connection.fetchrow(FIRST, shards, list(FIRES))
        CLOCKS_APART.set(abs((theirs - own).total_seconds()))
        return min(own, theirs), due

    async def _reached(self, ends: Mapping[Place, End]) -> bool:
        """Wait until all is read up to these ends, however far the inputs go meanwhile. False: one is another log by now, and
        its end says nothing.
        """
        began, loop = asyncio.get_running_loop().time(), asyncio.get_running_loop()
        pause, told = STANDS, set[Place]()
        try:
            while behind := await self._behind(ends):
                self._health.tick("rounds")
                for place in told - behind:
                    ALARMS_HELD.remove(place[0], str(place[1]))
                told = behind
                for topic, partition in behind:
                    ALARMS_HELD.labels(topic, str(partition)).set(loop.time() - began)
                if loop.time() - began > OTHER_LOG and await self._is_other(ends):
                    return False
                await asyncio.sleep(pause)
                pause = min(2 * pause, EVERY)
        finally:
            for topic, partition in told:
                ALARMS_HELD.remove(topic, str(partition))
        return True

    async def _behind(self, ends: Mapping[Place, End]) -> set[Place]:
        """What is not read so far. What was never read stands at its beginning; a place in another log is none."""
        stored = await self._stored()
        return {place for place, end in ends.items() if not _is_read(end, stored.get(place))}

    async def _is_other(self, ends: Mapping[Place, End]) -> bool:
        stored = await self._stored()
        return any(place in stored and stored[place][1] not in {None, end.log_id} for place, end in ends.items())

    async def _stored(self) -> dict[Place, tuple[int, str | None]]:
        async with connected(self._pool) as connection:
            rows = await connection.fetch(
                "SELECT topic, partition, next_offset, log_id FROM source_offset WHERE topic = ANY($1::text[])",
                self._topics,
            )
        return {(row[0], row[1]): (row[2], row[3]) for row in rows}

    async def _do(self, shards: Sequence[int], upto: datetime) -> None:
        """All that was due by then, the oldest first; what is armed anew meanwhile is the next round's."""
        done: set[Fired] = set()
        while found := set(await self._due(shards, upto)) - done:
            await self._fire(sorted(found, key=lambda one: one.key))
            done |= found

    async def _due(self, shards: Sequence[int], upto: datetime) -> list[Fired]:
        async with connected(self._pool) as connection:
            rows = await connection.fetch(DUE, shards, list(FIRES), upto, OF_A_SHARD, AT_ONCE)
        return [Fired(row[0], row[1], upto) for row in rows]

    async def _fire(self, alarms: Sequence[Fired]) -> None:
        """In one transaction; where that breaks, in halves, and what breaks alone is put off, so that it holds nobody up."""
        try:
            published = await self._router.fire(alarms)
        except (BusUnavailable, DatabaseUnavailable, TimeoutError):
            raise
        except Exception as error:  # noqa: BLE001 whatever it is: it is told, and tried again
            if len(alarms) == 1:
                await self._put_off(alarms[0], error)
                return
            middle = len(alarms) // 2
            await self._fire(alarms[:middle])
            await self._fire(alarms[middle:])
            return
        for fired in alarms:
            ALARMS_FIRED.labels(fired.kind).inc()
        while not published.done():
            self._health.tick("rounds")
            await asyncio.wait({published}, timeout=5)

    async def _put_off(self, fired: Fired, error: Exception) -> None:
        ALARMS_FAILED.labels(fired.kind).inc()
        log.error("alarm.failed", kind=fired.kind, entity=str(fired.entity), exc_info=error)
        async with connected(self._pool) as connection:
            await connection.execute(
                "UPDATE alarm SET due = clock_timestamp() + make_interval(secs => $4)"
                " WHERE (entity, kind) = ($1, $2) AND due <= $3",
                *fired.key,
                fired.upto,
                AGAIN,
            )


def _is_read(end: End, stored: tuple[int, str | None] | None) -> bool:
    offset, log_id = stored or (-1, None)
    if offset < 0:
        return end.first >= end.end
    return log_id in {None, end.log_id} and offset >= end.end


FIRST: Final = """
SELECT clock_timestamp(), (SELECT min(found.due) FROM unnest($1::smallint[]) s(shard) CROSS JOIN LATERAL (
    SELECT due FROM alarm WHERE alarm.shard = s.shard AND kind = ANY($2::text[]) ORDER BY due LIMIT 1) found)"""

DUE: Final = """
SELECT found.entity, found.kind FROM unnest($1::smallint[]) s(shard) CROSS JOIN LATERAL (
    SELECT entity, kind, due FROM alarm WHERE alarm.shard = s.shard AND kind = ANY($2::text[]) AND due <= $3
    ORDER BY due LIMIT $4) found
ORDER BY found.due LIMIT $5"""
