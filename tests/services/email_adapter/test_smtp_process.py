"""The email adapter as a process: told to stop in the middle of a mail, it takes that mail, and no other."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path

from provider import dead_port
from pydantic import SecretStr

from shared.contract.records import inbound_topic
from shared.runtime.settings import Settings
from tests.patience import SECONDS
from tests.services.email_adapter.port import Client, mail
from tests.shared.broker import records_of


async def connected(port: int) -> Client:
    """Greeted, as soon as it listens."""
    async with asyncio.timeout(SECONDS):
        while True:
            with suppress(OSError):
                client = await Client.connect(port)
                assert (await client.reply()).startswith("220 ")
                assert (await client("EHLO client.example")).startswith("250")
                return client
            await asyncio.sleep(0.1)


async def test_sigterm_lets_a_mail_end_that_has_begun(world: Settings) -> None:
    Path(world.accounts).write_text('[accounts.email.help]\naddress = "help@parley.example"\n')
    port = dead_port()
    told = {
        f"PARLEY_{name.upper()}": value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in world
    }
    told |= {"PARLEY_SMTP_HOST": "127.0.0.1", "PARLEY_SMTP_PORT": str(port), "PARLEY_SMTP_NAME": "mx.parley.example"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.email_adapter", env=os.environ | told, stderr=asyncio.subprocess.DEVNULL
    )
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
