"""Nobody's input holds up a loop: Kafka's heartbeats, health and everybody else's messages wait for it (50 ms are the most).

A row per input: nasty ones that took seconds before, by the handlers of the services themselves. What one row measures is
the processor's time of the longest callback (tests/stall.py).
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from deploy.local.home import Addresses
from tests.services.chat_adapter.running import running, world_of
from tests.services.router.served import BEARER, add_conversation, add_event, get, open_house
from tests.shared.broker import settings_for
from tests.shared.gate import Gate, gate
from tests.stall import most, watching


def many(one: bytes, count: int) -> bytes:
    return b"[" + b",".join([one] * count) + b"]"


# webhooks ---------------------------------------------------------------------------------------------------------------

SAID = b'"type":"message","id":"1","from":{"address":"ann"}'
UPDATE = b'"update_id":1,"message_reaction":{"message_id":5,"date":1,"chat":{"id":5,"type":"private"},"user":{"id":5},'
SECRET = {"x-telegram-bot-api-secret-token": "telegrams-word"}
HOOKS = {
    "events that are none": ("webhook/main", many(b"{}", 30_000)),
    "events that are none, in a small body": ("webhook/main", many(b"{}", 20_000)),
    "parts that are none": ("webhook/main", b'{%s,"parts":%s}' % (SAID, many(b"{}", 20_000))),
    "numbers that are none": (
        "webhook/main",
        b'{%s,"parts":[{"kind":"contact","name":"x","phones":%s}]}' % (SAID, many(b"1", 30_000)),
    ),
    "halves of emoji": ("webhook/main", b'{%s,"parts":[{"kind":"text","text":"%s"}]}' % (SAID, b"\\ud800" * 100_000)),
    "depth": ("webhook/main", b"[" * 500_000),
    "reactions": (
        "telegram/bot",
        b'{%s"old_reaction":[],"new_reaction":[%s]}}'
        % (UPDATE, b",".join(b'{"type":"emoji","emoji":"%d"}' % number for number in range(4_000))),
    ),
}


@pytest.fixture(scope="module")
async def door(servers: Addresses, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gate]:
    async with gate(settings_for(servers.kafka), tmp_path_factory.mktemp("gate")) as door:
        yield door


@pytest.mark.parametrize("name", HOOKS)
async def test_no_webhook_holds_up_the_others(door: Gate, name: str) -> None:
    to, body = HOOKS[name]
    body = b'{"events":%s}' % body if body.startswith(b"[{") else body
    bound = most()
    with watching() as held:
        status = await door.post(body, headers=SECRET if to.startswith("telegram") else None, to=to)
    assert status == 200
    assert held.seconds < bound, held.by


# the router -------------------------------------------------------------------------------------------------------------

DESIGNS = {
    "pictures that are none": "".join(f'<img src="cid:{number}">' for number in range(10_000)),
    "tags in each other": "".join(f"<font size={number}>x" for number in range(10_000)),
    "quotes in each other": "a<blockquote type=cite>b" * 10_000,
    "a thousand kilobytes": "<p title=x>ក្ក" * 20_000,
}
DRAFTS: dict[str, dict[str, Any]] = {
    "options that are none": {"parts": [{"kind": "choices", "text": "?", "options": [{}] * 100_000}]},
    "parts that are none": {"parts": [{}] * 100_000},
    "lines": {"parts": [{"kind": "text", "text": "\n" * 250_000 + "x"}]},
    "marks upon marks": {"parts": [{"kind": "text", "text": "e" + "\u0301" * 80_000}]},
    "one word": {"parts": [{"kind": "text", "text": "x" * 400_000}]},
}


@pytest.fixture(scope="module")
async def house(servers: Addresses, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Any]:
    async with open_house(servers, tmp_path_factory.mktemp("blobs")) as opened:
        yield opened


@pytest.mark.parametrize("name", DESIGNS)
async def test_no_mail_that_is_opened_holds_up_the_router(house: Any, name: str) -> None:
    message = uuid.uuid4()
    data = {"message": {"id": str(message), "parts": [{"kind": "text", "text": "x", "html": DESIGNS[name]}]}}
    await add_event(house.pool, await add_conversation(house.pool), 1, "message.received", data, message=message)
    bound = most()
    with watching() as held:
        url = (await get(house, f"/api/messages/{message}/html"))["url"]
        async with house.client.get(url) as answer:
            assert answer.status == 200
            await answer.read()
    assert held.seconds < bound, held.by


@pytest.mark.parametrize("name", DRAFTS)
async def test_no_draft_holds_up_the_router(house: Any, name: str) -> None:
    conversation = await add_conversation(house.pool)
    bound = most()
    with watching() as held:
        async with house.client.post(
            f"/api/conversations/{conversation}/fit", headers=BEARER, json=DRAFTS[name]
        ) as answer:
            assert answer.status in {200, 400}
    assert held.seconds < bound, held.by


# the widget -------------------------------------------------------------------------------------------------------------


async def test_no_visitor_holds_up_the_others(servers: Addresses, tmp_path: Path) -> None:
    """A session is given to whoever asks."""
    bodies = (
        b'{"client_id":"x","attachments":%s}' % many(b"{}", 21_000),
        b'{"client_id":"%s","text":"%s"}' % (str(uuid.uuid4()).encode(), b"\\ud800" * 10_000),
        b"[" * 60_000,
    )
    async with world_of(servers, tmp_path) as world, running(world) as chat:
        token = (await chat.session())["token"]
        bound = most()
        with watching() as held:
            for body in bodies:
                status, _, _ = await chat.ask("POST", "messages", token=token, data=body)
                assert status == 400
    assert held.seconds < bound, held.by
