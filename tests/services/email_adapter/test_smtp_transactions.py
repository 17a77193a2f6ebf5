"""Mails alike that nothing names: the transaction that is tried again is one, another one is another."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import orjson
import pytest

from deploy.local.home import Addresses
from tests.services.email_adapter.port import INBOUND, Client, Port, port
from tests.shared.broker import records_of, settings_for

ALIKE = b"From: cron@home.example\r\nSubject: Backup failed\r\n\r\nOn host db1."


@pytest.fixture
async def door(servers: Addresses, tmp_path: Path) -> AsyncIterator[Port]:
    async with port(settings_for(servers.kafka), tmp_path) as door:
        yield door


async def ids(door: Port) -> list[str]:
    return [orjson.loads(record.value)["id"] for record in await records_of(door.settings, INBOUND)]


async def quits(client: Client) -> None:
    assert (await client("QUIT")).startswith("221")


async def leaves(client: Client) -> None:
    client.writer.close()
    await client.writer.wait_closed()


@pytest.mark.parametrize("parts", [quits, leaves])
async def test_who_has_read_the_250_and_sends_the_same_again_sends_another(
    door: Port, parts: Callable[[Client], Awaitable[None]]
) -> None:
    for _ in range(2):
        client = await door.client()
        assert (await client.send(ALIKE)).startswith("250")
        await parts(client)
    first, second = await ids(door)
    assert first != second


async def test_who_lost_the_250_and_sends_the_same_again_sends_one(door: Port) -> None:
    client = await door.client()
    await client.begin(sender="ann@home.example")
    client.write(ALIKE + b"\r\n.\r\n")
    assert (await client.reply()).startswith("250")
    client.break_off()
    again = await door.client()
    assert (await again.send(ALIKE)).startswith("250")
    assert len(set(await ids(door))) == 1
    third = await again.send(ALIKE)
    assert third.startswith("250")
    assert len(set(await ids(door))) == 2
