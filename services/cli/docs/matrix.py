"""Channel × feature: what the code says that a channel can do, and whether a sample of it shows so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal

import orjson

from services.cli.docs.samples import Sample, limits, samples
from shared.contract.channel import Capabilities, Channel

Json = dict[str, Any]
Mark = Literal["shown", "said", "degraded", ""]

CONSOLE: Final = Path(__file__).resolve().parents[2] / "router/console"  # whose words the features have
SIGNS: Final[Mapping[Mark, str]] = {"shown": "●", "said": "○", "degraded": "◐", "": "–"}
MEDIA: Final = ("image", "audio", "video", "file", "sticker")
AMENDMENTS: Final = ("edit", "delete", "react", "seen")
IN: Final = (
    "text", *MEDIA, "location", "contact", "choice", "call", "reply", "edit", "deletion", "reaction", "context", "group",
    "comment", "others_answers", "notice", "blocked", "typing", "delivered", "read", "failed", "cost", "unsupported",
)  # fmt: skip
OUT: Final = (
    "text", *MEDIA, "choices", "location", "contact", "template", "reply", "comment", "private_reply", "first_word",
    *AMENDMENTS, "typing", "grows", "handover", "profile", "register", "refresh", "once",
)  # fmt: skip
NAMES: Final[Mapping[str, str]] = {
    key.removeprefix("feature_"): words
    for key, words in orjson.loads((CONSOLE / "i18n/en.json").read_bytes()).items()
    if key.startswith("feature_")
}
# Web chat speaks to a server of ours, so that tests of that server show what samples show of the others.
TESTS: Final[Mapping[str, Mapping[str, Mapping[str, str]]]] = {
    "webchat": {
        "in": {
            "text": "test_an_accepted_message_is_on_kafka_under_the_visitors_verified_address",
            "image": "test_files_go_both_ways_and_pictures_are_shown_from_memory",
            "file": "test_a_file_travels_as_a_reference_and_comes_back_whole",
            "choice": "test_a_choice_names_the_message_that_offered_it",
            "typing": "test_typing_is_told_but_not_more_often_than_every_two_seconds",
            "delivered": "test_acknowledged_and_read_become_receipts",
            "read": "test_acknowledged_and_read_become_receipts",
        },
        "out": {
            "text": "test_the_whole_road_there_and_back",
            "image": "test_files_go_both_ways_and_pictures_are_shown_from_memory",
            "file": "test_files_go_both_ways_and_pictures_are_shown_from_memory",
            "choices": "test_a_choice_is_pressed_and_the_bus_knows_which",
            "edit": "test_what_is_edited_taken_back_or_read_changes_where_it_stands",
            "delete": "test_what_is_edited_taken_back_or_read_changes_where_it_stands",
            "seen": "test_what_is_edited_taken_back_or_read_changes_where_it_stands",
            "once": "test_the_same_piece_sent_again_shows_once",
        },
    },
}


def matrix(channels: Mapping[str, Channel]) -> list[Json]:
    """Each channel with its marks, coming in and going out, by feature."""
    return [{"name": name, "in": dict(coming(name)), "out": dict(going(channel))} for name, channel in channels.items()]


def console_matrix(channels: Mapping[str, Channel]) -> str:
    """console/channels.json: the same for the page."""
    told = {"in": IN, "out": OUT, "signs": SIGNS, "channels": matrix(channels)}
    return orjson.dumps(told, option=orjson.OPT_INDENT_2).decode() + "\n"


def coming(name: str) -> Iterator[tuple[str, Mark]]:
    """What a sample shows to come in: there is no other claim of it."""
    shown = {feature for sample in samples(name) for record in sample.records for feature in _of(record)}
    shown |= TESTS.get(name, {}).get("in", {}).keys()
    return ((feature, "shown" if feature in shown else "") for feature in IN)


def _of(record: Json) -> Iterator[str]:
    match record["type"]:
        case "message":
            yield from filter(None, (_of_part(part) for part in record["parts"]))
            yield from (feature for feature, has in MESSAGES.items() if has(record))
        case "receipt":
            yield str(record["status"])
            if record.get("cost"):
                yield "cost"
        case kind:
            yield kind


def _of_part(part: Json) -> str:
    match part["kind"]:
        case "media":
            return str(part["media"])
        case "notice":
            return "blocked" if part["type"] in ("blocked", "unblocked") else "notice"
        case kind:
            return str(kind)


MESSAGES: Final[Mapping[str, Callable[[Json], Any]]] = {
    "reply": lambda record: record.get("thread", {}).get("reply_to"),
    "context": lambda record: record.get("context"),
    "group": lambda record: record.get("surface") == "group",
    "comment": lambda record: record.get("surface") == "comment",
    "others_answers": lambda record: record.get("echo"),
}


def going(channel: Channel) -> Iterator[tuple[str, Mark]]:
    """What the capabilities say, and whether a sample shows it."""
    shown = {feature for sample in samples(channel.name) for feature in _shown_by(sample)}
    shown |= TESTS.get(channel.name, {}).get("out", {}).keys() | {
        PAGED[one] for one in PAGED.keys() & limits(channel.name).keys()
    }
    for feature in OUT:
        match _level(channel, channel.capabilities, feature):
            case "full":
                yield feature, "shown" if feature in shown else "said"
            case "degraded":
                yield feature, "degraded"
            case _:
                yield feature, ""


def _shown_by(sample: Sample) -> Iterator[str]:
    """What goes out by it and arrives."""
    match sample.told:
        case {"piece": piece, "sent": _}:
            yield _of_part(piece["part"])
            yield from (feature for feature, has in PIECES.items() if has(piece))
        case {"amendment": {"change": str(change)}, "done": _}:
            yield change
        case _:
            yield "grows" if sample.kind == "grow" else sample.kind


PAGED: Final = {"starts": "first_word", "idempotent_for": "once"}  # what limits.json shows, by the provider's page
PIECES: Final[Mapping[str, Callable[[Json], Any]]] = {
    "reply": lambda piece: piece.get("reply_to") or piece.get("references"),
    "comment": lambda piece: piece.get("surface") == "comment",
    "private_reply": lambda piece: piece.get("way") == "private",
}


def _level(channel: Channel, able: Capabilities, feature: str) -> str:
    match feature:
        case "text":
            return "full"
        case "choices" | "location" | "contact" | "template":
            return str(getattr(able, feature))
        case feature if feature in MEDIA:
            return str(able.model_dump()["media"].get(feature, "refused"))
        case feature if feature in AMENDMENTS:
            has: Any = feature in able.changes or (able.comment and feature in able.comment.changes)
        case _:
            has = CLAIMS[feature](channel, able)
    return "full" if has else "refused"


CLAIMS: Final[Mapping[str, Callable[[Channel, Capabilities], Any]]] = {
    "reply": lambda _channel, able: able.reply_to,
    "comment": lambda channel, able: able.comment or dict(coming(channel.name))["comment"],
    "private_reply": lambda _channel, able: able.private_reply,
    "first_word": lambda _channel, able: able.starts != "nothing",
    "typing": lambda _channel, able: able.typing,
    "grows": lambda _channel, able: able.grows,
    "handover": lambda _channel, able: able.handovers,
    "profile": lambda channel, _able: channel.profile,
    "register": lambda channel, _able: channel.register,
    "refresh": lambda channel, _able: channel.refresh,
    "once": lambda _channel, able: able.idempotent_for,
}
