"""The phone on the page, in a real browser: a person can do with it what they came for, and no bot can run anything there."""

import json
import os
import re
import signal
from pathlib import Path

import pytest
from playwright.async_api import expect

from services.sandbox.pages import FILES, PAGES, ROOT
from tests import chromium
from tests.pictures import PIXEL

LOADED = "img => new Promise(done => { img.onload = () => done(img.naturalWidth); if (img.naturalWidth) img.onload() })"
ASKS = re.compile(r"""\bt\([`"](\w+)|data-(?:t|label|placeholder)="(\w+)""" "")
SHOTS = os.environ.get("PARLEY_SCREENSHOTS")


@pytest.fixture(scope="session")
async def browser():
    async with chromium.browser() as launched:
        yield launched


@pytest.fixture
async def phone(browser, sandbox, token):
    """An open phone in Khmer whose bot has called, and the errors that its console saw."""
    await sandbox.ok(token, "getMe")
    page = await (await chromium.visit(browser, locale="km-KH", viewport={"width": 420, "height": 720})).new_page()
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on("console", lambda line: page.errors.append(line.text) if line.type == "error" else None)
    number = token.partition(":")[0]
    await page.goto(f"{sandbox.address}/phone/#token={sandbox.token}&bot={number}&user=501&name=តារា")
    await page.locator("#state", has_text="បូត").wait_for()
    yield page
    assert page.errors == []
    await page.context.close()


async def shot(page, name):
    if SHOTS:
        await page.screenshot(path=Path(SHOTS) / f"{name}.png")


async def test_another_app_is_found_by_its_name_in_either_script(phone):
    await phone.locator("#person").click()
    asked = phone.get_by_label("ស្វែងរកកម្មវិធី")
    for words, name in (("yout", "YouTube"), ("ហ្វេសប៊ុក", "Messenger"), ("no such app", None), ("យូធូប", "YouTube")):
        await asked.fill(words)
        shown = phone.locator("dialog .find ~ .choice:visible")
        await expect(shown).to_have_text([re.compile(f"{name}$")] if name else [])
        await expect(phone.get_by_text("គ្មានកម្មវិធីឈ្មោះនេះទេ។")).to_have_count(0 if name else 1)
    await asked.press("Enter")
    await phone.wait_for_url("**channel=youtube**")
    await expect(phone.locator("#attach")).to_be_hidden()


async def test_a_no_that_the_provider_documents_is_asked_for_on_the_page(phone, sandbox, token):
    async def fault(name):
        await phone.locator("#person").click()
        await phone.get_by_role("button", name="ធ្វើឱ្យមានបញ្ហា").click()
        return phone.locator("dialog .choice", has_text=name)

    await (await fault("throttled")).click()
    await expect(await fault("throttled")).to_have_attribute("aria-pressed", "true")
    await shot(phone, "phone-faults")
    assert (await sandbox.no(token, "sendMessage", chat_id=501, text="x"))[0] == 429
    await phone.keyboard.press("Escape")
    await expect(await fault("throttled")).to_have_attribute("aria-pressed", "false")
    assert (await sandbox.no(token, "sendMessage", chat_id=501, text="x"))[0] == 400


async def test_a_person_chats_by_keyboard_alone(phone, sandbox, token):
    await phone.get_by_label("សរសេរសារ").focus()
    await phone.keyboard.type("សួស្តីបង តើហាងបើកម៉ោងប៉ុន្មាន?")
    await phone.keyboard.press("Enter")
    await phone.locator("li.mine .text").wait_for()
    assert await phone.get_by_role("button", name="កំពុងសរសេរក្នុងនាម តារា").is_visible()
    (update,) = await sandbox.ok(token, "getUpdates")
    assert update["message"]["text"] == "សួស្តីបង តើហាងបើកម៉ោងប៉ុន្មាន?"
    assert update["message"]["from"]["first_name"] == "តារា"
    await sandbox.ok(token, "sendChatAction", chat_id=501, action="typing")
    await phone.get_by_text("កំពុងសរសេរ…").wait_for()
    keyboard = {
        "inline_keyboard": [[{"text": "ព្រឹក", "callback_data": "am"}], [{"text": "ល្ងាច", "callback_data": "pm"}]]
    }
    await sandbox.ok(token, "sendMessage", chat_id=501, text="ម៉ោងណា? 👨‍👩‍👧‍👦", reply_markup=keyboard)
    await phone.get_by_role("button", name="ល្ងាច").focus()
    async with phone.expect_response("**/send"):
        await phone.keyboard.press("Enter")
    query = (await sandbox.ok(token, "getUpdates"))[-1]["callback_query"]
    assert query["data"] == "pm"
    turning = phone.locator("button[aria-busy]")
    await expect(turning).to_have_text("ល្ងាច")
    await sandbox.ok(token, "answerCallbackQuery", callback_query_id=query["id"])
    await expect(turning).to_have_count(0)
    assert await phone.get_by_role("log").get_attribute("aria-live") == "polite"
    await shot(phone, "phone-khmer")


@pytest.mark.parametrize("place", ["direct", "ephemeral"])
async def test_a_person_writes_where_only_they_and_the_bot_are(phone, sandbox, token, place):
    await phone.get_by_role("button", name="កំពុងសរសេរក្នុងនាម តារា").click()
    await phone.get_by_role("button", name=f"{token.partition(':')[0]}-{place}").click()
    await phone.get_by_label("សរសេរសារ").fill("តម្លៃ?")
    await phone.keyboard.press("Enter")
    await phone.locator("li.mine .text", has_text="តម្លៃ?").wait_for()
    message = (await sandbox.ok(token, "getUpdates"))[0]["message"]
    where = {
        "direct": {"direct_messages_topic_id": 501},
        "ephemeral": {
            "ephemeral_message_parameters": {"receiver_user_id": 501},
            "reply_parameters": {"ephemeral_message_id": message.get("ephemeral_message_id")},
        },
    }
    await sandbox.ok(token, "sendMessage", chat_id=message["chat"]["id"], text="៥$", **where[place])
    await phone.locator("li.theirs .text", has_text="៥$").wait_for()
    await shot(phone, f"phone-{place}")


async def test_pictures_places_cards_replies_and_edits(phone, sandbox, token):
    await phone.locator("#file").set_input_files({"name": "x.png", "mimeType": "image/png", "buffer": PIXEL})
    await phone.locator("#text").fill("មើល")
    await phone.keyboard.press("Enter")
    assert await phone.locator("li.mine img.picture").evaluate(LOADED) == 1
    await attach(phone, "ទីតាំង")
    await phone.locator("dialog").get_by_role("button", name="ផ្ញើ").click()
    await phone.locator("li.mine .place").wait_for()
    await attach(phone, "ទំនាក់ទំនង")
    await phone.get_by_label("ឈ្មោះ").fill("ដារ៉ា")
    await phone.get_by_label("លេខទូរសព្ទ").fill("+855 12 345 678")
    await phone.keyboard.press("Enter")
    await phone.locator("li.mine .card", has_text="ដារ៉ា").wait_for()
    await sandbox.ok(token, "sendMessage", chat_id=501, text="مرحبا")
    await options(phone, "مرحبا", "ឆ្លើយតប")
    await phone.keyboard.type("teh")
    await phone.keyboard.press("Enter")
    await phone.locator("li.mine", has_text="teh").locator(".quoted", has_text="مرحبا").wait_for()
    await options(phone, "teh", "កែ")
    await phone.locator("#text").fill("the")
    await phone.keyboard.press("Enter")
    await phone.locator("li.mine .text", has_text=re.compile("^the$")).wait_for()
    updates = await sandbox.ok(token, "getUpdates")
    assert [next(iter(set(update) - {"update_id"})) for update in updates] == [*["message"] * 4, "edited_message"]
    assert updates[0]["message"]["caption"] == "មើល"
    assert updates[2]["message"]["contact"]["phone_number"] == "+855 12 345 678"
    assert updates[3]["message"]["reply_to_message"]["text"] == "مرحبا"
    assert updates[4]["edited_message"]["text"] == "the"
    assert updates[4]["edited_message"]["reply_to_message"]["text"] == "مرحبا"
    await shot(phone, "phone-mixed")


async def attach(phone, what):
    await phone.locator("#attach").click()
    await phone.locator("dialog").get_by_role("button", name=what).click()


async def options(phone, message, what):
    """What can be done with a message, by the keyboard."""
    await phone.locator("#messages > li", has_text=message).focus()
    await phone.keyboard.press("Enter")
    await phone.locator("dialog").get_by_role("button", name=what).click()


async def test_reactions_are_given_and_taken_back(phone, sandbox, token):
    await sandbox.says(token, 501, text="hello")
    await sandbox.ok(token, "sendMessage", chat_id=501, text="Welcome")
    await options(phone, "Welcome", "ដាក់ប្រតិកម្ម ❤")
    await phone.locator("li.theirs .reactions", has_text="❤").wait_for()
    await options(phone, "Welcome", "ដក ❤ វិញ")
    await phone.locator("li.theirs .reactions").wait_for(state="detached")


async def test_several_people_write_each_in_their_own_chat(phone, sandbox, token):
    await sandbox.says(token, 501, text="mine")
    await phone.get_by_text("mine", exact=True).wait_for()
    await phone.locator("#person").click()
    await phone.locator("dialog input[name=name]").fill("Vanna")
    await phone.keyboard.press("Enter")
    await phone.locator("#log .empty").wait_for()
    await phone.locator("#text").fill("hers")
    await phone.keyboard.press("Enter")
    await phone.locator("li.mine .text", has_text="hers").wait_for()
    update = (await sandbox.ok(token, "getUpdates"))[-1]
    assert (update["message"]["from"]["first_name"], update["message"]["text"]) == ("Vanna", "hers")
    assert update["message"]["from"]["id"] != 501
    await phone.locator("#person").click()
    await phone.locator("dialog").get_by_role("button", name="តារា").click()
    await phone.get_by_text("mine", exact=True).wait_for()
    await phone.get_by_text("hers", exact=True).wait_for(state="detached")


async def test_who_blocks_is_told_so_and_the_bot_too(phone, sandbox, token):
    await sandbox.says(token, 501, text="hello")
    await phone.locator("#person").click()
    await phone.locator("dialog").get_by_role("button", name="ទប់ស្កាត់").click()
    await phone.locator("#blocked").wait_for()
    _, said = await sandbox.no(token, "sendMessage", chat_id=501, text="are you there?")
    assert said == "Forbidden: bot was blocked by the user"
    await phone.locator("#unblock").click()
    await phone.locator("#blocked").wait_for(state="hidden")
    await sandbox.ok(token, "sendMessage", chat_id=501, text="again")


async def test_a_reload_shows_the_whole_chat_and_the_dark_one_too(phone, sandbox, token):
    await sandbox.says(token, 501, text="one")
    await sandbox.ok(token, "sendMessage", chat_id=501, text="two")
    await phone.emulate_media(color_scheme="dark")
    await phone.reload()
    await phone.get_by_text("two", exact=True).wait_for()
    assert await phone.locator("#log .text").all_inner_texts() == ["one", "two"]
    await shot(phone, "phone-dark")


async def test_what_a_bot_writes_is_only_text(phone, sandbox, token):
    await sandbox.says(token, 501, text="/start")
    evil = "<img src=x onerror=document.title='owned'><script>document.title='owned'</script>"
    await sandbox.ok(token, "sendMessage", chat_id=501, text=evil)
    await phone.get_by_text(evil, exact=True).wait_for()
    assert await phone.title() != "owned"


async def test_what_is_refused_is_said_and_not_lost(phone):
    await phone.locator("#text").fill("ក" * 4097)
    await phone.locator("#send").click()
    await phone.get_by_role("alert").filter(has_text="message is too long").wait_for()
    assert await phone.locator("#text").input_value() == "ក" * 4097
    phone.errors = [line for line in phone.errors if "400 (Bad Request)" not in line]


async def test_a_sandbox_that_is_away_is_said_in_words_and_looked_for_again(phone, sandbox, token):
    await phone.route("**/phone/telegram/**", lambda route: route.abort())
    await phone.locator("#text").fill("hello?")
    await phone.keyboard.press("Enter")
    await phone.get_by_role("alert").filter(has_text="មិនអាចទាក់ទង sandbox បានទេ").wait_for()
    assert await phone.locator("#text").input_value() == "hello?"
    await phone.unroute("**/phone/telegram/**")
    await phone.keyboard.press("Enter")
    await phone.locator("li.mine .text", has_text="hello?").wait_for()
    await phone.get_by_role("alert").wait_for(state="hidden")
    phone.errors = [line for line in phone.errors if "net::ERR_FAILED" not in line]


async def test_a_sandbox_that_came_back_goes_on_where_it_was(browser, kept_sandbox, token):
    sandbox = kept_sandbox
    await sandbox.ok(token, "getMe")
    await sandbox.says(token, 502, text="before")
    page = await (await chromium.visit(browser, locale="en-US")).new_page()
    await page.goto(f"{sandbox.address}/phone/#token={sandbox.token}&bot={token.partition(':')[0]}&user=502")
    await page.get_by_text("before", exact=True).wait_for()
    await sandbox.end(signal.SIGKILL)
    await page.get_by_role("alert").filter(has_text="The sandbox cannot be reached").wait_for()
    await sandbox.start()
    await page.get_by_role("alert").wait_for(state="hidden")
    await sandbox.ok(token, "sendMessage", chat_id=502, text="after")
    await page.get_by_text("after", exact=True).wait_for()
    assert await page.locator("#log .text").all_inner_texts() == ["before", "after"]
    await page.context.close()


async def test_pages_that_nobody_has_connected_say_what_they_wait_for(browser, kept_sandbox):
    page = await (await chromium.visit(browser, locale="km-KH")).new_page()
    for address in ("phone/?channel=whatsapp", "post/?"):
        await page.goto(f"{kept_sandbox.address}/{address}#token={kept_sandbox.token}")
        await page.get_by_text("មិនទាន់មានអាជីវកម្មភ្ជាប់មកទេ").wait_for()
    await page.context.close()


async def test_a_wrong_token_is_said_in_words(browser, sandbox):
    page = await (await chromium.visit(browser, locale="en-US")).new_page()
    for address in ("phone/?channel=whatsapp", "post/?", "mailbox/?"):
        await page.goto(f"{sandbox.address}/{address}#token=wrong")
        await page.get_by_role("alert").filter(has_text="The token in the address is not the sandbox's").wait_for()
        await page.goto(f"{sandbox.address}/{address}&again")
        await page.get_by_role("alert").filter(has_text="This page needs its token").wait_for()
    await page.context.close()


async def test_a_phone_that_nobody_sees_lets_go_of_its_line_and_misses_nothing(phone, sandbox, token):
    """A browser has six lines to a server, and the console shows five of these pages."""
    await sandbox.says(token, 501, text="before")
    await phone.get_by_text("before", exact=True).wait_for()
    address = phone.url
    html = f'<!doctype html><link rel=icon href=data:,><iframe width=380 height=600 src="{address}"></iframe>'
    await phone.route("**/frame", lambda route: route.fulfill(body=html, content_type="text/html"))
    async with phone.expect_request("**/events?after=0"):
        await phone.goto(f"{sandbox.address}/frame")
    framed = phone.frame_locator("iframe")
    await framed.get_by_text("before", exact=True).wait_for()
    async with phone.expect_event("requestfailed", lambda request: "/events" in request.url):
        await phone.evaluate("document.querySelector('iframe').style.display = 'none'")
    await sandbox.ok(token, "sendMessage", chat_id=501, text="meanwhile")
    async with phone.expect_request("**/events?after=1"):
        await phone.evaluate("document.querySelector('iframe').style.display = ''")
    await framed.get_by_text("meanwhile", exact=True).wait_for()


async def test_the_page_is_under_a_strict_policy(sandbox):
    async with sandbox.client.get(f"{sandbox.address}/phone/") as answer:
        policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'self' http://127.0.0.1:* http://localhost:*" in policy


async def test_pages_ask_for_no_token_and_what_they_show_does(sandbox):
    for page in PAGES:
        async with sandbox.client.get(f"{sandbox.address}/{page}/") as answer:
            assert answer.status == 200
    for data in (
        "/phone/telegram",
        "/phone/whatsapp/1/2/messages",
        "/post/facebook",
        "/mailbox",
        "/mailbox/a@example.com",
    ):
        async with sandbox.client.get(sandbox.address + data) as answer:
            assert answer.status == 401, data


def test_no_file_of_the_page_writes_html():
    for path in FILES.values():
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", path.read_text()), path


def test_every_language_says_everything_and_nothing_else():
    words = {path.stem: json.loads(path.read_text()) for path in ROOT.glob("words/*.json")}
    assert set(words) >= {"en", "km"}
    for language, said in words.items():
        assert said.keys() == words["en"].keys(), language
        for key, text in words["en"].items():
            assert names(said[key]) == names(text), (language, key)


def names(text):
    texts = text.values() if isinstance(text, dict) else text if isinstance(text, list) else [text]
    return {name for each in texts for name in re.findall(r"\{(\w+)\}", each)}


def test_every_word_that_a_page_asks_for_exists_and_no_other():
    words = json.loads((ROOT / "words/en.json").read_text()).keys()
    code = "".join(path.read_text() for path in FILES.values() if path.suffix in {".js", ".html"})
    asked = {key for found in ASKS.findall(code) for key in found if key}
    assert [key for key in asked if key not in words and not (key.endswith("_") and any(map(begins(key), words)))] == []
    assert [
        word for word in words if word not in code and not any(key.endswith("_") and begins(key)(word) for key in asked)
    ] == []


def begins(key):
    return lambda word: word.startswith(key)
