"""What a person sees of a text in a real browser: all of it, in its own direction and script, inside the window."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import unicodedata
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from playwright.async_api import (
    Browser,
    BrowserContext,
    CDPSession,
    Error as PlaywrightError,
    Locator,
    Page,
    expect,
)

from tests.chromium import browser, visit
from tests.conftest import require
from tests.patience import SECONDS, until

KHMER: Final = {"locale": "km-KH", "viewport": {"width": 1280, "height": 900}}
TAKE_OVER: Final = """(session) => {
    const name = Object.keys(localStorage).find((name) => name.endsWith(" token"));
    if (name) localStorage.setItem(name, JSON.stringify({...JSON.parse(localStorage.getItem(name)), ...session}));
    return Boolean(name);
}"""
MEASURE: Final = """(node) => {
    const box = node.getBoundingClientRect();
    return {
        text: node.textContent, direction: getComputedStyle(node).direction, wide: node.scrollWidth > node.clientWidth + 1,
        inside: box.width > 0 && box.height > 0 && box.left >= -1 && box.right <= innerWidth + 1,
        page: document.documentElement.scrollWidth <= innerWidth + 1, language: document.documentElement.lang,
    };
}"""


@dataclass
class Chromium:
    """A browser of someone whose language is Khmer; one window at a time."""

    launched: Browser
    _context: BrowserContext | None = field(default=None)

    async def open(self, address: str) -> Page:
        await self.close()
        self._context = await visit(self.launched, **KHMER)
        page = await self._context.new_page()
        await page.goto(address)
        return page

    async def close(self) -> None:
        if self._context:
            await self._context.close()


@asynccontextmanager
async def sight() -> AsyncIterator[Chromium]:
    async with browser() as launched:
        chromium = Chromium(launched)
        yield chromium
        await chromium.close()


async def open_phone(chromium: Chromium, customer: Any) -> Page:
    sandbox = customer.town.addresses.sandbox
    return await chromium.open(f"{sandbox}/phone/?channel={customer.channel}&lang=km#{_person(customer)}")


async def open_post(chromium: Chromium, customer: Any) -> Page:
    return await chromium.open(f"{customer.town.addresses.sandbox}/post/?lang=km#{_person(customer)}")


async def open_mailbox(chromium: Chromium, customer: Any) -> Page:
    """With the answer open."""
    page = await chromium.open(f"{customer.town.addresses.sandbox}/mailbox/?lang=km#{_person(customer)}")
    await page.locator("#list button.mail", has_text="Re:").first.click()
    return page


def _person(customer: Any) -> str:
    return f"token={customer.town.addresses.token}&user={customer.user}&name=Dara"


async def open_widget(chromium: Chromium, customer: Any) -> Page:
    """A new visitor's widget, which is then given the customer's session."""
    page = await chromium.open(f"{customer.town.addresses.services['chat_adapter'].http}/webchat/demo/demo?open=1")
    await until(lambda: page.evaluate(TAKE_OVER, customer.session))
    await page.reload()
    return page


async def see(page: Page, text: str) -> None:
    """The text stands there whole, once what shows it has come: in its own direction, in the page's language, in a font that has it."""
    node = page.get_by_text(text).last
    await expect(node).to_be_attached()
    found = await node.evaluate(MEASURE)
    assert "".join(text.split()) in "".join(found["text"].split())
    assert "\ufffd" not in found["text"]
    assert found["direction"] == direction_of(text)
    assert found["inside"], "it is beside the window"
    assert not found["wide"], "it runs out of its place"
    assert found["page"], "the page must be moved sideways"
    assert found["language"].startswith("km")
    drawn = await fonts(page, node)
    assert drawn
    if is_khmer(text):
        assert not drawn - capable(), "drawn by a font that does not have Khmer"


def direction_of(text: str) -> str:
    """By the first letter that has one (Unicode's P2 and P3)."""
    strong = (unicodedata.bidirectional(letter) for letter in text)
    return "rtl" if next((one for one in strong if one in {"L", "R", "AL"}), "L") in {"R", "AL"} else "ltr"


def is_khmer(text: str) -> bool:
    return all("\u1780" <= letter <= "\u17ff" for letter in text)


async def fonts(page: Page, node: Locator) -> set[str]:
    """The families that Chromium really draws it with; a page that has just drawn it anew is asked again."""
    devtools = await page.context.new_cdp_session(page)
    await devtools.send("DOM.enable")
    await devtools.send("CSS.enable")
    try:
        async with asyncio.timeout(SECONDS):
            while (found := await drawn_with(devtools, node)) is None:
                await asyncio.sleep(0.05)
    finally:
        await devtools.detach()
    return found


async def drawn_with(devtools: CDPSession, node: Locator) -> set[str] | None:
    """None: it went away while it was looked at."""
    await node.evaluate("node => node.setAttribute('data-seen', '')")
    tree = await devtools.send("DOM.getFlattenedDocument", {"depth": -1, "pierce": True})
    marked = [one["nodeId"] for one in tree["nodes"] if "data-seen" in one.get("attributes", ())]
    try:
        used = [await devtools.send("CSS.getPlatformFontsForNode", {"nodeId": one}) for one in marked]
    except PlaywrightError:
        return None
    await node.evaluate("node => node.removeAttribute('data-seen')")
    return {font["familyName"] for one in used for font in one["fonts"]} if used else None


@cache
def capable() -> frozenset[str]:
    """The families of this machine that have Khmer, as fontconfig knows them."""
    require(shutil.which("fc-list"), "fc-list")
    told = subprocess.run(["fc-list", ":lang=km", "family"], check=True, capture_output=True, text=True).stdout
    found = frozenset(name.strip() for line in told.splitlines() for name in line.split(","))
    require(found, "a font with Khmer")
    return found
