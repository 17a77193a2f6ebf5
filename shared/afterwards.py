"""What is asked of a provider after a message: the inbound topic read once more, apart from the messages, which never wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, Protocol

from shared.bus import In
from shared.consume import Reader
from shared.envelope import Envelope
from shared.lifecycle import Health
from shared.produce import Producer
from shared.records import RECORDS, Family, afterwards_group, inbound_topic
from shared.settings import Settings

ENVELOPE: Final = RECORDS["inbound"].ce_type.encode()


class Errand(Protocol):
    """One thing to ask for: files, names. Whatever it finds becomes a record with the message's key."""

    def wants(self, record: Any) -> bool:
        """Whether this message, as Kafka has it, may give it something to do; the others are not even parsed."""

    async def note(self, records: Sequence[In]) -> None:
        """Store what is to be done for these messages; what is noted twice is done once."""

    async def run(self) -> None:
        """Do it, until cancelled."""


class Afterwards:
    """A second reader of the inbound topic, for all errands of one adapter."""

    def __init__(
        self, settings: Settings, family: Family, errands: Sequence[Errand], *, producer: Producer, health: Health
    ) -> None:
        self._errands = errands
        self._reader = Reader(
            settings=settings,
            topics=[inbound_topic(family)],
            group=afterwards_group(family),
            owner=self,
            producer=producer,
            health=health,
            wanted=self._wants,
            hurried=False,
        )
        health.ready["afterwards"] = lambda: self._reader.trouble

    async def run(self) -> None:
        """Until cancelled; what is half done is done again by whoever comes next."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._reader.run())
            for errand in self._errands:
                group.create_task(errand.run())

    def _wants(self, record: Any) -> bool:
        return ("ce_type", ENVELOPE) in record.headers and any(errand.wants(record) for errand in self._errands)

    async def claim(self, topic: str, partition: int) -> int | None:
        """The group's own offset is enough, since what is read twice is noted once."""
        return None

    async def handle(self, topic: str, partition: int, records: Sequence[In], start: int, end: int) -> None:
        messages = [record for record in records if isinstance(record.model, Envelope)]
        for errand in self._errands:
            await errand.note(messages)
