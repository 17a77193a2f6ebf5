"""A mail that could not be read, replayed after a fix: the same mail, to the same account, by the same envelope, once."""

from __future__ import annotations

import uuid
from pathlib import Path

import orjson

from services.cli.dlq.deadletters import letters
from services.cli.dlq.replay import replay_all
from services.email_adapter.registry import CHANNELS
from shared.bus.cloudevents import RAW
from shared.bus.produce import Producer
from shared.contract.channel import Mail
from shared.contract.errors import Malformed
from shared.contract.records import inbound_topic, ingress_dlq
from shared.contract.thread_tokens import thread_token
from shared.inbound.accept import Intake
from shared.inbound.deadletters import INLINE
from shared.runtime.accounts import load
from shared.runtime.settings import Settings
from shared.storage.blobs import Blobs
from tests.shared.broker import records_of

INBOUND, DLQ = inbound_topic("email"), ingress_dlq("email")
ACCOUNT = '[accounts.email.help]\naddress = "help@parley.example"\nreply_domain = "reply.parley.example"\n'
HEAD = b"From: ann@home.example\r\nTo: help@parley.example\r\nSubject: Rice\r\nMessage-ID: <m1@home.example>\r\n"
SAID = HEAD + b"Date: Sun, 22 Nov 2026 08:00:00 +0000\r\n\r\nhello\r\n"


async def keep(world: Settings, raw: bytes, *recipients: str) -> None:
    Path(world.accounts).write_text(ACCOUNT)
    account = load(Path(world.accounts), CHANNELS).account("email", "help")
    assert account
    producer = Producer(world)
    await producer.start()
    intake = Intake(world, "email", producer, Blobs.open(world.blobs))
    mail = Mail(raw, "ann@home.example", recipients)
    await intake.dead_letters.keep_mail(CHANNELS["email"], account, mail, Malformed("it was us"))
    await producer.stop()


async def replay(world: Settings) -> list[str]:
    """The errors, empty where it went well."""
    kept = await letters(world, [world.topic(DLQ)])
    return [done.error for done in await replay_all(world, kept)]


async def test_a_mail_is_read_again_by_its_envelope(world: Settings) -> None:
    signed = thread_token(uuid.uuid4(), world.secret.get_secret_value().encode())
    await keep(world, SAID, f"inbox+{signed}@reply.parley.example")
    for _ in range(2):
        assert await replay(world) == [""]
    first, again = await records_of(world, INBOUND)
    assert first.value == again.value, "received when it was received, however often it is replayed"
    envelope = orjson.loads(first.value)
    assert envelope["parts"][0]["text"].strip() == "hello"
    assert envelope["thread"]["token"] == signed
    assert dict(first.headers)[RAW] == SAID


async def test_a_mail_larger_than_a_record_comes_back_too(world: Settings) -> None:
    large = SAID + (b"x" * 70 + b"\r\n") * (INLINE // 70)
    large = large.replace(b"\r\n\r\n", b"\r\nMIME-Version: 1.0\r\nContent-Type: application/pdf\r\n\r\n", 1)
    await keep(world, large, "help@parley.example")
    (letter,) = await letters(world, [world.topic(DLQ)])
    assert letter.record.value == b""
    assert await replay(world) == [""]
    (record,) = await records_of(world, INBOUND)
    chunks = await Blobs.open(world.blobs).get(orjson.loads(record.value)["raw"])
    assert b"".join([chunk async for chunk in chunks]) == large


async def test_a_mail_to_an_account_that_is_gone_is_told(world: Settings) -> None:
    await keep(world, SAID, "help@parley.example")
    Path(world.accounts).write_text("")
    (error,) = await replay(world)
    assert "[accounts.email.help]" in error
    assert not await records_of(world, INBOUND)
