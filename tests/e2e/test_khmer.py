"""Khmer, right-to-left script and emoji from end to end on every transport: whole in the event, cut between words only, all of it shown."""

from __future__ import annotations

import random
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, Final

import aiohttp
import pytest
from icu4py.breakers import WordBreaker

from tests.customers import (
    Commenter,
    Correspondent,
    Customer,
    Partner,
    Penpal,
    Phone,
    Telegram,
    Town,
    Visitor,
    until_taken,
)
from tests.e2e import letters
from tests.e2e.listener import Listener, listening
from tests.e2e.people import SECONDS

LENGTH: Final = 8200  # code points, so that every channel that has a limit must cut
WHOLE: Final = 10**6


def code_points(text: str) -> int:
    return len(text)


def utf16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


@dataclass(frozen=True)
class Transport:
    """`writes`: characters that a person can write at once; `limit`: of one piece of ours, as the provider counts."""

    meet: Callable[[Town], Customer]
    writes: int
    limit: int
    count: Callable[[str], int] = code_points


def number() -> str:
    return str(random.randrange(10**9, 10**10))


TRANSPORTS: Final = {
    "telegram": Transport(lambda town: Telegram(town, number()), 4096, 4096, utf16),
    "messenger": Transport(lambda town: Phone(town, number(), "facebook", 2000), 2000, 2000, utf16),
    "comment": Transport(lambda town: Commenter(town, number()), 8000, 8000, utf16),
    "whatsapp": Transport(lambda town: Phone(town, f"855{number()}", "whatsapp", 4096), 4096, 4096),
    "webchat": Transport(lambda town: Visitor(town, "visitor"), 4000, 4000),
    "webhook": Transport(lambda town: Partner(town, f"partner-{uuid.uuid4().hex[:8]}"), WHOLE, WHOLE),
    "smtp": Transport(lambda town: Correspondent(town, f"sok-{number()}@customer.example"), WHOLE, WHOLE),
    "mailbox": Transport(lambda town: Penpal(town, f"dara-{number()}@customer.example"), WHOLE, WHOLE),
}


@dataclass
class Desk:
    """An agent's side of a running stack: what it hears and answers."""

    stack: Any
    town: Town
    listener: Listener

    async def hears(self, text: str) -> dict[str, Any]:
        return await self.listener.first("message.received", lambda event: said(event) == text)

    async def answers(self, conversation: str, text: str) -> dict[str, Any]:
        """The status of the answer once all of it was sent."""
        address = f"{self.stack.http('router')}/api/conversations/{conversation}/reply"
        body = {"parts": [{"kind": "text", "text": text}]}
        async with self.town.client.post(address, json=body, headers=self.stack.bearer) as answer:
            assert answer.status == 202, await answer.text()
            message = (await answer.json())["message_id"]
        return await self.listener.first(
            "message.status", lambda event: event["message_id"] == message and event["status"] != "unknown"
        )


def said(event: dict[str, Any]) -> str:
    return str(event["message"]["parts"][0].get("text", "")).strip()


@pytest.fixture(scope="module")
async def desk(stack: Any) -> AsyncIterator[Desk]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS)) as client:
        async with listening(stack.addresses.kafka) as listener:
            yield Desk(stack, Town(stack.home, stack.addresses, client), listener)


def portions(text: str, size: int, places: set[int]) -> list[str]:
    """The text in portions of so many UTF-16 units at the most, as a person would write it in several messages."""
    found, start = [], 0
    while start < len(text):
        end = max(place for place in places if start < place and utf16(text[start:place]) <= size)
        found.append(text[start:end])
        start = end
    return found


def words(text: str) -> set[int]:
    """Where ICU's own dictionary says that a word ends; other rules than those by which we cut."""
    return {0, *accumulate(map(len, WordBreaker(text, "km")))}


def check_cuts(text: str, pieces: list[str], places: set[int], transport: Transport) -> None:
    """All of the text in order, each piece within the limit and no smaller than it must be, cut nowhere but at these places."""
    at = 0
    for piece in pieces:
        assert transport.count(piece) <= transport.limit
        start = text.index(piece, at)
        assert not text[at:start].strip(), "only white space may be left out"
        assert {start, start + len(piece)} <= places
        at = start + len(piece)
    assert at == len(text), f"{at} of {len(text)} in {len(pieces)} pieces"
    assert all(transport.count(one + other) > transport.limit for one, other in pairwise(pieces))


@pytest.mark.parametrize("name", TRANSPORTS)
@pytest.mark.parametrize("script", ["khmer", "mixed"])
async def test_a_long_text_arrives_whole_and_its_answer_is_cut_where_a_reader_would(
    name: str, script: str, desk: Desk
) -> None:
    transport = TRANSPORTS[name]
    customer = transport.meet(desk.town)
    (question, at), (answer, places) = (written(script, random.randrange(10**6)) for _ in range(2))
    asked = portions(question, transport.writes, at)
    heard = []
    for portion in asked:
        await until_taken(customer, portion)
        heard.append(await desk.hears(portion))
    assert {event["conversation"] for event in heard} == {heard[0]["conversation"]}
    assert "".join(map(said, heard)).replace(" ", "") == question.replace(" ", "")
    status = await desk.answers(heard[-1]["conversation"], answer)
    assert status["status"] in {"sent", "delivered", "read"}
    shown = await customer.reads()
    check_cuts(answer, [one.text for one in shown], places, transport)
    assert {one.id for one in shown} <= set(status["external_ids"]), "every piece's id is on the status"


def written(script: str, start: int) -> tuple[str, set[int]]:
    """A text, and where it may be cut."""
    if script == "khmer":
        text = letters.khmer(start, LENGTH)
        return text, words(text)
    clusters = letters.mixed(start, LENGTH)
    return "".join(clusters), letters.ends(clusters)
