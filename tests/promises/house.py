"""One customer's words, and the router on a real PostgreSQL and a real Kafka that hears them."""

from __future__ import annotations

import asyncio
import itertools
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer

from services.router.batch.publish import Outbox, Sweeper
from services.router.batch.service import Router
from services.router.batch.together import Batch
from services.router.directory import Directory
from services.router.fold.facts import Facts
from shared.bus import cloudevents
from shared.bus.produce import Producer, Publisher
from shared.contract.channel import Capabilities
from shared.contract.deliveries import Delivery
from shared.contract.envelope import Edit, Envelope, Model, Party, Text, Window, derive, message_id, requested_id
from shared.contract.records import BY_MODEL, EVENTS, RECORDS
from shared.contract.requests import Reply, Request
from shared.runtime.lifecycle import Health
from shared.runtime.settings import Settings
from shared.storage.database import Pool
from tests.patience import SECONDS

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CAPABILITIES = Capabilities(text=4000)
LOG = "a log"  # of topics of the tables only
ROUTER_TOPIC = "test.v1"  # a topic of the tables only: what is handed to the router by hand counts its offsets there

places = itertools.count()


def at(minutes: float) -> datetime:
    """So many minutes after noon of a day long ago."""
    return NOON + timedelta(minutes=minutes)


def as_read(model: Model, *, id_: str | None = None, offset: int = 0, partition: int = 0) -> cloudevents.In:
    """A record as the consumer hands it over: written and read once."""
    name = BY_MODEL[type(model)]
    value = cloudevents.encode(model)
    own = uuid.uuid4() if isinstance(model, Request) else derive("delivery", name, value)
    given = id_ or str(getattr(model, "id", own))
    made = cloudevents.headers(name, source="/test", id=given, time=NOON, tenant=model.tenant, subject="test")  # type: ignore[attr-defined]
    topic = RECORDS[name].topic_for(getattr(model, "channel", None))
    place = {"topic": topic, "partition": partition, "offset": offset, "timestamp": int(time.time() * 1000)}
    return cloudevents.decode(SimpleNamespace(headers=made, key=b"key", value=value, **place))


@dataclass(frozen=True)
class Customer:
    """Someone who writes to the account `main` of the channel `webhook`, in a tenant of the test's own."""

    tenant: str = field(default_factory=lambda: f"t-{uuid.uuid4().hex[:8]}")
    peer: str = "ann"
    container: str | None = None

    def says(self, text: str = "hello", *, name: str | None = None, minutes: float = 0, **more: Any) -> Envelope:
        """A message; `name` is what the provider calls it."""
        name = name or uuid.uuid4().hex
        return self._envelope(name, (Text(text=text),), minutes, {"external_id": name} | more)

    def edits(self, target: str, text: str = "changed", *, minutes: float) -> Envelope:
        return self._envelope(f"{target}/{minutes}", (Edit(target=target), Text(text=text)), minutes, {})

    def echo(self, name: str | None, *, minutes: float = 0, **more: Any) -> Envelope:
        """What the account sent, told by the provider."""
        parts = (Text(text="sent by the account"),)
        more = {"direction": "outbound", "external_id": name, "sender": Party(address="main")} | more
        return self._envelope(f"echo {name} {more.get('join_key')}", parts, minutes, more)

    def receipt(self, status: str, *names: str, minutes: float = 0, **more: Any) -> Delivery:
        """What the provider says of what it calls so."""
        return self._delivery(status, minutes, external_ids=names, **more)

    def report(self, message: uuid.UUID, status: str, *names: str, minutes: float = 0, **more: Any) -> Delivery:
        """What the adapter says of our own send."""
        return self._delivery(status, minutes, message_id=message, external_ids=names, **more)

    def watermark(self, status: str, *, minutes: float) -> Delivery:
        """Everything until then has this status."""
        return self._delivery(status, minutes, watermark=at(minutes))

    def reply(self, conversation: uuid.UUID, text: str = "how can we help?", **more: Any) -> Reply:
        return Reply(tenant=self.tenant, conversation=conversation, parts=(Text(text=text),), **more)

    def _envelope(self, event: str, parts: tuple[Any, ...], minutes: float, more: dict[str, Any]) -> Envelope:
        fields: dict[str, Any] = {
            "id": message_id(self.tenant, "webhook", "main", event),
            "tenant": self.tenant,
            "channel": "webhook",
            "account": "main",
            "peer": self.container or self.peer,
            "container": self.container,
            "sender": Party(address=self.peer),
            "parts": parts,
            "occurred_at": at(minutes),
            "received_at": at(minutes),
            "window": Window(),
        }
        return Envelope(**fields | more)

    def _delivery(self, status: str, minutes: float, **more: Any) -> Delivery:
        where = {"tenant": self.tenant, "channel": "webhook", "account": "main", "peer": self.container or self.peer}
        return Delivery(**where, status=status, occurred_at=at(minutes), **more)


@dataclass
class House:
    """The router's parts. `take` is one batch through one transaction; nothing is published unless a test says so."""

    settings: Settings
    pool: Pool
    producer: Producer

    def __post_init__(self) -> None:
        self.directory = Directory(self.settings, Health())
        self.directory.complete.set()
        self.router = self.another_router()
        self.sweeper = self.router._sweeper

    def another_router(self) -> Router:
        """A second process, as far as tables and topics can tell."""
        outbox = Outbox(self.settings, Publisher(self.producer))
        return Router(
            settings=self.settings,
            pool=self.pool,
            producer=self.producer,
            outbox=outbox,
            sweeper=Sweeper(self.pool, outbox, Health()),
            directory=self.directory,
        )

    def allows(self, customer: Customer, capabilities: Capabilities = CAPABILITIES) -> None:
        """The account has told what its channel can do."""
        self.directory.capabilities[customer.tenant, "webhook", "main"] = capabilities

    async def partition(self) -> tuple[str, int]:
        """A partition of one's own, as if it had been claimed with epoch 1."""
        place = (ROUTER_TOPIC, next(places))
        await self.pool.execute("INSERT INTO source_offset VALUES ($1, $2, -1, 1)", *place)
        return place

    async def take(self, *models: Model | cloudevents.In, router: Router | None = None) -> Facts:
        """Load, fold and write a batch, with a fresh partition, as a replica that then dies before it publishes."""
        router = router or self.router
        place = await self.partition()
        records = [one if isinstance(one, cloudevents.In) else as_read(one, offset=n) for n, one in enumerate(models)]
        facts, _ = await router._commit([Batch(*place, 1, records, 0, len(records))])
        return facts

    async def handle(self, *models: Model | cloudevents.In, router: Router | None = None) -> None:
        """The same and published, retries included."""
        router = router or self.router
        place = await self.partition()
        router._epochs[place] = 1
        records = [one if isinstance(one, cloudevents.In) else as_read(one, offset=n) for n, one in enumerate(models)]
        await router.handle(*place, records, 0, len(records))

    async def opened(self, customer: Customer, *models: Envelope) -> uuid.UUID:
        """The conversation that these messages, or a hello, open."""
        facts = await self.take(*(models or (customer.says(),)))
        return facts.opened[0].id

    async def queued(self, customer: Customer, conversation: uuid.UUID, id_: str | None = None) -> uuid.UUID:
        """The message that a reply became."""
        id_ = id_ or uuid.uuid4().hex
        await self.take(as_read(customer.reply(conversation), id_=id_))
        return requested_id(customer.tenant, id_)

    async def story(self, conversation: uuid.UUID) -> list[dict[str, Any]]:
        """A conversation's events in order, each its value with `type`."""
        rows = await self.pool.fetch(
            """SELECT sequence, type, body FROM message WHERE conversation_id = $1
            UNION ALL SELECT sequence, type, body FROM event WHERE conversation_id = $1 ORDER BY 1""",
            conversation,
        )
        return [orjson.loads(row["body"]) | {"type": row["type"]} for row in rows]

    async def types(self, conversation: uuid.UUID) -> list[str]:
        return [event["type"] for event in await self.story(conversation)]

    async def statuses(self, message: uuid.UUID) -> list[str]:
        """The statuses that were told of a message of ours, in order."""
        rows = await self.pool.fetch(
            "SELECT body FROM event WHERE message_id = $1 AND type = 'message.status' ORDER BY sequence", message
        )
        return [orjson.loads(row["body"])["status"] for row in rows]

    async def conversations(self, customer: Customer) -> list[uuid.UUID]:
        rows = await self.pool.fetch("SELECT id FROM conversation WHERE tenant = $1 ORDER BY id", customer.tenant)
        return [row["id"] for row in rows]

    async def persons(self, customer: Customer) -> list[uuid.UUID]:
        """Whoever is known in this customer's tenant, each by their own address."""
        rows = await self.pool.fetch("SELECT id FROM customer WHERE tenant = $1 ORDER BY id", customer.tenant)
        return [row["id"] for row in rows]

    async def log(self, conversation: uuid.UUID, topic: str = EVENTS) -> list[int]:
        """The sequences of a conversation as they stand on Kafka, repeats included."""
        key = str(conversation).encode()
        found = await records_of(self.settings, topic)
        return [int(dict(record.headers)["ce_sequence"]) for record in found if record.key == key]


async def records_of(settings: Settings, topic: str) -> Sequence[Any]:
    """Everything that stands on a topic now, partition by partition."""
    consumer = AIOKafkaConsumer(
        settings.topic(topic), bootstrap_servers=settings.kafka, auto_offset_reset="earliest", group_id=None
    )
    async with asyncio.timeout(SECONDS):
        await consumer.start()
        try:
            found: list[Any] = []
            for partition, end in (await consumer.end_offsets(consumer.assignment())).items():
                while await consumer.position(partition) < end:
                    found += (await consumer.getmany(partition, timeout_ms=200)).get(partition, [])
            return found
        finally:
            await consumer.stop()
