"""Locks and facts (docs/architecture.md): every fact that the fold uses is read after the locks; what comes ahead of its message waits for it."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.patience import SECONDS
from tests.promises.house import Customer, House, as_read

LOCK_CONVERSATION = "SELECT FROM conversation WHERE id = $1 FOR UPDATE"


@asynccontextmanager
async def elsewhere(house: House) -> AsyncIterator[Any]:
    """Another replica's transaction, that holds what it has locked."""
    async with house.pool.acquire() as connection, connection.transaction():
        yield connection


async def until_waiting(house: House, connection: Any) -> None:
    """Return when some transaction waits for a lock of this connection."""
    blocker = await connection.fetchval("SELECT pg_backend_pid()")
    async with asyncio.timeout(SECONDS):
        while not await house.pool.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid))", blocker
        ):
            await asyncio.sleep(0.01)


async def while_waiting(house: House, connection: Any, work: Awaitable[Any]) -> asyncio.Task[Any]:
    """Begin `work` and return when it waits for this connection."""
    task = asyncio.ensure_future(work)
    await until_waiting(house, connection)
    return task  # type: ignore[return-value]


# an echo and its own `sent` ------------------------------------------------------------------------------------------


async def outbound_messages(house: House, conversation: uuid.UUID) -> int:
    """How many messages of the account the thread shows."""
    story = await house.story(conversation)
    return sum(
        event["type"] == "message.queued"
        or (event["type"] == "message.received" and event["message"]["direction"] == "outbound")
        for event in story
    )


@pytest.mark.parametrize("first", ["echo", "sent", "either", "in one transaction"])
async def test_an_echo_and_its_sent_by_two_partitions_are_one_message(house: House, first: str) -> None:
    for seed in range(12 if first == "either" else 1):
        customer = Customer()
        conversation = await house.opened(customer)
        message = await house.queued(customer, conversation)
        both = [customer.echo("p1"), customer.report(message, "sent", "p1")]
        if first == "either":
            random.Random(seed).shuffle(both)
            await asyncio.gather(*map(house.handle, both))
        elif first == "in one transaction":
            await house.take(*both)
        else:
            for one in both if first == "echo" else reversed(both):
                await house.take(one)
        assert await outbound_messages(house, conversation) == 1
        assert await house.statuses(message) == ["sent"]


async def test_an_echo_is_joined_by_the_key_that_the_send_was_given(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer)
    message = await house.queued(customer, conversation)
    await house.take(customer.report(message, "sent", join_key="j1"))
    await house.take(customer.echo("p1", join_key="j1"))
    await house.take(customer.receipt("read", "p1"))
    assert await outbound_messages(house, conversation) == 1
    assert await house.statuses(message) == ["sent", "read"]


async def test_an_unknown_send_is_known_by_the_echo_that_brings_its_key_back(house: House) -> None:
    for early in (False, True):
        customer = Customer()
        conversation = await house.opened(customer)
        message = await house.queued(customer, conversation)
        both = [customer.report(message, "unknown", join_key="j1"), customer.echo("p1", join_key="j1")]
        for one in reversed(both) if early else both:
            await house.take(one)
        assert await outbound_messages(house, conversation) == 1
        assert await house.statuses(message) == ["unknown", "sent"]


async def test_what_someone_else_wrote_at_the_account_is_a_message(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer)
    await house.take(customer.echo("from a phone"))
    assert await outbound_messages(house, conversation) == 1


async def test_an_echo_waits_until_no_send_is_open_and_then_is_a_message(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer)
    message = await house.queued(customer, conversation)
    await house.take(customer.echo("from a phone"))
    assert await outbound_messages(house, conversation) == 1
    await house.take(customer.report(message, "sent", "p1"))
    assert await outbound_messages(house, conversation) == 2


async def test_an_echo_that_waits_takes_nothing_from_the_names_it_mentions(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer, customer.says(name="question"))
    first = await house.queued(customer, conversation)
    second = await house.queued(customer, conversation)
    await house.take(customer.echo("p2", thread={"reply_to": "question"}))
    await house.take(customer.receipt("delivered", "p2"))
    await house.take(customer.report(first, "sent", "p1"))
    await house.take(customer.report(second, "sent", "p2"))
    assert await house.statuses(second) == ["sent", "delivered"]
    await house.take(customer.edits("question", minutes=5))
    assert "message.edited" in await house.types(conversation)


# what comes ahead ----------------------------------------------------------------------------------------------------


async def test_a_receipt_that_overtakes_its_own_send_is_applied_after_it(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer)
    message = await house.queued(customer, conversation)
    await house.take(customer.receipt("read", "p1"))
    assert await house.statuses(message) == []
    await house.take(customer.report(message, "sent", "p1"))
    assert await house.statuses(message) == ["sent", "read"]


async def test_a_receipt_that_overtakes_the_echo_which_names_its_send_is_applied_after_it(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer)
    message = await house.queued(customer, conversation)
    await house.take(customer.report(message, "sent", join_key="j1"))
    await house.take(customer.receipt("delivered", "p1"))
    await house.take(customer.echo("p1", join_key="j1"))
    assert await house.statuses(message) == ["sent", "delivered"]


async def test_an_edit_ahead_of_its_message_is_applied_after_it(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer, customer.says(name="m0"))
    await house.take(customer.edits("m1", minutes=2))
    hello = customer.says(name="m1")
    await house.take(hello)
    told = [(event["type"], event.get("message_id")) for event in (await house.story(conversation))[2:]]
    assert told == [("message.edited", None), ("message.received", None), ("message.edited", str(hello.id))]


async def test_an_edit_older_than_the_applied_one_is_dropped(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer, customer.says(name="m1"))
    await house.take(customer.edits("m1", "third", minutes=3))
    await house.take(customer.edits("m1", "second", minutes=2))
    edits = [event for event in await house.story(conversation) if event["type"] == "message.edited"]
    assert [edit["message"]["parts"][1]["text"] for edit in edits] == ["third"]


@pytest.mark.parametrize("status", ["delivered", "read"])
async def test_a_watermark_counts_for_sends_that_are_recorded_later_and_never_goes_back(
    house: House, status: str
) -> None:
    customer = Customer()
    conversation = await house.opened(customer)
    before, after = await house.queued(customer, conversation), await house.queued(customer, conversation)
    await house.take(customer.watermark(status, minutes=10))
    await house.take(customer.watermark(status, minutes=5))
    await house.take(customer.report(before, "sent", "p1", minutes=9))
    await house.take(customer.report(after, "sent", "p2", minutes=11))
    assert await house.statuses(before) == ["sent", status]
    assert await house.statuses(after) == ["sent"]


async def test_a_watermark_is_measured_by_the_clock_of_the_provider_whose_echo_tells_it(house: House) -> None:
    """Our own report is made when the answer is back, which is after the time that the provider gave the message."""
    for early in (False, True):
        customer = Customer()
        conversation = await house.opened(customer)
        message = await house.queued(customer, conversation)
        echo, report = customer.echo("p1", minutes=8), customer.report(message, "sent", "p1", minutes=9)
        await house.take(*((echo, report) if early else (report, echo)))
        await house.take(customer.watermark("read", minutes=8))
        assert await house.statuses(message) == ["sent", "read"]


async def test_an_echo_after_its_watermark_is_measured_too(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer)
    message = await house.queued(customer, conversation)
    await house.take(customer.report(message, "sent", "p1", minutes=9))
    await house.take(customer.watermark("read", minutes=8))
    assert await house.statuses(message) == ["sent"]
    await house.take(customer.echo("p1", minutes=8))
    assert await house.statuses(message) == ["sent", "read"]


# facts after locks -----------------------------------------------------------------------------------------------------


async def test_a_status_that_another_replica_has_just_passed_is_not_gone_back_to(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer)
    message = await house.queued(customer, conversation)
    await house.take(customer.report(message, "sent", "p1"))
    async with elsewhere(house) as connection:
        await connection.execute(LOCK_CONVERSATION, conversation)
        late = await while_waiting(house, connection, house.take(customer.receipt("delivered", "p1")))
        read = {"0": {"status": "read", "ids": ["p1"]}}
        await connection.execute(
            "UPDATE sending SET status = 'read', progress = $2 WHERE message_id = $1", message, read
        )
    await late
    assert await house.statuses(message) == ["sent"]
    assert await house.pool.fetchval("SELECT status FROM sending WHERE message_id = $1", message) == "read"


async def test_a_customer_who_has_just_been_merged_away_gets_no_conversation(house: House) -> None:
    customer = Customer()
    facts = await house.take(customer.says())
    old, survivor = facts.opened[0].customer_id, uuid.uuid4()
    await house.pool.execute("UPDATE conversation SET status = 'closed' WHERE customer_id = $1", old)
    await house.pool.execute("INSERT INTO customer (id, tenant) VALUES ($1, $2)", survivor, customer.tenant)
    async with elsewhere(house) as connection:
        await connection.execute("UPDATE customer SET merged_into = $2 WHERE id = $1", old, survivor)
        late = await while_waiting(house, connection, house.handle(customer.says("again")))
    await late
    newest = "SELECT id, customer_id FROM conversation WHERE tenant = $1 AND status = 'open'"
    conversation, home = await house.pool.fetchrow(newest, customer.tenant)
    assert [event["customer"] for event in await house.story(conversation)] == [str(survivor)] * 2
    assert home == old, "which never changes"


async def test_two_first_messages_of_one_person_by_two_partitions_open_one_conversation(house: House) -> None:
    for _ in range(5):
        customer = Customer()
        await asyncio.gather(*(house.handle(customer.says(f"hello {n}")) for n in range(4)))
        (conversation,) = await house.conversations(customer)
        assert await house.types(conversation) == ["conversation.opened", *["message.received"] * 4]


@pytest.mark.parametrize("met", ["while it locks", "while it writes"])
async def test_a_deadlock_is_folded_again_with_fresh_facts(house: House, met: str) -> None:
    customer = Customer()
    conversation = await house.opened(customer)
    ours = {
        "while it locks": "SELECT FROM external_ref WHERE external_id = 'm2' FOR UPDATE",
        "while it writes": "LOCK TABLE message IN SHARE MODE",
    }[met]
    await house.pool.execute(
        "INSERT INTO external_ref (tenant, channel, account, kind, external_id) VALUES ($1, 'webhook', 'main', 'message', 'm2')",
        customer.tenant,
    )
    async with elsewhere(house) as connection:
        await connection.execute("SET LOCAL deadlock_timeout = '60s'")  # so that the router's transaction is the victim
        await connection.execute(
            ours if met == "while it writes" else LOCK_CONVERSATION.replace("$1", f"'{conversation}'")
        )
        late = await while_waiting(house, connection, house.handle(customer.says(name="m2")))
        if met == "while it locks":
            await connection.execute(ours)
        await connection.execute("UPDATE conversation SET last_sequence = 40 WHERE id = $1", conversation)
    await late
    assert (await house.story(conversation))[-1]["sequence"] == 41


async def test_replicas_that_touch_the_same_rows_in_any_order_all_come_through_at_the_first_try(house: House) -> None:
    customers = [Customer(tenant=Customer().tenant, peer=name) for name in ("ann", "bob", "cho", "dea")]
    dice = random.Random(1)
    batches = [[dice.choice(customers).says() for _ in range(6)] for _ in range(12)]
    before = await deadlocks(house)
    await asyncio.gather(*(house.handle(*batch) for batch in batches))
    told = [await house.types(c) for who in customers for c in await house.conversations(who)]
    assert sum(types.count("message.received") for types in told) == 72
    assert len(told) == len(customers)
    assert await deadlocks(house) == before


async def deadlocks(house: House) -> int:
    """How many transactions of this database were ended because they had locked one another out."""
    count = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    await house.pool.execute("SELECT pg_stat_force_next_flush()")
    return int(await house.pool.fetchval(count))


async def test_an_address_of_another_tenant_is_another_person(house: House) -> None:
    first, second = Customer(), Customer()
    facts = await house.take(first.says(), as_read(second.says(), offset=1))
    assert len({conversation.customer_id for conversation in facts.opened}) == 2


# a name, and a conversation that begins ------------------------------------------------------------------------------


async def test_a_name_that_another_partition_learns_meanwhile_names_the_conversation_that_begins(house: House) -> None:
    customer = Customer()
    await house.take(customer.says(thread={"thread_key": "elsewhere"}))
    async with elsewhere(house) as connection:
        own = "SELECT customer_id FROM identity WHERE tenant = $1"
        await connection.execute(f"SELECT FROM customer WHERE id = ({own}) FOR UPDATE", customer.tenant)
        begins = await while_waiting(house, connection, house.opened(customer))
        await connection.execute("UPDATE identity SET name = 'Sokha' WHERE tenant = $1", customer.tenant)
    conversation = await begins
    assert "conversation.participant" in await house.types(conversation)
    assert await house.pool.fetchval("SELECT name FROM conversation WHERE id = $1", conversation) == "Sokha"
