"""What a person changes from the console: buttons where the account says that it can, and what stands there then."""

import random
import uuid

import aiohttp
import pytest
from playwright.async_api import expect

from shared.contract import envelope
from tests.customers import Town, someone
from tests.e2e.axe import violations
from tests.e2e.console_desk import bubble, row, shot
from tests.patience import SECONDS, until


async def asks(page, what, press):
    """The body of the request that `press` makes."""
    async with page.expect_request(f"**/{what}") as asked:
        await press()
    return (await asked.value).post_data_json


def act(message, what):
    return message.locator(f"button[data-change={what}]")


async def test_a_message_is_edited_answered_with_an_emoji_and_taken_back(stack, console):
    """On a channel that does it: what the person sees is what the console shows."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS)) as client:
        person = someone(Town(stack.home, stack.addresses, client), "slack", random.randrange(10**7, 10**8))
        asked, answer, better = (f"{words} {uuid.uuid4().hex[:6]}" for words in ("តើបើកទេ", "on Munday", "on Monday"))
        await person.writes(asked)
        await console.locator(".row", has_text=asked).click()
        await console.locator("#reply-text").fill(answer)
        await console.locator("#reply-text").press("Enter")
        ours = bubble(console, answer)
        await ours.locator(".status[data-status=sent]").wait_for()
        await act(ours, "edit").click()
        dialog = console.locator("#change")
        await expect(dialog.get_by_role("textbox")).to_have_value(answer)
        await dialog.get_by_role("textbox").fill(better)
        assert await violations(console) == []
        await shot(console, "edit")
        await dialog.get_by_role("button", name="Save").click()
        changed = bubble(console, better)
        await changed.wait_for()
        assert [one.text for one in await person.reads()] == [better]
        theirs = bubble(console, asked).first
        await act(theirs, "react").click()
        await shot(console, "react")
        await dialog.get_by_role("button", name="👍").click()
        await theirs.locator(".reactions", has_text="👍").wait_for()
        await act(theirs, "react").click()
        await expect(dialog.get_by_role("button", name="👍")).to_have_attribute("aria-pressed", "true")
        await dialog.get_by_role("button", name="👍").click()
        await expect(theirs.locator(".reactions")).to_have_count(0)
        await act(changed, "delete").click()
        await dialog.get_by_role("button", name="Delete").click()
        await console.locator(".message .deleted").wait_for()

        async def is_gone():
            return await person.reads() == [] or all(better != one.text for one in await person.reads())

        await until(is_gone)


async def test_an_answer_is_shown_as_it_grows_and_ends_once(stack, desk, console):
    customer = desk.customer("webhook", "demo")
    await customer.says("how long?")
    await row(console, customer).click()
    await bubble(console, "how long?").wait_for()
    place, answer = await conversation_of(console), str(uuid.uuid4())
    async with aiohttp.ClientSession(stack.http("router"), headers=stack.bearer) as client:

        async def asked(what, body, **headers):
            async with client.post(f"/api/conversations/{place}/{what}", json=body, headers=headers) as told:
                assert told.status == 202, await told.text()

        for so_far in ("A w", "A week, a"):
            await asked("grow", {"answer": answer, "text": so_far, "author": "Bot"})
            await console.locator(".message.growing", has_text=so_far).wait_for()
        await shot(console, "growing")
        await expect(console.locator(".message.growing")).to_have_count(1)
        whole = {"parts": [{"kind": "text", "text": "A week, at most"}], "author": "Bot"}
        await asked("reply", whole, **{"Idempotency-Key": answer})
    await bubble(console, "A week, at most").wait_for()
    await expect(console.locator(".message.growing")).to_have_count(0)
    await expect(bubble(console, "A week")).to_have_count(1)


async def conversation_of(page):
    """The chosen one, as the page's address says."""
    return (await page.evaluate("location.hash")).partition("conversation=")[2].partition("&")[0]


async def test_an_account_that_can_nothing_offers_nothing(desk, console):
    account = await desk.account("webhook")
    customer = desk.customer("webhook", account)
    await customer.says("hello")
    await row(console, customer).click()
    await bubble(console, "hello").wait_for()
    await expect(console.locator("[data-change], [data-handover]")).to_have_count(0)


async def test_among_many_each_message_says_who_wrote_it_and_may_be_marked_as_read(desk, console):
    account = await desk.account("slack", changes={"seen": None})
    group = desk.customer("slack", account, surface="group", container="C1")
    await group.says("hello from the one")
    await group.says("hello from the other", sender=envelope.Party(address="U2", name="Bopha"))
    await row(console, group).click()
    await bubble(console, "from the one").locator(".author", has_text=group.name).wait_for()
    other = bubble(console, "from the other")
    await other.locator(".author", has_text="Bopha").wait_for()
    body = await asks(console, "seen", act(other, "seen").click)
    assert body.keys() == {"tenant", "message"}
    await shot(console, "group")


@pytest.mark.parametrize(
    ("action", "fills", "sends"),
    [
        ("pass", {"To whom": "inbox", "Words for": "refund?"}, {"action": "pass", "to": "inbox", "note": "refund?"}),
        ("release", {}, {"action": "release"}),
    ],
)
async def test_who_has_a_conversation_can_give_it_away(desk, console, action, fills, sends):
    account = await desk.account("facebook", handovers=("pass", "take", "release"))
    customer = desk.customer("facebook", account)
    await customer.says("hello")
    await row(console, customer).click()
    await expect(console.locator("[data-handover=take]")).to_have_count(0)

    async def press():
        await console.locator(f"[data-handover={action}]").click()
        for label, words in fills.items():
            await console.locator("#change").get_by_label(label).fill(words)
        if fills:
            await console.locator("#change .primary").click()

    assert await asks(console, "handover", press) == {"tenant": "default", **sends}


async def test_a_phone_shows_the_buttons_too(desk, open_page):
    account = await desk.account("slack", changes={"react": None, "seen": None}, handovers=("pass",))
    customer = desk.customer("slack", account)
    await customer.says("hello")
    page = await open_page(viewport={"width": 390, "height": 844}, has_touch=True)
    await row(page, customer).click()
    await act(bubble(page, "hello"), "react").click()
    await page.locator("#change .emoji").first.wait_for()
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    await shot(page, "react-phone")
    await page.keyboard.press("Escape")
    await shot(page, "buttons-phone")
