"""One reading of the inbound topic serves everyone who wants it: what nobody wants is not parsed, what one cannot store passes nobody by."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from station import Station, open_station

from shared.bus.cloudevents import In
from shared.contract.envelope import Envelope, Party, Text
from shared.contract.errors import DatabaseUnavailable
from shared.enrich.afterwards import Afterwards
from tests.parts import make_parts


@pytest.fixture
async def station(servers: Any, tmp_path: Path) -> AsyncIterator[Station]:
    async with open_station(servers, tmp_path / "blobs") as station:
        yield station


def message(text: str) -> Envelope:
    now = datetime.now(UTC)
    return Envelope(
        id=uuid.uuid4(),
        tenant="default",
        channel="line",
        account="main",
        peer="alice",
        sender=Party(address="alice"),
        parts=(Text(text=text),),
        occurred_at=now,
        received_at=now,
    )


class Notebook:
    """Notes messages with a word in them; `refusals`: how often it cannot."""

    def __init__(self, word: str, refusals: int = 0) -> None:
        self.word, self.refusals = word.encode(), refusals
        self.given: list[str] = []
        self.more = asyncio.Event()

    def wants(self, record: Any) -> bool:
        return self.word in record.value

    async def note(self, records: Sequence[In]) -> None:
        if records and self.refusals:
            self.refusals -= 1
            raise DatabaseUnavailable("away")
        self.given += [record.model.parts[0].text for record in records]
        self.more.set()

    async def until(self, text: str) -> None:
        while text not in self.given:
            self.more.clear()
            await self.more.wait()


@asynccontextmanager
async def following(station: Station, *notebooks: Notebook) -> AsyncIterator[None]:
    afterwards = Afterwards(make_parts(settings=station.settings, producer=station.producer), followers=notebooks)
    task = asyncio.create_task(afterwards.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def say(station: Station, *texts: str) -> None:
    for text in texts:
        await station.producer.send(station.envelope_record(message(text)))


async def test_a_message_is_given_if_anyone_wants_it_and_else_not_parsed(station: Station) -> None:
    pears, plums = Notebook("pear"), Notebook("plum")
    async with following(station, pears, plums):
        await say(station, "a pear", "an apple", "a plum")
        await pears.until("a plum")
        await plums.until("a plum")
    assert pears.given == plums.given == ["a pear", "a plum"]


async def test_while_one_cannot_store_nobody_is_passed_by(station: Station) -> None:
    first, second = Notebook("pear"), Notebook("plum", refusals=2)
    async with following(station, first, second):
        await say(station, "a pear", "a plum")
        await second.until("a plum")
    assert set(second.given) == set(first.given) == {"a pear", "a plum"}
    assert not second.refusals
