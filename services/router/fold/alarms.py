"""What is to be looked at later: a row wakes us, what is due then follows from the facts."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from services.router.fold.facts import AlarmKey, Facts
from shared.bus.cloudevents import In

SHARDS: Final = (
    64  # a shard is looked after by who reads the requests' partition of its number (services/router/batch/rounds.py)
)


@dataclass(frozen=True, slots=True)
class Fired:
    """An alarm as a record of the fold. All that Kafka had before `upto` has been folded; what is due by then is done."""

    entity: uuid.UUID
    kind: str
    upto: datetime

    @property
    def key(self) -> AlarmKey:
        return AlarmKey(self.entity, self.kind)


def shard_of(entity: uuid.UUID) -> int:
    """Ids are hashes or chance, so any of their bits are a hash."""
    return entity.int % SHARDS


def arm(facts: Facts, entity: uuid.UUID, kind: str, due: datetime) -> None:
    """Look at it at `due`, or before: only an earlier time than the one that stands is written, so what is put off again and
    again (a conversation that goes on) costs nothing. Whoever arms holds the lock of the entity.
    """
    key = AlarmKey(entity, kind)
    conversation = facts.conversations.get(entity)
    stands = facts.alarms.get(key) or (_kept(conversation.alarms.get(kind)) if conversation else None)
    if stands is not None and stands <= due:
        return
    facts.alarms[key] = due
    if conversation is not None:
        conversation.alarms = conversation.alarms | {kind: due.isoformat()}
        conversation.changed = conversation.moved = True


def is_due(facts: Facts, fired: Fired, due: datetime | None) -> bool:
    """Whether what the facts say is due at `due` is to be done now; else it is armed for then. None: never."""
    if due is None:
        return False
    if due <= fired.upto:
        return True
    arm(facts, fired.entity, fired.kind, due)
    return False


def take(facts: Facts, fired: Fired) -> bool:
    """Whether it still stands to be done, under the locks; its row goes. Another replica may have been first."""
    due = facts.standing.get(fired.key)
    if due is None or due > fired.upto:
        return False
    del facts.standing[fired.key]
    facts.rung.add(fired.key)
    if conversation := facts.conversations.get(fired.entity):
        conversation.alarms = {kind: due for kind, due in conversation.alarms.items() if kind != fired.kind}
        conversation.changed = conversation.moved = True
    return True


def because(record: In, tenant: str, *state: object) -> In:
    """The firing with its cause: from the state, never from a clock, so that a repeat makes the same ids."""
    return replace(record, tenant=tenant, id="/".join(("alarm", *map(str, state))))


def record_of(fired: Fired) -> In:
    """A firing for the fold; its cause follows from what it finds."""
    return In(
        name="alarm",
        id="",
        tenant="",
        traceparent=None,
        model=fired,
        value=b"",
        key=b"",
        topic="",
        partition=0,
        offset=0,
        at=fired.upto,
    )


def _kept(due: str | None) -> datetime | None:
    return datetime.fromisoformat(due) if due else None
