"""Plain Kafka clients read the events with nothing of ours: routing by headers, one rule, no gap."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from typing import Any

from people import environment, phone

from tests.conftest import require

# Runs by itself, isolated from this project: confluent-kafka and the standard library are all it imports.
READER = """
import json, os, sys
from confluent_kafka import Consumer, TopicPartition, OFFSET_BEGINNING

topic = os.environ["PARLEY_PREFIX"] + "events.v1"
consumer = Consumer({"bootstrap.servers": os.environ["PARLEY_KAFKA"], "group.id": "nobody", "enable.auto.commit": False})
partitions = consumer.list_topics(topic, timeout=90).topics[topic].partitions
consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])
ends = {number: consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=90)[1] for number in partitions}
left = {number for number, end in ends.items() if end}
conversations = {}
while left:
    record = consumer.poll(20)
    assert record is not None and not record.error(), record and record.error()
    headers = {name: value.decode() for name, value in record.headers()}
    event = json.loads(record.value())
    assert headers["content-type"] == "application/json" and headers["ce_specversion"] == "1.0"
    if "ce_sequence" in headers:
        seen = conversations.setdefault(record.key().decode(), [])
        assert int(headers["ce_sequence"]) == event["sequence"]
        if not seen or event["sequence"] > seen[-1][0]:
            seen.append((event["sequence"], headers["ce_type"]))
    if record.offset() + 1 >= ends[record.partition()]:
        left.discard(record.partition())
json.dump({"modules": sorted(sys.modules), "conversations": conversations}, sys.stdout)
"""


async def run(stack: Any, *argv: str) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *argv, env=os.environ | environment(stack), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    said, wrong = await process.communicate()
    assert process.returncode == 0, wrong.decode()
    return said


async def talk(stack: Any) -> str:
    """A conversation with a question and its answer; its id."""
    async with phone(stack) as dara:
        await dara.says("តើថ្លៃប៉ុន្មាន?")
        arguments = ["send", "telegram", "sandbox", dara.chat.rpartition("/")[2], "៥ ដុល្លារ", "--json"]
        told = await run(stack, sys.executable, "-m", "services.cli", *arguments, "--home", str(stack.home))
        await dara.hears("៥ ដុល្លារ")
    return next(line["conversation"] for line in map(json.loads, told.splitlines()) if line.get("conversation"))


async def test_confluent_kafka_reads_every_conversation_without_a_gap(stack: Any) -> None:
    conversation = await talk(stack)
    told = json.loads(await run(stack, sys.executable, "-I", "-c", READER))
    assert not {"shared", "services", "aiokafka", "pydantic"} & set(told["modules"])
    for seen in told["conversations"].values():
        assert [sequence for sequence, _ in seen] == list(range(1, len(seen) + 1))
    kinds = [kind for _, kind in told["conversations"][conversation]]
    for kind in ("conversation.opened", "message.received", "message.queued", "message.status"):
        assert f"parley.{kind}.v1" in kinds


async def test_kcat_reads_them_too(stack: Any) -> None:
    require(shutil.which("kcat"), "kcat")
    conversation = await talk(stack)
    told = environment(stack)
    topic = told["PARLEY_PREFIX"] + "events.v1"
    arguments = ["-C", "-e", "-q", "-o", "beginning", "-f", r"%k\t%h\t%s\n", "-b", told["PARLEY_KAFKA"], "-t", topic]
    lines = [line.split("\t", 2) for line in (await run(stack, "kcat", *arguments)).decode().splitlines()]
    mine = [(headers, json.loads(value)) for key, headers, value in lines if key == conversation]
    assert [event["sequence"] for _, event in mine][:2] == [1, 2]
    assert all(f"ce_sequence={event['sequence']}" in headers for headers, event in mine)
