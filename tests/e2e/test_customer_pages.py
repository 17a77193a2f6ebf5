"""The customer's side in a real browser on the whole stack: what a person writes there opens a conversation, and its answer is shown there."""

from __future__ import annotations

import asyncio
import json
import os
import random
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import aiosmtplib
import pytest
from playwright.async_api import Page, expect

from services.chat_adapter import registry as chat
from services.sandbox.twins import TWINS
from services.social_adapter import registry as social
from shared.contract.channel import Capabilities
from tests.chromium import browser, visit
from tests.customers import Phone
from tests.e2e.agent import Agent, at_work, text
from tests.e2e.axe import violations
from tests.patience import until
from tests.pictures import PIXEL

Json = dict[str, Any]
SHOTS: Final = os.environ.get("PARLEY_SCREENSHOTS")
WORDS: Final = Path(__file__).parents[2] / "services/sandbox/page/words"
KHMER: Final = "ជម្រាបសួរបង តើហាងបើកម៉ោងប៉ុន្មាននៅថ្ងៃអាទិត្យ?"
FLEETING: Final = 4000  # milliseconds; who types is shown for seconds, and not at all when it comes late
PHONES: Final = ("telegram", "whatsapp", "facebook")
NAMES: Final = {"telegram", "whatsapp", "teams", "googlechat"}  # whose webhooks say what people are called
READERS: Final = {"whatsapp", "facebook", "teams"}  # who are told what was read
PERSONS: Final = {twin.channel: twin.person for twin in TWINS if twin.writes}


@dataclass
class Street(Agent):
    """The stack, a browser for customers, and an ear on what becomes of what they write."""

    chromium: Any

    async def open(self, page: str, *, query: str = "", user: str = "", **options: Any) -> Page:
        plain: Json = {"locale": "en-US", "viewport": {"width": 380, "height": 720}}
        context = await visit(self.chromium, **plain | options)
        opened: Page = await context.new_page()
        errors: list[str] = []
        opened.on("pageerror", lambda error: errors.append(str(error)))
        opened.errors = errors  # type: ignore[attr-defined]
        who = f"&user={quote(user)}&name=Sophea" if user else ""
        await opened.goto(
            f"{self.stack.addresses.sandbox}/{page}/?lang=en{query}#token={self.stack.addresses.token}{who}"
        )
        return opened

    async def learns(self, words: str) -> Json:
        """The event of the message with these words, whose conversation the API knows."""
        event = await self.listener.first("message.received", lambda one: words in str(one["message"]["parts"]))
        address = f"{self.stack.http('router')}/api/conversations/{event['conversation']}"
        async with self.town.client.get(address, headers=self.stack.bearer) as answer:
            assert answer.status == 200, await answer.text()
        return event


@pytest.fixture(scope="module")
async def street(stack: Any) -> AsyncIterator[Street]:
    async with browser() as chromium, at_work(stack, partial(Street, chromium=chromium)) as opened:
        yield opened


def has_file(event: Json, *, conversation: str) -> bool:
    return event["conversation"] == conversation and any(one["kind"] == "media" for one in event["message"]["parts"])


def able(channel: str) -> Capabilities:
    return {**chat.CHANNELS, **social.CHANNELS}[channel].capabilities


def unique(words: str) -> str:
    return f"{words} {uuid.uuid4().hex[:6]}"


def number() -> str:
    return f"8551{random.randrange(10**7, 10**8)}"


def person_of(channel: str) -> str:
    """Someone new, as the channel names people."""
    prefix, width = PERSONS.get(channel, ("", 0))
    return prefix + number().zfill(width)


async def shot(page: Page, name: str) -> None:
    if SHOTS:
        await page.screenshot(path=Path(SHOTS) / f"{name}.png")


async def ready(page: Page) -> None:
    """A phone takes nothing before it knows its account."""
    await page.locator("#composer:not([inert])").wait_for()


async def say(page: Page, words: str) -> None:
    await ready(page)
    await page.get_by_role("textbox", name="Message", exact=True).fill(words)
    await page.keyboard.press("Enter")
    await page.locator("li.mine .text", has_text=words).wait_for()


@pytest.mark.parametrize("channel", [*PHONES, *PERSONS])
async def test_what_is_written_on_a_phone_is_answered_on_it(street: Street, channel: str) -> None:
    page = await street.open("phone", query=f"&channel={channel}", user=person_of(channel))
    asked, answered = unique(KHMER), unique("បើកម៉ោង ៧ ព្រឹក ដល់ម៉ោង ៩ យប់")
    await say(page, asked)
    event = await street.learns(asked)
    assert event["message"]["channel"] == channel
    if channel in NAMES:
        assert event["message"]["sender"]["name"] == "Sophea"
    message = await street.answers(event, text(answered))
    await page.locator("li.theirs .text", has_text=answered).wait_for()
    if channel in READERS:
        await street.status(message, "read")
    assert page.errors == []  # type: ignore[attr-defined]
    await shot(page, f"customer-{channel}")
    assert await violations(page) == []
    await page.context.close()


@pytest.mark.parametrize("channel", PHONES)
async def test_the_first_screen_offers_questions_to_press(street: Street, channel: str) -> None:
    page = await street.open("phone", query=f"&channel={channel}", user=str(random.randint(10**9, 10**10)))
    question = page.get_by_role("button", name="Do you deliver to Siem Reap?")
    await question.wait_for()
    await shot(page, f"first-{channel}")
    await question.click()
    await page.locator("#messages .mine", has_text="Do you deliver to Siem Reap?").wait_for()
    await expect(question).to_have_count(0)
    await street.learns("Do you deliver to Siem Reap?")


async def test_a_phone_that_is_opened_again_shows_its_messages_as_they_were_written(street: Street) -> None:
    """Though what was read last has changed last."""
    person, asked, answered, thanked = number(), unique("Open?"), unique("Yes"), unique("Thank you")
    away = Phone(street.town, person, "whatsapp", 4096)
    await away.writes(asked)
    message = await street.answers(await street.learns(asked), text(answered))
    await street.status(message, "delivered")
    await away.writes(thanked)
    await street.learns(thanked)
    page = await street.open("phone", query="&channel=whatsapp", user=person)
    await street.status(message, "read")
    await page.reload()
    await expect(page.locator("#messages .text")).to_have_text([asked, answered, thanked])
    await expect(page.locator("#messages .day")).to_have_count(1)
    await page.context.close()


@pytest.mark.parametrize("channel", [*PHONES, *(name for name in PERSONS if able(name).choices == "full")])
async def test_choices_are_pressed_and_files_go_both_ways(street: Street, channel: str) -> None:
    page = await street.open("phone", query=f"&channel={channel}", user=person_of(channel))
    asked = unique("When?")
    await ready(page)
    await page.locator("#file").set_input_files({"name": "menu.png", "mimeType": "image/png", "buffer": PIXEL})
    await page.get_by_role("textbox", name="Message", exact=True).fill(asked)
    await page.keyboard.press("Enter")
    await page.locator("li.mine img.picture").wait_for()
    event = await street.learns(asked)
    sent = await street.listener.first("message.received", partial(has_file, conversation=event["conversation"]))
    [part] = [one for one in sent["message"]["parts"] if one["kind"] == "media"]
    assert part["media"] == "image"
    options = [{"id": "am", "title": "ព្រឹក"}, {"id": "pm", "title": "ល្ងាច"}]
    await street.answers(event, {"kind": "choices", "text": "ម៉ោងណា?", "options": options})
    await page.get_by_role("button", name="ល្ងាច").click()
    chosen = await street.listener.first(
        "message.received",
        lambda one: one["conversation"] == event["conversation"] and one["message"]["parts"][0]["kind"] == "choice",
    )
    assert chosen["message"]["parts"][0]["id"] == "pm"
    if able(channel).media.get("image") == "full":
        await street.answers(event, await street.uploads(PIXEL, "image"))
        await page.locator("li.theirs img.picture").wait_for()
    await page.context.close()


async def test_a_phone_shows_that_somebody_is_typing(street: Street) -> None:
    page = await street.open("phone", query="&channel=facebook", user=number())
    asked = unique("Are you there?")
    await say(page, asked)
    event = await street.learns(asked)

    async def is_shown() -> bool:
        await street.asks(f"conversations/{event['conversation']}/typing")
        try:
            await expect(page.get_by_role("status")).to_have_text("is typing…", timeout=FLEETING)
            await expect(page.locator("li.typing")).to_be_visible(timeout=FLEETING)
        except AssertionError:
            return False
        return True

    await until(is_shown)
    await page.context.close()


async def test_a_comment_is_answered_in_public_and_in_private(street: Street) -> None:
    page = await street.open("post", user=number())
    wall = {"post": unique("Our new coffee"), "asked": unique("ថ្លៃប៉ុន្មាន?")}
    await page.get_by_role("button", name="Write a post").click()
    await page.get_by_label("What does the page say?").fill(wall["post"])
    await page.locator("dialog .main").click()
    article = page.locator("article", has_text=wall["post"])
    await article.get_by_label("Comment as Sophea").fill(wall["asked"])
    await page.keyboard.press("Enter")
    comment = article.locator("li.comment", has_text=wall["asked"]).first
    await comment.wait_for()
    event = await street.learns(wall["asked"])
    assert event["message"]["surface"] == "comment"
    public, private = unique("$2.50"), unique("We wrote to you")
    await street.answers(event, text(public))
    await comment.locator(".replies li.comment", has_text=public).wait_for()
    await street.answers(event, text(private), private=True)
    await comment.get_by_text("Answered privately, in Messenger").wait_for()
    await shot(page, "customer-post")
    assert await violations(page) == []
    await page.context.close()


async def test_a_comment_is_changed_hidden_and_removed(street: Street) -> None:
    page = await street.open("post", user=number())
    posted, asked = unique("Open on Sunday"), unique("teh")
    await page.get_by_role("button", name="Write a post").click()
    await page.get_by_label("What does the page say?").fill(posted)
    await page.locator("dialog .main").click()
    article = page.locator("article", has_text=posted)
    await article.get_by_label("Comment as Sophea").fill(asked)
    await page.keyboard.press("Enter")
    event = await street.learns(asked)

    async def choose(words: str) -> None:
        await article.get_by_label("What to do with the comment of Sophea").click()
        await page.locator("dialog").get_by_role("button", name=words, exact=words == "Edit").click()

    def happened(kind: str) -> Any:
        return street.listener.first(kind, lambda one: one.get("message_id") == event["message"]["id"])

    await choose("Edit")
    await article.get_by_label("Comment as Sophea").fill(asked.replace("teh", "the"))
    await page.keyboard.press("Enter")
    await article.get_by_text("edited", exact=True).wait_for()
    await happened("message.edited")
    await choose("Hide the comment")
    await article.get_by_text("Hidden by the page").wait_for()
    assert (await happened("message.visibility"))["hidden"] is True
    await choose("Remove for everyone")
    await article.get_by_text("This comment was removed").wait_for()
    await happened("message.deleted")
    await page.context.close()


async def test_a_mail_is_answered_into_the_mailbox_and_the_answer_to_that_stays_in_the_conversation(
    street: Street,
) -> None:
    address = f"sophea.{uuid.uuid4().hex[:8]}@people.example"
    page = await street.open("mailbox", user=address)
    subject, answered, again = unique("តើហាងបើកម៉ោងប៉ុន្មាន?"), unique("ម៉ោង ៧ ព្រឹក"), unique("អរគុណ!")
    await page.get_by_role("button", name="Write a mail").click()
    await expect(page.get_by_label("To", exact=True)).to_have_value("support@parley.example")
    await page.get_by_label("Subject").fill(subject)
    await page.get_by_label("Text", exact=True).fill(KHMER)
    await page.locator("dialog input[type=file]").set_input_files(
        {"name": "តម្លៃ.png", "mimeType": "image/png", "buffer": PIXEL}
    )
    await page.get_by_role("button", name="Send", exact=True).click()
    await page.locator("#list li", has_text=subject).get_by_text("Accepted by the business's server").wait_for()
    event = await street.listener.first("message.received", lambda one: one["message"]["peer"] == address)
    assert [one["kind"] for one in event["message"]["parts"]] == ["text", "media"]
    assert event["message"]["parts"][1]["name"] == "តម្លៃ.png"
    await street.answers(event, text(answered))
    await page.locator("#list li", has_text=f"Re: {subject}").get_by_role("button").click()
    reader = page.get_by_role("article", name=f"Re: {subject}")
    await reader.get_by_text(answered).wait_for()
    await shot(page, "customer-mailbox")
    assert await violations(page) == []
    await reader.get_by_role("button", name="Answer").click()
    await expect(page.get_by_label("Subject")).to_have_value(f"Re: {subject}")
    await page.get_by_label("Text", exact=True).fill(again)
    await page.get_by_role("button", name="Send", exact=True).click()
    assert (await street.learns(again))["conversation"] == event["conversation"]
    assert page.errors == []  # type: ignore[attr-defined]
    await page.context.close()


async def test_a_mail_to_nobody_comes_back_in_words(street: Street) -> None:
    page = await street.open("mailbox", user=f"dara.{uuid.uuid4().hex[:8]}@people.example")
    await page.get_by_role("button", name="Write a mail").click()
    await page.get_by_label("To", exact=True).fill("no.such.inbox@parley.example")
    await page.get_by_label("Subject").fill("Hello?")
    await page.get_by_label("Text", exact=True).fill("Is anybody there?")
    await page.get_by_role("button", name="Send", exact=True).click()
    await page.locator("#list .delivery[data-state=bad]", has_text="Came back: 550 5.1.1").wait_for()
    await page.context.close()


async def test_what_a_mails_html_holds_can_neither_run_nor_load_nor_open(street: Street) -> None:
    address = f"bopha.{uuid.uuid4().hex[:8]}@people.example"
    page = await street.open("mailbox", user=address)
    asked: list[object] = []
    elsewhere = await asyncio.start_server(lambda *both: asked.append(both), "127.0.0.1")
    port = elsewhere.sockets[0].getsockname()[1]
    html = (
        "<h1 style='color: rgb(1, 2, 3)'>Hello</h1><script>parent.document.title = 'owned'</script>"
        f"<img src='http://127.0.0.1:{port}/pixel.png' onerror=\"top.location = 'about:blank'\">"
        f"<a href='http://127.0.0.1:{port}/phishing'>press</a>"
        f"<form action='http://127.0.0.1:{port}/form'><button>go</button></form>"
    )
    box = f"{street.stack.addresses.sandbox}/mailbox/{address}"
    values = {"to": "support@parley.example", "subject": "look", "text": "look", "html": html}
    async with street.town.client.post(f"{box}/send", json=values, headers=street.stack.bearer) as answer:
        assert answer.status == 200, await answer.text()
    await page.locator("#list li", has_text="look").get_by_role("button").click()
    frame = page.frame_locator("iframe.html")
    await expect(frame.get_by_role("heading", name="Hello")).to_have_css("color", "rgb(1, 2, 3)")
    await frame.get_by_text("press").click()
    await frame.get_by_text("go").click()
    await expect(frame.get_by_role("heading", name="Hello")).to_be_visible()
    assert await page.title() == "Mailbox · Sophea"
    assert asked == [], "nobody was connected to"
    assert await page.locator("iframe.html").get_attribute("sandbox") == ""
    elsewhere.close()
    await page.context.close()


async def test_pictures_that_came_along_stand_in_a_mails_html(street: Street) -> None:
    address = f"bopha.{uuid.uuid4().hex[:8]}@people.example"
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Parley Shop <support@parley.example>", address, "Our menu"
    mail["Date"], mail["Message-ID"] = format_datetime(datetime.now(UTC)), f"<{uuid.uuid4()}@parley.example>"
    mail.set_content("Our menu")
    mail.add_alternative("<p>ម៉ឺនុយ</p><img src='cid:menu.1@parley' alt='menu'>", subtype="html")
    mail.get_payload()[1].add_related(PIXEL, "image", "png", cid="<menu.1@parley>")  # type: ignore[union-attr,index]
    mail.add_attachment(b"%PDF-1.4", maintype="application", subtype="pdf", filename="តម្លៃ.pdf")
    page = await street.open("mailbox", user=address)
    host, _, port = street.stack.addresses.services["sandbox"].smtp.rpartition(":")
    await aiosmtplib.send(mail, hostname=host, port=int(port), start_tls=False)
    await page.locator("#list li", has_text="Our menu").get_by_role("button").click()
    picture = page.frame_locator("iframe.html").get_by_alt_text("menu")
    await expect(picture).to_have_js_property("naturalWidth", 1)
    assert await page.locator(".attachments li").all_inner_texts() == ["តម្លៃ.pdf\napplication/pdf · 8 byte"]
    await page.get_by_role("button", name="Headers").click()
    await page.locator("dialog dd", has_text="Parley Shop <support@parley.example>").wait_for()
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Source").click()
    await page.locator("dialog pre", has_text="Content-ID: <menu.1@parley>").wait_for()
    await page.context.close()


PAGES: Final = ("phone/?channel=telegram", "phone/?channel=whatsapp", "phone/?channel=facebook", "post/?", "mailbox/?")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
async def test_every_page_holds_on_the_narrowest_phone_and_names_every_control(
    street: Street, path: str, scheme: str
) -> None:
    page = await street.open(path.partition("/")[0], color_scheme=scheme, viewport={"width": 320, "height": 600})
    token = street.stack.addresses.token
    await page.goto(f"{street.stack.addresses.sandbox}/{path}&lang=km#token={token}")
    await page.locator("#person:not(:empty)").wait_for()
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320
    await page.locator("#person").click()
    await page.locator("dialog").wait_for()
    nameless = await page.evaluate("""() => [...document.querySelectorAll("button, input, textarea, a[href], [role=log], dialog")]
        .filter((node) => node.offsetParent && !(node.innerText?.trim() || node.ariaLabel || node.labels?.length))
        .map((node) => node.outerHTML)""")
    assert nameless == []
    assert await in_english(page) == set()
    assert await violations(page) == []
    await page.keyboard.press("Escape")
    await expect(page.locator("#person")).to_be_focused()
    await page.context.close()


async def in_english(page: Page) -> set[str]:
    """What the page says in English where its language has words of its own."""
    words = {language: json.loads((WORDS / f"{language}.json").read_text()) for language in ("en", "km")}
    english = {said for key, said in words["en"].items() if isinstance(said, str) and said != words["km"][key]}
    said = await page.evaluate("""() => [...document.querySelectorAll("*")].flatMap((node) =>
        [node.children.length ? "" : node.textContent.trim(), node.ariaLabel, node.placeholder, node.title])""")
    return english & set(said)


async def test_one_phone_has_all_the_apps(street: Street) -> None:
    page = await street.open("phone", query="&channel=whatsapp")
    await ready(page)
    for twin in TWINS:
        await page.locator("#person").click()
        await page.get_by_role("button", name=twin.name, exact=True).click()
        await page.locator(f"body[data-channel={twin.channel}] #composer:not([inert])").wait_for()
    assert page.errors == []  # type: ignore[attr-defined]
    await page.context.close()
