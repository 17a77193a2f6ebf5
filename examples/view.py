"""Every conversation as it is now, with what was said, from Kafka alone. It needs aiokafka and nothing of Parley."""

import asyncio
import json
import os

from aiokafka import AIOKafkaConsumer

KAFKA, PREFIX = os.environ.get("PARLEY_KAFKA", "127.0.0.1:9092"), os.environ.get("PARLEY_PREFIX", "parley.")
STATES, EVENTS = ("conversations.v1", "customers.v1"), "events.v1"


class View:
    """`states`: by topic and key, how something is. `stories`: by conversation, its events in order."""

    def __init__(self) -> None:
        self.states = {topic: {} for topic in STATES}
        self.stories = {}

    def take(self, topic: str, key: str, kind: str, value: bytes | None) -> None:
        """One record, from whichever place: what is known already changes nothing."""
        said = json.loads(value) if value else None
        if topic == EVENTS and "sequence" in said:
            story = self.stories.setdefault(key, [])
            if said["sequence"] > (story[-1]["sequence"] if story else 0):  # the one rule of events
                story.append(said | {"type": kind})
        elif topic in STATES and said is None:  # gone
            self.states[topic].pop(key, None)
            self.stories.pop(key, None)
        elif topic in STATES and said["version"] >= self.states[topic].get(key, said)["version"]:  # and of states
            self.states[topic][key] = said

    def person(self, customer: str) -> str:
        """Who this customer is: a customer who was merged is the other one from then on."""
        return self.states["customers.v1"].get(customer, {}).get("merged_into") or customer

    def lines(self) -> list[str]:
        """The conversations, the newest first."""
        known = sorted(self.states["conversations.v1"].values(), key=lambda one: one.get("last_at", ""), reverse=True)
        return [
            f"{one['status']:8} {one['channel']}/{one['account']}  {one.get('name') or one['peer']}:"
            f" {len(self.stories.get(one['id'], ()))} events, person {self.person(one['home'])[:8]}"
            for one in known
        ]


async def main() -> None:
    """All that is there, then what comes; nothing is committed, since the whole is read at each start."""
    view, reading = View(), AIOKafkaConsumer(bootstrap_servers=KAFKA, auto_offset_reset="earliest")
    async with reading:
        reading.subscribe([PREFIX + topic for topic in (*STATES, EVENTS)])
        while True:
            for place, records in (await reading.getmany(timeout_ms=1000)).items():
                for record in records:
                    kind = dict(record.headers).get("ce_type", b"").decode()
                    view.take(place.topic.removeprefix(PREFIX), record.key.decode(), kind, record.value)
            print("\n".join(view.lines()), end="\n\n", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
