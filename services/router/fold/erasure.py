"""A person is erased and stays erased: what is left of each customer is an id, of each address a mark that names nobody."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime

from services.router.fold import fallback, identity
from services.router.fold.consents import standing
from services.router.fold.events import tell_customer
from services.router.fold.facts import Facts, IdentityKey
from services.router.fold.identity import Claim
from services.router.fold.persons import known
from shared.bus.cloudevents import In
from shared.contract.envelope import PURPOSES, Envelope
from shared.contract.requests import Erase


def erase(facts: Facts, record: In, asked: Erase) -> None:
    """All of the person's customers, since the request was made: what came before it names nobody, what comes after begins anew.

    Their shape grows, so whoever waits for their locks meanwhile begins again. No other way to them is taken any more.
    """
    person = facts.persons[known(facts, asked.tenant, asked.customer)]
    members, at = facts.members(person), min(record.at, facts.now)
    told = {"reason": asked.reason, "request_id": record.id, "erased_at": at, "customers": members}
    told |= {"by": asked.by} if asked.by else {}
    unwanted = refusals(facts, person)
    fallback.end_all(facts, record, person, "erased")
    for one in members:
        atom = facts.atoms[one]
        atom.erased_at, atom.shape = at, atom.shape + 1
        facts.erased[one] = unwanted
        tell_customer(facts, record, atom, "customer.erased", told)


def refusals(facts: Facts, person: uuid.UUID) -> Sequence[Sequence[str]]:
    """What they do not want outlives them, without their words: whoever is written to at that address is not to be asked again."""
    channels = sorted({wish.channel for wish in facts.consents if facts.persons.get(wish.customer) == person})
    said = [
        (purpose, channel, standing(facts, person, purpose, channel)) for purpose in PURPOSES for channel in channels
    ]
    return [(purpose, channel) for purpose, channel, consent in said if consent and not consent.given]


def is_of_erased(facts: Facts, found: Envelope) -> bool:
    """Whether whoever wrote it, or was written to, was erased after it had come."""
    return is_before(facts, identity.of_envelope(found), found.received_at)


def is_before(facts: Facts, address: IdentityKey | None, received_at: datetime) -> bool:
    grave = facts.graves.get(address) if address else None
    return grave is not None and received_at <= grave.erased_at


def living(facts: Facts, claims: Iterable[Claim], received_at: datetime) -> list[Claim]:
    """Without what is said of addresses whose person was erased since."""
    return [claim for claim in claims if not is_before(facts, claim.other, received_at)]
