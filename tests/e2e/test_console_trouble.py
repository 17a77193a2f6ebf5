"""What the console says when something does not work: an account, a message, the customer's side, the router."""

import uuid

import pytest
from playwright.async_api import expect

from shared.contract.codes import Failure
from tests.e2e.console_desk import bubble, live, row, shot


async def test_an_account_that_does_not_work_is_told_with_its_reason_and_a_remedy(desk, open_page):
    failure = Failure(code="auth", detail="401 Unauthorized")
    account = await desk.account("telegram", healthy=False, failure=failure)
    customer = desk.customer("telegram", account)
    await customer.says("hello?")
    page = await open_page()
    await live(page)
    await row(page, customer).click()
    await page.get_by_text(
        f"The account {account} does not work: the account's credentials were not accepted."
    ).wait_for()
    await page.get_by_role("button", name="Accounts").click()
    listed = page.get_by_role("dialog").locator("li", has_text=account)
    await listed.get_by_text("401 Unauthorized").wait_for()
    await listed.get_by_text("Check its token in the accounts file").wait_for()
    await shot(page, "accounts")


async def test_a_message_that_did_not_arrive_says_why_and_can_be_sent_again(desk, open_page):
    """Its account is in nobody's file, so the adapter gives up at once."""
    customer = desk.customer("telegram", await desk.account("telegram"))
    await customer.says("hello")
    page = await open_page()
    await live(page)
    await row(page, customer).click()
    words = f"Good morning {uuid.uuid4().hex[:6]}"
    box = page.locator("#reply-text")
    await box.fill(words)
    async with page.expect_response("**/reply") as answered:
        await box.press("Enter")
    message = (await (await answered.value).json())["message_id"]
    await bubble(page, words).get_by_text("It did not arrive: there is no such account.").wait_for()
    await shot(page, "message-failed")
    await bubble(page, words).get_by_role("button", name="Write again").click()
    assert await box.input_value() == words
    async with page.expect_response("**/reply") as answered:
        await box.press("Enter")
    assert (await (await answered.value).json())["message_id"] != message


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        ("unknown", None, "It may have arrived, so it is not sent again by itself."),
        ("expired", "expired", "It was not sent: its time had passed."),
        ("cancelled", "cancelled", "It was not sent: it was cancelled."),
    ],
)
async def test_every_other_end_of_a_message_is_told_too(desk, open_page, status, code, said):
    """What the router would tell of it, told on the way to the page."""

    async def tell(route):
        answer = await route.fetch()
        body = await answer.json()
        for event in body["events"]:
            if event["type"] == "message.status":
                event["data"] |= {"status": status, "failure": code and {"code": code, "detail": ""}}
        await route.fulfill(response=answer, json=body)

    customer = desk.customer("telegram", await desk.account("telegram"))
    await customer.says("hello")
    page = await open_page()
    await live(page)
    await row(page, customer).click()
    await page.locator("#reply-text").fill("Good morning")
    await page.locator("#reply-text").press("Enter")
    await bubble(page, "Good morning").get_by_text("It did not arrive").wait_for()
    await page.route("**/api/conversations/*?after=*", tell)
    await page.reload()
    await bubble(page, "Good morning").get_by_text(said).wait_for()
    await shot(page, f"message-{status}")


async def test_a_customers_side_that_is_away_is_told_and_comes_back_by_itself(open_page):
    away = True

    async def answer(route):
        await (route.abort() if away else route.continue_())

    page = await open_page(prepare=lambda page: page.route("**/health/live", answer))
    await live(page)
    await page.get_by_text("The chat adapter at http://127.0.0.1").wait_for()
    await page.get_by_role("tab", name="WhatsApp").click()
    await page.get_by_text("The sandbox at http://127.0.0.1").wait_for()
    await shot(page, "sandbox-away")
    away = False
    phone = page.frame_locator("#panel-whatsapp iframe")
    await phone.get_by_role("textbox", name="Message").wait_for()


async def test_a_router_that_is_away_is_told_while_what_was_shown_stays(desk, open_page):
    customer = desk.customer()
    page = await open_page()
    await live(page)
    await customer.says("do not vanish")
    await row(page, customer).click()
    await bubble(page, "do not vanish").wait_for()
    await page.route("**/api/**", lambda route: route.abort())
    await page.context.set_offline(True)
    await page.get_by_role("alert").get_by_text("The router cannot be reached").wait_for()
    await bubble(page, "do not vanish").wait_for()
    await shot(page, "router-away")
    await page.context.set_offline(False)
    await page.unroute("**/api/**")
    await live(page)
    await page.get_by_role("alert").get_by_text("The router cannot be reached").wait_for(state="hidden")


async def test_what_does_not_work_is_told_in_words_and_so_is_what_does(open_page):
    """The running stack, of which Kafka and then the chat adapter are said to be away."""
    states = {}

    async def tell(route):
        answer = await route.fetch()
        body = await answer.json()
        assert {part["state"] for part in body["parts"]} <= {"works", "moving"}
        await route.fulfill(
            response=answer, json={"parts": [one | states.get(one["name"], {}) for one in body["parts"]]}
        )

    page = await open_page(prepare=lambda page: page.route("**/api/state", tell))
    await live(page)
    await page.get_by_role("button", name="Accounts").click()
    parts = page.get_by_role("dialog").locator("ul").last.locator("li")
    await expect(parts.get_by_text("Works", exact=True)).to_have_count(6)
    await shot(page, "system")
    states["kafka"] = {"state": "away"}
    states["chat_adapter"] = {"state": "absent"}
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Accounts").click()
    await parts.filter(has_text="Kafka").get_by_text("Does not answer", exact=True).wait_for()
    await page.keyboard.press("Escape")
    await page.get_by_role("alert").get_by_text("Kafka does not answer: nothing new is shown").wait_for()
    await page.get_by_role("alert").get_by_text("Chat adapter: nobody runs it.").wait_for()
    await shot(page, "system-ill")
    states.clear()
    await page.get_by_role("alert").get_by_text("Kafka does not answer").wait_for(state="hidden")
