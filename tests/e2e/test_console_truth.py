"""What the console claims is so: which conversation is shown, what was sent, what is new, whose word a name is, where a link leads."""

import json
import re
import uuid

import asyncpg
import pytest
from playwright.async_api import expect

from shared.contract import envelope
from shared.contract.records import REQUESTS
from shared.contract.requests import Reply
from tests.e2e.console_desk import bubble, live, row, shot

STRANGE = [None, [], 1, "x", {}, {"message": [1]}, {"conversation": ["x"], "sequence": "a"}]
HIDE_LIST = json.dumps({"conversations": [], "next": None})


async def conversation_of(page, customer):
    """The id under which the router knows the customer's conversation."""
    await row(page, customer).click()
    await page.wait_for_url(re.compile("conversation="))
    return page.url.partition("conversation=")[2]


async def without_list(page):
    """A router with so many conversations that none of ours is on the first page."""
    await page.route("**/api/conversations?*", lambda route: route.fulfill(body=HIDE_LIST))


async def changed(page, change):
    """Every event of a loaded conversation, changed on its way to the page."""

    async def tell(route):
        answer = await route.fetch()
        body = await answer.json()
        for event in body["events"]:
            change(event)
        await route.fulfill(response=answer, json=body)

    await page.route("**/api/conversations/*?after=*", tell)


async def forget(desk, conversation, *, but):
    """All of its messages, but so many, are no longer kept."""
    connection = await asyncpg.connect(desk.stack.addresses.database, server_settings={"search_path": "router"})
    last = await connection.fetchval("SELECT last_sequence FROM conversation WHERE id = $1", uuid.UUID(conversation))
    for table in ("message", "event"):
        await connection.execute(
            f"DELETE FROM {table} WHERE conversation_id = $1 AND sequence <= $2", uuid.UUID(conversation), last - but
        )
    await connection.execute(
        "UPDATE conversation SET removed_to = $2 WHERE id = $1", uuid.UUID(conversation), last - but
    )
    await connection.close()


def arrived(event):
    if event["type"] == "message.status":
        event["data"] |= {"status": "sent", "failure": None}


async def follow_link(page, conversation):
    """As a person does who pastes an address into a new tab."""
    await page.evaluate("() => history.replaceState(null, '', location.pathname)")
    await page.goto(page.url.partition("#")[0] + f"#conversation={conversation}")
    await page.reload()
    await live(page)


class TestALink:
    async def test_opens_its_conversation_though_no_list_shows_it(self, desk, open_page, customer):
        await customer.says("the one that is meant")
        await desk.customer().says("somebody else, later")
        page = await open_page()
        await live(page)
        link = await conversation_of(page, customer)
        await without_list(page)
        await follow_link(page, link)
        await bubble(page, "the one that is meant").wait_for()
        assert customer.name in await page.locator("#thread-head h2").inner_text()

    @pytest.mark.parametrize("written", [str.upper, "{{{}}}".format, lambda link: link.replace("-", "")])
    async def test_however_its_id_is_written_opens_its_conversation(self, open_page, customer, written):
        await customer.says("the one that is meant")
        page = await open_page()
        await live(page)
        await follow_link(page, written(await conversation_of(page, customer)))
        await bubble(page, "the one that is meant").wait_for()

    async def test_is_followed_again_when_the_router_could_not_answer(self, open_page, customer):
        await customer.says("the one that is meant")
        page = await open_page()
        await live(page)
        link = await conversation_of(page, customer)
        asked = []

        async def refuse_first(route):
            asked.append(route.request.url)
            answer = {"error": {"code": "unreachable", "detail": "PostgreSQL is away"}}
            await (route.continue_() if len(asked) > 1 else route.fulfill(status=503, json=answer))

        await page.route(f"**/api/conversations/{link}?*", refuse_first)
        await follow_link(page, link)
        await bubble(page, "the one that is meant").wait_for()
        assert len(asked) > 1

    @pytest.mark.parametrize("link", [str(uuid.UUID(int=7)), "no-id-at-all", "x/../../state?"])
    async def test_to_nothing_says_so_and_opens_nobody_elses(self, open_page, customer, link):
        await customer.says("nobody asked for me")
        page = await open_page()
        await live(page)
        await row(page, customer).wait_for()
        await follow_link(page, link)
        await page.get_by_text("There is no conversation with this address.").wait_for()
        await row(page, customer).wait_for()
        assert await page.locator(".message, .row[aria-current=true]").count() == 0
        assert await page.get_by_role("alert").filter(visible=True).count() == 0
        await shot(page, "link-unknown")

    async def test_to_one_whose_beginning_is_no_longer_kept_begins_behind_it_and_says_so(
        self, desk, open_page, customer
    ):
        for text in ("the first", "the second", "the third"):
            await customer.says(text)
        page = await open_page()
        await live(page)
        link = await conversation_of(page, customer)
        await bubble(page, "the third").wait_for()
        await forget(desk, link, but=1)
        await without_list(page)
        await follow_link(page, link)
        await bubble(page, "the third").wait_for()
        await page.get_by_text("Older messages are gone").wait_for()
        assert await page.get_by_role("button", name="Earlier messages").count() == 0
        assert await page.locator(".message").count() == 1
        await customer.says("the fourth")
        await bubble(page, "the fourth").wait_for()
        await shot(page, "link-trimmed")

    async def test_pasted_into_an_open_page_is_followed_too(self, desk, open_page, customer):
        await customer.says("first")
        other = desk.customer()
        await other.says("second")
        page = await open_page()
        await live(page)
        link = await conversation_of(page, customer)
        await row(page, other).click()
        await bubble(page, "second").wait_for()
        await page.evaluate("link => { location.hash = `conversation=${link}`; }", link)
        await bubble(page, "first").wait_for()


class TestASendWhoseFateIsUnknown:
    async def test_is_said_to_be_unknown_and_its_draft_goes_with_its_event(self, open_page, customer):
        """The router takes it; its answer gets lost; its event is held back for a while."""
        keys = []

        async def lose_answer(route):
            keys.append(route.request.headers["idempotency-key"])
            if len(keys) > 1:
                await route.fetch()
            await route.abort()

        page = await open_page(prepare=lambda page: page.route("**/reply", lose_answer))
        await live(page)
        await customer.says("hello")
        await row(page, customer).click()
        box = page.locator("#reply-text")
        await box.fill("perhaps you have this already")
        await box.press("Enter")
        await page.get_by_role("alert").get_by_text("it is not known whether this was sent").wait_for()
        assert await page.get_by_text("Not sent").count() == 0
        assert await box.input_value() == "perhaps you have this already"
        await shot(page, "fate-unknown")
        await box.press("Enter")
        await bubble(page, "perhaps you have this already").wait_for()
        await expect(box).to_have_value("")
        assert await page.get_by_text("not known whether").count() == 0
        assert len(set(keys)) == 1

    async def test_keeps_what_was_written_meanwhile(self, console):
        """Its event settles the request that it names, and no other words."""
        kept = await console.evaluate("""async () => {
            const { alter, doubt, emptyDraft, settle } = await import("/console/view/reply/draft.js");
            const queued = (id) => ({ type: "message.queued", data: { request_id: id } });
            const draft = { ...emptyDraft(), text: "first" };
            const { key } = draft;
            doubt(draft, key);
            alter(draft, { text: "second" });
            return [settle(draft, queued("another")), draft.trouble, settle(draft, queued(key)), draft.text, draft.trouble, draft.key === key];
        }""")
        assert kept == [False, {"doubt": True}, True, "second", None, False]

    async def test_that_was_refused_is_another_request_when_it_is_sent_again(self, console):
        again = await console.evaluate("""async () => {
            const { doubt, emptyDraft, settle } = await import("/console/view/reply/draft.js");
            const draft = { ...emptyDraft(), text: "words" };
            const { key } = draft;
            doubt(draft, key);
            settle(draft, { type: "request.refused", data: { request_id: key, failure: { code: "expired" } } });
            return [draft.text, draft.trouble.code, draft.key === key];
        }""")
        assert again == ["words", "expired", False]

    async def test_that_was_refused_before_its_answer_came_is_not_sent_for_ever(self, open_page, customer):
        async def answer_late(route):
            answer = await route.fetch()
            await page.locator(".note", has_text="A request was refused").wait_for()
            await route.fulfill(response=answer)

        page = await open_page(prepare=lambda page: page.route("**/reply", answer_late))
        await live(page)
        await customer.says("hello")
        await row(page, customer).click()
        await page.locator("#reply-text").fill("much too long " * 30_000)
        await page.locator("#reply-text").press("Enter")
        await page.locator(".refusal").get_by_text("too long for this channel").wait_for()
        await page.get_by_role("button", name="Write again").wait_for()
        assert await page.get_by_text("Sending …").count() == 0


class TestWhatIsNew:
    async def test_is_marked_below_and_ones_own_answer_comes_into_view(self, open_page, customer):
        for number in range(30):
            await customer.says(f"line {number}\n\nwith room")
        page = await open_page()
        await live(page)
        await row(page, customer).click()
        log, below = page.locator("#log"), page.locator("#below")
        await expect(bubble(page, "line 29")).to_be_in_viewport()
        await log.evaluate("node => { node.scrollTop = 0; }")
        await expect(bubble(page, "line 0")).to_be_in_viewport()
        await customer.says("are you there?")
        await expect(below).to_have_text("1 new message below")
        await expect(bubble(page, "line 0")).to_be_in_viewport()
        await shot(page, "new-below")
        await below.click()
        await expect(bubble(page, "are you there?")).to_be_in_viewport()
        await expect(below).to_be_hidden()
        await log.evaluate("node => { node.scrollTop = 0; }")
        await page.locator("#reply-text").fill("here I am")
        await page.locator("#reply-text").press("Enter")
        await expect(bubble(page, "here I am")).to_be_in_viewport()
        await expect(below).to_be_hidden()


class TestAPrivateAnswer:
    async def test_is_offered_once(self, desk, open_page):
        post = f"post-{uuid.uuid4().hex[:6]}"
        account = await desk.account("facebook", reply_to=True, private_reply=True)
        thread, window = envelope.Thread(thread_key=f"{post}-1"), envelope.Window()
        about = {"surface": "comment", "container": post, "thread": thread, "window": window}
        writer = desk.customer("facebook", account, peer=post, **about)
        await writer.says("Do you deliver?")
        page = await open_page()
        await live(page)
        await row(page, writer).click()
        await page.get_by_text("Private", exact=True).click()
        await page.locator("#reply-text").fill("Here is my number")
        await page.locator("#reply-text").press("Enter")
        await bubble(page, "Here is my number").get_by_text("It did not arrive").wait_for()
        assert await page.get_by_role("radio", name="Private").is_enabled(), "nothing has arrived"
        await changed(page, arrived)
        await page.reload()
        await page.get_by_text("It has been answered in private already").wait_for()
        assert await page.get_by_role("radio", name="Private").is_disabled()
        await shot(page, "private-once")
        await writer.says("And another question")
        await expect(page.get_by_role("radio", name="Private")).to_be_enabled()


class TestNames:
    async def test_are_known_of_who_is_in_no_loaded_list(self, open_page, stack, customer):
        await customer.says("hello")
        page = await open_page()
        await live(page)
        conversation = await conversation_of(page, customer)
        await without_list(page)
        await follow_link(page, "0")
        await expect(page.locator(".row")).to_have_count(0)
        answer = {"parts": [{"kind": "text", "text": "an answer from elsewhere"}]}
        await page.request.post(
            f"{stack.http('router')}/api/conversations/{conversation}/reply", headers=stack.bearer, data=answer
        )
        await row(page, customer).wait_for()

    async def test_that_a_site_signed_look_different_from_typed_ones(self, desk, console):
        name = f"Support {uuid.uuid4().hex[:8]}"
        account = await desk.account("webchat")
        typed = desk.customer("webchat", account, peer=f"visitor:{uuid.uuid4().hex}", name=f"{name} t")
        beside = desk.customer("webchat", account, peer=f"user:{uuid.uuid4().hex}", name=f"{name} b")
        signed = desk.customer(
            "webchat", account, peer=f"user:{uuid.uuid4().hex}", name=f"{name} s", name_verified=True
        )
        await typed.says("I am who I say")
        await beside.says("they know me by another name")
        await signed.says("I am whom they know")
        for _ in range(2):  # as events tell it, and as the API does
            await row(console, signed).get_by_text("signed in at the site").wait_for()
            await row(console, beside).get_by_text("signed in, name not verified").wait_for()
            await console.reload()
        signed.name, signed.name_verified = f"{name} s, the manager", False
        await signed.says("and now I say more than they")
        await row(console, signed).get_by_text("signed in, name not verified").wait_for()
        await row(console, typed).filter(has_text="not verified").click()
        await console.locator("#thread-head").get_by_text("not verified").wait_for()
        await shot(console, "names-vouched")

    async def test_turn_nothing_that_stands_beside_them(self, desk, console):
        """A file that is shown as harmless.exe.txt, and a name that turns the line in which it stands."""
        rest = uuid.uuid4().hex[:8]
        writer = desk.customer(name=f"\u202eevil {rest}")
        await writer.says(envelope.Media(media="file", handle="h", name=f"invoice-\u202etxt.exe-{rest}"))
        await console.locator(".row", has_text=f"evil {rest}").click()
        await console.locator(".file-name", has_text=f"invoice-txt.exe-{rest}").wait_for()
        assert "\u202e" not in await console.locator("body").inner_text()
        turned = await console.evaluate("""async () => {
            const { createWords } = await import("/console/i18n.js");
            return (await createWords()).t("typing", { name: "سارة" });
        }""")
        assert turned == "\u2068سارة\u2069 is typing"


class TestWhatNobodyCanRead:
    async def test_takes_nothing_else_along(self, open_page, customer):
        """An event that is none, or that a later version tells."""
        kinds = ("message.received", "message.edited", "conversation.opened", "of.the.future")
        told = [
            {"type": f"parley.{kind}.v1", "id": "x", "time": "never", "data": value}
            for kind in kinds
            for value in STRANGE
        ]
        lines = "".join(f"data: {json.dumps(one)}\n\n" for one in told)
        asked = []

        async def tell_first(route):
            asked.append(route.request.url)
            again = len(asked) > 1
            await (route.continue_() if again else route.fulfill(content_type="text/event-stream", body=lines))

        page = await open_page(prepare=lambda page: page.route("**/api/events", tell_first))
        await live(page)
        await customer.says("after")
        await row(page, customer).click()
        await bubble(page, "after").wait_for()
        assert len(asked) > 1


class TestLinks:
    async def test_lead_where_they_say_and_leave_no_trace(self, console, customer):
        await customer.says(
            "see https://shop.example/a(b), or javascript:alert(1)",
            envelope.Location(latitude=11.5564, longitude=104.9282, name="Wat Phnom"),
            envelope.Contact(name="Dara", phones=("+855 12 345",), emails=("dara@shop.example",)),
        )
        await row(console, customer).click()
        links = bubble(console, "see https").get_by_role("link")
        await expect(links).to_have_count(4)
        assert await links.evaluate_all("all => all.map(one => [one.getAttribute('href'), one.rel, one.target])") == [
            [address, "noopener noreferrer nofollow", "_blank"]
            for address in (
                "https://shop.example/a(b)",
                "https://www.openstreetmap.org/?mlat=11.5564&mlon=104.9282#map=16/11.5564/104.9282",
                "tel:+85512345",
                "mailto:dara@shop.example",
            )
        ]
        await shot(console, "links")

    async def test_above_the_comments_stands_the_post(self, desk, console):
        post = f"{uuid.uuid4().int % 10**9}_{uuid.uuid4().int % 10**9}"
        about = {"surface": "comment", "container": post, "thread": envelope.Thread(thread_key=f"{post}-1")}
        writer = desk.customer("facebook", await desk.account("facebook"), peer=post, **about)
        words = envelope.Quote(text="We open at seven.", external_id=post, url=f"https://www.facebook.com/{post}")
        await writer.says("On Sundays too?", context=envelope.MessageContext(quoted=words))
        await row(console, writer).click()
        above = console.locator("#log > .post")
        await above.get_by_text("We open at seven.").wait_for()
        await expect(above.get_by_role("link")).to_have_attribute("href", f"https://www.facebook.com/{post}")
        assert await bubble(console, "On Sundays too?").get_by_text("We open at seven.").count() == 0
        await shot(console, "post-above")


class TestWhatAMessageRefersTo:
    async def test_stands_in_a_line_above_its_words(self, console, customer):
        came = envelope.Referral(source="ad", title="Coffee week", url="https://ads.example/7")
        await customer.says("I saw this", context=envelope.MessageContext(referral=came))
        sender = envelope.Party(address="x", name="Rith")
        await customer.says("look", context=envelope.MessageContext(forwarded=True, forwarded_from=sender))
        await customer.says("this one", context=envelope.MessageContext(quoted=envelope.Quote(text="an older word")))
        await row(console, customer).click()
        await bubble(console, "I saw this").get_by_text("Came from an advertisement:").wait_for()
        link = bubble(console, "I saw this").get_by_role("link", name="Coffee week")
        await expect(link).to_have_attribute("href", "https://ads.example/7")
        await bubble(console, "look").get_by_text("Forwarded from Rith").wait_for()
        await bubble(console, "this one").locator("blockquote").get_by_text("an older word").wait_for()
        await shot(console, "context")


class TestWhatAProviderTells:
    async def test_is_a_thin_line_and_a_block_is_said_at_the_box(self, console, customer):
        await customer.says("hello")
        await row(console, customer).click()
        await bubble(console, "hello").wait_for()
        await customer.says(envelope.Notice(type="pinned"))
        await console.locator(".note", has_text=f"{customer.name} pinned a message").wait_for()
        came = envelope.MessageContext(referral=envelope.Referral(source="link", ref="table-7"))
        await customer.says(envelope.Notice(type="other", text="referral"), context=came)
        await console.locator(".note", has_text="Came by a link: table-7").wait_for()
        await customer.says(envelope.Notice(type="blocked"))
        await console.locator(".note", has_text="has blocked this account").wait_for()
        await console.locator(".advice", has_text="what you send would be refused").wait_for()
        assert await console.locator(".message").count() == 1
        await shot(console, "blocked")
        await console.reload()
        await console.locator(".advice", has_text="what you send would be refused").wait_for()
        await customer.says(envelope.Notice(type="responder", to="Other Desk"))
        await console.locator(".advice", has_text="Another app (Other Desk) answers here now").wait_for()


async def test_the_brake_is_said_at_the_box_after_a_reload_until_a_person_answers(desk, open_page):
    customer = desk.customer("telegram", await desk.account("telegram"))
    await customer.says("hello")
    page = await open_page()
    await live(page)
    conversation = await conversation_of(page, customer)
    for n in range(1, 17):
        answer = Reply(conversation=conversation, parts=(envelope.Text(text=f"answer {n}"),))
        await desk.put("request.reply", REQUESTS, answer, key=conversation)
        if n < 16:
            await bubble(page, f"answer {n}").first.wait_for()
            await customer.says(f"and {n}")
            await bubble(page, f"and {n}").first.wait_for()
    said = page.locator(".advice", has_text="Programs answered each other here")
    await said.wait_for()
    await page.reload()
    await said.wait_for()
    answer = answer.model_copy(update={"author": "Sreymom"})
    await desk.put("request.reply", REQUESTS, answer, key=conversation)
    await said.wait_for(state="detached")


async def test_a_send_that_failed_is_marked_in_the_list_and_stays_so_after_a_reload(desk, open_page):
    customer = desk.customer("telegram", await desk.account("telegram"))
    await customer.says("hello")
    page = await open_page()
    await live(page)
    await row(page, customer).click()
    await page.locator("#reply-text").fill("good morning")
    await page.locator("#reply-text").press("Enter")
    lost = row(page, customer).get_by_text("The newest answer did not arrive")
    await lost.wait_for()
    await page.reload()
    await lost.wait_for()
    await shot(page, "lost-in-list")
