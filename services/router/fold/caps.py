"""How much one person is sent without having asked: so often a day or a week and purpose, on whatever channel and by whichever address."""

from __future__ import annotations

import uuid

from services.router.fold.facts import Facts, Sent
from services.router.fold.fallback import plan_of
from shared.bus.cloudevents import In
from shared.contract.envelope import requested_id, utc
from shared.contract.errors import Refusal
from shared.contract.policy import Cap, caps_of
from shared.contract.requests import Send


def check_caps(facts: Facts, record: In, asked: Send, person: uuid.UUID) -> None:
    """Raises Refusal where this person has had as much as they may of it. What is counted already is not counted again."""
    if not (caps := _caps(facts, asked)):
        return
    sent = [one for one in _sent_to(facts, person) if one.purpose == asked.purpose]
    if any(one.cause == _cause(facts, record, asked) for one in sent):
        return
    for cap in caps:
        recent = sorted(one.at for one in sent if one.at > facts.now - cap.within)
        if len(recent) >= cap.most:
            until = recent[-cap.most] + cap.within
            raise Refusal(
                "capped", f"{asked.purpose}: {len(recent)} sent within {cap.within.days} days; again at {utc(until)}"
            )


def count(facts: Facts, record: In, asked: Send, home: uuid.UUID) -> None:
    """One more is on its way to this customer, only where somebody counts; of a plan the first way is counted."""
    cause = _cause(facts, record, asked)
    if _caps(facts, asked) and not any(one.cause == cause for one in _sent_to(facts, facts.persons[home])):
        one = Sent(home, cause, facts.now, asked.purpose)
        facts.sent.append(one)
        facts.counted.append(one)


def _cause(facts: Facts, record: In, asked: Send) -> uuid.UUID:
    return plan_of(facts, record) or requested_id(asked.tenant, record.id)


def _sent_to(facts: Facts, person: uuid.UUID) -> list[Sent]:
    return [one for one in facts.sent if facts.persons.get(one.customer) == person]


def _caps(facts: Facts, asked: Send) -> list[Cap]:
    policy = facts.policy(asked.tenant, asked.channel, asked.account)
    return [cap for cap in caps_of(policy.caps) if cap.purpose == asked.purpose]
