"""Who takes part: what a provider says of someone, and what is known already of whoever begins a conversation."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

from services.router.fold import identity
from services.router.fold.events import emit
from services.router.fold.facts import Conversation, Facts, IdentityKey
from services.router.fold.persons import take_proofs
from shared.bus.cloudevents import In
from shared.contract.deliveries import ProfileUpdate


def learn(facts: Facts, record: In) -> None:
    """What the provider says of someone: told in each open conversation that they began, if it is news."""
    found: ProfileUpdate = record.model
    address = identity.at(found.tenant, found.channel, found.account, found.party.address)
    take_proofs(facts, record, identity.claims_of_profile(found))
    person = facts.person(address)
    told = found.party.model_dump(mode="json", exclude_none=True)
    if person.profile == told:
        return
    before = (person.profile or {}).get("name")
    person.profile, person.changed = told, True
    person.name = better(person.name, before, found.party.name)
    for conversation in begun_by(facts, found, facts.customers.get(address)):
        conversation.name = better(conversation.name, before, found.party.name)
        tell(facts, record, conversation, told)


def better(name: str | None, before: str | None, now: str | None) -> str | None:
    """A name that came with a message stays; one that an earlier profile gave is replaced."""
    return now or name if name in {None, before} else name


def begun_by(facts: Facts, found: ProfileUpdate, customer: uuid.UUID | None) -> Iterator[Conversation]:
    """The open conversations of this person with the account that the batch has locked."""
    for conversation in facts.conversations.values():
        here = (conversation.channel, conversation.account) == (found.channel, found.account)
        if here and facts.person_of(conversation) == customer and conversation.status == "open":
            yield conversation


def introduce(facts: Facts, record: In, conversation: Conversation, address: IdentityKey | None) -> None:
    """A conversation begins with someone whose name is known, though nothing in it says so."""
    person = facts.people.get(address) if address else None
    if address and person and person.name and conversation.name is None:
        conversation.name = person.name
        tell(facts, record, conversation, person.profile or {"address": address.value})


def tell(facts: Facts, record: In, conversation: Conversation, known: dict[str, Any]) -> None:
    named = {"name": conversation.name} if conversation.name else {}
    trail = [{"place": "inbound", "at": record.at}] if isinstance(record.model, ProfileUpdate) else []
    emit(facts, conversation, record, "conversation.participant", {"participant": known | named}, trail=trail)
