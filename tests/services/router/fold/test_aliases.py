"""One person with two addresses, by the provider's own word: found by either, answered at the newest."""

from __future__ import annotations

import orjson

from shared.contract.envelope import Envelope, Party
from tests.promises.house import Customer, House, as_read

PHONE, USER = "85512345678", "KH.13491208655302741918"


def writes(customer: Customer, address: str, *aliases: str) -> Envelope:
    return customer.says(peer=address, sender=Party(address=address, aliases=aliases))


async def owners(house: House, tenant: str) -> dict[str, str]:
    """Whose each address is."""
    rows = await house.pool.fetch("SELECT value, customer_id FROM identity WHERE tenant = $1", tenant)
    return {row["value"]: str(row["customer_id"]) for row in rows}


async def customers(house: House, tenant: str) -> set[str]:
    return set((await owners(house, tenant)).values())


async def test_who_hides_the_phone_later_stays_the_same_person(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer, writes(customer, PHONE, USER))
    facts = await house.take(writes(customer, USER))
    assert [event.conversation_id for event in facts.emissions] == [conversation]
    assert len(await customers(house, customer.tenant)) == 1


async def test_who_shows_the_phone_later_stays_the_same_person(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer, writes(customer, USER))
    facts = await house.take(writes(customer, PHONE, USER))
    assert [event.conversation_id for event in facts.emissions] == [conversation]


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


async def test_two_people_who_are_known_already_stay_two(house: House) -> None:
    customer = Customer()
    await house.take(writes(customer, PHONE), writes(customer, USER))
    before = await owners(house, customer.tenant)
    facts = await house.take(writes(customer, PHONE, USER))
    assert await owners(house, customer.tenant) == before, "a merge needs more than a batch"
    assert len(set(before.values())) == 2
    (said,) = facts.emissions
    assert str(facts.conversations[said.conversation_id].customer_id) == before[PHONE]
