"""Where a provider brings nothing of ours back, equal sends share a key: each echo is one of them, and none is two."""

from __future__ import annotations

import uuid

from tests.promises.house import Customer, House

ALIKE = "1220033004400_99000001/9f86d081884c7d65"


async def lost(house: House, customer: Customer, conversation: uuid.UUID) -> uuid.UUID:
    """A send whose answer nobody got."""
    message = await house.queued(customer, conversation)
    await house.take(customer.report(message, "unknown", join_key=ALIKE))
    return message


async def names(house: House, message: uuid.UUID) -> list[str]:
    """What the provider calls it, as far as it was told."""
    events = await house.pool.fetch("SELECT conversation_id FROM message WHERE id = $1", message)
    story = await house.story(events[0]["conversation_id"])
    told = [one for one in story if one["type"] == "message.status" and one["message_id"] == str(message)]
    return [*told[-1]["external_ids"]]


async def received(house: House, conversation: uuid.UUID) -> int:
    return (await house.types(conversation)).count("message.received") - 1  # beside the hello


async def test_each_echo_finds_one_of_the_lost_sends_of_equal_words_and_what_is_left_over_is_a_message(
    house: House,
) -> None:
    customer = Customer()
    conversation = await house.opened(customer)
    both = [await lost(house, customer, conversation) for _ in range(2)]
    for name in ("c1", "c2"):
        await house.take(customer.echo(name, join_key=ALIKE))
    assert [await house.statuses(message) for message in both] == [["unknown", "sent"]] * 2
    assert [await names(house, message) for message in both] == [["c1"], ["c2"]]
    assert await received(house, conversation) == 0
    await house.take(customer.echo("from a colleague", join_key=ALIKE))
    assert await received(house, conversation) == 1


async def test_an_echo_told_twice_is_one(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer)
    both = [await lost(house, customer, conversation) for _ in range(2)]
    again = customer.echo("c1", join_key=ALIKE).model_copy(update={"id": uuid.uuid4()})
    await house.take(customer.echo("c1", join_key=ALIKE))
    await house.take(again)
    assert [await house.statuses(message) for message in both] == [["unknown", "sent"], ["unknown"]]


async def test_an_echo_is_not_taken_for_a_lost_send_while_one_of_the_same_words_is_open(house: House) -> None:
    for in_one_batch in (False, True):
        customer = Customer()
        conversation = await house.opened(customer)
        first = await lost(house, customer, conversation)
        second = await house.queued(customer, conversation)
        await house.take(customer.echo("c2", join_key=ALIKE))
        assert await house.statuses(first) == ["unknown"]
        rest = [customer.report(second, "sent", "c2"), customer.echo("c1", join_key=ALIKE)]
        for batch in [rest] if in_one_batch else [[one] for one in rest]:
            await house.take(*batch)
        assert [await names(house, message) for message in (first, second)] == [["c1"], ["c2"]]
        assert await received(house, conversation) == 0


async def test_other_words_are_a_message_of_their_own(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer)
    message = await lost(house, customer, conversation)
    await house.take(customer.echo("c1", join_key=f"{ALIKE}0"))
    assert await house.statuses(message) == ["unknown"]
    assert await received(house, conversation) == 1


async def test_a_lost_send_is_not_looked_for_at_another_account(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer)
    message = await lost(house, customer, conversation)
    await house.take(customer.echo("c1", join_key=ALIKE, account="second"), customer.echo("c2", join_key="other"))
    assert await house.statuses(message) == ["unknown"]
