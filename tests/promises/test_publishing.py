"""Publishing (docs/architecture.md) on a real PostgreSQL and a real Kafka: what leaves is complete and in order, whoever sends it."""

from __future__ import annotations

import asyncio
import uuid

import pytest

from services.router.batch.publish import row_of
from services.router.batch.together import Batch
from shared.contract.channel import Capabilities
from shared.contract.envelope import Text
from shared.contract.errors import Fenced, TooLarge
from shared.contract.records import INBOUND_LIMIT, outbound_topic
from shared.contract.requests import Send
from tests.promises.house import LOG, Customer, House, as_read, records_of

FULL = "x" * (INBOUND_LIMIT - 700)


async def left(house: House, conversation: uuid.UUID) -> list[int]:
    rows = await house.pool.fetch(
        "SELECT sequence FROM outbox WHERE conversation_id = $1 AND topic = 'events.v1' ORDER BY 1", conversation
    )
    return [row["sequence"] for row in rows]


async def test_a_replica_sends_first_what_another_has_committed_and_not_published(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer)
    assert await house.log(conversation) == []
    await house.handle(customer.says("the next one, read by another"))
    assert await house.log(conversation) == [1, 2, 3]


async def test_a_new_owner_publishes_in_order_what_a_killed_router_left(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer)
    await house.take(customer.says("two"), customer.says("three"))
    heir = house.another_router()
    await heir.claim("test.v1", -1, LOG)
    assert await house.log(conversation) == [1, 2, 3, 4]
    await heir.flush()
    assert await left(house, conversation) == []


async def test_the_sweeper_takes_whole_conversations_even_where_a_later_row_is_the_older(house: House) -> None:
    customer, other = Customer(), Customer()
    conversation, young = await house.opened(customer), await house.opened(other)
    await house.pool.execute(
        "UPDATE outbox SET at = now() - interval '1 hour' WHERE conversation_id = $1 AND sequence = 2", conversation
    )
    assert await house.sweeper.sweep(older_than=60) == 2
    assert await house.log(conversation) == [1, 2]
    assert await house.log(young) == []
    assert await left(house, young) == [1, 2]


async def test_a_row_is_forgotten_only_after_its_acknowledgement(house: House) -> None:
    customer = Customer()
    await house.handle(customer.says())
    (conversation,) = await house.conversations(customer)
    assert await left(house, conversation) == [1, 2]
    await house.router.flush()
    assert await left(house, conversation) == []


async def test_what_is_on_its_way_is_not_sent_again(house: House) -> None:
    customer = Customer()
    facts = await house.take(customer.says())
    rows, outbox = [row_of(event) for event in facts.emissions], house.router._outbox
    await asyncio.gather(*(outbox.publish(rows) for _ in range(3)))
    assert await house.log(facts.opened[0].id) == [1, 2]


async def test_a_row_whose_deletion_was_rolled_back_is_deleted_by_the_next_transaction(house: House) -> None:
    customer = Customer()
    await house.handle(customer.says())
    (conversation,) = await house.conversations(customer)
    place = await house.partition()
    with pytest.raises(Fenced):
        await house.router._commit([Batch(*place, 99, [], 0, 1)])  # what a zombie tries
    assert await left(house, conversation) == [1, 2]
    await house.router.flush()
    assert await left(house, conversation) == []


async def test_a_reply_leaves_as_event_and_as_order_to_the_adapter(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer)
    await house.handle(as_read(customer.reply(conversation), id_="r1"))
    (order,) = [
        r for r in await records_of(house.settings, outbound_topic("chat")) if r.key == str(conversation).encode()
    ]
    assert dict(order.headers)["ce_type"] == b"parley.outbound.v1"
    assert await house.log(conversation) == [1, 2, 3]


# size before sequence ---------------------------------------------------------------------------------------------------


async def test_the_largest_message_that_is_let_in_leaves_as_an_event(house: House) -> None:
    customer = Customer()
    await house.handle(customer.says(FULL))
    (conversation,) = await house.conversations(customer)
    assert await house.log(conversation) == [1, 2]


async def test_a_reply_that_would_not_fit_is_refused_before_it_gets_a_sequence(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer)
    reply = customer.reply(conversation).model_copy(update={"parts": (Text(text=FULL + "x" * 450),)})
    await house.handle(as_read(reply))
    *_, last = await house.story(conversation)
    assert (last["type"], last["sequence"], last["failure"]["code"]) == ("request.refused", 3, "too_long")
    assert await house.log(conversation) == [1, 2, 3]


async def test_a_first_message_that_would_not_fit_opens_nothing(house: House) -> None:
    customer = Customer()
    house.allows(customer, Capabilities(text=10_000_000, pieces=1000))
    asked = Send(
        tenant=customer.tenant, channel="webhook", account="main", address="zoe", parts=(Text(text=FULL + "x" * 450),)
    )
    facts = await house.take(as_read(asked))
    assert [event.name for event in facts.emissions] == ["request.refused"]
    assert await house.conversations(customer) == []


async def test_an_event_that_would_not_fit_gets_no_sequence(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer)
    message = await house.queued(customer, conversation)
    names = [f"{piece}-{n:03}-{'n' * 900}" for piece in range(24) for n in range(100)]
    with pytest.raises(TooLarge):
        await house.take(
            *(customer.report(message, "sent", *names[100 * p : 100 * p + 100], piece=p, pieces=24) for p in range(24))
        )
    assert await house.log(conversation) == []
    assert len(await house.story(conversation)) == 3
