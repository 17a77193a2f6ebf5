"""Traffic on every transport at once, and what must be true of it afterwards. Bounded, on loopback, and it stops by itself."""

from __future__ import annotations

import asyncio
import json
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

from deploy.local.home import Addresses
from shared.bus.cloudevents import Out, encode, headers
from shared.bus.leaving import leave
from shared.contract.envelope import Text
from shared.contract.records import EVENTS, REQUESTS
from shared.contract.requests import Grow, Reply
from shared.runtime.settings import Settings
from tests.chaos.log import Log, read_log, text_of
from tests.customers import (
    WRITTEN,
    Commenter,
    Correspondent,
    Customer,
    Partner,
    Penpal,
    Phone,
    Telegram,
    Town,
    Visitor,
    someone,
    until_taken,
)

Meet = Callable[[Town, int], Customer]


def _someone(channel: str, town: Town, number: int) -> Customer:
    return someone(town, channel, number)


# Everyone who writes, by the name of the transport; a number makes a new person.
PEOPLE: Final[Mapping[str, Meet]] = {
    "telegram": lambda town, number: Telegram(town, str(10_000 + number)),
    "webchat": lambda town, number: Visitor(town, f"visitor-{number}"),
    "webhook": lambda town, number: Partner(town, f"partner-{number}"),
    "messenger": lambda town, number: Phone(town, str(5_000_000 + number), "facebook", 2000),
    "comment": lambda town, number: Commenter(town, str(7_000_000 + number)),
    "whatsapp": lambda town, number: Phone(town, str(855_120_000_000 + number), "whatsapp", 4096),
    "smtp": lambda town, number: Correspondent(town, f"straight-{number}@customer.example"),
    "mailbox": lambda town, number: Penpal(town, f"queued-{number}@customer.example"),
    **{channel: partial(_someone, channel) for channel in WRITTEN},
}
GROWN: Final = (4, 8)  # letters of an answer that are shown before it is whole
GROWS: Final = 0.5  # seconds between them
LEAVE: Final = 180.0  # seconds that the agent stays after the last customer, until all is answered
MESSAGES: Final = 12  # of one person; then someone new writes, since providers let few be sent to one person quickly


@dataclass
class Traffic:
    """Customers on every transport who write, and an agent who answers every message, all of them patient.

    `accepted`: the markers of messages that were taken; `asked`: the conversation of each reply that was asked for.
    """

    home: Path
    addresses: Addresses
    accepted: set[str] = field(default_factory=set)
    asked: dict[str, str] = field(default_factory=dict)
    people: list[Customer] = field(default_factory=list)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        settings = Settings()
        self._events, self._requests = settings.topic(EVENTS), settings.topic(REQUESTS)

    async def run(self, customers: int = 2, pause: float = 1.2) -> None:
        """Until `stopping` is set: so many at a time on each transport, each pausing so many seconds between messages."""
        agent = asyncio.create_task(self._agent())
        try:
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
                town = Town(self.home, self.addresses, session)
                async with asyncio.TaskGroup() as group:
                    for kind in PEOPLE:
                        for number in range(customers):
                            group.create_task(self._write(town, kind, number * 100, pause))
            async with asyncio.timeout(LEAVE):
                while not {f"r-{marker}" for marker in self.accepted} <= self.asked.keys():
                    await asyncio.sleep(0.2)
        except TimeoutError:
            return  # what was not answered is told by `check`
        finally:
            agent.cancel()
            await asyncio.gather(agent, return_exceptions=True)

    async def _write(self, town: Town, kind: str, number: int, pause: float) -> None:
        while not self.stopping.is_set():
            number += 1
            customer = PEOPLE[kind](town, number)
            self.people.append(customer)
            for _ in range(MESSAGES):
                if self.stopping.is_set():
                    return
                marker = f"m-{kind}-{uuid.uuid4().hex[:10]}"
                await until_taken(customer, marker)
                self.accepted.add(marker)
                await asyncio.sleep(pause * random.uniform(0.5, 1.5))

    async def _agent(self) -> None:
        """Answers every message once: the request's id follows from the message, so asking again asks for the same."""
        seen: set[str] = set()
        while True:
            consumer = AIOKafkaConsumer(
                self._events, bootstrap_servers=self.addresses.kafka, auto_offset_reset="earliest"
            )
            producer = AIOKafkaProducer(bootstrap_servers=self.addresses.kafka, enable_idempotence=True, acks="all")
            try:
                async with asyncio.timeout(20):
                    await consumer.start()
                    await producer.start()
                while True:
                    heard = [one for some in (await consumer.getmany(timeout_ms=300)).values() for one in some]
                    await self._answer_all(producer, [json.loads(one.value) for one in heard if is_message(one)], seen)
            except (KafkaError, TimeoutError, OSError):
                await asyncio.sleep(1)
            finally:
                for client in (consumer, producer):
                    await leave(client)

    async def _answer_all(self, producer: AIOKafkaProducer, events: list[Any], seen: set[str]) -> None:
        """Each answer grows for a while before it is whole, so that whatever is killed is killed in the middle of some."""
        fresh = {one["message"]["id"]: one for one in events if one["message"]["direction"] == "inbound"}
        answers = [(f"r-{text_of(one)}", one["conversation"]) for name, one in fresh.items() if name not in seen]
        for so_far in GROWN if answers else ():
            for request, place in answers:
                grow = Grow(conversation=place, answer=request, text=request[:so_far])
                await self._ask(producer, "request.grow", f"{request}/{so_far}", place, grow)
            await asyncio.sleep(GROWS)
        for request, place in answers:
            reply = Reply(conversation=place, parts=(Text(text=request),))
            await self._ask(producer, "request.reply", request, place, reply)
            self.asked[request] = place
        seen |= fresh.keys()

    async def _ask(self, producer: AIOKafkaProducer, kind: str, name: str, place: str, asked: Reply | Grow) -> None:
        head = headers(kind, source="/test", id=name, time=datetime.now(UTC), tenant="default", subject=place)
        out = Out(self._requests, place.encode(), encode(asked), head)
        async with asyncio.timeout(10):
            await producer.send_and_wait(out.topic, out.value, key=out.key, headers=out.headers)

    async def read(self) -> Counter[str]:
        """How often each reply was shown to its customer."""
        found: Counter[str] = Counter()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
            for customer in self.people:
                customer.town.client = session
                found.update(shown.text for shown in await customer.reads())
        return found


async def settled(traffic: Traffic, patience: float) -> Log:
    """Wait until everything accepted has been received and every reply asked for has an outcome; the log then."""
    end = time.monotonic() + patience
    while True:
        log = await read_log(traffic.addresses)
        waiting = [request for request in traffic.asked if log.outcome(request) == "queued"]
        if (not traffic.accepted - set(log.received) and not waiting) or time.monotonic() > end:
            return log
        await asyncio.sleep(2)


async def check(traffic: Traffic, patience: float = 300) -> Log:
    """The promises: nothing accepted is lost or doubled, no gap, every reply arrived once or is reported `unknown`."""
    log = await settled(traffic, patience)
    lost = traffic.accepted - set(log.received)
    kinds = Counter(map(kind_of, lost))
    assert not lost, f"{len(lost)} of {len(traffic.accepted)} accepted have no event: {kinds} {sorted(lost)[:5]}"
    doubled = [marker for marker, count in log.received.items() if count > 1]
    assert not doubled, f"received twice: {doubled[:5]}"
    assert not log.gaps, f"gaps: {list(log.gaps.items())[:2]}"
    unanswered = {f"r-{marker}" for marker in traffic.accepted} - traffic.asked.keys()
    assert not unanswered, f"the agent has not answered {len(unanswered)}: {sorted(unanswered)[:5]}"
    read = await traffic.read()
    wrong = [f"{request}: {log.outcome(request)}, read {read[request]} times"
             for request in traffic.asked if not tallies(log.outcome(request), read[request])]  # fmt: skip
    assert not wrong, f"{len(wrong)} of {len(traffic.asked)} replies: {wrong[:5]}"
    return log


def tallies(outcome: str, read: int) -> bool:
    """Whether what is reported of a reply agrees with how often its customer has it."""
    return read <= 1 if outcome == "unknown" else outcome in {"sent", "delivered", "read"} and read == 1


def is_message(record: Any) -> bool:
    return dict(record.headers)["ce_type"] == b"parley.message.received.v1"


def kind_of(marker: str) -> str:
    return marker.removeprefix("r-").split("-")[1]


def figures(traffic: Traffic, log: Log) -> str:
    """What was proved, in numbers: for each transport accepted, asked for, unknown."""
    accepted = Counter(map(kind_of, traffic.accepted))
    asked = Counter(map(kind_of, traffic.asked))
    unknown = Counter(kind_of(request) for request in traffic.asked if log.outcome(request) == "unknown")
    lines = (f"  {kind}: accepted {accepted[kind]}, replies {asked[kind]}, unknown {unknown[kind]}" for kind in PEOPLE)
    return "\n".join((f"{len(traffic.accepted)} accepted, {log.repeats} repeats on the log", *lines))
