"""Traffic on every channel at once, and what must be true of it afterwards. Bounded, on loopback, and it stops by itself."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import random
import time
import tomllib
import uuid
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

from deploy.local.home import Addresses
from shared.bus import Out, encode, headers
from shared.records import EVENTS, REQUESTS, Reply

PREFIX = "parley."
TROUBLE = (aiohttp.ClientError, TimeoutError, OSError)


@dataclass
class Traffic:
    """Customers of three channels who write, and an agent who answers every message, all of them patient."""

    home: Path
    addresses: Addresses
    accepted: set[str] = field(default_factory=set)
    asked: dict[str, str] = field(default_factory=dict)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.accounts = tomllib.loads((self.home / "accounts.toml").read_text())
        self.chat = self.addresses.services["chat_adapter"].http
        self.bearer = {"Authorization": f"Bearer {self.addresses.token}"}

    async def run(self, customers: int = 5, pause: float = 1.1) -> None:
        """Until `stopping` is set; each channel's customers, and the agent."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
            async with asyncio.TaskGroup() as group:
                for number in range(customers):
                    for write in (self.telegram, self.webchat, self.webhook):
                        group.create_task(self._customer(session, write, number, pause))
                group.create_task(self._agent())

    async def _customer(self, session: aiohttp.ClientSession, write: Any, number: int, pause: float) -> None:
        state: dict[str, Any] = {}
        while not self.stopping.is_set():
            marker = f"m-{write.__name__}-{number}-{uuid.uuid4().hex[:10]}"
            await self._until_accepted(write, session, number, marker, state)
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))

    async def _until_accepted(
        self, write: Any, session: aiohttp.ClientSession, number: int, marker: str, state: dict[str, Any]
    ) -> None:
        """What is not acknowledged is sent again, as providers and the widget do; what is acknowledged counts."""
        end = time.monotonic() + 90
        while time.monotonic() < end:
            try:
                if await write(session, number, marker, state):
                    self.accepted.add(marker)
                    return
            except TROUBLE:
                pass
            await asyncio.sleep(0.3)
        raise AssertionError(f"{marker} was not accepted within 90 s")

    async def telegram(self, session: aiohttp.ClientSession, number: int, marker: str, state: dict[str, Any]) -> bool:
        """By the sandbox's phone; the sandbox repeats its webhook until it is taken. The phone itself is asked only once."""
        if state.get("sent") == marker:
            return True
        bot = self.accounts["accounts"]["telegram"]["sandbox"]["token"].partition(":")[0]
        address = f"{self.addresses.sandbox}/phone/telegram/{bot}/{1000 + number}/send"
        found = await self._on_phone(session, bot, number, marker) if state.get("tried") == marker else False
        state["tried"] = marker
        if not found:
            async with session.post(
                address, json={"text": marker, "name": f"T{number}"}, headers=self.bearer
            ) as answer:
                return answer.status == 200
        return True

    async def _on_phone(self, session: aiohttp.ClientSession, bot: str, number: int, marker: str) -> bool:
        address = f"{self.addresses.sandbox}/phone/telegram/{bot}/{1000 + number}/messages"
        async with session.get(address, headers=self.bearer) as answer:
            return marker in await answer.text()

    async def webchat(self, session: aiohttp.ClientSession, number: int, marker: str, state: dict[str, Any]) -> bool:
        origin = {"Origin": self.chat}
        if "token" not in state:
            async with session.post(f"{self.chat}/webchat/demo/session", json={}, headers=origin) as answer:
                if answer.status != 200:
                    return False
                state["token"] = (await answer.json())["token"]
        body = {"client_id": str(uuid.uuid5(uuid.NAMESPACE_OID, marker)), "text": marker}
        asking = origin | {"Authorization": f"Bearer {state['token']}"}
        async with session.post(f"{self.chat}/webchat/demo/messages", json=body, headers=asking) as answer:
            if answer.status == 429:
                await asyncio.sleep(float(answer.headers.get("Retry-After", 1)))
            return answer.status == 202

    async def webhook(self, session: aiohttp.ClientSession, number: int, marker: str, state: dict[str, Any]) -> bool:
        body = json.dumps(
            {"type": "message", "id": marker, "from": {"address": f"w{number}"}, "parts": [{"kind": "text", "text": marker}],
             "occurred_at": "2026-11-22T08:00:00Z"}
        ).encode()  # fmt: skip
        signed = sign(self.accounts["apps"]["webhook"]["demo"]["secret"], marker, body)
        async with session.post(f"{self.chat}/hooks/webhook/demo", data=body, headers=signed) as answer:
            return answer.status == 200

    async def _agent(self) -> None:
        """Answers every message once: the request's id follows from the message, so asking again asks for the same."""
        seen: set[str] = set()
        while not self.stopping.is_set():
            consumer = AIOKafkaConsumer(
                PREFIX + EVENTS, bootstrap_servers=self.addresses.kafka, auto_offset_reset="earliest"
            )
            producer = AIOKafkaProducer(bootstrap_servers=self.addresses.kafka, enable_idempotence=True, acks="all")
            try:
                async with asyncio.timeout(20):
                    await consumer.start()
                    await producer.start()
                while not self.stopping.is_set():
                    for records in (await consumer.getmany(timeout_ms=300)).values():
                        for record in records:
                            await self._answer(producer, record, seen)
            except (KafkaError, TimeoutError, OSError):
                await asyncio.sleep(1)
            finally:
                for client in (consumer, producer):
                    try:
                        async with asyncio.timeout(5):
                            await client.stop()
                    except (KafkaError, TimeoutError, OSError):
                        continue

    async def _answer(self, producer: AIOKafkaProducer, record: Any, seen: set[str]) -> None:
        event = json.loads(record.value)
        kind = dict(record.headers)["ce_type"].decode()
        if kind != "parley.message.received.v1" or event["message"]["id"] in seen:
            return
        marker = event["message"]["parts"][0]["text"]
        request = f"r-{marker}"
        reply = Reply.model_validate(
            {"conversation": event["conversation"], "parts": [{"kind": "text", "text": request}]}
        )
        out = Out(
            PREFIX + REQUESTS,
            event["conversation"].encode(),
            encode(reply),
            headers("request.reply", source="/test", id=request, time=datetime.now(UTC),
                    tenant="default", subject=event["conversation"]),
        )  # fmt: skip
        async with asyncio.timeout(10):
            await producer.send_and_wait(out.topic, out.value, key=out.key, headers=out.headers)
        seen.add(event["message"]["id"])
        self.asked[request] = event["conversation"]


def sign(secret: str, name: str, body: bytes) -> dict[str, str]:
    """Standard Webhooks."""
    stamp = str(int(time.time()))
    mac = hmac.digest(
        base64.b64decode(secret.removeprefix("whsec_")), f"{name}.{stamp}.".encode() + body, hashlib.sha256
    )
    return {
        "content-type": "application/json",
        "webhook-id": name,
        "webhook-timestamp": stamp,
        "webhook-signature": "v1," + base64.b64encode(mac).decode(),
    }


@dataclass
class Log:
    """What a consumer that obeys the one rule has seen: repeats dropped, everything else in the order of the log."""

    sequences: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    repeats: int = 0
    received: Counter[str] = field(default_factory=Counter)
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
                self.received[event["message"]["parts"][0]["text"]] += 1
            case "parley.message.queued.v1":
                self.queued[event["message"]["request_id"]] = event["message"]["id"]
            case "parley.message.status.v1":
                self.statuses[event["message_id"]].append(event["status"])

    @property
    def gaps(self) -> dict[str, list[int]]:
        return {name: found for name, found in self.sequences.items() if found != list(range(1, len(found) + 1))}

    def outcome(self, request: str) -> str:
        return (self.statuses.get(self.queued.get(request, ""), []) or ["queued"])[-1]


async def read_log(addresses: Addresses) -> Log:
    """Everything on the events topic, from the beginning to its end now."""
    log = Log()
    consumer = AIOKafkaConsumer(PREFIX + EVENTS, bootstrap_servers=addresses.kafka, auto_offset_reset="earliest")
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


async def settled(traffic: Traffic, patience: float) -> Log:
    """Wait until everything accepted has been received and every reply asked for has an outcome; the log then."""
    end = time.monotonic() + patience
    while True:
        log = await read_log(traffic.addresses)
        waiting = [request for request in traffic.asked if log.outcome(request) == "queued"]
        if (not traffic.accepted - set(log.received) and not waiting) or time.monotonic() > end:
            return log
        await asyncio.sleep(2)


async def arrived(traffic: Traffic) -> Counter[str]:
    """How often each reply reached its customer: by the sandbox's log, and by web chat's transcripts."""
    import asyncpg

    found: Counter[str] = Counter()
    async with aiohttp.ClientSession(headers=traffic.bearer) as session:
        async with session.get(f"{traffic.addresses.sandbox}/control/log") as answer:
            for send in (await answer.json())["sends"]:
                if text := send.get("text"):
                    found[text] += 1
    connection = await asyncpg.connect(traffic.addresses.database)
    for row in await connection.fetch(
        "SELECT body->'parts'->0->>'text' FROM chat_adapter.webchat_message WHERE direction = 'outbound'"
    ):
        found[row[0]] += 1
    await connection.close()
    return found


async def check(traffic: Traffic, patience: float = 120) -> Log:
    """The promises: nothing accepted is lost or doubled, no gap, every reply arrived once or is reported `unknown`."""
    log = await settled(traffic, patience)
    lost = traffic.accepted - set(log.received)
    kinds = Counter(marker.split("-")[1] for marker in lost)
    assert not lost, (
        f"{len(lost)} of {len(traffic.accepted)} accepted messages have no event: {kinds} {sorted(lost)[:5]}"
    )
    doubled = [marker for marker, count in log.received.items() if count > 1]
    assert not doubled, f"received twice: {doubled[:5]}"
    assert not log.gaps, f"gaps: {list(log.gaps.items())[:2]}"
    sent = await arrived(traffic)
    for request in traffic.asked:
        outcome, count = log.outcome(request), sent[request]
        if outcome == "unknown":
            assert count <= 1, f"{request} is unknown and arrived {count} times"
        else:
            assert outcome in {"sent", "delivered", "read"}, f"{request}: {outcome}"
            assert count == 1, f"{request} is {outcome} and arrived {count} times"
    return log
