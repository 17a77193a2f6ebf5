"""Replicas that merge, split and erase the same customers at the same moment: rows, locks and crashes are the model's, every rule is the router's own."""

from __future__ import annotations

import random
import uuid
from collections import Counter, defaultdict
from collections.abc import Collection, Generator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import orjson

from services.router.batch import needs, service
from services.router.fold import bonds, identity
from services.router.fold.facts import Atom, Bond, Facts, Grave, IdentityKey, Pair, Suggestion
from services.router.fold.rules import decide
from shared.bus.cloudevents import In
from shared.contract.envelope import Model, Party, Proof, requested_id
from shared.contract.requests import Erase, Merge, Split, Unlink
from tests.promises.house import NOON, Customer, as_read, at

SECRET = b"secret"
TODAY = NOON + timedelta(hours=9)  # after all that is written and asked
MOST_TRIES = 200  # far more than others at work cost
KIND = "webhook:main"
PEOPLE = ("ann", "bob", "cho", "dea", "eve")
PHONE = IdentityKey("t", "phone", "+85512345678")
ADDRESSES = (*(IdentityKey("t", KIND, name) for name in PEOPLE), PHONE)


@dataclass
class Rules:
    """What makes it right (docs/architecture.md, Persons), each of which can be broken."""

    looks_again: bool = True
    sends_what_others_left: bool = True
    keeps_the_latest_mark: bool = True


class Again(Exception):
    """Who belongs together is otherwise than was read."""


@dataclass
class Tables:
    """Committed rows. `homes`: the customer of each address; `seen`: when what was taken in had come; `held`: which replica has the lock
    of each customer, and of each address that somebody becomes known by; `stuck`: what no replica could take in.
    """

    homes: dict[IdentityKey, uuid.UUID] = field(default_factory=dict)
    graves: dict[IdentityKey, Grave] = field(default_factory=dict)
    atoms: dict[uuid.UUID, Atom] = field(default_factory=dict)
    bonds: dict[tuple[Pair, str], Bond] = field(default_factory=dict)
    vetoes: dict[Pair, str] = field(default_factory=dict)
    suggestions: dict[Pair, Suggestion] = field(default_factory=dict)
    seen: dict[str, datetime] = field(default_factory=dict)
    outbox: dict[tuple[uuid.UUID, int], dict[str, Any]] = field(default_factory=dict)
    kafka: list[tuple[uuid.UUID, int, dict[str, Any]]] = field(default_factory=list)
    held: dict[uuid.UUID | IdentityKey, object] = field(default_factory=dict)
    stuck: list[str] = field(default_factory=list)


def home(address: IdentityKey, generation: int = 0) -> uuid.UUID:
    return identity.new_customer(SECRET, address, generation)


def beginning() -> Tables:
    """Everybody is known, nobody is anybody else; the first is the oldest."""
    tables = Tables()
    for number, address in enumerate(ADDRESSES):
        one = tables.homes[address] = home(address)
        tables.atoms[one] = Atom(one, "t", one, 0, NOON + timedelta(minutes=number))
    return tables


def members(tables: Tables, person: uuid.UUID) -> list[uuid.UUID]:
    return [one.id for one in tables.atoms.values() if one.person == person]


def transaction(tables: Tables, records: Sequence[In], rules: Rules) -> Generator[None, None, None]:
    """Read, begin who is new, lock by id, look again, fold with the router's own rules, commit, publish. It may end at any step."""
    me, mine = object(), list[uuid.UUID | IdentityKey]()

    def lock(what: uuid.UUID | IdentityKey) -> Generator[None, None, None]:
        while tables.held.get(what, me) is not me:
            yield
        tables.held[what] = me
        mine.append(what)
        yield

    try:
        asked, fresh = needs.of(records, SECRET), freshness(tables, records)
        facts = look(tables, asked)
        read = {person: tables.atoms[person].shape for person in facts.persons.values()}
        yield
        for address in sorted(asked.identities.keys() - facts.homes.keys()):
            grave = facts.graves.get(address)
            if born := asked.born(address, fresh, grave.erased_at if grave else None):
                yield from lock(address)
                one = home(address, grave.generation if grave else 0)
                if address in tables.homes or one in tables.atoms:
                    raise Again
                facts.homes[address] = facts.persons[one] = one
                facts.atoms[one] = Atom(one, "t", one, 0, born, changed=True)
        old = sorted(facts.persons.keys() & tables.atoms.keys())
        for one in old:
            yield from lock(one)
        now = {person: tables.atoms[person] for person in read}
        if rules.looks_again and any(one.person != one.id or one.shape != read[one.id] for one in now.values()):
            raise Again
        if fresh != freshness(tables, records):
            raise Again
        facts.fresh |= fresh
        fill(facts, tables, old)
        for record in records:
            decide(facts, record)
        leftover = [place for place in tables.outbox if place[0] in facts.atoms] if rules.sends_what_others_left else []
        commit(tables, facts, records, rules)
        new = [(one.conversation_id, one.sequence) for one in facts.emissions if one.name.startswith("customer.")]
        tables.outbox.update(
            ((one.conversation_id, one.sequence), orjson.loads(one.value) | {"type": one.name})
            for one in facts.emissions
            if one.name.startswith("customer.")
        )
        for each in mine:
            del tables.held[each]
        mine.clear()
        yield from publish(tables, [*sorted(leftover), *new])
    finally:
        for each in mine:
            del tables.held[each]


def freshness(tables: Tables, records: Sequence[In]) -> set[uuid.UUID]:
    news = [record for record in records if record.id not in tables.seen]
    return {once(record) for record in news} | {record.model.id for record in news if hasattr(record.model, "id")}


def look(tables: Tables, asked: needs.Needs) -> Facts:
    """Whose each address is and who belongs together, as it is read before the locks."""
    addresses = sorted({*asked.identities, *asked.sought})
    facts = Facts(TODAY, SECRET)
    facts.homes = {address: tables.homes[address] for address in addresses if address in tables.homes}
    facts.graves = {address: tables.graves[address] for address in addresses if address in tables.graves}
    known = [tables.atoms[one] for one in (*facts.homes.values(), *sorted(asked.named)) if one in tables.atoms]
    facts.gone = {("t", one.id): one.erased_at for one in known if one.erased_at}
    people = {one.person for one in known if not one.erased_at}
    facts.persons = {one: person for person in people for one in members(tables, person)}
    return facts


def fill(facts: Facts, tables: Tables, old: Sequence[uuid.UUID]) -> None:
    """Rows as they stand under the locks; who belongs together as it was read before them."""
    own = set(facts.persons)
    facts.customers = {address: facts.persons[one] for address, one in facts.homes.items()}
    facts.atoms |= {one: replace(tables.atoms[one], person=facts.persons[one]) for one in old}
    facts.bonds = {key: replace(bond) for key, bond in tables.bonds.items() if own & set(bond.pair)}
    facts.vetoes = {pair: why for pair, why in tables.vetoes.items() if own & set(pair)}
    facts.suggestions = {pair: one for pair, one in tables.suggestions.items() if own & set(pair)}
    facts.reshapes = True


def once(record: In) -> uuid.UUID:
    return requested_id(record.tenant, record.id)


def came(record: In) -> datetime:
    """When it was received, or asked for."""
    moment: datetime = getattr(record.model, "received_at", record.at)
    return moment


def commit(tables: Tables, facts: Facts, records: Sequence[In], rules: Rules) -> None:
    tables.seen.update((record.id, came(record)) for record in records)
    tables.homes.update(facts.homes)
    tables.atoms.update((one.id, one) for one in facts.atoms.values() if one.changed)
    tables.bonds.update((key, bond) for key, bond in facts.bonds.items() if bond.changed)
    tables.suggestions.update((pair, facts.suggestions[pair]) for pair in facts.remarked & facts.suggestions.keys())
    for pair in facts.remarked & facts.vetoes.keys():
        if (why := facts.vetoes[pair]) is None:
            tables.vetoes.pop(pair, None)
        else:
            tables.vetoes[pair] = why
    if facts.erased:
        erase(tables, facts.erased.keys(), rules)


def erase(tables: Tables, gone: Collection[uuid.UUID], rules: Rules) -> None:
    for address in [address for address, one in tables.homes.items() if one in gone]:
        latest = tables.atoms[tables.homes.pop(address)].erased_at
        assert latest
        before = tables.graves.get(address, Grave(latest, 0))
        latest = max(latest, before.erased_at) if rules.keeps_the_latest_mark else latest
        tables.graves[address] = Grave(latest, before.generation + 1)
    tables.bonds = {key: one for key, one in tables.bonds.items() if not set(one.pair) & set(gone)}
    tables.vetoes = {pair: why for pair, why in tables.vetoes.items() if not set(pair) & set(gone)}
    tables.suggestions = {pair: one for pair, one in tables.suggestions.items() if not set(pair) & set(gone)}


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
    said = Customer("t", name).says(name=f"m{number}", minutes=number, sender=Party(address=name, proofs=proofs))
    return as_read(said)


def asks(model: Model, number: int) -> In:
    return as_read(model, id_=f"r{number}")


def erases(chance: random.Random, count: int, generation: int, minutes: int) -> list[In]:
    """Of whoever has two addresses by then, as of any of these minutes."""
    made = []
    for number in range(count):
        one = home((ADDRESSES[0], PHONE)[number % 2], chance.randint(max(0, generation - 1), generation))
        record = asks(Erase(tenant="t", customer=one, reason="x"), 1000 + generation * 10 + number)
        record.at = at(chance.randint(0, minutes))
        made.append(record)
    return made


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
    todo, busy, tries = list(records), [], Counter[str]()
    while todo or busy:
        if todo and len(busy) < 3:
            batch = [todo.pop(chance.randrange(len(todo))) for _ in range(min(len(todo), chance.randint(1, 2)))]
            busy.append((batch, transactions(tables, batch, rules)))
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
            tries.update(record.id for record in batch)
            tables.stuck += [record.id for record in batch if tries[record.id] == MOST_TRIES]
            todo += [one for one in batch if one.id not in tables.seen and tries[one.id] < MOST_TRIES]
    for _ in publish(tables, sorted(tables.outbox)):
        pass


def transactions(tables: Tables, batch: Sequence[In], rules: Rules) -> Generator[None, None, None]:
    for part, *_ in service._apart(batch, 0, len(batch) + 1):
        yield from transaction(tables, part, rules)


def partition(tables: Tables) -> dict[uuid.UUID, uuid.UUID]:
    return {one.id: one.person for one in tables.atoms.values()}


def wrong(tables: Tables) -> list[str]:
    """What the tables and the log may never say."""
    said = [f"{one} is tried for ever" for one in tables.stuck]
    erased_at: dict[uuid.UUID, datetime] = {}
    last: dict[uuid.UUID, int] = defaultdict(int)
    view = {one: one for one in tables.atoms}
    for customer, sequence, value in tables.kafka:
        if sequence <= last[customer]:
            continue
        if sequence != last[customer] + 1:
            said.append("a gap")
        last[customer] = sequence
        if customer in erased_at:
            said.append("something is told of whoever is erased")
        if value["type"] == "customer.erased":
            erased_at[customer] = datetime.fromisoformat(value["erased_at"])
        view[customer] = uuid.UUID(value["into"]) if "into" in value else view[customer]
    said += ["a number that nobody saw" for one in tables.atoms.values() if last[one.id] != one.last_sequence]
    found = partition(tables)
    if view != found:
        said.append("a consumer sees another person")
    alive = {one.id for one in tables.atoms.values() if not one.erased_at}
    if erased_at != {one.id: one.erased_at for one in tables.atoms.values() if one.erased_at}:
        said.append("an erasure that is not told, or is none")
    said += ["half a person is erased" for one, person in found.items() if (one in alive) != (person in alive)]
    if sorted(tables.homes.values()) != sorted(alive):
        said.append("a customer without an address, or an address of nobody")
    for address, one in tables.homes.items():
        said += returned(tables, one, {erased_at[each] for each in earlier(address) if each in erased_at})
    groups = bonds.Groups(found, [bond for bond in tables.bonds.values() if bond.live])
    for one, person in found.items():
        if one not in alive:
            continue
        together = [other for other in found if groups.top(other) == groups.top(one)]
        if person != min(together, key=lambda each: tables.atoms[each].age):
            said.append("not the oldest of those who hang together")
    said += ["a split that did not hold" for a, b in tables.vetoes if found[a] == found[b]]
    return said


def earlier(address: IdentityKey) -> list[uuid.UUID]:
    """Whoever may have had it."""
    return [home(address, generation) for generation in range(10)]


def returned(tables: Tables, one: uuid.UUID, erased_at: Collection[datetime]) -> list[str]:
    """What was said before the last erasure of an address counts for nobody who has it since."""
    latest = max(erased_at, default=NOON - timedelta(days=1))
    words = [bond for bond in tables.bonds.values() if one in bond.pair and bond.source == "proved"]
    said = ["somebody is back"] if tables.atoms[one].born <= latest else []
    return said + ["an old word joins" for bond in words if tables.seen[bond.cause] <= latest]
