"""Mail's own rules of threading: by token, by references, never by chance; the guard over them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from services.router.fold.facts import Facts
from services.router.fold.stopwords import word_in
from shared.contract.envelope import Assessment, Envelope, Party, Text, Thread
from shared.contract.requests import Send
from shared.contract.thread_tokens import thread_token
from tests.promises.house import Customer, House, as_read

OWN = "help@shop.example"


@dataclass(frozen=True)
class Writer(Customer):
    """Somebody who writes mails."""

    peer: str = "ann@example.org"

    def mails(self, name: str, **thread: Any) -> Envelope:
        sender = Party(address=self.peer)
        return self.says(name=name, surface="email", sender=sender, thread=Thread(**thread))

    def comes_back(self, name: str, **thread: Any) -> Envelope:
        """What the adapter makes of a mail under a name that it made, from the inbox's own address."""
        return self.mails(name, **thread).model_copy(
            update={"direction": "outbound", "peer": OWN, "sender": Party(address=OWN), "window": None}
        )

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
    facts = await house.take(ann.mails("m2", token=thread_token(conversation, secret)))
    assert conversation_of(facts) == conversation


FORGED = {"assessment": Assessment(authentication="fail")}


async def test_nobody_enters_under_a_name_that_is_not_theirs(house: House, secret: bytes) -> None:
    """DMARC failed: by our token it is shown there, flagged, and changes nothing; by references it is a conversation of its own."""
    ann = Writer()
    conversation = await house.opened(ann, ann.mails("m1", subject="Lamp"))
    before = await house.pool.fetchrow("SELECT * FROM conversation WHERE id = $1", conversation)
    forged = ann.mails("m2", token=thread_token(conversation, secret), subject="My new account")
    facts = await house.take(forged.model_copy(update=FORGED))
    assert not facts.opened
    *_, last = await house.story(conversation)
    assert (last["type"], last["flagged"]) == ("message.received", "stranger")
    after = await house.pool.fetchrow("SELECT * FROM conversation WHERE id = $1", conversation)
    assert {name for name in dict(before) if before[name] != after[name]} == {"last_sequence"}
    facts = await house.take(ann.mails("m3", reply_to="m1").model_copy(update=FORGED))
    assert conversation_of(facts) != conversation


@pytest.mark.parametrize(("authentication", "order"), [("none", "stop"), ("dmarc", "stop"), ("fail", None)])
def test_an_order_of_whoever_is_disowned_is_none(authentication: Any, order: str | None) -> None:
    said = (
        Writer()
        .mails("m1")
        .model_copy(update={"parts": (Text(text="stop"),), "assessment": Assessment(authentication=authentication)})
    )
    assert word_in(said) == order


async def test_a_stranger_with_a_token_is_heard_and_changes_nothing(house: House, secret: bytes) -> None:
    ann = Writer()
    conversation = await house.opened(ann, ann.mails("m1", subject="Lamp"))
    before = await house.pool.fetchrow("SELECT * FROM conversation WHERE id = $1", conversation)
    facts = await house.take(ann.stranger().mails("m2", token=thread_token(conversation, secret), subject="Your money"))
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
    facts = await house.take(other.mails("m2", token=thread_token(conversation, secret)))
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


async def test_our_own_mail_that_comes_back_is_no_message(house: House, secret: bytes) -> None:
    ann = Writer()
    house.allows(ann)
    conversation = await house.opened(ann, ann.mails("m1"))
    message = await house.queued(ann, conversation)
    await house.take(ann.report(message, "sent", "ours-1"))
    facts = await house.take(ann.comes_back("ours-1", token=thread_token(conversation, secret)))
    assert not facts.opened
    assert [event["type"] for event in await house.story(conversation)].count("message.received") == 1


async def test_our_own_mail_that_comes_back_before_it_is_known_to_have_gone_waits(house: House, secret: bytes) -> None:
    ann = Writer()
    house.allows(ann)
    conversation = await house.opened(ann, ann.mails("m1"))
    message = await house.queued(ann, conversation)
    await house.take(ann.comes_back("ours-1", token=thread_token(conversation, secret)))
    await house.take(ann.report(message, "sent", "ours-1"))
    assert [event["type"] for event in await house.story(conversation)].count("message.received") == 1


@pytest.mark.parametrize("early", [False, True], ids=["at once", "after it waited for an open send"])
async def test_a_mail_under_our_name_that_we_did_not_send_is_its_senders_and_flagged(
    house: House, secret: bytes, *, early: bool
) -> None:
    ann = Writer()
    house.allows(ann)
    conversation = await house.opened(ann, ann.mails("m1", subject="Lamp"))
    sent = [ann.report(await house.queued(ann, conversation), "sent", "ours-1")]
    forged = ann.comes_back("ours-2", token=thread_token(conversation, secret), subject="Pay here")
    for record in [forged, *sent] if early else [*sent, forged]:
        await house.take(record)
    *_, last = await house.story(conversation)
    assert (last["type"], last["flagged"], last["message"]["direction"]) == ("message.received", "stranger", "inbound")
    assert await house.pool.fetchval("SELECT subject FROM conversation WHERE id = $1", conversation) == "Lamp"


async def test_a_mail_under_our_name_that_nothing_knows_opens_a_conversation_of_its_sender(house: House) -> None:
    ann, other = Writer(), Writer()
    house.allows(ann)
    conversation = await house.opened(ann, ann.mails("m1"))
    await house.take(ann.report(await house.queued(ann, conversation), "sent", "ours-1"))
    facts = await house.take(other.comes_back("ours-1"))
    (opened,) = facts.opened
    (received,) = [orjson.loads(one.value) for one in facts.emissions if one.name == "message.received"]
    assert (opened.tenant, opened.peer, received["message"]["direction"]) == (other.tenant, OWN, "inbound")


async def test_an_answer_has_the_subject_of_the_newest_mail(house: House) -> None:
    ann = Writer()
    house.allows(ann)
    conversation = await house.opened(ann, ann.mails("m1", subject="order A"))
    await house.take(ann.mails("m2", reply_to="m1", subject="Completely new topic B"))
    facts = await house.take(as_read(ann.reply(conversation)))
    assert orjson.loads(facts.emissions[-1].value)["thread"]["subject"] == "Completely new topic B"


async def test_the_answer_to_a_form_goes_to_who_asked_and_who_asked_takes_part(house: House) -> None:
    form, buyer = Writer(peer="form@shop.example"), "buyer@example.org"
    house.allows(form)
    asked = form.mails("m1").model_copy(update={"answer_to": Party(address=buyer)})
    conversation = await house.opened(form, asked)
    facts = await house.take(as_read(form.reply(conversation)))
    assert orjson.loads(facts.emissions[-1].value)["peer"] == buyer
    again = Writer(tenant=form.tenant, peer=buyer).mails("m2", reply_to="m1")
    assert conversation_of(await house.take(again)) == conversation


async def test_a_reply_to_does_not_turn_a_conversation_that_stands_to_somebody_else(house: House) -> None:
    ann = Writer()
    house.allows(ann)
    conversation = await house.opened(ann, ann.mails("m1"))
    forged = ann.mails("m2", reply_to="m1").model_copy(update={"answer_to": Party(address="mallory@example.org")})
    assert conversation_of(await house.take(forged)) == conversation
    facts = await house.take(as_read(ann.reply(conversation)))
    assert orjson.loads(facts.emissions[-1].value)["peer"] == ann.peer
