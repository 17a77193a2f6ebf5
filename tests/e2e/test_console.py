"""The console in a real browser on the whole stack: what a stranger writes is seen, harmless, answered and followed."""

import asyncio
import re
import uuid
from datetime import UTC, datetime

import pytest
from playwright.async_api import expect

from shared.contract import envelope
from shared.contract.deliveries import MediaUpdate
from tests.e2e.console_desk import FOLLOWED, bubble, live, read_token, row, shot
from tests.patience import SECONDS


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

    async def test_shows_to_a_token_that_may_only_read_nothing_that_writes(self, open_page, stack, customer):
        await customer.says("read me")
        page = await open_page(token=await read_token(stack))
        await live(page)
        await row(page, customer).click()
        await bubble(page, "read me").wait_for()
        await page.get_by_text("This token may only read.").wait_for()
        assert await page.locator("#reply textarea").count() == 0


class TestTheSearch:
    async def test_finds_what_somebody_said_and_opens_it_there(self, console, customer):
        await customer.says("the first words of many")
        mark = uuid.uuid4().hex[:8]
        for number in range(25):
            await customer.says(f"តើការដឹកជញ្ជូន {mark} ទី{number} មកដល់ថ្ងៃណា?")
        await row(console, customer).filter(has_text="24").wait_for()
        found = console.locator(".hit")
        async with asyncio.timeout(SECONDS):
            while await found.count() < 20:  # what was said is found a moment later
                for words in ("", f"ដឹកជញ្ជូន {mark}"):
                    await console.get_by_role("searchbox").fill(words)
                    await console.wait_for_timeout(700)
        assert await found.first.locator("mark").all_inner_texts() == ["ដឹកជញ្ជូន", mark]
        await console.get_by_role("button", name="Show more").click()
        await expect(found).to_have_count(25)
        await found.filter(has_text="ទី0 ").click()  # those of one batch have one time, and are in any order
        await expect(bubble(console, f"{mark} ទី0 ")).to_be_in_viewport()
        await shot(console, "found")


class TestAConversation:
    async def test_appears_on_top_unread_while_nothing_is_reloaded(self, console, customer):
        await customer.says("first words")
        await row(console, customer).wait_for()
        assert customer.name in await console.locator(".row").first.inner_text()
        await row(console, customer).click()
        other = customer.desk.customer()
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
        await row(console, customer).click()
        await console.get_by_text("This message was deleted.").wait_for()
        edited = bubble(console, "on Monday")
        await edited.get_by_text("edited").click()
        await edited.get_by_text("on Munday").wait_for()
        await customer.says(envelope.Reaction(target=first.external_id, emoji="👍"))
        await edited.get_by_text("👍").wait_for()
        assert await edited.get_by_text("on Munday").is_visible(), "a reaction closes nothing that was opened"

    async def test_shows_the_words_of_an_edit_whose_message_is_not_known(self, console, customer):
        await customer.says("hello")
        await customer.says(envelope.Edit(target="v-early"), "on Monday")
        await row(console, customer).click()
        await bubble(console, "on Monday").wait_for()
        await console.get_by_text("A message that is not shown here was edited").wait_for()

    async def test_shows_each_of_a_persons_reactions_until_that_one_is_taken_back(self, console, customer):
        first = await customer.says("the menu of today")
        for change in ({"emoji": "👍"}, {"emoji": "🔥"}, {"emoji": "👍", "removed": True}):
            await customer.says(envelope.Reaction(target=first.external_id, **change))
        await row(console, customer).click()
        shown = bubble(console, "the menu of today").locator(".reactions")
        await shown.filter(has_text="🔥").filter(has_not_text="👍").wait_for()
        await customer.says(envelope.Reaction(target=first.external_id, emoji="🎉", replaces=True))
        await shown.filter(has_text="🎉").filter(has_not_text="🔥").wait_for()

    async def test_says_honestly_what_became_of_files_and_what_is_not_translated(self, console, customer):
        late = envelope.Media(media="file", state="unavailable", reason="expired", name="receipt.pdf")
        await customer.says(late)
        message = await customer.says(envelope.Media(media="file", handle="h", name="contract.pdf"))
        await customer.says(envelope.Unsupported(type="poll"))
        await row(console, customer).click()
        await console.get_by_text("Not translated (poll)").wait_for()
        update = MediaUpdate(
            message_id=message.id,
            tenant="default",
            channel=customer.channel,
            account=customer.account,
            peer=customer.peer,
            part=0,
            state="unavailable",
            reason="expired",
            occurred_at=datetime.now(UTC),
        )
        await customer.tell("media", update)
        await bubble(console, "contract.pdf").locator("[data-state=unavailable]").wait_for()
        await bubble(console, "receipt.pdf").get_by_text("Not available: the link has expired").wait_for()


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
        await console.locator("#steps .step[data-place=provider]").first.wait_for()
        outbound = console.locator("#steps .step[data-place=outbound] .step-detail")
        assert await outbound.inner_text() == ""  # nobody knows yet what will become of it
        await console.locator("#steps .step-detail", has_text="Sent").wait_for()
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
        await page.get_by_text("it is not known whether this was sent").wait_for()
        assert await box.input_value() == "one message, however often it is tried"
        await box.press("Enter")
        await bubble(page, "one message, however").wait_for()
        assert len(keys) == 2
        assert keys[0] == keys[1]

    async def test_offers_buttons_to_press(self, console, customer):
        await customer.says("do you deliver?")
        await row(console, customer).click()
        await console.get_by_role("button", name="Offer buttons").click()
        await console.get_by_label("Answers to press, one per line").fill("Today\n\nTomorrow\nToday")
        await console.locator("#reply-text").fill("When?")
        async with console.expect_request("**/reply") as asked:
            await console.locator("#reply-text").press("Enter")
        [part] = (await asked.value).post_data_json["parts"]
        options = [{"id": "1", "title": "Today"}, {"id": "2", "title": "Tomorrow"}]
        assert part == {"kind": "choices", "text": "When?", "style": "buttons", "options": options}
        await bubble(console, "When?").locator(".option", has_text="Tomorrow").wait_for()
        await expect(console.get_by_label("Answers to press, one per line")).to_be_hidden()
        await shot(console, "offered")

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


class TestTheWay:
    async def test_of_an_inbound_message_leads_from_webhook_to_events(self, console, customer):
        await customer.says("where have I been?")
        await row(console, customer).click()
        await bubble(console, "where have I been?").wait_for()
        await console.locator("#steps .step").nth(3).wait_for()
        names = await console.locator("#steps .step-name").all_inner_texts()
        assert names == ["Webhook", "Inbound", "Router", "Events"]

    async def test_is_the_same_after_a_reload(self, console, customer):
        """The stream said when Kafka took the event; afterwards only the log knows."""
        await customer.says("remember me")
        await row(console, customer).click()
        await bubble(console, "remember me").wait_for()
        await console.locator("#steps .step").nth(3).wait_for()
        before = await console.locator("#steps .step-time").all_inner_texts()
        await console.reload()
        await bubble(console, "remember me").wait_for()
        await console.locator("#steps .step").nth(3).wait_for()
        assert await console.locator("#steps .step-time").all_inner_texts() == before

    async def test_of_a_receipt_whose_provider_counts_seconds_still_goes_forward(self, console):
        """Queued at .400, read at .900, which the provider calls .000."""
        places = await console.evaluate("""async () => {
            const { wayOf } = await import("/console/fold/way.js");
            const at = (ms) => `2026-01-01T00:00:00.${ms}Z`;
            const event = (type, status, ...trail) => ({ type, published_at: null, data: { status, trail: trail.map(([place, ms]) => ({ place, at: at(ms) })) } });
            const records = [
                event("message.queued", null, ["requests", "400"], ["router", "420"]),
                event("message.status", "sent", ["outbound", "500"], ["provider", "600"], ["delivery", "610"], ["router", "620"]),
                event("message.status", "read", ["provider", "000"], ["delivery", "900"], ["router", "910"]),
            ];
            return wayOf({ records }).map(({ place, since }) => [place, Math.round(since)]);
        }""")
        assert places == [
            ["requests", 0], ["router", 20], ["outbound", 100], ["provider", 200], ["delivery", 210], ["router", 220],
            ["delivery", 500], ["router", 510],
        ]  # fmt: skip


class TestTheCustomersSide:
    """Nothing but what a person can see and press: the customer's places on the left, the agent on the right."""

    async def test_chats_from_the_widget_and_reads_the_answer_there(self, console):
        widget = console.frame_locator("#panel-webchat iframe")
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

    @pytest.mark.parametrize("key", ["Tab", "Shift+Tab"])
    async def test_the_keyboard_leaves_the_widget_as_it_came(self, console, key):
        await console.frame_locator("#panel-webchat iframe").get_by_label("Write a message").focus()
        assert await console.evaluate("document.activeElement.localName") == "iframe"
        for _ in range(8):
            await console.keyboard.press(key)
            if await console.evaluate("document.activeElement.localName") != "iframe":
                break
        assert await console.evaluate("document.activeElement.localName") in {"button", "input", "select"}

    @pytest.mark.parametrize(
        ("tab", "status"), [("Telegram", "^sent$"), ("WhatsApp", "^read$"), ("Messenger", "^read$")]
    )
    async def test_writes_from_a_phone_and_reads_the_answer_there(self, console, tab, status):
        await console.get_by_role("tab", name=tab).click()
        phone = console.frame_locator(f"#panel-{tab.lower()} iframe")
        said, answered = f"សួស្តី {uuid.uuid4().hex[:6]}", f"Good morning {uuid.uuid4().hex[:6]}"
        await phone.get_by_role("textbox", name="Message").fill(said)
        await phone.get_by_role("textbox", name="Message").press("Enter")
        await console.locator(".row", has_text=said).click()
        await console.locator("#reply-text").fill(answered)
        await console.locator("#reply-text").press("Enter")
        await phone.get_by_text(answered).wait_for()
        await expect(bubble(console, answered).locator(".status")).to_have_attribute("data-status", re.compile(status))
        await shot(console, f"phone-{tab.lower()}")

    async def test_moves_among_its_tabs_by_arrows_and_keeps_what_was_open(self, console):
        await console.get_by_role("tab", name="Web chat").focus()
        typed = console.frame_locator("#panel-webchat iframe").get_by_label("Write a message")
        await typed.fill("half a sentence")
        await console.get_by_role("tab", name="Web chat").focus()
        for key, tab in (
            ("End", "Mail"),
            ("Home", "Web chat"),
            ("ArrowLeft", "Mail"),
            ("ArrowRight", "Web chat"),
        ):
            await console.keyboard.press(key)
            await expect(console.get_by_role("tab", name=tab)).to_be_focused()
            await expect(console.get_by_role("tab", name=tab)).to_have_attribute("aria-selected", "true")
        assert await typed.input_value() == "half a sentence"
        assert await console.locator("[role=tab][tabindex='0']").count() == 1


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

    async def test_says_how_many_pieces_of_a_long_message_are_as_far_as_the_furthest(self, console):
        told = [
            ("sent", ["delivered", "sent", "delivered"]),
            ("failed", ["read", "failed", "sent"]),
            ("read", ["read", "read"]),
            ("sent", []),
        ]
        said = await console.evaluate(
            """async (told) => {
            const { furthestPieces } = await import("/console/fold/thread.js");
            return told.map(([status, pieces]) => furthestPieces({ status, pieces: pieces.map((status) => ({ status })) }));
        }""",
            told,
        )
        two, failed = {"status": "delivered", "n": 2, "all": 3}, {"status": "failed", "n": 1, "all": 3}
        assert said == [two, failed, None, None]

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
