"""Khmer, right-to-left script and emoji from end to end on every transport: whole in the event, cut between words only, all of it shown."""

from __future__ import annotations

import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Any, Final

import pytest
from icu4py.breakers import WordBreaker
from playwright.async_api import Page

from tests.customers import (
    Commenter,
    Correspondent,
    Customer,
    Partner,
    Penpal,
    Phone,
    Shown,
    Telegram,
    Town,
    Visitor,
    until_taken,
)
from tests.e2e import letters
from tests.e2e.agent import Agent, Json, at_work, said, text
from tests.e2e.sight import Chromium, open_mailbox, open_phone, open_post, open_widget, see, sight

LENGTH: Final = 8200  # code points, so that every channel that has a limit must cut
WHOLE: Final = 10**6
SCRIPTS: Final = ("khmer", "mixed")


def code_points(text: str) -> int:
    return len(text)


def utf16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


@dataclass(frozen=True)
class Transport:
    """`writes`: characters that a person can write at once; `limit`: of one piece of ours, as the provider counts; `page`: where the
    person reads.
    """

    meet: Callable[[Town], Customer]
    writes: int
    limit: int
    count: Callable[[str], int] = code_points
    page: Callable[[Chromium, Any], Awaitable[Page]] | None = None


def number() -> str:
    return str(random.randrange(10**9, 10**10))


TRANSPORTS: Final = {
    "telegram": Transport(lambda town: Telegram(town, number()), 4096, 4096, utf16, open_phone),
    "messenger": Transport(lambda town: Phone(town, number(), "facebook", 2000), 2000, 2000, utf16, open_phone),
    "comment": Transport(lambda town: Commenter(town, number()), 8000, 8000, utf16, open_post),
    "whatsapp": Transport(lambda town: Phone(town, f"855{number()}", "whatsapp", 4096), 4096, 4096, page=open_phone),
    "webchat": Transport(lambda town: Visitor(town, "visitor"), 4000, 4000, page=open_widget),
    "webhook": Transport(lambda town: Partner(town, f"partner-{uuid.uuid4().hex[:8]}"), WHOLE, WHOLE),
    "smtp": Transport(
        lambda town: Correspondent(town, f"sok-{number()}@customer.example"), WHOLE, WHOLE, page=open_mailbox
    ),
    "mailbox": Transport(
        lambda town: Penpal(town, f"dara-{number()}@customer.example"), WHOLE, WHOLE, page=open_mailbox
    ),
}


@dataclass(frozen=True)
class Talk:
    """A long question and its long answer. `heard`: the events of the question's portions; `shown`: what the customer has of the answer."""

    customer: Customer
    question: str
    portions: list[str]
    heard: list[Json]
    answer: str
    places: set[int]
    status: Json
    shown: list[Shown]

    @property
    def conversation(self) -> str:
        return str(self.heard[-1]["conversation"])


@dataclass
class Desk(Agent):
    """An agent's side of a running stack. A talk is held once, and looked at by several tests."""

    talks: dict[tuple[str, str], Talk] = field(default_factory=dict)

    async def talk(self, name: str, script: str) -> Talk:
        if (name, script) not in self.talks:
            self.talks[name, script] = await self._hold(TRANSPORTS[name], script)
        return self.talks[name, script]

    async def _hold(self, transport: Transport, script: str) -> Talk:
        customer = transport.meet(self.town)
        (question, ends), (answer, places) = (written(script, random.randrange(10**6)) for _ in range(2))
        asked, heard = portions(question, transport.writes, ends), []
        for portion in asked:
            await until_taken(customer, portion)
            heard.append(await self.hears(portion))
        status = await self.became(await self.answers(heard[-1], text(answer)))
        return Talk(customer, question, asked, heard, answer, places, status, await customer.reads())

    async def became(self, message: str) -> Json:
        """The first status that says what became of the whole answer."""
        return await self.listener.first(
            "message.status", lambda event: event["message_id"] == message and event["status"] != "unknown"
        )


def written(script: str, start: int) -> tuple[str, set[int]]:
    """A text, and where it may be cut."""
    if script == "khmer":
        text = letters.khmer(start, LENGTH)
        return text, words(text)
    clusters = letters.mixed(start, LENGTH)
    return "".join(clusters), letters.ends(clusters)


def words(text: str) -> set[int]:
    """Where ICU's own dictionary says that a word ends; other rules than those by which we cut."""
    return {0, *accumulate(map(len, WordBreaker(text, "km")))}


def portions(text: str, size: int, places: set[int]) -> list[str]:
    """The text in portions of so many UTF-16 units at the most, as a person would write it in several messages."""
    found, start = [], 0
    while start < len(text):
        end = max(place for place in places if start < place and utf16(text[start:place]) <= size)
        found.append(text[start:end])
        start = end
    return found


@pytest.fixture(scope="module")
async def desk(stack: Any) -> AsyncIterator[Desk]:
    async with at_work(stack, Desk) as opened:
        yield opened


@pytest.fixture(scope="module")
async def chromium() -> AsyncIterator[Chromium]:
    async with sight() as launched:
        yield launched


@pytest.mark.parametrize("name", TRANSPORTS)
@pytest.mark.parametrize("script", SCRIPTS)
async def test_a_long_text_arrives_whole_in_one_conversation(name: str, script: str, desk: Desk) -> None:
    talk = await desk.talk(name, script)
    assert {event["conversation"] for event in talk.heard} == {talk.conversation}
    assert "".join("".join(map(said, talk.heard)).split()) == "".join(talk.question.split())


@pytest.mark.parametrize("name", TRANSPORTS)
@pytest.mark.parametrize("script", SCRIPTS)
async def test_its_answer_is_cut_where_a_reader_would_cut_it(name: str, script: str, desk: Desk) -> None:
    """All of it in order, each piece within the limit and no smaller than it must be, cut between words or clusters only."""
    transport, talk = TRANSPORTS[name], await desk.talk(name, script)
    pieces, at = [one.text for one in talk.shown], 0
    for piece in pieces:
        assert transport.count(piece) <= transport.limit
        start = talk.answer.index(piece, at)
        assert not talk.answer[at:start].strip(), "only white space may be left out"
        assert {start, start + len(piece)} <= talk.places
        at = start + len(piece)
    assert at == len(talk.answer), f"{at} of {len(talk.answer)} in {len(pieces)} pieces"
    assert all(transport.count(one + other) > transport.limit for one, other in pairwise(pieces))


@pytest.mark.parametrize("name", TRANSPORTS)
@pytest.mark.parametrize("script", SCRIPTS)
async def test_every_piece_stands_on_the_status(name: str, script: str, desk: Desk) -> None:
    talk = await desk.talk(name, script)
    assert talk.status["status"] in {"sent", "delivered", "read"}
    assert {one.id for one in talk.shown} <= set(talk.status["external_ids"])


@pytest.mark.parametrize("name", TRANSPORTS)
async def test_the_agent_sees_both_texts_whole(name: str, desk: Desk, chromium: Chromium) -> None:
    for script in SCRIPTS:
        talk = await desk.talk(name, script)
        address = desk.stack.addresses.console.partition("#")[0]
        page = await chromium.open(f"{address}#token={desk.stack.addresses.token}&conversation={talk.conversation}")
        for whole in (*talk.portions, talk.answer):
            await see(page, whole.strip())


@pytest.mark.parametrize("name", [name for name in TRANSPORTS if TRANSPORTS[name].page])
async def test_the_customer_sees_the_answer_whole(name: str, desk: Desk, chromium: Chromium) -> None:
    for script in SCRIPTS:
        talk = await desk.talk(name, script)
        page = await TRANSPORTS[name].page(chromium, talk.customer)
        for piece in talk.shown:
            await see(page, piece.text)
