"""What axe (https://dequeuniversity.com/rules/axe/) finds in a page of ours."""

from __future__ import annotations

from typing import Any, Final

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

# A sheet that still fades in has the colours of neither its start nor its end; what moves for ever is judged as it is.
SETTLED: Final = """() => Promise.allSettled(document.getAnimations()
    .filter((one) => one.effect.getComputedTiming().endTime !== Infinity).map((one) => one.finished))"""


async def violations(page: Page) -> list[tuple[str, list[str]]]:
    """The rules that the page breaks once it stands still, each with the elements that break it.

    Frames are left out: a mail's own HTML is not ours, and the frames on the customer's side are judged where they are made.
    """
    await page.evaluate(SETTLED)
    results = await Axe().run(page, context={"exclude": [["iframe"]]})
    found: list[Any] = results.response["violations"]
    return [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found]
