"""A private answer to a public comment: what its reader receives and reads is told of the person, and reaches the message."""

from __future__ import annotations

import itertools
import uuid

import pytest

from shared.envelope import Party
from shared.records import Delivery
from tests.promises.house import Customer, House, as_read

READER = "7420016630001"


def commenter() -> tuple[Customer, Customer]:
    """Who writes under the post, and the same person in the inbox, by the name that receipts use."""
    tenant = f"t-{uuid.uuid4().hex[:8]}"
    return Customer(tenant, container="104_1"), Customer(tenant, peer=READER)


async def answered(house: House, public: Customer) -> tuple[uuid.UUID, uuid.UUID]:
    conversation = await house.opened(public, public.says(surface="comment"))
    return conversation, await house.queued(public, conversation)


def echo(public: Customer, name: str, minutes: float) -> object:
    """As the channel reads it: put under the post, with whom it reached."""
    return public.echo(name, minutes=minutes, surface="comment", recipients=(Party(address=READER),))


@pytest.mark.parametrize("order", [*itertools.permutations(range(3))], ids=str)
async def test_what_the_person_reads_is_read_in_whatever_order_it_is_told(house: House, order: tuple[int, ...]) -> None:
    public, person = commenter()
    _, message = await answered(house, public)
    told = (
        public.report(message, "sent", "m1", minutes=2),
        echo(public, "m1", minutes=1),
        person.watermark("read", minutes=1),
    )
    for place in order:
        await house.take(told[place])
    assert (await house.statuses(message))[-1] == "read"
    assert len(await house.conversations(public)) == 1


async def test_delivered_then_read_in_one_batch(house: House) -> None:
    public, person = commenter()
    _, message = await answered(house, public)
    told = (
        public.report(message, "sent", "m1", minutes=2),
        echo(public, "m1", minutes=1),
        person.watermark("delivered", minutes=1),
        person.watermark("read", minutes=3),
    )
    await house.take(*(as_read(one, offset=n) for n, one in enumerate(told)))
    assert await house.statuses(message) == ["sent", "delivered", "read"]


async def test_what_stands_in_public_is_not_read_by_one_person(house: House) -> None:
    public, person = commenter()
    conversation, private = await answered(house, public)
    below = await house.queued(public, conversation)
    await house.take(public.report(private, "sent", "m1", minutes=2), public.report(below, "sent", "c1", minutes=2))
    await house.take(echo(public, "m1", minutes=1), person.watermark("read", minutes=5))
    assert await house.statuses(private) == ["sent", "read"]
    assert await house.statuses(below) == ["sent"]


async def test_a_mark_counts_for_what_was_sent_before_it_only_and_a_later_one_for_the_rest(house: House) -> None:
    public, person = commenter()
    conversation, first = await answered(house, public)
    second = await house.queued(public, conversation)
    for message, name, minutes in ((first, "m1", 1), (second, "m2", 4)):
        await house.take(public.report(message, "sent", name, minutes=minutes), echo(public, name, minutes=minutes))
    await house.take(person.watermark("read", minutes=2))
    assert [await house.statuses(message) for message in (first, second)] == [["sent", "read"], ["sent"]]
    await house.take(person.watermark("read", minutes=1), person.watermark("read", minutes=4))
    assert await house.statuses(second) == ["sent", "read"]


async def test_another_person_and_another_account_say_nothing_of_it(house: House) -> None:
    public, person = commenter()
    _, message = await answered(house, public)
    await house.take(public.report(message, "sent", "m1", minutes=1), echo(public, "m1", minutes=1))
    elsewhere: Delivery = person.watermark("read", minutes=5).model_copy(update={"account": "second"})
    await house.take(elsewhere, Customer(public.tenant, peer="7420016630009").watermark("read", minutes=5))
    assert await house.statuses(message) == ["sent"]
