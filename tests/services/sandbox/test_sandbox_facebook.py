"""The sandbox's pages answer and tell as Facebook does; what the channel sends they take, what they tell the channel reads."""

import asyncio
import json
import signal
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from services.sandbox.facebook.windows import DAY, check_window
from services.sandbox.graph import GraphError
from services.social_adapter.channels.facebook import CHANNEL
from shared.contract.channel import (
    AlreadySent,
    Blob,
    Context,
    DeletePiece,
    EditPiece,
    MarkSeen,
    Message,
    Piece,
    React,
    Receipt,
    Request,
    Response,
    SendFailed,
    ThreadControl,
    TypingMark,
    Unverified,
)
from shared.contract.envelope import Choice, Deletion, Edit, Media, Reaction, Template, Text, Visibility
from tests.patience import SECONDS
from tests.pictures import PIXEL

SAMPLES = Path(__file__).parents[2] / "channels" / "facebook"
NUMBERS = iter(range(105_550_000_001, 105_999_999_999))
DARA = "7420016630001"


def now():
    return Context(now=datetime.now(UTC))


class Hook:
    """A real server that is an app's webhook: it verifies and reads as the channel does."""

    def __init__(self, app):
        self.app, self.records, self.bodies = app, asyncio.Queue(), []

    async def take(self, request):
        query = dict(request.query)
        headers = {name.lower(): value for name, value in request.headers.items()}
        came = Request(method=request.method, query=query, headers=headers, body=await request.read())
        try:
            if answer := CHANNEL.handshake(self.app, came, now()):
                return web.Response(status=answer.status, body=answer.body)
            CHANNEL.verify(self.app, came, now())
        except Unverified:
            return web.Response(status=401)
        self.bodies.append(came.json())
        for record in CHANNEL.inbound(self.app, came, now()):
            self.records.put_nowait(record)
        return web.Response()

    async def next(self, wanted=Message):
        async with asyncio.timeout(SECONDS):
            while True:
                record = await self.records.get()
                if isinstance(record, wanted):
                    return record


@asynccontextmanager
async def hooked(app):
    hook = Hook(app)
    server = web.Application()
    server.router.add_route("*", "/hook", hook.take)
    runner = web.AppRunner(server)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    hook.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield hook
    await runner.cleanup()


class Page:
    """A page with its app, spoken to by the channel, by its people and by everyone."""

    def __init__(self, sandbox, hook, account):
        self.sandbox, self.hook, self.account = sandbox, hook, account
        self.id, self.api = account.page_id, sandbox.address

    async def drive(self, steps, files=None):
        """What an exchange of the channel comes to."""
        try:
            request = next(steps)
            while True:
                answer = await self.ask(request, files or {})
                try:
                    CHANNEL.outcome(answer)
                except SendFailed as failed:
                    request = steps.throw(failed)
                else:
                    request = steps.send(answer)
        except StopIteration as end:
            return end.value

    async def ask(self, http, files):
        body = http.body
        if isinstance(body, tuple):
            body = aiohttp.FormData(default_to_multipart=True)
            for field in http.body:
                if isinstance(field.value, Blob):
                    blob = field.value
                    body.add_field(field.name, files[blob.ref], filename=blob.name, content_type=blob.mime_type)
                else:
                    body.add_field(field.name, field.value)
        async with self.sandbox.client.request(http.method, http.url, headers=http.headers, data=body) as answer:
            return Response(status=answer.status, headers=dict(answer.headers), body=await answer.read())

    async def sends(self, piece, files=None):
        return await self.drive(CHANNEL.outbound(self.account, piece, now()), files)

    async def changes(self, change):
        """As the adapter does: what is so already is no failure."""
        with suppress(AlreadySent):
            await self.drive(CHANNEL.amend(self.account, change, now()))

    async def call(self, path, token=None, **values):
        headers = {"Authorization": f"Bearer {token or self.account.token.get_secret_value()}"}
        url = f"{self.api}/{self.account.version}/{path}"
        async with self.sandbox.client.post(url, json=values, headers=headers) as answer:
            return answer.status, await answer.json()

    async def no(self, path, **values):
        status, body = await self.call(path, **values)
        assert status >= 400, body
        error = body["error"]
        return error["code"], error.get("error_subcode")

    async def phone(self, what, *, user=DARA, data=None, **values):
        url = f"{self.api}/phone/facebook/{self.id}/{user}/{what}"
        given = {"data": data} if data else {"json": values}
        async with self.sandbox.client.post(url, headers=self.sandbox.bearer, **given) as answer:
            return answer.status, await answer.json()

    async def says(self, *, user=DARA, data=None, **values):
        status, body = await self.phone("send", user=user, data=data, **values)
        assert status == 200, body
        return body["id"]

    async def shown(self, user=DARA):
        url = f"{self.api}/phone/facebook/{self.id}/{user}/messages"
        async with self.sandbox.client.get(url, headers=self.sandbox.bearer) as answer:
            return (await answer.json())["messages"]

    async def board(self, data=None, **act):
        url = f"{self.api}/post/facebook/{self.id}/act"
        given = {"data": data} if data else {"json": act}
        async with self.sandbox.client.post(url, headers=self.sandbox.bearer, **given) as answer:
            return answer.status, await answer.json()

    async def acts(self, data=None, **act):
        status, body = await self.board(data, **act)
        assert status == 200, body
        return body["id"]

    async def posts(self):
        async with self.sandbox.client.get(
            f"{self.api}/post/facebook/{self.id}", headers=self.sandbox.bearer
        ) as answer:
            return (await answer.json())["posts"]

    async def comments(self, *, text="តម្លៃប៉ុន្មាន?", user=DARA, name="សុខ ដារ៉ា", parent=None):
        """A new post with a comment, and the comment's record."""
        post = await self.acts(write={"text": "កាហ្វេថ្មី!"})
        said = {"post": post, "user": user, "name": name, "text": text}
        await self.acts(comment=said)
        return await self.hook.next()


def an_app(number):
    return CHANNEL.app(name="main", secret=f"secret-of-{number}", verify_token="krama", app_id=str(number))


async def a_page(sandbox, hook, number):
    account = CHANNEL.account(name="main", page_id=str(number), token=f"EAA{number}", api=sandbox.address)
    page = Page(sandbox, hook, account)
    await page.drive(CHANNEL.register(hook.app, account, replace(now(), hook=hook.url)))
    return page


@pytest.fixture
async def page(sandbox):
    number = next(NUMBERS)
    async with hooked(an_app(number)) as hook:
        yield await a_page(sandbox, hook, number)


@pytest.fixture
async def open_page(page):
    """A page that Dara has written to."""
    await page.says(text="សួស្តី")
    await page.hook.next()
    return page


def text(words="hi", **more):
    return Piece(**{"id": "p/0", "to": DARA, "part": Text(text=words), **more})


def utility(name, language, *values):
    parameters = [{"type": "text", "text": value} for value in values]
    return {"name": name, "language": {"code": language}, "components": [{"type": "body", "parameters": parameters}]}


def public(comment, **more):
    return text(**{"to": comment.peer, "surface": "comment", "thread_key": comment.thread.thread_key, **more})


class TestRegisters:
    async def test_an_address_that_does_not_know_the_verify_token_is_refused(self, sandbox):
        number = next(NUMBERS)
        async with hooked(an_app(number)) as hook:
            stranger = CHANNEL.app(**{**hook.app.model_dump(), "verify_token": "another"})
            account = CHANNEL.account(name="main", page_id=str(number), token="EAAx", api=sandbox.address)
            with pytest.raises(SendFailed, match="2200"):
                await Page(sandbox, hook, account).drive(
                    CHANNEL.register(stranger, account, replace(now(), hook=hook.url))
                )

    async def test_an_app_is_known_by_its_secret(self, page):
        forged = CHANNEL.app(**{**page.hook.app.model_dump(), "secret": "another"})
        with pytest.raises(SendFailed) as failed:
            await page.drive(CHANNEL.register(forged, page.account, replace(now(), hook=page.hook.url)))
        assert failed.value.reason == "auth"

    async def test_a_page_tells_its_name_to_its_own_token_only(self, page):
        url = f"{page.api}/{page.account.version}/{page.id}?fields=name"
        for token, status in ((page.account.token.get_secret_value(), 200), ("EAAstranger", 401)):
            async with page.sandbox.client.get(url, headers={"Authorization": f"Bearer {token}"}) as answer:
                assert answer.status == status
        async with page.sandbox.client.get(f"{page.api}/phone/facebook", headers=page.sandbox.bearer) as answer:
            assert page.id in {one["id"] for one in (await answer.json())["accounts"]}


class TestTellsWhoPeopleAre:
    async def knows(self, page, user=DARA, **settings):
        account = page.account.model_copy(update=settings)
        return await page.drive(CHANNEL.profile(account, user, user, now()))

    async def refuses(self, page, user=DARA, **settings):
        with pytest.raises(SendFailed) as failed:
            await self.knows(page, user, **settings)
        return failed.value.reason, failed.value.detail.partition(")")[0]

    async def test_by_the_name_under_which_they_wrote(self, page):
        await page.says(text="សួស្តី", name="សុខ ដារ៉ា")
        found = await self.knows(page)
        assert (found.address, found.name, found.locale, found.time_zone) == (DARA, "សុខ ដារ៉ា", None, None)
        found = await self.knows(page, user_locale=True)
        assert (found.name, found.locale, found.time_zone) == ("សុខ ដារ៉ា", "km-KH", "+07:00")

    async def test_to_the_page_that_they_wrote_to_and_no_other(self, page):
        await page.says(text="សួស្តី", name="Dara")
        assert await self.refuses(page, "7420016630002") == ("bad_address", "(100/33")
        other = await a_page(page.sandbox, page.hook, next(NUMBERS))
        assert await self.refuses(other) == ("bad_address", "(100/33")

    async def test_not_of_whoever_has_no_profile_or_has_not_written(self, page):
        await page.says(text="no name")
        await page.hook.next()
        assert await self.refuses(page) == ("refused", "(100/2018218")
        said = await page.comments(user="7420016630003", name="Bopha")
        await page.sends(public(said, way="private"))
        assert await self.refuses(page, "7420016630003") == ("auth", "(100/2018247")

    async def test_as_much_as_the_token_may_see_and_as_often(self, page):
        await page.says(text="សួស្តី", name="Dara")
        await page.sandbox.control(meta={"profiles": "names"})
        assert (await self.knows(page)).name == "Dara"
        assert await self.refuses(page, user_locale=True) == ("auth", "(100/2018247")
        await page.sandbox.control(meta={"profiles": "none"})
        assert await self.refuses(page) == ("auth", "(100/2018247")
        await page.sandbox.control(reset=True, meta={"limits": {"per_second": 0.001, "burst": 1}})
        assert (await self.knows(page)).name == "Dara"
        assert await self.refuses(page) == ("throttled", "(80006")

    async def test_a_field_that_nobody_has_is_refused(self, page):
        await page.says(text="សួស្តី", name="Dara")
        url = f"{page.api}/{page.account.version}/{DARA}?fields=name,shoe_size"
        headers = {"Authorization": f"Bearer {page.account.token.get_secret_value()}"}
        async with page.sandbox.client.get(url, headers=headers) as answer:
            assert (answer.status, (await answer.json())["error"]["code"]) == (400, 100)


class TestTellsWhatPeopleDo:
    async def test_everything_on_a_phone_is_a_record_of_its_own(self, page):
        await page.says(text="សួស្តី", name="ដារ៉ា")
        sent = await page.sends(text("ទំហំ?"))
        choices = {"kind": "choices", "text": "ទំហំ?", "style": "quick_replies", "options": [{"id": "L", "title": "ធំ"}]}
        quick = (await page.sends(text(part=choices))).external_ids[0]
        buttons = (await page.sends(text(part={**choices, "style": "buttons"}))).external_ids[0]
        await page.says(press={"message": quick, "id": "L"})
        await page.says(press={"message": buttons, "id": "L"})
        reply = await page.says(text="ពីរ", reply_to=sent.external_ids[0])
        await page.says(edit={"message": reply, "text": "បី"})
        await page.says(remove={"message": reply})
        await page.says(react={"message": sent.external_ids[0], "emoji": "❤️"})
        await page.says(react={"message": sent.external_ids[0], "emoji": None})
        await page.says(location={"latitude": 11.55, "longitude": 104.92, "name": "Wat Phnom"})
        await page.says(data=form(PIXEL, "a.png", "image/png", caption="រូប"))
        await page.says(data=form(PIXEL, "s.png", "image/png", **{"as": "sticker"}))
        records = []
        while len(records) < 11:
            record = await page.hook.next()
            if not record.echo:
                records.append(record)
        kinds = [[part.kind for part in record.parts] for record in records]
        assert kinds == [
            ["text"], ["choice"], ["choice"], ["text"], ["edit", "text"], ["deletion"], ["reaction"], ["reaction"],
            ["location"], ["text", "media"], ["media"],
        ]  # fmt: skip
        assert records[1].parts == records[2].parts == (Choice(id="L", title="ធំ"),)
        assert (records[3].external_id, records[3].thread.reply_to) == (reply, sent.external_ids[0])
        assert records[4].parts == (Edit(target=reply), Text(text="បី"))
        assert records[5].parts == (Deletion(target=reply),)
        assert [(part.emoji, part.removed) for (part,) in (record.parts for record in records[6:8])] == [
            ("❤️", False),
            ("❤️", True),
        ]
        assert records[10].parts[0].media == "sticker"
        assert {(record.account_key, record.peer) for record in records} == {(page.id, DARA)}
        assert len({record.event_key for record in records}) == len(records)

    async def test_a_file_is_fetched_by_its_link_until_that_is_over(self, page):
        await page.says(data=form(PIXEL, "a.png", "image/png"))
        (part,) = (await page.hook.next()).parts
        download = await page.drive(CHANNEL.fetch(page.account, part, now()))
        assert not download.request.stranger, "it lies beside the API, where the operator has pointed"
        assert (await page.ask(download.request, {})).body == PIXEL
        await page.sandbox.control(meta={"link_seconds": 0})
        await page.says(data=form(PIXEL, "b.png", "image/png"))
        (part,) = (await page.hook.next()).parts
        assert (await page.ask((await page.drive(CHANNEL.fetch(page.account, part, now()))).request, {})).status == 403

    async def test_what_messenger_has_not_is_refused_in_a_sentence(self, page):
        mid = await page.says(text="one")
        for _ in range(5):
            await page.says(edit={"message": mid, "text": "again"})
        for values in (
            {"edit": {"message": mid, "text": "a sixth time"}},
            {"contact": {"name": "Sok"}},
            {"react": {"message": mid, "emoji": None}},
            {},
        ):
            status, body = await page.phone("send", **values)
            assert (status, set(body)) == (400, {"error"}), body
        assert (await page.phone("send", user="no-number", text="x"))[0] == 400
        assert (await page.shown())[-1]["text"] == "again"

    async def test_two_pages_in_one_body_are_two_accounts(self, page):
        other = await a_page(page.sandbox, page.hook, next(NUMBERS))
        await page.sandbox.control(meta={"batch": 2})
        await page.says(text="ទីមួយ")
        await other.says(text="ទីពីរ")
        records = [await page.hook.next(), await page.hook.next()]
        assert [(record.account_key, record.parts[0].text) for record in records] == [
            (page.id, "ទីមួយ"),
            (other.id, "ទីពីរ"),
        ]
        assert len(page.hook.bodies[-1]["entry"]) == 2


class TestTakesWhatTheChannelSends:
    @pytest.mark.parametrize(
        "sample",
        [path for path in sorted(SAMPLES.glob("*.out.json")) if '"sent"' in path.read_text()],
        ids=lambda path: path.name,
    )
    async def test_every_sample(self, page, sample):
        record = await page.comments()
        answered = await page.says(text="first")
        piece = Piece.model_validate(json.loads(sample.read_text())["piece"])
        files = {"default/ab/abcd": PIXEL}
        if isinstance(piece.part, Media) and piece.surface == "direct":
            handle = await page.drive(CHANNEL.upload(page.account, piece.part, now()), files)
            piece = piece.model_copy(update={"handle": handle.value})
        here = {"to": DARA, "reply_to": answered if piece.reply_to else None}
        if piece.surface == "comment":
            if piece.thread_key == piece.to:
                await page.acts(write={"text": "អរគុណ", "user": DARA})
                both = [await page.hook.next(), await page.hook.next()]
                record = next(one for one in both if one.surface == "comment")
            here = {"to": record.peer, "thread_key": record.thread.thread_key, "reply_to": None}
            if piece.reply_to:
                here["reply_to"] = record.external_id
        sent = await page.sends(piece.model_copy(update=here), files)
        logged = (await accepted(page))[-1]
        assert sent.external_ids == (logged.get("mid") or logged["comment"],)

    async def test_the_phone_shows_what_was_sent(self, open_page):
        mine = (await open_page.shown())[0]["id"]
        await open_page.sends(text("ម៉ោង ៧ 👨‍👩‍👧‍👦", reply_to=mine))
        options = [{"id": "a", "title": "ក"}, {"id": "b", "title": "Map", "url": "https://example.org/"}]
        await open_page.sends(text(part={"kind": "choices", "text": "?", "options": options}))
        _, said, asked = await open_page.shown()
        assert (said["text"], said["direction"], said["reply_to"], said["status"]) == (
            "ម៉ោង ៧ 👨‍👩‍👧‍👦",
            "in",
            mine,
            "delivered",
        )
        assert [choice.get("url") for choice in asked["choices"]] == [None, "https://example.org/"]

    async def test_typing_is_seen_on_the_phone(self, open_page):
        url = f"{open_page.api}/phone/facebook/{open_page.id}/{DARA}/events?after=1"
        async with open_page.sandbox.client.get(url, headers=open_page.sandbox.bearer) as stream:
            await open_page.drive(CHANNEL.typing(open_page.account, TypingMark(to=DARA), now()))
            async with asyncio.timeout(SECONDS):
                async for line in stream.content:
                    if line.startswith(b"event"):
                        assert line == b"event: typing\n"
                        break

    async def test_nobody_types_under_a_post(self, page):
        assert list(CHANNEL.typing(page.account, TypingMark(to=f"{page.id}_1"), now())) == []


class TestReceipts:
    async def test_an_echo_brings_our_own_words_back(self, open_page):
        sent = await open_page.sends(text("ours"))
        echo = await open_page.hook.next()
        assert (echo.echo, echo.external_id, echo.join_key) == (True, sent.external_ids[0], "p/0")
        assert (echo.peer, echo.sender.address, echo.parts) == (DARA, open_page.id, (Text(text="ours"),))

    async def test_delivered_by_ids_and_watermark_then_read_by_watermark(self, open_page):
        sent = await open_page.sends(text())
        named, marked = await open_page.hook.next(Receipt), await open_page.hook.next(Receipt)
        assert (named.status, named.external_ids, marked.status) == ("delivered", sent.external_ids, "delivered")
        assert (await open_page.phone("read"))[1]["read"] == [sent.external_ids[0]]
        read = await open_page.hook.next(Receipt)
        assert (read.status, read.watermark) == ("read", marked.watermark)
        assert (await open_page.phone("read"))[1]["read"] == []

    async def test_backwards_when_told_so(self, open_page):
        await open_page.sandbox.control(meta={"receipts": "backwards"})
        await open_page.sends(text())
        await open_page.phone("read")
        assert [(await open_page.hook.next(Receipt)).status for _ in range(3)] == ["read", "delivered", "delivered"]

    async def test_before_the_answer_when_told_so(self, open_page):
        await open_page.sandbox.control(meta={"receipts": "early"})
        sent = await open_page.sends(text())
        arrived = [open_page.hook.records.get_nowait() for _ in range(3)]
        assert next(record.external_ids for record in arrived if isinstance(record, Receipt)) == sent.external_ids


class TestRefusesAsTheSendApiDoes:
    @pytest.mark.parametrize(
        ("values", "error"),
        [
            ({"message": {"text": "ក" * 2001}}, (100, None)),
            ({"message": {"text": " "}}, (100, None)),
            ({"message": {}}, (100, None)),
            ({"message": {"txet": "x"}}, (100, None)),
            ({"message": {"text": "x", "attachment": {}}}, (100, None)),
            ({"message": {"text": "x", "metadata": "m" * 1000}}, (100, None)),
            ({"message": {"text": "x"}, "messaging_type": "MESSAGE"}, (100, None)),
            ({"message": {"text": "x"}, "messaging_type": "MESSAGE_TAG"}, (100, None)),
            ({"message": {"text": "x"}, "messaging_type": "MESSAGE_TAG", "tag": "BIRTHDAY"}, (100, None)),
            ({"message": {"text": "x"}, "messaging_type": "MESSAGE_TAG", "tag": "ACCOUNT_UPDATE"}, (100, 1893061)),
            ({"message": {"text": "x"}, "messaging_type": "UTILITY"}, (100, None)),
            ({"message": {"template": utility("order_ready", "km", "#17")}}, (100, None)),
            ({"message": {"template": utility("order_ready", "fr", "#17")}, "messaging_type": "UTILITY"}, (100, None)),
            ({"message": {"template": utility("still_in_review", "en")}, "messaging_type": "UTILITY"}, (100, None)),
            ({"message": {"template": utility("order_ready", "km")}, "messaging_type": "UTILITY"}, (100, None)),
            ({"message": {"template": "order_ready"}, "messaging_type": "UTILITY"}, (100, None)),
            ({"message": {"text": "x"}, "reply_to": {"mid": "m_nobody"}}, (100, None)),
            ({"message": {"text": "x", "quick_replies": [{"content_type": "text", "title": "t", "payload": "p"}] * 14}}, (100, None)),
            ({"message": {"text": "x", "quick_replies": [{"content_type": "text", "title": "t" * 21, "payload": "p"}]}}, (100, None)),
            ({"message": {"attachment": {"type": "image", "payload": {"attachment_id": "1"}}}}, (100, 2018074)),
            ({"message": {"attachment": {"type": "gif", "payload": {}}}}, (100, None)),
            ({"message": {"attachment": {"type": "template", "payload": {"template_type": "button", "text": "x", "buttons": []}}}}, (100, 2018035)),
            ({"message": {"text": "x"}, "recipient": {"id": "999999999"}}, (100, 2018001)),
            ({"message": {"text": "x"}, "recipient": {"comment_id": "1_2"}}, (100, 33)),
            ({"message": {"text": "x"}, "recipient": "nobody"}, (100, None)),
            ({"message": {"text": "x"}, "token": "EAAwrong"}, (190, None)),
            ({"sender_action": "dance"}, (100, None)),
        ],
    )  # fmt: skip
    async def test_by_code_and_subcode(self, open_page, values, error):
        before = len(await accepted(open_page))
        call = {"recipient": {"id": DARA}, "messaging_type": "RESPONSE", **values}
        assert await open_page.no(f"{open_page.id}/messages", **call) == error
        assert len(await accepted(open_page)) == before

    async def test_2000_characters_are_the_longest_text(self, open_page):
        await open_page.sends(text("ក" * 2000))

    async def test_who_never_wrote_is_outside_the_window(self, page):
        record = await page.comments()
        await page.sends(public(record, way="private"))
        for way in ("free_text", "human_agent"):
            with pytest.raises(SendFailed) as failed:
                await page.sends(text(way=way))
            assert failed.value.reason == "window_closed"

    async def test_outside_the_window_a_template_goes_in_the_language_it_has(self, open_page):
        await open_page.sandbox.control(meta={"window_hours": 0})
        with pytest.raises(SendFailed) as failed:
            await open_page.sends(text())
        assert failed.value.reason == "window_closed"
        sent = await open_page.sends(
            text(way="template", part=Template(name="order_ready", language="km", parameters=("#17",)))
        )
        assert (await open_page.shown())[-1]["text"] == "ការកម្ម៉ង់ #17 របស់អ្នករួចរាល់ហើយ។"
        echo = await open_page.hook.next()
        assert (echo.external_id, echo.join_key) == (sent.external_ids[0], "p/0")
        listed = f"{open_page.api}/{open_page.account.version}/{open_page.id}/message_templates"
        bearer = {"Authorization": f"Bearer {open_page.account.token.get_secret_value()}"}
        async with open_page.sandbox.client.get(listed, headers=bearer) as answer:
            assert {"order_ready", "still_in_review"} <= {one["name"] for one in (await answer.json())["data"]}

    async def test_a_private_reply_is_in_words_of_its_own(self, page):
        record = await page.comments()
        call = {"recipient": {"comment_id": record.external_id}, "messaging_type": "UTILITY"}
        message = {"template": utility("order_ready", "km", "#17")}
        assert await page.no(f"{page.id}/messages", **call, message=message) == (100, None)

    @pytest.mark.parametrize(("age", "tag"), [(DAY, None), (7 * DAY, "HUMAN_AGENT")])
    def test_a_window_closes_to_the_second(self, age, tag):
        check_window(last=1000.0, now=1000.0 + age, tag=tag)
        with pytest.raises(GraphError) as refused:
            check_window(last=1000.0, now=1001.0 + age, tag=tag)
        assert (refused.value.code, refused.value.subcode) == (10, 2018278)

    async def test_who_has_blocked_the_page_is_not_available(self, open_page):
        await open_page.says(block=True)
        with pytest.raises(SendFailed) as failed:
            await open_page.sends(text())
        assert failed.value.reason == "blocked"
        await open_page.says(text="writing again unblocks")
        await open_page.sends(text())

    async def test_too_fast_is_613(self, open_page):
        await open_page.sandbox.control(meta={"limits": {"per_second": 0.1, "burst": 1}})
        await open_page.sends(text())
        with pytest.raises(SendFailed) as failed:
            await open_page.sends(text())
        assert failed.value.reason == "throttled"

    async def test_an_upload_is_of_a_kind_and_belongs_to_its_page(self, page):
        assert await page.no(f"{page.id}/message_attachments", message={"attachment": {"type": "gif"}}) == (100, None)
        assert await page.no(f"{page.id}/message_attachments", message={"attachment": {"type": "file"}}) == (
            100,
            2018047,
        )
        part = Media(media="image", state="stored", blob="b", mime_type="image/png", name="x.png")
        other = await a_page(page.sandbox, page.hook, next(NUMBERS))
        handle = await page.drive(CHANNEL.upload(page.account, part, now()), {"b": PIXEL})
        await other.says(text="hi")
        with pytest.raises(SendFailed):
            await other.sends(text(part=part, handle=handle.value))


class TestComments:
    async def test_what_becomes_of_a_comment_is_told(self, page):
        first = await page.comments(text="តម្លៃប៉ុន្មាន?")
        name, post = first.external_id, first.peer
        assert (first.sender.name, first.surface, first.container) == ("សុខ ដារ៉ា", "comment", post)
        reply = await page.acts(comment={"post": post, "parent": name, "user": "7420016630002", "text": "ខ្ញុំដែរ"})
        deeper = await page.acts(comment={"post": post, "parent": reply, "user": DARA, "text": "ok"})
        await page.acts(edit={"comment": name, "text": "តម្លៃ?"})
        await page.acts(hide={"comment": name, "hidden": True})
        await page.acts(hide={"comment": name, "hidden": False})
        await page.acts(react={"comment": name, "user": "7420016630002", "emoji": "❤️"})
        await page.acts(react={"comment": name, "user": "7420016630002", "emoji": None})
        await page.acts(remove={"comment": name})
        records = [await page.hook.next() for _ in range(8)]
        assert [(record.external_id, record.thread.thread_key) for record in records[:2]] == [
            (reply, name),
            (deeper, name),
        ]
        assert [record.parts for record in records[2:]] == [
            (Edit(target=name), Text(text="តម្លៃ?")),
            (Visibility(target=name, hidden=True),),
            (Visibility(target=name, hidden=False),),
            (Reaction(target=name, emoji="❤️", replaces=True),),
            (Reaction(target=name, emoji="❤️", removed=True),),
            (Deletion(target=name),),
        ]
        assert {record.peer for record in records} == {post}
        assert len({record.event_key for record in records}) == 8
        (shown,) = await page.posts()
        assert [comment.get("text") for comment in shown["comments"]] == [None, "ខ្ញុំដែរ", "ok"]
        assert shown["comments"][0]["removed"]

    async def test_a_public_reply_stands_under_the_comment_and_is_told_as_the_page_s(self, page):
        record = await page.comments()
        piece = public(record, part=Text(text="  hi\n"))
        sent = await page.sends(piece)
        told = await page.hook.next()
        assert (told.echo, told.external_id, told.thread.thread_key) == (True, sent.external_ids[0], record.external_id)
        assert told.join_key == CHANNEL.join_key(piece), "all by which it is known where the answer is lost"
        (post,) = await page.posts()
        assert [(one["parent"], one["from"]["id"], one["text"]) for one in post["comments"][1:]] == [
            (record.external_id, page.id, "hi")
        ]

    async def test_the_pages_comment_is_edited_liked_and_taken_back(self, page):
        record = await page.comments()
        sent = await page.sends(public(record))
        where = {"to": record.peer, "surface": "comment"}
        own = {**where, "external_id": sent.external_ids[0]}
        await page.changes(EditPiece(part=Text(text="hallo"), **own))
        await page.changes(React(emoji="👍", **where, external_id=record.external_id))
        (post,) = await page.posts()
        assert [(one["text"], one["reactions"]) for one in post["comments"]] == [
            (post["comments"][0]["text"], {page.id: "👍"}),
            ("hallo", {}),
        ]
        for _ in range(2):
            await page.changes(DeletePiece(**own))
        await page.changes(React(emoji="👍", removed=True, **where, external_id=record.external_id))
        (post,) = await page.posts()
        assert (post["comments"][0]["reactions"], post["comments"][1]["removed"]) == ({}, True)
        with pytest.raises(SendFailed):
            await page.changes(DeletePiece(**where, external_id=record.external_id))

    async def test_a_message_in_messenger_is_reacted_to(self, page):
        mid = await page.says(text="hello")
        where = {"to": DARA, "external_id": mid}
        await page.changes(React(emoji="😍", **where))
        await page.changes(MarkSeen(**where))
        assert (await page.shown())[0]["reaction"] == "😍"
        await page.changes(React(emoji="😍", removed=True, **where))
        assert (await page.shown())[0]["reaction"] is None

    async def test_a_thread_is_passed_taken_and_released(self, open_page):
        for action, target in (("pass", "263902037430900"), ("take", None), ("release", None)):
            wanted = ThreadControl(to=DARA, action=action, target=target, note="opening hours")
            await open_page.drive(CHANNEL.handover(open_page.account, wanted, now()))
        nobody = {"recipient": {"id": "7420099999999"}}
        assert await open_page.no(f"{open_page.id}/take_thread_control", **nobody) == (100, 2018001)
        assert await open_page.no(f"{open_page.id}/pass_thread_control", recipient={"id": DARA}) == (100, None)

    async def test_a_private_reply_arrives_in_messenger_once(self, page):
        record = await page.comments()
        sent = await page.sends(public(record, way="private"))
        (shown,) = await page.shown()
        assert (shown["text"], shown["direction"]) == ("hi", "in")
        echo = await page.hook.next()
        assert (echo.external_id, echo.peer, echo.thread.thread_key, echo.join_key) == (
            sent.external_ids[0],
            record.peer,
            record.thread.thread_key,
            "p/0",
        ), "it lands where it belongs, under the post"
        assert [party.address for party in echo.recipients] == [DARA], "whose receipts will tell of it"
        assert (await page.posts())[0]["comments"][0]["private"] == "hi"
        with pytest.raises(SendFailed, match="10900") as failed:
            await page.sends(public(record, way="private"))
        assert failed.value.reason == "refused"

    @pytest.mark.parametrize("way", ["free_text", "private"])
    @pytest.mark.parametrize("gone", ["comment", "post"])
    async def test_what_is_gone_is_not_answered(self, page, gone, way):
        record = await page.comments()
        await page.acts(remove={gone: record.external_id if gone == "comment" else record.peer})
        with pytest.raises(SendFailed) as failed:
            await page.sends(public(record, way=way))
        assert failed.value.reason == "bad_address"

    async def test_a_visitor_s_post_is_answered_like_a_comment(self, page):
        name = await page.acts(write={"text": "អរគុណ!", "user": DARA, "name": "ដារ៉ា"})
        record = await page.hook.next()
        assert (record.external_id, record.peer, record.thread.thread_key) == (name, name, name)
        await page.sends(public(record))
        await page.sends(public(record, way="private"))
        await page.acts(remove={"post": name})
        assert [one["text"] for one in await page.shown()] == ["hi"]
        told = [await page.hook.next() for _ in range(3)]
        assert sorted(one.echo for one in told) == [False, True, True]
        (under,) = (one for one in told if one.echo and one.thread.thread_key == one.external_id)
        assert (under.thread.reply_to, under.join_key) == (name, CHANNEL.join_key(public(record)))
        assert [one.parts for one in told if not one.echo] == [(Deletion(target=name),)]

    async def test_the_page_does_not_write_to_itself(self, page):
        record = await page.comments()
        own = (await page.sends(public(record))).external_ids[0]
        with pytest.raises(SendFailed, match="10903"):
            await page.sends(public(record, way="private", reply_to=own))

    async def test_a_comment_has_words_or_a_picture(self, page):
        record = await page.comments()
        assert await page.no(f"{record.external_id}/comments", message="x" * 8001) == (100, None)
        assert await page.no(f"{record.external_id}/comments") == (100, None)
        assert await page.no(f"{record.external_id}/comments", message="x", token="EAAwrong") == (190, None)
        assert await page.no("1_2/comments", message="x") == (100, 33)

    async def test_pictures_go_both_ways(self, page):
        record = await page.comments()
        fields = form(PIXEL, "c.png", "image/png", comment=json.dumps({"post": record.peer, "user": DARA}))
        await page.acts(data=fields)
        (picture,) = (await page.hook.next()).parts
        download = await page.drive(CHANNEL.fetch(page.account, picture, now()))
        assert (await page.ask(download.request, {})).body == PIXEL
        part = Media(media="image", state="stored", blob="b", mime_type="image/png", name="x.png", caption="ដូចនេះ")
        await page.sends(public(record, part=part), {"b": PIXEL})
        (post,) = await page.posts()
        shown = post["comments"][-1]
        url = f"{page.api}/post/facebook/{page.id}/files/{shown['media']['id']}"
        async with page.sandbox.client.get(url, headers=page.sandbox.bearer) as answer:
            assert (await answer.read(), shown["text"]) == (PIXEL, "ដូចនេះ")

    async def test_everyone_hears_of_changes_and_strangers_need_the_token(self, page):
        url = f"{page.api}/post/facebook/{page.id}/events"
        async with page.sandbox.client.get(url) as refused:
            assert refused.status == 401
        async with page.sandbox.client.get(url, headers=page.sandbox.bearer) as stream, asyncio.timeout(SECONDS):
            numbers = (json.loads(line[5:])["n"] async for line in stream.content if line.startswith(b"data"))
            first = await anext(numbers)
            await page.acts(write={"text": "ថ្មី"})
            assert await anext(numbers) == first + 1

    async def test_what_cannot_be_done_is_said_in_a_sentence(self, page):
        record = await page.comments()
        for act, status in (
            ({}, 400),
            ({"write": {"text": " "}}, 400),
            ({"comment": {"post": "1_2", "user": DARA, "text": "x"}}, 404),
            ({"comment": {"post": record.peer, "user": "nobody", "text": "x"}}, 400),
            ({"edit": {"comment": "1_2", "text": "x"}}, 404),
            ({"react": {"comment": record.external_id, "user": DARA, "emoji": 7}}, 400),
        ):
            answered, body = await page.board(**act)
            assert (answered, set(body)) == (status, {"error"}), act


async def test_pages_chats_posts_and_what_waits_survive_kill_9(kept_sandbox):
    number = next(NUMBERS)
    async with hooked(an_app(number)) as hook:
        page = await a_page(kept_sandbox, hook, number)
        record = await page.comments(text="មុន")
        await page.says(text="សួស្តី")
        await page.hook.next()
        await kept_sandbox.end(signal.SIGKILL)
        await kept_sandbox.start()
        assert [view["text"] for view in await page.shown()] == ["សួស្តី"]
        assert (await page.posts())[0]["comments"][0]["text"] == "មុន"
        await page.sends(text("the window is still open"))
        await page.sends(public(record))
        while not (await hook.next()).echo:  # what was taken just before the end is told again
            pass


async def accepted(page):
    async with page.sandbox.client.get(f"{page.api}/control/log", headers=page.sandbox.bearer) as answer:
        return [send for send in (await answer.json())["sends"] if send.get("page") == page.id]


def form(data, name, mime_type, **fields):
    made = aiohttp.FormData(fields)
    made.add_field("file", data, filename=name, content_type=mime_type)
    return made
