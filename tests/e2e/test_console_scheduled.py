"""A message for later on the console: it waits where all can see it, is cancelled there, and leaves once, though the router is killed meanwhile."""

from __future__ import annotations

import os
import signal
import uuid
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import aiohttp
from playwright.async_api import expect

from deploy.local.home import read_roll
from shared.contract import envelope
from tests.e2e.agent import text
from tests.e2e.axe import violations
from tests.e2e.console_desk import bubble, read_token, row, shot
from tests.e2e.people import phone
from tests.patience import until

SOON = timedelta(seconds=25)  # the router is killed and back meanwhile; where it is not yet, the message leaves then


def pid_of_router(stack):
    roll = read_roll(stack.home)
    assert roll
    return roll.processes["router"].pid


async def is_back(stack, former):
    if pid_of_router(stack) == former:
        return False
    async with aiohttp.ClientSession() as client:
        with suppress(aiohttp.ClientError):
            async with client.get(stack.http("router") + "/health/ready") as answer:
                return answer.status == 200
    return False


async def schedule(stack, page, words, after):
    """By the API, in the conversation that the page shows."""
    conversation = page.url.partition("conversation=")[2]
    body = {"parts": [text(words)], "author": "សុភា", "not_before": (datetime.now(UTC) + after).isoformat()}
    async with aiohttp.ClientSession(stack.http("router"), headers=stack.bearer) as router:
        async with router.post(f"/api/conversations/{conversation}/reply", json=body) as answer:
            assert answer.status == 202, await answer.text()


async def test_a_scheduled_message_waits_is_cancelled_or_leaves_once_though_the_router_is_killed(
    stack, desk, open_page
):
    mark = uuid.uuid4().hex[:6]
    asked, never, later = f"remind me {mark}", f"not any more {mark}", f"ដល់ម៉ោងហើយ {mark}"
    async with phone(stack) as person:
        page = await open_page(viewport={"width": 1280, "height": 800}, timezone_id="Asia/Phnom_Penh")
        reader = await open_page(
            token=await read_token(stack), locale="km-KH", viewport={"width": 390, "height": 844}, color_scheme="dark"
        )
        await person.says(asked)
        for one in (page, reader):
            await one.locator(".row", has_text=asked).click()
            await bubble(one, asked).wait_for()
        await schedule(stack, page, never, timedelta(days=2, minutes=5))
        await schedule(stack, page, later, SOON)
        for one in (page, reader):
            waits = one.locator(".message[data-status=scheduled]")
            await expect(waits).to_have_count(2)
            await expect(waits.first).to_contain_text(later)
            await expect(waits.last).to_contain_text(never)
        former = pid_of_router(stack)
        os.kill(former, signal.SIGKILL)
        await expect(waits.last.locator(".left")).to_have_text("នៅសល់ 2 ថ្ងៃ")
        await until(lambda: is_back(stack, former))
        assert await reader.locator("button[data-change=cancel]").count() == 0
        assert await reader.evaluate("document.documentElement.scrollWidth") <= 390
        assert [await violations(one) for one in (page, reader)] == [[], []]
        await shot(page, "scheduled")
        await shot(reader, "scheduled-phone")
        await bubble(page, never).locator("button[data-change=cancel]").click()
        for one in (page, reader):
            await expect(bubble(one, never)).to_have_count(0)
            await expect(one.locator(".note", has_text=never)).to_be_visible()
        await person.hears(later)
        for one in (page, reader):
            ours = bubble(one, later)
            await ours.locator(".status[data-status=sent]").wait_for()
            await expect(ours).to_have_count(1)
        assert [await person.heard(words) for words in (later, never)] == [1, 0]
        await shot(page, "scheduled-sent")


async def test_a_scheduled_message_that_cannot_be_sent_when_it_is_due_goes_with_its_reason(stack, customer, console):
    """The time in which it may be written to the customer ends before it is due."""
    words = f"too late {uuid.uuid4().hex[:6]}"
    ends = datetime.now(UTC) + timedelta(seconds=10)
    await customer.says("a little while", window=envelope.Window(until=ends))
    await row(console, customer).click()
    await bubble(console, "a little while").wait_for()
    await schedule(stack, console, words, timedelta(seconds=12))
    refused = console.locator(".note[data-tone=bad]", has_text=words)
    await expect(refused).to_contain_text("A scheduled message was not sent")
    await expect(bubble(console, words)).to_have_count(0)
    await shot(console, "scheduled-refused")
