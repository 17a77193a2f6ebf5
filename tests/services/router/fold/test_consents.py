"""What a person wants to be sent without having asked: by their own word in any language, the provider's, or a request."""

from __future__ import annotations

import uuid
from typing import Any

import orjson
import pytest

from services.router.fold.facts import Facts
from services.router.fold.stopwords import START, STOP, word_in
from shared.contract.envelope import PURPOSES, Assessment, Envelope, Notice, Party, Proof, Text
from shared.contract.requests import Merge, Send, SetConsent, Split
from tests.promises.house import Customer, House


def told(facts: Facts, name: str = "customer.consent") -> list[dict[str, Any]]:
    return [orjson.loads(one.value) for one in facts.emissions if one.name == name]


def first_word(customer: Customer, purpose: str = "notification", **more: Any) -> Send:
    place = {"tenant": customer.tenant, "channel": "webhook", "account": "main", "address": customer.peer}
    return Send(**place | {"purpose": purpose, "parts": (Text(text="news"),)} | more)


async def refusal(house: House, asked: Any) -> str | None:
    """The code and the detail, None where it is sent."""
    refused = told(await house.take(asked), "request.refused")
    return f"{refused[0]['failure']['code']}: {refused[0]['failure']['detail']}" if refused else None


async def wants(house: House, customer: Customer) -> list[str]:
    """For what they may be written to."""
    return [one for one in PURPOSES if await refusal(house, first_word(customer, one)) is None]


@pytest.fixture
async def ann(house: House) -> Customer:
    customer = Customer()
    house.allows(customer)
    await house.take(customer.says())
    return customer


async def customer_of(house: House, customer: Customer) -> uuid.UUID:
    query = "SELECT customer_id FROM identity WHERE tenant = $1 AND value = $2"
    found: uuid.UUID = await house.pool.fetchval(query, customer.tenant, customer.peer)
    return found


def consent(customer: Customer, who: uuid.UUID, *purposes: str, given: bool, **more: Any) -> SetConsent:
    return SetConsent(tenant=customer.tenant, customer=who, purposes=purposes, given=given, evidence="asked", **more)


@pytest.mark.parametrize(
    "word", ["STOP", "Unsubscribe.", "ឈប់ផ្ញើ។", "  arrêt ! ", "СТОП", "หยุด", "退订", "stop\u200b all"]
)
async def test_who_says_so_is_sent_nothing_more_but_answers(house: House, ann: Customer, word: str) -> None:
    opened = told(await house.take(ann.says()), "message.received")[0]["conversation"]
    stopped = ann.says(word, minutes=1)
    (event,) = told(await house.take(stopped))
    assert (event["given"], event["by"], event["channel"], event["purposes"]) == (
        False,
        "person",
        "webhook",
        [*PURPOSES],
    )
    assert (event["message_id"], event["customer"]) == (str(stopped.id), str(await customer_of(house, ann)))
    assert (await refusal(house, first_word(ann)) or "").startswith(
        "opted_out: notification: not wanted since 2026-03-01"
    )
    assert await wants(house, ann) == []
    assert await refusal(house, ann.reply(uuid.UUID(opened))) is None


async def test_who_starts_again_is_written_to_again_and_is_told_so_once(house: House, ann: Customer) -> None:
    assert told(await house.take(ann.says("start"))) == [], "nobody had stopped"
    await house.take(ann.says("stop", minutes=1))
    assert told(await house.take(ann.says("Stop!", minutes=2))) == [], "no news"
    (event,) = told(await house.take(ann.says("ចាប់ផ្តើម", minutes=3)))
    assert event["given"] is True
    assert await wants(house, ann) == [*PURPOSES]


async def test_an_older_word_that_comes_late_changes_nothing(house: House, ann: Customer) -> None:
    await house.take(ann.says("stop", minutes=5))
    assert told(await house.take(ann.says("start", minutes=4))) == []
    assert await wants(house, ann) == []
    await house.take(ann.says("start", minutes=6))
    assert told(await house.take(ann.says("stop", minutes=3))) == []
    assert await wants(house, ann) == [*PURPOSES]


@pytest.mark.parametrize(
    "more",
    [
        {"parts": (Text(text="please stop the delivery"),)},
        {"parts": (Text(text="cancel"),)},
        {"parts": (Text(text="stop"), Text(text="at the corner"))},
        {"container": "a-group", "surface": "group"},
        {"assessment": Assessment(kind="out_of_office")},
        {"direction": "outbound"},
    ],
    ids=str,
)
def test_what_only_has_the_word_in_it_or_is_said_to_others_is_none(more: dict[str, Any]) -> None:
    said = Customer().says("stop")
    assert word_in(said) == "stop"
    assert word_in(said.model_copy(update=more)) is None


def test_a_mail_that_anybody_may_have_written_stops_what_they_get_and_starts_nothing() -> None:
    def heard(word: str, **sender: Any) -> str | None:
        return word_in(Customer().says(word, surface="email", sender=Party(address="a@b.example", **sender)))

    assert (heard("stop"), heard("start"), heard("start", verified="dmarc")) == ("stop", None, "start")


def test_by_sms_the_carriers_words_are_orders_too() -> None:
    said = Customer().says("cancel")
    assert (word_in(said), word_in(said.model_copy(update={"channel": "sms"}))) == (None, "stop")


@pytest.mark.parametrize(("word", "table"), [("stop", STOP), ("start", START)])
def test_every_word_of_the_tables_is_heard_as_it_is_written(word: str, table: dict[str, str]) -> None:
    assert {"en", "km"} <= table.keys()
    for one in (one for words in table.values() for one in words.split("|")):
        assert word_in(Customer().says(f"{one.upper()}!")) == word_in(Customer().says(one)) == word, one


def preference(customer: Customer, kind: str, minutes: float) -> Envelope:
    part = Notice(type=kind, purposes=("marketing",), text=f"marketing_messages: {kind}")
    return customer.says(minutes=minutes, parts=(part,), external_id=None)


async def test_what_the_provider_lets_them_say_counts_for_that_purpose(house: House, ann: Customer) -> None:
    facts = await house.take(preference(ann, "opted_out", 1))
    assert [(one["by"], one["purposes"]) for one in told(facts)] == [("provider", ["marketing"])]
    assert told(facts, "conversation.notice")
    assert await wants(house, ann) == ["service", "notification"]
    await house.take(preference(ann, "opted_in", 2))
    assert await wants(house, ann) == [*PURPOSES]


async def test_of_nobody_known_it_is_only_told(house: House) -> None:
    facts = await house.take(preference(Customer(), "opted_out", 1))
    assert told(facts) == []
    assert told(facts, "conversation.notice")


async def test_somebody_who_has_it_from_the_customer_may_say_so(house: House, ann: Customer) -> None:
    who = await customer_of(house, ann)
    facts = await house.take(consent(ann, who, "marketing", given=False))
    (event,) = told(facts)
    assert (event["by"], event["evidence"], "channel" in event, event["sequence"]) == ("request", "asked", False, 1)
    assert event["request_id"]
    assert await wants(house, ann) == ["service", "notification"]
    await house.take(consent(ann, who, "marketing", given=True, channel="webhook"))
    assert await wants(house, ann) == [*PURPOSES]
    await house.take(consent(ann, who, "service", given=False, channel="sms"))
    assert await wants(house, ann) == [*PURPOSES], "that is of another channel"


async def test_of_an_unknown_customer_or_another_tenants_it_is_refused(house: House, ann: Customer) -> None:
    other = Customer()
    asked = consent(other, await customer_of(house, ann), "marketing", given=False)
    assert (await refusal(house, asked) or "").startswith("unknown_customer")
    assert (await refusal(house, consent(ann, uuid.uuid4(), "marketing", given=False)) or "").startswith(
        "unknown_customer"
    )
    assert await wants(house, ann) == [*PURPOSES]


async def test_a_word_holds_for_the_whole_person_and_after_a_split_for_whose_it_is(house: House, ann: Customer) -> None:
    bob = Customer(tenant=ann.tenant, peer="bob")
    await house.take(bob.says())
    await house.take(bob.says("stop", minutes=1))
    assert await wants(house, ann) == [*PURPOSES]
    both = [await customer_of(house, one) for one in (ann, bob)]
    await house.take(Merge(tenant=ann.tenant, customers=tuple(both), reason="one person"))
    assert (await wants(house, ann), await wants(house, bob)) == ([], [])
    await house.take(Split(tenant=ann.tenant, customer=both[0], reason="two"))
    assert (await wants(house, ann), await wants(house, bob)) == ([*PURPOSES], [])


async def test_what_is_said_in_one_batch_counts_in_it(house: House, ann: Customer) -> None:
    proof = Proof(kind="phone", value="+85512345678", by="signature")
    stop = ann.says("stop", minutes=1, sender=Party(address=ann.peer, proofs=(proof,), verified="signature"))
    facts = await house.take(stop, first_word(ann, "marketing"))
    assert [one["failure"]["code"] for one in told(facts, "request.refused")] == ["opted_out"]


async def test_the_same_message_again_says_nothing_again(house: House, ann: Customer) -> None:
    stop = ann.says("stop", minutes=1)
    await house.take(stop)
    assert told(await house.take(stop)) == []
    rows = await house.pool.fetchval(
        "SELECT count(*) FROM consent WHERE customer_id = $1", await customer_of(house, ann)
    )
    assert rows == len(PURPOSES)
