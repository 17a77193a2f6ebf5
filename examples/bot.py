"""A bot that answers on every channel. It needs aiokafka and nothing of Parley: `pip install aiokafka`."""

import asyncio
import json
import os

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

KAFKA, PREFIX = os.environ.get("PARLEY_KAFKA", "127.0.0.1:9092"), os.environ.get("PARLEY_PREFIX", "parley.")


async def main() -> None:
    kafka = {"bootstrap_servers": KAFKA}
    events = AIOKafkaConsumer(PREFIX + "events.v1", group_id=PREFIX + "bot", enable_auto_commit=False, **kafka)
    last = {}
    async with events, AIOKafkaProducer(enable_idempotence=True, acks="all", **kafka) as requests:
        async for record in events:
            kind, event = dict(record.headers)["ce_type"], json.loads(record.value)
            sequence = event.get("sequence", 0)
            if sequence > last.get(record.key, 0):  # the one rule: what is not above the last is a repeat
                last[record.key] = sequence
                if kind == b"parley.message.received.v1" and wants_answer(event["message"]):
                    await requests.send_and_wait(PREFIX + "requests.v1", key=record.key, **answer(event))
            await events.commit()


def wants_answer(message: dict) -> bool:
    """Not what the business itself wrote elsewhere, and no out-of-office note: two robots would never stop."""
    return message["direction"] == "inbound" and message["assessment"]["may_auto_answer"]


def answer(event: dict) -> dict:
    """A request record. The same ce_id is the same answer, however often the bot is killed and starts again."""
    said = " ".join(part["text"] for part in event["message"]["parts"] if part["kind"] == "text")
    reply = {"conversation": event["conversation"], "parts": [{"kind": "text", "text": f"You said: {said}"}]}
    names = {"ce_specversion": "1.0", "ce_type": "parley.request.reply.v1", "ce_id": f"bot-{event['message']['id']}"}
    return {"value": json.dumps(reply).encode(), "headers": [(name, text.encode()) for name, text in names.items()]}


if __name__ == "__main__":
    asyncio.run(main())
