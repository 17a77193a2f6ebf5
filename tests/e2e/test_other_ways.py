"""Other ways to the same person on the whole stack: what is not read falls to another channel, though the router is killed between; an answer ends it."""

from __future__ import annotations

import json
import os
import random
import signal
import uuid
from typing import Any

from playwright.async_api import expect

from tests.customers import someone
from tests.e2e.agent import Agent, at_work, text
from tests.e2e.axe import violations
from tests.e2e.console_desk import read_token, shot
from tests.e2e.people import phone
from tests.e2e.test_cli import PATIENTLY, parley
from tests.e2e.test_console_scheduled import is_back, pid_of_router
from tests.patience import until

WITHIN = 10  # seconds; the router is killed in them


async def open_both(stack: Any, open_page: Any, conversation: str) -> tuple[Any, Any]:
    """Someone who may write, and someone who reads Khmer on a telephone."""
    page = await open_page(viewport={"width": 1280, "height": 800})
    reader = await open_page(
        token=await read_token(stack), locale="km-KH", viewport={"width": 390, "height": 844}, color_scheme="dark"
    )
    for one in (page, reader):
        await one.locator(".row").first.wait_for()
        await one.goto(one.url.partition("#")[0] + f"#conversation={conversation}")
        await one.reload()
        await one.locator(".message").first.wait_for()
    return page, reader


async def test_what_is_not_read_goes_another_way_though_the_router_is_killed_and_an_answer_ends_it(
    stack: Any, open_page: Any
) -> None:
    async with at_work(stack, Agent) as agent, phone(stack) as other:
        first, words, mark = (
            someone(agent.town, "viber", random.randrange(10**8)),
            f"ជូនដំណឹង {uuid.uuid4()}",
            uuid.uuid4().hex,
        )
        await first.writes(f"here {mark}")
        await other.says(f"and here {mark}")
        here, there = await agent.hears(f"here {mark}"), await agent.hears(f"and here {mark}")
        await agent.asks("customers/merge", customers=[here["customer"], there["customer"]], reason="the same")
        await agent.listener.first("customer.merged", lambda event: here["customer"] in json.dumps(event))
        page, reader = await open_both(stack, open_page, here["conversation"])
        ways = [f"read {WITHIN} telegram sandbox", "answered 600 viber"]
        told = await parley(
            stack, "send", "viber", "sandbox", first.user, words, *(f"--then={way}" for way in ways), "--json", *PATIENTLY
        )  # fmt: skip
        former = pid_of_router(stack)
        os.kill(former, signal.SIGKILL)
        assert told.code == 0, told.err
        await until(lambda: is_back(stack, former))
        await other.hears(words)
        for one, now, after in ((page, "Telegram", "10 min"), (reader, "Telegram", "10 នាទី")):
            plan = one.locator(".plan")
            await expect(plan).to_contain_text(now)
            await expect(plan).to_contain_text(after)
            await expect(plan).to_contain_text("Viber")
        assert await reader.locator("button[data-change=cancel]").count() == 0
        assert await reader.evaluate("document.documentElement.scrollWidth") <= 390
        assert [await violations(one) for one in (page, reader)] == [[], []]
        await shot(page, "plan")
        await shot(reader, "plan-phone")
        await other.says(f"seen {mark}")
        answer = await agent.hears(f"seen {mark}")
        ended = await agent.listener.first("plan.ended", lambda event: event["conversation"] == here["conversation"])
        assert (ended["why"], ended["step"], ended["message_id"]) == ("answered", 1, answer["message"]["id"])
        steps = await agent.listener.all("plan.way", lambda event: event["plan"] == ended["plan"])
        assert [(one["step"], one["why"], one["channel"]) for one in steps] == [(1, "unread", "telegram")]
        shown = await parley(stack, "plans", here["conversation"], "--json")
        (plan,) = json.loads(shown.out)
        assert (plan["id"], plan["step"], plan["why"], plan["due"]) == (ended["plan"], 1, "answered", None)
        assert [(way["channel"], way["status"]) for way in plan["ways"]] == [
            ("viber", "delivered"),
            ("telegram", "sent"),
            ("viber", None),
        ]
        assert "answered" in (await parley(stack, "plans", here["conversation"][:13])).out
        assert [one.text for one in await first.reads()] == [words]
        assert await other.heard(words) == 1
        for one, said in ((page, "there is an answer"), (reader, "មានចម្លើយ")):
            await expect(one.locator(".plan")).to_have_count(0)
            await expect(one.locator(".note", has_text=said)).to_be_visible()
        await expect(page.locator(".note", has_text="Next way, ")).to_contain_text("not read in time")
        await shot(page, "plan-ended")


async def test_a_plan_is_cancelled_where_it_is_shown(stack: Any, open_page: Any) -> None:
    async with at_work(stack, Agent) as agent:
        person, asked = someone(agent.town, "viber", random.randrange(10**8)), uuid.uuid4().hex
        await person.writes(asked)
        heard = await agent.hears(asked)
        page, reader = await open_both(stack, open_page, heard["conversation"])
        nobody = {"channel": "telegram", "account": "sandbox", "address": "7", "unless": "delivered", "within": 5400}
        message = await agent.answers(heard, text("hello"), fallback=[{**nobody, "unless": "read"}])
        await agent.status(message, "delivered")
        await expect(page.locator(".plan")).to_contain_text("not read 1 hr and 30 min after it was sent: Telegram")
        await expect(reader.locator(".plan")).to_contain_text("1 ម៉ោង និង 30 នាទី")
        await page.locator(".plan button[data-change=cancel]").click()
        for one, said in ((page, "it was cancelled"), (reader, "ត្រូវបានបោះបង់")):
            await expect(one.locator(".note", has_text=said)).to_be_visible()
            await expect(one.locator(".plan")).to_have_count(0)
