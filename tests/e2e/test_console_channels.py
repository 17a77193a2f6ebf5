"""What the console shows of each kind of channel: windows, templates, mail, comments, strangers, pictures, answers to a message."""

import uuid
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from playwright.async_api import expect

from shared.contract import envelope
from tests.e2e.console_desk import bubble, row, shot

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000040000000408020000002693092900000012494441547801636460f8cf"
    "c0c0c4000348ac000b16010d83e14d5e0000000049454e44ae426082"
)


def after(**span):
    return datetime.now(UTC) + timedelta(**span)


async def picture(desk, name, content=PNG):
    """A media part of a file that is in the store."""
    url = desk.stack.http("router") + "/api/media"
    headers = desk.stack.bearer | {"Content-Type": "image/png"}
    async with aiohttp.ClientSession(headers=headers) as client, client.post(url, data=content) as answer:
        stored = await answer.json()
    return envelope.Media(media="image", state="stored", blob=stored["blob"], size=stored["size"], name=name)


async def sends(page, press):
    """The body of the reply that `press` sends."""
    async with page.expect_request("**/reply") as asked:
        await press()
    return (await asked.value).post_data_json


class TestTheWindow:
    async def test_says_until_when_one_may_write_freely(self, desk, console):
        account = await desk.account("whatsapp", template="full")
        customer = desk.customer("whatsapp", account, window=envelope.Window(until=after(hours=3, minutes=30)))
        await customer.says("hello")
        await row(console, customer).click()
        await console.get_by_text("You can write freely until").wait_for()
        await console.get_by_text("(3 hr left)").wait_for()
        await expect(console.locator("#reply-text")).to_be_enabled()

    async def test_that_is_closed_leaves_the_template(self, desk, console):
        account = await desk.account("whatsapp", template="full", starts="template")
        closed = envelope.Window(until=after(hours=-2), allows=("free_text", "template"))
        customer = desk.customer("whatsapp", account, window=closed)
        await customer.says("still there?")
        await row(console, customer).click()
        await console.get_by_text("only a template may be sent").wait_for()
        await expect(console.locator("#reply-text")).to_be_hidden()
        await console.get_by_label("Name", exact=True).fill("order_update")
        await console.get_by_label("Language").last.fill("km")
        await console.get_by_label("What fills its places").fill("សុខា\n1042")
        body = await sends(console, console.get_by_role("button", name="Send", exact=True).click)
        assert body["parts"] == [
            {"kind": "template", "name": "order_update", "language": "km", "parameters": ["សុខា", "1042"]}
        ]
        await bubble(console, "order_update").get_by_text("1042").wait_for()
        await shot(console, "template")

    async def test_that_is_closed_for_machines_takes_a_persons_answer_with_a_name_or_without(self, desk, console):
        account = await desk.account("facebook")
        closed = envelope.Window(until=after(hours=-2), human_agent_until=after(days=5, hours=1))
        customer = desk.customer("facebook", account, window=closed)
        await customer.says("is it still for sale?")
        await row(console, customer).click()
        await console.get_by_text("a person may answer until").wait_for()
        await console.locator("#reply-text").fill("Of course")
        body = await sends(console, lambda: console.locator("#reply-text").press("Enter"))
        assert (body.get("author"), body["automatic"]) == (None, False)
        await bubble(console, "Of course").get_by_text("by a person").wait_for()
        await console.get_by_label("Your name").fill("Dara")
        await console.locator("#reply-text").fill("Yes")
        body = await sends(console, lambda: console.locator("#reply-text").press("Enter"))
        assert (body["author"], body["automatic"]) == ("Dara", False)
        await bubble(console, "Yes").get_by_text("by a person").wait_for()
        await console.reload()
        assert await console.get_by_label("Your name").input_value() == "Dara"

    async def test_that_is_closed_for_everything_says_so(self, desk, console):
        account = await desk.account("facebook")
        customer = desk.customer("facebook", account, window=envelope.Window(until=after(hours=-1)))
        await customer.says("hello?")
        await row(console, customer).click()
        await console.get_by_text("nothing can be sent until the customer writes again").wait_for()
        await expect(console.locator("#reply-text")).to_be_disabled()


class TestAMail:
    HTML = (
        '<h2>Order 1042</h2><p>ក្រមាសូត្រ</p><img src="cid:p1"><img data-src="http://127.0.0.1:9/pixel.gif">'
        '<script>parent.document.title = "taken"</script><img src="x" onerror="alert(1)">'
        '<form action="http://127.0.0.1:9/"><button>Press</button></form>'
        '<blockquote type="cite">On Monday you wrote</blockquote>'
    )

    def writer(self, desk, account):
        return desk.customer("email", account, peer=f"{uuid.uuid4().hex[:8]}@example.org", surface="email")

    async def test_is_shown_with_its_lines_its_quote_folded_and_its_subject(self, desk, console):
        account = await desk.account("email", attachments=10)
        writer = self.writer(desk, account)
        subject = f"Order {writer.count} of {writer.peer}"
        words = envelope.Text(text="It has come.", quoted="> On Monday you wrote", signature="Sreymom")
        to = (envelope.Party(address="shop@example.org", name="Shop"), envelope.Party(address="boss@example.org"))
        await writer.says(words, thread=envelope.Thread(subject=subject), recipients=to)
        await row(console, writer).click()
        await console.get_by_role("heading", name=subject).wait_for()
        mail = bubble(console, "It has come.")
        await mail.get_by_text(f"{writer.name} <{writer.peer}>").wait_for()
        await mail.get_by_text("Shop <shop@example.org> and boss@example.org").wait_for()
        await expect(mail.get_by_text("On Monday you wrote")).to_be_hidden()
        await mail.get_by_text("Quoted text").click()
        await mail.get_by_text("On Monday you wrote").wait_for()

    async def test_says_of_which_kind_it_is_and_why_and_a_report_is_a_line_in_words(self, desk, console):
        writer = self.writer(desk, await desk.account("email"))
        first = await writer.says("Is it there?", thread=envelope.Thread(subject=writer.peer))
        await row(console, writer).click()
        by_hand = bubble(console, "Is it there?")
        await by_hand.get_by_text(writer.peer).first.wait_for()
        await expect(by_hand.get_by_text("Kind")).to_have_count(0)
        about = {"thread": envelope.Thread(subject=writer.peer, reply_to=first.external_id)}
        away = {"kind": "out_of_office", "until": datetime(2038, 2, 16, tzinfo=UTC)}
        for words, judged, said in (
            ("Back soon.", away, "out of office until Tuesday, February 16 (auto-submitted)"),
            ("Out.", {"kind": "out_of_office"}, "out of office (auto-submitted)"),
            ("Ticket 7.", {"kind": "automatic"}, "an automatic mail (auto-submitted)"),
            ("News.", {"kind": "list"}, "from a mailing list (auto-submitted)"),
            ("Win.", {"kind": "human", "spam": True}, "spam (auto-submitted)"),
        ):
            await writer.says(words, assessment=envelope.Assessment(reasons=("auto-submitted",), **judged), **about)
            await bubble(console, words).get_by_text(said, exact=True).wait_for()
        bounce = envelope.Bounce(recipient=writer.peer, status="4.4.1", type="delayed")
        for judged, said in (
            ({"kind": "bounce", "bounce": bounce.model_copy(update={"type": "hard"})}, "A mail did not arrive: why"),
            ({"kind": "bounce", "bounce": bounce}, "A mail has not arrived yet, and is still tried: why"),
            ({"kind": "complaint"}, "A mail was reported as unwanted: why"),
            ({"kind": "receipt"}, "Told of a mail: why"),
        ):
            notice = envelope.Notice(type="other", text=f"{judged['kind']}: why")
            await writer.says(notice, assessment=envelope.Assessment(**judged), **about)
            await console.locator(".note", has_text=said).wait_for()
        await shot(console, "mail-kinds")

    async def test_is_shown_as_it_was_designed_in_a_frame_that_can_do_nothing(self, desk, console):
        writer = self.writer(desk, await desk.account("email"))
        asked = []
        console.on("request", lambda request: asked.append(request.url))
        inline = (await picture(desk, "p.png")).model_copy(update={"content_id": "p1"})
        await writer.says(envelope.Text(text="Order 1042", html=self.HTML), inline)
        await row(console, writer).click()
        frame = console.locator(".mail-frame")
        await frame.wait_for()
        assert await frame.get_attribute("sandbox") == ""
        inside = console.frame_locator(".mail-frame")
        await inside.get_by_role("heading", name="Order 1042").wait_for()
        assert (await inside.locator("img").first.get_attribute("src")).startswith("data:image/png;base64,")
        assert await console.locator(".gallery").count() == 0
        await inside.get_by_role("button", name="Press").click()
        assert "taken" not in await console.title()
        assert not [url for url in asked if "127.0.0.1:9/" in url]
        await expect(inside.get_by_text("On Monday you wrote")).to_be_hidden()
        await inside.get_by_text("Quoted text").click()
        await inside.get_by_text("On Monday you wrote").wait_for()
        await shot(console, "mail")
        await console.get_by_role("button", name="Show images").click()
        await console.get_by_role("button", name="Hide images").wait_for()
        async with console.expect_event("requestfailed", lambda request: request.url.endswith("/pixel.gif")):
            await console.get_by_role("button", name="Hide images").click()
            await console.get_by_role("button", name="Show images").click()
        await console.get_by_role("button", name="As text").click()
        await frame.wait_for(state="detached")
        await bubble(console, "Order 1042").locator(".text").wait_for()

    async def test_carries_several_files_of_which_one_can_be_taken_back(self, desk, console):
        writer = self.writer(desk, await desk.account("email", attachments=10))
        await writer.says("send me the papers")
        await row(console, writer).click()
        files = [{"name": f"{name}.txt", "mimeType": "text/plain", "buffer": name.encode()} for name in ("one", "two")]
        await console.get_by_label("Attach a file").set_input_files(files)
        await console.get_by_role("button", name="Remove two.txt").wait_for()
        await console.get_by_role("button", name="Remove one.txt").click()
        body = await sends(console, console.get_by_role("button", name="Send", exact=True).click)
        assert [part["name"] for part in body["parts"]] == ["two.txt"]


class TestComments:
    @pytest.fixture
    async def account(self, desk):
        return await desk.account("facebook", reply_to=True, private_reply=True, comment={"text": 20, "media": {}})

    def writer(self, desk, account, post, name):
        found = desk.customer(
            "facebook", account, peer=post, name=name, surface="comment", container=post,
            thread=envelope.Thread(thread_key=f"{post}-1"), window=envelope.Window(private_until=after(days=6, hours=1)),
        )  # fmt: skip
        found.address = f"{name.split()[0].lower()}-{post}"
        return found

    async def test_say_who_wrote_what_was_answered_and_what_was_hidden(self, desk, console, account):
        post = f"post-{uuid.uuid4().hex[:6]}"
        one, two = self.writer(desk, account, post, f"Bopha {post}"), self.writer(desk, account, post, f"Rith {post}")
        first = await one.says("តម្លៃប៉ុន្មាន?")
        thread = envelope.Thread(thread_key=f"{post}-1", reply_to=first.external_id)
        second = await two.says("Same question", thread=thread)
        await two.says(envelope.Visibility(target=second.external_id, hidden=True))
        await one.says(envelope.Deletion(target=first.external_id))
        await row(console, one).click()
        await bubble(console, "Same question").get_by_text("hidden", exact=True).wait_for()
        await bubble(console, "Same question").locator(".answered").get_by_text(one.name).wait_for()
        await bubble(console, one.name).get_by_text("This comment was removed.").wait_for()
        await shot(console, "comments")
        await two.says(envelope.Deletion(target=second.external_id))
        await expect(console.get_by_text("This comment was removed.")).to_have_count(2)
        await console.reload()
        await row(console, one).get_by_text("Facebook: comments on a post").wait_for()  # no words are left to show

    async def test_are_answered_in_public_or_in_private_by_their_own_limits(self, desk, console, account):
        post = f"post-{uuid.uuid4().hex[:6]}"
        writer = self.writer(desk, account, post, f"Bopha {post}")
        await writer.says("Do you deliver?")
        await row(console, writer).click()
        await console.get_by_text("in private until").wait_for()
        await console.locator("#reply-text").fill("We deliver in the whole city, every day.")
        await console.get_by_text("40 of 20 · goes in 3 pieces").wait_for()
        await console.get_by_text("Private", exact=True).click()
        await console.get_by_text("40 of 4,000").wait_for()
        body = await sends(console, lambda: console.locator("#reply-text").press("Enter"))
        assert body["private"] is True
        await bubble(console, "We deliver").get_by_text("in private").wait_for()


class TestWhoTakesNoPart:
    async def test_is_shown_as_a_stranger(self, desk, console):
        """Nothing but the router can say so; here its event is taken from the stream and changed on its way to the page."""
        address = f"{uuid.uuid4().hex[:8]}@elsewhere.example"

        async def flag(route):
            answer = await route.fetch()
            body = await answer.json()
            for event in body["events"]:
                if event["type"] == "message.received":
                    event["data"]["flagged"] = "stranger"
                if event["type"] == "conversation.opened":
                    event["data"]["linked"] = str(uuid.uuid4())
            await route.fulfill(response=answer, json=body)

        await console.route("**/api/conversations/*?after=*", flag)
        writer = desk.customer("email", await desk.account("email"), peer=address, surface="email")
        await writer.says("Please pay to my new account")
        await row(console, writer).click()
        await bubble(console, "Please pay").get_by_text(f"{address} wrote to this conversation's address").wait_for()
        await console.get_by_text("Names another conversation").wait_for()
        await shot(console, "stranger")


class TestAMessage:
    async def test_with_pictures_is_a_gallery_that_opens_large(self, desk, console):
        customer = desk.customer("whatsapp", await desk.account("whatsapp"))
        await customer.says(*[await picture(desk, f"{name}.png") for name in ("front", "side", "back")])
        await row(console, customer).click()
        await console.get_by_role("button", name="Enlarge side.png").click()
        large = console.get_by_role("dialog")
        await large.get_by_text("2 of 3 · side.png").wait_for()
        await console.keyboard.press("ArrowRight")
        await large.get_by_text("3 of 3 · back.png").wait_for()
        await console.keyboard.press("Escape")
        await expect(large).to_be_hidden()

    async def test_whose_file_is_no_longer_kept_says_so(self, desk, console):
        customer = desk.customer("whatsapp", await desk.account("whatsapp"))
        gone = await picture(desk, "gone.png", PNG + uuid.uuid4().bytes)
        (desk.stack.home / "blobs" / gone.blob).unlink()
        await customer.says(gone)
        await row(console, customer).click()
        await console.get_by_text("it is no longer kept").wait_for()

    async def test_is_answered_where_the_channel_shows_what_is_answered(self, desk, console):
        customer = desk.customer("telegram", await desk.account("telegram", reply_to=True))
        question = await customer.says("Which colour?")
        await customer.says("And which size?")
        await row(console, customer).click()
        await bubble(console, "Which colour?").hover()
        await bubble(console, "Which colour?").get_by_role("button", name="Answer").click()
        await console.get_by_text(f"Answer to {customer.name}: Which colour?").wait_for()
        await console.locator("#reply-text").fill("Red")
        body = await sends(console, lambda: console.locator("#reply-text").press("Enter"))
        assert body["in_reply_to"] == str(question.id)
        await bubble(console, "Red").locator(".answered").get_by_text("Which colour?").wait_for()

    async def test_that_the_channel_would_refuse_is_told_before_it_is_sent(self, desk, console):
        customer = desk.customer("whatsapp", await desk.account("whatsapp", media={"image": "full"}, media_bytes=1000))
        await customer.says("send me the film")
        await row(console, customer).click()
        film = {"name": "film.mp4", "mimeType": "video/mp4", "buffer": bytes(10)}
        await console.get_by_label("Attach a file").set_input_files(film)
        await console.get_by_text("This would be refused: this channel cannot carry that").wait_for()


class TestTheTableOfChannels:
    async def test_says_what_each_carries_and_shows_one_on_the_customers_side(self, desk, console):
        await console.get_by_role("button", name="Accounts").click()
        await console.get_by_role("button", name="What each channel carries").click()
        comes_in = console.get_by_role("table", name="What comes in")
        heads = await comes_in.locator("thead th").all_inner_texts()
        texts = comes_in.get_by_role("row").filter(has=console.get_by_role("rowheader", name="text", exact=True))
        await expect(texts.locator("td[data-mark=shown]")).to_have_count(len(heads))
        assert {"Email", "Slack", "YouTube", "Web chat"} <= set(heads)
        await comes_in.get_by_role("button", name="Slack").click()
        await expect(console.get_by_role("tab", name="Other apps")).to_have_attribute("aria-selected", "true")
        phone = console.frame_locator("#panel-apps iframe")
        await phone.get_by_text("It reaches the business as one from Slack would").wait_for()
