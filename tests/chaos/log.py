"""The events topic as a consumer that obeys the one rule sees it: repeats dropped, everything else in the order of the log."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer

from deploy.local.home import Addresses
from shared.contract.records import EVENTS
from shared.runtime.settings import Settings


@dataclass
class Log:
    """`received`: how often each text came in; `statuses`: of each message of ours, in the order in which they were told."""

    sequences: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    repeats: int = 0
    received: Counter[str] = field(default_factory=Counter)
    echoes: Counter[str] = field(default_factory=Counter)
    queued: dict[str, str] = field(default_factory=dict)
    statuses: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def take(self, record: Any) -> None:
        kind = dict(record.headers)["ce_type"].decode()
        event = json.loads(record.value)
        sequence, conversation = event.get("sequence"), event.get("conversation")
        if sequence is not None:
            if self.sequences[conversation] and sequence <= self.sequences[conversation][-1]:
                self.repeats += 1
                return
            self.sequences[conversation].append(sequence)
        match kind:
            case "parley.message.received.v1":
                received = self.received if event["message"]["direction"] == "inbound" else self.echoes
                received[text_of(event)] += 1
            case "parley.message.queued.v1":
                self.queued[event["message"]["request_id"]] = event["message"]["id"]
            case "parley.message.status.v1":
                self.statuses[event["message_id"]].append(event["status"])

    @property
    def gaps(self) -> dict[str, list[int]]:
        return {name: found for name, found in self.sequences.items() if found != list(range(1, len(found) + 1))}

    def outcome(self, request: str) -> str:
        return (self.statuses.get(self.queued.get(request, ""), []) or ["queued"])[-1]


def text_of(event: Any) -> str:
    """The words of a received message; a mail's end with a line."""
    return str(event["message"]["parts"][0].get("text", "")).strip()


async def read_log(addresses: Addresses) -> Log:
    """Everything on the events topic, from the beginning to its end now."""
    log = Log()
    topic = Settings(kafka=addresses.kafka).topic(EVENTS)
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=addresses.kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        await consumer.seek_to_beginning()
        ends = await consumer.end_offsets(consumer.assignment())
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=300)).values():
                for record in records:
                    log.take(record)
    finally:
        await consumer.stop()
    return log
