"""The brake: two programs that answer each other for ever stop, whatever the channel; nobody else meets it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from services.router.brake import LIMITS
from services.router.facts import Facts
from shared.envelope import Text
from tests.promises.house import Customer, House, as_read, at
from tests.services.router.test_amendments import events


@dataclass
class Talk:
    """A customer who writes, and a system that answers, each at a minute of the log's time."""

    house: House
    customer: Customer
    conversation: uuid.UUID

    async def hears(self, minute: float, name: str) -> None:
        await self.house.take(self.customer.says(name=name, minutes=minute))

    async def answers(self, minute: float, *, author: str | None = None) -> list[str]:
        """The types of the events that the answer makes."""
        asked = as_read(self.customer.reply(self.conversation, author=author))
        facts: Facts = await self.house.take(replace(asked, at=at(minute)))
        return [event["type"] for event in events(facts) if event["type"] != "outbound"]


@pytest.fixture
async def talk(house: House) -> Talk:
    customer = Customer()
    house.allows(customer)
    return Talk(house, customer, await house.opened(customer, customer.says(name="m0")))


SECOND = 1 / 60


async def exchange(talk: Talk, count: int, *, every: float, start: float = 0.0, author: str | None = None) -> list[str]:
    """What each of so many answers came to, one every so many minutes."""
    found = []
    for n in range(count):
        minute = start + n * every
        await talk.hears(minute, f"in {start} {n}")
        found.append((await talk.answers(minute, author=author))[0])
    return found


@pytest.mark.parametrize(
    ("count", "every", "author", "is_pulled"),
    [
        (30, SECOND, None, True),
        (30, 4 * SECOND, None, True),
        (30, SECOND, "Sreymom", False),
        (15, SECOND, None, False),
        (40, 21 * SECOND, None, False),
        (170, 60.0 / 60, None, True),
    ],
    ids=["two programs", "slower ones", "a person", "a short talk with a program", "a long one", "all day"],
)
async def test_where_it_is_pulled(talk: Talk, count: int, every: float, author: str | None, is_pulled: bool) -> None:
    found = await exchange(talk, count, every=every, author=author)
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
