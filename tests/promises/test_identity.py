"""Identity (docs/architecture.md): one thing, one id, for ever."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta

import orjson
import pytest

from services.chat_adapter.channels.webhook import CHANNEL
from services.router.batch import service
from services.router.fold.facts import Facts
from shared.contract.channel import Context, Request
from shared.contract.envelope import derive, message_id
from shared.inbound.translate import stamp
from tests.promises.house import NOON, Customer, House, as_read, at

SECRET = "whsec_" + "A" * 32
APP = CHANNEL.app.model_validate({"name": "main", "secret": SECRET})
ACCOUNT = CHANNEL.account.model_validate({"name": "main", "url": "http://127.0.0.1:9", "secret": SECRET})
HELLO = {
    "type": "message",
    "id": "m1",
    "from": {"address": "ann"},
    "parts": [{"kind": "text", "text": "hello"}],
    "timestamp": "2026-03-01T12:00:00Z",
}
CHANGED = HELLO | {"type": "edit", "id": "e1", "target": "m1"}


def id_of(event: dict[str, object], *, later: timedelta = timedelta(0)) -> uuid.UUID:
    """The id that the event gets when it comes so much later."""
    assert CHANNEL.inbound
    context = Context(now=NOON + later)
    (found,) = CHANNEL.inbound(APP, Request(body=orjson.dumps(event)), context)
    return stamp(found, channel=CHANNEL, account=ACCOUNT, received_at=context.now).id  # type: ignore[union-attr]


def test_a_webhook_delivered_again_after_five_years_is_the_same_message() -> None:
    assert id_of(HELLO) == id_of(HELLO, later=timedelta(days=5 * 365))


def test_an_edit_is_not_its_original() -> None:
    assert id_of(CHANGED) != id_of(HELLO)


def test_what_two_accounts_are_told_under_one_key_are_two_messages() -> None:
    """A provider counts per account: both numbers of a business have a message 1."""
    assert message_id("t", "telegram", "sales", "1") != message_id("t", "telegram", "help", "1")
    assert message_id("t", "telegram", "sales", "1") != message_id("u", "telegram", "sales", "1")
    assert message_id("t", "telegram", "sales", "1") != message_id("t", "whatsapp", "sales", "1")


async def test_sixteen_copies_at_the_same_moment_are_one_message(house: House) -> None:
    customer = Customer()
    hello = customer.says()
    await asyncio.gather(*(house.handle(hello) for _ in range(16)))
    (conversation,) = await house.conversations(customer)
    assert await house.types(conversation) == ["conversation.opened", "message.received"]
    assert sorted(set(await house.log(conversation))) == [1, 2]


async def test_copies_in_one_batch_are_one_message(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer, customer.says(name="m"), customer.says(name="m"))
    assert await house.types(conversation) == ["conversation.opened", "message.received"]


async def test_a_message_is_known_when_retention_has_removed_it(house: House) -> None:
    customer = Customer()
    hello = customer.says()
    conversation = await house.opened(customer, hello)
    await house.sweeper.sweep(older_than=0)
    await house.pool.execute("DELETE FROM message WHERE id = $1", hello.id)
    await house.pool.execute("DELETE FROM event WHERE conversation_id = $1", conversation)
    facts = await house.take(hello)
    assert facts.emissions == []
    assert await house.types(conversation) == []


async def test_a_request_asked_twice_is_one_message(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer)
    asked = as_read(customer.reply(conversation), id_="order-17")
    await asyncio.gather(house.handle(asked, asked), house.handle(asked))
    assert (await house.types(conversation)).count("message.queued") == 1


async def test_a_request_refused_twice_is_refused_once(house: House) -> None:
    customer = Customer()
    asked = as_read(customer.reply(uuid.uuid4()), id_="order-18")
    first, second = await house.take(asked), await house.take(asked)
    assert [event.name for event in first.emissions] == ["request.refused"]
    assert second.emissions == []


async def test_what_follows_from_a_request_carries_its_id(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer)
    message = await house.queued(customer, conversation, "order-19")
    await house.take(customer.report(message, "sent", "p1"))
    about = [
        event for event in await house.story(conversation) if event["type"] in {"message.queued", "message.status"}
    ]
    assert [event["request_id"] for event in about] == ["order-19", "order-19"]


async def test_new_ids_follow_from_their_cause(house: House) -> None:
    customer = Customer()
    hello = customer.says(minutes=1)
    facts = await house.take(hello)
    (conversation,) = facts.opened
    assert conversation.id == derive("conversation", hello.id)
    ids = {event.name: event.id for event in facts.emissions}
    assert ids["message.received"] == hello.id
    assert len(set(ids.values())) == len(ids)
    assert hello.occurred_at == at(1)


async def test_a_replay_gives_every_event_the_id_that_it_had(house: House) -> None:
    """What a transaction that was rolled back had decided is decided again, whichever event it is."""
    customer = Customer()
    conversation = await house.opened(customer)
    message = await house.queued(customer, conversation)
    records = [customer.report(message, "sent", "p1"), customer.says("and"), customer.receipt("read", "p1")]
    ids = []
    for _ in range(2):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(service, "write", rolls_back)
            with pytest.raises(RolledBack) as told:
                await house.take(*records)
        ids.append([(event.name, event.id) for event in told.value.args[0].emissions])
    assert [name for name, _ in ids[0]] == ["message.status", "message.received", "message.status"]
    assert ids[0] == ids[1]


class RolledBack(Exception):
    """The transaction ends before it has written anything; its facts are told."""


async def rolls_back(_connection: object, facts: Facts, _publisher: object) -> None:
    raise RolledBack(facts)
