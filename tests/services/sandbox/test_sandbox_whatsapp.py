"""The sandbox is WhatsApp as its documentation says: it checks addresses, refuses, delivers, and fails when it is told to."""

import asyncio
import hashlib
import hmac
import itertools
import json
import signal
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import aiohttp
import pytest
from aiohttp import web
from pydantic import SecretStr

from services.chat_adapter.channels.whatsapp import CHANNEL
from services.sandbox.chats import Chats
from services.sandbox.graph import Call, GraphError
from services.sandbox.shelf import Shelf
from services.sandbox.whatsapp.marks import mark
from services.sandbox.whatsapp.webhooks import user_id
from shared.contract.channel import (
    Blob,
    Context,
    Http,
    Message,
    Piece,
    Receipt,
    Request,
    Response,
    SendFailed,
    ThreadControl,
    TypingMark,
)
from shared.contract.envelope import (
    Choice,
    Choices,
    Contact,
    Deletion,
    Edit,
    Location,
    Media,
    Option,
    Reaction,
    Template,
    Text,
)
from tests.patience import SECONDS
from tests.pictures import PIXEL

CONTEXT = Context(now=datetime(2026, 2, 3, tzinfo=UTC))
DARA = "85512345678"
NUMBERS = itertools.count(410_000_000_001)


class Shop:
    """A business as the channel is: its app, one number, and a webhook that really listens."""

    def __init__(self, sandbox, hook, bodies, statuses, *, app, account):
        self.sandbox, self.hook, self.bodies, self.statuses = sandbox, hook, bodies, statuses
        self.app, self.account, self.blobs = app, account, {}

    async def ask(self, request: Http) -> Response:
        body = request.body if isinstance(request.body, bytes) else self._form(request.body)
        async with self.sandbox.client.request(
            request.method, request.url, headers=dict(request.headers), data=body or None
        ) as answer:
            headers = {name.lower(): value for name, value in answer.headers.items()}
            return Response(status=answer.status, headers=headers, body=await answer.read())

    def _form(self, fields):
        form = aiohttp.FormData()
        for field in fields:
            if isinstance(field.value, Blob):
                form.add_field(
                    field.name,
                    self.blobs[field.value.ref],
                    filename=field.value.name,
                    content_type=field.value.mime_type,
                )
            else:
                form.add_field(field.name, field.value)
        return form

    async def drive(self, steps):
        step = next(steps)
        while True:
            answer = await self.ask(step)
            CHANNEL.outcome(answer)
            try:
                step = steps.send(answer)
            except StopIteration as end:
                return end.value

    async def register(self):
        await self.drive(CHANNEL.register(self.app, self.account, replace(CONTEXT, hook=self.hook)))

    async def send(self, part, *, to=DARA, **more):
        piece = Piece(id=more.pop("id", "piece-1"), to=to, part=part, **more)
        return await self.drive(CHANNEL.outbound(self.account, piece, CONTEXT))

    async def refused(self, part, **more):
        with pytest.raises(SendFailed) as failed:
            await self.send(part, **more)
        return failed.value.reason, failed.value.detail

    async def upload(self, data, mime_type, *, name="menu.png", media="image", **about):
        part = Media(media=media, state="stored", blob="b/1", mime_type=mime_type, size=len(data), name=name, **about)
        self.blobs["b/1"] = data
        handle = await self.drive(CHANNEL.upload(self.account, part, CONTEXT))
        return part, handle

    async def graph(self, method, path, *, token=None, **body):
        url = f"{self.sandbox.address}/v26.0/{path}"
        headers = {"Authorization": f"Bearer {token or self.account.token.get_secret_value()}"}
        async with self.sandbox.client.request(method, url, headers=headers, json=body or None) as answer:
            return answer.status, await answer.json()

    # the person's side

    async def phone(self, what, *, user=DARA, **values):
        url = f"{self.sandbox.address}/phone/whatsapp/{self.account.key}/{user}/{what}"
        async with self.sandbox.client.post(url, json=values, headers=self.sandbox.bearer) as answer:
            return answer.status, await answer.json()

    async def says(self, *, user=DARA, **values):
        status, body = await self.phone("send", user=user, **values)
        assert status == 200, body
        return body["id"]

    async def shows(self, *, user=DARA):
        url = f"{self.sandbox.address}/phone/whatsapp/{self.account.key}/{user}/messages"
        async with self.sandbox.client.get(url, headers=self.sandbox.bearer) as answer:
            return (await answer.json())["messages"]

    # what came

    async def body(self):
        """The next body that was delivered, checked as Meta's, with what the channel makes of it."""
        async with asyncio.timeout(SECONDS):
            request = await self.bodies.get()
        CHANNEL.verify(self.app, request, CONTEXT)
        return SimpleNamespace(json=request.json(), records=list(CHANNEL.inbound(self.app, request, CONTEXT)))

    async def record(self):
        (record,) = (await self.body()).records
        return record

    async def receipts(self, count):
        return [(await self.record()).status for _ in range(count)]


@asynccontextmanager
async def opened(sandbox, *, token="EAAG-sandbox-only"):
    """`statuses` of the webhook are its first answers; after that it takes everything."""
    number = next(NUMBERS)
    app = CHANNEL.app(name="main", secret=f"secret-{number}", verify_token="tonle-sap", app_id=str(number + 1))
    account = CHANNEL.account(
        name="main", phone_number_id=str(number), waba_id=str(number + 2), token=token, api=sandbox.address
    )
    for _ in range(2):
        next(NUMBERS)
    bodies, statuses = asyncio.Queue(), []

    async def take(incoming):
        headers = {name.lower(): value for name, value in incoming.headers.items()}
        request = Request(
            method=incoming.method, headers=headers, query=dict(incoming.query), body=await incoming.read()
        )
        if handshake := CHANNEL.handshake(app, request, CONTEXT):
            return web.Response(status=handshake.status, body=handshake.body)
        status = statuses.pop(0) if statuses else 200
        if status == 200:
            bodies.put_nowait(request)
        return web.Response(status=status)

    server = web.Application()
    server.router.add_route("*", "/hook", take)
    runner = web.AppRunner(server)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hook = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield Shop(sandbox, hook, bodies, statuses, app=app, account=account)
    await runner.cleanup()


@pytest.fixture
async def unregistered(sandbox):
    async with opened(sandbox) as shop:
        yield shop


@pytest.fixture
async def shop(unregistered):
    await unregistered.register()
    return unregistered


@pytest.fixture
async def answering(shop):
    """A shop that Dara has written to."""
    await shop.says(text="សួស្តី", name="តារា")
    await shop.body()
    return shop


class TestRegisters:
    async def test_what_register_asks_is_what_makes_messages_arrive(self, shop):
        await shop.says(text="សួស្តី 👨‍👩‍👧‍👦", name="តារា")
        message = await shop.record()
        assert isinstance(message, Message)
        assert (message.account_key, message.peer, message.sender.name) == (shop.account.key, user_id(DARA), "តារា")
        assert message.parts == (Text(text="សួស្តី 👨‍👩‍👧‍👦"),)
        assert message.sender.aliases == (DARA,)

    async def test_an_address_that_fails_the_handshake_is_not_taken(self, unregistered):
        wrong = unregistered.app.model_copy(update={"verify_token": SecretStr("another")})
        with pytest.raises(SendFailed, match="2200"):
            await unregistered.drive(
                CHANNEL.register(wrong, unregistered.account, replace(CONTEXT, hook=unregistered.hook))
            )
        await unregistered.register()

    async def test_nobody_is_at_the_address(self, unregistered):
        with pytest.raises(SendFailed, match="2200"):
            await unregistered.drive(
                CHANNEL.register(
                    unregistered.app, unregistered.account, replace(CONTEXT, hook="http://127.0.0.1:9/hook")
                )
            )

    async def test_an_app_has_one_secret(self, shop):
        other = CHANNEL.app(name="main", secret="another", verify_token="tonle-sap", app_id=shop.app.app_id)
        with pytest.raises(SendFailed) as failed:
            await shop.drive(CHANNEL.register(other, shop.account, replace(CONTEXT, hook=shop.hook)))
        assert failed.value.reason == "auth"

    async def test_another_token_is_no_token(self, shop):
        for path in (shop.account.key, f"{shop.account.waba_id}/message_templates"):
            status, body = await shop.graph("GET", path, token="someone-else")
            assert (status, body["error"]["code"], body["error"]["type"]) == (401, 190, "OAuthException")

    async def test_a_number_that_nobody_has_is_refused_as_the_graph_refuses(self, shop):
        status, body = await shop.graph("POST", "499999999999/messages", messaging_product="whatsapp")
        assert (status, body["error"]["code"], body["error"]["error_subcode"]) == (400, 100, 33)

    async def test_phones_know_which_numbers_there_are(self, shop):
        url = f"{shop.sandbox.address}/phone/whatsapp"
        async with shop.sandbox.client.get(url, headers=shop.sandbox.bearer) as answer:
            assert shop.account.key in {one["id"] for one in (await answer.json())["accounts"]}
        async with shop.sandbox.client.get(url) as answer:
            assert answer.status == 401


class TestTellsTheBusiness:
    async def test_what_a_person_does_arrives_in_order_as_what_it_is(self, shop):
        first = await shop.says(text="one")
        await shop.says(text="two", reply_to=first)
        await shop.says(location={"latitude": 11.5564, "longitude": 104.9282, "name": "Wat Phnom"})
        await shop.says(contact={"name": "Sok", "phone": "+85512000111"})
        await shop.says(edit={"message": first, "text": "one, corrected"})
        await shop.says(react={"message": first, "emoji": "👍"})
        await shop.says(react={"message": first, "emoji": None})
        await shop.says(remove={"message": first})
        records = [await shop.record() for _ in range(8)]
        assert [record.parts for record in records] == [
            (Text(text="one"),),
            (Text(text="two"),),
            (Location(latitude=11.5564, longitude=104.9282, name="Wat Phnom"),),
            (Contact(name="Sok", phones=("+85512000111",)),),
            (Edit(target=first), Text(text="one, corrected")),
            (Reaction(target=first, emoji="👍", replaces=True),),
            (Reaction(target=first),),
            (Deletion(target=first),),
        ]
        assert records[1].thread.reply_to == first
        assert [(view["id"], "removed" in view) for view in await shop.shows()][-1] == (first, True)

    async def test_a_person_without_a_number_is_an_id_and_can_be_answered(self, shop):
        await shop.says(user="KH.1502576394655843", text="hi", name="Sophea")
        message = await shop.record()
        assert (message.peer, message.sender.phone) == ("KH.1502576394655843", None)
        await shop.send(Text(text="welcome"), to=message.peer)
        assert await shop.receipts(2) == ["sent", "delivered"]
        assert [view.get("text") for view in await shop.shows(user="KH.1502576394655843")] == ["hi", "welcome"]

    async def test_a_pressed_button_a_row_and_a_quick_reply_come_back(self, answering):
        options = (Option(id="am", title="ព្រឹក"), Option(id="pm", title="ល្ងាច"))
        pressed = []
        for part in (
            Choices(text="ម៉ោងណា?", options=options),
            Choices(text="ម៉ោងណា?", style="list", options=options),
            Template(name="order_ready", language="km", parameters=("តារា", "#17")),
        ):
            sent = await answering.send(part)
            await answering.receipts(2)
            shown = next(view for view in await answering.shows() if view["id"] == sent.external_ids[0])
            await answering.says(press={"message": shown["id"], "id": shown["choices"][1]["id"]})
            body = await answering.body()
            pressed.append(body.json["entry"][0]["changes"][0]["value"]["messages"][0]["type"])
            assert body.records[0].parts[0] == Choice(
                id=shown["choices"][1]["id"], title=shown["choices"][1]["title"], target=shown["id"]
            )
        assert pressed == ["interactive", "interactive", "button"]

    async def test_a_body_is_signed_as_it_is_written_with_its_escapes(self, shop):
        await shop.says(text="សួស្តី/!")
        async with asyncio.timeout(SECONDS):
            request = await shop.bodies.get()
        assert b"\\u179f" in request.body
        assert b"\\/" in request.body
        again = json.dumps(request.json(), ensure_ascii=False).encode()
        made = hmac.new(shop.app.secret.get_secret_value().encode(), again, hashlib.sha256).hexdigest()
        assert request.headers["x-hub-signature-256"] != f"sha256={made}"

    async def test_it_tries_again_until_the_webhook_takes_it(self, shop):
        shop.statuses.extend((500, 503))
        await shop.says(text="first")
        await shop.says(text="second")
        assert [(await shop.record()).parts[0].text for _ in range(2)] == ["first", "second"]

    async def test_twice_and_several_entries_in_one_body(self, shop, sandbox):
        await sandbox.control(twice=True, meta={"batch": 2})
        await shop.says(text="a")
        await shop.says(text="b", user="85512000999")
        once, again = await shop.body(), await shop.body()
        assert once.json == again.json
        assert len(once.json["entry"]) == 2
        assert [record.parts[0].text for record in once.records] == ["a", "b"]

    async def test_a_batch_that_is_not_full_goes_when_it_need_not_be(self, shop, sandbox):
        await sandbox.control(meta={"batch": 5})
        await shop.says(text="alone")
        assert shop.bodies.empty()
        await sandbox.control(meta={"batch": 1})
        assert (await shop.record()).parts[0].text == "alone"


class TestReceipts:
    async def test_sent_delivered_and_read_when_the_person_looks(self, answering):
        sent = await answering.send(Text(text="យើងបើកម៉ោង ៧"), id="piece-7")
        receipts = [await answering.record() for _ in range(2)]
        assert [receipt.status for receipt in receipts] == ["sent", "delivered"]
        assert {(receipt.external_ids, receipt.join_key) for receipt in receipts} == {(sent.external_ids, "piece-7")}
        status, body = await answering.phone("read")
        assert (status, body["read"]) == (200, list(sent.external_ids))
        assert await answering.receipts(1) == ["read"]
        assert (await answering.phone("read"))[1]["read"] == []

    async def test_the_wrong_way_round(self, answering, sandbox):
        await sandbox.control(meta={"receipts": "backwards"})
        await answering.send(Text(text="hi"))
        await answering.phone("read")
        assert await answering.receipts(3) == ["read", "delivered", "sent"]

    async def test_before_the_send_is_answered(self, answering, sandbox):
        await sandbox.control(meta={"receipts": "early"})
        await answering.send(Text(text="hi"))
        assert answering.bodies.qsize() == 2

    async def test_a_blocked_person_gets_nothing_and_it_fails_later(self, answering):
        await answering.says(block=True)
        sent = await answering.send(Text(text="hello?"))
        receipts = [await answering.record() for _ in range(2)]
        assert [receipt.status for receipt in receipts] == ["sent", "failed"]
        assert receipts[1].failure.code == "bad_address"
        assert sent.external_ids[0] not in {view["id"] for view in await answering.shows()}
        await answering.says(text="changed my mind")
        await answering.body()
        await answering.send(Text(text="welcome back"))
        assert await answering.receipts(2) == ["sent", "delivered"]

    async def test_nothing_is_told_where_nobody_is_subscribed_to_it(self, answering, sandbox):
        app = answering.app
        body = {"object": "whatsapp_business_account", "callback_url": answering.hook, "fields": "account_update"}
        token = f"{app.app_id}|{app.secret.get_secret_value()}"
        status, _ = await answering.graph(
            "POST", f"{app.app_id}/subscriptions", token=token, **body, verify_token="tonle-sap"
        )
        assert status == 200
        await answering.says(text="nobody hears this")
        await answering.register()
        await answering.says(text="this they do")
        assert (await answering.record()).parts[0].text == "this they do"


class TestRefuses:
    @pytest.mark.parametrize(
        ("part", "code", "why"),
        [
            (Text(text="ក" * 4097), "refused", "4096"),
            (Text(text=" \n"), "refused", "non-empty"),
            (Template(name="nope", language="km"), "refused", "132001"),
            (Template(name="order_ready", language="fr", parameters=("a", "b")), "refused", "132001"),
            (Template(name="still_in_review", language="en"), "refused", "132001"),
            (Template(name="order_ready", language="en", parameters=("a",)), "refused", "132000"),
            (Choices(text="?", options=(Option(id="a", title="t" * 25),), style="list"), "refused", "24"),
            (
                Choices(text="?", options=tuple(Option(id=str(n), title="t") for n in range(11))),
                "refused",
                "1 to 10",
            ),
            (
                Choices(text="?", options=(Option(id="a", title="x"), Option(id="a", title="y"))),
                "refused",
                "duplicated",
            ),
        ],
    )
    async def test_what_meta_refuses(self, answering, part, code, why):
        reason, detail = await answering.refused(part)
        assert (reason, why in detail) == (code, True)

    async def test_buttons_with_titles_that_are_too_long(self, answering):
        button = {"type": "reply", "reply": {"id": "a", "title": "t" * 21}}
        interactive = {"type": "button", "body": {"text": "?"}, "action": {"buttons": [button]}}
        status, body = await answering.graph(
            "POST",
            f"{answering.account.key}/messages",
            messaging_product="whatsapp",
            to=DARA,
            type="interactive",
            interactive=interactive,
        )
        assert (status, body["error"]["code"], "20 characters" in body["error"]["message"]) == (400, 100, True)

    async def test_someone_who_is_not_on_whatsapp(self, answering):
        assert (await answering.refused(Text(text="x"), to="99912345678"))[0] == "bad_address"
        assert "131026" in (await answering.refused(Text(text="x"), to="99912345678"))[1]

    async def test_a_number_that_is_not_registered_any_more(self, answering):
        number = answering.account.key
        await answering.graph("POST", f"{number}/deregister", messaging_product="whatsapp")
        reason, detail = await answering.refused(Text(text="x"))
        assert (reason, "133010" in detail) == ("auth", True)
        await answering.graph("POST", f"{number}/register", messaging_product="whatsapp", pin="212834")
        await answering.send(Text(text="back again"))

    async def test_who_has_not_written_gets_only_a_template(self, shop):
        reason, detail = await shop.refused(Text(text="hello"))
        assert (reason, "131047" in detail) == ("window_closed", True)
        await shop.send(Template(name="hello_world", language="en_US"))
        assert await shop.receipts(2) == ["sent", "delivered"]
        assert (await shop.shows())[0]["template"] == "hello_world"

    async def test_an_emoji_does_not_open_the_window(self, answering):
        (name,) = (await answering.send(Template(name="hello_world", language="en_US"), to="85577000111")).external_ids
        await answering.phone("send", user="85577000111", react={"message": name, "emoji": "👍"})
        assert (await answering.refused(Text(text="hello"), to="85577000111"))[0] == "window_closed"
        await answering.says(user="85577000111", text="hello")
        await answering.send(Text(text="hello"), to="85577000111")

    async def test_the_window_closes(self, answering, sandbox):
        await sandbox.control(meta={"window_hours": 0})
        assert (await answering.refused(Text(text="late")))[0] == "window_closed"
        await answering.send(Template(name="order_ready", language="km", parameters=("តារា", "#17")))
        shown = (await answering.shows())[-1]
        assert shown["text"] == "សួស្តី តារា! ការកម្ម៉ង់ #17 របស់អ្នករួចរាល់ហើយ។"

    async def test_its_approved_templates_are_listed(self, shop):
        status, body = await shop.graph("GET", f"{shop.account.waba_id}/message_templates")
        assert status == 200
        assert ("order_ready", "km", "APPROVED") in {(t["name"], t["language"], t["status"]) for t in body["data"]}

    async def test_more_than_a_number_may_send(self, answering, sandbox):
        await sandbox.control(meta={"limits": {"per_second": 0.001, "burst": 1}})
        await answering.send(Text(text="1"))
        reason, detail = await answering.refused(Text(text="2"))
        assert (reason, "130429" in detail) == ("throttled", True)

    async def test_more_than_one_person_may_get(self, answering, sandbox):
        await sandbox.control(meta={"limits": {"per_pair_second": 0.001, "pair_burst": 1}})
        await answering.send(Text(text="1"))
        reason, detail = await answering.refused(Text(text="2"))
        assert (reason, "131056" in detail) == ("throttled", True)

    async def test_an_answer_to_a_message_that_is_not_there(self, answering):
        assert (await answering.refused(Text(text="x"), reply_to="wamid.none"))[0] == "refused"

    async def test_a_provoked_failure_and_a_cut_connection(self, answering, sandbox):
        error = {"error": {"message": "(#131000) Something went wrong", "type": "OAuthException", "code": 131000}}
        await sandbox.control(fail={"count": 1, "status": 500, "body": error, "method": "whatsapp/messages"})
        assert (await answering.refused(Text(text="x")))[0] == "unreachable"
        await sandbox.control(drop=1)
        with pytest.raises(aiohttp.ClientError):
            await answering.send(Text(text="taken all the same"))
        assert (await answering.shows())[-1]["text"] == "taken all the same"


class TestMedia:
    async def test_a_file_of_the_person_is_fetched_by_a_link_that_wants_the_token(self, shop, sandbox):
        form = aiohttp.FormData({"caption": "រូប", "name": "តារា"})
        form.add_field("file", PIXEL, filename="pixel.png", content_type="image/png")
        url = f"{sandbox.address}/phone/whatsapp/{shop.account.key}/{DARA}/send"
        async with sandbox.client.post(url, data=form, headers=sandbox.bearer) as answer:
            assert answer.status == 200
        (media,) = (await shop.record()).parts
        assert (media.media, media.caption, media.mime_type) == ("image", "រូប", "image/png")
        download = await shop.drive(CHANNEL.fetch(shop.account, media, CONTEXT))
        assert (await shop.ask(download.request)).body == PIXEL
        async with sandbox.client.get(download.request.url) as answer:
            assert answer.status == 401

    async def test_a_link_ends(self, answering, sandbox):
        part, handle = await answering.upload(PIXEL, "image/png")
        await sandbox.control(meta={"link_seconds": 0})
        fetched = part.model_copy(update={"handle": handle.value, "blob": None})
        download = await answering.drive(CHANNEL.fetch(answering.account, fetched, CONTEXT))
        assert (await answering.ask(download.request)).status == 404

    async def test_an_uploaded_file_is_on_the_phone(self, answering, sandbox):
        part, handle = await answering.upload(PIXEL, "image/png", caption="ម៉ឺនុយ")
        await answering.send(part, handle=handle.value)
        shown = (await answering.shows())[-1]
        assert (shown["media"]["kind"], shown["caption"]) == ("image", "ម៉ឺនុយ")
        url = f"{sandbox.address}/phone/whatsapp/{answering.account.key}/{DARA}/files/{shown['media']['id']}"
        async with sandbox.client.get(url, headers=sandbox.bearer) as answer:
            assert (answer.status, await answer.read()) == (200, PIXEL)

    async def test_a_type_that_whatsapp_does_not_take(self, answering):
        with pytest.raises(SendFailed, match="one of the following types"):
            await answering.upload(b"PK", "application/zip", name="all.zip", media="file")

    async def test_a_file_that_nobody_uploaded(self, answering):
        part = Media(media="image", state="stored", blob="b/1", mime_type="image/png")
        assert (await answering.refused(part, handle="123"))[0] == "refused"


class TestPhones:
    async def test_typing_shows_and_marks_what_is_answered_and_what_stood_before_it_as_read(self, answering, sandbox):
        name = await answering.says(text="second")
        await answering.says(text="third")
        url = f"{sandbox.address}/phone/whatsapp/{answering.account.key}/{DARA}/events"
        async with sandbox.client.get(url, headers=sandbox.bearer, params={"after": "99"}) as stream:
            await answering.drive(CHANNEL.typing(answering.account, TypingMark(to=DARA, reply_to=name), CONTEXT))
            async with asyncio.timeout(SECONDS):
                while await stream.content.readline() != b"event: typing\n":
                    pass
        shown = {view.get("text"): view.get("status") for view in await answering.shows()}
        assert (shown["second"], shown["third"] == "read") == ("read", False)
        assert [text for text, status in shown.items() if status != "read"] == ["third"]

    async def test_a_thread_is_passed_taken_and_released(self, answering):
        for action, target in (("pass", "ai_agent"), ("pass", None), ("take", None), ("release", None)):
            wanted = ThreadControl(to=DARA, action=action, target=target, note="opening hours")
            await answering.drive(CHANNEL.handover(answering.account, wanted, CONTEXT))
        nobody = ThreadControl(to="99912345678", action="take")
        with pytest.raises(SendFailed, match="131026"):
            await answering.drive(CHANNEL.handover(answering.account, nobody, CONTEXT))

    async def test_typing_wants_a_message_that_the_person_sent(self, answering):
        sent = await answering.send(Text(text="ours"))
        for name in ("wamid.of-nobody", *sent.external_ids):
            with pytest.raises(SendFailed, match="131009"):
                await answering.drive(CHANNEL.typing(answering.account, TypingMark(to=DARA, reply_to=name), CONTEXT))

    def test_a_message_of_more_than_a_month_ago_is_marked_no_more(self):
        chats = Chats(Shelf(None, "whatsapp"))
        chat = chats.meet("410", DARA)
        young, old = (datetime.now(UTC) - timedelta(days=days) for days in (29, 31))
        chat.show({"id": "old", "direction": "out", "text": "x"} | {"at": old.isoformat()})
        chat.show({"id": "young", "direction": "out", "text": "x"} | {"at": young.isoformat()})
        old, young = (
            Call(request=None, node="410", edge="messages", values={"message_id": name}, token="")
            for name in ("old", "young")
        )
        with pytest.raises(GraphError, match="Parameter value is not valid"):
            mark(old, {"id": "410"}, chats)
        assert mark(young, {"id": "410"}, chats) == {"success": True}
        assert chat.view("old")["status"] == "read"

    @pytest.mark.parametrize(
        ("what", "status"),
        [
            ({}, 400),
            ({"text": " "}, 400),
            ({"file": "not a file"}, 400),
            ({"location": {"latitude": "north"}}, 400),
            ({"press": {"message": "none", "id": "x"}}, 404),
            ({"edit": {"message": "none", "text": "x"}}, 404),
            ({"react": "soon"}, 400),
            ({"text": "x", "reply_to": "none"}, 404),
        ],
    )
    async def test_what_a_person_cannot_do_is_said_in_a_sentence(self, shop, what, status):
        found, body = await shop.phone("send", **what)
        assert (found, bool(body["error"])) == (status, True)
        told = [shop.bodies.get_nowait() for _ in range(shop.bodies.qsize())]  # a status of before may come late
        assert [one for one in told if b'"messages":' in one.body] == []

    async def test_nobody_has_such_a_number(self, shop):
        assert (await shop.phone("send", user="0", text="x"))[0] == 400

    async def test_all_of_it_outlives_the_process(self, kept_sandbox):
        async with opened(kept_sandbox) as shop:
            await shop.register()
            await shop.says(text="before", name="តារា")
            await shop.body()
            await kept_sandbox.end(signal.SIGKILL)
            await kept_sandbox.start()
            await shop.send(Text(text="after"))
            records = [await shop.record()]
            while not (isinstance(records[-1], Receipt) and records[-1].status == "delivered"):
                records.append(await shop.record())  # what was just taken as it died may come again
            assert {record.parts[0].text for record in records if isinstance(record, Message)} <= {"before"}
            assert [view["text"] for view in await shop.shows()] == ["before", "after"]
