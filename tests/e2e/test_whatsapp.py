"""WhatsApp on the whole stack: a phone of the sandbox at one end, an agent's requests and events at the other."""

from __future__ import annotations

import hashlib
import random
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any, Final

import pytest

from services.sandbox.whatsapp.webhooks import user_id
from shared.contract.codes import CODES
from tests.customers import Phone
from tests.e2e import letters
from tests.e2e.agent import Json, at_work, said, text
from tests.e2e.meta import Meta
from tests.pictures import PIXEL

LIMIT: Final = 4096  # characters of one message
DAY: Final = 24 * 3600
TEMPLATE: Final = {"kind": "template", "name": "order_ready", "language": "km", "parameters": ["តារា", "#17"]}
TEMPLATE_TEXT: Final = "សួស្តី តារា! ការកម្ម៉ង់ #17 របស់អ្នករួចរាល់ហើយ។"


@dataclass
class Shop(Meta):
    """One number, its phones, and the agent behind it."""

    def person(self) -> Phone:
        return Phone(self.town, f"855{random.randrange(10**7, 10**8)}", "whatsapp", LIMIT)

    async def refusal(self, heard: Json) -> Json:
        return await self.listener.first(
            "request.refused", lambda event: event.get("conversation") == heard["conversation"]
        )

    async def posts(self, value: Json, *, secret: str = "") -> int:
        """A webhook with this change; its status."""
        metadata = {"display_phone_number": "85523000000", "phone_number_id": self.key}
        change = {"field": "messages", "value": {"messaging_product": "whatsapp", "metadata": metadata, **value}}
        body = self.body({"id": self.town.account("whatsapp")["waba_id"], "changes": [change]})
        return await self.post(body, self.sign(body, secret))


@pytest.fixture(scope="module")
async def opened(stack: Any) -> AsyncIterator[Shop]:
    async with at_work(stack, partial(Shop, channel="whatsapp")) as shop:
        await shop.is_known(shop.key)
        yield shop


@pytest.fixture
async def shop(opened: Shop) -> AsyncIterator[Shop]:
    yield opened
    await opened.control(reset=True)


async def test_khmer_arrives_and_its_long_answer_is_cut_between_words_and_read(shop: Shop) -> None:
    person, question, answer = shop.person(), letters.khmer(3, 1500), letters.khmer(7, 2 * LIMIT + 100)
    await person.writes(question)
    heard = await shop.hears(question)
    assert heard["message"]["sender"]["address"] == user_id(person.user)
    assert heard["message"]["window"]["allows"] == ["free_text", "template"]
    message = await shop.answers(heard, text(answer))
    delivered = await shop.status(message, "delivered")
    pieces = [one.text for one in await person.reads()]
    assert (len(pieces), "".join(pieces)) == (3, answer)
    assert max(map(len, pieces)) <= LIMIT
    assert len(delivered["external_ids"]) == len(pieces)
    await shop.town.post(f"{person.chat}/read", {})
    await shop.status(message, "read")


async def test_receipts_backwards_and_twice_never_turn_a_status_back(shop: Shop) -> None:
    person = shop.person()
    await person.writes("hello")
    heard = await shop.hears("hello")
    await shop.control(meta={"receipts": "backwards"}, twice=True)
    message = await shop.answers(heard, text("hi"))
    await shop.status(message, "sent")
    await shop.town.post(f"{person.chat}/read", {})
    await shop.status(message, "read")
    await person.writes("and now?")
    await shop.hears("and now?")  # behind all of those receipts in its lane
    told = [status for status, _ in groupby(shop.statuses(message))]
    assert told == ["sent", "read"], "again only with what it costs"


async def test_receipts_that_come_before_the_send_is_answered_are_kept(shop: Shop) -> None:
    person = shop.person()
    await person.writes("quick")
    heard = await shop.hears("quick")
    await shop.control(meta={"receipts": "early"})
    message = await shop.answers(heard, text("quicker"))
    await shop.status(message, "delivered")


async def test_media_both_ways(shop: Shop) -> None:
    person = shop.person()
    await shop.sends_picture(person, "រូបផលិតផល")
    heard = await shop.listener.first(
        "message.received", lambda event: event["message"]["parts"][0].get("caption") == "រូបផលិតផល"
    )
    stored = await shop.listener.first("message.media", lambda event: event["conversation"] == heard["conversation"])
    assert (stored["media"]["state"], stored["media"]["size"]) == ("stored", len(PIXEL))
    assert stored["media"]["sha256"] == hashlib.sha256(PIXEL).hexdigest()
    media = {"kind": "media", "media": "image", "state": "stored", "blob": stored["media"]["blob"], "name": "again.png"}
    message = await shop.answers(heard, {**media, "mime_type": "image/png", "size": len(PIXEL), "caption": "ជូនវិញ"})
    await shop.status(message, "delivered")
    shown = next(
        view for view in (await shop.town.get(f"{person.chat}/messages"))["messages"] if view["direction"] == "in"
    )
    assert (shown["media"]["kind"], shown["caption"]) == ("image", "ជូនវិញ")
    async with shop.town.client.get(
        f"{shop.town.addresses.sandbox}{person.chat}/files/{shown['media']['id']}", headers=shop.town.bearer
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
    heard = await shop.hears(words)
    await shop.answers(heard, text("too late"))
    refused = await shop.refusal(heard)
    assert refused["failure"]["code"] == "window_closed"
    message = await shop.answers(heard, TEMPLATE)
    await shop.status(message, "delivered")
    assert [one.text for one in await person.reads()] == [TEMPLATE_TEXT]


async def test_who_has_not_written_is_sent_a_template_and_nothing_else(shop: Shop) -> None:
    person = shop.person()
    to = {"channel": "whatsapp", "account": "sandbox", "address": person.user}
    asked = await shop.asks("send", **to, parts=[text("buy now")])
    refused = await shop.listener.first("request.refused", lambda event: event.get("request_id") == asked["request_id"])
    assert refused["failure"]["code"] == "template_required"
    sent = await shop.asks("send", **to, parts=[TEMPLATE])
    delivered = await shop.status(sent["message_id"], "delivered")
    assert [one.text for one in await person.reads()] == [TEMPLATE_TEXT]
    await person.writes(f"yes, {person.user}")
    assert (await shop.hears(f"yes, {person.user}"))["conversation"] == delivered["conversation"]


async def test_what_whatsapp_refuses_later_fails_with_its_reason(shop: Shop) -> None:
    person = shop.person()
    await person.writes("block me")
    heard = await shop.hears("block me")
    await shop.town.post(f"{person.chat}/send", {"block": True})
    failed = await shop.status(await shop.answers(heard, text("still there?")), "failed")
    assert failed["failure"]["code"] in CODES
    assert "131026" in failed["failure"]["detail"]


async def test_two_numbers_in_one_body_each_get_their_own(shop: Shop) -> None:
    second = str(random.randrange(10**14, 10**15))
    shop.add("second", second)
    await shop.is_known(second)
    one, other = shop.person(), shop.person()
    await shop.control(meta={"batch": 2})
    await shop.town.post(f"{one.chat}/send", {"text": "to the first number", "name": "Dara"})
    await shop.town.post(f"/phone/whatsapp/{second}/{other.user}/send", {"text": "to the second", "name": "Sok"})
    first, last = await shop.hears("to the first number"), await shop.hears("to the second")
    assert [event["message"]["account"] for event in (first, last)] == ["sandbox", "second"]
    await shop.control(meta={"batch": 1})
    message = await shop.answers(last, text("from the second"))
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
    assert (await shop.hears("all is well"))["message"]["peer"] == user_id(person.user)


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
    await shop.control(meta={"batch": 5}, twice=True)
    for number in range(6):
        for person in people:
            await shop.town.post(f"{person.chat}/send", {"text": f"{mark} {number}", "name": "Dara"})
    await shop.control(meta={"batch": 1})
    await shop.listener.all("message.received", lambda event: said(event).startswith(mark), count=48)
    await people[0].writes(f"last {mark}")
    await shop.hears(f"last {mark}")
    told = [
        event for event in shop.listener.events if event["type"] == "message.received" and said(event).startswith(mark)
    ]
    assert len(told) == 48
    for person in people:
        own = [said(event) for event in told if event["message"]["peer"] == user_id(person.user)]
        assert own == [f"{mark} {number}" for number in range(6)]


async def test_what_is_throttled_waits_and_goes_once(shop: Shop) -> None:
    heard, people = [], [shop.person() for _ in range(3)]
    for person in people:
        await person.writes(f"hello from {person.user}")
        heard.append(await shop.hears(f"hello from {person.user}"))
    await shop.control(meta={"limits": {"per_second": 1, "burst": 1}})
    answers = [await shop.answers(one, text("one moment")) for one in heard]
    for answer in answers:
        await shop.status(answer, "delivered")
    assert [[one.text for one in await person.reads()] for person in people] == [["one moment"]] * 3
