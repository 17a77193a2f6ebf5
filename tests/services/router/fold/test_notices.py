"""What a provider tells of a chat is nobody's message: facts are kept, everything is told, nothing opens."""

from __future__ import annotations

import itertools
import uuid
from typing import Any

import orjson
import pytest

from shared.contract.envelope import Assessment, Envelope, MessageContext, Notice, Party, Referral, Text, Window
from shared.contract.requests import Send
from shared.runtime.observe import UNTOLD
from tests.promises.house import Customer, House, as_read
from tests.services.router.fold.test_amendments import events

KINDS = ("blocked", "unblocked", "joined", "left", "pinned", "renamed", "moved", "responder", "other")


def notice(customer: Customer, type_: str, *, minutes: float = 0, to: str | None = None, **more: Any) -> Envelope:
    parts = (Notice(type=type_, to=to),)  # type: ignore[arg-type]
    return customer.says(parts=parts, minutes=minutes, **{"external_id": None, "window": None} | more)


def first_message(customer: Customer, address: str) -> Send:
    return Send(tenant=customer.tenant, channel="webhook", account="main", address=address, parts=(Text(text="hello"),))


@pytest.mark.parametrize("container", [None, "g"])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_notice_opens_no_conversation_and_makes_nobody_known(
    house: House, kind: str, container: str | None
) -> None:
    customer = Customer(container=container)
    (told,) = events(await house.take(notice(customer, kind)))
    assert told["apart"]
    assert await house.conversations(customer) == []
    assert await house.pool.fetchval("SELECT count(*) FROM identity WHERE tenant = $1", customer.tenant) == 0


@pytest.mark.parametrize("container", [None, "g"])
@pytest.mark.parametrize("kind", ["joined", "left", "pinned", "renamed", "other"])
async def test_it_is_told_in_the_conversation_that_there_is_and_changes_nothing_there(
    house: House, kind: str, container: str | None
) -> None:
    customer = Customer(container=container)
    conversation = await house.opened(customer, customer.says(window=Window(until=None, allows=("template",))))
    before = await house.pool.fetchrow('SELECT preview, last_at, last_inbound_at, "window" FROM conversation WHERE id = $1', conversation)  # fmt: skip
    (told,) = events(await house.take(notice(customer, kind, to="x", minutes=9)))
    assert (told["type"], told["conversation"]) == ("conversation.notice", str(conversation))
    assert told["notice"] == {"kind": "notice", "type": kind, "to": "x"}
    assert before == await house.pool.fetchrow('SELECT preview, last_at, last_inbound_at, "window" FROM conversation WHERE id = $1', conversation)  # fmt: skip


@pytest.mark.parametrize("known", [True, False])
async def test_by_what_a_person_came_is_told_with_the_notice(house: House, known: bool) -> None:
    customer = Customer()
    if known:
        await house.opened(customer)
    came = MessageContext(referral=Referral(source="SHORTLINK", ref="table-7"))
    (told,) = events(await house.take(notice(customer, "other", minutes=1, context=came)))
    assert told["context"] == {"forwarded": False, "referral": {"source": "SHORTLINK", "ref": "table-7"}}


# blocked ----------------------------------------------------------------------------------------------------------------


async def code(house: House, record: Any) -> str | None:
    (told, *_) = events(await house.take(as_read(record)))
    return told["failure"]["code"] if told["type"] == "request.refused" else None


async def test_who_has_stopped_the_account_is_sent_nothing_until_they_write(house: House) -> None:
    customer = Customer()
    house.allows(customer)
    conversation = await house.opened(customer)
    (told,) = events(await house.take(notice(customer, "blocked", minutes=1)))
    assert (told["type"], told["blocked"], told["participant"]["address"]) == ("conversation.participant", True, "ann")
    assert await code(house, customer.reply(conversation)) == "blocked"
    assert await code(house, first_message(customer, "ann")) == "blocked"
    lifted, message = events(await house.take(customer.says(minutes=2)))
    assert (lifted["type"], lifted["blocked"], message["type"]) == ("conversation.participant", False, "message.received")  # fmt: skip
    assert await code(house, customer.reply(conversation)) is None


@pytest.mark.parametrize("end", ["unblocked", "message"])
@pytest.mark.parametrize("known", [True, False])
async def test_a_block_without_a_conversation_is_kept_by_person_whichever_name_it_came_by(
    house: House, end: str, known: bool
) -> None:
    customer = Customer(peer="phone")
    house.allows(customer)
    both = Party(address="phone", aliases=("user",))
    if known:
        await house.pool.execute(
            "INSERT INTO identity (tenant, kind, value, customer_id) SELECT $1, 'webhook', name, $2 FROM unnest($3::text[]) name",
            customer.tenant, uuid.uuid4(), ["phone", "user"],
        )  # fmt: skip
    await house.take(notice(customer, "blocked", sender=both))
    assert await code(house, first_message(customer, "user")) == "blocked"
    assert await code(house, first_message(customer, "phone")) == "blocked"
    ended = notice(customer, "unblocked", sender=both, minutes=1)
    await house.take(ended if end == "unblocked" else customer.says(sender=both, minutes=1))
    assert await code(house, first_message(customer, "user")) is None
    assert await house.pool.fetchval("SELECT count(*) FROM blocked WHERE tenant = $1", customer.tenant) == 0


async def test_in_one_batch_the_last_word_counts(house: House) -> None:
    for order in itertools.permutations(("blocked", "says", "unblocked")):
        customer = Customer()
        house.allows(customer)
        conversation = await house.opened(customer)
        made = [customer.says(minutes=n + 1) if kind == "says" else notice(customer, kind, minutes=n + 1)
                for n, kind in enumerate(order)]  # fmt: skip
        await house.take(*made)
        assert await code(house, customer.reply(conversation)) == ("blocked" if order[-1] == "blocked" else None), order
        rows = await house.pool.fetchval("SELECT count(*) FROM blocked WHERE tenant = $1", customer.tenant)
        assert rows == (order[-1] == "blocked"), order


@pytest.mark.parametrize(("kind", "more"), [("unblocked", {}), ("responder", {}), ("blocked", {"minutes": 2.0})])
async def test_what_is_known_already_is_told_nobody_and_counted(house: House, kind: str, more: dict[str, Any]) -> None:
    customer = Customer()
    await house.opened(customer)
    if kind == "blocked":
        await house.take(notice(customer, "blocked", minutes=1))
    before = UNTOLD.labels("known_notice")._value.get()
    assert events(await house.take(notice(customer, kind, **more))) == []
    assert UNTOLD.labels("known_notice")._value.get() == before + 1


async def test_what_is_older_says_nothing(house: House) -> None:
    customer = Customer()
    house.allows(customer)
    conversation = await house.opened(customer, customer.says(minutes=5))
    assert events(await house.take(notice(customer, "blocked", minutes=4))) == []
    assert await code(house, customer.reply(conversation)) is None
    await house.take(notice(customer, "blocked", minutes=6))
    await house.take(notice(customer, "unblocked", minutes=5), customer.says(minutes=5.5))
    assert await code(house, customer.reply(conversation)) == "blocked"


async def test_what_was_written_before_the_block_and_comes_after_it_lifts_nothing(house: House) -> None:
    customer = Customer()
    house.allows(customer)
    await house.take(notice(customer, "blocked", minutes=5))
    await house.take(customer.says(minutes=4))
    assert await code(house, first_message(customer, "ann")) == "blocked"


async def test_another_account_and_a_group_are_not_concerned(house: House) -> None:
    customer = Customer()
    house.allows(customer)
    conversation = await house.opened(customer, customer.says(account="second"))
    group = Customer(customer.tenant, container="g")
    in_group = await house.opened(group)
    await house.take(notice(customer, "blocked", minutes=1))
    assert await code(house, customer.reply(conversation)) is None
    assert await code(house, customer.reply(in_group)) is None


# responder --------------------------------------------------------------------------------------------------------------


async def test_who_has_the_thread_is_a_fact_of_the_conversation_and_told_when_it_changes(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer)
    (told,) = events(await house.take(notice(customer, "responder", to="booking", minutes=1)))
    assert (told["type"], told["responder"]) == ("conversation.responder", "booking")
    assert events(await house.take(notice(customer, "responder", to="booking", minutes=2))) == []
    assert events(await house.take(notice(customer, "responder", minutes=0.5))) == [], "that was before"
    assert await house.pool.fetchval("SELECT responder FROM conversation WHERE id = $1", conversation) == "booking"
    (told,) = events(await house.take(notice(customer, "responder", minutes=3)))
    assert told["responder"] is None


async def test_a_message_that_somebody_else_is_to_answer_says_so_and_no_program_may(house: House) -> None:
    customer = Customer()
    judged = Assessment(may_auto_answer=True, reasons=("signed",))
    facts = await house.take(customer.says(responder="booking", assessment=judged))
    opened, responder, received = events(facts)
    assert (opened["type"], responder["responder"]) == ("conversation.opened", "booking")
    shown = received["message"]["assessment"]
    assert (shown["may_auto_answer"], shown["reasons"][0], received["message"]["responder"]) == (False, "signed", "booking")  # fmt: skip
    (told, message) = events(await house.take(customer.says(minutes=1)))
    assert (told["type"], told["responder"], message["type"]) == ("conversation.responder", None, "message.received")


async def test_what_a_message_refers_to_travels_with_it(house: House) -> None:
    customer = Customer()
    context = {
        "forwarded": True,
        "quoted": {"text": "before"},
        "referral": {"source": "ad", "id": "7"},
        "group": "album",
    }
    facts = await house.take(customer.says(context=context, answer_to=Party(address="wants@the.example")))
    message = orjson.loads(facts.emissions[-1].value)["message"]
    assert message["context"] == context
    assert message["answer_to"] == {"address": "wants@the.example"}


# moved ------------------------------------------------------------------------------------------------------------------


def as_person(tenant: str, name: str) -> Customer:
    return Customer(tenant, peer=name)


def as_group(tenant: str, name: str) -> Customer:
    return Customer(tenant, container=name)


@pytest.mark.parametrize("chat", [as_person, as_group])
@pytest.mark.parametrize("order", sorted(set(itertools.permutations(("old", "moved", "new", "moved")))), ids="-".join)
async def test_a_chat_that_is_called_otherwise_is_one_conversation_in_every_order(
    house: House, chat: Any, order: tuple[str, ...]
) -> None:
    tenant = f"t-{uuid.uuid4().hex[:8]}"
    old, new = chat(tenant, "old"), chat(tenant, "new")
    for minute, step in enumerate(order):
        said = {"old": old.says, "new": new.says}.get(step)
        await house.take(said(minutes=minute) if said else notice(old, "moved", to="new", minutes=minute))
    for target, customer in (("x", old), ("y", new)):
        await house.take(customer.says(minutes=9), customer.edits(target, minutes=9))
    rows = await house.pool.fetch("SELECT id, status, peer, last_sequence FROM conversation WHERE tenant = $1", tenant)
    (stays,) = [row for row in rows if row["status"] == "open"]
    last = {event["type"] for event in (await house.story(stays["id"]))[-4:]}
    assert last == {"message.received", "message.edited"}, "both names lead to it"
    for row in rows:
        if row["id"] != stays["id"]:
            assert (await house.story(row["id"]))[-1]["into"] == str(stays["id"]), "and the other says where it goes on"


@pytest.mark.parametrize("first", ["message", "notice"])
async def test_a_moved_group_is_answered_under_its_new_name(house: House, first: str) -> None:
    old = Customer(container="old")
    house.allows(old)
    steps = [old.says(), notice(old, "moved", to="new", minutes=1)]
    for step in steps if first == "message" else reversed(steps):
        await house.take(step)
    (conversation,) = await house.conversations(old)
    queued, order = events(await house.take(as_read(old.reply(conversation))))
    assert (queued["type"], order["peer"]) == ("message.queued", "new")


async def test_the_topics_of_a_group_move_with_it_each_to_its_own(house: House) -> None:
    old = Customer(container="old")
    topics = ({"thread": {"thread_key": "1"}}, {"thread": {"thread_key": "2"}})
    conversations = [await house.opened(old, old.says(**topic)) for topic in topics]
    await house.take(notice(old, "moved", to="new", minutes=1))
    new = Customer(old.tenant, container="new")
    for conversation, topic in zip(conversations, topics, strict=True):
        for customer in (old, new):
            (told,) = events(await house.take(customer.says(minutes=2, **topic)))
            assert told["conversation"] == str(conversation)


async def test_who_has_another_number_is_one_person_and_the_merge_is_told(house: House) -> None:
    old = Customer(peer="old")
    new = Customer(old.tenant, peer="new")
    await house.take(old.says())
    await house.take(new.says(minutes=1))
    told = events(await house.take(notice(old, "moved", to="new", minutes=2)))
    merged, stays = [one for one in told if one["type"] == "customer.merged"]
    assert merged["into"] == stays["into"] == stays["customer"] != merged["customer"]
    assert [merged["sequence"], stays["sequence"]] == [1, 1]
