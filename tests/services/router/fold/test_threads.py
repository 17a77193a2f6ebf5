"""Threading, rule by rule, and the guard over all of it."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given, strategies as st

from shared.contract.envelope import Envelope, Model, Notice, Party, Text, Thread
from shared.contract.requests import Send
from shared.contract.thread_tokens import read_thread_token, thread_token
from tests.promises.house import Customer, House, as_read

SECRET = b"test-secret"


@given(st.uuids())
def test_a_token_names_its_conversation_in_any_case_of_letters(conversation: uuid.UUID) -> None:
    made = thread_token(conversation, SECRET)
    assert made is not None
    assert len(made) == 42
    assert made.islower() or made.isdigit()
    assert read_thread_token(made, SECRET) == read_thread_token(made.upper(), SECRET) == conversation


@given(st.uuids(), st.integers(0, 40), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_a_token_that_was_changed_names_nothing(conversation: uuid.UUID, place: int, letter: str) -> None:
    made = thread_token(conversation, SECRET)
    assert made is not None
    changed = made[:place] + letter + made[place + 1 :]
    if changed != made:
        assert read_thread_token(changed, SECRET) is None


@given(st.text(max_size=64))
def test_a_text_that_is_no_token_names_nothing(text: str) -> None:
    assert read_thread_token(text, SECRET) is None


def test_without_a_secret_there_are_no_tokens() -> None:
    conversation = uuid.uuid4()
    assert thread_token(conversation, b"") is None
    assert read_thread_token(thread_token(conversation, SECRET) or "", b"") is None
    assert read_thread_token(thread_token(conversation, b"another") or "", SECRET) is None


async def two_conversations(house: House, customer: Customer) -> tuple[uuid.UUID, uuid.UUID]:
    """Two open ones of one customer, on one account, by two thread keys."""
    first = await house.opened(customer, customer.says(name="m1", thread=Thread(thread_key="one")))
    second = await house.opened(customer, customer.says(name="m2", thread=Thread(thread_key="two")))
    assert first != second
    return first, second


async def where(house: House, customer: Customer, **more: object) -> uuid.UUID:
    facts = await house.take(customer.says(**more))
    (received,) = [event for event in facts.emissions if event.name == "message.received"]
    return received.conversation_id


async def test_1_our_own_token_comes_first(house: House) -> None:
    customer = Customer()
    first, _ = await two_conversations(house, customer)
    thread = Thread(token=thread_token(first, SECRET), thread_key="two", reply_to="m2")
    assert await where(house, customer, thread=thread) == first


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("ann|x", "y"), ("ann", "x|y")),
        (("ann" * 300, "t" * 100 + "1"), ("ann" * 300, "t" * 100 + "2")),
    ],
    ids=["run into each other", "long and alike to the end"],
)
async def test_two_threads_of_names_that_look_alike_are_two(
    house: House, one: tuple[str, str], other: tuple[str, str]
) -> None:
    tenant = Customer().tenant
    opened = []
    for peer, thread in (one, other, one, other):
        facts = await house.take(Customer(tenant, peer=peer).says(thread=Thread(thread_key=thread)))
        opened.append(next(event.conversation_id for event in facts.emissions if event.name == "message.received"))
    assert opened[0] == opened[2] != opened[1] == opened[3]


async def test_2_the_providers_thread_key_comes_next(house: House) -> None:
    customer = Customer()
    first, second = await two_conversations(house, customer)
    assert await where(house, customer, thread=Thread(thread_key="one", reply_to="m2")) == first
    assert await where(house, customer, thread=Thread(thread_key="two")) == second


async def test_2_a_reply_goes_to_what_it_answers(house: House) -> None:
    customer = Customer()
    first, second = await two_conversations(house, customer)
    assert await where(house, customer, thread=Thread(reply_to="m1")) == first
    assert await where(house, customer, thread=Thread(reply_to="m2")) == second


async def test_2_a_reply_to_what_we_sent_goes_there_too(house: House) -> None:
    customer = Customer()
    first, _ = await two_conversations(house, customer)
    message = await house.queued(customer, first)
    await house.take(customer.report(message, "sent", "ours"))
    assert await where(house, customer, thread=Thread(reply_to="ours")) == first


async def test_3_of_references_the_newest_known_decides(house: House) -> None:
    customer = Customer()
    _, second = await two_conversations(house, customer)
    assert await where(house, customer, thread=Thread(references=("m1", "m2", "never seen"))) == second


async def test_4_else_the_customers_open_conversation_on_this_account(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer)
    assert await where(house, customer) == conversation


async def test_6_else_a_new_one(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer)
    await house.pool.execute("UPDATE conversation SET status = 'closed' WHERE id = $1", conversation)
    assert await where(house, customer, thread=Thread(token=thread_token(conversation, SECRET))) != conversation


async def test_a_group_is_one_conversation_for_all_who_write_in_it(house: House) -> None:
    ann = Customer(peer="ann", container="group 5")
    bob = replace(ann, peer="bob")
    conversation = await house.opened(ann)
    assert await where(house, bob) == conversation
    assert await where(house, replace(ann, container=None)) != conversation, "what ann says alone is not for the group"


# places -----------------------------------------------------------------------------------------------------------------


PLACE = "channel:direct:ann"


def in_place(ann: Customer, **more: Any) -> Envelope:
    """What she writes where only she and the account are, beside her private chat."""
    return replace(ann, container=PLACE).says(surface="direct", **more)


async def sent_to(house: House, asked: Model) -> tuple[uuid.UUID, str]:
    """The conversation that a request goes to, and the address that the adapter is given."""
    facts = await house.take(as_read(asked))
    (queued,) = [event for event in facts.emissions if event.name == "message.queued"]
    return queued.conversation_id, orjson.loads(queued.value)["message"]["peer"]


@pytest.mark.parametrize("first", ["place", "private"])
async def test_each_place_of_a_person_is_a_conversation_of_the_same_customer_and_answered_there(
    house: House, first: str
) -> None:
    ann = Customer()
    says = {"private": ann.says, "place": lambda: in_place(ann)}
    opened = {name: await house.opened(ann, says[name]()) for name in (first, *says.keys() - {first})}
    assert opened["private"] != opened["place"]
    for name, peer in (("private", "ann"), ("place", PLACE)):
        assert (await house.take(says[name]())).emissions[0].conversation_id == opened[name]
        assert await sent_to(house, ann.reply(opened[name])) == (opened[name], peer)
    owners = await house.pool.fetch("SELECT DISTINCT customer_id FROM conversation WHERE tenant = $1", ann.tenant)
    assert len(owners) == 1


@pytest.mark.parametrize("known", [True, False])
async def test_what_others_write_to_a_person_in_their_place_is_in_that_persons_conversation(
    house: House, known: bool
) -> None:
    ann = Customer()
    if known:
        await house.opened(ann)
    echo = replace(ann, container=PLACE).echo("e1", surface="direct", recipients=(Party(address="ann"),))
    conversation = await house.opened(ann, echo)
    private = await house.opened(ann) if not known else None
    assert (await house.take(in_place(ann))).emissions[0].conversation_id == conversation != private
    owners = await house.pool.fetch("SELECT DISTINCT customer_id FROM conversation WHERE tenant = $1", ann.tenant)
    assert len(owners) == 1


async def test_a_block_is_of_the_private_chat_and_a_message_elsewhere_does_not_lift_it(house: House) -> None:
    ann = Customer()
    house.allows(ann)
    private, place = await house.opened(ann), await house.opened(ann, in_place(ann))
    blocked = ann.says(parts=(Notice(type="blocked"),), minutes=1, external_id=None, window=None)
    await house.take(blocked)
    await house.take(in_place(ann, minutes=2))
    assert await sent_to(house, ann.reply(place)) == (place, PLACE)
    (refused,) = (await house.take(as_read(ann.reply(private)))).emissions
    assert (refused.name, orjson.loads(refused.value)["failure"]["code"]) == ("request.refused", "blocked")


@pytest.mark.parametrize("address", ["ann", PLACE, "group 5"])
async def test_a_first_message_goes_to_the_place_that_it_names(house: House, address: str) -> None:
    ann = Customer()
    house.allows(ann)
    group = replace(ann, container="group 5")
    messages = {"ann": ann.says(), PLACE: in_place(ann), "group 5": group.says(surface="group")}
    opened = {name: await house.opened(ann, said) for name, said in messages.items()}
    await house.opened(ann, group.says(surface="group", thread=Thread(thread_key="a topic")))
    asked = Send(tenant=ann.tenant, channel="webhook", account="main", address=address, parts=(Text(text="hello"),))
    assert await sent_to(house, asked) == (opened[address], address)


async def test_a_private_chat_and_its_topics_are_conversations_of_their_own(house: House) -> None:
    ann = Customer()
    private = await house.opened(ann)
    topic = await house.opened(ann, ann.says(thread=Thread(thread_key="5")))
    assert topic != private
    assert await where(house, ann) == private
    assert await where(house, ann, thread=Thread(thread_key="5")) == topic


@pytest.mark.parametrize("how", ["token", "thread_key", "reply_to", "references"])
async def test_a_stranger_who_quotes_a_conversation_does_not_enter_it(house: House, how: str) -> None:
    ann = Customer()
    conversation = await house.opened(ann, ann.says(name="m1", thread=Thread(thread_key="k")))
    made = thread_token(conversation, SECRET)
    quoted = {"token": made, "thread_key": "k", "reply_to": "m1", "references": ("m1",)}[how]
    eve = replace(ann, peer="eve")
    assert await where(house, eve, thread=Thread(**{how: quoted})) != conversation
    other_tenant = Customer(peer="ann")
    assert await where(house, other_tenant, thread=Thread(**{how: quoted})) != conversation


async def test_a_stranger_does_not_edit_what_another_said(house: House) -> None:
    ann = Customer()
    conversation = await house.opened(ann, ann.says(name="m1"))
    await house.take(replace(ann, peer="eve").edits("m1", minutes=9))
    assert "message.edited" not in await house.types(conversation)


async def test_a_group_of_another_tenant_is_not_entered_though_all_its_names_are_the_same(house: House) -> None:
    """Two tenants may call their accounts alike and be in one group: a token of the one opens nothing of the other."""
    ours, theirs = Customer(container="g"), Customer(container="g")
    conversation = await house.opened(ours)
    assert await where(house, theirs, thread=Thread(token=thread_token(conversation, SECRET))) != conversation
