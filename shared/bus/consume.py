"""Batches of one partition at a time, each with an owner, an epoch, and a way round a record that cannot be handled."""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from traceback import format_exception
from types import SimpleNamespace
from typing import Any, Final, Protocol

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import IllegalStateError, KafkaError, KafkaTimeoutError, OffsetOutOfRangeError

from shared.bus.cloudevents import In, Out, decode, unread
from shared.bus.halts import Halt, tell
from shared.bus.kafka import connection
from shared.bus.leaving import leave
from shared.bus.logs import logs_of
from shared.bus.poison import Failures
from shared.bus.produce import Producer
from shared.contract.codes import Failure
from shared.contract.errors import (
    BusUnavailable,
    DatabaseUnavailable,
    Fenced,
    Gap,
    Malformed,
    OtherLog,
    ParleyError,
    Poison,
    TooLarge,
)
from shared.contract.records import RECORD_LIMIT, REQUESTS
from shared.runtime.lasting import Ended, spawn
from shared.runtime.lifecycle import STALLED, Health
from shared.runtime.observe import DEAD_LETTERED, LAG, RECORDS_IN, STOPPED
from shared.runtime.settings import Settings
from shared.runtime.sharing import Shared
from shared.storage.sqlstates import Meaning, meaning

log = structlog.get_logger(__name__)

VERSION: Final = b"0.1.0"
HEARTBEAT: Final = 1.0  # seconds; who leaves is missed that long
ENDING: Final = 5.0  # seconds that a batch may take to end once its partition is no longer ours
LOOK_AGAIN: Final = 10.0  # seconds after which a partition that stands still is looked at again


class Owner(Protocol):
    """Who keeps the position of a partition and makes its batches durable."""

    async def claim(self, topic: str, partition: int, log_id: str) -> int | None:
        """Become the owner: fence the one before, finish what it left, say where to go on. None: the group's own offset.

        Raises OtherLog where its position belongs to another log than this one.
        """

    async def handle(self, topic: str, partition: int, records: Sequence[In], start: int, end: int) -> None:
        """Make the records of offsets [start, end) durable; some may be missing, having been dead-lettered.

        Raises Fenced when another owner has taken over, DatabaseUnavailable when it should be tried again; any other
        error means that a record in it cannot be handled, and the batch is halved until that one is alone.
        """


class Reader(ConsumerRebalanceListener):  # type: ignore[misc]
    """Reads topics as one member of a group and gives each partition's records, in order, to the owner.

    `topics`, `group`: names without the prefix. One stranger's record never stops a partition: what cannot be decoded or
    handled goes to `<topic>.<group>.dlq` byte for byte, awaited, and the partition goes on behind it. Where one after the
    other fails, it is us, and the partition stands still. Not `hurried`: a record may wait a tenth of a second for others,
    at any rate of traffic: a fetch costs as much as many records.

    While the group agrees anew nobody stops: what a member keeps it reads on, what it loses it reads until it hears so, since
    the next owner's claim fences it, or what both make durable is one. (aiokafka knows only the eager way, KIP-429.)
    """

    def __init__(
        self,
        *,
        settings: Settings,
        topics: Sequence[str],
        group: str,
        owner: Owner,
        producer: Producer,
        health: Health,
        batch: int = 500,
        wanted: Callable[[Any], bool] = lambda _record: True,
        hurried: bool = True,
    ) -> None:
        self._settings, self._owner, self._producer, self._health = settings, owner, producer, health
        self._topics = [settings.topic(topic) for topic in topics]
        self._group, self._batch, self._wanted, self._hurried = group, batch, wanted, hurried
        self._consumer: Any = None
        self._tasks: dict[TopicPartition, asyncio.Task[None]] = {}
        self._positions: dict[TopicPartition, int] = {}
        self._moved: dict[TopicPartition, float] = {}
        self._former: dict[TopicPartition, asyncio.Task[None]] = {}
        self._seated: set[TopicPartition] = set()
        self._untold: set[TopicPartition] = set()
        self._agreeing = self._ending = False
        self._failed: asyncio.Future[None] | None = None
        self._reading: set[TopicPartition] = set()
        self._wary: set[TopicPartition] = set()
        self._committed: dict[TopicPartition, int] = {}
        self._running: asyncio.Task[object] | None = None
        self._waiting: dict[TopicPartition, str] = {}
        self._stopped: dict[TopicPartition, Gap] = {}
        self._failures: defaultdict[TopicPartition, Failures] = defaultdict(
            lambda: Failures(settings.failures_in_a_row)
        )
        self._logs: dict[TopicPartition, str] = {}
        self._current_logs: dict[str, str] = {}
        self._ask_logs = Shared(self._find_logs)
        self.assigned_once = False
        health.warned[f"{group} stands still"] = lambda: self.stopped

    # the consumer's life ---------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Read until cancelled. A consumer cannot be started twice, so after an error a new one is made."""
        pause = 0.5
        while True:
            started = time.monotonic()
            try:
                await self._read()
            except (KafkaError, OSError, TimeoutError, IllegalStateError) as error:
                log.warning("consumer.failed", group=self._group, error=repr(error))
            finally:
                await self._close()
            pause = 0.5 if time.monotonic() - started > 60 else min(2 * pause, 10.0)
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))

    def begin(self, running: asyncio.Task[object]) -> None:
        """The task that `run` runs in, for `stop`."""
        self._running = running

    async def stop(self) -> None:
        """End in order: the batches under way, the offsets, the membership."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait({self._running}, timeout=self._settings.drain_seconds)

    async def _read(self) -> None:
        self._failed = asyncio.get_running_loop().create_future()
        self._agreeing = self._ending = False
        self._consumer = AIOKafkaConsumer(
            **connection(self._settings),
            group_id=self._settings.topic(self._group),
            group_instance_id=self._settings.instance or None,
            auto_offset_reset="none",
            enable_auto_commit=False,
            isolation_level="read_committed",  # what another system took back by aborting was never asked for
            session_timeout_ms=int(self._settings.session_seconds * 1000),
            heartbeat_interval_ms=int(min(HEARTBEAT, self._settings.session_seconds / 3) * 1000),
            max_poll_interval_ms=600_000,
            max_partition_fetch_bytes=RECORD_LIMIT + 64 * 1024,
            fetch_max_wait_ms=500 if self._hurried else 100,
            fetch_min_bytes=1 if self._hurried else 512 * 1024,
            partition_assignment_strategy=(RoundRobinPartitionAssignor,),
        )
        async with asyncio.timeout(20):
            await self._consumer.start()
        self._consumer.subscribe(self._topics, listener=self)
        watch = spawn(self._watch(), f"{self._group} watch")
        try:
            await asyncio.wait({watch, self._failed}, return_when=asyncio.FIRST_COMPLETED)
            for ended in (watch, self._failed):
                if ended.done():
                    ended.result()
        finally:
            watch.cancel()

    async def _close(self) -> None:
        self._ending = True
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=ENDING)
        await self._commit()
        for partition in tuple(self._tasks):
            self._let_go(partition, 0)
        consumer, self._consumer = self._consumer, None
        if consumer is not None:  # who has a name would not leave, and its partitions would stand for a session
            consumer._coordinator._group_instance_id = None
        if consumer is not None and not await leave(consumer):
            log.warning("consumer.abandoned", group=self._group)

    # rebalance: aiokafka logs and swallows what these raise, so they only start and stop tasks --------------------------

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """The group agrees anew; until it has, all is read on, which aiokafka would hold back."""
        if self._consumer is None:  # it is being closed
            return
        self._consumer._subscription.subscription._reassignment_in_progress = False
        await self._commit()
        self._agreeing = True

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """First of all pause: aiokafka hands out records of new partitions before this callback has ended (#738).

        It has forgotten where those stood that we keep.
        """
        if self._consumer is None:
            return
        self._consumer.pause(*assigned)
        self.assigned_once, self._agreeing = True, False
        self._committed.clear()
        for partition in self._tasks.keys() - assigned:
            self._let_go(partition, ENDING)
        for partition in assigned:
            if partition in self._seated:
                self._consumer.seek(partition, self._positions[partition])
                self._consumer.resume(partition)
            elif partition not in self._tasks:
                self._start(partition)

    def _start(self, partition: TopicPartition) -> None:
        self._positions.pop(partition, None)  # where it stood when it was ours before
        task = spawn(self._follow(partition), f"{self._group} {partition.topic}")
        self._tasks[partition] = task
        task.add_done_callback(lambda task: self._followed(partition, task))

    def _followed(self, partition: TopicPartition, task: asyncio.Task[None]) -> None:
        """A partition that nobody follows any more, though it is ours, ends the reading, whatever was the reason."""
        error = None if task.cancelled() else task.exception()
        if self._former.get(partition) is task:
            del self._former[partition]
        if partition not in self._tasks:
            self._forget(partition)
        if self._tasks.get(partition) is not task:
            log.info(
                "partition.left", topic=partition.topic, partition=partition.partition, error=error and repr(error)
            )
            return
        if error is None and task.cancelled() and not task.cancelling():
            error = Ended(self._loop_name(partition))
        if error and self._failed and not self._failed.done():
            self._failed.set_exception(error)

    def _let_go(self, partition: TopicPartition, seconds: float) -> None:
        """Let the batch that is under way end, within so many seconds; what is torn is rolled back or stands in the outbox."""
        task = self._former[partition] = self._tasks.pop(partition)
        self._seated.discard(partition)
        self._forget(partition)
        self._no_longer_measured(partition)
        if task.done():
            del self._former[partition]
        asyncio.get_running_loop().call_later(seconds, task.cancel)

    def _forget(self, partition: TopicPartition) -> None:
        self._health.forget(self._loop_name(partition))
        self._waiting.pop(partition, None)
        self._no_longer_stopped(partition)

    def _is_mine(self, partition: TopicPartition) -> bool:
        """Whether it is still this task that is to read it."""
        return not self._ending and self._tasks.get(partition) is asyncio.current_task()

    def _loop_name(self, partition: TopicPartition) -> str:
        return f"{self._group} {partition.topic} {partition.partition}"

    # one partition -----------------------------------------------------------------------------------------------------

    async def _follow(self, partition: TopicPartition) -> None:
        """Claim, read, and begin again from the stored position after whatever passes."""
        pause = 0.2
        if former := self._former.get(partition):  # it was ours a moment ago
            await asyncio.wait({former})
        while self._is_mine(partition):
            before = self._positions.get(partition)
            try:
                await self._claim(partition)
                await self._follow_claimed(partition)
            except Fenced:
                log.info("partition.fenced", topic=partition.topic, partition=partition.partition)
                await asyncio.sleep(HEARTBEAT)
            except OffsetOutOfRangeError:
                await asyncio.sleep(1)  # the next claim says why
            except IllegalStateError:
                await asyncio.sleep(0.2)  # it is no longer assigned, as we are about to be told
            except Gap as error:
                await self._stand_still(partition, error)
            except (BusUnavailable, DatabaseUnavailable, TimeoutError) as error:
                log.warning("partition.waiting", topic=partition.topic, partition=partition.partition, error=str(error))
                pause = 0.2 if self._positions.get(partition) != before else min(2 * pause, 5.0)
                if self._is_mine(partition):
                    self._waiting[partition] = str(error)
                    self._health.tick(self._loop_name(partition))
                    await asyncio.sleep(pause * random.uniform(0.5, 1.5))

    async def _stand_still(self, partition: TopicPartition, error: Gap) -> None:
        """Not a record further; now and then look whether a person has mended or accepted it."""
        if isinstance(error, Poison) and await self._goes_on(partition, error):
            return
        known = self._stopped.get(partition)
        if known is None or known.reason != error.reason:
            self._no_longer_stopped(partition)
            STOPPED.labels(partition.topic, self._group, error.reason).inc()
            log.error("partition.stopped", topic=partition.topic, partition=partition.partition, error=str(error))
        self._stopped[partition] = error
        until = time.monotonic() + LOOK_AGAIN
        while self._is_mine(partition) and time.monotonic() < until:
            self._health.tick(self._loop_name(partition))
            await asyncio.sleep(1)

    async def _goes_on(self, partition: TopicPartition, error: Poison) -> bool:
        """Whether a person has said that what fails here is set aside; else it is told to whoever looks (`parley doctor`)."""
        why = error.detail.partition(": ")[2]
        said = Halt(self._positions[partition], self._logs[partition], why)
        try:
            stands = await tell(self._settings, self._group, partition, said)
        except (KafkaError, BusUnavailable, TimeoutError, OSError) as trouble:
            log.info("halt.untold", topic=partition.topic, partition=partition.partition, error=repr(trouble))
            return False
        if goes_on := stands.goes_on and self._failures[partition].accept(stands.offset):
            self._no_longer_stopped(partition)
        return goes_on

    def _no_longer_stopped(self, partition: TopicPartition) -> None:
        """It goes on, or somebody else has it now, who says so itself."""
        if error := self._stopped.pop(partition, None):
            STOPPED.labels(partition.topic, self._group, error.reason).dec()

    def _no_longer_measured(self, partition: TopicPartition) -> None:
        """Its lag is told by whoever has it now; a last value that stays for ever would be an alarm that stays."""
        LAG.remove(partition.topic, str(partition.partition), self._group)

    async def _claim(self, partition: TopicPartition) -> None:
        """Pause, fence, find the position, seek, resume: no record is seen before the position is ours."""
        self._seated.discard(partition)
        self._consumer.pause(partition)
        log_id = await self._log_of(partition.topic)
        position = await self._owner.claim(partition.topic, partition.partition, log_id)
        if position is None:
            self._untold.add(partition)
            position = await self._committed_position(partition, log_id)
        position = await self._check_place(partition, position)
        if not self._is_mine(partition):
            return
        self._consumer.seek(partition, position)
        self._positions[partition], self._moved[partition] = position, time.monotonic()
        self._logs[partition] = log_id
        self._consumer.resume(partition)
        self._seated.add(partition)
        self._waiting.pop(partition, None)
        if not isinstance(self._stopped.get(partition), Poison):  # that ends where a record can be handled
            self._no_longer_stopped(partition)

    async def _log_of(self, topic: str) -> str:
        """The id of the log that the topic is now. Raises BusUnavailable."""
        await self._ask_logs()
        if topic not in self._current_logs:
            raise BusUnavailable(f"{topic} is not there: run `parley topics apply`")
        return self._current_logs[topic]

    async def _find_logs(self) -> None:
        try:
            async with asyncio.timeout(20):
                self._current_logs = await logs_of(self._consumer._client, self._topics)
        except (KafkaError, OSError) as error:
            raise BusUnavailable(type(error).__name__) from error

    async def _committed_position(self, partition: TopicPartition, log_id: str) -> int | None:
        """The group's own, None where it has none; the log that it belongs to is committed with it. Raises OtherLog."""
        async with asyncio.timeout(20):
            found = await self._consumer._coordinator.fetch_committed_offsets([partition])
        kept = found.get(partition)
        if kept is None or kept.offset < 0:
            return None
        if kept.metadata not in {"", log_id}:
            raise OtherLog(f"{partition.topic}/{partition.partition}: {kept.offset} is a place in log {kept.metadata}")
        return int(kept.offset)

    async def _check_place(self, partition: TopicPartition, position: int | None) -> int:
        """The position, or the log's beginning where there is none. Raises Gap, OtherLog where the log has no such place.

        Only retention moves the beginning: offsets that are left out behind it are the marks of a transaction.
        """
        async with asyncio.timeout(20):
            first: int = (await self._consumer.beginning_offsets([partition]))[partition]
            end: int = (await self._consumer.end_offsets([partition]))[partition]
        if position is None:
            return first
        if position < first:
            raise Gap(f"{partition.topic}/{partition.partition}: {position}..{first - 1} are gone")
        if position > end:
            raise OtherLog(f"{partition.topic}/{partition.partition}: {position} lies behind the log's end, {end}")
        return position

    async def _follow_claimed(self, partition: TopicPartition) -> None:
        while self._is_mine(partition):
            self._reading.add(partition)
            found = await self._fetch(partition)
            self._reading.discard(partition)
            if not self._is_mine(partition):
                return
            self._health.tick(self._loop_name(partition))
            self._check_log(partition)
            start = self._positions[partition]
            records = [one for one in found if one.offset >= start]  # what was under way when we kept it comes again
            if not found:
                await self._rest(partition, start)
            if not records:
                continue
            end = records[-1].offset + 1
            if records[0].offset != start:
                await self._check_place(partition, start)
            await self._take(partition, records, start)
            self._positions[partition], self._moved[partition] = end, time.monotonic()
            self._waiting.pop(partition, None)
            RECORDS_IN.labels(partition.topic).inc(len(records))

    async def _rest(self, partition: TopicPartition, start: int) -> None:
        """All that is given has been taken, and behind it stand the marks of transactions, which are given to nobody: the owner
        keeps the position behind them, so that who asks whether all is read finds it at the end.
        """
        position = await self._consumer.position(partition)
        if position > start or partition in self._untold:
            await self._owner.handle(partition.topic, partition.partition, (), start, position)
            self._untold.discard(partition)
            self._positions[partition] = position

    def _check_log(self, partition: TopicPartition) -> None:
        """Raises OtherLog where the topic was made anew since its partition was claimed."""
        mine = self._logs[partition]
        if (now := self._current_logs.get(partition.topic, mine)) != mine:
            raise OtherLog(f"{partition.topic}/{partition.partition}: log {mine} has become {now}")

    async def _fetch(self, partition: TopicPartition) -> Sequence[Any]:
        """The next records, in batches; one by one where aiokafka cannot read one among them, a header's name as it seems."""
        most = 1 if partition in self._wary else self._batch
        try:
            found = await self._consumer.getmany(partition, timeout_ms=500, max_records=most)
        except UnicodeDecodeError as error:
            if partition in self._wary:
                await self._pass_by(partition, error)
            self._wary ^= {partition}
            return ()
        return tuple(found.get(partition, ()))

    async def _pass_by(self, partition: TopicPartition, error: Exception) -> None:
        """Dead-letter by its place what cannot be read at all, and go on behind it."""
        at = self._positions[partition]
        place = SimpleNamespace(topic=partition.topic, partition=partition.partition, offset=at, timestamp=-1)
        await self._dead_letter_by_place(place, error)
        await self._owner.handle(partition.topic, partition.partition, (), at, at + 1)
        self._consumer.seek(partition, at + 1)
        self._positions[partition], self._moved[partition] = at + 1, time.monotonic()

    async def _take(self, partition: TopicPartition, records: Sequence[Any], start: int) -> None:
        """In order: what can be decoded is handed over, what cannot is set aside once all before it is durable."""
        good: list[In] = []
        raw = {record.offset: record for record in records}
        for record in records:
            if not self._wanted(record):
                continue
            try:
                good.append(decode(record))
            except Malformed as error:
                await self._handle(partition, good, raw, start, record.offset)
                start, good = record.offset, []
                self._failures[partition].note(record, error, is_ours=not self._is_open(record.topic))
                await self._dead_letter(record, error)
                good += self._asked(record, error)
        await self._handle(partition, good, raw, start, records[-1].offset + 1)

    def _is_open(self, topic: str) -> bool:
        """Whether others than our own services write there."""
        return topic == self._settings.topic(REQUESTS)

    def _asked(self, record: Any, error: Exception) -> list[In]:
        """In the place of a request that was set aside for what it says, its Failure, so that whoever asked is told.

        Of a fault of ours nothing is told: once that is mended, the request is replayed and carried out.
        """
        of_its_own = isinstance(error, Malformed) or meaning(error) is Meaning.RECORD
        asked = unread(record, error) if of_its_own and self._is_open(record.topic) else None
        return [asked] if asked else []

    async def _handle(
        self,
        partition: TopicPartition,
        records: Sequence[In],
        raw: dict[int, Any],
        start: int,
        end: int,
        *,
        tried: bool = False,
    ) -> None:
        """Halve until the record that cannot be handled is alone, and try that one once more before it is set aside."""
        try:
            if start < end:
                await self._owner.handle(partition.topic, partition.partition, records, start, end)
                self._passed(partition, records, end)
        except (Fenced, BusUnavailable, DatabaseUnavailable, TimeoutError):
            raise
        except Exception as error:
            if not records:
                raise
            if len(records) == 1 and not tried:
                await asyncio.sleep(0.2)
                await self._handle(partition, records, raw, start, end, tried=True)
                return
            if len(records) == 1:
                record = raw[records[0].offset]
                self._failures[partition].note(record, error, is_ours=False)
                await self._dead_letter(record, error)
                is_told = isinstance(records[0].model, Failure)
                await self._handle(partition, () if is_told else self._asked(record, error), raw, start, end)
                return
            log.warning("batch.halved", topic=partition.topic, records=len(records), error=repr(error))
            middle = len(records) // 2
            cut = records[middle].offset
            await self._handle(partition, records[:middle], raw, start, cut)
            await self._handle(partition, records[middle:], raw, cut, end)

    def _passed(self, partition: TopicPartition, handled: Sequence[In], end: int) -> None:
        """All before `end` is durable: what stops behind it begins there again."""
        self._positions[partition] = end
        if any(not isinstance(record.model, Failure) for record in handled):
            self._failures[partition].end()
            self._no_longer_stopped(partition)

    async def _dead_letter(self, record: Any, error: Exception) -> None:
        """Key, value and headers untouched; why and from where beside them."""
        log.warning(
            "record.dead_lettered",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            traceback=None
            if isinstance(error, ParleyError)
            else "".join(format_exception(error, limit=-8, chain=False)),
        )
        reasons = dead_letter_headers(record, self._group, error)
        value = b"" if record.key is None and record.value is None else record.value
        try:
            await self._producer.send(Out(self._dead_letters(record), record.key, value, [*record.headers, *reasons]))
        except TooLarge:  # it was compressed, and no topic holds it unpacked
            await self._dead_letter_by_place(record, error)
            return
        DEAD_LETTERED.labels(record.topic, getattr(error, "code", "unknown")).inc()

    async def _dead_letter_by_place(self, record: Any, error: Exception) -> None:
        """Only where it stands: the record itself cannot be read or kept."""
        reasons = [*dead_letter_headers(record, self._group, error), ("dlq-omitted", b"true")]
        await self._producer.send(Out(self._dead_letters(record), b"", b"", reasons))
        log.warning(
            "record.omitted",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            why=type(error).__name__,
        )
        DEAD_LETTERED.labels(record.topic, getattr(error, "code", "unknown")).inc()

    def _dead_letters(self, record: Any) -> str:
        return f"{record.topic}.{self._group}.dlq"

    async def _commit(self) -> None:
        """Only lag metrics, autoscalers and owners without a store read it: a commit that fails is made up by the next."""
        offsets = {p: at for p, at in self._positions.items() if p in self._tasks and self._committed.get(p) != at}
        told = {p: (at, self._logs[p]) for p, at in offsets.items()}
        if not offsets or self._consumer is None or self._agreeing:
            return
        try:
            async with asyncio.timeout(5):
                await self._consumer.commit(told)
            self._committed |= offsets
        except (KafkaError, TimeoutError, IllegalStateError) as error:
            log.info("commit.failed", group=self._group, error=repr(error))

    # watching ----------------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Commit every second, and look whether a topic was made anew; now and then, whether what is there comes (#1154)."""
        while True:
            for _ in range(10):
                await asyncio.sleep(1)
                await self._commit()
                with suppress(BusUnavailable, TimeoutError):
                    await self._log_of(self._topics[0])
            await self._measure()

    async def _measure(self) -> None:
        mine = [partition for partition in self._tasks if partition in self._positions]
        if not mine:
            return
        async with asyncio.timeout(30):
            ends = await self._consumer.end_offsets(mine)
        for partition, end in ends.items():
            if partition not in self._tasks:
                continue
            idle = (
                partition in self._reading
            )  # then what is left may be the marks of transactions, which nobody is given
            try:
                lag = max(0, end - (await self._consumer.position(partition) if idle else self._positions[partition]))
            except IllegalStateError:  # it is no longer assigned, as we are about to be told
                continue
            LAG.labels(partition.topic, str(partition.partition), self._group).set(lag)
            silent = time.monotonic() - self._moved[partition]
            if lag and idle and silent > STALLED:
                raise KafkaTimeoutError(f"{partition.topic}/{partition.partition}: {lag} records do not come")

    def seated(self, topic: str) -> set[int]:
        """The partitions of a topic (its name without the prefix) that are read here at the moment."""
        return {one.partition for one in self._seated if one.topic == self._settings.topic(topic)}

    @property
    def trouble(self) -> str | None:
        """Why this reader is not ready; None while it is."""
        return None if self.assigned_once else "no partitions assigned yet"

    @property
    def waiting(self) -> str | None:
        """What a partition waits for, such as a database that is away; None while all are read."""
        return next(iter(self._waiting.values()), None)

    @property
    def stopped(self) -> str | None:
        """Why partitions stand still until a person has looked; None while there are none."""
        return "; ".join(str(error) for error in self._stopped.values()) or None


def dead_letter_headers(record: Any, group: str, error: Exception) -> list[tuple[str, bytes]]:
    """Why a record was set aside: no personal data, only places and kinds."""
    reason = error.detail if isinstance(error, ParleyError) else ""
    return [
        ("dlq-original-topic", record.topic.encode()),
        ("dlq-original-partition", b"%d" % record.partition),
        ("dlq-original-offset", b"%d" % record.offset),
        ("dlq-original-timestamp", b"%d" % record.timestamp),
        ("dlq-consumer-group", group.encode()),
        ("dlq-error-class", type(error).__name__.encode()),
        ("dlq-error-message", reason.encode()[:500]),
        ("dlq-attempts", b"1"),
        ("dlq-service-version", VERSION),
    ]
