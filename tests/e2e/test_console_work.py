"""The desk's work on the console: who waits, whose it is, its labels, closed and opened again, the same for two agents."""

from __future__ import annotations

import uuid

from playwright.async_api import expect

from tests.e2e.axe import violations
from tests.e2e.console_desk import bubble, row, shot


def act(page, what):
    return page.locator(f"#thread-head button[data-work={what}]")


async def choose(page, name):
    await page.locator("#which").select_option(name)


async def test_two_agents_see_who_waits_whose_it_is_and_that_it_is_closed(stack, desk):
    customer = desk.customer("webhook", "demo")
    async with desk.pages() as open_console:
        one, other = await open_console(), await open_console()
        await customer.says("is anybody there?")
        for page in (one, other):
            await choose(page, "waiting")
            await expect(row(page, customer)).to_be_visible()
        await row(one, customer).click()
        await bubble(one, "is anybody there?").wait_for()
        await act(one, "assign").click()
        await one.locator("#change").get_by_role("textbox").fill("សុភា")
        await one.locator("#change").get_by_role("button", name="Save").click()
        await act(one, "tag").click()
        label = f"vip {uuid.uuid4().hex[:4]}"
        await one.locator("#change").get_by_role("textbox").fill(f"{label}\nការបញ្ជាទិញ")
        await one.locator("#change").get_by_role("button", name="Save").click()
        await row(other, customer).click()
        for page in (one, other):
            await expect(act(page, "assign")).to_have_text("សុភា")
            await expect(page.locator("#thread-head .tag", has_text=label)).to_be_visible()
        assert await violations(one) == []
        await shot(one, "work")
        await choose(other, "unread")
        await expect(row(other, customer)).to_be_visible()
        await act(one, "read").click()
        await expect(row(other, customer)).to_have_count(0)
        await act(one, "close").click()
        await choose(other, "closed")
        await expect(row(other, customer)).to_be_visible()
        await expect(act(other, "reopen")).to_be_visible()
        await choose(one, "waiting")
        await expect(row(one, customer)).to_have_count(0)
        await customer.says("one thing more")
        await expect(row(one, customer)).to_be_visible()
        await expect(act(one, "close")).to_be_visible()
