"""A mail that cannot be read is its sender's all the same, by its head; only one of nobody is a dead letter."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from deploy.local.home import Addresses
from services.email_adapter.mail import CHANNEL
from services.email_adapter.mail.limits import SIZE
from services.email_adapter.reading import HERE, Reading
from tests.services.email_adapter.letters import mail as letter
from tests.services.email_adapter.port import DLQ, INBOUND, Port, mail, port
from tests.services.email_adapter.troubles import read
from tests.shared.broker import records_of, settings_for

SECONDS = 12.0  # that a mail may take: its reader, a process, begins slowly on a busy machine
LONG = ("w" * 70 + "\r\n") * (HERE // 72 + 1)
WHY = {"crash": "ended the process", "for ever": "was not read within", "memory": "more memory", "error": "ValueError"}


@pytest.fixture
async def door(servers: Addresses, tmp_path: Path) -> AsyncIterator[Port]:
    reading, inbox = Reading(seconds=SECONDS), CHANNEL.account(name="help", address="help@parley.example")
    channel = replace(CHANNEL, mail=read)
    async with port(settings_for(servers.kafka), tmp_path, reading=reading, channel=channel, boxes=[inbox]) as door:
        yield door


async def taken(door: Port) -> list[dict[str, Any]]:
    return [orjson.loads(one.value) for one in await records_of(door.settings, INBOUND)]


@pytest.mark.parametrize("trouble", WHY)
async def test_who_wrote_a_mail_that_cannot_be_read_is_shown_with_the_mail_as_a_file(door: Port, trouble: str) -> None:
    client, content = await door.client(), mail("bomb", subject=trouble, body=LONG)
    assert (await client.send(content)).startswith("250 ")
    assert (await client.send(mail("fine", body=LONG))).startswith("250 ")
    assert not await records_of(door.settings, DLQ)
    bomb, fine = await taken(door)
    file, unsupported = bomb["parts"]
    assert (bomb["peer"], bomb["external_id"]) == ("ann@home.example", "bomb@home.example")
    assert bomb["thread"]["subject"] == trouble
    assert (unsupported["kind"], unsupported["type"]) == ("unsupported", "mime")
    assert WHY[trouble] in unsupported["text"]
    assert (file["state"], file["mime_type"], file["name"]) == ("stored", "message/rfc822", f"{trouble}.eml")
    assert b"".join([chunk async for chunk in await door.blobs.get(file["blob"])]) == content + b"\r\n"
    assert bomb["window"] == fine["window"]
    assert fine["parts"][0]["text"].startswith("www")


@pytest.mark.parametrize("name", ["m1", ""])
async def test_what_could_not_be_read_once_is_the_same_message_when_it_is_tried_again(
    door: Port, name: str, tmp_path: Path
) -> None:
    """Also where there would be time for it now: whoever tries again has not changed a byte."""
    content = mail(subject="once", X_Once=str(tmp_path / "tried"), body=LONG)
    content = content if name else content.replace(b"Message-ID", b"X-Lost")
    for _ in range(2):
        client = await door.client()
        assert (await client.send(content)).startswith("250 ")
        client.break_off()
    assert (tmp_path / "tried").exists()
    first, second = await taken(door)
    assert first["id"] == second["id"]
    assert [one["kind"] for one in second["parts"]] == ["media", "unsupported"]


async def test_one_of_nobody_is_kept_aside(door: Port) -> None:
    client, content = await door.client(), mail(subject="crash", body=LONG).replace(b"From:", b"X-From:")
    assert (await client("MAIL FROM:<>")).startswith("250")
    assert (await client("RCPT TO:<help@parley.example>")).startswith("250")
    assert (await client("DATA")).startswith("354")
    client.write(content + b"\r\n.\r\n")
    assert (await client.reply()).startswith("250 ")
    assert not await taken(door)
    (kept,) = await records_of(door.settings, DLQ)
    assert kept.value == content + b"\r\n"
    assert b"ended the process" in dict(kept.headers)["dlq-error-message"]


async def test_the_largest_mail_has_room_for_its_head_in_the_process_that_reads(door: Port) -> None:
    line = b"w" * 98 + b"\r\n"
    content = letter(line * ((SIZE - 4096) // len(line)), "Subject: error")
    client = await door.client()
    assert (await client.send(content)).startswith("250 ")
    (found,) = await taken(door)
    assert found["peer"] == "dara@example.com"
    assert found["parts"][0]["size"] == len(content) + 2
