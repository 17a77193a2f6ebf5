"""What producer and publisher promise over a real broker: acknowledged or refused, and always a prefix."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

import confluent_kafka
import pytest
from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from deploy.local.home import Addresses
from shared.bus import produce
from shared.bus.cloudevents import Out
from shared.bus.produce import Producer, Publisher, partition_of
from shared.contract.errors import BusUnavailable, TooLarge
from shared.contract.records import DEAD_LETTER_LIMIT
from shared.runtime.settings import Settings
from tests.patience import SECONDS
from tests.shared.broker import TOPIC, administering, make_topics, our_patience, records_of, settings_for

PROMISED = produce.PATIENCE  # before tests are more patient
NOBODY = "127.0.0.1:9"


@pytest.fixture
async def settings(servers: Addresses) -> Settings:
    return settings_for(servers.kafka)


@pytest.fixture
async def producer(settings: Settings) -> AsyncIterator[Producer]:
    producer = Producer(settings)
    await producer.start()
    yield producer
    await producer.stop()


def row(number: int, *, topic: str, size: int = 10, key: bytes | None = b"one") -> Out:
    return Out(topic, key, b"%d".ljust(size) % number, [("n", b"%d" % number)])


def numbers(records: list[object]) -> list[int]:
    return [int(dict(record.headers)["n"]) for record in records]  # type: ignore[attr-defined]


async def test_keys_lie_where_every_kafka_client_looks_for_them(settings: Settings, producer: Producer) -> None:
    await make_topics(settings, partitions=7, names=[TOPIC])
    topic = settings.topic(TOPIC)
    keys = [random.Random(n).randbytes(n) for n in range(1, 60)] + ["ភ្ញៀវ".encode()]
    foreign = confluent_kafka.Producer({"bootstrap.servers": settings.kafka, "partitioner": "murmur2_random"})
    for key in keys:
        foreign.produce(topic, key=key, value=b"theirs", headers=[("n", b"0")])
    assert await asyncio.to_thread(foreign.flush, 20) == 0
    await Publisher(producer).publish([row(1, topic=topic, key=key) for key in keys])
    await producer.send_all(row(2, topic=topic, key=key) for key in keys)
    places: dict[bytes, set[int]] = {}
    for record in await records_of(settings, TOPIC):
        places.setdefault(record.key, set()).add(record.partition)
    assert places == {key: {partition_of(key, 7)} for key in keys}


async def test_the_producer_is_configured_against_aiokafkas_defaults(producer: Producer) -> None:
    """Trap 10: acknowledged by all, idempotent."""
    inner = await producer.current()
    assert inner._txn_manager is not None
    assert inner._sender._acks == -1
    assert inner._max_request_size == DEAD_LETTER_LIMIT


async def test_what_is_too_large_is_told_at_once(settings: Settings, producer: Producer) -> None:
    await make_topics(settings, names=[TOPIC])
    with pytest.raises(TooLarge):
        await producer.send(row(1, topic=settings.topic(TOPIC), size=DEAD_LETTER_LIMIT + 1))
    assert producer.trouble is None
    await producer.send(row(2, topic=settings.topic(TOPIC)))
    assert numbers(await records_of(settings, TOPIC)) == [2]


async def test_nothing_behind_a_refused_batch_leaves_until_that_one_is_taken(
    settings: Settings, producer: Producer
) -> None:
    """Trap 16: the broker refuses the third row; what is behind it waits, and comes after it."""
    topic = settings.topic(TOPIC)
    await set_limit(settings, 200_000)
    publisher = Publisher(producer)
    rows = [row(n, topic=topic, size=300_000 if n == 3 else 10) for n in range(1, 7)]
    publishing = asyncio.create_task(publisher.publish(rows))
    first = await producer.current()
    async with asyncio.timeout(SECONDS):
        while await producer.current() is first:
            await asyncio.sleep(0.05)
    assert numbers(await records_of(settings, TOPIC)) == [1, 2]
    assert not publishing.done()
    await set_limit(settings, 2_000_000)
    async with asyncio.timeout(SECONDS):
        await publishing
    assert numbers(await records_of(settings, TOPIC)) == [1, 2, 3, 4, 5, 6]


async def set_limit(settings: Settings, size: int) -> None:
    """Make the topic, or change what it takes."""
    limit = {"max.message.bytes": str(size)}
    async with administering(settings) as admin:
        if settings.topic(TOPIC) in await admin.list_topics():
            await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, settings.topic(TOPIC), limit)])
        else:
            await admin.create_topics([NewTopic(settings.topic(TOPIC), 1, 1, topic_configs=limit)])


async def test_many_calls_at_once_keep_the_order_of_each_key(settings: Settings, producer: Producer) -> None:
    await make_topics(settings, partitions=3, names=[TOPIC])
    topic, publisher = settings.topic(TOPIC), Publisher(producer)
    keys = [b"ann", b"bob", b"cho", b"dea", b"eve"]
    calls = [publisher.publish([row(n, topic=topic, key=key) for key in keys]) for n in range(200)]
    await asyncio.gather(*calls)
    found = await records_of(settings, TOPIC)
    for key in keys:
        assert numbers([record for record in found if record.key == key]) == list(range(200))


# the producer's life -----------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def tended(producer: Producer) -> AsyncIterator[None]:
    task = asyncio.create_task(producer.tend())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def until_replaced(producer: Producer, old: object) -> None:
    async with asyncio.timeout(SECONDS):
        while await producer.current() is old:
            await asyncio.sleep(0.05)


async def test_a_producer_does_not_live_until_its_sequence_numbers_wrap(
    settings: Settings, producer: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trap 6."""
    await make_topics(settings, names=[TOPIC])
    old = await producer.current()
    monkeypatch.setattr(produce, "RECYCLE", 0.0)
    async with tended(producer):
        await until_replaced(producer, old)
        monkeypatch.setattr(produce, "RECYCLE", 3600.0)
        await producer.send(row(1, topic=settings.topic(TOPIC)))
    assert numbers(await records_of(settings, TOPIC)) == [1]


async def test_a_producer_whose_sender_died_is_replaced(settings: Settings, producer: Producer) -> None:
    """Trap 7."""
    await make_topics(settings, names=[TOPIC])
    old = await producer.current()
    old._sender.sender_task.cancel()
    async with tended(producer):
        await until_replaced(producer, old)
        await producer.send(row(1, topic=settings.topic(TOPIC)))
    assert numbers(await records_of(settings, TOPIC)) == [1]


def test_what_is_not_acknowledged_within_five_seconds_is_refused() -> None:
    assert PROMISED == 5.0


async def test_without_a_broker_everything_is_refused_in_time() -> None:
    """Trap 5."""
    producer = Producer(settings_for(NOBODY))
    async with our_patience():
        await producer.start()
        assert (
            producer.trouble == f"no connection to Kafka: {NOBODY} is not listened on: start it, or mend PARLEY_KAFKA"
        )
        with pytest.raises(BusUnavailable):
            await producer.send(row(1, topic="t"))
        with pytest.raises(BusUnavailable):
            await producer.partitions("t")
        await producer.stop()


async def test_a_topic_that_does_not_exist_is_refused_in_time(settings: Settings, producer: Producer) -> None:
    async with our_patience():
        with pytest.raises(BusUnavailable):
            await producer.send(row(1, topic=settings.topic("nowhere")))


# what a broker refuses ---------------------------------------------------------------------------------------------------


async def alter(settings: Settings, **config: str) -> None:
    async with administering(settings) as admin:
        given = {name.replace("_", "."): value for name, value in config.items()}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, settings.topic(TOPIC), given)])


@pytest.mark.parametrize(
    "config",
    [{"max_message_bytes": "500"}, {"cleanup_policy": "compact"}, {"message_timestamp_before_max_ms": "0"}],
    ids=["too large", "no key to compact by", "a clock that differs from the broker's"],
)
async def test_a_producer_that_a_broker_has_refused_is_replaced_and_the_partition_goes_on(
    settings: Settings, producer: Producer, config: dict[str, str]
) -> None:
    await make_topics(settings, names=[TOPIC])
    topic = settings.topic(TOPIC)
    await producer.send(row(1, topic=topic))
    await alter(settings, **config)
    taken = 0
    with pytest.raises(BusUnavailable):
        while True:  # the leader heeds a new setting a moment later
            await producer.send(row(2, topic=topic, size=1000, key=None))
            taken += 1
    await set_limit(settings, DEAD_LETTER_LIMIT)
    async with asyncio.timeout(SECONDS):
        while producer.trouble:
            with contextlib.suppress(BusUnavailable):  # still refused by the former setting
                await producer.send(row(3, topic=topic))
    assert sorted(numbers(await records_of(settings, TOPIC))) == [1, *[2] * taken, 3]


async def test_whoever_shares_a_batch_with_what_is_refused_is_taken_and_taken_once(
    settings: Settings, producer: Producer
) -> None:
    await set_limit(settings, 2_000)
    topic = settings.topic(TOPIC)
    await producer.send(row(0, topic=topic))
    sends = (producer.send(row(n, topic=topic, size=3_000 if n == 5 else 10)) for n in range(1, 60))
    outcomes = await asyncio.gather(*sends, return_exceptions=True)
    assert [n for n, outcome in enumerate(outcomes, 1) if outcome is not None] == [5]
    assert isinstance(outcomes[4], BusUnavailable)
    assert sorted(numbers(await records_of(settings, TOPIC))) == [n for n in range(60) if n != 5]
