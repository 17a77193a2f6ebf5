"""What an adapter does after a message: the inbound topic read once more, apart from the messages, which never wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, Protocol

from shared.bus.cloudevents import In
from shared.bus.consume import Reader
from shared.contract.envelope import Envelope
from shared.contract.records import RECORDS, afterwards_group, inbound_topic
from shared.provider.parts import Parts
from shared.runtime.lasting import keep

ENVELOPE: Final = RECORDS["inbound"].ce_type.encode()


class Follower(Protocol):
    """Whoever stores something of each message that came in."""

    def wants(self, record: Any) -> bool:
        """Whether this message, as Kafka has it, may be one for it; those that nobody wants are not even parsed."""

    async def note(self, records: Sequence[In]) -> None:
        """Store what matters of these messages, others' among them; what is noted twice is stored once."""


class Errand(Follower, Protocol):
    """One thing to ask a provider for: files, names. Whatever it finds becomes a record with the message's key."""

    async def run(self) -> None:
        """Do it, until cancelled."""


class Afterwards:
    """A second reader of the inbound topic, for all who want it of one adapter: each reading costs as much as the first."""

    def __init__(self, parts: Parts, errands: Sequence[Errand] = (), *, followers: Sequence[Follower] = ()) -> None:
        self._errands, self._followers = errands, (*followers, *errands)
        self._reader = Reader(
            settings=parts.settings,
            topics=[inbound_topic(parts.family)],
            group=afterwards_group(parts.family),
            owner=self,
            producer=parts.producer,
            health=parts.health,
            wanted=self._wants,
            hurried=False,
        )
        parts.health.ready["afterwards"] = lambda: self._reader.trouble

    async def run(self) -> None:
        """Until cancelled; what is half done is done again by whoever comes next."""
        async with asyncio.TaskGroup() as group:
            keep(group, self._reader.run(), "afterwards")
            for errand in self._errands:
                keep(group, errand.run(), "errand")

    def _wants(self, record: Any) -> bool:
        return ("ce_type", ENVELOPE) in record.headers and any(one.wants(record) for one in self._followers)

    async def claim(self, topic: str, partition: int, log_id: str) -> int | None:
        """The group's own offset is enough, since what is read twice is noted once."""
        return None

    async def handle(self, topic: str, partition: int, records: Sequence[In], start: int, end: int) -> None:
        messages = [record for record in records if isinstance(record.model, Envelope)]
        for one in self._followers:
            await one.note(messages)
