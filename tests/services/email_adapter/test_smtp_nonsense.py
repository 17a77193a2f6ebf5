"""Whatever is typed at the port: every line has a reply, nothing breaks, nothing comes in."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog

from deploy.local.home import Addresses
from services.email_adapter.smtp.limits import Limits
from tests.services.email_adapter.port import INBOUND, Port, mail, port
from tests.shared.broker import records_of, settings_for

WORDS = (
    b"MAIL",
    b"RCPT",
    b"EHLO",
    b"HELO",
    b"RSET",
    b"NOOP",
    b"VRFY",
    b"EXPN",
    b"STARTTLS",
    b"AUTH",
    b"BDAT",
    b"HELP",
    b"",
)
REST = (
    b"", b"FROM:<>", b"FROM:<ann@home.example>", b"TO:<help@parley.example>", b"TO:", b"TO:<\xff\xfe@x>", b"FROM:<a@b> SIZE",
    b"FROM:<a@b> SIZE=x", b"FROM:<a@b> BODY=9", b"FROM:<a@b> SMTPUTF8=1", b"TO:<help@parley.example> NOTIFY=NEVER",
    "TO:<សុខ@parley.example>".encode(), b"\x00\x01", b"FROM:" + b'"' * 1500, b"TO:<" + b"@a," * 500 + b":x@y>", b"client.example",
)  # fmt: skip


@pytest.fixture
async def door(servers: Addresses, tmp_path: Path) -> AsyncIterator[Port]:
    async with port(settings_for(servers.kafka), tmp_path, limits=Limits(errors=10**6)) as door:
        yield door


@pytest.mark.parametrize("seed", range(3))
async def test_every_line_has_a_reply_and_none_breaks_anything(door: Port, seed: int) -> None:
    chance = random.Random(seed)
    client = await door.client()
    with structlog.testing.capture_logs() as logs:
        for _ in range(400):
            line = b" ".join((chance.choice(WORDS), chance.choice(REST)))
            client.write(line + chance.choice((b"\r\n", b"\n")))
            reply = await client.reply()
            assert reply[:3].isdecimal(), line
            assert reply[:1] in {"2", "4", "5"}, line
            if reply.startswith("502 5.5.1 Too many"):
                assert await client.ended()
                client = await door.client()
    assert not logs
    assert not await records_of(door.settings, INBOUND)
    await client("RSET")
    await client("EHLO client.example")
    assert (await client.send(mail())).startswith("250 ")
