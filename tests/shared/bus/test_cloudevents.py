"""CloudEvents on Kafka: what is written is read again, and what is not one of ours is refused in words without content."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings, strategies as st

from shared.bus import cloudevents
from shared.contract.envelope import Text
from shared.contract.errors import Malformed
from shared.contract.records import INBOUND_LIMIT, RECORDS, TOPICS
from shared.contract.requests import Reply

WEST, EAST = timezone(-timedelta(hours=12)), timezone(timedelta(hours=14))
NOW = datetime(2026, 3, 1, 12, 0, 0, 123000, tzinfo=UTC)
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TOPIC = "parley.requests.v1"
MODEL = Reply(conversation=uuid.UUID(int=1), parts=(Text(text="សួស្តី"),))


def made(**more: Any) -> list[tuple[str, bytes]]:
    common: dict[str, Any] = {"source": "/test", "id": "1", "time": NOW, "tenant": "default", "subject": "s"}
    return cloudevents.headers("request.reply", **common | more)


def record(value: bytes | None = cloudevents.encode(MODEL), headers: list[tuple[str, bytes]] | None = None) -> Any:
    given = made() if headers is None else headers
    stamp = int(NOW.timestamp() * 1000)
    return SimpleNamespace(headers=given, value=value, key=b"k", topic=TOPIC, partition=1, offset=2, timestamp=stamp)


def changed(**headers: bytes) -> list[tuple[str, bytes]]:
    return list((dict(made()) | headers).items())


def test_what_is_written_is_read_again() -> None:
    read = cloudevents.decode(record(headers=made(traceparent=TRACE)))
    assert (read.name, read.id, read.tenant, read.traceparent) == ("request.reply", "1", "default", TRACE)
    assert read.model == MODEL
    assert (read.topic, read.partition, read.offset, read.key, read.at) == (TOPIC, 1, 2, b"k", NOW)


def test_the_headers_are_those_of_the_binding() -> None:
    """https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md#32-binary-content-mode"""
    assert dict(made(sequence=7, traceparent=TRACE)) == {
        "ce_specversion": b"1.0",
        "ce_type": b"parley.request.reply.v1",
        "ce_source": b"/test",
        "ce_id": b"1",
        "ce_time": b"2026-03-01T12:00:00.123000Z",
        "ce_subject": b"s",
        "ce_dataschema": b"urn:parley:schema:request.reply:v1",
        "ce_tenant": b"default",
        "ce_sequence": b"7",
        "content-type": b"application/json",
        "traceparent": TRACE.encode(),
    }


@settings(max_examples=200)
@given(st.text(alphabet=st.characters(exclude_categories=[]), max_size=50))
def test_no_text_that_leaves_is_one_that_we_would_not_read(text: str) -> None:
    try:
        model = Reply(conversation=uuid.UUID(int=1), parts=(Text(text=text),))
        value = cloudevents.encode(model)
    except ValueError:
        return
    read = cloudevents.decode(record(value))
    assert read.model.parts[0].text == text.replace("\x00", "\ufffd")


def test_the_words_that_look_like_nul_are_none() -> None:
    model = Reply(conversation=uuid.UUID(int=1), parts=(Text(text="a \\u0000 b"),))
    assert cloudevents.decode(record(cloudevents.encode(model))).model == model


@pytest.mark.parametrize(
    "broken",
    [
        record(b"{"),
        record(None),
        record(b""),
        record(b"null"),
        record(b'{"conversation": "0-1"}'),
        record(orjson.dumps({"conversation": "my number is 012 345 678", "parts": []})),
        record(cloudevents.encode(MODEL).replace("សួស្តី".encode(), b"x" * INBOUND_LIMIT)),
        record(headers=[]),
        record(headers=changed(ce_type=b"parley.request.reply.v2")),
        record(headers=changed(ce_type=b"\xff")),
        record(headers=changed(ce_id=b"")),
        *(record(headers=changed(ce_id=f"a{letter}b".encode())) for letter in "\x00\n\x1f\x7f\x85"),
        record(headers=changed(ce_id=b"x" * 999)),
        record(headers=changed(traceparent=b"\xff")),
    ],
)
def test_what_is_none_of_ours_is_malformed_and_is_not_quoted(broken: Any) -> None:
    with pytest.raises(Malformed) as told:
        cloudevents.decode(broken)
    assert "012" not in told.value.detail


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (record(b"{"), ("1", "default", "request.reply", "malformed")),
        (record(b"{", changed(ce_tenant=b"acme")), ("1", "acme", "request.reply", "malformed")),
        (record(b'{"tenant":"acme"}', changed(ce_tenant=b"other")), ("1", "acme", "request.reply", "malformed")),
        (record(b'{"tenant":"a\\u0000b"}'), ("1", "default", "request.reply", "malformed")),
        (record(b"x" * (INBOUND_LIMIT + 1)), ("1", "default", "request.reply", "too_long")),
        (record(headers=changed(ce_type=b"order.v1")), ("1", "default", "order", "unsupported")),
        (record(headers=changed(ce_type=b"x" * 256)), ("1", "default", "unknown", "unsupported")),
        (record(headers=changed(ce_type=b"\xff")), ("1", "default", "unknown", "malformed")),
        (record(b'{"specversion":"1.0","id":"7","type":"t"}', []), ("7", "default", "t", "unsupported")),
        (record(b'{"specversion":"1.0","id":7,"type":"t"}', []), None),
        (record(b'{"id":"7","type":"t"}', []), None),
        (record(headers=changed(ce_id=b"a\x00b")), None),
        (record(headers=changed(ce_type=b"parley.inbound.v1")), None),
    ],
)
def test_whoever_asked_is_told_wherever_the_id_can_be_read(broken: Any, told: tuple[str, ...] | None) -> None:
    with pytest.raises(Malformed) as why:
        cloudevents.decode(broken)
    found = cloudevents.unread(broken, why.value)
    assert told == (found and (found.id, found.tenant, found.name, found.model.code))
    assert found is None or found.model.detail == why.value.detail


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"[" * 5000, "recursion limit"),
        (b'"\xff"', "unicode"),
        (b'{"parts": []}', "conversation: missing"),
        (b"", "EOF"),
    ],
)
def test_what_is_told_says_why(value: bytes, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        cloudevents.decode(record(value))


@pytest.mark.parametrize("stamp", [-(10**17), -1, 0, 10**14, 10**17])
def test_a_time_of_the_log_that_is_none_is_the_nearest_that_is(stamp: int) -> None:
    found = record()
    found.timestamp = stamp
    assert 1970 <= cloudevents.decode(found).at.year <= 9999


@pytest.mark.parametrize("wrong", [b"", b"x", b"00-zz-01", TRACE.encode() + b"x" * 100_000, TRACE.encode() + b"\x00"])
def test_a_trace_that_is_none_does_not_travel_on(wrong: bytes) -> None:
    assert cloudevents.decode(record(headers=changed(traceparent=wrong))).traceparent is None


def test_a_span_of_ours_belongs_to_the_trace_that_came() -> None:
    assert cloudevents.next_span(TRACE).split("-")[1] == TRACE.split("-")[1]
    assert cloudevents.next_span(TRACE) != TRACE
    assert cloudevents.TRACEPARENT.fullmatch(cloudevents.next_span(TRACE))


@example("-00000000000000000000000000000001--")
@given(st.one_of(st.none(), st.text(max_size=80), st.from_regex(r"[0-9a-f-]{20,80}")))
def test_whatever_came_our_span_is_well_formed(came: str | None) -> None:
    assert cloudevents.TRACEPARENT.fullmatch(cloudevents.next_span(came))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (rb"a\u0000b", "a\ufffdb"),
        (rb"half \ud83d", "half \ufffd"),
        (rb"\udc00\uD83D\uDE00\ud83d\ud83d\ude00", "\ufffd\U0001f600\ufffd\U0001f600"),
        (rb"no escape: \\ud83d, one: \\\ud83d", "no escape: \\ud83d, one: \\\ufffd"),
    ],
)
def test_a_text_that_cannot_be_stored_is_mended_in_the_value_too(written: bytes, read: str) -> None:
    found = cloudevents.decode(record(cloudevents.encode(MODEL).replace("សួស្តី".encode(), written)))
    assert found.model.parts[0].text == read
    assert orjson.loads(found.value)["parts"][0]["text"] == read


@pytest.mark.parametrize(
    "written",
    ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "1969-12-31T23:59:59Z", "2026-03-01T12:00:00Z"],
)
def test_any_time_can_be_told_in_every_zone(written: str) -> None:
    told = {"tenant": "t", "channel": "webhook", "account": "main", "peer": "ann", "status": "read"}
    value = orjson.dumps(told | {"occurred_at": written, "watermark": written})
    made_ = cloudevents.headers("delivery", source="/test", id="1", time=NOW, tenant="t", subject="s")
    found = record(value, made_)
    found.topic = "parley.delivery.v1"
    read = cloudevents.decode(found).model
    assert {stamp.astimezone(zone) for stamp in (read.occurred_at, read.watermark) for zone in (UTC, WEST, EAST)}
    assert (read.occurred_at.year == 2026) == written.startswith("2026")


@pytest.mark.parametrize("name", RECORDS)
def test_each_type_travels_on_its_own_topic_and_on_no_other(name: str) -> None:
    file = Path(__file__).resolve().parents[2] / "golden" / "v1" / f"{name}.json"
    told = orjson.loads(file.read_bytes())
    own = RECORDS[name].topic_for(told.get("channel"))
    taken = []
    for topic in TOPICS:
        found = record(
            file.read_bytes(), cloudevents.headers(name, source="/t", id="1", time=NOW, tenant="t", subject="s")
        )
        found.topic = f"any.prefix.{topic.name}"
        try:
            cloudevents.decode(found)
        except Malformed as error:
            assert own in error.detail
        else:
            taken.append(topic.name)
    assert taken == [own]
