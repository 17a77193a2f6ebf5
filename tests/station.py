"""An adapter's parts on a real Kafka and a real PostgreSQL, with a provider on loopback: what the tests of sending and media stand on."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from parts import NAMES, make_parts
from provider import Account, Provider, dead_port, make_channel
from pydantic import SecretStr

from shared.bus import cloudevents
from shared.bus.cloudevents import In, Out, decode
from shared.bus.produce import Producer
from shared.contract.channel import Channel
from shared.contract.deliveries import Addressed, Amend, Amended, Delivery, Forget, HandOver, Outbound
from shared.contract.envelope import Envelope, Text, key
from shared.contract.records import BY_MODEL, DELIVERY
from shared.outbound.deliver import Deliver
from shared.outbound.outgoing import Pace
from shared.provider.calls import Caller
from shared.provider.contexts import Contexts
from shared.provider.parts import Parts
from shared.runtime.accounts import Accounts, AccountsFile
from shared.runtime.settings import Settings
from shared.storage import migrate
from shared.storage.blobs import Blobs
from shared.storage.database import open_pool
from tests.patience import SECONDS

SCHEMA = "social_adapter"
TOPICS = ("outbound.chat.v1", "inbound.chat.v1", DELIVERY, "outbound.chat.v1.chat_adapter.dlq")
QUICK = Pace(first=timedelta(seconds=0.05), longest=timedelta(seconds=0.3))


def outbound(text: str = "hello", **more: Any) -> Outbound:
    """A message to alice by the account `main`, 25 characters of which make three pieces."""
    plain = {
        "id": uuid.uuid4(),
        "tenant": "default",
        "channel": "line",
        "account": "main",
        "peer": "alice",
        "conversation": uuid.uuid4(),
        "sequence": 1,
        "request_id": str(uuid.uuid4()),
        "parts": (Text(text=text),),
        "requested_at": datetime.now(UTC),
    }
    return Outbound(**(plain | more))


def amend(message: Outbound, change: str = "edit", **more: Any) -> Amend:
    """What is to change of it; the adapter knows what the provider calls it."""
    plain = message.model_dump(include={"tenant", "channel", "account", "peer", "conversation", "sequence"})
    own = {"id": uuid.uuid4(), "request_id": str(uuid.uuid4()), "requested_at": datetime.now(UTC)}
    about = {"change": change, "message": message.id, "written_at": message.requested_at, "ours": True}
    return Amend(**(plain | own | about | more))


def hand_over(message: Outbound, action: str = "pass", **more: Any) -> HandOver:
    """Whose the thread of this message's conversation is to be."""
    plain = message.model_dump(include={"tenant", "channel", "account", "peer", "conversation", "sequence"})
    own = {"id": uuid.uuid4(), "request_id": str(uuid.uuid4()), "requested_at": datetime.now(UTC)}
    return HandOver.model_validate(plain | own | {"action": action} | more)


class File(AccountsFile):
    """Accounts that a test sets, where the real one reads a file."""

    def __init__(self, accounts: Mapping[tuple[str, str], Any]) -> None:
        self.current = Accounts(accounts=accounts)


@dataclass
class Running:
    """One adapter process."""

    deliver: Deliver
    task: asyncio.Task[None]
    record: Any

    async def give(self, *messages: Addressed | Forget) -> None:
        """As the reader does with a batch."""
        await self.deliver.handle("outbound", 0, [self.record(message) for message in messages], 0, len(messages))

    async def crash(self) -> None:
        """Everything ends where it stands."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@dataclass
class Station:
    settings: Settings
    pool: Any
    producer: Producer
    blobs: Blobs
    provider: Provider
    open: AsyncExitStack
    consumers: dict[str, Any] = field(default_factory=dict)
    read: dict[str, list[In]] = field(default_factory=dict)
    running: list[Running] = field(default_factory=list)

    def accounts(self, **more: Any) -> File:
        names = ("main", "other")
        known: dict[tuple[str, str], Any] = {
            ("line", name): Account(name=name, api=self.provider.address) for name in names
        }
        return File(known | {("line", name): account for name, account in more.items()})

    async def parts(self, channel: Channel, **given: Any) -> Parts:
        """An adapter's, of this one channel; those that are `given` in place of the station's own."""
        own = {
            "settings": self.settings,
            "channels": {channel.name: channel},
            "accounts": self.accounts(),
            "pool": self.pool,
            "producer": self.producer,
            "blobs": self.blobs,
            "caller": await self.open.enter_async_context(Caller(self.blobs)),
            "contexts": Contexts(self.settings),
        }
        return make_parts(**(own | {name: part for name, part in given.items() if name in NAMES}))

    async def start(self, channel: Channel | None = None, **given: Any) -> Running:
        """A new adapter process on this database and bus."""
        ways = {"pace": QUICK} | {name: way for name, way in given.items() if name not in NAMES}
        deliver = Deliver(await self.parts(channel or make_channel(), **given), **ways)
        running = Running(deliver, asyncio.create_task(deliver.run()), self.outbound_record)
        self.running.append(running)
        return running

    def outbound_record(self, message: Addressed | Forget) -> In:
        return In(
            name=BY_MODEL[type(message)],
            id=str(getattr(message, "id", uuid.uuid4())),
            tenant=message.tenant,
            traceparent=cloudevents.new_trace(),
            model=message,
            value=cloudevents.encode(message),
            key=str(message.conversation).encode(),
            topic="outbound",
            partition=0,
            offset=0,
            at=datetime.now(UTC),
        )

    def envelope_record(self, envelope: Envelope) -> Out:
        place = key(envelope.tenant, envelope.channel, envelope.account, envelope.peer)
        return self._record("inbound", "inbound.chat.v1", place, envelope, str(envelope.id))

    def request_record(self, message: Addressed) -> Out:
        return self._record(
            BY_MODEL[type(message)], "outbound.chat.v1", str(message.conversation), message, str(message.id)
        )

    def _record(self, name: str, topic: str, place: str, model: Any, id_: str) -> Out:
        headers = cloudevents.headers(
            name, source="/test", id=id_, time=datetime.now(UTC), tenant=model.tenant, subject=place
        )
        return Out(
            topic=self.settings.topic(topic), key=place.encode(), value=cloudevents.encode(model), headers=headers
        )

    async def told(self, message: Outbound, *, pieces: int = 1) -> list[Delivery]:
        """Its outcomes as others read them, by piece, when that many pieces have one."""

        def found() -> dict[int, Delivery]:
            told = (record.model for record in self.read.get(DELIVERY, ()))
            return {one.piece: one for one in told if isinstance(one, Delivery) and one.message_id == message.id}

        await self.until(DELIVERY, lambda: len(found()) >= pieces)
        return [one for _, one in sorted(found().items())]

    async def ended(self, *orders: Amend | HandOver) -> list[Amended]:
        """What was told of these changes, each once."""

        def found() -> list[Amended]:
            told = [record.model for record in self.read.get(DELIVERY, ()) if isinstance(record.model, Amended)]
            return [one for order in orders for one in told if one.order.id == order.id]

        await self.until(DELIVERY, lambda: len(found()) >= len(orders))
        return found()

    async def until(self, topic: str, done: Any) -> list[In]:
        """Read a topic from its beginning until `done()`."""
        consumer = self.consumers.get(topic) or await self._consumer(topic)
        try:
            async with asyncio.timeout(SECONDS):
                while not done():
                    for records in (await consumer.getmany(timeout_ms=100)).values():
                        self.read.setdefault(topic, []).extend(decode(one) for one in records)
        except TimeoutError:
            raise AssertionError(f"not seen on {topic}: {[one.value for one in self.read.get(topic, [])]}") from None
        return self.read[topic]

    async def _consumer(self, topic: str) -> Any:
        name = self.settings.topic(topic)
        consumer = AIOKafkaConsumer(bootstrap_servers=self.settings.kafka, auto_offset_reset="earliest")
        await consumer.start()
        self.open.push_async_callback(consumer.stop)
        consumer.assign([TopicPartition(name, 0)])
        self.consumers[topic] = consumer
        return consumer

    async def states(self, message: Outbound) -> list[str]:
        rows = await self.pool.fetch("SELECT status FROM piece WHERE message_id = $1 ORDER BY piece", message.id)
        return [row["status"] for row in rows]

    async def expire_leases(self) -> None:
        """What the clock does to a process that has died."""
        await self.pool.execute("UPDATE lane SET lease_until = now() - interval '1 second' WHERE owner IS NOT NULL")

    async def end_of_waiting(self, running: Running) -> None:
        """What the clock does to accounts that were told to wait, and to lanes that wait with them."""
        running.deliver._workers._blocked._until.clear()
        await self.pool.execute("UPDATE lane SET next_try = now() WHERE owner IS NULL")

    async def eventually(self, query: str, *values: Any, wanted: Any) -> None:
        """Until the database says so: there is no event of its rows."""
        async with asyncio.timeout(SECONDS):
            while (await self.pool.fetchval(query, *values)) != wanted:
                await asyncio.sleep(0.05)

    async def end(self) -> None:
        for running in self.running:
            await running.crash()
        await self.open.aclose()


@asynccontextmanager
async def open_station(servers: Any, folder: Path) -> AsyncIterator[Station]:
    """A database and topics of one's own, gone afterwards."""
    name = f"t_{uuid.uuid4().hex[:12]}"
    admin = await asyncpg.connect(servers.database)
    await admin.execute(f"CREATE DATABASE {name}")
    settings = Settings(
        kafka=servers.kafka,
        database=SecretStr(servers.database.rpartition("/")[0] + "/" + name),
        prefix=f"t{uuid.uuid4().hex[:8]}.",
        partitions=1,
        replication=1,
        session_seconds=20,
        drain_seconds=6,
    )
    await _tables(settings)
    await _create(settings, TOPICS)
    async with AsyncExitStack() as open_:
        pool = await open_.enter_async_context(open_pool(settings, SCHEMA))
        producer = Producer(settings)
        await producer.start()
        open_.push_async_callback(producer.stop)
        provider = Provider()
        await provider.start()
        open_.push_async_callback(provider.stop)
        station = Station(settings, pool, producer, Blobs.open(folder.as_uri()), provider, AsyncExitStack())
        yield station
        await station.end()
    await _delete(settings, TOPICS)
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


async def _tables(settings: Settings) -> None:
    """The adapter's tables, without a second of alembic's bookkeeping for every test."""
    connection = await asyncpg.connect(settings.database.get_secret_value())
    await connection.execute(f"CREATE SCHEMA {SCHEMA}; SET search_path TO {SCHEMA}")
    for file in sorted(migrate.ADAPTER.glob("[0-9]*.sql")):
        await connection.execute(file.read_text())
    await connection.close()


async def _create(settings: Settings, names: Sequence[str]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    wanted = {settings.topic(name) for name in names}
    await admin.create_topics([NewTopic(name, 1, 1) for name in wanted])
    while any(topic["error_code"] for topic in await admin.describe_topics(list(wanted))):
        await asyncio.sleep(0.05)
    await admin.close()


async def _delete(settings: Settings, names: Sequence[str]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    await admin.delete_topics([settings.topic(name) for name in names])
    await admin.close()


class Cable:
    """A TCP line to PostgreSQL that can be cut and mended."""

    def __init__(self, dsn: str) -> None:
        place = urlsplit(dsn)
        self._target, self._ends = (place.hostname, place.port), set()
        self._listener: Any = None
        self._port = dead_port()
        self.dsn = dsn.replace(f"{place.hostname}:{place.port}", f"127.0.0.1:{self._port}")

    async def mend(self) -> None:
        self._listener = await asyncio.start_server(self._join, "127.0.0.1", self._port)

    async def cut(self) -> None:
        self._listener.close()
        for end in self._ends:
            end.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        self._ends |= {writer, far_writer}
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    writer.close()
