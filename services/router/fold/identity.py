"""Whose message it is: one customer per address at a channel."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping

from services.router.fold.facts import Facts, IdentityKey
from shared.contract.envelope import Envelope, derive

Customers = dict[IdentityKey, uuid.UUID]


def of_envelope(envelope: Envelope) -> IdentityKey | None:
    """The customer's address: the sender; for an echo the peer, or whom it names in a place of one person; None for an echo
    into a group, which is nobody's.

    A mail is its sender's even where it says that it is ours: only its send can prove that.
    """
    if envelope.direction == "inbound" or envelope.surface == "email":
        return IdentityKey(envelope.tenant, envelope.channel, envelope.sender.address)
    if envelope.container is None:
        return IdentityKey(envelope.tenant, envelope.channel, envelope.peer)
    if envelope.surface == "direct" and envelope.recipients:
        return IdentityKey(envelope.tenant, envelope.channel, envelope.recipients[0].address)
    return None


def names_of_person(envelope: Envelope) -> tuple[IdentityKey, ...]:
    """All addresses by which the person of a notice may be known."""
    sender = (envelope.sender.address, *envelope.sender.aliases) if envelope.direction == "inbound" else ()
    peer = (envelope.peer,) if envelope.container is None else ()
    return tuple(IdentityKey(envelope.tenant, envelope.channel, name) for name in (*sender, *peer))


def of_person(facts: Facts, envelope: Envelope) -> uuid.UUID | None:
    """The customer by any of these names, if they are known."""
    return next((facts.customers[key] for key in names_of_person(envelope) if key in facts.customers), None)


def new_customer(key: IdentityKey) -> uuid.UUID:
    """The id that follows from the first address a customer was seen with."""
    return derive("customer", *key)


def match(known: Mapping[IdentityKey, uuid.UUID], people: Mapping[IdentityKey, Iterable[IdentityKey]]) -> Customers:
    """Whose each address is, given every person's address and its aliases: one address that is known decides for all."""
    customers = dict(known)
    for address, aliases in people.items():
        group = (address, *aliases)
        found = next((customers[key] for key in group if key in customers), None) or new_customer(address)
        for key in group:
            customers.setdefault(key, found)
    return customers


def aliases_of(envelope: Envelope) -> tuple[IdentityKey, ...]:
    """The other addresses that the provider says are the sender's."""
    return tuple(IdentityKey(envelope.tenant, envelope.channel, alias) for alias in envelope.sender.aliases)


def customer(facts: Facts, key: IdentityKey | None) -> uuid.UUID | None:
    """The customer of this address, merges followed."""
    return facts.customers.get(key) if key else None
