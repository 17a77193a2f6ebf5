"""Mail's own rules of threading: by token, by references, never by chance; the guard over them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from services.router.facts import Facts
from shared.envelope import Envelope, Party, Thread
from shared.records import Send
from shared.tokens import token
from tests.promises.house import Customer, House, as_read


@dataclass(frozen=True)
class Writer(Customer):
    """Somebody who writes mails."""

    peer: str = "ann@example.org"

    def mails(self, name: str, **thread: Any) -> Envelope:
        sender = Party(address=self.peer)
        return self.says(name=name, surface="email", sender=sender, thread=Thread(**thread))

    def stranger(self) -> Writer:
        return Writer(tenant=self.tenant, peer="mallory@example.org")


@pytest.fixture
def secret(house: House) -> bytes:
    given = house.settings.secret.get_secret_value().encode()
    assert given, "the house has a secret of its own"
    return given


def conversation_of(facts: Facts) -> Any:
    (received,) = [event for event in facts.emissions if event.name == "message.received"]
    return received.conversation_id


async def test_a_new_mail_is_a_new_conversation(house: House) -> None:
    ann = Writer()
    first = await house.opened(ann, ann.mails("m1", subject="Lamp"))
    assert conversation_of(await house.take(ann.mails("m2", subject="Chair"))) != first


async def test_an_answer_finds_its_conversation_by_what_it_references(house: House) -> None:
    ann = Writer()
    conversation = await house.opened(ann, ann.mails("m1"))
    facts = await house.take(ann.mails("m3", reply_to="m2-lost", references=("m1", "m2-lost")))
    assert conversation_of(facts) == conversation


async def test_an_answer_finds_its_conversation_by_our_token_alone(house: House, secret: bytes) -> None:
    ann = Writer()
    conversation = await house.opened(ann, ann.mails("m1"))
    facts = await house.take(ann.mails("m2", token=token(conversation, secret)))
    assert conversation_of(facts) == conversation


async def test_a_stranger_with_a_token_is_heard_and_changes_nothing(house: House, secret: bytes) -> None:
    ann = Writer()
    conversation = await house.opened(ann, ann.mails("m1", subject="Lamp"))
    before = await house.pool.fetchrow("SELECT * FROM conversation WHERE id = $1", conversation)
    facts = await house.take(ann.stranger().mails("m2", token=token(conversation, secret), subject="Your money"))
    assert not facts.opened
    *_, last = await house.story(conversation)
    assert (last["type"], last["flagged"]) == ("message.received", "stranger")
    after = await house.pool.fetchrow("SELECT * FROM conversation WHERE id = $1", conversation)
    assert {name: (before[name], after[name]) for name in dict(before) if before[name] != after[name]} == {
        "last_sequence": (2, 3)
    }


async def test_a_stranger_who_quotes_a_mail_gets_a_conversation_with_a_link(house: House) -> None:
    ann = Writer()
    conversation = await house.opened(ann, ann.mails("m1"))
    facts = await house.take(ann.stranger().mails("m2", reply_to="m1", references=("m1",)))
    assert conversation_of(facts) != conversation
    opened = orjson.loads(facts.emissions[0].value)
    assert opened["linked"] == str(conversation)


async def test_a_token_of_another_tenant_opens_nothing(house: House, secret: bytes) -> None:
    ann, other = Writer(), Writer()
    conversation = await house.opened(ann, ann.mails("m1"))
    facts = await house.take(other.mails("m2", token=token(conversation, secret)))
    assert conversation_of(facts) != conversation
    assert "linked" not in orjson.loads(facts.emissions[0].value)


async def test_our_answer_names_the_first_and_the_newest_mails(house: House) -> None:
    ann = Writer()
    house.allows(ann)
    conversation = await house.opened(ann, ann.mails("m1", subject="Lamp"))
    message = await house.queued(ann, conversation)
    await house.take(ann.report(message, "sent", "ours-1"))
    for number in range(2, 15):
        await house.take(ann.mails(f"m{number}", reply_to=f"m{number - 1}" if number > 2 else "ours-1"))
    facts = await house.take(as_read(ann.reply(conversation)))
    thread = orjson.loads(facts.emissions[-1].value)["thread"]
    assert thread["references"] == ["m1", *[f"m{number}" for number in range(5, 15)]]
    assert (thread["subject"], len(thread["token"])) == ("Lamp", 42)


async def test_our_own_mail_is_among_the_references(house: House) -> None:
    ann = Writer()
    house.allows(ann)
    conversation = await house.opened(ann, ann.mails("m1"))
    message = await house.queued(ann, conversation)
    await house.take(ann.report(message, "sent", "ours-1"))
    facts = await house.take(as_read(ann.reply(conversation)))
    assert orjson.loads(facts.emissions[-1].value)["thread"]["references"] == ["ours-1", "m1"]


async def test_an_answer_to_our_mail_comes_back_to_it(house: House) -> None:
    ann = Writer()
    house.allows(ann)
    conversation = await house.opened(ann, ann.mails("m1"))
    message = await house.queued(ann, conversation)
    await house.take(ann.report(message, "sent", "ours-1"))
    assert conversation_of(await house.take(ann.mails("m2", reply_to="ours-1"))) == conversation


async def test_a_first_mail_has_its_subject(house: House) -> None:
    ann = Writer()
    house.allows(ann)
    send = Send(
        tenant=ann.tenant,
        channel="webhook",
        account="main",
        address=ann.peer,
        parts=ann.says().parts,
        subject="Your lamp",
    )
    facts = await house.take(as_read(send))
    assert orjson.loads(facts.emissions[-1].value)["thread"]["subject"] == "Your lamp"
