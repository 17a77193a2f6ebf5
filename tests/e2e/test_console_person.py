"""Who a customer is on the console: all of their addresses and why, joined and parted by hand, the same live for whoever looks."""

from __future__ import annotations

import random
import re
import uuid

from playwright.async_api import expect

from shared.contract.envelope import Proof
from tests.e2e.axe import violations
from tests.e2e.console_desk import bubble, live, read_token, row, shot
from tests.mailer import mailbox, town


def entries(page, part):
    return page.locator(f"#person [data-part={part}] > li")


async def astray(route):
    """The request names somebody whom nobody knows."""
    asked = route.request.post_data_json
    await route.continue_(post_data={**asked, "customers": [asked["customers"][0], str(uuid.uuid4())]})


async def test_two_customers_are_found_to_be_one_person_parted_and_joined_again(stack, desk, open_page):
    number = f"+85512{random.randrange(10**5, 10**6)}"
    ann, bob = desk.customer("webhook", "demo"), desk.customer("webhook", "demo")
    proof = Proof(kind="phone", value=number, by="provider")
    await ann.says("it is me", sender=ann.party.model_copy(update={"proofs": (proof,)}))
    reader = await open_page(
        token=await read_token(stack), locale="km-KH", viewport={"width": 390, "height": 844}, color_scheme="dark"
    )
    page = await open_page(viewport={"width": 1280, "height": 800})
    for one in (page, reader):
        await live(one)
        await row(one, ann).wait_for()
    await bob.says("me too", sender=bob.party.model_copy(update={"phone": number}))
    for one in (page, reader):
        await row(one, bob).click()
        await one.locator("#thread-head [data-person][data-tone=warn]").click()
        await expect(entries(one, "suggestions")).to_have_count(1)
        assert await violations(one) == []
    await expect(entries(page, "suggestions")).to_contain_text("Phone number: they say so themselves")
    await shot(page, "person-suggested")
    await page.get_by_role("button", name="Same person").click()
    for one in (page, reader):
        await expect(entries(one, "members")).to_have_count(3)
        await expect(entries(one, "suggestions")).to_have_count(0)
        await expect(entries(one, "conversations")).to_have_count(2)
    await expect(page.locator("#person [data-bond=proved]")).to_contain_text("the provider says so")
    await expect(page.locator("#person [data-bond=asked]")).to_contain_text("they say so themselves")
    assert await reader.locator("#person [data-person]").count() == 0
    assert await reader.evaluate("document.documentElement.scrollWidth") <= 390
    assert [await violations(one) for one in (page, reader)] == [[], []]
    await shot(page, "person")
    await shot(reader, "person-phone")
    await entries(page, "members").filter(has_text=bob.name).get_by_role("button", name="Split off").click()
    for one in (page, reader):
        await expect(entries(one, "members")).to_have_count(1)
        await expect(entries(one, "apart")).to_have_count(1)
    await shot(page, "person-parted")
    await page.route("**/customers/merge", astray)
    await page.get_by_role("button", name="Undo").click()
    await expect(page.locator("#person [role=alert]")).to_have_text(re.compile("It stays as it was: there is no such"))
    await page.unroute("**/customers/merge")
    await page.get_by_role("button", name="Undo").click()
    for one in (page, reader):
        await expect(entries(one, "members")).to_have_count(3)
    await entries(page, "conversations").filter(has_text=ann.name).get_by_role("button").click()
    await expect(page.locator("#person")).to_be_hidden()
    await bubble(page, "it is me").wait_for()
    await expect(page.locator("#thread-head [data-person]")).to_have_text("3 addresses")


async def test_an_address_is_reachable_again_and_its_person_erased_by_whoever_may(stack, open_page):
    async with town(stack) as (client, _):
        person = mailbox(client, stack, f"nobody.{uuid.uuid4().hex[:8]}@home.example")
        await person.writes("Answer me, if you can", to="support@parley.example", subject="Rice")
    page = await open_page(locale="km-KH")
    writer = await open_page(
        token=await read_token(stack, "write"), viewport={"width": 390, "height": 844}, color_scheme="dark"
    )
    for one in (page, writer):
        await live(one)
        await one.locator(".row", has_text=person.address).click()
    await page.locator("#reply-text").fill("We cannot")
    await page.locator("#reply-text").press("Enter")
    await bubble(page, "We cannot").locator(".status[data-status=failed]").wait_for()
    for one in (page, writer):
        await one.locator("#thread-head [data-person]").click()
        await expect(entries(one, "members").locator("[data-tone=warn]")).to_contain_text("550 5.1.1")
        assert await violations(one) == []
    await shot(writer, "person-unreachable")
    await expect(writer.locator("[data-person=erase]")).to_have_count(0)
    await writer.get_by_role("button", name="Reachable again").click()
    for one in (page, writer):
        await expect(entries(one, "members").locator("[data-tone=warn], [data-person=reachable]")).to_have_count(0)
    erase, asked = page.locator("[data-person=erase]"), page.locator("#erase-asked")
    await erase.click()
    await expect(asked).to_contain_text("មិនអាចត្រឡប់វិញបានទេ")
    await expect(page.locator("[data-person=keep]")).to_be_focused()
    assert await violations(page) == []
    await shot(page, "person-erase")
    await page.keyboard.press("Enter")
    await expect(asked).to_have_count(0)
    await expect(erase).to_be_focused()
    await erase.click()
    await page.locator("[data-person=erase_now]").click()
    for one, nothing in ((page, "គ្មានអ្វីនៅសល់ទេ"), (writer, "Nothing is left")):
        await expect(one.locator("#person [role=status]")).to_contain_text(nothing, timeout=60_000)
        for trouble in ("#trouble", "#person [role=alert]"):
            await expect(one.locator(trouble)).to_be_hidden()
        await expect(one.locator(".row", has_text=person.address)).to_have_count(0)
    assert await violations(page) == []
    await shot(page, "person-erased")
    await page.keyboard.press("Escape")
    await expect(page.locator("#person")).to_be_hidden()
