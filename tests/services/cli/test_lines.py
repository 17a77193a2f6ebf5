"""A record as one line: what strangers wrote cannot move the cursor, and a repeat is seen as one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from services.cli.lines import LENGTH, Place, Places, Seen, as_json, fit, line

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "v1"


def record(name: str, **data: Any) -> dict[str, Any]:
    told = json.loads((GOLDEN / f"{name}.json").read_text()) | data
    return {
        "type": f"parley.{name}.v1",
        "at": "2026-11-22T09:32:02.320000Z",
        "key": told.get("conversation", "default|telegram|main|4242"),
        "data": told,
    }


def shown(told: dict[str, Any]) -> str:
    return line(told, Places().of(told)).plain


def test_a_line_says_what_where_who_and_how_it_begins() -> None:
    told = shown(record("message.received"))
    for word in ("message.received", "cfe61583 ", " 2 ", "telegram", "សុខ ដារ៉ា", "សួស្តី តើហាងបើកម៉ោងប៉ុន្មាន?"):
        assert word in told


def test_what_tells_neither_channel_nor_people_is_of_whom_earlier_lines_told() -> None:
    places = Places()
    places.of(record("message.received"))
    assert places.of(record("message.status")) == Place("telegram", "សុខ ដារ៉ា")
    assert places.of(record("message.status", conversation="another")) == Place("", "")


def test_a_refusal_says_why() -> None:
    assert "window_closed" in shown(record("request.refused"))


def test_nothing_in_a_line_is_obeyed_by_a_terminal() -> None:
    message = json.loads((GOLDEN / "inbound.json").read_text())
    message["sender"]["name"] = "\x1b]0;owned\x07Dara\u202e"
    message["parts"] = [{"kind": "text", "text": "first\nsecond \x1b[2Jthird\x9b1A \u2066x"}]
    told = shown(record("message.received", message=message))
    assert "first second" in told
    assert not set(told) & set("\x1b\x07\x9b\n\u202e\u2066")


def test_markup_in_a_message_is_text() -> None:
    assert "[red]x[/red]" in shown(
        record("message.queued", message={"parts": [{"kind": "text", "text": "[red]x[/red]"}]})
    )


def test_khmer_keeps_its_zero_width_spaces() -> None:
    assert fit("សួស្តី\u200bបង", LENGTH) == "សួស្តី\u200bបង"


def test_a_long_text_ends_in_an_ellipsis() -> None:
    assert len(fit("x" * 500, LENGTH)) == LENGTH
    assert fit("x" * 500, LENGTH).endswith("…")


def test_a_record_that_is_not_json_is_still_a_line() -> None:
    told = {"type": None, "at": "2026-11-22T09:32:02Z", "key": "", "data": None}
    assert "?" in shown(told)


@pytest.mark.parametrize(
    "data",
    [
        {"failure": "x"},
        {"message": [1]},
        {"parts": {"a": 1}},
        {"message": {"parts": [1, {"text": {"a": 1}}], "sender": "x"}},
        {"status": {"a": 1}, "external_ids": 5},
        {"sequence": ["a"], "conversation": ["x"]},
        {"sequence": "\x1b[2J"},
    ],
)
def test_a_record_of_another_shape_is_still_a_line(data: dict[str, Any]) -> None:
    told = {"type": "\x1b[31m", "at": "2026-11-22T09:32:02Z", "key": "\x1b[31m", "data": data}
    assert not set(shown(told)) & set("\x1b\n")


def test_json_for_a_terminal_says_the_same_and_holds_nothing_that_is_obeyed() -> None:
    value = {"name": "\x9b31m\u202eexe.gpj សុខា", "more": ["\x1b[2J", "\\u202e"]}
    assert json.loads(as_json(value, 2)) == value
    assert not set(as_json(value)) & set("\x1b\x9b\u202e")
    assert "សុខា" in as_json(value)


def test_an_event_that_came_before_is_a_repeat_and_another_conversation_is_not() -> None:
    seen = Seen()
    first, second = record("message.received"), record("message.queued")
    assert [seen.again(one) for one in (first, second, first, second)] == [False, False, True, True]
    assert not seen.again(first | {"key": "another"})
    assert not seen.again(record("conversation.typing"))
