"""An echo that waits for a send of which no word ever comes is a message after a week of stream time, and nothing is shown twice."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

import pytest

from services.router.fold.alarms import Fired, record_of
from services.router.fold.echoes import ENDS, WAITS
from tests.promises.house import Customer, House


async def rings(house: House, conversation: uuid.UUID) -> datetime | None:
    """When the conversation is looked at for this."""
    query = "SELECT due FROM alarm WHERE (entity, kind) = ($1, $2)"
    found: datetime | None = await house.pool.fetchval(query, conversation, ENDS)
    return found


async def received(house: House, conversation: uuid.UUID) -> int:
    return (await house.types(conversation)).count("message.received")


@pytest.fixture
def ann(house: House) -> Customer:
    customer = Customer()
    house.allows(customer)
    return customer


async def test_without_a_word_of_the_send_it_is_a_message_when_its_time_is_over(house: House, ann: Customer) -> None:
    conversation = await house.opened(ann)
    await house.queued(ann, conversation)
    await house.take(ann.echo("p0", minutes=1))
    due = await rings(house, conversation)
    assert due is not None
    await house.take(record_of(Fired(conversation, ENDS, due - timedelta(seconds=1))))
    assert (await received(house, conversation), await rings(house, conversation)) == (1, due)
    facts = await house.take(record_of(Fired(conversation, ENDS, due)))
    assert due - facts.now <= WAITS
    assert await received(house, conversation) == 2
    assert facts.conversations[conversation].pending == []


async def test_one_that_came_later_has_its_own_time(house: House, ann: Customer) -> None:
    conversation = await house.opened(ann)
    await house.queued(ann, conversation)
    await house.take(ann.echo("p0", minutes=1))
    first = await rings(house, conversation)
    await house.take(ann.echo("p1", minutes=2))
    assert first is not None
    await house.take(record_of(Fired(conversation, ENDS, first)))
    assert await received(house, conversation) == 2
    second = await rings(house, conversation)
    assert second is not None
    assert second > first
    await house.take(record_of(Fired(conversation, ENDS, second)))
    assert await received(house, conversation) == 3


async def test_what_was_joined_meanwhile_is_told_no_more(house: House, ann: Customer) -> None:
    conversation = await house.opened(ann)
    message = await house.queued(ann, conversation)
    await house.take(ann.echo("p0", minutes=1))
    due = await rings(house, conversation)
    await house.take(ann.report(message, "sent", "p0", minutes=2))
    assert due is not None
    await house.take(record_of(Fired(conversation, ENDS, due)))
    assert await received(house, conversation) == 1
