"""The console in a real browser on the whole stack: what a stranger writes is seen, harmless, answered and followed."""

import os
import re
import shutil
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from playwright import async_api
from playwright.async_api import expect
from pydantic import SecretStr

from shared import bus, envelope, records
from shared.produce import Producer
from shared.settings import Settings

SHOTS = os.environ.get("PARLEY_SCREENSHOTS")
CHANNEL = "webhook"
FOLLOWED = re.compile("^(queued|unknown|sent|delivered|read|failed)$")


def lacking(what):
    if os.environ.get("PARLEY_REQUIRE_ALL") == "1":
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="module")
async def chromium():
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    async with async_api.async_playwright() as driver:
        try:
            browser = await driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        except async_api.Error as error:
            lacking(f"no Chromium can be started: {error.message.splitlines()[0]}")
        yield browser
        await browser.close()


@pytest.fixture(scope="module")
async def account(stack):
    """The account at which the customers of these tests write."""
    url = stack.addresses.console.removesuffix("/console/") + "/api/accounts"
    bearer = {"Authorization": f"Bearer {stack.addresses.token}"}
    async with aiohttp.ClientSession(headers=bearer) as session, session.get(url) as answer:
        accounts = (await answer.json())["accounts"]
    return next(one["account"] for one in accounts if one["channel"] == CHANNEL)


@pytest.fixture(scope="module")
async def bus_of(stack):
    settings = Settings(kafka=stack.addresses.kafka, token=SecretStr(""))
    producer = Producer(settings)
    await producer.start()
    yield settings, producer
    await producer.stop()


@pytest.fixture
def customer(account, bus_of):
    return Customer(account, *bus_of)


class Customer:
    """Someone who writes: what an adapter would put on the bus for them."""

    def __init__(self, account, settings, producer):
        self.account, self.settings, self.producer = account, settings, producer
        self.peer = f"visitor-{uuid.uuid4().hex[:8]}"
        self.name = f"សុខា {self.peer[-4:]}"
        self.count = 0

    async def says(self, *parts, window=None):
        self.count += 1
        now = datetime.now(UTC)
        message = envelope.Envelope(
            id=envelope.message_id("default", CHANNEL, self.account, f"{self.peer}/{self.count}"),
            tenant="default",
            channel=CHANNEL,
            account=self.account,
            peer=self.peer,
            external_id=f"{self.peer}-{self.count}",
            sender=envelope.Party(address=self.peer, name=self.name),
            parts=tuple(envelope.Text(text=part) if isinstance(part, str) else part for part in parts),
            occurred_at=now,
            received_at=now,
            window=window or envelope.Window(),
        )
        await self.put("inbound", "inbound.chat.v1", message, message.id)
        return message

    async def put(self, name, topic, model, id_):
        key = envelope.key("default", CHANNEL, self.account, self.peer)
        headers = bus.headers(name, source="/test", id=str(id_), time=datetime.now(UTC), tenant="default", subject=key)
        await self.producer.send(bus.Out(self.settings.topic(topic), key.encode(), bus.encode(model), headers))


@pytest.fixture
async def open_page(chromium, stack):
    """Opens the console with the token; at the end no script error and no breach of its policy was seen."""
    contexts, errors = [], []

    async def open_console(*, token=None, prepare=None, **options):
        context = await chromium.new_context(
            **({"locale": "en-US", "viewport": {"width": 1440, "height": 900}} | options)
        )
        contexts.append(context)
        page = await context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda line: errors.append(line.text) if "Content Security Policy" in line.text else None)
        page.on("dialog", lambda dialog: errors.append(f"dialog: {dialog.message}"))
        if prepare:
            await prepare(page)
        token = stack.addresses.token if token is None else token
        await page.goto(stack.addresses.console.split("#")[0] + (f"#token={token}" if token else ""))
        return page

    yield open_console
    for context in contexts:
        await context.close()
    assert errors == []


@pytest.fixture
async def console(open_page):
    page = await open_page()
    await live(page)
    return page


async def live(page):
    await page.locator("#connection[data-state=live]").wait_for()


def row(page, customer):
    return page.locator(".row", has_text=customer.name)


def bubble(page, text):
    return page.locator(".message", has_text=text)


async def shot(page, name):
    if SHOTS:
        await page.screenshot(path=Path(SHOTS) / f"console-{name}.png")


class TestTheDoor:
    async def test_asks_for_the_token_and_says_when_it_is_wrong(self, open_page, stack):
        page = await open_page(token="")
        await page.get_by_label("Token").fill("wrong")
        await page.keyboard.press("Enter")
        await page.get_by_text("does not accept this token").wait_for()
        await page.get_by_label("Token").fill(stack.addresses.token)
        await page.keyboard.press("Enter")
        await live(page)

    async def test_takes_the_token_out_of_the_address(self, console, stack):
        assert "token" not in console.url
        assert stack.addresses.token not in console.url
        await console.reload()
        await live(console)


class TestAConversation:
    async def test_appears_on_top_unread_while_nothing_is_reloaded(self, console, customer):
        await customer.says("first words")
        await row(console, customer).wait_for()
        assert customer.name in await console.locator(".row").first.inner_text()
        await row(console, customer).click()
        other = Customer(customer.account, customer.settings, customer.producer)
        await other.says("someone else")
        await row(console, other).locator(".count").wait_for()
        await expect(console).to_have_title(re.compile(r"^\("))
        await row(console, other).click()
        await row(console, other).locator(".count").wait_for(state="detached")

    async def test_shows_what_a_stranger_wrote_as_text_and_runs_nothing(self, console, customer):
        markup = "<img src=x onerror=alert(1)><script>alert(2)</script>"
        await customer.says(markup)
        await row(console, customer).click()
        await bubble(console, markup).wait_for()
        assert await console.locator(".bubble img, .bubble script").count() == 0

    async def test_lets_each_text_find_its_own_direction(self, console, customer):
        await customer.says("السلام عليكم")
        await customer.says("សួស្តី តើអាចជួយបានទេ?")
        await row(console, customer).click()
        arabic = bubble(console, "السلام").locator(".text")
        assert await arabic.evaluate("node => getComputedStyle(node).direction") == "rtl"
        khmer = bubble(console, "សួស្តី").locator(".text")
        assert await khmer.evaluate("node => getComputedStyle(node).direction") == "ltr"

    async def test_keeps_what_was_edited_reachable_and_says_what_was_deleted(self, console, customer):
        first = await customer.says("on Munday")
        await customer.says(envelope.Edit(target=first.external_id), "on Monday")
        second = await customer.says("my card number")
        await customer.says(envelope.Deletion(target=second.external_id))
        await customer.says(envelope.Reaction(target=first.external_id, emoji="👍"))
        await row(console, customer).click()
        edited = bubble(console, "on Monday")
        await edited.get_by_text("edited").click()
        await edited.get_by_text("on Munday").wait_for()
        await console.get_by_text("This message was deleted.").wait_for()
        await edited.get_by_text("👍").wait_for()

    async def test_says_honestly_what_became_of_files_and_what_is_not_translated(self, console, customer):
        late = envelope.Media(media="file", state="unavailable", reason="expired", name="receipt.pdf")
        await customer.says(late)
        message = await customer.says(envelope.Media(media="file", handle="h", name="contract.pdf"))
        await customer.says(envelope.Unsupported(type="poll"))
        await row(console, customer).click()
        await console.get_by_text("Not translated (poll)").wait_for()
        update = records.MediaUpdate(
            message_id=message.id,
            tenant="default",
            channel=CHANNEL,
            account=customer.account,
            peer=customer.peer,
            part=0,
            state="unavailable",
            reason="expired",
            occurred_at=datetime.now(UTC),
        )
        await customer.put("media", "inbound.chat.v1", update, uuid.uuid4())
        await bubble(console, "contract.pdf").locator("[data-state=unavailable]").wait_for()
        await bubble(console, "receipt.pdf").get_by_text("Not available: the link has expired").wait_for()

    async def test_shows_its_window(self, console, customer):
        await customer.says("hello", window=envelope.Window(until=datetime.now(UTC) + timedelta(hours=20)))
        await row(console, customer).click()
        await console.get_by_text("Free text until").wait_for()


class TestAReply:
    async def test_is_sent_by_enter_and_followed_step_by_step(self, console, customer):
        await customer.says("How long does it take?")
        await row(console, customer).click()
        box = console.get_by_label(f"Reply to {customer.name}")
        await box.fill("Two days")
        await box.press("Shift+Enter")
        await box.press_sequentially("ពីរថ្ងៃ")
        async with console.expect_response("**/reply") as answered:
            await box.press("Enter")
        assert (await answered.value).status == 202
        sent = bubble(console, "Two days")
        await expect(sent.locator(".status")).to_have_attribute("data-status", FOLLOWED)
        assert await sent.locator(".text").inner_text() == "Two days\nពីរថ្ងៃ"
        assert await box.input_value() == ""
        names = await console.locator("#steps .step-name").all_inner_texts()
        assert names[:3] == ["Requests", "Router", "Events"]
        times = await console.locator("#steps .step-time").all_inner_texts()
        assert times[0] == "0 ms"
        assert all(re.fullmatch(r"[\d,.]+ ms", one) for one in times)
        await shot(console, "reply")

    async def test_that_is_refused_says_why_and_can_be_written_again(self, console, customer):
        await customer.says("hello")
        await row(console, customer).click()
        box = console.get_by_label(f"Reply to {customer.name}")
        await box.fill("much too long " * 30_000)
        await box.press("Enter")
        await console.locator(".refusal").get_by_text("too long for this channel").wait_for()
        await console.get_by_role("button", name="Write again").click()
        assert (await box.input_value()).startswith("much too long")

    async def test_keeps_its_words_and_its_key_when_the_router_is_away(self, open_page, customer):
        keys = []

        async def refuse_once(route):
            keys.append(route.request.headers["idempotency-key"])
            await (route.abort() if len(keys) == 1 else route.continue_())

        page = await open_page(prepare=lambda page: page.route("**/reply", refuse_once))
        await customer.says("hello")
        await row(page, customer).click()
        box = page.get_by_label(f"Reply to {customer.name}")
        await box.fill("one message, however often it is tried")
        await box.press("Enter")
        await page.get_by_text("Not sent: the router cannot be reached").wait_for()
        assert await box.input_value() == "one message, however often it is tried"
        await box.press("Enter")
        await bubble(page, "one message, however").wait_for()
        assert len(keys) == 2
        assert keys[0] == keys[1]

    async def test_carries_a_file(self, console, customer):
        await customer.says("send me the list")
        await row(console, customer).click()
        await console.get_by_label("Attach a file").set_input_files(
            {"name": "តម្លៃ.txt", "mimeType": "text/plain", "buffer": b"1 USD"}
        )
        await console.get_by_role("button", name="Remove តម្លៃ.txt").wait_for()
        async with console.expect_request("**/reply") as asked:
            await console.get_by_role("button", name="Send", exact=True).click()
        [part] = (await asked.value).post_data_json["parts"]
        assert (part["kind"], part["name"], part["size"], part["state"]) == ("media", "តម្លៃ.txt", 5, "stored")


async def test_the_way_of_an_inbound_message_leads_from_webhook_to_events(console, customer):
    await customer.says("where have I been?")
    await row(console, customer).click()
    await console.locator("#steps .step").nth(3).wait_for()
    names = await console.locator("#steps .step-name").all_inner_texts()
    assert names == ["Webhook", "Inbound", "Router", "Events"]


class TestTheCustomersSide:
    """Nothing but what a person can see and press: the widget and the phone on the left, the agent on the right."""

    async def test_chats_from_the_widget_and_reads_the_answer_there(self, console):
        widget = console.frame_locator("#panel-chat iframe")
        said, answered = f"Is it in stock? {uuid.uuid4().hex[:6]}", f"បាទ មាន {uuid.uuid4().hex[:6]}"
        await widget.get_by_label("Write a message").fill(said)
        await widget.get_by_label("Write a message").press("Enter")
        await console.locator(".row", has_text=said).click()
        await bubble(console, said).wait_for()
        await console.locator("#reply-text").fill(answered)
        await console.locator("#reply-text").press("Enter")
        await widget.get_by_text(answered).wait_for()
        await expect(bubble(console, answered).locator(".status")).to_have_attribute("data-status", "read")
        places = await console.locator("#steps .step-name").all_inner_texts()
        assert list(dict.fromkeys(places)) == ["Requests", "Router", "Events", "Outbound", "Provider", "Delivery"]
        await shot(console, "whole")

    async def test_writes_from_the_phone_and_reads_the_answer_there(self, console):
        await console.get_by_role("tab", name="Phone").click()
        phone = console.frame_locator("#panel-phone iframe")
        said, answered = f"សួស្តី {uuid.uuid4().hex[:6]}", f"Good morning {uuid.uuid4().hex[:6]}"
        await phone.get_by_role("textbox", name="Message").fill(said)
        await phone.get_by_role("textbox", name="Message").press("Enter")
        await console.locator(".row", has_text=said).click()
        await console.locator("#reply-text").fill(answered)
        await console.locator("#reply-text").press("Enter")
        await phone.get_by_text(answered).wait_for()
        await expect(bubble(console, answered).locator(".status")).to_have_attribute("data-status", "sent")


class TestTheStream:
    async def test_goes_on_where_it_was_cut_and_the_page_says_so_meanwhile(self, open_page):
        asked = []

        async def cut_after_one(route):
            asked.append(route.request.headers.get("last-event-id"))
            if len(asked) == 1:
                body = "id: 0:7,1:9\nevent: position\ndata: {}\n\n"
                await route.fulfill(status=200, content_type="text/event-stream", body=body)
            elif len(asked) == 2:
                await route.abort()
            else:
                await route.continue_(headers={**route.request.headers, "last-event-id": ""})

        page = await open_page(prepare=lambda page: page.route("**/api/events", cut_after_one))
        await page.get_by_role("alert").get_by_text("The router cannot be reached").wait_for()
        await live(page)
        await page.get_by_role("alert").get_by_text("The router cannot be reached").wait_for(state="hidden")
        assert asked[:3] == [None, "0:7,1:9", "0:7,1:9"]

    async def test_drops_what_was_seen_and_notices_what_is_missing(self, console):
        folded = await console.evaluate("""async () => {
            const { createThread, applyToThread } = await import("/console/fold/thread.js");
            const { createConversations, applyToList } = await import("/console/fold/conversations.js");
            const { normal } = await import("/console/fold/events.js");
            const event = (sequence) => normal({
                type: "parley.message.received.v1", time: "2026-01-01T00:00:00Z",
                data: { conversation: "c", sequence, tenant: "default", message: {
                    id: `m${sequence}`, direction: "inbound", channel: "sms", account: "a", peer: "p",
                    sender: { address: "p" }, parts: [{ kind: "text", text: `${sequence}` }] } } });
            const thread = createThread("c"), list = createConversations();
            const told = [1, 2, 1, 2, 4, 3, 4, 3].map((sequence) => applyToThread(thread, event(sequence)));
            const rows = [1, 2, 1, 2, 3].map((sequence) => applyToList(list, event(sequence), { reading: null, now: 0 }));
            return { told, ids: thread.entries.map((one) => one.id), rows, unread: list.get("c").unread };
        }""")
        assert folded["told"] == ["new", "new", "known", "known", "gap", "new", "new", "known"]
        assert folded["ids"] == ["m1", "m2", "m3", "m4"]
        assert folded["rows"] == [True, True, False, False, True]
        assert folded["unread"] == 3


class TestEveryone:
    async def test_reads_it_in_khmer_when_their_browser_does_and_can_change_it(self, open_page, customer):
        page = await open_page(locale="km-KH")
        await live(page)
        await customer.says("សួស្តី")
        await row(page, customer).click()
        assert await page.locator("html").get_attribute("lang") == "km"
        await page.get_by_role("heading", name="ដំណើររបស់សារ").wait_for()
        await page.locator("#steps .step").nth(3).wait_for()
        await shot(page, "khmer")
        await page.locator("#language").select_option("en")
        await page.get_by_role("heading", name="The message's way").wait_for()
        await page.reload()
        await page.get_by_role("heading", name="The message's way").wait_for()

    async def test_reaches_conversations_and_messages_by_keyboard(self, console, customer):
        await customer.says("one")
        await customer.says("two")
        await row(console, customer).wait_for()
        await console.get_by_role("searchbox").fill(customer.peer)
        await expect(console.locator(".row")).to_have_count(1)
        await console.keyboard.press("ArrowDown")
        await console.keyboard.press("Enter")
        await bubble(console, "two").wait_for()
        log = console.get_by_role("log")
        await expect(log).to_have_attribute("aria-live", "polite")
        await log.focus()
        await console.keyboard.press("ArrowUp")
        await console.keyboard.press("ArrowUp")
        focused = await console.evaluate("document.activeElement.innerText")
        assert focused.startswith("one")
        await expect(console.locator(":focus")).to_have_attribute("data-selected", "")
        outline = await console.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"

    async def test_can_name_every_control(self, console, customer):
        await customer.says("hello")
        await row(console, customer).click()
        await console.get_by_label(f"Reply to {customer.name}").wait_for()
        nameless = await console.evaluate("""() => [...document.querySelectorAll("#desk button, #desk input, #desk textarea, header select, iframe")]
            .filter((node) => node.offsetParent && !(node.innerText?.trim() || node.ariaLabel || node.title || node.labels?.length))
            .map((node) => node.outerHTML)""")
        assert nameless == []

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    async def test_holds_it_in_one_hand(self, open_page, customer, scheme):
        page = await open_page(viewport={"width": 390, "height": 844}, color_scheme=scheme)
        await live(page)
        await customer.says("a very long word " + "ក" * 300)
        await row(page, customer).click()
        await bubble(page, "a very long word").wait_for()
        for view in ("customer", "conversations", "thread", "way"):
            await page.locator(f".switch [data-view={view}]").click()
            await page.locator(f"#{view}-pane").wait_for()
            assert await page.evaluate("document.documentElement.scrollWidth") <= 390
            await shot(page, f"phone-{scheme}-{view}")

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    async def test_can_read_it_against_its_ground(self, open_page, customer, scheme):
        """WCAG 2.2, 1.4.3: at least 4.5 : 1 for the colours that carry text."""
        page = await open_page(color_scheme=scheme)
        await live(page)
        await customer.says("hello")
        await row(page, customer).click()
        await shot(page, scheme)
        pairs = await page.evaluate("""() => {
            const colour = (name) => {
                const probe = document.body.appendChild(document.createElement("i"));
                probe.style.color = `var(--${name})`;
                const parts = getComputedStyle(probe).color.match(/[\\d.]+/g).slice(0, 3).map(Number);
                probe.remove();
                return parts;
            };
            const light = (rgb) => rgb.map((one) => one / 255).map((one) => (one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4))
                .reduce((sum, one, at) => sum + one * [0.2126, 0.7152, 0.0722][at], 0);
            const contrast = (one, other) => {
                const [high, low] = [light(colour(one)), light(colour(other))].sort((a, b) => b - a);
                return [one, other, (high + 0.05) / (low + 0.05)];
            };
            return [["ink", "ground"], ["ink", "surface"], ["soft", "surface"], ["soft", "raised"], ["accent", "surface"],
                ["accent", "accent-soft"], ["ink", "accent-soft"], ["accent-ink", "accent"], ["bad", "bad-soft"], ["warn", "surface"], ["good", "surface"]]
                .map((pair) => contrast(...pair));
        }""")
        assert [pair for pair in pairs if pair[2] < 4.5] == []
