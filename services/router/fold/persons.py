"""What joins customers and parts them: what a record proves of its sender, and what is asked for."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from services.router.fold import bonds
from services.router.fold.events import tell_customer
from services.router.fold.facts import Facts, IdentityKey
from services.router.fold.identity import Claim
from shared.bus.cloudevents import In
from shared.contract.codes import CHANNELS
from shared.contract.errors import Refusal
from shared.contract.identities import identity_kind, normalised
from shared.contract.requests import KeepApart, Link, Merge, Request, Split, Unlink

WORDS: Final[Mapping[str, str]] = {
    "provider": "the provider says so",
    "signature": "signed by whoever sent it",
    "session": "by the session that they wrote in",
    "dmarc": "by the mail's own domain",
    "oauth": "they signed in with it",
}


def take_proofs(facts: Facts, record: In, claims: Iterable[Claim]) -> None:
    """What it proves joins; what is merely said is suggested, unless somebody has answered that."""
    if not facts.reshapes:
        return
    for claim in claims:
        a, b = facts.homes.get(claim.address), facts.homes.get(claim.other)
        if a is None or b is None or a == b:
            continue
        if claim.by is not None:
            reason = f"{claim.other.kind}: {WORDS[claim.by]}"
            bonds.prove(facts, record, (claim.address, claim.other), reason=reason, about={})
        elif facts.persons[a] != facts.persons[b] and not (facts.atoms[a].shared or facts.atoms[b].shared):
            is_open = not bonds.vetoes_between(facts, facts.persons[a], facts.persons[b])
            bonds.suggest(facts, record, a, b, reason=f"{claim.other.kind}: they say so themselves", is_open=is_open)


def merge(facts: Facts, record: In, asked: Merge) -> None:
    first, *others = [known(facts, asked.tenant, one) for one in dict.fromkeys(asked.customers)]
    if not others:
        raise Refusal("refused", "name two different customers")
    together = {member for one in (first, *others) for member in facts.members(facts.persons[one])}
    if len(together) > bonds.MOST:
        raise Refusal("refused", f"one person has {bonds.MOST} addresses at the most")
    about = {"request_id": record.id}
    said = [bonds.ask(facts, record, first, other, reason=asked.reason, about=about) for other in others]
    if not any(said):
        raise Refusal("refused", f"they were merged before: {facts.persons[first]}")


def split(facts: Facts, record: In, asked: Split) -> None:
    customer = known(facts, asked.tenant, asked.customer)
    bonds.split(facts, record, customer, reason=asked.reason, about={"request_id": record.id})


def link(facts: Facts, record: In, asked: Link) -> None:
    """The address's own customer and the one that is named are one person from now on."""
    customer = known(facts, asked.tenant, asked.customer)
    home = facts.homes.get(address_of(asked))
    if home is None:
        raise Refusal("refused", "whoever had this address was erased after this was asked for")
    bonds.ask(facts, record, customer, home, reason=asked.reason, about={"request_id": record.id})
    tell_of_address(facts, record, asked, home, facts.persons[home], "customer.linked")


def unlink(facts: Facts, record: In, asked: Unlink) -> None:
    """The address's own customer is nobody else's any more."""
    customer = known(facts, asked.tenant, asked.customer)
    home = facts.homes.get(address_of(asked))
    person = facts.persons[customer]
    if home is None or facts.persons[home] != person:
        raise Refusal("refused", "this address is not that customer's")
    apart = [one for one in bonds.live(facts) if home in one.pair]
    if not apart:
        raise Refusal("refused", "this customer began with the address, and with no other: there is nothing to part")
    bonds.cut(facts, record, apart, reason=asked.reason, about={"request_id": record.id}, veto=True)
    tell_of_address(facts, record, asked, home, person, "customer.unlinked")


def keep_apart(facts: Facts, record: In, asked: KeepApart) -> None:
    """Two people: no proof joins them, and what suggests it is answered."""
    a, b = (known(facts, asked.tenant, one) for one in asked.customers)
    if facts.persons[a] == facts.persons[b]:
        raise Refusal("refused", "they are one person: split or unlink them")
    p, q = facts.persons[a], facts.persons[b]
    for pair in facts.suggestions:
        if {facts.persons.get(pair.a), facts.persons.get(pair.b)} == {p, q}:
            bonds.answer(facts, pair)
    bonds.part(facts, bonds.pair_of(a, b), asked.reason)
    for one, other in ((p, q), (q, p)):
        told = {"other": other, "reason": asked.reason, "request_id": record.id}
        tell_customer(facts, record, facts.atoms[one], "customer.parted", told)


def tell_of_address(
    facts: Facts, record: In, asked: Link | Unlink, home: uuid.UUID, person: uuid.UUID, name: str
) -> None:
    told = {"kind": asked.kind, "address": asked.address, "home": home, "reason": asked.reason}
    tell_customer(facts, record, facts.atoms[person], name, told | {"request_id": record.id})


def known(facts: Facts, tenant: str, customer: uuid.UUID) -> uuid.UUID:
    """Raises Refusal where this tenant has no customer of this id."""
    if erased_at := facts.gone.get((tenant, customer)):
        raise Refusal("unknown_customer", f"{customer} was erased at {erased_at.isoformat()}")
    atom = facts.atoms.get(customer)
    if atom is None or atom.tenant != tenant:
        raise Refusal("unknown_customer", str(customer))
    return atom.id


def address_of(asked: Link | Unlink) -> IdentityKey:
    """Raises Refusal where it is none of its kind, or the kind does not say whose."""
    if asked.kind in CHANNELS and identity_kind(asked.kind, "") != asked.kind:
        raise Refusal("malformed", f"kind: these ids are an account's: {asked.kind}:ACCOUNT")
    try:
        return IdentityKey(asked.tenant, asked.kind, normalised(asked.kind, asked.address))
    except ValueError as error:
        raise Refusal("malformed", f"address: {error}") from error


RULES: Final[Mapping[type[Request], Callable[[Facts, In, Any], None]]] = {
    Merge: merge,
    Split: split,
    Link: link,
    Unlink: unlink,
    KeepApart: keep_apart,
}
