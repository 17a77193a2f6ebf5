"""The mail port's certificate is renewed on disk: new connections have the new one, old ones go on with theirs."""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
import time
from pathlib import Path

import aiohttp
from prometheus_client import REGISTRY
from provider import dead_port

from deploy.local.home import Addresses
from services.email_adapter.smtp.certificate import Certificate
from shared.runtime.settings import Settings
from tests.certificates import certificate
from tests.patience import SECONDS
from tests.services.email_adapter.port import Client, Port, mail, port
from tests.services.email_adapter.test_smtp_process import connected
from tests.shared.broker import settings_for

NAME = "mx.parley.example"


def renewed(folder: Path, name: str = NAME) -> tuple[ssl.SSLContext, bytes, bytes]:
    """What trusts only this one, its chain and its key."""
    folder.mkdir()
    authority, chain, key = certificate(folder, name)
    return ssl.create_default_context(cafile=str(authority)), chain.read_bytes(), key.read_bytes()


def put(folder: Path, chain: bytes, key: bytes) -> dict[str, str]:
    (folder / "tls.crt").write_bytes(chain)
    (folder / "tls.key").write_bytes(key)
    return {"smtp_certificate": str(folder / "tls.crt"), "smtp_key": str(folder / "tls.key")}


async def encrypted(client: Client, trusted: ssl.SSLContext) -> Client:
    assert (await client("STARTTLS")).startswith("220 ")
    await client.starttls(trusted)
    assert (await client("EHLO client.example")).startswith("250")
    return client


async def test_a_renewed_certificate_is_taken_up_and_old_connections_go_on(servers: Addresses, tmp_path: Path) -> None:
    first, *files = renewed(tmp_path / "first")
    second, *newer = renewed(tmp_path / "second")
    async with port(settings_for(servers.kafka), tmp_path, **put(tmp_path, *files)) as door:
        before = await encrypted(await door.client(), first)
        put(tmp_path, *newer)
        await door.listener.certificate.refresh()
        after = await encrypted(await door.client(), second)
        assert (await after.send(mail("m1"))).startswith("250 ")
        assert (await before.send(mail("m2"))).startswith("250 ")
        left = (REGISTRY.get_sample_value("parley_smtp_certificate_end_seconds") or 0) - time.time()
        assert 1 < left / 86400 < 3, "tests/certificates.py makes them for two days"


async def test_new_files_that_cannot_be_used_keep_the_old_certificate_until_they_can(
    servers: Addresses, tmp_path: Path
) -> None:
    first, chain, key = renewed(tmp_path / "first")
    second, newer_chain, newer_key = renewed(tmp_path / "second")
    async with port(settings_for(servers.kafka), tmp_path, **put(tmp_path, chain, key)) as door:
        for bad_chain, bad_key in ((newer_chain, key), (b"nonsense", newer_key), (b"", b"")):
            put(tmp_path, bad_chain, bad_key)
            await door.listener.certificate.refresh()
            assert "PARLEY_SMTP_CERTIFICATE" in (door.listener.certificate.trouble or "")
            await works(door, first)
        put(tmp_path, newer_chain, newer_key)
        await door.listener.certificate.refresh()
        assert door.listener.certificate.trouble is None
        await works(door, second)


async def works(door: Port, trusted: ssl.SSLContext) -> None:
    client = await encrypted(await door.client(), trusted)
    client.writer.close()


async def test_who_is_in_the_middle_of_a_handshake_does_not_hold_up_the_end(servers: Addresses, tmp_path: Path) -> None:
    _, *files = renewed(tmp_path / "first")
    async with port(settings_for(servers.kafka), tmp_path, **put(tmp_path, *files)) as door:
        client = await door.client()
        assert (await client("STARTTLS")).startswith("220 ")
        await asyncio.wait_for(door.listener.drain(), SECONDS)
        assert await client.ended()


async def test_without_a_certificate_there_is_nothing_to_watch() -> None:
    await asyncio.wait_for(Certificate(Settings()).watch(), SECONDS)


async def test_the_process_warns_of_files_that_cannot_be_used_and_stays_ready(world: Settings, tmp_path: Path) -> None:
    """Readiness would take the port from every pod at once, though the old certificate is good for weeks."""
    Path(world.accounts).write_text('[accounts.email.help]\naddress = "help@parley.example"\n')
    trusted, *files = renewed(tmp_path / "first")
    http, smtp = dead_port(), dead_port()
    told = {
        f"PARLEY_{name.upper()}": value.get_secret_value() if hasattr(value, "get_secret_value") else str(value)
        for name, value in (world.model_copy(update=put(tmp_path, *files)))
    }
    told |= {"PARLEY_SMTP_HOST": "127.0.0.1", "PARLEY_SMTP_PORT": str(smtp), "PARLEY_HTTP_PORT": str(http)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.email_adapter", env=os.environ | told, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await encrypted(await connected(smtp), trusted)
        (tmp_path / "tls.crt").write_bytes(b"nonsense")
        assert "PARLEY_SMTP_CERTIFICATE" in await warned(f"http://127.0.0.1:{http}/health/ready")
        await encrypted(await connected(smtp), trusted)
    finally:
        process.terminate()
        await process.wait()


async def warned(address: str) -> str:
    """What a process that is ready warns of, as soon as it does."""
    async with asyncio.timeout(90), aiohttp.ClientSession() as client:
        while True:
            async with client.get(address) as answer:
                told = await answer.json()
                if answer.status == 200 and "certificate" in told.get("warned", {}):
                    return str(told["warned"]["certificate"])
            await asyncio.sleep(0.2)
