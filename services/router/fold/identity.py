"""Whose message it is: every address has a customer of its own for life, and a person is several of these by proof or by word."""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from services.router.fold.facts import Facts, IdentityKey
from shared.contract.deliveries import ProfileUpdate
from shared.contract.envelope import Envelope, Notice, key
from shared.contract.identities import EMAIL, hints_of, identity_kind, is_role_mailbox


class Claim(NamedTuple):
    """That two addresses are one person's. `by`: whose word that is; None: a hint, which proves nothing."""

    address: IdentityKey
    other: IdentityKey
    by: str | None


def at(tenant: str, channel: str, account: str, address: str) -> IdentityKey:
    """Whoever is called so at this account."""
    return IdentityKey(tenant, identity_kind(channel, account), address)


def here(envelope: Envelope, address: str) -> IdentityKey:
    return at(envelope.tenant, envelope.channel, envelope.account, address)


def of_envelope(envelope: Envelope) -> IdentityKey | None:
    """The customer's address: the sender; for an echo the peer, or whom it names in a place of one person; None for an echo
    into a group, which is nobody's.

    A mail is its sender's even where it says that it is ours: only its send can prove that.
    """
    if envelope.direction == "inbound" or envelope.surface == "email":
        return here(envelope, envelope.sender.address)
    if envelope.container is None:
        return here(envelope, envelope.peer)
    if envelope.surface == "direct" and envelope.recipients:
        return here(envelope, envelope.recipients[0].address)
    return None


def names_of_person(envelope: Envelope) -> tuple[IdentityKey, ...]:
    """All addresses by which the person of a notice may be known."""
    sender = (envelope.sender.address, *envelope.sender.aliases) if envelope.direction == "inbound" else ()
    peer = (envelope.peer,) if envelope.container is None else ()
    return tuple(here(envelope, name) for name in (*sender, *peer))


def claims_of(envelope: Envelope) -> Iterator[Claim]:
    """What a record says of whoever wrote it beside their address; a mailbox of several people is nobody's."""
    part = envelope.parts[0]
    if isinstance(part, Notice):
        if part.type == "moved" and part.to and envelope.container is None and part.to != envelope.peer:
            yield Claim(here(envelope, envelope.peer), here(envelope, part.to), "provider")
        return
    if envelope.direction != "inbound":
        return
    sender = envelope.sender
    own = here(envelope, sender.address)
    told = [
        *((here(envelope, alias), sender.verified or "provider") for alias in sender.aliases),
        *((IdentityKey(envelope.tenant, proof.kind, proof.value), proof.by) for proof in sender.proofs),
        *((IdentityKey(envelope.tenant, kind, value), None) for kind, value in hints_of(envelope)),
    ]
    yield from _claims(own, told)


def claims_of_profile(found: ProfileUpdate) -> Iterator[Claim]:
    """What the provider vouches for of somebody, asked after their message."""
    own = at(found.tenant, found.channel, found.account, found.party.address)
    return _claims(own, [(IdentityKey(found.tenant, one.kind, one.value), one.by) for one in found.party.proofs])


def _claims(own: IdentityKey, told: Iterable[tuple[IdentityKey, str | None]]) -> Iterator[Claim]:
    for other, by in told:
        if other != own and not any(one.kind == EMAIL and is_role_mailbox(one.value) for one in (own, other)):
            yield Claim(own, other, by)


def of_person(facts: Facts, envelope: Envelope) -> uuid.UUID | None:
    """The person by any of these names, if they are known."""
    return next((facts.customers[key] for key in names_of_person(envelope) if key in facts.customers), None)


def new_customer(secret: bytes, address: IdentityKey, generation: int = 0) -> uuid.UUID:
    """The id of an address's customer (RFC 9562, version 8): every replica and every restore makes the same, and nobody who has
    the id guesses the address. `generation`: how often the address was forgotten.
    """
    made = hmac.digest(secret, key("customer", *address, str(generation)).encode(), hashlib.sha256)
    return uuid.UUID(int=int.from_bytes(made[:16]) & ~(0xF << 76 | 0x3 << 62) | 8 << 76 | 2 << 62)


def mark_of(secret: bytes, address: IdentityKey) -> bytes:
    """By which an address is known whose person was erased, and which tells nobody the address."""
    name = key("erased", *address)
    return hmac.digest(secret, name.encode(), hashlib.sha256)


def customer(facts: Facts, address: IdentityKey | None) -> uuid.UUID | None:
    """The person of this address: the oldest of their customers."""
    return facts.customers.get(address) if address else None


def home(facts: Facts, address: IdentityKey | None) -> uuid.UUID | None:
    """The address's own customer, to whom belongs what begins by it."""
    return facts.homes.get(address) if address else None
