"""What people are called: a name that comes after its message reaches the page and every consumer, and stays whose it is."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from playwright.async_api import expect

from shared.contract import envelope
from shared.contract.deliveries import ProfileUpdate
from tests.customers import Phone
from tests.e2e.agent import at_work, text
from tests.e2e.console_desk import Customer, live
from tests.e2e.meta import Meta


@pytest.fixture
async def shop(stack: Any) -> AsyncIterator[Meta]:
    async with at_work(stack, partial(Meta, channel="facebook")) as shop:
        await shop.is_known(shop.key)
        yield shop
        await shop.control(reset=True)


def messenger(shop: Meta) -> Phone:
    return Phone(shop.town, str(uuid.uuid4().int % 10**16 + 10**16), "facebook", 2000)


async def writes(shop: Meta, person: Phone, words: str, name: str) -> str:
    """Into Messenger; the conversation."""
    await shop.town.post(f"{person.chat}/send", {"text": words, "name": name})
    return str((await shop.hears(words))["conversation"])


async def test_who_writes_in_messenger_is_called_by_name_on_the_page_without_a_reload(
    shop: Meta, open_page: Any
) -> None:
    """Meta does not answer at first: the message is there all the same, under a number, and the name comes later."""
    await shop.control(fail={"method": "facebook/", "count": 100_000, "status": 503})
    page, person = await open_page(), messenger(shop)
    name, words = f"សុខា {uuid.uuid4().hex[:6]}", uuid.uuid4().hex
    await live(page)
    conversation = await writes(shop, person, words, name)
    row = page.locator(".row", has_text=words)
    await expect(row).to_contain_text(f"Visitor {person.user[-4:]}")
    await row.click()
    await page.locator(f'.message[aria-label^="Visitor {person.user[-4:]}"]', has_text=words).wait_for()
    await shop.control(reset=True)
    told = await shop.listener.first("conversation.participant", lambda event: event["conversation"] == conversation)
    assert (told["participant"]["address"], told["participant"]["name"]) == (person.user, name)
    await expect(row).to_contain_text(name)
    await expect(page.locator("#thread-head")).to_contain_text(name)
    await page.locator(f'.message[aria-label^="{name}"]', has_text=words).wait_for()


async def test_the_name_is_told_once_and_answers_go_on(shop: Meta) -> None:
    person, name = messenger(shop), f"Dara {uuid.uuid4().hex[:6]}"
    conversation = await writes(shop, person, uuid.uuid4().hex, name)
    await shop.listener.first("conversation.participant", lambda event: event["conversation"] == conversation)
    words = uuid.uuid4().hex
    assert await writes(shop, person, words, name) == conversation
    message = await shop.answers(await shop.hears(words), text("hi"))
    await shop.status(message, "delivered")
    events = [event for event in shop.listener.events if event.get("conversation") == conversation]
    assert sum(event["type"] == "conversation.participant" for event in events) == 1
    sequences = {event["sequence"] for event in events}
    assert sequences == set(range(1, len(sequences) + 1))


class TestUnderAPost:
    """Many write there; whoever began a conversation names it, live and after a reload."""

    def commenter(self, first: Customer, name: str) -> Customer:
        other = Customer(first.desk, first.channel, first.account, peer=first.peer, name=name, **first.about)
        other.address = f"person-{uuid.uuid4().hex[:8]}"
        return other

    async def test_the_conversation_keeps_the_name_of_its_beginner(self, desk: Any, console: Any) -> None:
        post = f"104_{uuid.uuid4().int % 10**12}"
        thread = envelope.Thread(thread_key=f"c-{post}")
        first = desk.customer("facebook", "demo", peer=post, container=post, surface="comment", thread=thread)
        first.address = f"person-{uuid.uuid4().hex[:8]}"
        other = self.commenter(first, f"Bob {uuid.uuid4().hex[:6]}")
        await first.says("how much?")
        row = console.locator(".row", has_text=first.name)
        await row.wait_for()
        await other.says("five dollars")
        await expect(row).to_contain_text("five dollars")
        await expect(console.locator(".row", has_text=other.name)).to_have_count(0)
        await console.reload()
        await expect(console.locator(".row", has_text=first.name)).to_contain_text("five dollars")

    async def test_who_wrote_without_a_name_is_called_by_it_once_it_is_known(self, desk: Any, console: Any) -> None:
        group = f"group-{uuid.uuid4().hex[:8]}"
        first = desk.customer("facebook", "demo", peer=group, container=group, surface="comment")
        first.address = f"person-{uuid.uuid4().hex[:8]}"
        words = uuid.uuid4().hex
        message = await first.says(words, sender=envelope.Party(address=first.address))
        await console.locator(".row", has_text=words).click()
        await console.locator(".author", has_text=first.address).wait_for()
        party = envelope.Party(address=first.address, name=first.name, verified="provider")
        place = {"tenant": "default", "channel": "facebook", "account": "demo", "peer": group}
        await first.tell("profile", ProfileUpdate(**place, party=party, occurred_at=message.occurred_at))
        await console.locator(".author", has_text=first.name).wait_for()
        await console.locator(".row", has_text=first.name).wait_for()
