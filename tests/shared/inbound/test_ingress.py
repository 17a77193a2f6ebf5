"""What every webhook is promised: nothing is answered 2xx before it is durable, nothing forged gets in, nothing verified is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import orjson
import pytest

from deploy.local.home import Addresses
from shared.bus.cloudevents import RAW
from shared.contract.envelope import message_id
from shared.inbound import ingress
from shared.inbound.accept import RAW_COPIES, RAW_INLINE
from shared.storage.blobs import Blobs
from tests.shared.broker import records_of, settings_for
from tests.shared.gate import DLQ, INBOUND, Gate, counted, gate, hello, sign

SAID = b'{"type": "message", "id": "m1", "from": {"address": "ann"}, "parts": [{"kind": "text", "text": "hello"}]}'
TELEGRAM = {"x-telegram-bot-api-secret-token": "telegrams-word"}


@pytest.fixture
async def door(servers: Addresses, tmp_path: Path) -> AsyncIterator[Gate]:
    async with gate(settings_for(servers.kafka), tmp_path) as door:
        yield door


async def nothing_came_in(door: Gate) -> bool:
    return not await records_of(door.settings, INBOUND) and not await records_of(door.settings, DLQ)


async def test_what_is_answered_200_stands_on_the_bus(door: Gate) -> None:
    before = counted("accepted")
    assert await door.post(SAID) == 200
    (record,) = await records_of(door.settings, INBOUND)
    value = orjson.loads(record.value)
    assert value["id"] == str(message_id("default", "webhook", "main", "message/m1"))
    assert value["assessment"]["authentication"] == "signature"
    assert record.key == b"default|webhook|main|ann"
    assert dict(record.headers)[RAW] == SAID, "the untouched payload travels along"
    assert counted("accepted") == before + 1


def tampered(headers: Mapping[str, str], **changed: str) -> dict[str, str]:
    return dict(headers) | {name.replace("_", "-"): value for name, value in changed.items()}


FORGED: dict[str, Callable[[], tuple[bytes, Mapping[str, str]]]] = {
    "not signed": lambda: (SAID, {}),
    "signed with another key": lambda: (SAID, sign(SAID, key=b"x" * 32)),
    "changed after it was signed": lambda: (SAID.replace(b"hello", b"hullo"), sign(SAID)),
    "cut off": lambda: (SAID[:50], sign(SAID)),
    "replayed after six minutes": lambda: (SAID, sign(SAID, age=360)),
    "from the future": lambda: (SAID, sign(SAID, age=-360)),
    "under another id": lambda: (SAID, tampered(sign(SAID), webhook_id="other")),
    "a time that is none": lambda: (SAID, tampered(sign(SAID), webhook_timestamp="now")),
    "a signature that is none": lambda: (SAID, tampered(sign(SAID), webhook_signature="v1,\u00ff")),
    "an empty signature": lambda: (SAID, tampered(sign(SAID), webhook_signature="")),
    "with telegram's word": lambda: (SAID, TELEGRAM),
}


@pytest.mark.parametrize("how", FORGED)
async def test_what_is_forged_is_401_and_counted_and_not_published(door: Gate, how: str) -> None:
    body, headers = FORGED[how]()
    before = counted("unverified")
    assert await door.post(body, headers=headers) == 401
    assert counted("unverified") == before + 1
    assert await nothing_came_in(door)


async def test_a_body_that_no_signature_covers_and_that_was_cut_is_400(door: Gate) -> None:
    before = counted("torn", "telegram")
    assert await door.post(b'{"update_id": 1, "mess', headers=TELEGRAM, to="telegram/bot") == 400
    assert counted("torn", "telegram") == before + 1
    assert await nothing_came_in(door)


async def test_a_connection_that_breaks_in_the_middle_leaves_nothing(door: Gate) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    given = "".join(f"{name}: {value}\r\n" for name, value in sign(SAID).items())
    writer.write(f"POST /hooks/webhook/main HTTP/1.1\r\nHost: x\r\n{given}Content-Length: {len(SAID)}\r\n\r\n".encode())
    writer.write(SAID[:40])
    writer.write_eof()
    answer = await reader.read()
    assert b" 200 " not in answer.partition(b"\r\n")[0]
    writer.close()
    assert await nothing_came_in(door)


@pytest.mark.parametrize("to", ["webhook/nobody", "nothing/main", "webchat/main", "webhook/ភ្ញៀវ"])
async def test_an_address_that_nobody_has_is_404(door: Gate, to: str) -> None:
    assert await door.post(SAID, to=to) == 404


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b'{"type": "message"}',
        b'{"type": "message", "id": "m1", "from": {"address": ""}, "parts": []}',
    ],
    ids=[
        "cut",
        "a list",
        "a text",
        "not UTF-8",
        "nothing in it",
        "no names",
    ],
)
async def test_what_a_verified_sender_says_and_we_cannot_read_is_kept_byte_for_byte(door: Gate, body: bytes) -> None:
    before = counted("dead_lettered")
    assert await door.post(body) == 200
    assert await records_of(door.settings, INBOUND) == []
    (letter,) = await records_of(door.settings, DLQ)
    assert letter.value == body
    assert letter.key == b"default|webhook|main"
    kept = dict(letter.headers)
    assert kept["http-method"] == b"POST"
    assert kept["http-url"].endswith(b"/hooks/webhook/main")
    assert "webhook-id" in orjson.loads(kept["http-headers"])
    assert "webhook-signature" not in orjson.loads(kept["http-headers"]), "what could be replayed elsewhere is not kept"
    assert counted("dead_lettered") == before + 1


async def test_headers_that_are_not_text_do_not_keep_a_dead_letter_from_being_kept(door: Gate) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    body = b"{"
    given = "".join(f"{name}: {value}\r\n" for name, value in sign(body).items()).encode()
    writer.write(b"POST /hooks/webhook/main HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1\r\n")
    writer.write(given + b"X-From: caf\xe9 \xff\r\n\r\n" + body)
    assert b" 200 " in (await reader.read()).partition(b"\r\n")[0]
    writer.close()
    (letter,) = await records_of(door.settings, DLQ)
    assert letter.value == body


async def test_a_message_for_an_account_that_nobody_has_is_kept_and_answered_200(door: Gate) -> None:
    body = orjson.dumps(hello(account="shop nr 2"))
    assert await door.post(body) == 200
    (letter,) = await records_of(door.settings, DLQ)
    assert letter.value == body
    assert dict(letter.headers)["dlq-error-class"] == b"UnknownAccount"
    assert await records_of(door.settings, INBOUND) == []


@pytest.mark.parametrize("other", [{"account": "nobody's"}, {"from": 7}, {"from": {"address": ["u"]}}], ids=str)
async def test_an_event_that_cannot_be_taken_takes_no_other_along(door: Gate, other: dict[str, object]) -> None:
    body = orjson.dumps({"events": [hello(), hello() | other, hello()]})
    assert await door.post(body) == 200
    assert len(await records_of(door.settings, INBOUND)) == 2
    (letter,) = await records_of(door.settings, DLQ)
    assert letter.value == body, "whole, and the others are known by their ids when it is replayed"


@pytest.mark.parametrize("told", [True, False], ids=["its length told", "its length not told"])
async def test_a_body_beyond_the_channels_limit_is_413(door: Gate, told: bool) -> None:
    body = b"x" * (1024 * 1024 + 1)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 65536):
            yield body[start : start + 65536]

    data = body if told else pieces()
    async with door.client.post(f"{door.address}/hooks/webhook/main", data=data, headers=sign(body)) as response:
        assert response.status == 413
    assert await nothing_came_in(door)


async def test_sixteen_copies_at_the_same_moment_have_one_id(door: Gate) -> None:
    assert await asyncio.gather(*(door.post(SAID) for _ in range(16))) == [200] * 16
    found = await records_of(door.settings, INBOUND)
    assert len({dict(record.headers)["ce_id"] for record in found}) == 1


async def test_a_large_payload_is_in_the_store_before_the_answer(door: Gate) -> None:
    event = hello()
    event["parts"][0]["text"] = "x" * (RAW_INLINE + 1)
    body = orjson.dumps(event)
    assert await door.post(body) == 200
    (record,) = await records_of(door.settings, INBOUND)
    assert RAW not in dict(record.headers)
    store = Blobs.open(door.settings.blobs)
    assert b"".join([chunk async for chunk in await store.get(orjson.loads(record.value)["raw"])]) == body


async def test_the_payload_of_many_messages_is_kept_once(door: Gate) -> None:
    """In each record, one body would be a flood of itself."""
    body = orjson.dumps({"events": [hello() for _ in range(100)]})
    assert len(body) < RAW_INLINE
    assert await door.post(body) == 200
    records = await records_of(door.settings, INBOUND)
    assert len(records) == 100
    assert sum(len(dict(record.headers).get(RAW, b"")) for record in records) <= RAW_COPIES
    (name,) = {orjson.loads(record.value)["raw"] for record in records}
    store = Blobs.open(door.settings.blobs)
    assert b"".join([chunk async for chunk in await store.get(name)]) == body


async def test_what_postgresql_cannot_hold_is_replaced(door: Gate) -> None:
    assert await door.post(hello(parts=[{"kind": "text", "text": "a\x00b"}])) == 200
    (record,) = await records_of(door.settings, INBOUND)
    assert orjson.loads(record.value)["parts"][0]["text"] == "a\ufffdb"


async def test_a_trace_goes_on(door: Gate) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    body = orjson.dumps(hello())
    headers = sign(body) | {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    assert await door.post(body, headers=headers) == 200
    (record,) = await records_of(door.settings, INBOUND)
    assert dict(record.headers)["traceparent"].decode().split("-")[1] == trace


async def test_more_requests_than_we_can_hold_are_told_to_come_again(
    door: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingress, "CONCURRENT", 0)
    assert await door.post(SAID) == 503
    assert await nothing_came_in(door)


PRESSED = {"id": "q7", "from": {"id": 5, "is_bot": False, "first_name": "Ann"}, "chat_instance": "1", "data": "L"}


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({"update_id": 1, "callback_query": PRESSED}, {"method": "answerCallbackQuery", "callback_query_id": "q7"}),
        (
            {"update_id": 1, "callback_query": {"id": "q7"}},
            {"method": "answerCallbackQuery", "callback_query_id": "q7"},
        ),
        ({"update_id": 1, "message": {"text": '"callback_query"'}}, None),
        (["callback_query"], None),
        ({"callback_query": [7]}, None),
    ],
    ids=["taken", "kept as a dead letter", "another update", "a list", "a query without a name"],
)
async def test_what_is_durable_is_answered_as_the_channel_says_whatever_it_could_read(
    door: Gate, body: object, answer: object
) -> None:
    headers = {"x-telegram-bot-api-secret-token": "telegrams-word"}
    async with door.client.post(f"{door.address}/hooks/telegram/bot", json=body, headers=headers) as response:
        assert (response.status, orjson.loads(await response.read() or b"null")) == (200, answer)
    kept = [*await records_of(door.settings, INBOUND), *await records_of(door.settings, DLQ)]
    assert len(kept) == 1, "and it is durable by then"
