"""YouTube on the whole stack: comments are found by asking, within a token that was fetched and a quota that is counted."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest

from tests.customers import Phone
from tests.e2e import letters
from tests.e2e.agent import Agent, Json, at_work, text
from tests.patience import until

LIMIT: Final = 10_000


@pytest.fixture(scope="module")
async def agent(stack: Any) -> AsyncIterator[Agent]:
    async with at_work(stack, Agent) as agent:
        yield agent


def person(agent: Agent) -> Phone:
    return Phone(agent.town, f"UC{secrets.token_hex(11)}", "youtube", LIMIT)


async def about(agent: Agent, kind: str, message: str) -> Json:
    return await agent.listener.first(kind, lambda event: event.get("message_id") == message)


async def test_a_comment_its_change_and_its_end_are_found_and_an_answer_stands_under_it(agent: Agent) -> None:
    ann, question, answer = person(agent), letters.khmer(3, 400), letters.khmer(7, LIMIT + 200)
    said = (await agent.town.post(f"{ann.chat}/send", {"text": question, "name": "តារា"}))["id"]
    heard = await agent.hears(question)
    message = heard["message"]
    assert (message["surface"], message["sender"]["address"]) == ("comment", ann.user)
    sent = await agent.answers(heard, text(answer))
    await agent.status(sent, "sent")
    pieces = [one.text for one in await ann.reads()]
    assert (len(pieces), "".join(pieces)) == (2, answer)
    await agent.town.post(f"{ann.chat}/send", {"edit": {"message": said, "text": "changed"}})
    edited = await about(agent, "message.edited", message["id"])
    assert edited["message"]["parts"][1]["text"] == "changed"
    await agent.town.post(f"{ann.chat}/send", {"remove": {"message": said}})
    await about(agent, "message.deleted", message["id"])
    assert agent.received(heard["conversation"]) == [question], "our own answers are nobody's new message"


async def test_the_token_and_the_quota_of_the_account_are_told(agent: Agent) -> None:
    async def measured() -> dict[str, float]:
        async with agent.town.client.get(f"{agent.stack.http('social_adapter')}/metrics") as answer:
            lines = [line.rsplit(" ", 1) for line in (await answer.text()).splitlines()]
        return {
            name: float(value) for name, value in lines if 'account="sandbox"' in name and 'channel="youtube"' in name
        }

    labels = '{account="sandbox",channel="youtube"}'

    async def all_told() -> dict[str, float] | None:
        found = await measured()
        return found if f"parley_quota_left_units{labels}" in found else None

    found = await until(all_told)
    assert found[f"parley_token_end_seconds{labels}"] > 0
    assert 0 < found[f"parley_quota_left_units{labels}"] < 1_000_000
    assert found[f"parley_account_healthy{labels}"] == 1
