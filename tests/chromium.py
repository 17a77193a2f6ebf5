"""A real browser, for tests of pages."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, BrowserContext, Error, async_playwright, expect

from tests.conftest import require
from tests.patience import MILLISECONDS

expect.set_options(timeout=MILLISECONDS)
NAMES = ("chromium", "chromium-browser", "google-chrome")


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """This machine's own, or Playwright's."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    async with async_playwright() as driver:
        try:
            launched = await driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        except Error as error:
            require(None, f"a Chromium that can be started ({error.message.splitlines()[0]})")
            raise
        yield launched
        await launched.close()


async def visit(launched: Browser, **options: Any) -> BrowserContext:
    """The browser of someone else, who waits as long as any test."""
    context = await launched.new_context(**options)
    context.set_default_timeout(MILLISECONDS)
    return context
