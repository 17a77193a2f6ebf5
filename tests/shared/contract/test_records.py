"""The records: what was written once can be read for ever, by our models and by the published schemas."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from pydantic import BaseModel

from shared.bus import cloudevents
from shared.contract import envelope, schema
from shared.contract.codes import CHANNELS, FAMILIES, STATUSES, TRANSITIONS, Failure, advances
from shared.contract.records import BY_TYPE, RECORDS, ROUTER_INPUTS, TOPICS

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "v1"
FILES = sorted(path.stem for path in GOLDEN.glob("*.json"))
MODELS = sorted({record.model for record in RECORDS.values()}, key=lambda model: model.__name__)


def record_type(file: str) -> str:
    """`inbound~edit` is another example of `inbound`."""
    return file.partition("~")[0]


def golden(file: str) -> Any:
    return json.loads((GOLDEN / f"{file}.json").read_text())


@cache
def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(schema.schema(name), format_checker=FormatChecker())


def test_why_something_failed_is_a_line_that_nothing_in_it_breaks() -> None:
    """A mail server of a stranger says what it likes."""
    said = Failure(code="refused", detail="550 no\r\n\x1b]0;owned\x07 \x9b2J \u202egnp.exe ទេ\u200b").detail
    assert not set(said) & set("\r\n\x1b\x07\x9b\u202e")
    assert (said[:7], said[-3:]) == ("550 no ", "ទេ\u200b")


@pytest.mark.parametrize("file", FILES)
def test_a_golden_record_is_read_and_no_field_of_it_is_lost(file: str) -> None:
    kind = RECORDS[record_type(file)]
    told = golden(file)
    read = kind.model.model_validate_json((GOLDEN / f"{file}.json").read_bytes())
    assert lost(told, json.loads(cloudevents.encode(read))) == []


@pytest.mark.parametrize("file", FILES)
def test_a_golden_record_passes_its_published_schema(file: str) -> None:
    assert [error.message for error in validator(record_type(file)).iter_errors(golden(file))] == []


@pytest.mark.parametrize("name", RECORDS)
def test_every_record_type_has_a_golden_record(name: str) -> None:
    assert name in FILES, f"write tests/golden/v1/{name}.json: a sensible example, kept for ever"


def test_every_golden_record_is_of_a_type_there_is() -> None:
    assert {record_type(file) for file in FILES} <= RECORDS.keys()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_field_of_a_record_stands_in_a_golden_one(model: type[BaseModel]) -> None:
    shown = {field for file in FILES if RECORDS[record_type(file)].model is model for field in golden(file)}
    assert model.model_fields.keys() - shown <= OPTIONAL_EVERYWHERE


OPTIONAL_EVERYWHERE = {"not_before", "expires_at", "conversation", "sequence", "request_id", "home"}


def test_every_part_kind_with_every_field_stands_in_a_golden_record() -> None:
    shown: dict[str, set[str]] = {}
    for file in FILES:
        for part in parts_of(golden(file)):
            shown.setdefault(part["kind"], set()).update(part)
    kinds = get_args(get_args(envelope.Part)[0])
    assert {kind.model_fields["kind"].default: set(kind.model_fields) for kind in kinds} == shown


@pytest.mark.parametrize("file", FILES)
def test_what_a_later_version_adds_is_ignored(file: str) -> None:
    kind = RECORDS[record_type(file)]
    told = golden(file)
    assert kind.model.model_validate(told | {"added_later": {"x": 1}}) == kind.model.model_validate(told)


@pytest.mark.parametrize("file", FILES)
def test_a_record_without_a_required_field_passes_neither_model_nor_schema(file: str) -> None:
    name = record_type(file)
    required = [field for field, info in RECORDS[name].model.model_fields.items() if info.is_required()]
    for field in required:
        torn = {key: value for key, value in golden(file).items() if key != field}
        assert not validator(name).is_valid(torn)
        with pytest.raises(ValueError):
            RECORDS[name].model.model_validate(torn)


def test_a_schema_says_no_to_another_shape() -> None:
    told = golden("message.status")
    assert not validator("message.status").is_valid(told | {"status": "gone"})
    assert not validator("message.status").is_valid(told | {"sequence": 0})
    assert not validator("message.received").is_valid(
        golden("message.received") | {"message": golden("inbound") | {"parts": []}}
    )


def test_a_schema_is_called_what_the_header_of_its_records_says() -> None:
    written = dict(
        cloudevents.headers(
            "message.status", source="/t", id="1", time=datetime.now(UTC), tenant="default", subject="c"
        )
    )
    assert schema.schema("message.status")["$id"] == written["ce_dataschema"].decode()


def test_each_type_has_its_own_name_and_topic() -> None:
    assert len(BY_TYPE) == len(RECORDS)
    assert all(record.ce_type == f"parley.{name}.v1" for name, record in RECORDS.items())
    topics = {topic.name.partition(".")[0] for topic in TOPICS}
    assert {record.topic for record in RECORDS.values()} <= topics


def test_a_status_never_goes_backwards() -> None:
    order = ["queued", "unknown", "sent", "delivered", "read"]
    for place, old in enumerate(order):
        assert not any(advances(old, new) for new in order[: place + 1])
        assert all(advances(old, new) for new in order[place + 1 :])
    for final in ("read", "failed", "cancelled", "expired"):
        assert not any(advances(final, new) for new in STATUSES)
    assert {old for old in STATUSES if "failed" in TRANSITIONS[old]} == {"queued", "unknown", "sent"}
    assert {old for old in STATUSES if TRANSITIONS[old] & {"cancelled", "expired"}} == {"queued"}


def test_every_consumed_topic_has_its_dead_letters() -> None:
    names = {topic.name for topic in TOPICS}
    assert {f"{topic}.router.dlq" for topic in ROUTER_INPUTS} <= names
    assert {f"ingress.{family}.dlq" for family in FAMILIES} <= names
    assert set(CHANNELS.values()) == set(FAMILIES)


def test_no_two_topics_are_one_where_dots_become_underscores() -> None:
    flat = [topic.name.replace(".", "_") for topic in TOPICS]
    assert len(flat) == len(set(flat))


def parts_of(value: Any) -> Iterator[dict[str, Any]]:
    """Every part in a record, however deep."""
    match value:
        case dict():
            yield from value.get("parts", ())
            for item in value.values():
                yield from parts_of(item)
        case list():
            for item in value:
                yield from parts_of(item)


def lost(told: Any, kept: Any, place: str = "") -> list[str]:
    """Where the second lacks, or changes, what the first says."""
    match told, kept:
        case dict(), dict():
            return [
                wrong
                for name, value in told.items()
                for wrong in (lost(value, kept[name], f"{place}.{name}") if name in kept else [f"{place}.{name}"])
            ]
        case list(), list() if len(told) == len(kept):
            return [
                wrong for n, (a, b) in enumerate(zip(told, kept, strict=True)) for wrong in lost(a, b, f"{place}[{n}]")
            ]
        case _:
            return [] if told == kept else [f"{place}: {told!r} became {kept!r}"]
