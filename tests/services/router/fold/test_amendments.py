"""What is about an earlier message: applied by whoever may, told where it is not known or not theirs, never lost."""

from __future__ import annotations

import uuid
from typing import Any

import orjson
import pytest

from services.router.fold.facts import Facts
from shared.contract.deliveries import MediaUpdate
from shared.contract.envelope import Deletion, Edit, Media, Party, Reaction, Text, Visibility
from shared.contract.records import EVENTS, RECORDS
from tests.promises.house import Customer, House, as_read, at

PHONE, USER = "85512345678", "KH.13491208655302741918"
AMENDMENTS = [
    ("message.edited", (Edit(target="m1"), Text(text="new words"))),
    ("message.deleted", (Deletion(target="m1"),)),
    ("message.reaction", (Reaction(target="m1", emoji="👍"),)),
    ("message.visibility", (Visibility(target="m1", hidden=True),)),
]
each_kind = pytest.mark.parametrize(("kind", "parts"), AMENDMENTS, ids=[kind for kind, _ in AMENDMENTS])


def events(facts: Facts) -> list[dict[str, Any]]:
    """What one batch told, each valid for whoever reads it."""
    for event in facts.emissions:
        if event.topic == EVENTS:
            RECORDS[event.name].model.model_validate_json(event.value)
    return [
        orjson.loads(event.value) | {"type": event.name, "ce_id": event.id, "apart": not event.sequence}
        for event in facts.emissions
    ]


# who may ----------------------------------------------------------------------------------------------------------------


@each_kind
async def test_under_the_persons_other_name_it_is_applied(house: House, kind: str, parts: Any) -> None:
    customer = Customer(peer=PHONE)
    hello = customer.says(name="m1", sender=Party(address=PHONE, aliases=(USER,)))
    conversation = await house.opened(customer, hello)
    facts = await house.take(customer.says(parts=parts, peer=USER, sender=Party(address=USER)))
    (told,) = events(facts)
    assert (told["type"], told["message_id"], told["conversation"]) == (kind, str(hello.id), str(conversation))


@each_kind
async def test_of_our_own_message_it_is_applied_under_the_persons_other_name(
    house: House, kind: str, parts: Any
) -> None:
    customer = Customer(peer=PHONE)
    house.allows(customer)
    conversation = await house.opened(customer, customer.says(sender=Party(address=PHONE, aliases=(USER,))))
    message = await house.queued(customer, conversation)
    await house.take(customer.report(message, "sent", "m1"))
    (told,) = events(await house.take(customer.says(parts=parts, peer=USER, sender=Party(address=USER))))
    assert (told["type"], told["message_id"]) == (kind, str(message))


@each_kind
async def test_in_a_group_it_is_applied_whoever_began_it(house: House, kind: str, parts: Any) -> None:
    tenant = f"t-{uuid.uuid4().hex[:8]}"
    ann, bob = Customer(tenant, container="g"), Customer(tenant, peer="bob", container="g")
    conversation = await house.opened(ann)
    hello = bob.says(name="m1")
    await house.take(hello)
    (told,) = events(await house.take(bob.says(parts=parts)))
    assert (told["type"], told["message_id"], told["conversation"]) == (kind, str(hello.id), str(conversation))


@pytest.mark.parametrize("first", ["echo", "reaction"])
async def test_by_the_reader_of_a_private_answer_it_is_applied_once_the_echo_says_who_that_is(
    house: House, first: str
) -> None:
    public = Customer(container="104_1", peer="commenter")
    reader = Customer(public.tenant, peer="7420016630001")
    conversation = await house.opened(public, public.says(surface="comment"))
    id_ = uuid.uuid4().hex
    await house.take(as_read(public.reply(conversation, private=True), id_=id_))
    (message,) = [row["id"] for row in await house.pool.fetch(
        "SELECT id FROM message WHERE conversation_id = $1 AND type = 'message.queued'", conversation)]  # fmt: skip
    echo = public.echo("m1", surface="comment", recipients=(Party(address=reader.peer),))
    reaction = reader.says(parts=(Reaction(target="m1", emoji="❤️"),))
    await house.take(public.report(message, "sent", "m1"))
    for one in (echo, reaction) if first == "echo" else (reaction, echo):
        await house.take(one)
    told = [event for event in await house.story(conversation) if event["type"] == "message.reaction"]
    assert [(event["message_id"], event["emoji"]) for event in told] == [(str(message), "❤️")]


@each_kind
async def test_a_strangers_is_told_where_the_stranger_is_and_changes_nothing(
    house: House, kind: str, parts: Any
) -> None:
    ann = Customer()
    conversation = await house.opened(ann, ann.says(name="m1"))
    before = await house.story(conversation)
    eve = Customer(ann.tenant, peer="eve")
    own = await house.opened(eve)
    (told,) = events(await house.take(eve.says(parts=parts)))
    assert (told["type"], told["message_id"], told["conversation"]) == (kind, None, str(own))
    assert await house.story(conversation) == before


# what is not known ------------------------------------------------------------------------------------------------------


async def test_an_edit_of_a_message_we_never_had_opens_a_conversation_and_shows_its_words(house: House) -> None:
    customer = Customer()
    facts = await house.take(customer.edits("never", "new words", minutes=1))
    opened, edited = events(facts)
    assert (opened["type"], edited["type"], edited["message_id"]) == ("conversation.opened", "message.edited", None)
    assert edited["message"]["parts"][1]["text"] == "new words"
    assert facts.opened[0].preview == "new words"
    answer = events(await house.take(as_read(customer.reply(facts.opened[0].id))))
    assert answer[0]["type"] == "message.queued", "and it can be answered"


@each_kind
async def test_it_is_told_at_once_and_applied_when_its_message_comes(house: House, kind: str, parts: Any) -> None:
    customer = Customer()
    conversation = await house.opened(customer)
    (early,) = events(await house.take(customer.says(parts=parts)))
    hello = customer.says(name="m1")
    received, applied = events(await house.take(hello))
    assert {early["conversation"], received["conversation"], applied["conversation"]} == {str(conversation)}
    assert [one["message_id"] for one in (early, applied)] == [None, str(hello.id)]
    assert early["type"] == applied["type"] == kind
    assert early["ce_id"] != applied["ce_id"]


@each_kind
async def test_ahead_of_its_message_in_one_batch_it_is_told_once(house: House, kind: str, parts: Any) -> None:
    customer = Customer()
    hello = customer.says(name="m1")
    told = events(await house.take(customer.says(parts=parts), hello))
    assert [one["type"] for one in told] == ["conversation.opened", "message.received", kind]
    assert told[-1]["message_id"] == str(hello.id)


@each_kind
async def test_ahead_of_an_echo_it_is_applied_to_the_message_that_the_echo_becomes(
    house: House, kind: str, parts: Any
) -> None:
    customer = Customer()
    await house.opened(customer)
    await house.take(customer.says(parts=parts))
    echo = customer.echo("m1")
    told = events(await house.take(echo))
    assert [(one["type"], one["message_id"]) for one in told[1:]] == [(kind, str(echo.id))]


@pytest.mark.parametrize(("kind", "parts"), AMENDMENTS[1:], ids=[kind for kind, _ in AMENDMENTS[1:]])
async def test_by_someone_without_a_conversation_it_is_told_without_one(house: House, kind: str, parts: Any) -> None:
    (told,) = events(await house.take(Customer().says(parts=parts)))
    assert (told["type"], told["apart"], told["external_id"], told["message_id"]) == (kind, True, "m1", None)


async def test_more_than_may_wait_is_told_all_the_same(house: House) -> None:
    customer = Customer()
    await house.opened(customer)
    many = [customer.says(parts=(Reaction(target="m1", emoji=f"{n}"),)) for n in range(120)]
    assert len(events(await house.take(*many))) == 120


# files, reports, receipts -----------------------------------------------------------------------------------------------


def stored(customer: Customer, message: uuid.UUID) -> MediaUpdate:
    return MediaUpdate(
        message_id=message, tenant=customer.tenant, channel="webhook", account="main", peer=customer.peer, part=0,
        state="stored", blob="b", occurred_at=at(0),
    )  # fmt: skip


async def test_a_file_of_a_message_that_is_not_known_is_told_without_a_conversation(house: House) -> None:
    customer, message = Customer(), uuid.uuid4()
    (told,) = events(await house.take(stored(customer, message)))
    assert (told["type"], told["apart"], told["media"]["message_id"]) == ("message.media", True, str(message))


async def test_a_file_that_came_by_an_edit_is_told_where_the_message_stands(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer)
    await house.take(customer.says("a picture?", external_id="m1"))
    edit = customer.says(parts=(Edit(target="m1"), Media(media="image", handle="h")))
    await house.take(edit)
    (told,) = events(await house.take(stored(customer, edit.id)))
    assert (told["type"], told["conversation"]) == ("message.media", str(conversation))
    assert told["media"]["message_id"] == str(edit.id)


@pytest.mark.parametrize("whose", ["somebody else's", "ours"])
async def test_the_file_of_an_echo_that_waits_is_told_with_the_message_that_the_echo_becomes(
    house: House, whose: str
) -> None:
    customer = Customer()
    house.allows(customer)
    conversation = await house.opened(customer)
    message = await house.queued(customer, conversation)
    echo = customer.echo("p1", parts=(Media(media="image", handle="h"),))
    await house.take(echo)
    assert events(await house.take(stored(customer, echo.id))) == []
    await house.take(customer.report(message, "sent", "p1" if whose == "ours" else "p2"))
    told = [event for event in await house.story(conversation) if event["type"] == "message.media"]
    assert [event["media"]["message_id"] for event in told] == ([] if whose == "ours" else [str(echo.id)])


async def test_a_report_of_a_send_that_is_not_known_is_told_without_a_conversation(house: House) -> None:
    customer, message = Customer(), uuid.uuid4()
    (told,) = events(await house.take(customer.report(message, "sent", "p1")))
    assert (told["type"], told["apart"], told["message_id"]) == ("message.status", True, str(message))


async def test_receipts_of_what_somebody_else_sent_are_told_and_only_rise(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer)
    await house.take(customer.receipt("delivered", "p1"))
    echo = customer.echo("p1")
    await house.take(echo)
    await house.take(customer.receipt("read", "p1"), customer.receipt("delivered", "p1"))
    told = [event for event in await house.story(conversation) if event["type"] == "message.status"]
    assert [(event["message_id"], event["status"]) for event in told] == [
        (str(echo.id), "delivered"), (str(echo.id), "read"),
    ]  # fmt: skip


async def test_what_a_send_costs_is_told_when_it_is_known_even_where_its_status_is_not_news(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer)
    message = await house.queued(customer, conversation)
    cost = {"billable": True, "category": "marketing", "model": "PMP"}
    await house.take(customer.receipt("sent", "p1", cost=cost))
    await house.take(customer.report(message, "sent", "p1"))
    await house.take(customer.receipt("sent", "p1", cost=cost), customer.receipt("delivered", "p1"))
    told = [event for event in await house.story(conversation) if event["type"] == "message.status"]
    assert [(event["status"], event.get("cost")) for event in told] == [
        ("sent", None), ("sent", cost), ("delivered", cost),
    ]  # fmt: skip
