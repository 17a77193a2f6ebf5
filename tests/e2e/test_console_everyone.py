"""The console for everyone: in Khmer, by keyboard, by screen reader, in one hand, in the dark; and it remembers what was read."""

import re

import pytest
from playwright.async_api import expect

from shared.contract import envelope
from tests.e2e.axe import violations
from tests.e2e.console_desk import bubble, live, row, shot

WORDS = re.compile(r"[A-Za-z]{2,}(?:\s+[a-z]{2,}){2,}")  # three words in Latin letters: a sentence, not a name
OF_DATES = re.compile(
    r"\b(today|yesterday|tomorrow|AM|PM|(Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|(?-i:Jan|Nov|hr|days?|min))\b"
)
VIEWS = ("customer", "conversations", "thread", "way")


class TestInKhmer:
    async def test_it_is_when_their_browser_is_and_can_be_changed(self, open_page, customer):
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

    async def test_no_sentence_is_left_in_english(self, desk, open_page, customer):
        """Every view, both windows over it, a closed window, an account that does not work; what others wrote is left out."""
        account = await desk.account("whatsapp", template="full", healthy=False)
        closed = envelope.Window(until="2026-01-01T00:00:00Z", allows=("free_text", "template"))
        writer = desk.customer("whatsapp", account, window=closed)
        late = envelope.Media(media="file", state="unavailable", reason="expired", name="a.pdf")
        await writer.says(
            "សួស្តី", envelope.Location(latitude=11.5, longitude=104.9), late, envelope.Unsupported(type="x")
        )
        page = await open_page(locale="km-KH")
        await live(page)
        await row(page, writer).click()
        await bubble(page, "សួស្តី").first.wait_for()
        for button in ("#accounts-button", "#help-button"):
            await page.locator(button).click()
            await page.keyboard.press("Escape")
        spoken = await page.evaluate("""() => {
            const said = [...document.querySelectorAll("body *")].filter((node) => !["SCRIPT", "NOSCRIPT", "OPTION", "IFRAME"].includes(node.tagName));
            const texts = said.flatMap((node) => [...node.childNodes]).filter((node) => node.nodeType === Node.TEXT_NODE && !node.parentElement.closest("[lang=en], .row")).map((node) => node.data);
            const labels = said.flatMap((node) => ["aria-label", "title", "placeholder", "alt"].map((name) => node.getAttribute(name) ?? ""));
            return [...texts, ...labels];
        }""")
        assert sum(bool(re.search("[\u1780-\u17ff]", one)) for one in spoken) > 40
        assert [one for one in spoken if WORDS.search(one) or OF_DATES.search(one)] == []

    async def test_long_text_without_spaces_has_room_for_its_marks(self, open_page, customer):
        page = await open_page(locale="km-KH")
        await live(page)
        await customer.says("ភាសាខ្មែរជាភាសាផ្លូវការរបស់ប្រទេសកម្ពុជា" * 40)
        await row(page, customer).click()
        text = page.locator(".bubble .text")
        await text.wait_for()
        assert await text.evaluate("node => node.scrollWidth <= node.clientWidth")
        assert (
            await text.evaluate(
                "node => parseFloat(getComputedStyle(node).lineHeight) / parseFloat(getComputedStyle(node).fontSize)"
            )
            >= 1.6
        )


class TestByKeyboard:
    async def test_conversations_and_messages_are_reached(self, console, customer):
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

    async def test_single_keys_act_and_can_be_turned_off(self, desk, console, customer):
        other = desk.customer()
        await customer.says("older")
        await row(console, customer).wait_for()
        await other.says("newer")
        await row(console, other).click()
        await console.get_by_role("heading", name=other.name).wait_for()
        await console.get_by_role("log").focus()
        await console.keyboard.press("j")
        await console.get_by_role("heading", name=customer.name).wait_for()
        await console.keyboard.press("r")
        await expect(console.locator("#reply-text")).to_be_focused()
        await console.keyboard.type("jk?")
        assert await console.locator("#reply-text").input_value() == "jk?"
        await console.get_by_role("log").focus()
        await console.keyboard.press("?")
        await console.get_by_role("dialog").get_by_text("Next conversation").wait_for()
        await shot(console, "help")
        await console.get_by_label("Single keys act").uncheck()
        await console.keyboard.press("Escape")
        await console.get_by_role("log").focus()
        await console.keyboard.press("k")
        await console.keyboard.press("/")
        await expect(console.get_by_role("log")).to_be_focused()
        await console.get_by_role("heading", name=customer.name).wait_for()


class TestByScreenReader:
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    async def test_nothing_stands_in_the_way(self, desk, open_page, customer, scheme):
        """https://dequeuniversity.com/rules/axe/ over the desk with a conversation, and over both windows."""
        page = await open_page(color_scheme=scheme)
        await live(page)
        await customer.says("hello", envelope.Media(media="file", handle="h", name="contract.pdf"))
        await row(page, customer).click()
        await page.locator("#steps .step").nth(3).wait_for()
        await shot(page, scheme)
        found = await violations(page)
        for button in ("#accounts-button", "#help-button"):
            await page.locator(button).click()
            found += await violations(page)
            await page.keyboard.press("Escape")
        assert found == []

    async def test_the_door_is_open_too(self, open_page):
        page = await open_page(token="")
        await page.get_by_label("Token").wait_for()
        assert await violations(page) == []

    async def test_every_control_has_a_name(self, console, customer):
        await customer.says("hello")
        await row(console, customer).click()
        await console.get_by_label(f"Reply to {customer.name}").wait_for()
        nameless = await console.evaluate("""() => [...document.querySelectorAll("#desk button, #desk input, #desk textarea, header :is(button, select), iframe")]
            .filter((node) => node.offsetParent && !(node.innerText?.trim() || node.ariaLabel || node.title || node.labels?.length))
            .map((node) => node.outerHTML)""")
        assert nameless == []


class TestInOneHand:
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize("locale", ["en-US", "km-KH"])
    async def test_it_is_as_wide_as_the_phone(self, open_page, customer, scheme, locale):
        page = await open_page(viewport={"width": 390, "height": 844}, color_scheme=scheme, locale=locale)
        await live(page)
        await customer.says("a very long word " + "ក" * 300)
        await row(page, customer).click()
        await bubble(page, "a very long word").wait_for()
        for view in VIEWS:
            await page.locator(f".switch [data-view={view}]").click()
            await page.locator(f"#{view}-pane").wait_for()
            assert await page.evaluate("document.documentElement.scrollWidth") <= 390
            await shot(page, f"phone-{locale}-{scheme}-{view}")

    async def test_every_tab_of_the_customers_side_can_be_reached(self, open_page):
        page = await open_page(viewport={"width": 390, "height": 844})
        await live(page)
        await page.locator(".switch [data-view=customer]").click()
        await page.get_by_role("tab", name="Web chat").focus()
        await page.keyboard.press("End")
        last = page.get_by_role("tab", name="Mail")
        await expect(last).to_be_in_viewport(ratio=0.95)
        await expect(page.locator("#panel-mailbox")).to_be_visible()


class TestInAnyLight:
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    async def test_colours_that_carry_text_stand_out(self, open_page, scheme):
        """WCAG 2.2, 1.4.3: at least 4.5 : 1, also where axe sees no such text now."""
        page = await open_page(color_scheme=scheme)
        await live(page)
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
            return [["ink", "ground"], ["ink", "surface"], ["soft", "surface"], ["soft", "raised"], ["soft", "hover"], ["soft", "bad-soft"],
                ["accent", "surface"], ["accent", "accent-soft"], ["ink", "accent-soft"], ["soft", "accent-soft"], ["accent-ink", "accent"],
                ["bad", "bad-soft"], ["bad", "surface"], ["warn", "surface"], ["warn", "warn-soft"], ["good", "surface"]]
                .map((pair) => contrast(...pair));
        }""")
        assert [pair for pair in pairs if pair[2] < 4.5] == []

    async def test_a_machine_that_forces_its_colours_still_tells_what_is_chosen(self, open_page, customer):
        page = await open_page(forced_colors="active")
        await live(page)
        await customer.says("hello")
        await row(page, customer).click()
        outline = await row(page, customer).evaluate("node => getComputedStyle(node).outlineStyle")
        assert outline == "solid"
        await shot(page, "forced-colors")

    async def test_nothing_moves_for_those_who_asked_for_that(self, open_page):
        page = await open_page(reduced_motion="reduce")
        await live(page)
        moving = await page.evaluate("document.getAnimations().filter((one) => one.playState === 'running').length")
        assert moving == 0


class TestWhatWasRead:
    async def test_stays_read_after_a_reload_and_the_rest_unread(self, desk, console, customer):
        read = desk.customer()
        await read.says("I was read")
        await row(console, read).click()
        await bubble(console, "I was read").wait_for()
        await customer.says("one")
        await customer.says("two")
        await expect(row(console, customer).locator(".count")).to_have_text("2")
        await console.reload()
        await live(console)
        await expect(row(console, customer).locator(".count")).to_have_text("2")
        assert await row(console, read).locator(".count").count() == 0

    async def test_what_came_while_nobody_looked_is_unread(self, desk, console, customer):
        await customer.says("one")
        await row(console, customer).click()
        await bubble(console, "one").wait_for()
        address = console.url
        await console.goto("about:blank")
        await customer.says("two")
        stranger = desk.customer()
        await stranger.says("new here")
        await console.goto(address)
        await live(console)
        await expect(row(console, stranger).locator(".count")).to_have_text("1")
