"""What is found is what stands: edits, deletions and retention are followed, and nothing is added to a batch."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest

from services.router.api.search import FIND
from services.router.search import words
from services.router.search.index import Index, heard
from shared.contract.envelope import Deletion
from shared.contract.records import EVENTS
from tests.patience import SECONDS
from tests.promises.house import Customer, House, records_of
from tests.promises.test_retention import age, removing, to_the_end


def deletes(customer: Customer, target: str) -> Any:
    return customer._envelope(f"{target}/gone", (Deletion(target=target),), 3, {})


async def found(house: House, customer: Customer, asked: str) -> list[uuid.UUID]:
    query = words.tagged(words.query(asked), [[words.tag_of_tenant(customer.tenant)]])
    return [row["id"] for row in await house.pool.fetch(FIND, query, None, None, 10)]


async def look(house: House, *messages: uuid.UUID) -> None:
    await Index(house.settings, house.pool).look_at(messages)


async def test_a_message_is_found_as_it_reads_now_and_not_once_it_is_deleted(house: House) -> None:
    customer = Customer(tenant=f"o'hara \\ {uuid.uuid4().hex}")
    said = customer.says("a green bicycle", name="m1")
    await house.take(said)
    await look(house, said.id)
    assert await found(house, customer, "bicycle") == [said.id]
    await house.take(customer.edits("m1", "a red car", minutes=1))
    await look(house, said.id)
    assert await found(house, customer, "bicycle") == []
    assert await found(house, customer, "car") == [said.id]
    await house.take(deletes(customer, "m1"))
    await look(house, said.id)
    assert await found(house, customer, "car") == []


async def test_what_was_read_earlier_never_takes_the_place_of_what_was_read_later(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replica whose lease has ended while it cut a text into words writes after the one that came after it."""
    customer = Customer()
    said = customer.says("a green bicycle", name="m1")
    await house.take(said)
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def held(work: Any) -> Any:
        made = work()
        reached.set()
        await go_on.wait()
        return made

    monkeypatch.setattr("services.router.search.index.elsewhere", held)
    late = asyncio.create_task(look(house, said.id))
    async with asyncio.timeout(SECONDS):
        await reached.wait()
        monkeypatch.undo()
        await house.take(customer.edits("m1", "a red car", minutes=1))
        await look(house, said.id)
        go_on.set()
        await late
    assert await found(house, customer, "car") == [said.id]
    assert await found(house, customer, "bicycle") == []


async def test_what_retention_removes_is_not_found_any_more(house: House) -> None:
    customer = Customer()
    said = customer.says("a green bicycle")
    conversation = await house.opened(customer, said)
    await look(house, said.id)
    await age(house, conversation)
    await to_the_end(removing(house, customer).conversations)
    for table, column, gone in (("message", "message_id", said.id), ("conversation", "conversation_id", conversation)):
        assert not await house.pool.fetchval(f"SELECT count(*) FROM indexed_{table} WHERE {column} = $1", gone)


async def test_what_is_being_removed_is_not_written_down_again(house: House) -> None:
    customer = Customer()
    said = customer.says("a green bicycle")
    await house.take(said)
    async with house.pool.acquire() as other, other.transaction():
        await other.execute("DELETE FROM message WHERE id = $1", said.id)
        async with asyncio.timeout(SECONDS):
            await look(house, said.id)
    assert await found(house, customer, "bicycle") == []


async def test_every_event_that_changes_what_is_found_is_heard(house: House) -> None:
    """As the router publishes them, so that a name that is written otherwise some day is noticed."""
    customer = Customer()
    said = customer.says("a green bicycle", name="m1")
    house.allows(customer)
    await house.handle(said, customer.edits("m1", "a red car", minutes=1), deletes(customer, "m1"))
    (conversation,) = await house.conversations(customer)
    await house.handle(customer.reply(conversation))
    await house.router.flush()
    about = await heard_of(house, conversation)
    assert about.messages >= {said.id}
    assert len(about.messages) == 2  # and the reply
    assert about.conversations == {conversation}


async def heard_of(house: House, conversation: uuid.UUID) -> Any:
    found = await records_of(house.settings, EVENTS)
    return heard([record for record in found if record.key == str(conversation).encode()])
