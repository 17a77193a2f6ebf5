"""Who takes part is called by name, whether the name comes before, with or after what they write; and told once."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from services.router.fold.facts import Facts
from shared.contract.deliveries import ProfileUpdate
from shared.contract.envelope import Party, Thread
from shared.contract.records import RECORDS
from shared.contract.requests import Send
from tests.promises.house import NOON, Customer, House, as_read

SOKHA = Party(address="ann", name="Sokha Chan", verified="provider", locale="km-KH", time_zone="+07:00")


def profile(customer: Customer, party: Party = SOKHA, **more: Any) -> ProfileUpdate:
    where = {"tenant": customer.tenant, "channel": "webhook", "account": "main", "peer": customer.peer}
    return ProfileUpdate(**where | more, party=party, occurred_at=NOON)


def names(facts: Facts) -> list[str]:
    return [event.name for event in facts.emissions]


async def called(house: House, conversation: uuid.UUID) -> str | None:
    name: str | None = await house.pool.fetchval("SELECT name FROM conversation WHERE id = $1", conversation)
    return name


async def told(house: House, conversation: uuid.UUID) -> Sequence[dict[str, Any]]:
    """Each participant that was told of, as its schema says."""
    model = RECORDS["conversation.participant"].model
    events = [event for event in await house.story(conversation) if event["type"] == "conversation.participant"]
    assert all(model.model_validate(event) for event in events)
    return [event["participant"] for event in events]


async def test_a_name_is_as_good_as_the_message_that_brought_it_last(house: House) -> None:
    """One that was typed is not taken for the one that was signed before it."""
    customer = Customer()
    conversation = await house.opened(customer, customer.says(sender=Party(address="ann", name="Dara")))
    for name, verified in (("Sokha", True), (None, False), ("the manager", False), ("Sokha", False), ("Sokha", True)):
        await house.take(customer.says(sender=Party(address="ann", name=name, name_verified=verified)))
        found = await house.pool.fetchrow("SELECT name, signed_name FROM conversation WHERE id = $1", conversation)
        assert found["name"] == (name or "Sokha")
        assert found["signed_name"] == ("Sokha" if verified or name is None else None)


async def test_a_name_that_comes_after_the_message_names_the_conversation(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer)
    assert await called(house, conversation) is None
    await house.take(profile(customer))
    assert await called(house, conversation) == "Sokha Chan"
    assert await told(house, conversation) == [SOKHA.model_dump(exclude_none=True, mode="json")]
    story = await house.story(conversation)
    assert [event["sequence"] for event in story] == [1, 2, 3]
    assert [step["place"] for step in story[-1]["trail"]] == ["inbound", "router"]


async def test_nobody_becomes_known_by_a_profile(house: House) -> None:
    customer = Customer()
    assert names(await house.take(profile(customer))) == []
    assert not await house.pool.fetchval("SELECT count(*) FROM identity WHERE tenant = $1", customer.tenant)


async def known(house: House, customer: Customer) -> None:
    """They wrote, in a place of its own."""
    await house.take(customer.says(thread=Thread(thread_key="elsewhere")))


async def test_a_name_that_comes_before_the_message_is_told_when_the_conversation_opens(house: House) -> None:
    customer = Customer()
    await known(house, customer)
    await house.take(profile(customer))
    facts = await house.take(customer.says())
    assert names(facts) == ["conversation.opened", "conversation.participant", "message.received"]
    assert await called(house, facts.opened[0].id) == "Sokha Chan"


async def test_a_name_that_comes_in_the_batch_of_the_message(house: House) -> None:
    customer = Customer()
    facts = await house.take(customer.says(), profile(customer))
    assert names(facts) == ["conversation.opened", "message.received", "conversation.participant"]
    assert await called(house, facts.opened[0].id) == "Sokha Chan"


async def test_the_same_profile_twice_is_told_once(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer)
    facts = await house.take(profile(customer), profile(customer))
    assert names(facts) == ["conversation.participant"]
    assert names(await house.take(profile(customer))) == []
    assert len(await told(house, conversation)) == 1


async def test_whoever_is_called_otherwise_now_is_told_again(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer)
    await house.take(profile(customer))
    await house.take(profile(customer, SOKHA.model_copy(update={"name": "Sokha Kim"})))
    assert await called(house, conversation) == "Sokha Kim"
    assert [one["name"] for one in await told(house, conversation)] == ["Sokha Chan", "Sokha Kim"]


async def test_the_name_that_someone_writes_under_stays(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer, customer.says(sender=Party(address="ann", name="Ann of the shop")))
    await house.take(profile(customer))
    assert await called(house, conversation) == "Ann of the shop"
    (participant,) = await told(house, conversation)
    assert participant == SOKHA.model_dump(exclude_none=True, mode="json") | {"name": "Ann of the shop"}


async def test_a_profile_without_a_name_takes_none_away(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer)
    await house.take(profile(customer))
    await house.take(profile(customer, Party(address="ann", locale="en-US")))
    assert await called(house, conversation) == "Sokha Chan"


async def test_only_the_persons_own_conversations_are_told(house: House) -> None:
    customer = Customer()
    other = await house.opened(replace(customer, peer="bob"))
    conversation = await house.opened(customer)
    facts = await house.take(profile(customer))
    assert [event.conversation_id for event in facts.emissions] == [conversation]
    assert await called(house, other) is None


async def test_another_tenants_person_of_the_same_address_is_not_named(house: House) -> None:
    customer = Customer()
    await house.take(profile(Customer()))
    assert await called(house, await house.opened(customer)) is None


async def test_another_accounts_person_of_the_same_id_is_somebody_else(house: House) -> None:
    customer = Customer()
    elsewhere = await house.opened(customer, customer.says(account="second"))
    conversation = await house.opened(customer)
    facts = await house.take(profile(customer))
    assert [event.conversation_id for event in facts.emissions] == [conversation]
    assert await called(house, elsewhere) is None
    third = await house.opened(customer, customer.says(account="third"))
    assert await called(house, third) is None


async def test_another_accounts_conversation_of_the_same_person_is_not_told_but_named_when_it_begins(
    house: House,
) -> None:
    customer = Customer()
    telegram = {"channel": "telegram", "account": "second"}
    elsewhere = await house.opened(customer, customer.says(**telegram))
    await house.take(profile(customer, channel="telegram"))
    assert await called(house, elsewhere) is None
    third = await house.opened(customer, customer.says(**telegram | {"account": "third"}))
    assert await called(house, third) == "Sokha Chan"


async def test_whom_we_write_to_first_is_called_by_the_name_that_is_known(house: House) -> None:
    customer = Customer()
    house.allows(customer)
    await known(house, customer)
    await house.take(profile(customer))
    asked = Send(tenant=customer.tenant, channel="webhook", account="main", address="ann", parts=customer.says().parts)
    facts = await house.take(as_read(asked))
    assert names(facts) == ["conversation.opened", "message.queued", "outbound", "conversation.participant"]
    assert await called(house, facts.opened[0].id) == "Sokha Chan"
    assert [event["sequence"] for event in await house.story(facts.opened[0].id)] == [1, 2, 3]


# under a post ---------------------------------------------------------------------------------------------------------


def comments(customer: Customer, who: str, name: str | None = None, thread: str = "c1", **more: Any) -> Any:
    return customer.says(sender=Party(address=who, name=name), thread=Thread(thread_key=thread), **more)


async def test_a_conversation_under_a_post_is_called_after_who_began_it(house: House) -> None:
    post = Customer(container="post-1")
    conversation = await house.opened(post, comments(post, "ann", "Ann"))
    await house.take(comments(post, "bob", "Bob"))
    assert await called(house, conversation) == "Ann"
    await house.take(comments(post, "ann", "Ann Chan"))
    assert await called(house, conversation) == "Ann Chan"


async def test_whoever_answers_a_nameless_comment_does_not_name_it(house: House) -> None:
    post = Customer(container="post-1")
    facts = await house.take(comments(post, "unknown:c1"), comments(post, "bob", "Bob"))
    assert len(facts.opened) == 1
    assert await called(house, facts.opened[0].id) is None


async def test_a_profile_names_what_the_person_began_in_a_group_and_nothing_else(house: House) -> None:
    group = Customer(container="group-1")
    own = await house.opened(group, comments(group, "ann"))
    other = await house.opened(group, comments(group, "bob", thread="c2"))
    await house.take(comments(group, "ann", thread="c2"))
    facts = await house.take(profile(group))
    assert [event.conversation_id for event in facts.emissions] == [own]
    assert (await called(house, own), await called(house, other)) == ("Sokha Chan", None)
