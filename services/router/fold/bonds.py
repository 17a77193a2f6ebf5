"""Who is one person: customers joined by bonds, named by the oldest. A bond made or cut moves no conversation, message or address.

All that is written here is of customers whose rows, with everyone's of their persons, are locked (services/router/batch/load.py).
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final, Literal

from services.router.fold.events import tell_customer
from services.router.fold.facts import Atom, Bond, Facts, IdentityKey, Pair, Suggestion
from shared.bus.cloudevents import In
from shared.contract.errors import Refusal
from shared.contract.identities import PHONE, shared_beyond

MOST: Final = 64  # customers of one person: all of them are locked at once
SUGGESTED: Final = 50  # of one customer: strangers may name an address as often as they like


def pair_of(one: uuid.UUID, other: uuid.UUID) -> Pair:
    return Pair(*sorted((one, other)))


def prove(
    facts: Facts, record: In, addresses: tuple[IdentityKey, IdentityKey], *, reason: str, about: dict[str, Any]
) -> None:
    """Both are one person's: at once, unless somebody parted them, one is shared by many, or the person has too many already."""
    a, b = (facts.homes[address] for address in addresses)
    pair = pair_of(a, b)
    if a == b or (pair, "proved") in facts.bonds or facts.atoms[a].shared or facts.atoms[b].shared:
        return
    p, q = facts.persons[a], facts.persons[b]
    if p != q and vetoes_between(facts, p, q):
        suggest(facts, record, a, b, reason=f"{reason}, but they were parted")
    elif p != q and is_anothers(facts, *addresses):
        suggest(facts, record, a, b, reason=f"{reason}, but it was somebody else's there")
    elif is_too_many(facts, p, q):
        suggest(facts, record, a, b, reason=f"{reason}, but one person has {MOST} addresses at the most")
    else:
        join(facts, record, pair, "proved", reason=reason, about=about)
        for address in addresses:
            check_shared(facts, record, address)


def is_anothers(facts: Facts, own: IdentityKey, other: IdentityKey) -> bool:
    """Whether a number is proved to be somebody else's who is known at the same place: numbers are given to others, who must not
    have what the one before them wrote. A row from before kinds had an account counts, by its channel.
    """
    if other.kind != PHONE and not (other.kind == own.kind and other.value.isdecimal()):
        return False
    home, kinds = facts.homes[other], {own.kind, own.kind.partition(":")[0]}
    near = {home, *(end for one in live(facts) if one.source == "proved" and home in one.pair for end in one.pair)}
    others = (one for end in near for one in facts.addresses.get(end, ()))
    return any(one.kind in kinds and one.value not in {own.value, other.value} for one in others)


def ask(facts: Facts, record: In, a: uuid.UUID, b: uuid.UUID, *, reason: str, about: dict[str, Any]) -> bool:
    """Somebody's word, which lifts what parted them, and stands beside a proof; whether nobody had said it. Raises Refusal where the
    person would have too many addresses.
    """
    p, q = facts.persons[a], facts.persons[b]
    if is_too_many(facts, p, q):
        raise Refusal("refused", f"one person has {MOST} addresses at the most")
    known = facts.bonds.get((pair_of(a, b), "asked"))
    if a == b or (known and known.live):
        return False
    for veto in vetoes_between(facts, p, q) if p != q else ():
        facts.vetoes[veto] = None
        facts.remarked.add(veto)
    join(facts, record, pair_of(a, b), "asked", reason=reason, about=about)
    return True


def is_too_many(facts: Facts, p: uuid.UUID, q: uuid.UUID) -> bool:
    return p != q and len(facts.members(p)) + len(facts.members(q)) > MOST


def join(
    facts: Facts, record: In, pair: Pair, source: Literal["proved", "asked"], *, reason: str, about: dict[str, Any]
) -> None:
    """The bond, between the customers of these very addresses; where two persons become one, each who is another's now is told."""
    p, q = (facts.persons[one] for one in pair)
    young, old = sorted((p, q), key=lambda one: facts.atoms[one].age, reverse=True)
    shape = max(facts.atoms[p].shape, facts.atoms[q].shape) + 1
    moved = facts.members(young) if p != q else []
    for one in {*moved, *facts.members(old)}:
        reshape(facts.atoms[one], facts, shape, old)
    facts.bonds[pair, source] = Bond(pair, source, shape, reason, record.id, facts.now, changed=True)
    for known in facts.suggestions:
        if {facts.persons.get(known.a), facts.persons.get(known.b)} == {old}:
            answer(facts, known)
    facts.regroup()
    if moved or source == "asked":
        told = {"into": old, "customers": facts.members(old), "bond": list(pair), "source": source, "reason": reason}
        for one in (*moved, old):
            tell_customer(facts, record, facts.atoms[one], "customer.merged", told | about)


def reshape(atom: Atom, facts: Facts, shape: int, person: uuid.UUID) -> None:
    atom.shape, atom.person, atom.changed = shape, person, True
    facts.persons[atom.id] = person


def check_shared(facts: Facts, record: In, address: IdentityKey) -> None:
    """An address that is proved to be more people's than one person has accounts: all that it proved is cut, not the latest only."""
    atom = facts.atoms[facts.homes[address]]
    proved = [one for one in live(facts) if one.source == "proved" and atom.id in one.pair]
    if len(proved) > shared_beyond(address.kind):
        atom.shared = atom.changed = True
        cut(facts, record, proved, reason=f"more people than one use the same {address.kind}", about={})


def live(facts: Facts, among: Collection[uuid.UUID] | None = None) -> list[Bond]:
    """The bonds that hold, oldest first."""
    found = (one for one in facts.bonds.values() if one.live and (among is None or set(one.pair) <= set(among)))
    return sorted(found, key=lambda one: (one.n, one.pair, one.source))


class Groups:
    """Who hangs together."""

    def __init__(self, atoms: Iterable[uuid.UUID], bonds: Iterable[Bond] = ()) -> None:
        self._up = {one: one for one in atoms}
        for bond in bonds:
            self.join(bond)

    def top(self, one: uuid.UUID) -> uuid.UUID:
        while self._up[one] != one:
            one = self._up[one]
        return one

    def ends(self, pair: Pair) -> set[uuid.UUID]:
        return {self.top(one) for one in pair}

    def join(self, bond: Bond) -> bool:
        """Whether there are fewer groups now."""
        a, b = map(self.top, bond.pair)
        self._up[a] = b
        return a != b


def split(facts: Facts, record: In, customer: uuid.UUID, *, reason: str, about: dict[str, Any]) -> None:
    """Undo what joined this customer to the oldest, or of the oldest what joined anybody last, and every later bond over the same
    seam; whoever came later stays with whom they came by first. Raises Refusal where nothing was ever joined.
    """
    person = facts.persons[customer]
    atoms = facts.members(person)
    bonds = live(facts, atoms)
    seam = last_joined(Groups(atoms), bonds) if customer == person else joined(Groups(atoms), bonds, {customer, person})
    if seam is None:
        raise Refusal("refused", "this customer was never merged with another")
    standing = Groups(atoms, bonds[: bonds.index(seam)])
    apart = [seam]
    for bond in bonds[bonds.index(seam) + 1 :]:
        if standing.ends(bond.pair) == standing.ends(seam.pair):
            apart.append(bond)
        else:
            standing.join(bond)
    cut(facts, record, apart, reason=reason, about=about, veto=True)


def last_joined(groups: Groups, bonds: Sequence[Bond]) -> Bond | None:
    return next((bond for bond in reversed([bond for bond in bonds if groups.join(bond)])), None)


def joined(groups: Groups, bonds: Sequence[Bond], both: set[uuid.UUID]) -> Bond | None:
    """The one by which both hang together."""
    return next((bond for bond in bonds if groups.join(bond) and len(set(map(groups.top, both))) == 1), None)


def cut(
    facts: Facts, record: In, bonds: Sequence[Bond], *, reason: str, about: dict[str, Any], veto: bool = False
) -> None:
    """These hold no more. `veto`: nor will a proof ever join the two again."""
    atoms = sorted({m for bond in bonds for end in bond.pair for m in facts.members(facts.persons[end])})
    for bond in bonds:
        bond.live, bond.cut_by, bond.cut_at, bond.changed = False, record.id, facts.now, True
        if veto:
            part(facts, bond.pair, reason)
    was = {one: facts.persons[one] for one in atoms}
    shape = max(facts.atoms[one].shape for one in atoms) + 1
    top = Groups(atoms, live(facts, atoms)).top
    for one in atoms:
        oldest = min((each for each in atoms if top(each) == top(one)), key=lambda each: facts.atoms[each].age)
        reshape(facts.atoms[one], facts, shape, oldest)
    facts.regroup()
    torn = {was[one] for one in atoms if facts.persons[one] != was[one]}
    for one in atoms:
        into = facts.persons[one]
        if into != was[one] or one in torn:
            told = {"into": into, "customers": facts.members(into), "reason": reason}
            tell_customer(facts, record, facts.atoms[one], "customer.split", told | about)


def part(facts: Facts, pair: Pair, reason: str) -> None:
    """No proof joins them."""
    facts.vetoes[pair] = reason
    facts.remarked.add(pair)
    answer(facts, pair)


def answer(facts: Facts, pair: Pair) -> None:
    """What was suggested of them is done with, and never suggested again."""
    if (known := facts.suggestions.get(pair)) and known.is_open:
        facts.suggestions[pair] = known._replace(is_open=False)
        facts.remarked.add(pair)


def vetoes_between(facts: Facts, p: uuid.UUID, q: uuid.UUID) -> list[Pair]:
    """What parts these persons."""
    return [
        pair
        for pair, reason in facts.vetoes.items()
        if reason is not None and {facts.persons.get(pair.a), facts.persons.get(pair.b)} == {p, q}
    ]


def suggest(facts: Facts, record: In, a: uuid.UUID, b: uuid.UUID, *, reason: str, is_open: bool = True) -> None:
    """Told to both, once: somebody may merge them or say that they are two. Not `is_open`: somebody has."""
    pair = pair_of(a, b)
    if pair in facts.suggestions or any(suggested_of(facts, one) >= SUGGESTED for one in pair):
        return
    facts.suggestions[pair] = Suggestion(reason, is_open)
    facts.remarked.add(pair)
    if not is_open:
        return
    for one, other in ((facts.persons[a], facts.persons[b]), (facts.persons[b], facts.persons[a])):
        told = {"other": other, "pair": list(pair), "reason": reason}
        tell_customer(facts, record, facts.atoms[one], "customer.suggested", told)


def suggested_of(facts: Facts, one: uuid.UUID) -> int:
    return sum(one in pair for pair in facts.suggestions)
