"""The console in a browser, as the tests of it open it."""

import pytest

from tests.e2e.console_desk import live, open_desk


@pytest.fixture(scope="module")
async def desk(stack):
    async with open_desk(stack) as opened:
        yield opened


@pytest.fixture
async def open_page(desk):
    async with desk.pages() as open_console:
        yield open_console


@pytest.fixture
async def console(open_page):
    page = await open_page()
    await live(page)
    return page


@pytest.fixture
def customer(desk):
    return desk.customer()
