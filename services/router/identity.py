"""Whose message it is: one customer per address at a channel."""

from __future__ import annotations

import uuid

from services.router.facts import Facts, IdentityKey
from shared.envelope import Envelope, derive


def of_envelope(envelope: Envelope) -> IdentityKey | None:
    """The customer's address: the sender, or for an echo the peer; None for an echo into a group, which is nobody's."""
    if envelope.direction == "inbound":
        return IdentityKey(envelope.tenant, envelope.channel, envelope.sender.address)
    if envelope.container is None:
        return IdentityKey(envelope.tenant, envelope.channel, envelope.peer)
    return None


def new_customer(key: IdentityKey) -> uuid.UUID:
    """The id that follows from the first address a customer was seen with."""
    return derive("customer", *key)


def customer(facts: Facts, key: IdentityKey | None) -> uuid.UUID | None:
    """The customer of this address, merges followed."""
    return facts.customers.get(key) if key else None
