"""What a system changes of what was said, on the whole stack: what the channel can shows on the person's phone, all else is refused in words."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import Any, Final
from uuid import uuid4

import pytest
from aiohttp import FormData

from services.chat_adapter import registry as chat
from services.social_adapter import registry as social
from shared.contract.channel import Capabilities
from tests.customers import WRITTEN, Phone, someone
from tests.e2e.agent import Agent, Json, at_work, text
from tests.patience import until
from tests.pictures import PIXEL

CHANNELS: Final = {**chat.CHANNELS, **social.CHANNELS}
ENDS: Final = {
    "edit": "message.edited",
    "react": "message.reaction",
    "seen": "message.seen",
    "delete": "message.deleted",
}


@pytest.fixture(scope="module")
async def agent(stack: Any) -> AsyncIterator[Agent]:
    async with at_work(stack, Agent) as agent:
        yield agent


def able(channel: str, surface: str) -> Capabilities:
    return CHANNELS[channel].capabilities.shown(surface, "free_text")


async def views(agent: Agent, person: Phone) -> list[Json]:
    return list((await agent.town.get(f"{person.chat}/messages"))["messages"])


async def heard_of(agent: Agent, person: Phone) -> Json:
    words = uuid4().hex
    await person.writes(words)
    return await agent.hears(words)


async def end_of(agent: Agent, request: str) -> tuple[str, Json]:
    """How the request ended: the event's type, and what it says."""
    kinds = {*ENDS.values(), "request.refused"}
    await until(lambda: any(one["type"] in kinds and one.get("request_id") == request for one in agent.listener.events))
    event = next(one for one in agent.listener.events if one["type"] in kinds and one.get("request_id") == request)
    return event["type"], event


def shows(what: str, emoji: str, said: str, view: Json) -> bool:
    """Whether this view of a phone is what the change has made of it."""
    match what:
        case "edit":
            return view.get("text") == "on Monday"
        case "react":
            return view.get("text") == said and emoji in str(view.get("reactions"))
        case "seen":
            return view.get("text") == said and view.get("status") == "read"
    return bool(view.get("removed"))


@pytest.mark.parametrize("channel", WRITTEN)
async def test_what_the_channel_can_change_shows_on_the_phone_and_all_else_is_refused_in_words(
    agent: Agent, channel: str
) -> None:
    person = someone(agent.town, channel, random.randrange(10**7, 10**8))
    heard = await heard_of(agent, person)
    theirs, said = heard["message"]["id"], heard["message"]["parts"][0]["text"]
    ours = await agent.answers(heard, text("on Munday"))
    await agent.status(ours, "sent", "delivered", "read")
    can = able(channel, heard["message"]["surface"])
    emoji = can.reactions[0] if can.reactions else "👍"
    changes: dict[str, Json] = {
        "edit": {"message": ours, "parts": [text("on Monday")]},
        "react": {"message": theirs, "emoji": emoji},
        "seen": {"message": theirs},
        "delete": {"message": ours},
    }
    for what, body in changes.items():
        asked = await agent.asks(f"conversations/{heard['conversation']}/{what}", **body)
        kind, event = await end_of(agent, asked["request_id"])
        if what not in can.changes:
            assert (kind, event["failure"]["code"]) == ("request.refused", "unsupported")
            assert what in event["failure"]["detail"]
            continue
        assert (kind, event["message_id"]) == (ENDS[what], body["message"]), event
        assert any(shows(what, emoji, said, view) for view in await views(agent, person)), what


@pytest.mark.parametrize(
    "channel", [name for name in WRITTEN if CHANNELS[name].fetch and CHANNELS[name].capabilities.choices != "full"]
)
async def test_files_go_both_ways(agent: Agent, channel: str) -> None:
    """Where answers are pressed, the phone's page shows it (test_customer_pages.py)."""
    person = someone(agent.town, channel, random.randrange(10**7, 10**8))
    heard = await heard_of(agent, person)
    form = FormData()
    form.add_field("file", PIXEL, filename="menu.png", content_type="image/png")
    address = f"{agent.town.addresses.sandbox}{person.chat}/send"
    async with agent.town.client.post(address, data=form, headers=agent.town.bearer) as answer:
        assert answer.status == 200, await answer.text()
    told = await agent.listener.first("message.media", lambda one: one["conversation"] == heard["conversation"])
    assert (told["media"]["state"], told["media"]["size"]) == ("stored", len(PIXEL))
    await agent.answers(heard, await agent.uploads(PIXEL, "image"))

    async def arrives() -> bool:
        return any(one["direction"] == "in" and "media" in one for one in await views(agent, person))

    await until(arrives)
