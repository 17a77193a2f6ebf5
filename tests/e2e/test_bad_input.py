"""Bad input on the whole stack: refused early in words that programs understand, or set aside; the road stays open."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession

from shared.bus import cloudevents
from shared.bus.produce import Producer
from shared.contract.envelope import Model, Text
from shared.contract.records import (
    BY_MODEL,
    DELIVERY,
    EVENTS,
    REQUESTS,
    ROUTER_GROUP,
    adapter_group,
    inbound_topic,
    ingress_dlq,
    outbound_topic,
)
from shared.contract.requests import Reply, Send
from shared.runtime.settings import Settings
from tests.customers import Correspondent, Town
from tests.patience import SECONDS
from tests.shared.broker import records_of
from tests.shared.gate import SECRET, hello, sign

INBOUND, OUTBOUND = inbound_topic("chat"), outbound_topic("chat")
ACCOUNTS = f"""
[apps.webhook.badinput]
secret = "{SECRET}"
[accounts.webhook.badinput]
url = "http://127.0.0.1:9/"
secret = "{SECRET}"
window_hours = 24
"""
GARBAGE = [
    (b"{", [("ce_type", b"parley.inbound.v1"), ("ce_id", b"1")]),
    (b'{"text": "\\u0000 \\ud800"}', [("ce_type", b"parley.inbound.v1"), ("ce_id", b"1")]),
    (b"\xff\xfe\x00", [("ce_type", b"\xff"), ("\u1780", b"\x00")]),
    (b"", []),
]


@dataclass
class Road:
    """The stack as its neighbours see it: the webhook's address, the topics."""

    stack: Any
    settings: Settings
    producer: Producer
    client: ClientSession
    peers: int = field(default=0)

    async def post(self, event: object, headers: dict[str, str] | None = None) -> int:
        body = event if isinstance(event, bytes) else orjson.dumps(event)
        address = f"{self.stack.http('chat_adapter')}/hooks/webhook/badinput"
        given = sign(body) if headers is None else headers
        async with self.client.post(address, data=body, headers=given) as answer:
            return answer.status

    async def asks(self, model: Model, *, id_: str) -> None:
        """A request, as any internal system writes it."""
        made = cloudevents.headers(
            BY_MODEL[type(model)], source="/test", id=id_, time=datetime.now(UTC), tenant="default", subject="test"
        )
        await self.producer.send(
            cloudevents.Out(self.settings.topic(REQUESTS), id_.encode(), cloudevents.encode(model), made)
        )

    async def says(self, **more: Any) -> dict[str, Any]:
        """A new person's message, and its event."""
        peer = f"visitor-{uuid.uuid4().hex[:8]}"
        assert await self.post(hello(**{"from": {"address": peer}} | more)) == 200
        return await self.event("message.received", lambda event: event["message"]["peer"] == peer)

    async def refusal(self, request: str) -> str:
        """The code with which a request was refused."""
        event = await self.event("request.refused", lambda event: event["request_id"] == request)
        return str(event["failure"]["code"])

    async def event(self, kind: str, wanted: Any) -> dict[str, Any]:
        async with asyncio.timeout(SECONDS):
            while True:
                if found := [event for event in await self.events(kind) if wanted(event)]:
                    return found[0]
                await asyncio.sleep(0.2)

    async def events(self, kind: str) -> list[dict[str, Any]]:
        name = f"parley.{kind}.v1".encode()
        found = await records_of(self.settings, EVENTS)
        return [orjson.loads(record.value) for record in found if dict(record.headers)["ce_type"] == name]


@pytest.fixture(scope="module")
async def road(stack: Any) -> AsyncIterator[Road]:
    settings = Settings(kafka=stack.addresses.kafka)
    accounts = stack.home / "accounts.toml"
    before = accounts.read_text()
    accounts.write_text(before + ACCOUNTS)
    producer = Producer(settings)
    await producer.start()
    async with ClientSession() as client:
        road = Road(stack, settings, producer, client)
        async with asyncio.timeout(SECONDS):
            while await road.post(b"", {}) == 404:
                await asyncio.sleep(0.2)
        yield road
    await producer.stop()
    accounts.write_text(before)


def reply(conversation: object, **more: Any) -> Reply:
    return Reply(**{"conversation": conversation, "parts": (Text(text="hello"),)} | more)


async def test_requests_that_would_fail_are_refused_with_the_reason(road: Road) -> None:
    said = await road.says()
    closed = await road.says(occurred_at=(datetime.now(UTC) - timedelta(hours=25)).isoformat())
    here, run = said["conversation"], uuid.uuid4().hex
    to = {"channel": "webhook", "address": "zoe", "parts": (Text(text="hello"),)}
    asked: dict[str, Model] = {
        "window_closed": reply(closed["conversation"]),
        "unknown_conversation": reply(uuid.uuid4()),
        "too_long": reply(here, parts=(Text(text="word " * 80_000),)),
        "expired": reply(here, expires_at=datetime.now(UTC) - timedelta(seconds=1)),
        "unknown_account": Send(account="nobody", **to),
        "malformed": reply(here, in_reply_to=uuid.uuid4()),
        "unsupported": reply(here, private=True),
    }
    for code, model in asked.items():
        await road.asks(model, id_=f"{run}-{code}")
    told = {code: await road.refusal(f"{run}-{code}") for code in asked}
    assert told == {code: code for code in asked}


async def test_a_reply_over_http_to_a_closed_window_is_refused_as_an_event(road: Road) -> None:
    closed = await road.says(occurred_at=(datetime.now(UTC) - timedelta(hours=25)).isoformat())
    address = f"{road.stack.http('router')}/api/conversations/{closed['conversation']}/reply"
    body = {"parts": [{"kind": "text", "text": "too late"}]}
    async with road.client.post(address, json=body, headers=road.stack.bearer) as answer:
        assert answer.status == 202
        request = (await answer.json())["request_id"]
    assert await road.refusal(request) == "window_closed"


async def test_garbage_on_every_topic_is_set_aside_and_the_road_stays_open(road: Road) -> None:
    groups = {INBOUND: ROUTER_GROUP, DELIVERY: ROUTER_GROUP, REQUESTS: ROUTER_GROUP, OUTBOUND: adapter_group("chat")}
    mark = uuid.uuid4().hex.encode()
    for topic in groups:
        for value, headers in GARBAGE:
            await road.producer.send(cloudevents.Out(road.settings.topic(topic), mark, value, headers))
    async with asyncio.timeout(SECONDS):
        for topic, group in groups.items():
            while len(letters := await letters_of(road, f"{topic}.{group}.dlq", mark)) < len(GARBAGE):
                await asyncio.sleep(0.2)
            assert sorted(letters) == sorted(value for value, _ in GARBAGE)
    said = await road.says()
    assert said["message"]["parts"][0]["text"] == "hello"


async def letters_of(road: Road, topic: str, mark: bytes) -> list[bytes]:
    return [record.value for record in await records_of(road.settings, topic) if record.key == mark]


async def test_a_forged_webhook_leaves_no_trace_and_a_broken_one_is_kept(road: Road) -> None:
    mark = uuid.uuid4().hex
    body = orjson.dumps(hello(id=mark))
    assert await road.post(body, sign(body, key=b"x" * 32)) == 401
    assert await road.post(body[:-9], sign(body)) == 401
    assert await road.post(body, sign(body, age=600)) == 401
    broken = orjson.dumps({"type": "message", "id": mark})
    assert await road.post(broken) == 200
    kept = [record.value for record in await records_of(road.settings, ingress_dlq("chat"))]
    assert [value for value in kept if mark.encode() in value] == [broken]
    assert not [r for r in await records_of(road.settings, INBOUND) if mark.encode() in (r.value or b"")]


async def test_sixteen_copies_at_the_same_moment_are_one_event(road: Road) -> None:
    peer = f"visitor-{uuid.uuid4().hex[:8]}"
    body = orjson.dumps(hello(**{"from": {"address": peer}}))
    assert await asyncio.gather(*(road.post(body) for _ in range(16))) == [200] * 16
    await road.event("message.received", lambda event: event["message"]["peer"] == peer)
    assert await road.post(hello(**{"from": {"address": peer}})) == 200
    async with asyncio.timeout(SECONDS):
        while len(found := [e for e in await road.events("message.received") if e["message"]["peer"] == peer]) < 2:
            await asyncio.sleep(0.2)
    assert [event["sequence"] for event in found] == [2, 3]


async def test_a_stranger_who_quotes_a_conversation_does_not_enter_it(road: Road) -> None:
    said = await road.says(id="quoted-" + uuid.uuid4().hex)
    other = await road.says(reply_to=said["message"]["external_id"])
    assert other["conversation"] != said["conversation"]


NONSENSE = [
    b"GET / HTTP/1.1\r\nHost: mail\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2,
    b"\x00\xff\r\n" * 40,
    b"EHLO " + b"x" * 5000 + b"\r\n",
    b"MAIL FROM:<a@b.example> SIZE=99999999999999999999\r\nRCPT TO:<>\r\nDATA\r\n",
    "HELO ខ្មែរ\r\nMAIL FROM:<ខ្មែរ@b.example>\r\n".encode(),
    b"EHLO a\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<support@parley.example>\r\nDATA\r\nFrom: a@b.example\r\n\r\nhalf a mai",
]


async def test_nonsense_at_the_door_for_mail_ends_nothing_but_its_own_connection(road: Road) -> None:
    address, _, port = road.stack.addresses.services["email_adapter"].smtp.rpartition(":")
    before = await refused_mail(road)
    for nonsense, is_patient in [(one, False) for one in NONSENSE * 5] + [(b"\x00\xff\r\n" * 40, True)]:
        reader, writer = await asyncio.open_connection(address, int(port))
        assert (await reader.readline()).startswith(b"220 ")
        writer.write(nonsense)
        if not is_patient:
            writer.write_eof()
        async with asyncio.timeout(SECONDS):
            told = (await reader.read()).splitlines()[-1:]
        writer.close()
        assert b"250 2." not in told
    assert told == [b"421 4.7.0 too many errors"]
    assert await refused_mail(road) > before
    mark, town = uuid.uuid4().hex, Town(road.stack.home, road.stack.addresses, road.client)
    assert await Correspondent(town, f"{mark}@customer.example").writes(mark)
    await road.event("message.received", lambda event: mark in event["message"]["peer"])
    events = await road.events("message.received")
    assert not [event for event in events if "half a mai" in str(event["message"]["parts"])]


async def refused_mail(road: Road) -> float:
    """What the adapter's metrics say that it refused to those who bring mail."""
    async with road.client.get(f"{road.stack.http('email_adapter')}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("parley_smtp_refused_total{"))
