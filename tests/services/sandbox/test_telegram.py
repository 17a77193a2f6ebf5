"""The sandbox answers as Telegram does, delivers as Telegram does, and fails when it is told to."""

import asyncio
import json
import signal
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from services.chat_adapter.channels.telegram import CHANNEL
from shared.contract.channel import Blob, Context, Http, Piece, Request, Response, SendFailed
from shared.contract.envelope import Choices, Media, Option, Text
from shared.provider.drive import drive
from tests.patience import SECONDS
from tests.pictures import PIXEL

SAMPLES = Path(__file__).parents[2] / "channels" / "telegram"
NOW = Context(now=datetime(2026, 2, 3, tzinfo=UTC))


@asynccontextmanager
async def webhook(answers=(), said=lambda body: Response()):
    """A real server; `answers` are its first statuses, then it takes everything, and says what `said` makes of it."""
    statuses, seen = list(answers), asyncio.Queue()

    async def take(request):
        seen.put_nowait((await request.json(), request.headers.get("X-Telegram-Bot-Api-Secret-Token")))
        answer = said(await request.read())
        return web.Response(
            status=statuses.pop(0) if statuses else answer.status, headers=dict(answer.headers), body=answer.body
        )

    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook", seen
    await runner.cleanup()


async def received(queue):
    async with asyncio.timeout(SECONDS):
        return await queue.get()


class TestAnswersAsTelegramDoes:
    async def test_any_well_formed_token_is_a_bot_and_keeps_its_number(self, sandbox, token):
        assert (await sandbox.ok(token, "getme"))["id"] == int(token.partition(":")[0])
        assert await sandbox.no(token + "x", "getMe") == (401, "Unauthorized")
        assert await sandbox.no("not-a-token", "getMe") == (401, "Unauthorized")
        assert await sandbox.no(token, "makeTea") == (404, "Not Found")

    async def test_a_bot_writes_only_to_who_has_started_it(self, sandbox, token):
        assert await sandbox.no(token, "sendMessage", chat_id=77, text="hi") == (400, "Bad Request: chat not found")
        await sandbox.says(token, 77, text="/start")
        await sandbox.ok(token, "sendMessage", chat_id=77, text="hi")

    @pytest.mark.parametrize(
        ("method", "parameters", "why"),
        [
            ("sendMessage", {"text": " \n"}, "message text is empty"),
            ("sendMessage", {"text": "ក" * 4097}, "message is too long"),
            ("sendMessage", {"text": "😀" * 2049}, "message is too long"),
            ("sendMessage", {"text": "<b>x", "parse_mode": "HTML"}, "can't parse entities"),
            ("sendMessage", {"text": "<script>x", "parse_mode": "HTML"}, "can't parse entities"),
            ("sendMessage", {"text": "x", "reply_parameters": {"message_id": 999}}, "message to be replied not found"),
            ("sendLocation", {"latitude": 91, "longitude": 0}, "wrong latitude or longitude"),
            ("sendVenue", {"latitude": 1, "longitude": 0, "title": "x"}, "venue title and address"),
            ("sendContact", {"first_name": "x"}, "phone number must be non-empty"),
            ("sendPhoto", {"photo": "https://example.org/x.png"}, "failed to get HTTP URL content"),
            ("sendPhoto", {"photo": "AgAC"}, "wrong remote file identifier"),
            ("sendChatAction", {"action": "dance"}, "wrong parameter action"),
            ("sendMessageDraft", {"text": "x", "draft_id": 0}, "draft_id must be non-zero"),
            ("sendMessageDraft", {"text": "x" * 4097, "draft_id": 1}, "message is too long"),
            ("editMessageText", {"message_id": 999, "text": "x"}, "message to edit not found"),
            ("deleteMessage", {"message_id": 999}, "message to delete not found"),
            ("answerCallbackQuery", {"callback_query_id": "x"}, "query is too old"),
            ("getFile", {"file_id": "x"}, "invalid file_id"),
            ("setWebhook", {"url": "https://example.org/"}, "bad webhook"),
            ("setWebhook", {"url": "http://127.0.0.1/", "secret_token": "é"}, "secret token contains unallowed"),
            (
                "sendMessage",
                {"text": "x", "reply_markup": {"inline_keyboard": [[{"text": "a", "callback_data": "ក" * 22}]]}},
                "BUTTON_DATA_INVALID",
            ),
        ],
    )
    async def test_what_telegram_refuses_is_refused_in_its_words(self, sandbox, started, method, parameters, why):
        before = len(await sandbox.accepted(started))
        status, description = await sandbox.no(started, method, chat_id=501, **parameters)
        assert status == 400
        assert description.startswith("Bad Request: " + why)
        assert len(await sandbox.accepted(started)) == before

    async def test_4096_utf16_units_are_the_longest_text(self, sandbox, started):
        sent = await sandbox.ok(started, "sendMessage", chat_id=501, text="😀" * 2048)
        assert len(sent["text"]) == 2048

    async def test_too_fast_is_429_with_the_seconds_to_wait(self, sandbox, started):
        await sandbox.control(telegram={"limits": {"chat_burst": 2, "per_chat_second": 0.2}})
        for _ in range(2):
            await sandbox.ok(started, "sendMessage", chat_id=501, text="x")
        status, body = await sandbox.api(started, "sendMessage", chat_id=501, text="x")
        assert (status, body["parameters"]) == (429, {"retry_after": 5})

    async def test_an_edit_must_change_something(self, sandbox, started):
        sent = await sandbox.ok(started, "sendMessage", chat_id=501, text="one")
        edit = {"chat_id": 501, "message_id": sent["message_id"]}
        assert (await sandbox.no(started, "editMessageText", **edit, text="one"))[1].startswith(
            "Bad Request: message is not modified"
        )
        assert (await sandbox.ok(started, "editMessageText", **edit, text="two"))["edit_date"]
        assert (await sandbox.shown(started, 501))[-1]["message"]["text"] == "two"
        await sandbox.ok(started, "deleteMessage", **edit)
        assert (await sandbox.shown(started, 501))[-1]["deleted"]

    async def test_files_go_up_and_come_down_within_their_limits(self, sandbox, started, client):
        def form(data, name):
            fields = aiohttp.FormData({"chat_id": "501", "caption": "រូប"})
            fields.add_field("document", data, filename=name, content_type="application/pdf")
            return fields

        url = f"{sandbox.address}/bot{started}/sendDocument"
        async with client.post(url, data=form(b"%PDF-small", "a.pdf")) as answer:
            document = (await answer.json())["result"]["document"]
        path = (await sandbox.ok(started, "getFile", file_id=document["file_id"]))["file_path"]
        async with client.get(f"{sandbox.address}/file/bot{started}/{path}") as answer:
            assert await answer.read() == b"%PDF-small"
        async with client.post(url, data=form(bytes(20 * 1024 * 1024 + 1), "b.pdf")) as answer:
            document = (await answer.json())["result"]["document"]
        assert await sandbox.no(started, "getFile", file_id=document["file_id"]) == (
            400,
            "Bad Request: file is too big",
        )
        async with client.post(url, data=form(bytes(50 * 1024 * 1024 + 1), "c.pdf")) as answer:
            assert (answer.status, (await answer.json())["error_code"]) == (413, 413)


class TestDeliversAsTelegramDoes:
    async def test_an_update_comes_with_the_secret_until_it_is_taken_and_in_order(self, sandbox, token):
        async with webhook([503, 500]) as (url, seen):
            await sandbox.ok(token, "setWebhook", url=url, secret_token="s3cret")
            await sandbox.says(token, 502, text="ទីមួយ")
            await sandbox.says(token, 502, text="ទីពីរ")
            first, secret = await received(seen)
            assert secret == "s3cret"
            info = await sandbox.ok(token, "getWebhookInfo")
            assert (info["pending_update_count"], info["url"]) == (2, url)
            again = [(await received(seen))[0] for _ in range(3)]
        assert [update["message"]["text"] for update in again] == ["ទីមួយ", "ទីមួយ", "ទីពីរ"]
        assert first["update_id"] == again[0]["update_id"] == again[1]["update_id"] < again[2]["update_id"]
        assert (await sandbox.ok(token, "getWebhookInfo"))["last_error_message"].endswith("500 Internal Server Error")

    async def test_one_person_s_trouble_is_not_another_s(self, sandbox, token):
        async with webhook([503]) as (url, seen):
            await sandbox.ok(token, "setWebhook", url=url)
            await sandbox.says(token, 502, text="waits")
            await received(seen)
            await sandbox.says(token, 503, text="passes")
            assert (await received(seen))[0]["message"]["from"]["id"] == 503

    async def test_twice_when_told_so(self, sandbox, token):
        await sandbox.control(twice=True)
        async with webhook() as (url, seen):
            await sandbox.ok(token, "setWebhook", url=url)
            await sandbox.says(token, 502, text="x")
            assert (await received(seen))[0] == (await received(seen))[0]

    async def test_a_poll_waits_confirms_and_excludes_the_webhook(self, sandbox, token):
        await sandbox.ok(token, "getMe")
        polling = asyncio.create_task(sandbox.ok(token, "getUpdates", timeout=20))
        await sandbox.says(token, 502, text="one")
        (update,) = await polling
        assert await sandbox.ok(token, "getUpdates") == [update]
        assert await sandbox.ok(token, "getUpdates", offset=update["update_id"] + 1) == []
        await sandbox.ok(token, "setWebhook", url="http://127.0.0.1:9/")
        assert (await sandbox.no(token, "getUpdates"))[0] == 409
        await sandbox.ok(token, "deleteWebhook")
        assert await sandbox.ok(token, "getUpdates") == []

    async def test_a_second_poll_ends_the_first(self, sandbox, token):
        await sandbox.ok(token, "getMe")
        first = asyncio.create_task(sandbox.no(token, "getUpdates", timeout=20))
        second = asyncio.create_task(sandbox.no(token, "getUpdates", timeout=20))
        done, (waiting,) = await asyncio.wait((first, second), return_when=asyncio.FIRST_COMPLETED)
        status, description = done.pop().result()
        assert (status, description.partition(";")[0]) == (
            409,
            "Conflict: terminated by other getUpdates request",
        )
        waiting.cancel()

    async def test_everything_a_person_does_is_an_update_that_the_channel_reads(self, sandbox, started):
        sent = await sandbox.ok(
            started,
            "sendMessage",
            chat_id=501,
            text="ទំហំ?",
            reply_markup={"inline_keyboard": [[{"text": "ធំ", "callback_data": "L"}]]},
        )
        await sandbox.ok(started, "getUpdates", allowed_updates=["message", "edited_message", "callback_query",
                                                                 "message_reaction", "my_chat_member"])  # fmt: skip
        mine = await sandbox.says(started, 501, text="ធំ", reply_to=sent["message_id"])
        await sandbox.says(started, 501, edit=mine["message_id"], text="តូច")
        await sandbox.says(started, 501, press={"message_id": sent["message_id"], "data": "L"})
        await sandbox.says(started, 501, react={"message_id": sent["message_id"], "emoji": "❤"})
        await sandbox.says(started, 501, location={"latitude": 11.55, "longitude": 104.92})
        await sandbox.says(started, 501, contact={"phone_number": "85512345678", "first_name": "តារា", "own": True})
        await sandbox.says(started, 501, block=True)
        app = CHANNEL.app(name="main", secret="x")
        records = [
            next(iter(CHANNEL.inbound(app, Request(body=json.dumps(update).encode()), NOW)))
            for update in await sandbox.ok(started, "getUpdates")
        ]
        kinds = [[part.kind for part in record.parts] for record in records]
        assert kinds == [["text"], ["text"], ["edit", "text"], ["choice"], ["reaction"], ["location"], ["contact"],
                         ["notice"]]  # fmt: skip
        assert records[1].thread.reply_to == f"501:{sent['message_id']}"
        assert records[3].parts[0].title == "ធំ"
        assert records[6].sender.phone == "+85512345678"
        assert {record.peer for record in records} == {"501"}
        assert len({record.event_key for record in records}) == len(records)
        assert await sandbox.no(started, "sendMessage", chat_id=501, text="x") == (
            403,
            "Forbidden: bot was blocked by the user",
        )


class TestFailsWhenTold:
    async def test_a_failure_sends_nothing_and_counts_down(self, sandbox, started):
        await sandbox.control(fail={"count": 1, "status": 502, "body": "<html>Bad Gateway"})
        async with sandbox.client.post(f"{sandbox.address}/bot{started}/sendMessage", json={}) as answer:
            assert (answer.status, await answer.text()) == (502, "<html>Bad Gateway")
        assert await sandbox.accepted(started) == []
        await sandbox.ok(started, "sendMessage", chat_id=501, text="now")
        assert [send["text"] for send in await sandbox.accepted(started)] == ["now"]

    async def test_a_dropped_connection_leaves_one_accepted_send(self, sandbox, started):
        await sandbox.control(drop=1)
        with pytest.raises(aiohttp.ClientError):
            await sandbox.api(started, "sendMessage", chat_id=501, text="who knows")
        assert [send["text"] for send in await sandbox.accepted(started)] == ["who knows"]

    async def test_silence_lasts_until_it_is_lifted(self, sandbox, started):
        await sandbox.control(silent=True)
        call = asyncio.create_task(sandbox.ok(started, "getMe"))
        done, _ = await asyncio.wait((call,), timeout=0.3)
        assert not done
        await sandbox.control(silent=False)
        assert await call

    async def test_without_the_token_phones_and_faults_are_closed(self, sandbox):
        for path in ("/control", "/control/log", "/phone/telegram", "/phone/telegram/1/2/messages"):
            for given in ({}, {"Authorization": "Bearer wrong"}):
                async with sandbox.client.get(sandbox.address + path, headers=given) as answer:
                    assert answer.status == 401
        async with sandbox.client.get(f"{sandbox.address}/control?token={sandbox.token}") as answer:
            assert answer.status == 200


async def test_chats_files_and_waiting_updates_survive_kill_9(kept_sandbox, token):
    sandbox = kept_sandbox
    await sandbox.ok(token, "getMe")
    await sandbox.says(token, 501, text="សួស្តី")
    await sandbox.ok(token, "sendMessage", chat_id=501, text="hello")
    await sandbox.end(signal.SIGKILL)
    await sandbox.start()
    assert [view["message"]["text"] for view in await sandbox.shown(token, 501)] == ["សួស្តី", "hello"]
    async with webhook() as (url, seen):
        await sandbox.ok(token, "setWebhook", url=url)
        assert (await received(seen))[0]["message"]["text"] == "សួស្តី"
    assert [send["text"] for send in await sandbox.accepted(token)] == ["hello"]
    third = await sandbox.ok(token, "sendMessage", chat_id=501, text="again")
    assert third["message_id"] == 3


async def test_stopping_waits_for_no_open_line(kept_sandbox, token):
    await kept_sandbox.ok(token, "getMe")
    polling = asyncio.create_task(kept_sandbox.api(token, "getUpdates", timeout=50))
    url = f"{kept_sandbox.address}/phone/telegram/{token.partition(':')[0]}/501/events"
    async with kept_sandbox.client.get(url, headers=kept_sandbox.bearer) as stream:
        await kept_sandbox.says(token, 501, text="ends the first poll")
        await polling
        polling = asyncio.create_task(kept_sandbox.api(token, "getUpdates", timeout=50, offset=2**31))
        await kept_sandbox.control(silent=True)
        unanswered = asyncio.create_task(kept_sandbox.api(token, "getMe"))
        async with asyncio.timeout(40):  # less than a poll would last
            assert await kept_sandbox.end() == 0
            await stream.read()
    await asyncio.gather(polling, unanswered, return_exceptions=True)


async def test_the_phone_hears_of_news_at_once(sandbox, started):
    url = f"{sandbox.address}/phone/telegram/{started.partition(':')[0]}/501/events?after=1"
    async with sandbox.client.get(url, headers=sandbox.bearer) as stream:
        await sandbox.ok(started, "sendChatAction", chat_id=501, action="typing")
        await sandbox.ok(started, "sendMessage", chat_id=501, text="សួស្តី 👨‍👩‍👧‍👦")
        events = []
        async with asyncio.timeout(SECONDS):
            async for line in stream.content:
                events += [line.decode().strip()] if line.startswith((b"event", b"data")) else []
                if len(events) == 4:
                    break
    assert events[:2] == ["event: typing", "data: {}"]
    assert json.loads(events[3].removeprefix("data: "))["message"]["text"] == "សួស្តី 👨‍👩‍👧‍👦"


class TestTheChannelAndTheSandboxAgree:
    """Both were written from Telegram's documentation: what one sends the other takes."""

    async def made(self, sandbox, steps, files):
        return await drive(steps, channel=CHANNEL, ask=lambda request: self.request(sandbox, request, files))

    async def request(self, sandbox, http: Http, files):
        body = http.body
        if isinstance(body, tuple):
            form = aiohttp.FormData(default_to_multipart=True)
            for field in body:
                if isinstance(field.value, Blob):
                    blob = field.value
                    form.add_field(field.name, files[blob.ref], filename=blob.name, content_type=blob.mime_type)
                else:
                    form.add_field(field.name, field.value)
            body = form
        async with sandbox.client.request(http.method, http.url, headers=http.headers, data=body) as answer:
            return Response(status=answer.status, headers=answer.headers, body=await answer.read())

    def account(self, sandbox, token):
        return CHANNEL.account(name="main", token=token, api=sandbox.address)

    @pytest.mark.parametrize(
        "sample",
        [path for path in sorted(SAMPLES.glob("*.out.json")) if "sent" in path.read_text()],
        ids=lambda p: p.name,
    )
    async def test_what_the_channel_sends_the_sandbox_takes(self, sandbox, token, sample):
        piece = Piece.model_validate(json.loads(sample.read_text())["piece"])
        await sandbox.ok(token, "getMe")
        await sandbox.says(token, 501223344, text="/start")
        piece = piece.model_copy(update={"to": "501223344"})
        files = {"default/ab/abcd": PIXEL}
        sent = await self.made(sandbox, CHANNEL.outbound(self.account(sandbox, token), piece, NOW), files)
        (logged,) = await sandbox.accepted(token)
        assert sent.external_ids == (f"501223344:{logged['message_id']}",)

    async def heard(self, sandbox, token):
        """The newest of what the channel reads."""
        account = self.account(sandbox, token)
        page = await self.made(sandbox, CHANNEL.poll(account, {}, NOW), {})
        return page.records[-1]

    async def answered(self, sandbox, token, asked, part=None, **more):
        part = part or Text(text="5$")
        piece = Piece(id="1/0", to=asked.peer, part=part, references=(asked.external_id,), **more)
        steps = CHANNEL.outbound(self.account(sandbox, token), piece, NOW)
        return await self.made(sandbox, steps, {"b": PIXEL})

    @pytest.mark.parametrize("place", ["direct", "ephemeral"])
    async def test_what_a_person_asks_in_a_place_of_their_own_is_answered_there_and_nowhere_else(
        self, sandbox, started, place
    ):
        people = {"501": "Dara", "502": "Bopha"}
        for user, name in people.items():
            await sandbox.says(started, f"{user}-{place}", text=f"how much? {name}", name=name)
            asked = await self.heard(sandbox, started)
            assert (asked.parts, asked.sender.address, asked.surface) == (
                (Text(text=f"how much? {name}"),),
                user,
                "direct",
            )
            assert asked.peer == asked.container
            assert asked.peer.endswith(f":{place}:{user}")
            sent = await self.answered(sandbox, started, asked)
            picture = Media(media="image", state="stored", blob="b", mime_type="image/png", name="x.png")
            await self.answered(sandbox, started, asked, picture, reply_to=asked.external_id)
            assert sent.external_ids[0] != asked.external_id
            shown = [view["message"] for view in await sandbox.shown(started, f"{user}-{place}")]
            assert [message.get("text", "photo") for message in shown] == [f"how much? {name}", "5$", "photo"]
            assert shown[2]["reply_to_message"]["text"] == f"how much? {name}"
        assert [view["message"]["text"] for view in await sandbox.shown(started, 501)] == ["/start"]

    async def test_alone_in_a_group_only_what_was_just_asked_is_answered(self, sandbox, token):
        await sandbox.ok(token, "getMe")
        await sandbox.says(token, "501-ephemeral", text="/price")
        asked = await self.heard(sandbox, token)
        await sandbox.control(telegram={"query_seconds": 0})
        with pytest.raises(SendFailed, match="within 15 seconds"):
            await self.answered(sandbox, token, asked)
        await sandbox.control(telegram={"query_seconds": 15})
        with pytest.raises(SendFailed, match="within 15 seconds"):
            await self.answered(sandbox, token, replace(asked, external_id=f"{asked.peer}:9999"))
        await self.answered(sandbox, token, asked)

    async def test_a_press_alone_in_a_group_is_answered_by_its_query(self, sandbox, token):
        await sandbox.ok(token, "getMe")
        await sandbox.says(token, "501-ephemeral", text="/size")
        asked = await self.heard(sandbox, token)
        await self.answered(sandbox, token, asked, Choices(text="Which?", options=(Option(id="L", title="Large"),)))
        offered = (await sandbox.shown(token, "501-ephemeral"))[-1]["message"]
        press = {"message_id": offered["ephemeral_message_id"], "data": "L"}
        await sandbox.says(token, "501-ephemeral", press=press)
        pressed = await self.heard(sandbox, token)
        assert (pressed.peer, pressed.parts[0].id) == (asked.peer, "L")
        await self.answered(sandbox, token, pressed)
        assert (await sandbox.shown(token, "501-ephemeral"))[-1]["message"]["text"] == "5$"

    async def test_a_place_without_a_name_is_refused(self, sandbox, token):
        await sandbox.ok(token, "getMe")
        await sandbox.says(token, "501-direct", text="hi")
        await sandbox.says(token, "501-ephemeral", text="/hi")
        updates = await sandbox.ok(token, "getUpdates")
        for update in updates:
            chat = update["message"]["chat"]["id"]
            status, why = await sandbox.no(token, "sendMessage", chat_id=chat, text="for everybody")
            assert (status, "topic must be" in why or "name the receiver" in why) == (400, True)
        assert (await sandbox.phone(token, "501-direct", "send", block=True))[0] == 400
        assert (await sandbox.phone(token, "501-ephemeral", "send", react={"message_id": 1, "emoji": "👍"}))[0] == 400

    async def test_a_sent_file_comes_back_byte_for_byte(self, sandbox, started):
        account = self.account(sandbox, started)
        part = Media(media="image", state="stored", blob="b", mime_type="image/png", name="x.png")
        await self.made(sandbox, CHANNEL.outbound(account, Piece(id="1", to="501", part=part), NOW), {"b": PIXEL})
        photo = (await sandbox.shown(started, 501))[-1]["message"]["photo"][-1]
        handle = Media(media="image", handle=photo["file_id"])
        download = await self.made(sandbox, CHANNEL.fetch(account, handle, NOW), {})
        assert (await self.request(sandbox, download.request, {})).body == PIXEL
        assert started not in download.request.shown_url

    async def test_the_webhook_is_registered_with_every_update_we_read(self, sandbox, token):
        app = CHANNEL.app(name="main", secret="s3cret")
        async with webhook() as (url, seen):
            await self.made(sandbox, CHANNEL.register(app, self.account(sandbox, token), replace(NOW, hook=url)), {})
            await sandbox.says(token, 501, text="hi")
            update, secret = await received(seen)
        request = Request(body=json.dumps(update).encode(), headers={"x-telegram-bot-api-secret-token": secret})
        CHANNEL.verify(app, request, NOW)
        (record,) = CHANNEL.inbound(app, request, NOW)
        assert record.parts == (Text(text="hi"),)
        assert "message_reaction" in (await sandbox.ok(token, "getWebhookInfo"))["allowed_updates"]

    async def test_a_poll_goes_on_where_it_stopped(self, sandbox, started):
        account = self.account(sandbox, started)
        page = await self.made(sandbox, CHANNEL.poll(account, {}, NOW), {})
        assert [record.parts[0].text for record in page.records] == ["/start"]
        await sandbox.says(started, 501, text="next")
        page = await self.made(sandbox, CHANNEL.poll(account, page.cursor, NOW), {})
        assert [record.parts[0].text for record in page.records] == ["next"]

    @pytest.fixture
    async def asked(self, sandbox, started):
        """A message with one button."""
        keyboard = {"inline_keyboard": [[{"text": "ធំ", "callback_data": "L"}]]}
        return await sandbox.ok(started, "sendMessage", chat_id=501, text="ទំហំ?", reply_markup=keyboard)

    async def turns(self, sandbox, token):
        """The button that turns on the phone, if any."""
        return (await sandbox.shown(token, 501))[-1].get("pressing")

    async def press(self, sandbox, token, asked):
        await sandbox.says(token, 501, press={"message_id": asked["message_id"], "data": "L"})

    async def test_a_pressed_button_turns_until_the_answer_to_the_webhook(self, sandbox, started, asked):
        app = CHANNEL.app(name="main", secret="s3cret")
        await self.press(sandbox, started, asked)
        assert await self.turns(sandbox, started) == "L"
        said = lambda body: CHANNEL.accepted(app, Request(body=body), NOW)  # noqa: E731
        async with webhook(said=said) as (url, seen):
            await sandbox.ok(started, "setWebhook", url=url)
            while "callback_query" not in (await received(seen))[0]:
                pass
            async with asyncio.timeout(SECONDS):
                while await self.turns(sandbox, started):
                    await asyncio.sleep(0.05)

    async def test_a_pressed_button_turns_until_the_next_turn_of_the_poll(self, sandbox, started, asked):
        account = self.account(sandbox, started)
        await self.press(sandbox, started, asked)
        page = await self.made(sandbox, CHANNEL.poll(account, {}, NOW), {})
        assert await self.turns(sandbox, started) == "L", "nothing is durable yet"
        await sandbox.says(started, 501, text="next")
        page = await self.made(sandbox, CHANNEL.poll(account, page.cursor, NOW), {})
        assert [view.get("pressing") for view in await sandbox.shown(started, 501)] == [None] * 3
        assert [record.parts[0].text for record in page.records] == ["next"]

    async def test_a_press_that_is_too_old_to_be_answered_holds_up_no_poll(self, sandbox, started, asked):
        account = self.account(sandbox, started)
        await sandbox.control(telegram={"query_seconds": 0})
        await self.press(sandbox, started, asked)
        page = await self.made(sandbox, CHANNEL.poll(account, {}, NOW), {})
        (query,) = page.cursor["pressed"]
        await sandbox.says(started, 501, text="next")
        page = await self.made(sandbox, CHANNEL.poll(account, page.cursor, NOW), {})
        assert [record.parts[0].text for record in page.records] == ["next"]
        assert (await sandbox.no(started, "answerCallbackQuery", callback_query_id=query))[1].startswith(
            "Bad Request: query is too old"
        )

    async def test_a_blocked_bot_is_a_blocked_code(self, sandbox, started):
        await sandbox.says(started, 501, block=True)
        piece = Piece(id="1", to="501", part=Text(text="x"))
        with pytest.raises(SendFailed) as failed:
            await self.made(sandbox, CHANNEL.outbound(self.account(sandbox, started), piece, NOW), {})
        assert failed.value.reason == "blocked"
