"""One lock order (docs/architecture.md, Locks and facts): who waits for the first of several rows holds none of those behind it."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from services.router.batch.begin import begin
from services.router.batch.publish import Place
from services.router.batch.together import Batch
from shared.contract.envelope import Envelope, Party
from shared.storage.database import transaction
from tests.promises.house import Customer, House
from tests.promises.test_locks_and_facts import elsewhere, while_waiting

SEVERAL = 6


@dataclass(frozen=True)
class Order:
    """`first` locks the smallest of the rows that `work` will lock; each of `later` takes one of the others."""

    first: tuple[str, Sequence[object]]
    later: Sequence[tuple[str, Sequence[object]]]
    work: Callable[[], Awaitable[Any]]


def ids() -> list[uuid.UUID]:
    """In the order in which PostgreSQL and Python sort them."""
    return sorted(uuid.uuid4() for _ in range(SEVERAL))


def says(customer: Customer, name: str) -> Envelope:
    """Everyone's own message, so that a batch of them asks for as many names, people and conversations."""
    return customer.says(peer=name, sender=Party(address=name), name=f"m-{name}")


async def references(house: House) -> Order:
    customer, names = Customer(), [f"p{n}" for n in range(SEVERAL)]
    insert = "INSERT INTO external_ref (tenant, channel, account, kind, external_id) VALUES ($1, 'webhook', 'main', 'message', $2)"
    rows = [(insert, (customer.tenant, f"m-{name}")) for name in names]
    return Order(rows[0], rows[1:], lambda: house.take(*(says(customer, name) for name in reversed(names))))


async def people(house: House) -> Order:
    """New addresses are rows that two batches may make at the same moment."""
    customer, names = Customer(), [f"p{n}" for n in range(SEVERAL)]
    insert = (
        "INSERT INTO identity (tenant, kind, value, customer_id) VALUES ($1, 'webhook:main', $2, gen_random_uuid())"
    )
    rows = [(insert, (customer.tenant, name)) for name in names]
    return Order(rows[0], rows[1:], lambda: house.take(*(says(customer, name) for name in reversed(names))))


async def customers(house: House) -> Order:
    customer, names, own = Customer(), [f"p{n}" for n in range(SEVERAL)], ids()
    for who, name in zip(reversed(own), names, strict=True):  # the last is written first: rows lie in another order
        await house.pool.execute("INSERT INTO customer (id, tenant) VALUES ($1, $2)", who, customer.tenant)
        await house.pool.execute(
            "INSERT INTO identity (tenant, kind, value, customer_id) VALUES ($1, 'webhook', $2, $3)",
            customer.tenant,
            name,
            who,
        )
    lock = "SELECT FROM customer WHERE id = $1 FOR UPDATE"
    return Order(
        (lock, own[:1]), [(lock, [one]) for one in own[1:]], lambda: house.take(*(says(customer, n) for n in names))
    )


async def conversations(house: House) -> Order:
    customer, names, own = Customer(), [f"p{n}" for n in range(SEVERAL)], ids()
    for new, name in zip(reversed(own), names, strict=True):
        old = await house.opened(customer, says(customer, name))
        await house.pool.execute("UPDATE conversation SET id = $2 WHERE id = $1", old, new)
    lock = "SELECT FROM conversation WHERE id = $1 FOR UPDATE"
    return Order(
        (lock, own[:1]), [(lock, [one]) for one in own[1:]], lambda: house.take(*(says(customer, n) for n in names))
    )


async def begun(house: House, batches: Sequence[Batch], forget: Sequence[Place], new: Sequence[uuid.UUID]) -> None:
    async with transaction(house.pool) as connection:
        await begin(connection, batches, forget=forget, ids=new)


async def positions(house: House) -> Order:
    topic = f"t-{uuid.uuid4().hex}"
    for partition in reversed(range(SEVERAL)):
        await house.pool.execute("INSERT INTO source_offset VALUES ($1, $2, -1, 1)", topic, partition)
    batches = [Batch(topic, partition, 1, [], 0, 0) for partition in reversed(range(SEVERAL))]
    lock = "SELECT FROM source_offset WHERE topic = $1 AND partition = $2 FOR UPDATE"
    rows = [(lock, (topic, partition)) for partition in range(SEVERAL)]
    return Order(rows[0], rows[1:], lambda: begun(house, batches, [], []))


async def rows_to_forget(house: House) -> Order:
    own = ids()
    for one in reversed(own):
        await house.pool.execute(
            "INSERT INTO outbox (conversation_id, sequence, topic, at) VALUES ($1, 1, 'events.v1', now())", one
        )
    lock = "SELECT FROM outbox WHERE conversation_id = $1 FOR UPDATE"
    places = [(one, 1, "events.v1") for one in reversed(own)]
    return Order((lock, own[:1]), [(lock, [one]) for one in own[1:]], lambda: begun(house, [], places, []))


async def new_ids(house: House) -> Order:
    own = ids()
    insert = "INSERT INTO seen VALUES ($1)"
    return Order(
        (insert, own[:1]), [(insert, [one]) for one in own[1:]], lambda: begun(house, [], [], list(reversed(own)))
    )


@pytest.mark.parametrize(
    "order",
    [positions, rows_to_forget, new_ids, references, people, customers, conversations],
    ids=lambda one: one.__name__,
)
async def test_who_waits_for_the_first_holds_none_of_the_others(
    house: House, order: Callable[[House], Awaitable[Order]]
) -> None:
    wanted = await order(house)
    async with elsewhere(house) as connection:
        await connection.execute(wanted.first[0], *wanted.first[1])
        late = await while_waiting(house, connection, wanted.work())
        held = [row for row in wanted.later if not await is_free(house, *row)]
    await late
    assert held == []


async def is_free(house: House, statement: str, values: Sequence[object]) -> bool:
    """Whether another transaction could take this row now; it gives it back at once."""
    async with house.pool.acquire() as connection:
        look = connection.transaction()
        await look.start()
        try:
            await connection.execute("SET LOCAL lock_timeout = '200ms'")
            await connection.execute(statement, *values)
        except asyncpg.LockNotAvailableError:
            return False
        finally:
            await look.rollback()
    return True
