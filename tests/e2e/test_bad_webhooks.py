"""Bad input at Meta's webhooks, on running services: refused or set aside in numbers that are counted, and the next message is read."""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import aiohttp
import psutil
import pytest

from deploy.local.home import read_roll
from services.chat_adapter.channels import whatsapp
from services.social_adapter.channels import facebook
from shared.contract.codes import CHANNELS
from shared.contract.records import ingress_dlq
from shared.runtime.settings import Settings
from tests.customers import Town
from tests.e2e.agent import Json, said, text
from tests.e2e.listener import Listener, listening
from tests.e2e.meta import OBJECTS, Meta
from tests.e2e.people import SECONDS
from tests.shared.broker import records_of

YEARS: Final = 3650 * 24 * 3600  # seconds
Said = Callable[["Hook", str, str, float], Json]


def on_whatsapp(hook: Hook, person: str, text: str, at: float) -> Json:
    """https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/text"""
    message = {"from": person, "id": f"wamid.{uuid.uuid4().hex}", "timestamp": str(int(at)), "type": "text"}
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "85523900100", "phone_number_id": hook.key},
        "contacts": [{"profile": {"name": "Sok"}, "wa_id": person}],
        "messages": [{**message, "text": {"body": text}}],
    }
    return {"id": "520030040050", "changes": [{"field": "messages", "value": value}]}


def on_messenger(hook: Hook, person: str, text: str, at: float) -> Json:
    """https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events/messages"""
    about = {"sender": {"id": person}, "recipient": {"id": hook.key}, "timestamp": int(at * 1000)}
    message = {"mid": f"m_{uuid.uuid4().hex}", "text": text}
    return {"id": hook.key, "time": int(at * 1000), "messaging": [{**about, "message": message}]}


@dataclass
class Hook(Meta):
    """One app's address at an adapter."""

    limit: int
    said: Said

    def says(self, text: str, *, at: float | None = None, key: str | None = None) -> Json:
        """An entry in which someone new says this."""
        own, self.key = self.key, key or self.key
        try:
            return self.said(self, f"855{random.randrange(10**7, 10**8)}", text, time.time() if at is None else at)
        finally:
            self.key = own

    def heard(self, text: str) -> int:
        return sum(event["type"] == "message.received" and said(event) == text for event in self.listener.events)

    async def goes_on(self) -> None:
        """The next good message is taken and read."""
        words = f"still here {uuid.uuid4()}"
        assert await self.post(self.body(self.says(words))) == 200
        await self.hears(words)

    async def counted(self, outcome: str) -> float:
        """What the adapter's metrics say of its answers."""
        async with self.town.client.get(f"{self.stack.http(self.service)}/metrics") as answer:
            lines = (await answer.text()).splitlines()
        name = f'parley_ingress_requests_total{{channel="{self.channel}",outcome="{outcome}"}} '
        return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))

    async def letters(self, mark: str) -> list[Any]:
        """The dead letters with this word in them."""
        found = await records_of(Settings(kafka=self.stack.addresses.kafka), ingress_dlq(CHANNELS[self.channel]))
        return [record for record in found if mark.encode() in record.value]


HOOKS: Final[dict[str, tuple[int, Said]]] = {
    "whatsapp": (whatsapp.CHANNEL.body_limit, on_whatsapp),
    "facebook": (facebook.CHANNEL.body_limit, on_messenger),
}


@pytest.fixture(scope="module")
async def listener(stack: Any) -> AsyncIterator[Listener]:
    async with listening(stack.addresses.kafka) as heard:
        yield heard


@pytest.fixture(params=HOOKS)
async def hook(request: Any, stack: Any, listener: Listener) -> AsyncIterator[Hook]:
    """And at the end of each test every process is the one that it was, and takes the next message."""
    processes = running(stack)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS)) as client:
        found = Hook(stack, Town(stack.home, stack.addresses, client), listener, request.param, *HOOKS[request.param])
        yield found
        await found.goes_on()
    assert running(stack) == processes


def running(stack: Any) -> dict[str, int]:
    roll = read_roll(stack.home)
    assert roll
    assert all(psutil.pid_exists(process.pid) for process in roll.processes.values())
    return {name: process.pid for name, process in roll.processes.items()}


async def test_what_is_not_signed_by_the_app_leaves_no_trace(hook: Hook) -> None:
    mark = f"forged {uuid.uuid4()}"
    body, before = hook.body(hook.says(mark)), await hook.counted("unverified")
    other = hook.sign(hook.body(hook.says("another body")))
    forgeries = [
        (body, hook.sign(body, "another secret")),
        (body, other),
        (body, ""),
        (body, hook.sign(body).removeprefix("sha256=")),
        (body, "sha256=" + "é" * 3),
        (body[:-9], hook.sign(body)),
        (body + b" ", hook.sign(body)),
    ]
    assert [await hook.post(*one) for one in forgeries] == [401] * len(forgeries)
    assert await hook.counted("unverified") == before + len(forgeries)
    await hook.goes_on()
    assert not hook.heard(mark)
    assert not await hook.letters(mark)


async def test_whoever_does_not_know_the_verify_token_is_told_nothing(hook: Hook) -> None:
    asked = {"hub.mode": "subscribe", "hub.challenge": "1158201444"}
    for token, status in ((hook.app["verify_token"], 200), ("guessed", 401), ("", 401)):
        query = asked | {"hub.verify_token": token}
        async with hook.town.client.get(hook.hook, params=query) as answer:
            assert (answer.status, "1158201444" in await answer.text()) == (status, status == 200)


async def test_a_body_beyond_the_limit_is_413_however_it_is_signed(hook: Hook) -> None:
    mark, before = f"too large {uuid.uuid4()}", await hook.counted("too_large")
    body = hook.body(hook.says(mark), {"padding": "x" * hook.limit})
    assert await hook.post(body) == 413
    assert await hook.counted("too_large") == before + 1
    assert not await hook.letters(mark)


async def test_the_same_body_twelve_times_is_one_message(hook: Hook) -> None:
    words = f"once {uuid.uuid4()}"
    body = hook.body(hook.says(words))
    assert await asyncio.gather(*(hook.post(body) for _ in range(8))) == [200] * 8
    await hook.hears(words)
    assert [await hook.post(body) for _ in range(4)] == [200] * 4
    await hook.goes_on()
    assert hook.heard(words) == 1


async def test_the_known_among_unknown_accounts_arrive_and_the_others_when_theirs_is_added(hook: Hook) -> None:
    known, unknown = f"known {uuid.uuid4()}", f"unknown {uuid.uuid4()}"
    stranger = str(random.randrange(10**14, 10**15))
    before = await hook.counted("dead_lettered")
    assert await hook.post(hook.body(hook.says(unknown, key=stranger), hook.says(known))) == 200
    await hook.hears(known)
    assert await hook.counted("dead_lettered") == before + 1
    [letter] = await hook.letters(unknown)
    hook.add(f"late-{stranger}", stranger)
    replay = ("dlq", "replay", letter.topic, str(letter.partition), str(letter.offset))
    assert await parley(hook.stack, *replay) == 0
    heard = await hook.hears(unknown)
    assert heard["message"]["account"] == f"late-{stranger}"
    await hook.goes_on()
    assert hook.heard(known) == 1


async def parley(stack: Any, *arguments: str) -> int:
    argv = (sys.executable, "-m", "services.cli", *arguments, "--home", str(stack.home))
    return await (await asyncio.create_subprocess_exec(*argv)).wait()


async def test_json_as_deep_as_it_is_long_is_set_aside(hook: Hook) -> None:
    mark = f"deep {uuid.uuid4()}"
    bottomless = b"[" * 200_000
    nested = json.dumps(
        {"object": OBJECTS[hook.channel], "entry": [{"id": mark, "changes": "HERE", "messaging": "HERE"}]}
    )
    deep = nested.replace('"HERE"', "[" * 20_000 + "]" * 20_000).encode()
    assert [await hook.post(bottomless), await hook.post(deep)] == [200, 200]
    assert len(await hook.letters(mark)) == 1


async def test_ten_thousand_entries_are_read_to_the_last(hook: Hook) -> None:
    words = f"last of many {uuid.uuid4()}"
    empty: list[Json] = [{"id": "1", "changes": [], "messaging": []}] * 9_999
    assert await hook.post(hook.body(*empty, hook.says(words))) == 200
    await hook.hears(words)


async def test_five_hundred_messages_in_one_body_all_arrive(hook: Hook) -> None:
    mark = uuid.uuid4().hex
    assert await hook.post(hook.body(*(hook.says(f"{mark} {number}") for number in range(500)))) == 200
    found = await hook.listener.all("message.received", lambda event: said(event).startswith(mark), count=500)
    assert {said(event) for event in found} == {f"{mark} {number}" for number in range(500)}


async def test_what_no_store_can_hold_is_replaced(hook: Hook) -> None:
    words = f"before {uuid.uuid4()}"
    assert await hook.post(hook.body(hook.says(f"{words} \x00 after"))) == 200
    event = await hook.listener.first("message.received", lambda event: said(event).startswith(words))
    assert said(event) == f"{words} \ufffd after"


@pytest.mark.parametrize("bad", ["\ud800", "\udfff", "\udc00\ud800"])
async def test_half_an_emoji_is_replaced_and_the_person_is_heard(hook: Hook, bad: str) -> None:
    words = f"torn {uuid.uuid4()}"
    assert await hook.post(hook.body(hook.says(f"{words} {bad}"))) == 200
    event = await hook.listener.first("message.received", lambda event: said(event).startswith(words))
    assert said(event) == f"{words} " + "\ufffd" * len(bad)


@pytest.mark.parametrize("ahead", [60.0, YEARS])
async def test_a_message_of_the_future_happened_when_it_came(hook: Hook, ahead: float) -> None:
    words = f"tomorrow {uuid.uuid4()}"
    assert await hook.post(hook.body(hook.says(words, at=time.time() + ahead))) == 200
    message = (await hook.hears(words))["message"]
    assert message["occurred_at"] == message["received_at"]
    assert datetime.fromisoformat(message["occurred_at"]) <= datetime.now(UTC) + timedelta(seconds=5)


@pytest.mark.parametrize("at", [1e18, -1e18])
async def test_a_time_that_no_calendar_has_is_kept_and_takes_nothing_along(hook: Hook, at: float) -> None:
    words, mark = f"beside it {uuid.uuid4()}", f"never {uuid.uuid4()}"
    assert await hook.post(hook.body(hook.says(mark, at=at), hook.says(words))) == 200
    await hook.hears(words)
    async with asyncio.timeout(SECONDS):
        while not (hook.heard(mark) or await hook.letters(mark) or kept(hook, mark)):
            await asyncio.sleep(0.2)


def kept(hook: Hook, mark: str) -> bool:
    """Whether it is told as something that could not be read."""
    return any(
        event["type"] == "message.received" and mark in str(event["message"]["parts"]) for event in hook.listener.events
    )


@pytest.mark.parametrize("receipts", ["early", "backwards"])
async def test_receipts_before_their_send_and_the_wrong_way_round_only_move_forward(hook: Hook, receipts: str) -> None:
    user, words = f"855{random.randrange(10**7, 10**8)}", f"receipts {uuid.uuid4()}"
    chat = f"/phone/{hook.channel}/{hook.key}/{user}"
    await hook.control(meta={"receipts": receipts})
    try:
        await hook.town.post(f"{chat}/send", {"text": words})
        message = await hook.answers(await hook.hears(words), text("hello"))
        await hook.status(message, "sent", "delivered", "read")
        await hook.town.post(f"{chat}/read", {})
        await hook.status(message, "read")
    finally:
        await hook.control(reset=True)
    told = hook.statuses(message)
    assert told == sorted(told, key=["sent", "delivered", "read"].index)
    again = [event for event in hook.listener.events if event.get("message_id") == message and event.get("cost")]
    assert len(told) <= len(set(told)) + len(again), "a status is told again only with what it costs"
