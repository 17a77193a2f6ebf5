"""What the reader promises over a real broker: one owner per partition, every record, and nobody's record stops the others."""

from __future__ import annotations

import asyncio
import gzip
import struct
import uuid
from collections.abc import AsyncIterator, Sequence
from importlib.util import find_spec
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError, KafkaTimeoutError, UnknownError
from aiokafka.record.util import calc_crc32c
from aiokafka.structs import TopicPartition
from prometheus_client import REGISTRY

from deploy.local.home import Addresses
from shared.bus import cloudevents, consume
from shared.contract.codes import Failure
from shared.contract.errors import DatabaseUnavailable, Fenced, Malformed
from shared.contract.records import INBOUND_LIMIT, RECORD_LIMIT
from shared.runtime.observe import DEAD_LETTERED, STOPPED
from shared.runtime.settings import Settings
from tests.conftest import require
from tests.patience import SECONDS, until
from tests.shared.broker import (
    DLQ,
    GROUP,
    TOPIC,
    Owner,
    forget_before,
    make_anew,
    make_topics,
    reading,
    records_of,
    reply,
    settings_for,
    write,
    writing,
)


@pytest.fixture
async def settings(servers: Addresses) -> AsyncIterator[Settings]:
    """A topic of one partition, and its dead letters."""
    settings = settings_for(servers.kafka)
    await make_topics(settings)
    yield settings


def headers(**changed: bytes | None) -> list[tuple[str, Any]]:
    """A good record's headers, some of them changed."""
    return list((dict(reply(id_="asked").headers) | changed).items())


GOOD = reply().value
TEXT = b'"text":"hello"'
STRUCTURED = b'{"specversion":"1.0","id":"asked","type":"parley.request.reply.v1","source":"/x","data":{}}'
POISON: dict[str, tuple[bytes | None, bytes | None, list[tuple[str, Any]]]] = {
    "not JSON": (b"key", b"{", headers()),
    "not UTF-8": (b"key", GOOD.replace(TEXT, b'"text":"\xff\xfe"'), headers()),
    "a type of another topic": (b"key", GOOD, headers(ce_type=b"parley.delivery.v1")),
    "another shape": (b"key", b'{"parts": 7}', headers()),
    "nothing": (b"key", b"", headers()),
    "a tombstone": (b"key", None, headers()),
    "neither key nor value": (None, None, headers()),
    "no headers": (b"key", GOOD, []),
    "too deep": (b"key", GOOD.replace(TEXT, b'"text":' + b"[" * 5000), headers()),
    "a tenant that is none": (b"key", GOOD.replace(b'"tenant":"default"', b'"tenant":""'), headers()),
    "a type without a value": (b"key", GOOD, headers(ce_type=None)),
    "an id without a value": (b"key", GOOD, headers(ce_id=None)),
    "a type that nobody carries out": (b"key", GOOD, headers(ce_type=b"parley.request.dance.v1")),
    "another mode of CloudEvents": (b"key", STRUCTURED, [("content-type", b"application/cloudevents+json")]),
    "an unknown type": (b"key", GOOD, headers(ce_type=b"com.example.order.v1")),
    "a type that is not text": (b"key", GOOD, headers(ce_type=b"\xff\xfe")),
    "an id that is not text": (b"key", GOOD, headers(ce_id=b"\xff")),
    "an id with NUL": (b"key", GOOD, headers(ce_id=b"a\x00b")),
    "an endless id": (b"key", GOOD, headers(ce_id=b"x" * 1000)),
    "too large": (b"key", GOOD.replace(TEXT, b'"text":"%s"' % (b"x" * INBOUND_LIMIT)), headers()),
    "as large as the topic takes": (b"k", b"x" * (RECORD_LIMIT - 1000), headers()),
    "a bomb": (b"k" * 10, b"x" * (8 * RECORD_LIMIT), headers()),
}
UNTELLABLE = {
    "a type of another topic",
    "no headers",
    "an id that is not text",
    "an id without a value",
    "an id with NUL",
    "an endless id",
}
CODES = {
    "too large": "too_long",
    "as large as the topic takes": "too_long",
    "a bomb": "too_long",
    "an unknown type": "unsupported",
    "a type that nobody carries out": "unsupported",
}


async def plant(settings: Settings, name: str) -> None:
    """Write a poison record between two good ones."""
    key, value, given = POISON[name]
    packed = {"compression_type": "gzip", "max_request_size": 64 * 1024 * 1024} if name == "a bomb" else {}
    await write(settings, reply(id_="before"))
    async with writing(settings, **packed) as stranger:
        batch = stranger.create_batch()
        batch.append(timestamp=None, key=key, value=value, headers=given)
        await (await stranger.send_batch(batch, settings.topic(TOPIC), partition=0))
    await write(settings, reply(id_="after"))


@pytest.mark.parametrize("name", POISON)
async def test_a_record_that_cannot_be_read_is_set_aside_and_the_partition_goes_on(
    settings: Settings, name: str
) -> None:
    await plant(settings, name)
    owner = Owner()
    async with reading(settings, owner):
        await owner.reaches(3)
    told = [(one.id, one.tenant, one.model.code) for one in owner.seen[1:-1]]
    assert (owner.ids[0], owner.ids[-1]) == ("before", "after")
    assert told == ([] if name in UNTELLABLE else [("asked", "default", CODES.get(name, "malformed"))])
    (letter,) = await records_of(settings, DLQ)
    assert dict(letter.headers)["dlq-original-offset"] == b"1"
    if name != "a bomb":
        key, value, given = POISON[name]
        assert (letter.key, letter.value or None) == (key, value or None)
        assert list(letter.headers)[: len(given)] == given


async def test_a_bomb_that_no_topic_holds_unpacked_is_kept_by_its_place(settings: Settings) -> None:
    await plant(settings, "a bomb")
    owner = Owner()
    async with reading(settings, owner):
        await owner.reaches(3)
    (letter,) = await records_of(settings, DLQ)
    assert letter.value == b""
    assert dict(letter.headers)["dlq-omitted"] == b"true"
    assert len(gzip.compress(POISON["a bomb"][1] or b"")) < RECORD_LIMIT, "what the broker saw was small"


async def test_a_header_named_by_garbage_is_set_aside_too(settings: Settings) -> None:
    await write(settings, reply(id_="before"))
    await write_raw_header(settings)
    await write(settings, reply(id_="after"))
    owner = Owner()
    async with reading(settings, owner):
        await owner.reaches(3)
    assert owner.ids == ["before", "after"], "where nothing can be read, nobody can be told"
    (letter,) = await records_of(settings, DLQ)
    assert dict(letter.headers)["dlq-original-offset"] == b"1"


async def write_raw_header(settings: Settings) -> None:
    """A record with a header whose name is not UTF-8, as a producer in C may write it."""
    async with writing(settings) as stranger:
        batch = stranger.create_batch()
        batch.append(timestamp=None, key=b"key", value=GOOD, headers=[*headers(), ("garbage-name", b"x")])
        batch._builder = Garbled(batch._builder)
        await (await stranger.send_batch(batch, settings.topic(TOPIC), partition=0))


class Garbled:
    """A batch's builder whose bytes are changed at the end, the checksum being right (KIP-98, RecordBatch)."""

    def __init__(self, builder: Any) -> None:
        self._builder = builder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._builder, name)

    def build(self) -> bytearray:
        built = bytearray(bytes(self._builder.build()).replace(b"garbage-name", b"\xff\xferbage-name"))
        struct.pack_into(">I", built, 17, calc_crc32c(built[21:]))
        return built


async def test_a_record_that_cannot_be_handled_is_halved_down_to_and_set_aside(settings: Settings) -> None:
    ids = [f"r{n}" for n in range(13)]
    await write(settings, *(reply(id_=id_) for id_ in ids))

    def refuses(records: Sequence[cloudevents.In]) -> None:
        if {"r4", "r9"} & {record.id for record in records}:
            raise ValueError("what nobody foresaw")

    owner = Owner(refuses=refuses)
    before = DEAD_LETTERED.labels(settings.topic(TOPIC), "unknown")._value.get()
    async with reading(settings, owner):
        await owner.reaches(13)
    assert owner.ids == [id_ for id_ in ids if id_ not in {"r4", "r9"}]
    assert owner.batches[0][0] == 0
    assert [end for _, end in owner.batches[:-1]] == [start for start, _ in owner.batches[1:]], "no offset is left out"
    letters = await records_of(settings, DLQ)
    assert [dict(letter.headers)["ce_id"] for letter in letters] == [b"r4", b"r9"]
    assert DEAD_LETTERED.labels(settings.topic(TOPIC), "unknown")._value.get() == before + 2


def run_of(number: int, *, keys: int, **changed: bytes) -> list[cloudevents.Out]:
    """Records of so many senders, in turn."""
    records = [reply(id_=f"r{n}") for n in range(number)]
    return [
        cloudevents.Out("", b"key %d" % (n % keys), r.value, list((dict(r.headers) | changed).items()))
        for n, r in enumerate(records)
    ]


def refuses_all(records: Sequence[cloudevents.In]) -> None:
    if records:
        raise RuntimeError("a bad deploy")


@pytest.mark.parametrize("fails", ["reading", "handling"])
async def test_where_one_record_after_the_other_fails_the_partition_stands_until_the_code_is_mended(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    monkeypatch.setattr(consume, "LOOK_AGAIN", 0.5)
    settings = settings.model_copy(update={"failures_in_a_row": 6})
    await write(settings, *run_of(10, keys=5))
    owner = Owner(refuses=refuses_all)
    with monkeypatch.context() as deploy:
        if fails == "reading":
            owner.refuses = lambda _records: None
            deploy.setattr(consume, "REQUESTS", "nobody's")  # then only our services write to this topic
            deploy.setattr(consume, "decode", cannot_decode)
        async with reading(settings, owner):
            stopped = STOPPED.labels(settings.topic(TOPIC), GROUP, "poison")._value
            await until(stopped.get)
            await until(lambda: len(owner.claims) > 3)
            assert stopped.get() == 1, "it is looked at again and again, and stands all the while"
            letters = await records_of(settings, DLQ)
            assert [dict(letter.headers)["ce_id"] for letter in letters] == [b"r%d" % n for n in range(6)]
            deploy.undo()
            owner.refuses = lambda _records: None
            await owner.reaches(10)
            await until(lambda: stopped.get() == 0)
    assert owner.ids == [f"r{n}" for n in range(6, 10)]
    assert len(await records_of(settings, DLQ)) == 6


def cannot_decode(*_given: object) -> cloudevents.In:
    raise Malformed("a bad deploy")


STRANGERS: dict[str, tuple[int, int, dict[str, bytes]]] = {
    "all of one sender": (6, 1, {}),
    "what cannot be read, of many": (6, 10, {"ce_type": b"com.example.order.v1"}),
    "of many, and it was said never to stand": (0, 10, {}),
}


@pytest.mark.parametrize("name", STRANGERS)
async def test_strangers_records_stop_no_partition_however_many_fail(settings: Settings, name: str) -> None:
    limit, keys, changed = STRANGERS[name]
    await write(settings, *run_of(10, keys=keys, **changed), reply(id_="after"))

    def refuses(records: Sequence[cloudevents.In]) -> None:
        if any(record.id != "after" and not isinstance(record.model, Failure) for record in records):
            raise RuntimeError("what nobody foresaw")

    owner = Owner(refuses=refuses)
    async with reading(settings.model_copy(update={"failures_in_a_row": limit}), owner):
        await owner.reaches(11)
    assert [one.id for one in owner.seen if not isinstance(one.model, Failure)] == ["after"]
    assert len(await records_of(settings, DLQ)) == 10


async def test_a_record_that_is_handled_ends_the_row_of_those_that_were_not(settings: Settings) -> None:
    await write(settings, *run_of(15, keys=15))

    def refuses(records: Sequence[cloudevents.In]) -> None:
        if any(int(record.id[1:]) % 5 for record in records):
            raise RuntimeError("what nobody foresaw")

    owner = Owner(refuses=refuses)
    async with reading(settings.model_copy(update={"failures_in_a_row": 6}), owner):
        await owner.reaches(15)
    assert owner.ids == ["r0", "r5", "r10"]


async def test_a_dead_letter_tells_why_and_from_where_and_nothing_personal(settings: Settings) -> None:
    secret = b'{"tenant": 7, "parts": "call me on 012 345 678"}'
    await write(settings, cloudevents.Out("", b"key", secret, headers()))
    owner = Owner()
    async with reading(settings, owner):
        await owner.reaches(1)
    (letter,) = await records_of(settings, DLQ)
    told = {name: value for name, value in letter.headers if name.startswith("dlq-")}
    assert told.pop("dlq-original-timestamp").isdigit()
    assert told == {
        "dlq-original-topic": settings.topic(TOPIC).encode(),
        "dlq-original-partition": b"0",
        "dlq-original-offset": b"0",
        "dlq-consumer-group": GROUP.encode(),
        "dlq-error-class": b"Malformed",
        "dlq-error-message": told["dlq-error-message"],
        "dlq-attempts": b"1",
        "dlq-service-version": consume.VERSION,
    }
    assert b"012" not in told["dlq-error-message"]


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_strangers_may_compress(settings: Settings, codec: str) -> None:
    """Most producers do; aiokafka reads all but gzip by a library of its own choice."""
    if codec != "gzip":
        require(find_spec("cramjam"), "cramjam, with which aiokafka unpacks snappy, lz4 and zstd,")
    one = reply(id_="packed")
    async with writing(settings, compression_type=codec) as stranger:
        await stranger.send_and_wait(settings.topic(TOPIC), one.value, key=one.key, headers=one.headers)
    owner = Owner()
    async with reading(settings, owner):
        await owner.reaches(1)
    assert owner.ids == ["packed"]


# owners and offsets ------------------------------------------------------------------------------------------------------


async def test_no_record_is_seen_before_the_partition_is_claimed(settings: Settings) -> None:
    """Trap 2: aiokafka hands out records while the callback still runs."""
    await write(settings, reply(id_="a"))
    first = Owner()
    async with reading(settings, first):
        await first.reaches(1)
    await write(settings, reply(id_="b"))
    claimed, may_go_on = asyncio.Event(), asyncio.Event()

    class Slow(Owner):
        async def claim(self, topic: str, partition: int, log_id: str) -> int | None:
            claimed.set()
            await may_go_on.wait()
            return await super().claim(topic, partition, log_id)

    owner = Slow()
    async with reading(settings, owner) as running:
        await claimed.wait()
        partition = TopicPartition(settings.topic(TOPIC), 0)
        assert await running.reader._consumer.getmany(partition, timeout_ms=1500) == {}, "paused until claimed"
        may_go_on.set()
        await owner.reaches(2)
    assert owner.ids == ["b"]


async def test_reading_goes_on_where_the_owner_says_whatever_the_group_has_committed(settings: Settings) -> None:
    await write(settings, *(reply(id_=f"r{n}") for n in range(5)))
    first = Owner()
    async with reading(settings, first):
        await first.reaches(5)
    owner = Owner(positions={(settings.topic(TOPIC), 0): 3})
    async with reading(settings, owner):
        await owner.reaches(5)
    assert owner.ids == ["r3", "r4"]


async def test_an_owner_without_a_store_goes_on_at_the_committed_offset(settings: Settings) -> None:
    await write(settings, reply(id_="r0"))
    first = Owner()
    async with reading(settings, first):
        await first.reaches(1)
    await write(settings, reply(id_="r1"))
    second = Owner()
    async with reading(settings, second):
        await second.reaches(2)
    assert second.ids == ["r1"]


@pytest.mark.parametrize("error", [Fenced, DatabaseUnavailable, TimeoutError])
async def test_what_passes_is_waited_for_and_read_again(
    settings: Settings, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consume, "HEARTBEAT", 0.2)
    await write(settings, reply(id_="a"), reply(id_="b"))
    troubles = [error("once"), error("twice")]

    def refuses(_records: Sequence[cloudevents.In]) -> None:
        if troubles:
            raise troubles.pop()

    owner = Owner(refuses=refuses)
    async with reading(settings, owner):
        await owner.reaches(2)
    assert owner.ids == ["a", "b"]
    assert len(owner.claims) == 3, "each time the partition is claimed anew"
    assert await records_of(settings, DLQ) == []


async def test_records_that_retention_has_removed_unread_stop_the_partition_loudly(servers: Addresses) -> None:
    settings = settings_for(servers.kafka)
    await make_topics(settings, partitions=2)
    await write(settings, *(reply(id_=f"r{n}") for n in range(6)))
    await write(settings, reply(id_="elsewhere"), partition=1)
    await forget_before(settings, 4)
    topic = settings.topic(TOPIC)
    owner = Owner(positions={(topic, 0): 3, (topic, 1): 0})
    async with reading(settings, owner) as running:
        await owner.reaches(1)
        await until(lambda: STOPPED.labels(topic, GROUP, "gap")._value.get())
        assert running.health.stuck() == {}, "it is no reason to restart the process"
        await write(settings, reply(id_="goes on"), partition=1)
        await owner.reaches(2)
    assert owner.ids == ["elsewhere", "goes on"]
    assert STOPPED.labels(topic, GROUP, "gap")._value.get() == 0, "whoever has the partition next says so itself"


async def test_the_lag_of_a_partition_is_told_by_whoever_has_it_and_by_nobody_else(settings: Settings) -> None:
    await write(settings, *(reply(id_=f"r{n}") for n in range(3)))

    def away(_records: object) -> None:
        raise DatabaseUnavailable("PostgreSQL does not answer")

    owner = Owner(refuses=away)
    labels = {"topic": settings.topic(TOPIC), "partition": "0", "group": GROUP}
    async with reading(settings, owner) as running:
        await until(lambda: running.reader.waiting)
        await running.reader._measure()
        assert REGISTRY.get_sample_value("parley_consumer_lag_records", labels) == 3
    gone = REGISTRY.get_sample_value("parley_consumer_lag_records", labels)
    assert gone is None, "a last value that stayed would be an alarm that stays"


async def test_a_position_behind_the_end_of_its_log_is_an_alarm_that_stays(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consume, "LOOK_AGAIN", 0.1)
    await write(settings, reply())
    topic = settings.topic(TOPIC)
    told: list[float] = []

    class Told(Owner):
        async def claim(self, topic: str, partition: int, log_id: str) -> int | None:
            told.append(STOPPED.labels(topic, GROUP, "log")._value.get())
            return await super().claim(topic, partition, log_id)

    owner = Told(positions={(topic, 0): 7})
    async with reading(settings, owner) as running:
        await until(lambda: len(told) > 3)
        assert "7 lies behind the log's end, 1" in str(running.reader.stopped)
        assert running.health.warned[f"{GROUP} stands still"]() == running.reader.stopped
        assert STOPPED.labels(topic, GROUP, "log")._value.get() == 1
    assert told[:4] == [0, 1, 1, 1]
    assert owner.ids == []


async def test_a_topic_that_is_made_anew_under_a_reader_is_not_read_on_however_far_it_has_grown(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consume, "LOOK_AGAIN", 0.1)
    place = (settings.topic(TOPIC), 0)
    may_go_on = asyncio.Event()
    may_go_on.set()

    class Slow(Owner):
        async def claim(self, topic: str, partition: int, log_id: str) -> int | None:
            await may_go_on.wait()
            return await super().claim(topic, partition, log_id)

    await write(settings, *(reply(id_=f"old {n}") for n in range(3)))
    owner = Slow()
    async with reading(settings, owner) as running:
        await owner.reaches(3)
        may_go_on.clear()
        await make_anew(settings)
        await write(settings, *(reply(id_=f"new {n}") for n in range(5)))
        may_go_on.set()
        await until(lambda: running.reader.stopped)
        assert not [id_ for id_ in owner.ids if id_ == "new 0"]
        owner.logs.clear()
        owner.positions[place] = 0  # what `parley offsets accept` does
        await until(lambda: "new 4" in owner.ids)
        assert running.reader.stopped is None
    assert [id_ for id_ in owner.ids if id_.startswith("new")][-5:] == [f"new {n}" for n in range(5)]


class Storeless(Owner):
    """As adapters are: the group's own offset says where to go on."""

    async def claim(self, topic: str, partition: int, log_id: str) -> int | None:
        self.claims.append(partition)
        return None


async def test_a_group_reads_a_topic_that_was_made_anew_from_its_beginning(settings: Settings) -> None:
    await write(settings, *(reply(id_=f"old {n}") for n in range(3)))
    before, after = Storeless(), Storeless()
    async with reading(settings, before):
        await before.reaches(3)
    await make_anew(settings)
    await write(settings, *(reply(id_=f"new {n}") for n in range(5)))
    async with reading(settings, after):
        await after.reaches(5)
    assert after.ids == [f"new {n}" for n in range(5)]


async def test_a_groups_offset_that_was_committed_for_another_log_is_not_taken_for_a_place_of_this_one(
    settings: Settings,
) -> None:
    """As mirrors carry offsets over, and as a topic of the same length looks that was made anew."""
    await write(settings, *(reply(id_=f"r{n}") for n in range(5)))
    place = TopicPartition(settings.topic(TOPIC), 0)
    mirror = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka, group_id=settings.topic(GROUP), enable_auto_commit=False
    )
    await mirror.start()
    mirror.assign([place])
    await mirror.commit({place: (3, "the log of another cluster")})
    await mirror.stop()
    owner = Storeless()
    async with reading(settings, owner) as running:
        assert "another cluster" in await until(lambda: running.reader.stopped)
    assert owner.ids == []


async def test_the_marks_of_transactions_are_no_missing_records(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = Owner()
    async with writing(settings, transactional_id=uuid.uuid4().hex) as stranger, reading(settings, owner) as running:
        for offset, name in ((0, "a"), (2, "b")):
            one = reply(id_=name)
            async with stranger.transaction():
                await stranger.send(settings.topic(TOPIC), one.value, key=one.key, headers=one.headers, partition=0)
            await owner.reaches(offset + 1)
        monkeypatch.setattr(consume, "STALLED", 0.0)
        async with asyncio.timeout(SECONDS):
            while await running.reader._consumer.position(TopicPartition(settings.topic(TOPIC), 0)) < 4:
                await asyncio.sleep(0.05)
        await running.reader._measure()
        await owner.reaches(4)  # where the log ends
    assert owner.ids == ["a", "b"]
    assert len(owner.claims) == 1


async def test_what_a_transaction_took_back_was_never_asked_for(settings: Settings) -> None:
    owner = Owner()

    async def ask(stranger: Any, name: str) -> None:
        one = reply(id_=name)
        await stranger.send_and_wait(settings.topic(TOPIC), one.value, key=one.key, headers=one.headers, partition=0)

    async with writing(settings, transactional_id=uuid.uuid4().hex) as stranger, reading(settings, owner):
        with pytest.raises(LookupError):
            async with stranger.transaction():
                await ask(stranger, "taken back")
                raise LookupError
        async with stranger.transaction():
            await ask(stranger, "meant")
        await owner.reaches(3)
    assert owner.ids == ["meant"]


# the consumer's life ------------------------------------------------------------------------------------------------------


async def test_the_consumer_is_configured_against_aiokafkas_defaults(settings: Settings) -> None:
    """Traps 1, 9, 10: one assignor, no auto-commit, no silent reset, a session longer than any stall."""
    owner = Owner()
    async with reading(settings.model_copy(update={"session_seconds": 45.0}), owner) as running:
        await write(settings, reply())
        await owner.reaches(1)
        consumer = running.reader._consumer
        assert len(consumer._coordinator._assignors) == 1
        assert consumer._coordinator._session_timeout_ms == 45_000
        assert consumer._coordinator._heartbeat_interval_ms == 1_000
        assert consumer._enable_auto_commit is False
        assert consumer._auto_offset_reset == "none"


async def test_partitions_move_between_members_and_nothing_is_read_twice_or_lost(servers: Addresses) -> None:
    settings = settings_for(servers.kafka)
    await make_topics(settings, partitions=4)
    positions: dict[tuple[str, int], int] = {}
    first, second = Owner(positions=positions), Owner(positions=positions)
    async with reading(settings, first):
        await until(lambda: len(set(first.claims)) >= 4)
        async with reading(settings, second):
            await until(lambda: len(set(second.claims)) >= 2)
            for partition in range(4):
                await write(settings, reply(id_=f"with two, {partition}"), partition=partition)
            await until(lambda: len(first.seen) + len(second.seen) >= 4)
            assert len(first.seen) == len(second.seen) == 2
        for partition in range(4):
            await write(settings, reply(id_=f"alone, {partition}"), partition=partition)
        await until(lambda: len(first.seen) >= 6)
    assert sorted(first.ids + second.ids) == sorted(
        f"{when}, {partition}" for when in ("with two", "alone") for partition in range(4)
    )


async def test_an_error_nobody_foresaw_in_a_claim_ends_the_reader(settings: Settings) -> None:
    """Trap 4: aiokafka only logs what a rebalance callback raises; the process must learn of it."""

    class Broken(Owner):
        async def claim(self, topic: str, partition: int, log_id: str) -> int | None:
            raise ZeroDivisionError

    async with reading(settings, Broken()) as running:
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(asyncio.shield(running.task), SECONDS)


@pytest.mark.parametrize("error", [KafkaError("the coordinator is gone for good"), UnknownError("code 118")])
async def test_a_consumer_that_fails_is_replaced_by_a_new_one(settings: Settings, error: KafkaError) -> None:
    """Traps 12 and 13: what aiokafka has no name for ends the client, not the process."""
    await write(settings, reply(id_="a"))
    owner = Owner()
    async with reading(settings, owner) as running:
        await owner.reaches(1)
        failed = running.reader._consumer
        assert running.reader._failed
        running.reader._failed.set_exception(error)
        await write(settings, reply(id_="b"))
        await owner.reaches(2)
        assert running.reader._consumer is not failed
        assert failed._closed
    assert owner.ids == ["a", "b"]


async def test_records_that_are_there_and_do_not_come_are_noticed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trap 8: a consumer may be stuck without a word after a broker's restart."""
    await write(settings, reply())
    owner = Owner()
    async with reading(settings, owner) as running:
        await owner.reaches(1)
        running.reader._consumer.pause(TopicPartition(settings.topic(TOPIC), 0))
        await write(settings, reply())
        monkeypatch.setattr(consume, "STALLED", 0.0)
        await until(lambda: running.reader._reading)
        with pytest.raises(KafkaTimeoutError, match="1 records do not come"):
            await running.reader._measure()


async def test_stopping_waits_for_a_batch_but_not_for_ever(settings: Settings) -> None:
    """Trap 5."""
    await write(settings, reply())
    entered, cancelled = asyncio.Event(), asyncio.Event()

    class Stuck(Owner):
        async def handle(
            self, topic: str, partition: int, records: Sequence[cloudevents.In], start: int, end: int
        ) -> None:
            entered.set()
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

    async with reading(settings, Stuck()) as running:
        await entered.wait()
        async with asyncio.timeout(SECONDS):
            await running.reader.stop()
        assert cancelled.is_set()
        assert running.task.done()


async def test_what_nobody_wants_is_passed_over(settings: Settings) -> None:
    await write(settings, reply(id_="a"), reply(id_="b"))

    def wanted(record: Any) -> bool:
        return dict(record.headers)["ce_id"] == b"b"

    owner = Owner()
    async with reading(settings, owner, wanted=wanted):
        await owner.reaches(2)
    assert owner.ids == ["b"]
