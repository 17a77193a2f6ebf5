"""WhatsApp on the whole stack: a phone of the sandbox at one end, an agent's requests and events at the other."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import random
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import pytest

from shared.records import CODES
from tests.customers import Phone, Town
from tests.e2e import letters
from tests.e2e.listener import Listener, listening
from tests.e2e.people import SECONDS

Json = dict[str, Any]
LIMIT: Final = 4096  # characters of one message
DAY: Final = 24 * 3600
PIXEL: Final = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f645"
    "400000000049454e44ae426082"
)
TEMPLATE: Final = {"kind": "template", "name": "order_ready", "language": "km", "parameters": ["តារា", "#17"]}
TEMPLATE_TEXT: Final = "សួស្តី តារា! ការកម្ម៉ង់ #17 របស់អ្នករួចរាល់ហើយ។"


@dataclass
class Shop:
    """One number, its phones, and the agent behind it."""

    stack: Any
    town: Town
    listener: Listener

    @property
    def app(self) -> Json:
        return dict(self.town.accounts["apps"]["whatsapp"]["sandbox"])

    @property
    def number(self) -> str:
        return str(self.town.account("whatsapp")["phone_number_id"])

    def person(self) -> Phone:
        return Phone(self.town, f"855{random.randrange(10**7, 10**8)}", "whatsapp", LIMIT)

    def chat(self, person: Phone) -> str:
        return f"/phone/whatsapp/{self.number}/{person.user}"

    async def hears(self, text: str) -> Json:
        return await self.listener.first("message.received", lambda event: said(event) == text)

    async def answers(self, conversation: str, *parts: Json, **more: str) -> str:
        path = f"conversations/{conversation}/reply"
        return str((await self.asks(path, parts=list(parts), **more))["message_id"])

    async def asks(self, path: str, **body: Any) -> Json:
        address = f"{self.stack.http('router')}/api/{path}"
        async with self.town.client.post(address, json=body, headers=self.stack.bearer) as answer:
            assert answer.status == 202, await answer.text()
            return dict(await answer.json())

    async def status(self, message: str, *wanted: str) -> Json:
        return await self.listener.first(
            "message.status", lambda event: event["message_id"] == message and event["status"] in wanted
        )

    async def refusal(self, conversation: str) -> Json:
        return await self.listener.first("request.refused", lambda event: event.get("conversation") == conversation)

    async def control(self, **faults: Any) -> None:
        await self.town.post("/control", faults)

    async def posts(self, value: Json, *, secret: str | None = None) -> int:
        """A webhook of Meta's own, with any content."""
        metadata = {"display_phone_number": "85523000000", "phone_number_id": self.number}
        change = {"field": "messages", "value": {"messaging_product": "whatsapp", "metadata": metadata, **value}}
        entry = {"id": self.town.account("whatsapp")["waba_id"], "changes": [change]}
        body = json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()
        tag = hmac.new((secret or self.app["secret"]).encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-Hub-Signature-256": f"sha256={tag}", "Content-Type": "application/json"}
        async with self.town.client.post(self.hook, data=body, headers=headers) as answer:
            return answer.status

    @property
    def hook(self) -> str:
        return self.town.hook("chat_adapter", "whatsapp")


def said(event: Json) -> str:
    return str(event["message"]["parts"][0].get("text", ""))


def text(words: str) -> Json:
    return {"kind": "text", "text": words}


@pytest.fixture(scope="module")
async def opened(stack: Any) -> AsyncIterator[Shop]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS)) as client:
        async with listening(stack.addresses.kafka) as listener:
            shop = Shop(stack, Town(stack.home, stack.addresses, client), listener)
            await registered(shop, shop.number)
            yield shop


@pytest.fixture
async def shop(opened: Shop) -> AsyncIterator[Shop]:
    yield opened
    await opened.control(reset=True)


async def registered(shop: Shop, number: str) -> None:
    """Wait until the adapter has told the sandbox of the number."""
    async with asyncio.timeout(SECONDS):
        while number not in {one["id"] for one in (await shop.town.get("/phone/whatsapp"))["accounts"]}:
            await asyncio.sleep(0.1)


async def test_khmer_arrives_and_its_long_answer_is_cut_between_words_and_read(shop: Shop) -> None:
    person, question, answer = shop.person(), letters.khmer(3, 1500), letters.khmer(7, 2 * LIMIT + 100)
    await person.writes(question)
    heard = await shop.hears(question)
    assert heard["message"]["sender"]["address"] == person.user
    assert heard["message"]["window"]["allows"] == ["free_text", "template"]
    message = await shop.answers(heard["conversation"], text(answer))
    delivered = await shop.status(message, "delivered")
    pieces = [one.text for one in await person.reads()]
    assert (len(pieces), "".join(pieces)) == (3, answer)
    assert max(map(len, pieces)) <= LIMIT
    assert len(delivered["external_ids"]) == len(pieces)
    await shop.town.post(f"{shop.chat(person)}/read", {})
    await shop.status(message, "read")


async def test_receipts_backwards_and_twice_never_turn_a_status_back(shop: Shop) -> None:
    person = shop.person()
    await person.writes("hello")
    conversation = (await shop.hears("hello"))["conversation"]
    await shop.control(receipts="backwards", twice=True)
    message = await shop.answers(conversation, text("hi"))
    await shop.status(message, "sent")
    await shop.town.post(f"{shop.chat(person)}/read", {})
    await shop.status(message, "read")
    await person.writes("and now?")
    await shop.hears("and now?")  # behind all of those receipts in its lane
    told = [
        one["status"]
        for one in shop.listener.events
        if one["type"] == "message.status" and one["message_id"] == message
    ]
    assert told == ["sent", "read"]


async def test_receipts_that_come_before_the_send_is_answered_are_kept(shop: Shop) -> None:
    person = shop.person()
    await person.writes("quick")
    conversation = (await shop.hears("quick"))["conversation"]
    await shop.control(receipts="early")
    message = await shop.answers(conversation, text("quicker"))
    await shop.status(message, "delivered")


async def test_media_both_ways(shop: Shop) -> None:
    person = shop.person()
    form = aiohttp.FormData({"caption": "រូបផលិតផល", "name": "តារា"})
    form.add_field("file", PIXEL, filename="pixel.png", content_type="image/png")
    url = f"{shop.town.addresses.sandbox}{shop.chat(person)}/send"
    async with shop.town.client.post(url, data=form, headers=shop.town.bearer) as answer:
        assert answer.status == 200, await answer.text()
    heard = await shop.listener.first(
        "message.received", lambda event: event["message"]["parts"][0].get("caption") == "រូបផលិតផល"
    )
    stored = await shop.listener.first("message.media", lambda event: event["conversation"] == heard["conversation"])
    assert (stored["media"]["state"], stored["media"]["size"]) == ("stored", len(PIXEL))
    assert stored["media"]["sha256"] == hashlib.sha256(PIXEL).hexdigest()
    media = {"kind": "media", "media": "image", "state": "stored", "blob": stored["media"]["blob"], "name": "again.png"}
    message = await shop.answers(
        heard["conversation"], {**media, "mime_type": "image/png", "size": len(PIXEL), "caption": "ជូនវិញ"}
    )
    await shop.status(message, "delivered")
    shown = next(
        view for view in (await shop.town.get(f"{shop.chat(person)}/messages"))["messages"] if view["direction"] == "in"
    )
    assert (shown["media"]["kind"], shown["caption"]) == ("image", "ជូនវិញ")
    async with shop.town.client.get(
        f"{shop.town.addresses.sandbox}{shop.chat(person)}/files/{shown['media']['id']}", headers=shop.town.bearer
    ) as answer:
        assert await answer.read() == PIXEL


async def test_outside_the_window_text_is_refused_early_and_a_template_goes(shop: Shop) -> None:
    person, words = shop.person(), f"written yesterday {uuid.uuid4()}"
    yesterday = {
        "from": person.user,
        "id": f"wamid.{uuid.uuid4().hex}",
        "timestamp": str(int(time.time() - DAY - 60)),
        "type": "text",
        "text": {"body": words},
    }
    assert (
        await shop.posts({"contacts": [{"profile": {"name": "តារា"}, "wa_id": person.user}], "messages": [yesterday]})
        == 200
    )
    conversation = (await shop.hears(words))["conversation"]
    await shop.answers(conversation, text("too late"))
    refused = await shop.refusal(conversation)
    assert refused["failure"]["code"] == "window_closed"
    message = await shop.answers(conversation, TEMPLATE)
    await shop.status(message, "delivered")
    assert [one.text for one in await person.reads()] == [TEMPLATE_TEXT]


async def test_who_has_not_written_is_sent_a_template_and_nothing_else(shop: Shop) -> None:
    person = shop.person()
    to = {"channel": "whatsapp", "account": "sandbox", "address": person.user}
    asked = await shop.asks("send", **to, parts=[text("buy now")])
    refused = await shop.listener.first("request.refused", lambda event: event.get("request_id") == asked["request_id"])
    assert refused["failure"]["code"] == "template_required"
    sent = await shop.asks("send", **to, parts=[TEMPLATE])
    await shop.status(sent["message_id"], "delivered")
    assert [one.text for one in await person.reads()] == [TEMPLATE_TEXT]


async def test_what_whatsapp_refuses_later_fails_with_its_reason(shop: Shop) -> None:
    person = shop.person()
    await person.writes("block me")
    conversation = (await shop.hears("block me"))["conversation"]
    await shop.town.post(f"{shop.chat(person)}/send", {"block": True})
    failed = await shop.status(await shop.answers(conversation, text("still there?")), "failed")
    assert failed["failure"]["code"] in CODES
    assert "131026" in failed["failure"]["detail"]


async def test_two_numbers_in_one_body_each_get_their_own(shop: Shop) -> None:
    second = str(random.randrange(10**14, 10**15))
    account = shop.town.account("whatsapp")
    table = {**account, "phone_number_id": second, "app": "sandbox"}
    lines = "\n".join(f"{name} = {json.dumps(value)}" for name, value in table.items())
    file = shop.stack.home / "accounts.toml"
    draft = file.with_suffix(".new")
    draft.write_text(f"{file.read_text()}\n[accounts.whatsapp.second]\n{lines}\n")
    draft.chmod(0o600)
    draft.replace(file)
    await registered(shop, second)
    one, other = shop.person(), shop.person()
    await shop.control(batch=2)
    await shop.town.post(f"{shop.chat(one)}/send", {"text": "to the first number", "name": "Dara"})
    await shop.town.post(f"/phone/whatsapp/{second}/{other.user}/send", {"text": "to the second", "name": "Sok"})
    first, last = await shop.hears("to the first number"), await shop.hears("to the second")
    assert [event["message"]["account"] for event in (first, last)] == ["sandbox", "second"]
    await shop.control(batch=1)
    message = await shop.answers(last["conversation"], text("from the second"))
    await shop.status(message, "delivered")
    views = (await shop.town.get(f"/phone/whatsapp/{second}/{other.user}/messages"))["messages"]
    assert [view["text"] for view in views] == ["to the second", "from the second"]


async def test_the_handshake_and_a_body_that_somebody_else_signed(shop: Shop) -> None:
    query = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": shop.app["verify_token"]}
    async with shop.town.client.get(shop.hook, params=query) as answer:
        assert (answer.status, await answer.text()) == (200, "1158201444")
    async with shop.town.client.get(shop.hook, params={**query, "hub.verify_token": "guessed"}) as answer:
        assert (answer.status, "1158201444" in await answer.text()) == (401, False)
    assert await shop.posts({"messages": []}, secret="another") == 401


async def test_a_status_of_a_message_that_nobody_sent_does_no_harm(shop: Shop) -> None:
    person = shop.person()
    status = {
        "id": f"wamid.{uuid.uuid4().hex}",
        "status": "delivered",
        "timestamp": str(int(time.time())),
        "recipient_id": person.user,
    }
    assert await shop.posts({"statuses": [status, {**status, "status": "read"}]}) == 200
    assert await shop.posts({"errors": [{"code": 130429, "title": "Rate limit hit"}]}) == 200
    await person.writes("all is well")
    assert (await shop.hears("all is well"))["message"]["peer"] == person.user


async def test_a_person_whose_number_is_withheld_and_shown_later_is_one_customer(shop: Shop) -> None:
    phone, user = f"855{random.randrange(10**7, 10**8)}", f"KH.{random.randrange(10**15, 10**16)}"
    message = {"from_user_id": user, "timestamp": str(int(time.time())), "type": "text"}
    hidden = {**message, "id": f"wamid.{uuid.uuid4().hex}", "text": {"body": f"no number {user}"}}
    shown = {**message, "id": f"wamid.{uuid.uuid4().hex}", "from": phone, "text": {"body": f"a number {user}"}}
    profile = {"profile": {"name": "Sophea"}, "user_id": user}
    assert await shop.posts({"contacts": [profile], "messages": [hidden]}) == 200
    first = await shop.hears(f"no number {user}")
    assert await shop.posts({"contacts": [{**profile, "wa_id": phone}], "messages": [shown]}) == 200
    second = await shop.hears(f"a number {user}")
    assert first["conversation"] == second["conversation"]


async def test_many_in_bodies_of_five_delivered_twice_are_each_one_message_in_order(shop: Shop) -> None:
    people, mark = [shop.person() for _ in range(8)], uuid.uuid4().hex
    await shop.control(batch=5, twice=True)
    for number in range(6):
        for person in people:
            await shop.town.post(f"{shop.chat(person)}/send", {"text": f"{mark} {number}", "name": "Dara"})
    await shop.control(batch=1)
    await shop.listener.all("message.received", lambda event: said(event).startswith(mark), count=48)
    await people[0].writes(f"last {mark}")
    await shop.hears(f"last {mark}")
    told = [
        event for event in shop.listener.events if event["type"] == "message.received" and said(event).startswith(mark)
    ]
    assert len(told) == 48
    for person in people:
        own = [said(event) for event in told if event["message"]["peer"] == person.user]
        assert own == [f"{mark} {number}" for number in range(6)]


async def test_what_is_throttled_waits_and_goes_once(shop: Shop) -> None:
    conversations, people = [], [shop.person() for _ in range(3)]
    for person in people:
        await person.writes(f"hello from {person.user}")
        conversations.append((await shop.hears(f"hello from {person.user}"))["conversation"])
    await shop.control(graph={"per_second": 1, "burst": 1})
    answers = [await shop.answers(conversation, text("one moment")) for conversation in conversations]
    for answer in answers:
        await shop.status(answer, "delivered")
    assert [[one.text for one in await person.reads()] for person in people] == [["one moment"]] * 3
