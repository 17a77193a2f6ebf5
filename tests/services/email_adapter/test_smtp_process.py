"""The email adapter as a process: as its settings say; told to stop in the middle of a mail, it takes that mail, and no other."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path

import orjson
from provider import dead_port
from pydantic import SecretStr

from shared.contract.records import inbound_topic
from shared.runtime.settings import Settings
from tests.patience import SECONDS
from tests.services.email_adapter.port import Client, mail
from tests.shared.broker import records_of


async def connected(port: int, address: str = "127.0.0.1") -> Client:
    """Greeted, as soon as it listens."""
    async with asyncio.timeout(SECONDS):
        while True:
            with suppress(OSError):
                client = await Client.connect(port, address)
                assert (await client.reply()).startswith("220 ")
                assert (await client("EHLO client.example")).startswith("250")
                return client
            await asyncio.sleep(0.1)


async def begun(world: Settings, port: int, **more: str) -> asyncio.subprocess.Process:
    """The adapter with one inbox; `more`: settings."""
    Path(world.accounts).write_text('[accounts.email.help]\naddress = "help@parley.example"\n')
    told = {
        f"PARLEY_{name.upper()}": value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in world
    }
    told |= {"PARLEY_SMTP_HOST": "127.0.0.1", "PARLEY_SMTP_PORT": str(port), "PARLEY_SMTP_NAME": "mx.parley.example"}
    told |= {f"PARLEY_{name.upper()}": value for name, value in more.items()}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.email_adapter", env=os.environ | told, stderr=asyncio.subprocess.DEVNULL
    )


async def test_a_sender_is_verified_by_the_word_of_a_relay_that_the_settings_name(world: Settings) -> None:
    """A mail of any size: larger ones are read in another process."""
    port = dead_port()
    process = await begun(world, port, smtp_relays="127.0.0.9", smtp_results="mx.parley.example")
    results = "mx.parley.example; dmarc=pass header.from=home.example"
    for name, address, size in (("m1", "127.0.0.9", 10), ("m2", "127.0.0.9", 10_000), ("m3", "127.0.0.8", 10)):
        client = await connected(port, address)
        content = mail(name, body="word\r\n" * size, Authentication_Results=results)
        assert (await client.send(content)).startswith("250 ")
    process.terminate()
    assert await asyncio.wait_for(process.wait(), SECONDS) == 0
    told = [orjson.loads(one.value) for one in await records_of(world, inbound_topic("email"))]
    assert [one["sender"].get("verified") for one in told] == ["dmarc", "dmarc", None]


async def test_sigterm_lets_a_mail_end_that_has_begun(world: Settings) -> None:
    port = dead_port()
    process = await begun(world, port)
    busy, idle = await connected(port), await connected(port)
    await busy.begin()
    busy.write(mail())
    await busy.writer.drain()
    process.terminate()
    assert (await idle.reply()).startswith("421 4.3.2")
    busy.write(b"\r\n.\r\n")
    assert (await busy.reply()).startswith("250 ")
    assert await asyncio.wait_for(process.wait(), SECONDS) == 0
    assert len(await records_of(world, inbound_topic("email"))) == 1
