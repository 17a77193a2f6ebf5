"""A receipt that overtakes the report of its own send, in one batch or the next: nothing is told before the report is folded."""

from __future__ import annotations

import uuid

import pytest

from tests.promises.house import Customer, House, as_read


async def sent_in_two(house: House) -> tuple[Customer, uuid.UUID, uuid.UUID]:
    """A customer, the conversation, and a message of ours that its adapter sends in two pieces."""
    customer = Customer()
    house.allows(customer)
    conversation = await house.opened(customer)
    return customer, conversation, await house.queued(customer, conversation)


@pytest.mark.parametrize("together", [True, False], ids=["one batch", "two batches"])
async def test_a_receipt_ahead_of_its_report_does_not_make_a_long_message_delivered(
    house: House, together: bool
) -> None:
    customer, conversation, message = await sent_in_two(house)
    records = [
        customer.receipt("delivered", "p0", minutes=2),
        customer.report(message, "sent", "p0", minutes=1, piece=0, pieces=2),
    ]
    for batch in [records] if together else [[record] for record in records]:
        await house.take(*(as_read(record, offset=n) for n, record in enumerate(batch)))
    assert await house.statuses(message) == []
    await house.take(
        as_read(customer.receipt("delivered", "p1", minutes=4)),
        as_read(customer.report(message, "sent", "p1", minutes=3, piece=1, pieces=2), offset=1),
    )
    assert (await house.statuses(message))[-1] == "delivered"
    [*_, told] = [event for event in await house.story(conversation) if event["type"] == "message.status"]
    assert told["external_ids"] == ["p0", "p1"]


async def test_an_echo_of_a_later_piece_is_still_ours_after_an_early_receipt(house: House) -> None:
    customer, conversation, message = await sent_in_two(house)
    await house.take(
        as_read(customer.receipt("delivered", "p0", minutes=2)),
        as_read(customer.report(message, "sent", "p0", minutes=1, piece=0, pieces=2), offset=1),
    )
    await house.take(as_read(customer.echo("p1", minutes=3)))
    await house.take(as_read(customer.report(message, "sent", "p1", minutes=3, piece=1, pieces=2)))
    assert (await house.types(conversation)).count("message.received") == 1


@pytest.mark.parametrize("together", [True, False], ids=["one batch", "two batches"])
@pytest.mark.parametrize("first", ["report", "receipt"])
async def test_a_send_whose_answer_was_lost_is_known_by_the_key_that_its_receipt_brings_back(
    house: House, together: bool, first: str
) -> None:
    """An SMS has no echo, but each of its statuses comes to an address that names our piece."""
    customer = Customer()
    house.allows(customer)
    message = await house.queued(customer, await house.opened(customer))
    records = [
        customer.report(message, "unknown", join_key="piece-1", minutes=1),
        customer.receipt("delivered", "SM1", join_key="piece-1", minutes=2),
    ]
    ordered = records if first == "report" else records[::-1]
    for batch in [ordered] if together else [[record] for record in ordered]:
        await house.take(*(as_read(record, offset=n) for n, record in enumerate(batch)))
    assert (await house.statuses(message))[-1] == "delivered"


@pytest.mark.parametrize("together", [True, False], ids=["one batch", "two batches"])
async def test_an_echo_ahead_of_its_report_does_not_make_a_long_message_sent(house: House, together: bool) -> None:
    """What never leaves of it then would never be told."""
    customer, conversation, message = await sent_in_two(house)
    records = [
        customer.echo("p0", minutes=2),
        customer.report(message, "sent", "p0", minutes=1, piece=0, pieces=2),
    ]
    for batch in [records] if together else [[record] for record in records]:
        await house.take(*(as_read(record, offset=n) for n, record in enumerate(batch)))
    assert await house.statuses(message) == []
    await house.take(as_read(customer.report(message, "expired", minutes=3, piece=1, pieces=2)))
    assert await house.statuses(message) == ["expired"]
    assert (await house.types(conversation)).count("message.received") == 1, "the echo is no message of its own"
