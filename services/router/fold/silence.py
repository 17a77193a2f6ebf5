"""What follows when nothing comes: what is quiet is closed, who waits too long is told of, a burst of messages is a turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from services.router.fold import hours
from services.router.fold.alarms import Fired, arm, because, is_due
from services.router.fold.events import emit
from services.router.fold.facts import Conversation, Facts
from services.router.fold.work import is_automatic
from shared.bus.cloudevents import In
from shared.contract.envelope import Envelope, utc
from shared.contract.policy import Policy

TURN: Final = 100  # messages of one turn; it ends with the last of them


def note_moved(facts: Facts, conversation: Conversation) -> None:
    """A message came or went: look again when it may be quiet."""
    if due := quiet_at(facts, conversation):
        arm(facts, conversation.id, "idle", max(due, facts.now))


def note_question(facts: Facts, record: In, conversation: Conversation, found: Envelope) -> None:
    """Somebody else has written: look again when they have waited, and when their turn may be over."""
    policy = policy_of(facts, conversation)
    if conversation.waiting_since and policy.waiting_minutes:
        first = waited(policy, conversation.waiting_since, policy.waiting_minutes[0])
        arm(facts, conversation.id, "waiting", max(first, facts.now))
    if policy.turn_seconds is None or is_automatic(found):
        return
    turn = conversation.turn or {"messages": []}
    newest = max(turn.get("at", ""), utc(found.received_at))
    conversation.turn, conversation.moved = {"messages": [*turn["messages"], str(found.id)], "at": newest}, True
    if len(conversation.turn["messages"]) >= TURN:
        tell_turn(facts, record, conversation)
    elif due := turn_ends_at(facts, conversation):
        arm(facts, conversation.id, "turn", max(due, facts.now))


def policy_of(facts: Facts, conversation: Conversation) -> Policy:
    return facts.policy(conversation.tenant, conversation.channel, conversation.account)


def quiet_at(facts: Facts, conversation: Conversation) -> datetime | None:
    """When it is closed if nothing comes; never where somebody waits, however long they do."""
    hours = policy_of(facts, conversation).close_after_hours
    if hours is None or conversation.status != "open" or conversation.waiting_since is not None:
        return None
    return conversation.last_at + timedelta(hours=hours)


def close_quiet(facts: Facts, record: In, fired: Fired) -> None:
    conversation = facts.conversations.get(fired.entity)
    if conversation is None or not is_due(facts, fired, quiet_at(facts, conversation)):
        return
    cause = because(record, conversation.tenant, conversation.id, utc(conversation.last_at), "idle")
    facts.close(conversation, reopens=True)
    emit(facts, conversation, cause, "conversation.closed", {"reason": "idle"})


def tell_waiting(facts: Facts, record: In, fired: Fired) -> None:
    """The longest of the policy's times that has passed: after an outage nobody is told of each."""
    conversation = facts.conversations.get(fired.entity)
    since = conversation.waiting_since if conversation else None
    if conversation is None or since is None:
        return
    policy = policy_of(facts, conversation)
    times = policy.waiting_minutes
    passed = [minutes for minutes in times if waited(policy, since, minutes) <= fired.upto]
    if passed:
        cause = because(record, conversation.tenant, conversation.id, utc(since), "waiting", passed[-1])
        told = {"waited_since": since, "minutes": passed[-1]}
        emit(facts, conversation, cause, "conversation.waiting", told)
    if len(passed) < len(times):
        arm(facts, conversation.id, fired.kind, waited(policy, since, times[len(passed)]))


def waited(policy: Policy, since: datetime, minutes: int) -> datetime:
    """When somebody has waited for so long, of the account's business hours where it has such."""
    return hours.after(hours.business(policy), since, timedelta(minutes=minutes))


def turn_ends_at(facts: Facts, conversation: Conversation) -> datetime | None:
    seconds = policy_of(facts, conversation).turn_seconds
    if conversation.turn is None:
        return None
    return datetime.fromisoformat(conversation.turn["at"]) + timedelta(seconds=seconds or 0)


def end_turn(facts: Facts, record: In, fired: Fired) -> None:
    """Of a round, so behind all that Kafka had before: nobody is told of half a turn because a partition is late."""
    conversation = facts.conversations.get(fired.entity)
    if conversation is not None and is_due(facts, fired, turn_ends_at(facts, conversation)):
        last = (conversation.turn or {})["messages"][-1]
        tell_turn(facts, because(record, conversation.tenant, last, "turn"), conversation)


def tell_turn(facts: Facts, record: In, conversation: Conversation) -> None:
    told: Mapping[str, Any] = conversation.turn or {}
    conversation.turn, conversation.moved = None, True
    emit(facts, conversation, record, "conversation.turn", {"messages": told["messages"]})


FIRES: Final[Mapping[str, Callable[[Facts, In, Fired], None]]] = {
    "idle": close_quiet,
    "waiting": tell_waiting,
    "turn": end_turn,
}
