"""Replicas that merge and split the same customers at the same moment: rows, locks and crashes are the model's, every rule is the router's own."""

from __future__ import annotations

import random
import uuid
from collections import defaultdict
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import orjson

from services.router.fold import bonds, persons
from services.router.fold.facts import Atom, Bond, Facts, IdentityKey, Pair, Suggestion
from services.router.fold.rules import decide
from shared.bus.cloudevents import In
from shared.contract.envelope import Model, Party, Proof, requested_id
from shared.contract.requests import Merge, Split, Unlink
from tests.promises.house import NOON, Customer, as_read

KIND = "webhook:main"
PEOPLE = ("ann", "bob", "cho", "dea", "eve")
PHONE = IdentityKey("t", "phone", "+85512345678")
ADDRESSES = (*(IdentityKey("t", KIND, name) for name in PEOPLE), PHONE)


@dataclass
class Rules:
    """What makes it right (docs/architecture.md, Persons), each of which can be broken."""

    looks_again: bool = True
    sends_what_others_left: bool = True


class Again(Exception):
    """Who belongs together is otherwise than was read."""


@dataclass
class Tables:
    """Committed rows; `held`: which replica has each customer's lock."""

    atoms: dict[uuid.UUID, Atom] = field(default_factory=dict)
    bonds: dict[tuple[Pair, str], Bond] = field(default_factory=dict)
    vetoes: dict[Pair, str] = field(default_factory=dict)
    suggestions: dict[Pair, Suggestion] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    outbox: dict[tuple[uuid.UUID, int], dict[str, Any]] = field(default_factory=dict)
    kafka: list[tuple[uuid.UUID, int, dict[str, Any]]] = field(default_factory=list)
    held: dict[uuid.UUID, object] = field(default_factory=dict)


def home(address: IdentityKey) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_OID, address.value)


def beginning() -> Tables:
    """Everybody is known, nobody is anybody else; the first is the oldest."""
    tables = Tables()
    for number, address in enumerate(ADDRESSES):
        one = home(address)
        tables.atoms[one] = Atom(one, "t", one, 0, NOON + timedelta(minutes=number))
    return tables


def members(tables: Tables, person: uuid.UUID) -> list[uuid.UUID]:
    return [one.id for one in tables.atoms.values() if one.person == person]


def concerned(record: In) -> set[uuid.UUID]:
    """Whose customers a record is about."""
    match record.model:
        case Merge(customers=several):
            return set(several)
        case Split(customer=one):
            return {one}
        case Unlink() as asked:
            return {asked.customer, home(persons.address_of(asked))}
    sender = record.model.sender
    return {home(IdentityKey("t", KIND, sender.address))} | {
        home(IdentityKey("t", one.kind, one.value)) for one in sender.proofs
    }


def transaction(tables: Tables, records: Sequence[In], rules: Rules) -> Generator[None, None, None]:
    """Read, lock by id, look again, fold with the router's own rules, commit, publish. It may end at any step."""
    me, mine = object(), []
    try:
        wanted = {one for record in records for one in concerned(record)}
        read = {person: tables.atoms[person].shape for person in {tables.atoms[one].person for one in wanted}}
        grouped = {one: person for person in read for one in members(tables, person)}
        yield
        for one in sorted(grouped):
            while tables.held.get(one, me) is not me:
                yield
            tables.held[one] = me
            mine.append(one)
            yield
        now = {person: tables.atoms[person] for person in read}
        if rules.looks_again and any(one.person != one.id or one.shape != read[one.id] for one in now.values()):
            raise Again
        facts = facts_of(tables, grouped, records)
        for record in records:
            decide(facts, record)
        leftover = [place for place in tables.outbox if place[0] in facts.atoms] if rules.sends_what_others_left else []
        commit(tables, facts, records)
        new = [(one.conversation_id, one.sequence) for one in facts.emissions if one.name.startswith("customer.")]
        tables.outbox.update(
            ((one.conversation_id, one.sequence), orjson.loads(one.value) | {"type": one.name})
            for one in facts.emissions
            if one.name.startswith("customer.")
        )
        for one in mine:
            del tables.held[one]
        mine.clear()
        yield from publish(tables, [*sorted(leftover), *new])
    finally:
        for one in mine:
            del tables.held[one]


def facts_of(tables: Tables, grouped: dict[uuid.UUID, uuid.UUID], records: Sequence[In]) -> Facts:
    """Rows as they stand under the locks; who belongs together as it was read before them."""
    own = set(grouped)
    facts = Facts(NOON, b"secret", {record.model.id for record in records if hasattr(record.model, "id")})
    facts.homes = {address: home(address) for address in ADDRESSES if home(address) in own}
    facts.persons = dict(grouped)
    facts.customers = {address: grouped[one] for address, one in facts.homes.items()}
    facts.atoms = {one: replace(tables.atoms[one], person=grouped[one]) for one in own}
    facts.bonds = {key: replace(bond) for key, bond in tables.bonds.items() if own & set(bond.pair)}
    facts.vetoes = {pair: why for pair, why in tables.vetoes.items() if own & set(pair)}
    facts.suggestions = {pair: one for pair, one in tables.suggestions.items() if own & set(pair)}
    facts.fresh |= {once(record) for record in records if record.id not in tables.seen}
    facts.fresh -= {record.model.id for record in records if record.id in tables.seen and hasattr(record.model, "id")}
    facts.reshapes = True
    return facts


def once(record: In) -> uuid.UUID:
    return requested_id(record.tenant, record.id)


def commit(tables: Tables, facts: Facts, records: Sequence[In]) -> None:
    tables.seen.update(record.id for record in records)
    tables.atoms.update((one.id, one) for one in facts.atoms.values() if one.changed)
    tables.bonds.update((key, bond) for key, bond in facts.bonds.items() if bond.changed)
    tables.suggestions.update((pair, facts.suggestions[pair]) for pair in facts.remarked & facts.suggestions.keys())
    for pair in facts.remarked & facts.vetoes.keys():
        if (why := facts.vetoes[pair]) is None:
            tables.vetoes.pop(pair, None)
        else:
            tables.vetoes[pair] = why


def publish(tables: Tables, places: Sequence[tuple[uuid.UUID, int]]) -> Generator[None, None, None]:
    """Acknowledged one by one; who dies between leaves the rest to whoever comes next."""
    values = {place: tables.outbox[place] for place in places if place in tables.outbox}
    for place, value in values.items():
        yield
        tables.kafka.append((*place, value))
    for place in values:
        tables.outbox.pop(place, None)


# records --------------------------------------------------------------------------------------------------------------


def proves(name: str, other: IdentityKey, number: int) -> In:
    proofs = (Proof(kind=other.kind, value=other.value, by="provider"),)
    said = Customer("t", name).says(name=f"m{number}", sender=Party(address=name, proofs=proofs))
    return as_read(said)


def asks(model: Model, number: int) -> In:
    return as_read(model, id_=f"r{number}")


def some(chance: random.Random, count: int, first: int = 0) -> list[In]:
    """Proofs, merges, splits and an unlink now and then, of anybody."""
    found = []
    for number in range(first, first + count):
        name = chance.choice(PEOPLE)
        own = IdentityKey("t", KIND, name)
        other = chance.choice([address for address in (*ADDRESSES, PHONE, PHONE) if address != own])
        match chance.choice(("proof",) * 5 + ("merge", "split", "split", "unlink")):
            case "proof":
                found.append(proves(name, other, number))
            case "merge":
                found.append(asks(Merge(tenant="t", customers=(home(own), home(other)), reason="x"), number))
            case "split":
                found.append(asks(Split(tenant="t", customer=home(own), reason="x"), number))
            case _:
                found.append(asks(Unlink(tenant="t", customer=home(own), kind=KIND, address=name), number))
    return found


# histories ------------------------------------------------------------------------------------------------------------


def live(tables: Tables, records: Sequence[In], rules: Rules, chance: random.Random, *, crashes: float = 0.02) -> None:
    """Three replicas take a record or two each, in any order; a record whose replica dies before its commit is taken again."""
    todo, busy = list(records), []
    while todo or busy:
        if todo and len(busy) < 3:
            batch = [todo.pop(chance.randrange(len(todo))) for _ in range(min(len(todo), chance.randint(1, 2)))]
            busy.append((batch, transaction(tables, batch, rules)))
        batch, work = chance.choice(busy)
        try:
            if chance.random() < crashes:
                work.close()
                raise Again
            next(work)
        except StopIteration:
            busy.remove((batch, work))
        except Again:
            busy.remove((batch, work))
            todo += [record for record in batch if record.id not in tables.seen]
    for _ in publish(tables, sorted(tables.outbox)):
        pass


def partition(tables: Tables) -> dict[uuid.UUID, uuid.UUID]:
    return {one.id: one.person for one in tables.atoms.values()}


def wrong(tables: Tables) -> list[str]:
    """What the tables and the log may never say."""
    said = []
    last: dict[uuid.UUID, int] = defaultdict(int)
    view = {one: one for one in tables.atoms}
    for customer, sequence, value in tables.kafka:
        if sequence <= last[customer]:
            continue
        if sequence != last[customer] + 1:
            said.append("a gap")
        last[customer] = sequence
        view[customer] = uuid.UUID(value["into"]) if "into" in value else view[customer]
    said += ["a number that nobody saw" for one in tables.atoms.values() if last[one.id] != one.last_sequence]
    found = partition(tables)
    if view != found:
        said.append("a consumer sees another person")
    groups = bonds.Groups(found, [bond for bond in tables.bonds.values() if bond.live])
    for one, person in found.items():
        together = [other for other in found if groups.top(other) == groups.top(one)]
        if person != min(together, key=lambda each: tables.atoms[each].age):
            said.append("not the oldest of those who hang together")
    said += ["a split that did not hold" for a, b in tables.vetoes if found[a] == found[b]]
    return said
