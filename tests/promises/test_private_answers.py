"""A private answer to a public comment: what its reader receives and reads is told of the person, and reaches the message."""

from __future__ import annotations

import itertools
import uuid

import orjson
import pytest

from services.router.fold.facts import Facts
from shared.bus import cloudevents
from shared.contract.channel import Capabilities
from shared.contract.deliveries import Delivery
from shared.contract.envelope import Party, requested_id
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


async def commented(house: House, public: Customer) -> uuid.UUID:
    """A conversation under a post of a page that may answer in private; its first comment is "c1"."""
    house.allows(public, Capabilities(text=100, private_reply=True))
    return await house.opened(public, public.says(name="c1", surface="comment", thread={"thread_key": "c1"}))


def privately(
    public: Customer, conversation: uuid.UUID, id_: str, offset: int = 0, **more: uuid.UUID
) -> cloudevents.In:
    return as_read(public.reply(conversation, private=True, **more), id_=id_, offset=offset)


def outcomes(facts: Facts) -> list[str]:
    """What became of each request, in order: "queued", or the code of its refusal."""
    told = [(one.name, orjson.loads(one.value)) for one in facts.emissions]
    found = [(name, value) for name, value in told if name in {"message.queued", "request.refused"}]
    return ["queued" if name == "message.queued" else value["failure"]["code"] for name, value in found]


@pytest.mark.parametrize("quotes", ["p1", "c1"], ids=["our private answer", "their own comment"])
async def test_what_the_person_writes_back_in_private_is_never_answered_in_public(house: House, quotes: str) -> None:
    """Whatever it quotes, it is a conversation of its own, and what goes out there goes to the person."""
    _, person = commenter()
    public = Customer(person.tenant, peer=READER, container="104_1")
    comment = await commented(house, public)
    await house.take(privately(public, comment, "r1"))
    await house.take(public.report(requested_id(public.tenant, "r1"), "sent", "p1"))
    chat = await house.opened(person, person.says(name="d1", thread={"reply_to": quotes}))
    assert chat != comment
    facts = await house.take(as_read(person.reply(chat)))
    (order,) = [orjson.loads(event.value) for event in facts.emissions if event.name == "outbound"]
    assert (order["peer"], order["surface"], order["way"]) == (READER, "direct", "free_text")


@pytest.mark.parametrize("status", [None, "unknown", "sent", "delivered", "read"])
async def test_a_comment_is_answered_in_private_once_whatever_is_known_of_the_first(
    house: House, status: str | None
) -> None:
    public, _ = commenter()
    conversation = await commented(house, public)
    assert outcomes(await house.take(privately(public, conversation, "a"))) == ["queued"]
    if status:
        await house.take(public.report(requested_id(public.tenant, "a"), status, "m1", minutes=1))
    assert outcomes(await house.take(privately(public, conversation, "b"))) == ["refused"]


@pytest.mark.parametrize("status", ["failed", "expired", "cancelled"])
async def test_a_private_answer_that_did_not_go_out_was_none(house: House, status: str) -> None:
    public, _ = commenter()
    conversation = await commented(house, public)
    await house.take(privately(public, conversation, "a"))
    await house.take(public.report(requested_id(public.tenant, "a"), status, minutes=1))
    assert outcomes(await house.take(privately(public, conversation, "b"))) == ["queued"]
    assert outcomes(await house.take(privately(public, conversation, "c"))) == ["refused"]


async def test_of_two_private_answers_in_one_batch_the_second_is_refused(house: House) -> None:
    public, _ = commenter()
    conversation = await commented(house, public)
    both = (privately(public, conversation, "a"), privately(public, conversation, "b", 1))
    assert outcomes(await house.take(*both)) == ["queued", "refused"]


async def test_every_comment_is_answered_in_private_once_by_whichever_name_it_is_meant(house: House) -> None:
    public, _ = commenter()
    conversation = await commented(house, public)
    await house.take(privately(public, conversation, "a"))
    second = public.says(name="c2", minutes=1, surface="comment", thread={"thread_key": "c1"})
    with_the_comment = await house.take(as_read(second), privately(public, conversation, "b", 1))
    assert outcomes(with_the_comment) == ["queued"], "it is another comment, in the batch of its own answer"
    named = privately(public, conversation, "c", in_reply_to=second.id)
    assert outcomes(await house.take(named)) == ["refused"]


async def test_answers_in_public_are_not_counted(house: House) -> None:
    public, _ = commenter()
    conversation = await commented(house, public)
    await house.queued(public, conversation)
    assert outcomes(await house.take(privately(public, conversation, "a"))) == ["queued"]
    assert outcomes(await house.take(as_read(public.reply(conversation)))) == ["queued"]
