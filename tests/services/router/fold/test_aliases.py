"""One person with two addresses, by the provider's own word: found by either, answered at the newest."""

from __future__ import annotations

import uuid

import orjson

from services.router.fold.facts import Facts
from shared.contract.envelope import Envelope, Party
from tests.promises.house import Customer, House, as_read

PHONE, USER = "85512345678", "KH.13491208655302741918"


def writes(customer: Customer, address: str, *aliases: str) -> Envelope:
    return customer.says(peer=address, sender=Party(address=address, aliases=aliases))


async def owners(house: House, tenant: str) -> dict[str, str]:
    """Whose each address is."""
    rows = await house.pool.fetch(
        """SELECT i.value, coalesce(c.merged_into, c.id) AS person FROM identity i JOIN customer c ON c.id = i.customer_id
        WHERE i.tenant = $1""",
        tenant,
    )
    return {row["value"]: str(row["person"]) for row in rows}


def received(facts: Facts) -> list[uuid.UUID]:
    """The conversations that messages came into."""
    return [event.conversation_id for event in facts.emissions if event.name == "message.received"]


async def customers(house: House, tenant: str) -> set[str]:
    return set((await owners(house, tenant)).values())


async def test_who_hides_the_phone_later_stays_the_same_person(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer, writes(customer, PHONE, USER))
    facts = await house.take(writes(customer, USER))
    assert received(facts) == [conversation]
    assert len(await customers(house, customer.tenant)) == 1


async def test_who_shows_the_phone_later_stays_the_same_person(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer, writes(customer, USER))
    facts = await house.take(writes(customer, PHONE, USER))
    assert received(facts) == [conversation]


async def test_both_in_one_batch(house: House) -> None:
    customer = Customer()
    facts = await house.take(writes(customer, USER), writes(customer, PHONE, USER), writes(customer, PHONE))
    assert len(facts.opened) == 1
    assert len(await customers(house, customer.tenant)) == 1


async def test_the_answer_goes_to_the_address_last_written_from(house: House) -> None:
    customer = Customer()
    house.allows(customer)
    conversation = await house.opened(customer, writes(customer, PHONE, USER))
    await house.take(writes(customer, USER))
    facts = await house.take(as_read(customer.reply(conversation)))
    assert orjson.loads(facts.emissions[-1].value)["peer"] == USER


async def test_two_who_are_known_already_become_the_older_one_and_each_goes_on_where_they_wrote(house: House) -> None:
    customer = Customer()
    theirs = [await house.opened(customer, writes(customer, name)) for name in (PHONE, USER)]
    before = await owners(house, customer.tenant)
    assert len(set(before.values())) == 2
    facts = await house.take(writes(customer, PHONE, USER), writes(customer, USER))
    assert received(facts) == theirs
    assert set((await owners(house, customer.tenant)).values()) == {min(before.values(), key=uuid.UUID)}
