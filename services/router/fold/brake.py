"""The brake: programs that answer programs stop by themselves, whatever the channel, and whatever a bot forgets to look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from services.router.fold.events import emit, tell_apart
from services.router.fold.facts import Conversation, Facts, Ref, RefKey
from services.router.fold.mails import answered_at
from shared.bus.cloudevents import In
from shared.contract.envelope import Envelope, utc
from shared.contract.errors import Refusal
from shared.contract.requests import Reply, Send


@dataclass(frozen=True, slots=True)
class Limit:
    """So many answers of programs, each to something new from the other side; one of them is forgiven every so often."""

    most: int
    forgiven: timedelta


# A person who presses buttons without a pause reaches neither; two programs reach the first within the minute, and two slow
# ones the second within a day.
LIMITS: Final = (Limit(15, timedelta(seconds=20)), Limit(150, timedelta(minutes=15)))


def check_brake(facts: Facts, record: In, conversation: Conversation, asked: Reply | Send) -> None:
    """Raises Refusal while programs answer each other here; an event tells until when. Stream time: the log's."""
    if asked.by_person or not is_answer(facts, conversation):
        return
    known = brake_of(facts, conversation)
    now = as_of(known, record.at)
    pulled = "until" in known
    room = [limit.most / 2 if pulled else limit.most - 1 for limit in LIMITS]
    if all(level <= most for level, most in zip(now["levels"], room, strict=True)):
        return
    ends = max((level - limit.most / 2) * limit.forgiven for level, limit in zip(now["levels"], LIMITS, strict=True))
    until = datetime.fromisoformat(known["until"]) if pulled else record.at + ends
    begins = conversation.id not in facts.conversations
    if not pulled or not (begins or (conversation.brake or {}).get("until") == known["until"]):
        keep(facts, conversation, now | {"until": until.isoformat()}, heard=True)
        if begins:
            tell_apart(facts, record, "conversation.braked", {"until": until}, customer=facts.person_of(conversation))
        else:
            emit(facts, conversation, record, "conversation.braked", {"until": until})
    who = "name the author, or say that it is not automatic"
    raise Refusal("braked", f"programs answer each other here; until {utc(until)} only a person may: {who}")


def note_answer(facts: Facts, conversation: Conversation, record: In, asked: Reply | Send) -> None:
    """What was accepted counts; a person's answer lets the brake go."""
    known, counts = brake_of(facts, conversation), is_answer(facts, conversation)
    if asked.by_person:
        if known:
            keep(facts, conversation, None)
    elif counts or (address_of(facts, conversation) and not known):
        now = as_of(known, record.at)
        now["levels"] = [level + counts for level in now["levels"]]
        keep(facts, conversation, now | {"answered": newest(conversation)})


def note_heard(facts: Facts, found: Envelope) -> None:
    """A mail of someone to whom programs have written: the next that they write is an answer."""
    for name in mail_names(found):
        ref = facts.ref(name)
        if ref.pending and not ref.pending[0]["heard"]:
            ref.pending, ref.changed = [{**ref.pending[0], "heard": True}], True


def is_answer(facts: Facts, conversation: Conversation) -> bool:
    """Whether the other side has said anything since a program spoke last: who only tells is in no circle."""
    if newest(conversation) not in ([None, None], (conversation.brake or {}).get("answered")):
        return True
    ref = address_of(facts, conversation)
    return bool(ref and ref.pending and ref.pending[0]["heard"])


def newest(conversation: Conversation) -> list[str | None]:
    said = conversation.last_inbound_at
    return [conversation.last_external_id, utc(said) if said else None]


def as_of(known: Mapping[str, Any], moment: datetime) -> dict[str, Any]:
    """{"levels", "at"}: how much each limit counts then, in answers."""
    if not known:
        return {"levels": [0.0] * len(LIMITS), "at": moment.isoformat()}
    before = datetime.fromisoformat(known["at"])
    passed = max(timedelta(), moment - before)
    levels = [max(0.0, level - passed / limit.forgiven) for level, limit in zip(known["levels"], LIMITS, strict=True)]
    return {"levels": levels, "at": (before + passed).isoformat()}


# Each mail that names no other begins a conversation, and so does each first mail of ours: two programs that write such mails
# never meet in one. So what counts of mail stands at the address, and each conversation has a copy of what was told in it.


def mail_names(found: Envelope) -> tuple[RefKey, ...]:
    """Where the brake of a mail's sender stands, and of whoever its answers go to."""
    return tuple(
        brake_ref(found.tenant, found.channel, found.account, name) for name in {found.peer, answered_at(found)}
    )


def brake_ref(tenant: str, channel: str, account: str, address: str) -> RefKey:
    return RefKey(tenant, channel, account, "brake", address)


def address_of(facts: Facts, conversation: Conversation) -> Ref | None:
    """Where the brake of a mail conversation stands; None of any other."""
    return facts.ref(brake_ref(*conversation.peer_key)) if conversation.surface == "email" else None


def brake_of(facts: Facts, conversation: Conversation) -> Mapping[str, Any]:
    """{"levels", "at", "until"?}: how many answers there were at that time, and while the brake is pulled until when."""
    ref = address_of(facts, conversation)
    return (ref.pending[0] if ref.pending else {}) if ref else conversation.brake or {}


def keep(facts: Facts, conversation: Conversation, brake: dict[str, Any] | None, *, heard: bool = False) -> None:
    """From now on. `answered`, the conversation's newest when a program spoke last, stays; `heard`: what a mail said is open."""
    conversation.brake = brake and {"answered": (conversation.brake or {}).get("answered")} | brake
    conversation.changed = conversation.moved = True
    if ref := address_of(facts, conversation):
        ref.pending, ref.changed = [brake | {"heard": heard}] if brake else [], True
