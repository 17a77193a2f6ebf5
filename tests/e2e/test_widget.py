"""The web-chat widget in a real browser, against a real server, Kafka and PostgreSQL: nothing lost, nothing doubled, for every visitor."""

from __future__ import annotations

import asyncio
import os
import re
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from playwright.async_api import Browser, BrowserContext, Locator, Page, Route, WebSocketRoute, expect

from deploy.local.home import Addresses
from services.chat_adapter.webchat.pages import VERSION
from shared.contract.channel import DeletePiece, EditPiece, MarkSeen
from shared.contract.envelope import Choices, Media, Option
from shared.runtime.settings import Settings
from tests.chromium import browser, visit
from tests.conftest import Stack
from tests.patience import SECONDS, until
from tests.pictures import PIXEL
from tests.services.chat_adapter.running import Running, running, text, world_of


@pytest.fixture(scope="module")
async def world(servers: Addresses, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Settings]:
    async with world_of(servers, tmp_path_factory.mktemp("widget")) as settings:
        yield settings


@pytest.fixture(scope="module")
async def chat(world: Settings) -> AsyncIterator[Running]:
    async with running(world, sessions_per_minute=1000) as started:
        yield started


@pytest.fixture(scope="module")
async def chromium() -> AsyncIterator[Browser]:
    async with browser() as launched:
        yield launched


@pytest.fixture
async def context(chromium: Browser) -> AsyncIterator[BrowserContext]:
    async with visiting(chromium) as context:
        yield context


@asynccontextmanager
async def visiting(chromium: Browser, **options: Any) -> AsyncIterator[BrowserContext]:
    """A visitor's browser; whatever its pages report as an error fails the test, a policy's refusals included."""
    context = await visit(chromium, **{"locale": "en-US", **options})
    errors: list[str] = []
    context.on("weberror", lambda error: errors.append(str(error.error)))
    context.on("console", lambda message: errors.append(message.text) if is_fault(message.text) else None)
    yield context
    await context.close()
    assert not errors


def is_fault(words: str) -> bool:
    return any(sign in words for sign in ("Content Security Policy", "Trusted", "CORS", "Uncaught", "could not start"))


async def opened(context: BrowserContext, chat: Running, query: str = "?open=1") -> Page:
    page = await context.new_page()
    await page.goto(f"{chat.base}/demo{query}")
    if query:
        await expect(box(page)).to_be_visible()
    return page


def box(page: Page) -> Locator:
    return page.get_by_role("textbox")


def log(page: Page) -> Locator:
    return page.get_by_role("log")


def launcher(page: Page) -> Locator:
    return page.locator("parley-webchat button.launcher")


def bubbles(page: Page, words: str) -> Locator:
    return log(page).locator(".bubble").get_by_text(words, exact=True)


async def say(page: Page, words: str) -> None:
    await box(page).fill(words)
    await box(page).press("Enter")


async def peer_of(page: Page) -> str:
    """The visitor's address, from what the widget keeps."""
    find = "JSON.parse(Object.entries(localStorage).find(([name]) => name.endsWith(' token'))[1]).visitor"
    return str(await page.evaluate(find))


async def told(chat: Running, page: Page) -> list[tuple[str, str]]:
    """The messages of this visitor on the bus: (id, text)."""
    peer = await peer_of(page)
    records = [record for record in await chat.inbound() if record["peer"] == peer and "parts" in record]
    return [(record["id"], record["parts"][0].get("text", "")) for record in records]


async def once(chat: Running, page: Page, words: str) -> bool:
    """Whether exactly one message says this, however often its record was written."""
    return len({id_ for id_, said in await told(chat, page) if said == words}) == 1


async def test_a_visitor_writes_is_answered_and_finds_it_all_again_after_a_reload(
    context: BrowserContext, chat: Running
) -> None:
    page = await opened(context, chat)
    await say(page, "Do you ship to Siem Reap?")
    await expect(log(page).locator(".icon-ticks")).to_be_visible()
    await chat.answer(await peer_of(page), text("Yes, see https://shop.example/ship."), author="Sophea")
    await expect(log(page).get_by_role("link")).to_have_attribute("href", "https://shop.example/ship")
    await page.reload()
    await expect(log(page).locator(".bubble")).to_have_text(
        ["Do you ship to Siem Reap?", "Yes, see https://shop.example/ship."]
    )
    assert await once(chat, page, "Do you ship to Siem Reap?")


async def test_what_was_not_accepted_is_kept_across_a_reload_and_sent_once(
    context: BrowserContext, chat: Running
) -> None:
    page = await opened(context, chat)
    await say(page, "first")
    await expect(log(page).locator(".icon-ticks")).to_be_visible()

    async def refuse(route: Route) -> None:
        await (route.fulfill(status=503, body="{}") if route.request.method == "POST" else route.fallback())

    await page.route("**/messages*", refuse)
    await say(page, "kept")
    await expect(log(page).locator(".icon-clock")).to_be_visible()
    await page.reload()
    await expect(bubbles(page, "kept")).to_be_visible()
    assert not await once(chat, page, "kept")
    await page.unroute("**/messages*")
    await expect(log(page).locator(".icon-clock")).to_have_count(0)
    await expect(log(page).locator(".bubble")).to_have_text(["first", "kept"])
    assert await once(chat, page, "kept")


async def test_an_answer_that_was_lost_on_the_way_doubles_nothing(context: BrowserContext, chat: Running) -> None:
    page = await opened(context, chat)
    lost = 0

    async def lose(route: Route) -> None:
        nonlocal lost
        if route.request.method != "POST" or lost:
            await route.fallback()
            return
        lost += 1
        await route.fetch()
        await route.abort()

    await page.route("**/messages*", lose)
    await say(page, "only once")
    await expect(log(page).locator(".icon-ticks")).to_be_visible()
    await say(page, "and then this")
    await expect(log(page).locator(".bubble")).to_have_text(["only once", "and then this"])
    assert lost == 1
    assert await once(chat, page, "only once")


async def test_offline_is_said_in_words_and_what_is_written_meanwhile_goes_when_back(
    context: BrowserContext, chat: Running
) -> None:
    page = await opened(context, chat)
    await say(page, "before")
    await expect(log(page).locator(".icon-ticks")).to_be_visible()
    await context.set_offline(True)
    await expect(page.get_by_text("You are offline.", exact=False)).to_be_visible()
    await say(page, "meanwhile")
    await chat.answer(await peer_of(page), text("answered meanwhile"))
    await context.set_offline(False)
    await expect(bubbles(page, "answered meanwhile")).to_be_visible()
    await expect(page.get_by_text("You are offline.", exact=False)).to_be_hidden()
    await expect(log(page).locator(".icon-clock")).to_have_count(0)
    assert await once(chat, page, "meanwhile")


async def test_a_server_that_restarts_is_found_again(world: Settings, chromium: Browser, tmp_path: Path) -> None:
    settings = world.model_copy(update={"accounts": str(tmp_path / "accounts.toml")})
    async with running(settings) as chat, visiting(chromium) as context:
        page = await opened(context, chat)
        await say(page, "before")
        await expect(log(page).locator(".icon-ticks")).to_be_visible()
        await chat.go_away()
        await expect(page.get_by_text("Connection lost.", exact=False)).to_be_visible()
        await say(page, "while it was away")
        await chat.serve()
        await expect(page.get_by_text("Connection lost.", exact=False)).to_be_hidden()
        await expect(log(page).locator(".icon-clock")).to_have_count(0)
        assert await once(chat, page, "while it was away")


async def test_where_no_websocket_gets_through_it_polls(context: BrowserContext, chat: Running) -> None:
    page = await context.new_page()

    async def block(socket: WebSocketRoute) -> None:
        await socket.close(code=1011)

    await page.route_web_socket("**/socket", block)
    await page.goto(f"{chat.base}/demo?open=1")
    await say(page, "through a proxy")
    await expect(log(page).locator(".icon-ticks")).to_be_visible()
    await chat.answer(await peer_of(page), text("polled"))
    await expect(bubbles(page, "polled")).to_be_visible()


async def test_a_reply_to_a_closed_window_is_counted_and_read_when_opened(
    context: BrowserContext, chat: Running
) -> None:
    page = await opened(context, chat)
    await say(page, "hello")
    await expect(log(page).locator(".icon-ticks")).to_be_visible()
    await page.keyboard.press("Escape")
    peer = await peer_of(page)
    (sent,) = await chat.answer(peer, text("are you there?"))
    button = page.get_by_role("button", name="Open the chat, 1 unread message")
    await expect(button).to_be_visible()
    assert (await chat.chat.transcript.marks("shop", peer)).read == 0
    await button.click()
    await expect(page.get_by_text("are you there?")).to_be_visible()
    async with asyncio.timeout(SECONDS):
        while (await chat.chat.transcript.marks("shop", peer)).read < 2:
            await asyncio.sleep(0.05)
    receipts = [(r["status"], r["external_ids"]) for r in await chat.deliveries() if r["peer"] == peer]
    assert receipts == [("delivered", [sent.external_ids[0]]), ("read", [sent.external_ids[0]])]


async def test_what_is_edited_taken_back_or_read_changes_where_it_stands(
    context: BrowserContext, chat: Running
) -> None:
    page = await opened(context, chat)
    await say(page, "is it open?")
    await expect(log(page).locator(".icon-ticks")).to_be_visible()
    peer, transcript = await peer_of(page), chat.chat.transcript
    (sent,) = await chat.answer(peer, text("at nine"))
    where = {"to": peer, "external_id": sent.external_ids[0]}
    await expect(bubbles(page, "at nine")).to_be_visible()
    await transcript.amend(chat.account, EditPiece(id="e", part=text("at eight"), **where), None)
    await expect(bubbles(page, "at eight")).to_be_visible()
    await expect(bubbles(page, "at nine")).to_have_count(0)
    await expect(log(page)).to_contain_text("edited")
    (asked,) = [line for line in await transcript.after("shop", peer, 0, limit=10) if line.direction == "inbound"]
    seen = MarkSeen(id="s", to=peer, external_id=f"{peer}/{asked.body['client_id']}")
    await transcript.amend(chat.account, seen, None)
    await expect(log(page).locator("[data-state=seen]")).to_be_visible()
    await transcript.amend(chat.account, DeletePiece(id="d", **where), None)
    await expect(bubbles(page, "This message was taken back")).to_be_visible()
    await page.reload()
    await expect(bubbles(page, "This message was taken back")).to_be_visible()
    await expect(log(page).locator("[data-state=seen]")).to_be_visible()
    await expect(log(page).locator(".bubble")).to_have_count(2)


async def test_it_is_usable_by_keyboard_alone(context: BrowserContext, chat: Running) -> None:
    page = await opened(context, chat, query="")
    await expect(launcher(page)).to_have_attribute("aria-expanded", "false")
    await launcher(page).focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog", name="Chat with us")).to_be_visible()
    await expect(box(page)).to_be_focused()
    await page.keyboard.type("line one")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("line two")
    await page.keyboard.press("Enter")
    await expect(log(page).locator(".bubble")).to_have_text("line one\nline two", use_inner_text=True)
    await expect(box(page)).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_be_hidden()
    await expect(launcher(page)).to_be_focused()


async def test_new_messages_are_announced_and_old_ones_are_not(context: BrowserContext, chat: Running) -> None:
    page = await opened(context, chat)
    await say(page, "hello")
    await expect(log(page)).to_have_attribute("aria-live", "polite")
    await expect(log(page).locator(".icon-ticks")).to_be_visible()
    await page.evaluate(
        """() => {
            const log = document.querySelector("parley-webchat").shadowRoot.querySelector("[role=log]");
            window.added = [];
            new MutationObserver((changes) => changes.forEach((change) =>
                change.addedNodes.forEach((node) => window.added.push(node.className)))).observe(log, { childList: true });
        }"""
    )
    await chat.answer(await peer_of(page), text("one"), text("two"))
    await expect(bubbles(page, "two")).to_be_visible()
    assert await page.evaluate("window.added") == ["row theirs", "row theirs"]


async def test_nothing_that_anyone_wrote_runs(context: BrowserContext, chat: Running) -> None:
    page = await opened(context, chat)
    hostile = "<img src=x onerror=window.ran=1><script>window.ran=1</script> javascript:window.ran=1"
    await say(page, hostile)
    await expect(bubbles(page, hostile)).to_be_visible()
    options = (Option(id="a", title="<b>go</b>", url="javascript:window.ran=1"), Option(id="b", title="<i>ok</i>"))
    await chat.answer(await peer_of(page), text(hostile), Choices(text=hostile, options=options), author=hostile)
    await expect(log(page).get_by_role("button", name="<i>ok</i>")).to_be_visible()
    assert await log(page).locator("img, script, b, i, a").count() == 0
    assert await page.evaluate("window.ran") is None


async def test_a_choice_is_pressed_and_the_bus_knows_which(context: BrowserContext, chat: Running) -> None:
    page = await opened(context, chat)
    await say(page, "hello")
    await expect(log(page).locator(".icon-ticks")).to_be_visible()
    peer = await peer_of(page)
    options = (Option(id="s", title="250 g"), Option(id="m", title="500 g"))
    (sent,) = await chat.answer(peer, Choices(text="Which size?", style="quick_replies", options=options))
    await log(page).get_by_role("button", name="500 g").click()
    await expect(bubbles(page, "500 g")).to_be_visible()
    await expect(log(page).get_by_role("button", name="250 g")).to_be_hidden()
    await expect(log(page).locator(".icon-clock, .icon-tick")).to_have_count(0)
    pressed = [r["parts"][0] for r in await chat.inbound() if r["peer"] == peer and "parts" in r][-1]
    assert pressed == {"kind": "choice", "id": "m", "title": "500 g", "target": sent.external_ids[0]}


async def test_files_go_both_ways_and_pictures_are_shown_from_memory(context: BrowserContext, chat: Running) -> None:
    page = await opened(context, chat)
    await page.locator("parley-webchat input[type=file]").set_input_files(
        [
            {"name": "រូប.png", "mimeType": "image/png", "buffer": PIXEL},
            {"name": "run.exe", "mimeType": "application/x-msdownload", "buffer": b"MZ"},
        ]
    )
    await expect(page.get_by_text("Files like run.exe cannot be sent here")).to_be_visible()
    await page.get_by_role("button", name="Send").click()
    await expect(log(page).locator("a.picture.loaded img")).to_have_attribute("src", starting("blob:"))
    stored = await chat.chat.blobs.put_bytes("default", b"%PDF-1.4 an invoice")
    invoice = Media(
        media="file", state="stored", blob=stored.ref, mime_type="application/pdf", name="invoice.pdf", size=20
    )
    await chat.answer(await peer_of(page), invoice)
    link = log(page).get_by_role("link", name="Download invoice.pdf")
    async with page.expect_download() as download:
        await link.click()
    saved = await (await download.value).path()
    assert Path(saved).read_bytes() == b"%PDF-1.4 an invoice"


def starting(prefix: str) -> Any:
    return re.compile("^" + re.escape(prefix))


async def test_a_long_history_comes_in_pages_and_new_messages_do_not_tear_the_reader_away(
    context: BrowserContext, chat: Running
) -> None:
    page = await opened(context, chat)
    await say(page, "hello")
    await expect(log(page).locator(".icon-ticks")).to_be_visible()
    peer = await peer_of(page)
    await chat.answer(peer, *(text(f"line {number}") for number in range(60)))
    await page.reload()
    await expect(log(page).locator(".bubble")).to_have_count(50)
    await expect(bubbles(page, "line 59")).to_be_in_viewport()
    await page.get_by_role("button", name="Earlier messages").click()
    await expect(log(page).locator(".bubble")).to_have_count(61)
    await expect(bubbles(page, "line 59")).not_to_be_in_viewport()
    await chat.answer(peer, text("something new"))
    await page.get_by_role("button", name="1 new message").click()
    await expect(bubbles(page, "something new")).to_be_in_viewport()


async def test_khmer_visitors_read_khmer(chromium: Browser, chat: Running) -> None:
    async with visiting(chromium, locale="km-KH") as context:
        page = await opened(context, chat)
        await expect(page.get_by_role("dialog", name="ជជែកជាមួយយើង")).to_be_visible()
        await say(page, "សួស្តី តើដឹកទៅសៀមរាបបានទេ?")
        await expect(log(page).get_by_role("separator", name="ថ្ងៃនេះ")).to_be_visible()
        await expect(log(page).locator(".icon-ticks")).to_be_visible()


async def test_on_a_phone_the_window_covers_the_page_and_nobody_wanders_behind_it(
    chromium: Browser, chat: Running
) -> None:
    async with visiting(chromium, viewport={"width": 390, "height": 780}, reduced_motion="reduce") as context:
        page = await opened(context, chat)
        dialog = page.get_by_role("dialog")
        frame = await dialog.bounding_box()
        assert frame
        assert (frame["x"], frame["width"], frame["height"]) == (0, 390, 780)
        await expect(dialog).to_have_attribute("aria-modal", "true")
        for _ in range(12):
            await page.keyboard.press("Tab")
            assert await page.evaluate("document.activeElement.localName") in {"parley-webchat", "body"}
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("button", name="Ask us anything")).to_be_enabled()
        assert await page.locator("[inert]").count() == 0


async def test_it_is_two_requests(context: BrowserContext, chat: Running) -> None:
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page = await opened(context, chat)
    assert await box(page).is_visible()
    scripts = [url.removeprefix(f"{chat.base}/") for url in asked if "widget" in url and "/demo/" not in url]
    assert scripts == ["widget.js", f"widget/{VERSION}/main.js"]


@pytest.mark.parametrize("width", [1280, 390])
async def test_on_a_page_that_is_written_from_right_to_left_it_stands_where_lines_end(
    chromium: Browser, chat: Running, width: int
) -> None:
    """Its own words go in the direction of their own language."""

    async def turned(route: Route) -> None:
        answer = await route.fetch()
        await route.fulfill(response=answer, body=(await answer.text()).replace("<html", '<html dir="rtl"'))

    async with visiting(chromium, viewport={"width": width, "height": 780}, reduced_motion="reduce") as context:
        page = await context.new_page()
        await page.route("**/demo", turned)
        await page.goto(f"{chat.base}/demo")
        button = await launcher(page).bounding_box()
        assert button
        assert button["x"] == 20
        await launcher(page).click()
        await expect(box(page)).to_be_visible()
        title = await page.get_by_role("dialog").locator("h2").bounding_box()
        close = await page.get_by_role("dialog").locator("button.close").bounding_box()
        assert title
        assert close
        assert 0 <= title["x"] < close["x"] < width
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await say(page, "مرحبا, hello")
        written = bubbles(page, "مرحبا, hello")
        assert await written.evaluate("node => getComputedStyle(node).direction") == "rtl"
        if folder := os.environ.get("PARLEY_SCREENSHOTS"):
            await page.screenshot(path=Path(folder) / f"widget-rtl-{width}.png")


async def test_it_works_on_another_sites_page_under_a_strict_policy(
    world: Settings, chromium: Browser, tmp_path: Path
) -> None:
    """The policy that docs/channels/webchat.md asks of a site, and not a word more."""
    settings = world.model_copy(update={"accounts": str(tmp_path / "accounts.toml")})
    async with site() as (origin, policy), running(settings, origins=[origin], demo=False) as chat:
        policy.append(
            f"default-src 'none'; script-src {chat.origin}; connect-src {chat.origin} {chat.origin.replace('http', 'ws')};"
            " img-src blob:"
        )
        policy.append(f'<script src="{chat.base}/widget.js" async data-lang="en" data-title="Shop" data-open></script>')
        async with visiting(chromium) as context:
            page = await context.new_page()
            await page.goto(origin)
            await expect(page.get_by_role("dialog", name="Shop")).to_be_visible()
            await say(page, "from another site")
            await expect(log(page).locator(".icon-ticks")).to_be_visible()
            assert await once(chat, page, "from another site")


@asynccontextmanager
async def site() -> AsyncIterator[tuple[str, list[str]]]:
    """A site of another origin; what it answers is [policy, body], filled in when the server's address is known."""
    said: list[str] = []

    async def show(_request: web.Request) -> web.Response:
        policy, body = said
        return web.Response(
            text=f"<!doctype html><html><body>{body}</body></html>",
            content_type="text/html",
            headers={"Content-Security-Policy": policy},
        )

    app = web.Application()
    app.router.add_get("/", show)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://localhost:{runner.addresses[0][1]}", said
    await runner.cleanup()


async def test_the_whole_road_there_and_back(stack: Stack, chromium: Browser) -> None:
    """Widget, Kafka, router, event; request, Kafka, adapter, widget; and what the visitor saw is known."""
    words = f"hello {uuid.uuid4()}"
    async with visiting(chromium) as context, ClientSession(stack.http("router"), headers=stack.bearer) as agent:
        page = await context.new_page()
        await page.goto(f"{stack.http('chat_adapter')}/webchat/demo/demo?open=1")
        await say(page, words)
        await expect(log(page).locator(".icon-ticks")).to_be_visible()
        conversation = await eventually(agent, "/api/conversations", lambda found: of_preview(found, words))
        path = f"/api/conversations/{conversation['id']}"
        await until(partial(shows, page.locator("parley-webchat .typing"), agent, f"{path}/typing", {}))
        answer = str(uuid.uuid4())
        for so_far in ("an", "an ans"):
            growing = page.locator("parley-webchat .growing", has_text=re.compile(f"^{so_far}$"))
            await until(partial(shows, growing, agent, f"{path}/grow", {"answer": answer, "text": so_far}))
        said = {"parts": [{"kind": "text", "text": "an answer"}]}
        async with agent.post(f"{path}/reply", json=said, headers={"Idempotency-Key": answer}) as response:
            sent = (await response.json())["message_id"]
        await expect(bubbles(page, "an answer")).to_be_visible()
        await expect(page.locator("parley-webchat .growing")).to_be_hidden()
        await eventually(agent, f"/api/messages/{sent}", lambda found: found["sending"]["status"] == "read")


async def shows(place: Locator, agent: ClientSession, path: str, asked: dict[str, str]) -> bool:
    """What is fleeting is shown for seconds, and not at all when it comes late; then it is told again."""
    async with agent.post(path, json=asked) as response:
        assert response.status == 202
    try:
        await expect(place).to_be_visible(timeout=4000)
    except AssertionError:
        return False
    return True


def of_preview(found: dict[str, Any], words: str) -> dict[str, Any] | None:
    return next((one for one in found["conversations"] if one["preview"] == words), None)


async def eventually(agent: ClientSession, path: str, wanted: Callable[[Any], Any]) -> Any:
    """What `wanted` finds in the router's answer, as soon as it finds something."""
    async with asyncio.timeout(SECONDS):
        while True:
            async with agent.get(path) as response:
                if response.ok and (found := wanted(await response.json())):
                    return found
            await asyncio.sleep(0.1)


async def test_two_tabs_are_one_visitor(context: BrowserContext, chat: Running) -> None:
    pages = [await context.new_page() for _ in range(2)]
    await asyncio.gather(*(page.goto(f"{chat.base}/demo?open=1") for page in pages))
    for number, page in enumerate(pages):
        await say(page, f"tab {number}")
        await expect(bubbles(pages[1 - number], f"tab {number}")).to_be_visible()


async def test_pictures_of_it(chromium: Browser, chat: Running, tmp_path: Path) -> None:
    """Looked at by people: light, dark, Khmer, phone. PARLEY_TEST_PICTURES names the folder that keeps them."""
    folder = Path(os.environ.get("PARLEY_TEST_PICTURES") or tmp_path)
    looks: dict[str, dict[str, Any]] = {
        "light": {},
        "dark": {"color_scheme": "dark"},
        "khmer": {"locale": "km-KH"},
        "phone": {"locale": "km-KH", "viewport": {"width": 390, "height": 780}},
    }
    sizes = set()
    for name, options in looks.items():
        async with visiting(chromium, **options) as context:
            page = await opened(context, chat)
            await say(page, "សួស្តី · hello")
            await expect(log(page).locator(".icon-ticks")).to_be_visible()
            picture = await page.screenshot(path=folder / f"widget-{name}.png", animations="disabled")
            sizes.add(picture)
    assert len(sizes) == len(looks)
