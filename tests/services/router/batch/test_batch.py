"""The batch: one transaction with the stored offset in it, tried again when it met another, and poison apart."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from services.router.batch.service import Router
from shared.bus import cloudevents
from shared.bus.consume import Reader
from shared.contract.envelope import Envelope
from shared.contract.errors import Contended, DatabaseUnavailable, Fenced, OtherLog
from shared.contract.records import EVENTS, ROUTER_GROUP, inbound_topic
from shared.runtime.lifecycle import Health
from tests.patience import SECONDS, until
from tests.promises.house import LOG, Customer, House, as_read, records_of

INBOUND = inbound_topic("chat")
DLQ = f"{INBOUND}.{ROUTER_GROUP}.dlq"


async def stored_offset(house: House, place: tuple[str, int]) -> tuple[int, int]:
    row = await house.pool.fetchrow(
        "SELECT next_offset, epoch FROM source_offset WHERE (topic, partition) = ($1, $2)", *place
    )
    return row["next_offset"], row["epoch"]


async def handle(router: Router, place: tuple[str, int], *models: Envelope, start: int) -> None:
    records = [as_read(model, offset=start + n) for n, model in enumerate(models)]
    await router.handle(*place, records, start, start + len(records))


async def test_the_offset_moves_with_what_the_batch_wrote(house: House) -> None:
    place = (f"t{uuid.uuid4().hex}", 0)
    assert await house.router.claim(*place, LOG) is None, "nothing was ever read here"
    await handle(house.router, place, Customer().says(), Customer().says(), start=5)
    assert await stored_offset(house, place) == (7, 1)
    assert await house.another_router().claim(*place, LOG) == 7


async def test_a_zombie_matches_no_row_and_writes_nothing(house: House) -> None:
    place, customer = (f"t{uuid.uuid4().hex}", 0), Customer()
    zombie, heir = house.another_router(), house.another_router()
    await zombie.claim(*place, LOG)
    await handle(zombie, place, customer.says(), start=0)
    await heir.claim(*place, LOG)
    with pytest.raises(Fenced):
        await handle(zombie, place, customer.says("nobody shall hear this"), start=1)
    assert await stored_offset(house, place) == (1, 2)
    (conversation,) = await house.conversations(customer)
    assert await house.types(conversation) == ["conversation.opened", "message.received"]
    await handle(heir, place, customer.says("but this"), start=1)
    assert (await house.types(conversation))[-1] == "message.received"


async def test_a_position_belongs_to_the_log_in_which_it_was_first_moved(house: House) -> None:
    place, customer = (f"t{uuid.uuid4().hex}", 0), Customer()
    assert await house.router.claim(*place, "a log of which nothing was read") is None
    assert await house.router.claim(*place, LOG) is None
    await handle(house.router, place, customer.says(), start=0)
    with pytest.raises(OtherLog):
        await house.router.claim(*place, "another log")
    await house.pool.execute("UPDATE source_offset SET log_id = NULL WHERE topic = $1", place[0])
    assert await house.router.claim(*place, LOG) == 1, "a row of an earlier version takes the log that is there"
    with pytest.raises(OtherLog):
        await house.router.claim(*place, "another log")


async def test_a_batch_that_does_not_begin_at_the_stored_offset_is_not_written(house: House) -> None:
    place, customer = (f"t{uuid.uuid4().hex}", 0), Customer()
    await house.router.claim(*place, LOG)
    await handle(house.router, place, customer.says(), start=0)
    for wrong in (0, 2):
        with pytest.raises(Fenced):
            await handle(house.router, place, customer.says(), start=wrong)


async def test_of_two_owners_with_the_same_epoch_one_batch_wins(house: House) -> None:
    place, customer = (f"t{uuid.uuid4().hex}", 0), Customer()
    first, second = house.another_router(), house.another_router()
    await first.claim(*place, LOG)
    second._epochs[place] = 1
    done = await asyncio.gather(
        *(handle(router, place, customer.says(), start=0) for router in (first, second)), return_exceptions=True
    )
    assert sorted(type(one) for one in done if one) == [Fenced]
    (conversation,) = await house.conversations(customer)
    assert len(await house.types(conversation)) == 2


async def test_what_meets_others_again_and_again_waits_instead_of_being_set_aside(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deadlock is nobody's fault; only other errors make a batch be halved."""

    async def loses(*_: object) -> None:
        raise Contended

    router = house.another_router()
    monkeypatch.setattr(router, "_commit", loses)
    place = await house.partition()
    router._epochs[place] = 1
    with pytest.raises(DatabaseUnavailable):
        await handle(router, place, Customer().says(), start=0)


async def test_rows_of_a_partition_that_was_lost_before_they_were_forgotten_are_forgotten_all_the_same(
    house: House,
) -> None:
    router, place, customer = house.another_router(), (f"t{uuid.uuid4().hex}", 0), Customer()
    await router.claim(*place, LOG)
    await handle(router, place, customer.says(), start=0)
    await house.another_router().claim(*place, LOG)
    await router.flush()
    (conversation,) = await house.conversations(customer)
    assert await rows_left(house, conversation) == 0


async def test_what_is_forgotten_by_two_at_once_is_forgotten_by_the_next(house: House) -> None:
    """The other locks the second row and then wants the first: one of both is told to begin again, and nothing is lost."""
    router, customer = house.another_router(), Customer()
    await house.handle(customer.says(), router=router)
    (conversation,) = await house.conversations(customer)
    last = "SELECT FROM outbox WHERE conversation_id = $1 AND sequence = 2 FOR UPDATE"
    async with house.pool.acquire() as other, other.transaction():
        await other.execute(last, conversation)
        flushing = asyncio.create_task(router.flush())
        await until(lambda: house.pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))
        await other.execute("SET LOCAL deadlock_timeout = '60s'")
        await other.execute("SELECT FROM outbox WHERE conversation_id = $1 FOR UPDATE", conversation)
        await flushing
        assert await rows_left(house, conversation) == 2
    await router.flush()
    assert await rows_left(house, conversation) == 0


async def rows_left(house: House, conversation: uuid.UUID) -> int:
    """The rows of a conversation that Kafka may not have acknowledged yet."""
    count: int = await house.pool.fetchval("SELECT count(*) FROM outbox WHERE conversation_id = $1", conversation)
    return count


# poison, with the real reader over it -------------------------------------------------------------------------------------


@asynccontextmanager
async def routing(house: House, topic: str = INBOUND) -> AsyncIterator[None]:
    """The router reads this topic."""
    reader = Reader(
        settings=house.settings,
        topics=[topic],
        group=ROUTER_GROUP,
        owner=house.another_router(),
        producer=house.producer,
        health=Health(),
    )
    task = asyncio.create_task(reader.run())
    reader.begin(task)
    try:
        yield
    finally:
        await reader.stop()
        await asyncio.gather(task, return_exceptions=True)


def on_the_bus(house: House, model: Envelope, *, key: bytes) -> cloudevents.Out:
    made = cloudevents.headers(
        "inbound", source="/test", id=str(model.id), time=model.received_at, tenant=model.tenant, subject="test"
    )
    return cloudevents.Out(house.settings.topic(INBOUND), key, cloudevents.encode(model), made)


def unstorable(customer: Customer) -> Envelope:
    """An address as long as may be, in letters of three bytes: no index of PostgreSQL takes it."""
    letters = random.Random(5)
    address = "".join(chr(letters.randrange(0x4E00, 0x9FFF)) for _ in range(998))
    said = customer.says("a name that no index holds")
    return said.model_copy(update={"peer": address, "sender": said.sender.model_copy(update={"address": address})})


async def test_a_message_that_postgresql_refuses_is_set_aside_alone(house: House) -> None:
    customer = Customer()
    poison = unstorable(customer)
    said = [customer.says(f"{n}") for n in range(9)]
    records = [on_the_bus(house, one, key=b"one") for one in (*said[:4], poison, *said[4:])]
    await house.producer.send_all(records[:1])
    for record in records[1:]:
        await house.producer.send(record)
    async with routing(house):
        async with asyncio.timeout(SECONDS):
            while len(await received(house, customer)) < 9:
                await asyncio.sleep(0.1)
    assert await received(house, customer) == [one.id for one in said]
    letters = [one for one in await records_of(house.settings, DLQ) if one.value == cloudevents.encode(poison)]
    assert [dict(letter.headers)["dlq-error-class"] for letter in letters] == [b"ProgramLimitExceededError"]


async def received(house: House, customer: Customer) -> list[uuid.UUID]:
    """The messages of a customer that have become events, in their order."""
    rows = await house.pool.fetch(
        """SELECT m.id FROM message m JOIN conversation c ON c.id = m.conversation_id
        WHERE c.tenant = $1 AND m.type = 'message.received' ORDER BY c.id, m.sequence""",
        customer.tenant,
    )
    return [row["id"] for row in rows]


async def test_what_a_router_reads_is_on_the_events_topic_in_the_order_of_the_log(house: House) -> None:
    customers = [Customer(peer=name) for name in ("ann", "bob", "cho")]
    said = [(who, who.says(f"{n}")) for n in range(10) for who in customers]
    for who, one in said:
        await house.producer.send(on_the_bus(house, one, key=who.peer.encode()))
    async with routing(house):
        async with asyncio.timeout(SECONDS):
            while sum([len(await received(house, who)) for who in customers]) < len(said):
                await asyncio.sleep(0.1)
    for who in customers:
        assert await received(house, who) == [one.id for other, one in said if other is who]
        (conversation,) = await house.conversations(who)
        assert await house.log(conversation, EVENTS) == list(range(1, 12))
