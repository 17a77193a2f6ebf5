"""CloudEvents 1.0 to Kafka records and back, in binary mode: whoever reads can route without parsing the value.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any, Final

import orjson
from pydantic import ValidationError

from shared.contract.codes import Code, Failure
from shared.contract.envelope import EARLIEST, LATEST, Model, scrub, storable, utc
from shared.contract.errors import Malformed
from shared.contract.mend import mended
from shared.contract.records import BY_TYPE, INBOUND_LIMIT, RECORDS, RecordType

Headers = list[tuple[str, bytes]]

TRACEPARENT: Final = re.compile("[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")  # W3C Trace Context
CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
ID_LENGTH: Final = 998
NAME_LENGTH: Final = 255
RAW: Final = "parley_raw"  # a header: the untouched payload an inbound record was made from
RAW_TYPE: Final = "parley_raw_type"  # a header: its content type


@dataclass(slots=True)
class Out:
    """A record to write. `topic` is the full name. Only a stranger's record that is set aside may have no key; no value says, on a
    compacted topic, that what the key names is gone.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(slots=True)  # not frozen: one is made per record read, and freezing costs more than the rest
class In:
    """A record as read. `name` is the record type's short name, `id` its CloudEvents id, `at` the log's time.

    Where a request could not be read and was set aside, `model` is the Failure that its asker is told.
    """

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


def decode(record: Any) -> In:
    """A consumed Kafka record, validated; raises Malformed with where it is wrong, never with what it says.

    `value` is what stands on Kafka, with U+FFFD for what PostgreSQL cannot hold. A topic carries its own types only: what
    may be written to requests must not speak for a provider.
    """
    found = _headers(record)
    try:
        kind = BY_TYPE[found["ce_type"].decode()]
        id_ = found["ce_id"].decode()
        traceparent = found.get("traceparent", b"").decode()
        if len(record.value or b"") > INBOUND_LIMIT:
            raise Malformed(f"{len(record.value)} bytes; {INBOUND_LIMIT} are the most")
        value, model = _read(kind.model, record.value or b"")
    except KeyError as error:
        raise Malformed(f"no known {error.args[0]}; see docs/records.md") from error
    except ValidationError as error:
        raise Malformed(explain(error)) from error
    except (UnicodeDecodeError, TypeError, ValueError) as error:
        raise Malformed(type(error).__name__) from error
    if not _is_name(id_, ID_LENGTH):
        raise Malformed(
            f"ce_id is empty, longer than {ID_LENGTH} characters, or has control characters: choose another"
        )
    _check_place(kind, model, record.topic)
    return In(
        name=_short(kind.ce_type),
        id=id_,
        tenant=getattr(model, "tenant", "default"),
        traceparent=traceparent if TRACEPARENT.fullmatch(traceparent) else None,
        model=model,
        value=value,
        key=record.key or b"",
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        at=_time_of(record),
    )


def unread(record: Any, error: Exception) -> In | None:
    """What takes the place of a request that is set aside, so that whoever asked is told; None where it has no id to tell by.

    Its `model` is the Failure. A type that another topic carries asks for nothing. Only a Malformed says nothing personal.
    """
    told = _attributes(record)
    id_, type_, tenant = (told.get(name, "") for name in ("id", "type", "tenant"))
    kind = BY_TYPE.get(type_)
    if not _is_name(id_, ID_LENGTH) or (kind and not record.topic.endswith(kind.topic_for(None))):
        return None
    detail = error.detail if isinstance(error, Malformed) else f"it cannot be stored: {type(error).__name__}"
    is_large = len(record.value or b"") > INBOUND_LIMIT
    code: Code = "too_long" if is_large else "unsupported" if type_ and not kind else "malformed"
    return In(
        name=_short(type_) if _is_name(type_, NAME_LENGTH) else "unknown",
        id=id_,
        tenant=tenant if _is_name(tenant, NAME_LENGTH) else "default",
        traceparent=None,
        model=Failure(code=code, detail=detail[:2000]),
        value=b"",
        key=record.key or b"",
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        at=_time_of(record),
    )


def _headers(record: Any) -> dict[str, bytes]:
    """Those that have a value: in Kafka a header may have none."""
    return {name: value for name, value in record.headers if value is not None}


def _attributes(record: Any) -> dict[str, str]:
    """What can be read of a CloudEvent: of its headers, else of its value, where that is one in structured mode.

    https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md#33-structured-content-mode
    """
    found = {}
    for name, value in _headers(record).items():
        with suppress(UnicodeDecodeError):
            found[name.removeprefix("ce_")] = value.decode()
    body: Any = None
    if len(record.value or b"") <= INBOUND_LIMIT:
        with suppress(orjson.JSONDecodeError):
            body = orjson.loads(record.value or b"null")
    if not isinstance(body, dict):
        return found
    said = {name: text for name, text in body.items() if isinstance(text, str)}
    return (said if "specversion" in said else {}) | found | ({"tenant": said["tenant"]} if "tenant" in said else {})


def _short(ce_type: str) -> str:
    return ce_type.removeprefix("parley.").removesuffix(".v1")


def _is_name(text: str, most: int) -> bool:
    return 0 < len(text) <= most and not CONTROL.search(text)


def _time_of(record: Any) -> datetime:
    """The log's time, which whoever wrote the record may have chosen."""
    try:
        return storable(datetime.fromtimestamp(record.timestamp / 1000, UTC))
    except (ValueError, OverflowError, OSError):  # before the year 1, or after 9999
        return LATEST if record.timestamp > 0 else EARLIEST


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
    """What is wrong and where, without what it said: a payload is personal. Of JSON that is none, why."""
    first = error.errors(include_input=False, include_url=False)[0]
    why = f", {first['ctx']['error']}" if first["type"] == "json_invalid" else ""
    return f"{'.'.join(str(place) for place in first['loc']) or 'value'}: {first['type']}{why}"


def new_trace() -> str:
    """A W3C traceparent that begins here, sampled."""
    chance = os.urandom(24).hex()
    return f"00-{chance[:32]}-{chance[32:]}-01"


def next_span(traceparent: str | None) -> str:
    """The same trace, a span of our own; a traceparent that is not one begins a new trace."""
    if not traceparent or not TRACEPARENT.fullmatch(traceparent) or traceparent[3:35] == "0" * 32:
        return new_trace()
    return f"00-{traceparent[3:35]}-{os.urandom(8).hex()}-{traceparent[-2:]}"


def new_id() -> str:
    return str(uuid.uuid4())
