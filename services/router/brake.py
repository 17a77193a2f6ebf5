"""The brake: programs that answer programs stop by themselves, whatever the channel, and whatever a bot forgets to look at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from services.router.events import emit
from services.router.facts import Conversation, Facts
from shared.bus import In
from shared.envelope import utc
from shared.errors import Refusal
from shared.records import Reply, Send


@dataclass(frozen=True, slots=True)
class Limit:
    """So many answers of programs, each to something new from the other side; one of them is forgiven every so often."""

    most: int
    forgiven: timedelta


# A person who presses buttons without a pause reaches neither; two programs reach the first within the minute, and two slow
# ones the second within a day.
LIMITS: Final = (Limit(15, timedelta(seconds=20)), Limit(150, timedelta(minutes=15)))


def check_brake(facts: Facts, record: In, conversation: Conversation, asked: Reply | Send) -> None:
    """Raises Refusal while programs answer each other here; the first time an event tells. Stream time: the log's."""
    if asked.author or not is_answer(conversation):
        return
    levels = levels_at(conversation, record.at)
    pulled = (conversation.brake or {}).get("pulled", False)
    room = [limit.most / 2 if pulled else limit.most - 1 for limit in LIMITS]
    if all(level <= most for level, most in zip(levels, room, strict=True)):
        return
    until = record.at + max(
        (level - limit.most / 2) * limit.forgiven for level, limit in zip(levels, LIMITS, strict=True)
    )
    if not pulled:
        keep(conversation, levels, record.at, pulled=True)
        emit(facts, conversation, record, "conversation.braked", {"until": until})
    raise Refusal("braked", f"programs answer each other here; until {utc(until)} only a person may: name the author")


def note_answer(conversation: Conversation, record: In, asked: Reply | Send) -> None:
    """What was accepted counts; a person's answer lets the brake go."""
    if asked.author:
        if conversation.brake:
            conversation.brake, conversation.moved = None, True
    elif is_answer(conversation):
        keep(conversation, [level + 1 for level in levels_at(conversation, record.at)], record.at, pulled=False)
        if conversation.brake is not None:
            conversation.brake["answered"] = newest(conversation)


def is_answer(conversation: Conversation) -> bool:
    """Whether the other side has said anything since a program spoke last: who only tells is in no circle."""
    return newest(conversation) not in ([None, None], (conversation.brake or {}).get("answered"))


def newest(conversation: Conversation) -> list[str | None]:
    said = conversation.last_inbound_at
    return [conversation.last_external_id, utc(said) if said else None]


def levels_at(conversation: Conversation, moment: datetime) -> list[float]:
    """How much each limit counts now, in answers."""
    known: dict[str, Any] = conversation.brake or {}
    if "at" not in known:
        return [0.0] * len(LIMITS)
    passed = max(timedelta(), moment - datetime.fromisoformat(known["at"]))
    return [max(0.0, level - passed / limit.forgiven) for level, limit in zip(known["levels"], LIMITS, strict=True)]


def keep(conversation: Conversation, levels: list[float], moment: datetime, *, pulled: bool) -> None:
    known = conversation.brake or {}
    moment = max(moment, datetime.fromisoformat(known["at"])) if "at" in known else moment
    conversation.brake = {**known, "levels": levels, "at": moment.isoformat(), "pulled": pulled}
    conversation.changed = conversation.moved = True
