"""A real browser, for tests of pages."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, Error, async_playwright

from tests.conftest import require

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
