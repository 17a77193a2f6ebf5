"""A stranger's mail is read outside of the loop, within a budget of its own, and a peer's mails wait for each other."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from datetime import UTC, datetime

import chardet
import pytest
from pydantic import SecretStr

from services.email_adapter.mail import CHANNEL
from services.email_adapter.mail.charsets import GUESSING, ONE_GUESS
from services.email_adapter.reading import HERE, Reading
from shared.contract.channel import Context, Mail
from tests.services.email_adapter.letters import read
from tests.services.email_adapter.port import where

PARTS = b"".join(b"--b\r\n\r\nl\xe4ngst gr\xfc\xdft\r\n" for _ in range(990))
NASTY = b"From: a@b.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + PARTS + b"--b--\r\n"


async def pid(reading: Reading, size: int, peer: str = "") -> int:
    channel = replace(CHANNEL, mail=where)
    account = CHANNEL.account(name="help", address="help@parley.example")
    context = Context(now=datetime.now(UTC), nonce="n", secret=SecretStr("k" * 40))
    raw = b"Subject: x\r\n\r\n" + b"x" * (size - 14)
    found = await reading.read(channel, account, Mail(raw), context, peer=peer)
    return int(found.files["pid"])


async def test_what_takes_more_than_milliseconds_is_read_in_another_process() -> None:
    reading = Reading()
    try:
        assert await pid(reading, HERE) == os.getpid()
        assert await pid(reading, HERE + 1) != os.getpid()
        assert len(NASTY) > HERE
    finally:
        await reading.close()


async def test_the_mails_of_one_peer_have_one_process_and_leave_the_other_to_others() -> None:
    reading = Reading()
    try:
        of_one = await asyncio.gather(*(pid(reading, HERE + 1, "192.0.2.1") for _ in range(6)))
        assert len(set(of_one)) == 1
        both = await asyncio.gather(pid(reading, HERE + 1, "192.0.2.1"), pid(reading, HERE + 1, "192.0.2.2"))
        assert len(set(both)) == 2
    finally:
        await reading.close()


def test_however_many_parts_do_not_say_their_charset_few_are_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    def detect(sample: bytes) -> dict[str, str]:
        asked.append(sample)
        return {"encoding": "windows-1252"}

    monkeypatch.setattr(chardet, "detect", detect)
    found = read(NASTY)
    assert 0 < len(asked) <= GUESSING // ONE_GUESS
    assert "längst grüßt" in found.records[0].parts[0].text
