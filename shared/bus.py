"""CloudEvents 1.0 to Kafka records and back, in binary mode: whoever reads can route without parsing the value.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, Final

import orjson
from pydantic import ValidationError

from shared.envelope import Model, scrub, utc
from shared.errors import Malformed
from shared.mend import mended
from shared.records import BY_TYPE, INBOUND_LIMIT, RECORDS, RecordType

Headers = list[tuple[str, bytes]]

TRACEPARENT: Final = re.compile("[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")  # W3C Trace Context
CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
RAW: Final = "parley_raw"  # a header: the untouched payload an inbound record was made from
RAW_TYPE: Final = "parley_raw_type"  # a header: its content type


@dataclass(slots=True)
class Out:
    """A record to write. `topic` is the full name. Only a stranger's record that is set aside may have no key."""

    topic: str
    key: bytes | None
    value: bytes
    headers: Headers


@dataclass(slots=True)  # not frozen: one is made per record read, and freezing costs more than the rest
class In:
    """A record as read. `name` is the record type's short name, `id` its CloudEvents id, `at` the log's time."""

    name: str
    id: str
    tenant: str
    traceparent: str | None
    model: Any
    value: bytes
    key: bytes
    topic: str
    partition: int
    offset: int
    at: datetime


@cache
def _fixed(name: str, source: str) -> tuple[tuple[str, bytes], ...]:
    return (
        ("ce_specversion", b"1.0"),
        ("ce_type", RECORDS[name].ce_type.encode()),
        ("ce_source", source.encode()),
        ("ce_dataschema", f"urn:parley:schema:{name}:v1".encode()),
        ("content-type", b"application/json"),
    )


@lru_cache(maxsize=64)  # the events of one batch share their time
def _time(time: datetime) -> bytes:
    return utc(time).encode()


def headers(
    name: str,
    *,
    source: str,
    id: str,  # noqa: A002 CloudEvents' word
    time: datetime,
    tenant: str,
    subject: str,
    sequence: int | None = None,
    traceparent: str | None = None,
) -> Headers:
    """The headers of one record. `name` is a key of RECORDS, `source` says who wrote it, as /router or /adapter/chat."""
    made: Headers = [
        *_fixed(name, source),
        ("ce_id", id.encode()),
        ("ce_time", _time(time)),
        ("ce_subject", subject.encode()),
        ("ce_tenant", tenant.encode()),
    ]
    if sequence:
        made.append(("ce_sequence", b"%d" % sequence))
    if traceparent:
        made.append(("traceparent", traceparent.encode()))
    return made


def encode(model: Model) -> bytes:
    """A model as JSON, without what is absent. U+0000, which PostgreSQL cannot hold, is replaced."""
    value = model.__pydantic_serializer__.to_json(model, exclude_none=True)  # bytes at once, not by way of a text
    if b"\\u0000" in value:
        value = orjson.dumps(scrub(model.model_dump(exclude_none=True)))
    return value


def field(headers: Iterable[tuple[str, bytes]], name: str) -> str | None:
    """A header's text, None where it is absent; raises Malformed when it is not UTF-8."""
    for header, value in headers:
        if header == name:
            try:
                return value.decode()
            except UnicodeDecodeError as error:
                raise Malformed(f"header {name} is not UTF-8") from error
    return None


def decode(record: Any, at: datetime) -> In:
    """A consumed Kafka record, validated; raises Malformed with where it is wrong, never with what it says.

    `value` is what stands on Kafka, with U+FFFD for what PostgreSQL cannot hold. A topic carries its own types only: what
    may be written to requests must not speak for a provider.
    """
    found = dict(record.headers)
    try:
        kind = BY_TYPE[found["ce_type"].decode()]
        id_ = found["ce_id"].decode()
        traceparent = found.get("traceparent", b"").decode()
        if len(record.value) > INBOUND_LIMIT:
            raise Malformed(f"{len(record.value)} bytes; {INBOUND_LIMIT} are the most")
        value, model = _read(kind.model, record.value)
    except KeyError as error:
        raise Malformed(f"no known {error.args[0]}; see docs/records.md") from error
    except ValidationError as error:
        raise Malformed(explain(error)) from error
    except (UnicodeDecodeError, TypeError, ValueError) as error:
        raise Malformed(type(error).__name__) from error
    if not id_ or len(id_) > 998 or CONTROL.search(id_):
        raise Malformed("ce_id is empty, longer than 998 characters, or has control characters: choose another")
    _check_place(kind, model, record.topic)
    return In(
        name=kind.ce_type[len("parley.") : -len(".v1")],
        id=id_,
        tenant=getattr(model, "tenant", "default"),
        traceparent=traceparent if TRACEPARENT.fullmatch(traceparent) else None,
        model=model,
        value=value,
        key=record.key or b"",
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        at=at,
    )


def _read(model: type[Model], value: bytes) -> tuple[bytes, Model]:
    """The value and what it says; texts that cannot be stored are mended in both."""
    if b"\\u0000" in value:
        value = mended(value)
    try:
        return value, model.model_validate_json(value)
    except ValidationError as error:
        whole = mended(value) if error.errors(include_input=False)[0]["type"] == "json_invalid" else value
        if whole == value:
            raise
        return whole, model.model_validate_json(whole)


def _check_place(kind: RecordType, model: Model, topic: str) -> None:
    own = kind.topic_for(getattr(model, "channel", None))
    if not topic.endswith(own):
        raise Malformed(f"{kind.ce_type} does not travel on this topic but on {own}")


def explain(error: ValidationError) -> str:
    """What is wrong and where, without what it said: a payload is personal."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    return f"{'.'.join(str(place) for place in first['loc']) or 'value'}: {first['type']}"


def new_trace() -> str:
    """A W3C traceparent that begins here, sampled."""
    chance = os.urandom(24).hex()
    return f"00-{chance[:32]}-{chance[32:]}-01"


def next_span(traceparent: str | None) -> str:
    """The same trace, a span of our own; a traceparent that is not one begins a new trace."""
    parts = (traceparent or "").split("-")
    if len(parts) != 4 or len(parts[1]) != 32 or parts[1] == "0" * 32 or not _is_hex(parts[1]):
        return new_trace()
    return f"00-{parts[1]}-{os.urandom(8).hex()}-{parts[3][:2]}"


def _is_hex(text: str) -> bool:
    return all(letter in "0123456789abcdef" for letter in text)


def new_id() -> str:
    return str(uuid.uuid4())
