"""The brake: two programs that answer each other for ever stop, whatever the channel; nobody else meets it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.router.fold.brake import LIMITS
from services.router.fold.facts import Facts
from shared.contract.envelope import Party, Text
from shared.contract.requests import Send
from tests.promises.house import CAPABILITIES, Customer, House, as_read, at
from tests.services.router.fold.test_amendments import events


def is_told(facts: Facts) -> list[str]:
    """The types of the events, without what goes to the adapter and what only says that a conversation begins."""
    return [event["type"] for event in events(facts) if event["type"] not in {"outbound", "conversation.opened"}]


@dataclass
class Talk:
    """A customer who writes, and a system that answers, each at a minute of the log's time."""

    house: House
    customer: Customer
    conversation: uuid.UUID

    async def hears(self, minute: float, name: str) -> None:
        await self.house.take(self.customer.says(name=name, minutes=minute))

    async def answers(self, minute: float, **who: Any) -> list[str]:
        """The types of the events that the answer makes."""
        asked = as_read(self.customer.reply(self.conversation, **who))
        facts: Facts = await self.house.take(replace(asked, at=at(minute)))
        return is_told(facts)


@pytest.fixture
async def talk(house: House) -> Talk:
    customer = Customer()
    house.allows(customer)
    return Talk(house, customer, await house.opened(customer, customer.says(name="m0")))


SECOND = 1 / 60


async def exchange(talk: Talk, count: int, *, every: float, start: float = 0.0, **who: Any) -> list[str]:
    """What each of so many answers came to, one every so many minutes."""
    found = []
    for n in range(count):
        minute = start + n * every
        await talk.hears(minute, f"in {start} {n}")
        found.append((await talk.answers(minute, **who))[0])
    return found


@pytest.mark.parametrize(
    ("count", "every", "who", "is_pulled"),
    [
        (30, SECOND, {}, True),
        (30, 4 * SECOND, {}, True),
        (30, SECOND, {"author": "Bot", "automatic": True}, True),
        (30, SECOND, {"author": "Sreymom"}, False),
        (30, SECOND, {"automatic": False}, False),
        (15, SECOND, {}, False),
        (40, 21 * SECOND, {}, False),
        (170, 60.0 / 60, {}, True),
    ],
    ids=[
        "two programs",
        "slower ones",
        "one with a name",
        "a person",
        "a person without a name",
        "a short talk with a program",
        "a long one",
        "all day",
    ],
)
async def test_where_it_is_pulled(talk: Talk, count: int, every: float, who: dict[str, Any], is_pulled: bool) -> None:
    found = await exchange(talk, count, every=every, **who)
    assert found.count("conversation.braked") == int(is_pulled)
    assert set(found) <= {"message.queued", "conversation.braked", "request.refused"}
    assert ("request.refused" in found) == is_pulled


async def test_two_programs_that_talk_for_ever_are_stopped_and_it_is_told_once_each_time(talk: Talk) -> None:
    """An hour, an exchange every two seconds as long as the other answers; what does not go out is not answered."""
    sent, minute, n, told = [], 0.0, 0, 0
    while minute < 60:
        await talk.hears(minute, f"in {n}")
        kinds = await talk.answers(minute)
        told += kinds.count("conversation.braked")
        if kinds == ["message.queued"]:
            sent.append(minute)
            minute += 2 * SECOND
        else:
            minute += 1.0  # someone pokes the other program again
        n += 1
    first = LIMITS[0]
    hours = timedelta(minutes=60) / first.forgiven
    assert len(sent) <= first.most + hours
    assert 1 <= told <= hours / (first.most / 2) + 1


async def test_the_refusal_says_why_and_until_when(talk: Talk) -> None:
    await exchange(talk, 30, every=SECOND)
    await talk.hears(1, "again")
    asked = replace(as_read(talk.customer.reply(talk.conversation)), at=at(1))
    (refused,) = events(await talk.house.take(asked))
    assert refused["failure"]["code"] == "braked"
    assert "author" in refused["failure"]["detail"]


async def test_until_when_stands_with_the_conversation_as_the_event_says(talk: Talk) -> None:
    stands = "SELECT (brake ->> 'until')::timestamptz FROM conversation WHERE id = $1"
    await exchange(talk, 30, every=SECOND)
    (told,) = [e["until"] for e in await talk.house.story(talk.conversation) if e["type"] == "conversation.braked"]
    assert await talk.house.pool.fetchval(stands, talk.conversation) == datetime.fromisoformat(told)
    await talk.answers(1, author="Sreymom")
    assert await talk.house.pool.fetchval(stands, talk.conversation) is None


async def test_a_persons_answer_lets_it_go(talk: Talk) -> None:
    await exchange(talk, 30, every=SECOND)
    assert await talk.answers(1, author="Sreymom") == ["message.queued"]
    await talk.hears(1, "thanks")
    assert await talk.answers(1) == ["message.queued"]


async def test_time_lets_it_go(talk: Talk) -> None:
    await exchange(talk, 30, every=SECOND)
    assert set(await exchange(talk, 3, every=0.5, start=1)) == {"request.refused"}
    assert set(await exchange(talk, 3, every=1, start=10)) == {"message.queued"}


async def test_who_only_tells_is_in_no_circle(talk: Talk) -> None:
    assert {(await talk.answers(n * SECOND))[0] for n in range(40)} == {"message.queued"}


async def test_it_is_of_one_conversation(talk: Talk) -> None:
    await exchange(talk, 30, every=SECOND)
    other = Customer(talk.customer.tenant, peer="bob")
    elsewhere = Talk(talk.house, other, await talk.house.opened(other, other.says(parts=(Text(text="hi"),))))
    assert set(await exchange(elsewhere, 5, every=SECOND)) == {"message.queued"}


# mail: each that names no other begins a conversation --------------------------------------------------------------------


@dataclass
class Mails(Talk):
    """Somebody whose mails name no other, and a system that answers them by `way`."""

    way: str = "send"

    async def hears(self, minute: float, name: str, **more: Any) -> None:
        name = f"{name} of {self.customer.peer}"
        said = self.customer.says(name=name, minutes=minute, channel="email", surface="email", **more)
        facts = await self.house.take(said)
        self.conversation = facts.opened[0].id

    async def answers(self, minute: float, *, author: str | None = None) -> list[str]:
        parts = self.customer.says().parts
        asked = self.customer.reply(self.conversation, author=author)
        if self.way == "send":
            to = {"tenant": self.customer.tenant, "channel": "email", "account": "main", "address": self.customer.peer}
            return is_told(
                await self.house.take(replace(as_read(Send(**to, parts=parts, author=author)), at=at(minute)))
            )
        return is_told(await self.house.take(replace(as_read(asked), at=at(minute))))


@pytest.fixture(params=["send", "reply"])
async def mails(house: House, request: pytest.FixtureRequest) -> Mails:
    customer = Customer(peer="bot@example.org")
    house.directory.capabilities[customer.tenant, "email", "main"] = CAPABILITIES
    return Mails(house, customer, uuid.uuid4(), way=request.param)


async def test_an_hour_of_two_programs_whose_mails_each_begin_a_conversation(mails: Mails) -> None:
    first, sent, told, minute, n = LIMITS[0], 0, 0, 0.0, 0
    while minute < 60:
        await mails.hears(minute, f"in {n}")
        kinds = await mails.answers(minute)
        told += kinds.count("conversation.braked")
        sent += kinds == ["message.queued"]
        minute, n = minute + (2 * SECOND if kinds == ["message.queued"] else 2.0), n + 1
    assert sent <= first.most + 1 + timedelta(minutes=minute) / first.forgiven
    assert told >= 1


async def test_a_person_lets_go_of_it_for_all_mails_with_the_address(mails: Mails) -> None:
    found = await exchange(mails, 20, every=SECOND)
    assert "conversation.braked" in found
    assert found[-1] != "message.queued"
    assert await mails.answers(1, author="Sreymom") == ["message.queued"]
    await mails.hears(1, "thanks")
    assert await mails.answers(1) == ["message.queued"]


async def test_each_conversation_is_told_that_it_is_pulled_for_the_address(mails: Mails) -> None:
    await exchange(mails, 20, every=SECOND)
    await mails.hears(1, "once more")
    told = [await mails.answers(1), await mails.answers(1)]
    if mails.way == "reply":
        assert told == [["conversation.braked", "request.refused"], ["request.refused"]]
    else:
        assert told == [["request.refused"], ["request.refused"]], "there is none yet"


async def test_who_only_tells_by_mail_is_in_no_circle(mails: Mails) -> None:
    await mails.hears(0, "once")
    assert {(await mails.answers(n * SECOND))[0] for n in range(20)} == {"message.queued"}


async def test_mails_to_others_are_counted_apart(mails: Mails) -> None:
    await exchange(mails, 20, every=SECOND)
    other = replace(mails, customer=replace(mails.customer, peer="ann@example.org"))
    assert set(await exchange(other, 5, every=SECOND)) == {"message.queued"}


async def test_whose_answers_go_elsewhere_is_counted_there(mails: Mails) -> None:
    """As a form on a page writes: from one address for many people."""
    for n in range(20):
        person = f"person {n}@example.org"
        await mails.hears(n * SECOND, f"form {n}", answer_to=Party(address=person))
        to_person = replace(mails, customer=replace(mails.customer, peer=person))
        assert await to_person.answers(n * SECOND) == ["message.queued"]
