"""Slack on the whole stack: a person's direct messages with the app at one end, an agent's requests and events at the other."""

from __future__ import annotations

import random
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.customers import Phone, someone
from tests.e2e.agent import Agent, Json, at_work, text


class Shop(Agent):
    def person(self) -> Phone:
        return someone(self.town, "slack", random.randrange(10**7, 10**8))

    async def control(self, **faults: object) -> None:
        await self.town.post("/control", faults)

    async def writes(self, person: Phone, words: str) -> Json:
        await person.writes(words)
        return await self.hears(words)


@pytest.fixture(scope="module")
async def opened(stack: Any) -> AsyncIterator[Shop]:
    async with at_work(stack, Shop) as shop:
        yield shop


@pytest.fixture
async def shop(opened: Shop) -> AsyncIterator[Shop]:
    yield opened
    await opened.control(reset=True)


async def test_a_send_whose_answer_is_lost_is_known_by_its_echo(shop: Shop) -> None:
    person, words = shop.person(), f"lost {uuid.uuid4()}"
    heard = await shop.writes(person, words)
    await shop.control(drop=1)
    message = await shop.answers(heard, text("did *it* arrive?"))
    await shop.status(message, "unknown")
    await shop.status(message, "sent")
    assert [one.text for one in await person.reads()] == ["did *it* arrive?"]
    again = await shop.writes(person, uuid.uuid4().hex)
    assert again["conversation"] == heard["conversation"]
    assert len(shop.received(heard["conversation"])) == 2, "its echo is no second message"


async def test_whoever_is_written_to_first_answers_in_the_same_conversation(shop: Shop) -> None:
    """They were written to by their own name; what they write names their chat."""
    person, words = shop.person(), uuid.uuid4().hex
    sent = await shop.asks("send", channel="slack", account="sandbox", address=person.user, parts=[text("hello")])
    told = await shop.status(str(sent["message_id"]), "sent")
    assert [one.text for one in await person.reads()] == ["hello"]
    heard = await shop.writes(person, words)
    assert heard["conversation"] == told["conversation"]
    await shop.status(await shop.answers(heard, text("welcome")), "sent")
    assert shop.received(heard["conversation"]) == [words], "no echo is a second message"
