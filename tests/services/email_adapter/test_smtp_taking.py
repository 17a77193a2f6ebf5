"""What whoever brings mail is promised: 250 for what is durable, 451 for our own trouble, 5xx for what will never be taken."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from deploy.local.home import Addresses
from services.email_adapter.reading import Reading
from shared.bus.cloudevents import RAW
from shared.contract.errors import BusUnavailable, StoreUnavailable
from shared.contract.thread_tokens import thread_token
from shared.inbound.accept import RAW_INLINE
from shared.storage.blobs import belongs
from tests.patience import SECONDS
from tests.services.email_adapter.port import DLQ, INBOUND, SECRET, Port, mail, port
from tests.shared.broker import records_of, settings_for

PATIENT, HASTY = 60.0, 12.0  # seconds for a large mail; its reader, a process, begins slowly on a busy machine


@pytest.fixture(params=[PATIENT])
async def door(servers: Addresses, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Port]:
    reading = Reading(large=200_000, seconds=request.param, megabytes=512)
    async with port(settings_for(servers.kafka), tmp_path, reading=reading) as door:
        yield door


async def stored(door: Port, ref: str) -> bytes:
    return b"".join([chunk async for chunk in await door.blobs.get(ref)])


async def test_what_is_answered_250_stands_on_the_bus_with_the_untouched_mail(door: Port) -> None:
    client = await door.client()
    assert (await client.send(mail())).startswith("250 ")
    (record,) = await records_of(door.settings, INBOUND)
    value = orjson.loads(record.value)
    assert record.key == b"default|email|help|ann@home.example"
    assert value["parts"][0]["text"] == "hello\r\n"
    assert value["assessment"]["authentication"] == "none", "a mail proves nothing by itself"
    assert dict(record.headers)[RAW] == mail() + b"\r\n"


async def test_a_second_mail_goes_over_the_same_connection(door: Port) -> None:
    client = await door.client()
    for name in ("m1", "m2"):
        assert (await client.send(mail(name))).startswith("250 ")
    assert len(await records_of(door.settings, INBOUND)) == 2


async def test_a_large_mail_is_in_the_blob_store_before_it_is_acknowledged(door: Port) -> None:
    client = await door.client()
    content = mail(body="x" * 70 + "\r\n" + ("y" * 70 + "\r\n") * (RAW_INLINE // 72))
    assert (await client.send(content)).startswith("250 ")
    (record,) = await records_of(door.settings, INBOUND)
    value = orjson.loads(record.value)
    assert RAW not in dict(record.headers)
    assert await stored(door, value["raw"]) == content + b"\r\n"


async def test_a_file_is_stored_and_its_part_names_the_bytes(door: Port) -> None:
    client = await door.client()
    assert (await client.send(mail(X_File="list.txt", body="rice"))).startswith("250 ")
    (record,) = await records_of(door.settings, INBOUND)
    part = orjson.loads(record.value)["parts"][1]
    assert (part["state"], part["name"], part["size"], part.get("handle")) == ("stored", "list.txt", 6, None)
    assert belongs(part["blob"], "default")
    assert await stored(door, part["blob"]) == b"rice\r\n"


async def test_every_account_among_the_recipients_gets_its_own_record(door: Port) -> None:
    client = await door.client()
    assert (await client.send(mail(), "help@parley.example", "sales@parley.example", "HELP@parley.example")).startswith(
        "250 "
    )
    records = {one.key: orjson.loads(one.value) for one in await records_of(door.settings, INBOUND)}
    assert set(records) == {b"default|email|help|ann@home.example", b"acme|email|sales|ann@home.example"}
    mine = records[b"default|email|help|ann@home.example"]["recipients"]
    assert [one["address"] for one in mine] == ["help@parley.example", "HELP@parley.example"]


async def test_the_same_mail_twice_is_the_same_message(door: Port) -> None:
    client = await door.client()
    for _ in range(2):
        assert (await client.send(mail())).startswith("250 ")
    assert len({orjson.loads(one.value)["id"] for one in await records_of(door.settings, INBOUND)}) == 1


@pytest.mark.parametrize(
    "address",
    ["nobody@parley.example", "help@elsewhere.example", "inbox+@reply.parley.example", "x@reply.parley.example"],
)
async def test_an_unknown_recipient_is_550_at_once(door: Port, address: str) -> None:
    client = await door.client()
    await client("MAIL FROM:<ann@home.example>")
    assert (await client(f"RCPT TO:<{address}>")).startswith("550 5.1.1")
    assert (await client("DATA")).startswith("503 ")


async def test_letters_case_does_not_matter_in_an_address(door: Port) -> None:
    client = await door.client()
    await client("MAIL FROM:<ann@home.example>")
    assert (await client("RCPT TO:<Help@PARLEY.example>")).startswith("250 ")


async def test_a_signed_reply_address_is_its_account_and_a_forged_one_is_nobodys(door: Port) -> None:
    signed, forged = (thread_token(uuid.uuid4(), key.encode()) for key in (SECRET, "another key"))
    assert signed
    client = await door.client()
    await client("MAIL FROM:<ann@home.example>")
    assert (await client(f"RCPT TO:<inbox+{forged}@reply.parley.example>")).startswith("550 5.1.1")
    assert (await client(f"RCPT TO:<inbox+{signed.upper()}@reply.parley.example>")).startswith("250 ")
    assert (await client(f"RCPT TO:<inbox+{signed}@other.example>")).startswith("550 5.1.1")


async def test_a_mail_that_cannot_be_read_and_is_nobodys_is_kept_and_acknowledged(door: Port) -> None:
    client = await door.client()
    assert (await client.send(mail(subject="nonsense"))).startswith("250 ")
    assert not await records_of(door.settings, INBOUND)
    (letter,) = await records_of(door.settings, DLQ)
    headers = dict(letter.headers)
    assert letter.value == mail(subject="nonsense") + b"\r\n"
    assert letter.key == b"default|email|help"
    assert headers["mail-sender"] == b"ann@home.example"
    assert orjson.loads(headers["mail-recipients"]) == ["help@parley.example"]
    assert headers["dlq-error-class"] == b"Malformed"
    assert b"a parser's own error" not in headers["dlq-error-message"]


async def test_one_that_is_larger_than_a_record_is_kept_as_a_blob(door: Port) -> None:
    client = await door.client()
    content = mail(subject="nonsense", body=("z" * 98 + "\r\n") * 22_000)
    assert (await client.send(content)).startswith("250 ")
    (letter,) = await records_of(door.settings, DLQ)
    assert letter.value == b""
    assert await stored(door, dict(letter.headers)["dlq-body-blob"].decode()) == content + b"\r\n"


@pytest.mark.parametrize("door", [HASTY], indirect=True)
async def test_others_are_served_while_a_large_mail_is_read(door: Port) -> None:
    slow, quick = await door.client(), await door.client()
    await slow.begin()
    slow.write(mail("bomb", subject="for ever", body=("w" * 98 + "\r\n") * 3000) + b"\r\n.\r\n")
    waiting = asyncio.create_task(slow.reply())
    assert (await quick.send(mail())).startswith("250 ")
    assert not waiting.done()
    assert (await waiting).startswith("250 ")


async def test_what_the_reader_refuses_is_refused_in_its_words(door: Port) -> None:
    client = await door.client()
    assert await client.send(mail(subject="refuse")) == "554 5.4.6 too many hops"
    assert await client.send(mail(subject="refuse", body=("w" * 98 + "\r\n") * 3000)) == "554 5.4.6 too many hops"
    assert not await records_of(door.settings, INBOUND)
    assert not await records_of(door.settings, DLQ)


@pytest.mark.parametrize(
    ("head", "reply"),
    [
        (b"Received: x\r\n" * 51, "554 5.4.6"),
        ((b"X-Long: " + b"y" * 40_000 + b"\r\n") * 3, "552 5.3.4"),
        (b"X-Many: y\r\n" * 1001, "552 5.3.4"),
    ],
)
async def test_what_is_beyond_the_limits_of_reading_is_refused_before_it_is_read(
    door: Port, head: bytes, reply: str
) -> None:
    client = await door.client()
    assert (await client.send(head + mail())).startswith(reply)
    assert (await client.send(head + mail(body=("w" * 98 + "\r\n") * 3000))).startswith(reply)
    assert not await records_of(door.settings, INBOUND)
    assert not await records_of(door.settings, DLQ)


@pytest.mark.parametrize("trouble", [BusUnavailable, StoreUnavailable, RuntimeError])
async def test_our_own_trouble_is_451_and_the_sender_tries_again(
    door: Port, trouble: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await door.client()

    async def fail(_records: object) -> None:
        raise trouble("away")

    with monkeypatch.context() as patch:
        patch.setattr(door.producer, "send_all", fail)
        assert (await client.send(mail())).startswith("451 4.3.0")
    assert (await client.send(mail())).startswith("250 ")
    assert len(await records_of(door.settings, INBOUND)) == 1


async def test_a_connection_that_drops_in_data_leaves_nothing(door: Port) -> None:
    client = await door.client()
    await client.begin()
    client.write(mail())
    await client.writer.drain()
    client.writer.transport.abort()
    other = await door.client()
    assert (await other.send(mail("m2"))).startswith("250 ")
    (record,) = await records_of(door.settings, INBOUND)
    assert b"m2@home.example" in dict(record.headers)[RAW]


async def test_stopping_lets_a_mail_that_is_coming_in_end_and_sends_the_idle_away(door: Port) -> None:
    busy, idle = await door.client(), await door.client()
    await busy.begin()
    busy.write(mail())
    await busy.writer.drain()
    stopping = asyncio.create_task(door.listener.drain())
    assert (await idle.reply()).startswith("421 4.3.2")
    assert await idle.ended()
    with pytest.raises(OSError):
        await door.client()
    assert not stopping.done()
    busy.write(b"\r\n.\r\n")
    assert (await busy.reply()).startswith("250 ")
    assert (await busy.reply()).startswith("421 4.3.2")
    await asyncio.wait_for(stopping, SECONDS)
    assert len(await records_of(door.settings, INBOUND)) == 1
