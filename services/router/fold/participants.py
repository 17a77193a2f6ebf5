"""Who takes part: what a provider says of someone, and what is known already of whoever begins a conversation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from services.router.fold.events import emit
from services.router.fold.facts import Conversation, Facts, IdentityKey
from shared.bus.cloudevents import In
from shared.contract.deliveries import ProfileUpdate


def learn(facts: Facts, record: In) -> None:
    """What the provider says of someone: told in each open conversation that they began, if it is news."""
    found: ProfileUpdate = record.model
    address = IdentityKey(found.tenant, found.channel, found.party.address)
    person = facts.person(address)
    told = found.party.model_dump(mode="json", exclude_none=True)
    if person.profile == told:
        return
    before = (person.profile or {}).get("name")
    person.profile, person.changed = told, True
    person.name = better(person.name, before, found.party.name)
    for conversation in begun_by(facts, address, found.account):
        conversation.name = better(conversation.name, before, found.party.name)
        tell(facts, record, conversation, told)


def better(name: str | None, before: str | None, now: str | None) -> str | None:
    """A name that came with a message stays; one that an earlier profile gave is replaced."""
    return now or name if name in {None, before} else name


def begun_by(facts: Facts, address: IdentityKey, account: str) -> Iterator[Conversation]:
    """The open conversations of this person with the account that the batch has locked."""
    customer = facts.customers.get(address)
    for conversation in facts.conversations.values():
        here = (conversation.channel, conversation.account) == (address.kind, account)
        if here and conversation.customer_id == customer and conversation.status == "open":
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
