"""The phone on the page, in a real browser: a person can do with it what they came for, and no bot can run anything there."""

import os
import re
import shutil
from pathlib import Path

import pytest

from services.sandbox.pages import PAGE

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f645"
    "400000000049454e44ae426082"
)
LOADED = "img => new Promise(done => { img.onload = () => done(img.naturalWidth); if (img.naturalWidth) img.onload() })"
SHOTS = os.environ.get("PARLEY_SCREENSHOTS")


def lacking(what):
    if os.environ.get("PARLEY_REQUIRE_ALL") == "1":
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
async def browser():
    playwright = pytest.importorskip("playwright.async_api", reason="playwright is not installed")
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    async with playwright.async_playwright() as driver:
        try:
            browser = await driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        except playwright.Error as error:
            lacking(f"no Chromium can be started: {error.message.splitlines()[0]}")
        yield browser
        await browser.close()


@pytest.fixture
async def phone(browser, sandbox, token):
    """An open phone in Khmer whose bot has called, and the errors that its console saw."""
    await sandbox.ok(token, "getMe")
    page = await browser.new_page(locale="km-KH", viewport={"width": 420, "height": 720})
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on("console", lambda line: page.errors.append(line.text) if line.type == "error" else None)
    number = token.partition(":")[0]
    await page.goto(f"{sandbox.address}/phone/#token={sandbox.token}&bot={number}&user=501&name=តារា")
    await page.locator("#state", has_text="បូត").wait_for()
    yield page
    assert page.errors == []
    await page.close()


async def shot(page, name):
    if SHOTS:
        await page.screenshot(path=Path(SHOTS) / f"{name}.png")


async def test_a_person_chats_by_keyboard_alone(phone, sandbox, token):
    await phone.get_by_label("សរសេរសារ").focus()
    await phone.keyboard.type("សួស្តីបង តើហាងបើកម៉ោងប៉ុន្មាន?")
    await phone.keyboard.press("Enter")
    await phone.locator("li.mine .text").wait_for()
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
    assert (await sandbox.ok(token, "getUpdates"))[-1]["callback_query"]["data"] == "pm"
    assert await phone.get_by_role("log").get_attribute("aria-live") == "polite"
    await shot(phone, "phone-khmer")


async def test_pictures_places_replies_and_edits(phone, sandbox, token):
    await phone.locator("#file").set_input_files({"name": "x.png", "mimeType": "image/png", "buffer": PIXEL})
    assert await phone.locator("li.mine img").evaluate(LOADED) == 1
    await phone.get_by_label("ផ្ញើទីតាំង").click()
    await phone.locator("#where-send").click()
    await phone.locator("li.mine .place").wait_for()
    await sandbox.ok(token, "sendMessage", chat_id=501, text="مرحبا")
    theirs = phone.locator("li.theirs")
    await theirs.hover()
    await theirs.get_by_label("ឆ្លើយតប").click()
    await phone.keyboard.type("teh")
    await phone.keyboard.press("Enter")
    answer = phone.locator("li.mine", has_text="teh")
    await answer.hover()
    await answer.get_by_label("កែ").click()
    await phone.locator("#text").fill("the")
    await phone.keyboard.press("Enter")
    await phone.locator("li.mine .text", has_text=re.compile("^the$")).wait_for()
    updates = await sandbox.ok(token, "getUpdates")
    assert [next(iter(set(update) - {"update_id"})) for update in updates] == [*["message"] * 3, "edited_message"]
    assert updates[2]["message"]["reply_to_message"]["text"] == "مرحبا"
    assert updates[3]["edited_message"]["text"] == "the"
    assert updates[3]["edited_message"]["reply_to_message"]["text"] == "مرحبا"
    await shot(phone, "phone-mixed")


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


async def test_the_page_is_under_a_strict_policy(sandbox):
    async with sandbox.client.get(f"{sandbox.address}/phone/") as answer:
        policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'self' http://127.0.0.1:* http://localhost:*" in policy


def test_no_file_of_the_page_writes_html():
    for path in PAGE.iterdir():
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", path.read_text()), path


def test_both_languages_say_everything():
    words = (PAGE / "words.js").read_text()
    english, khmer = (set(re.findall(r"^    (\w+):", part, re.MULTILINE)) for part in words.split("  km: {"))
    assert english == khmer
    assert len(english) > 20
