"""Persons (docs/architecture.md) as a model: random interleavings, crashes and repeats around the router's own rules, hundreds of times."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import datetime
from typing import Any

import pytest

from services.router.batch import service
from services.router.batch.needs import Needs
from services.router.fold import bonds, identity, outbound, rules as fold
from services.router.fold.erasure import erase
from services.router.fold.facts import Bond, Facts, IdentityKey
from shared.bus.cloudevents import In
from shared.contract.requests import Erase, Merge, Split
from tests.promises.persons import (
    ADDRESSES,
    PEOPLE,
    Rules,
    Tables,
    asks,
    beginning,
    erases,
    home,
    live,
    partition,
    proves,
    some,
    wrong,
)

HISTORIES = 150


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A phone that is proved to be more than two's is shared."""
    monkeypatch.setattr(bonds, "shared_beyond", lambda kind: 2 if kind == "phone" else 60)


def everything(seed: int, rules: Rules) -> list[str]:
    """Any records in any order, repeats among them."""
    chance, tables = random.Random(seed), beginning()
    records = some(chance, chance.randint(6, 16))
    live(tables, [*records, *chance.sample(records, 3)], rules, chance)
    return wrong(tables)


def undo(seed: int, rules: Rules) -> list[str]:
    """A merge, proofs over its seam meanwhile and after, then the split: everybody is who they were."""
    chance, tables = random.Random(seed), beginning()
    live(tables, some(chance, chance.randint(2, 8)), rules, chance)
    before = partition(tables)
    one, other = (home(address) for address in chance.sample(ADDRESSES[:-1], 2))
    if before[one] == before[other]:
        return wrong(tables)
    live(tables, [asks(Merge(tenant="t", customers=(one, other), reason="x"), 100)], rules, chance)
    live(tables, over_the_seam(chance, before, before[one], before[other], 200), rules, chance)
    young = max(before[one], before[other], key=lambda each: tables.atoms[each].age)
    live(tables, [asks(Split(tenant="t", customer=young, reason="x"), 300)], rules, chance)
    live(tables, over_the_seam(chance, before, before[one], before[other], 400), rules, chance)
    return wrong(tables) + (["not as before"] if partition(tables) != before else [])


def farewell(seed: int, rules: Rules) -> list[str]:
    """Erasures among it all, of whoever comes back as well; then every record once more."""
    chance, tables = random.Random(seed), beginning()
    records = some(chance, 20)
    chance.shuffle(records)
    for generation in range(4):
        news = records[generation * 5 : generation * 5 + 5]
        asked = erases(chance, 2, generation, 20) if generation < 3 else []
        records += asked
        live(tables, [*news, *asked], rules, chance)
    said, before = wrong(tables), rows(tables)
    live(tables, records, rules, chance)
    return said + (["a replay changes who is known"] if rows(tables) != before else [])


def rows(tables: Tables) -> tuple[object, ...]:
    return deepcopy((tables.homes, tables.graves, tables.atoms, tables.bonds, tables.vetoes, len(tables.kafka)))


def over_the_seam(
    chance: random.Random, before: dict[uuid.UUID, uuid.UUID], one: uuid.UUID, other: uuid.UUID, first: int
) -> list[In]:
    """They prove to be each other, by addresses of their own."""
    sides = [[name for name in PEOPLE if before[home_of(name)] == side] for side in (one, other)]
    if not all(sides):
        return []
    return [proves(chance.choice(sides[0]), address_of(chance.choice(sides[1])), first + n) for n in range(2)]


def address_of(name: str) -> IdentityKey:
    return next(address for address in ADDRESSES if address.value == name)


def home_of(name: str) -> uuid.UUID:
    return home(address_of(name))


def confluence(seed: int, rules: Rules) -> list[str]:
    """The same proofs and words in another order, by other interleavings: the same persons."""
    ends = []
    for turn in range(2):
        chance, tables = random.Random(seed), beginning()
        records = [one for one in some(chance, 30) if not isinstance(one.model, Split) and "unlink" not in one.name][:8]
        order = random.Random(seed * 2 + turn)
        order.shuffle(records)
        live(tables, records, rules, order)
        ends.append(partition(tables))
        said = wrong(tables)
    return said + (["order decides"] if ends[0] != ends[1] else [])


def broken(history: Callable[[int, Rules], list[str]], rules: Rules) -> Iterator[tuple[int, list[str]]]:
    for seed in range(HISTORIES):
        if said := history(seed, rules):
            yield seed, said


@pytest.mark.parametrize("history", [everything, undo, confluence, farewell], ids=lambda one: one.__name__)
def test_whatever_happens_in_whatever_order_everybody_is_the_oldest_of_their_evidence(
    history: Callable[[int, Rules], list[str]],
) -> None:
    assert list(broken(history, Rules())) == []


@pytest.mark.parametrize(
    ("history", "name"),
    [
        (everything, "looks_again"),
        (everything, "sends_what_others_left"),
        (farewell, "keeps_the_latest_mark"),
    ],
)
def test_a_rule_that_is_broken_shows(history: Callable[[int, Rules], list[str]], name: str) -> None:
    rules = Rules(**{name: False})
    assert next(broken(history, rules), None), f"{HISTORIES} histories that are right all the same"


def no_veto(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(bonds, "part", lambda *_: None)


def only_the_seam_is_cut(patch: pytest.MonkeyPatch) -> None:
    whole = bonds.cut

    def first(facts: Facts, record: In, found: list[Bond], **how: Any) -> None:
        whole(facts, record, found[:1] if how.get("veto") else found, **how)

    patch.setattr(bonds, "cut", first)


def only_the_last_proof_is_cut(patch: pytest.MonkeyPatch) -> None:
    whole = bonds.cut

    def last(facts: Facts, record: In, found: list[Bond], **how: Any) -> None:
        whole(facts, record, found if how.get("veto") else found[-1:], **how)

    patch.setattr(bonds, "cut", last)


def only_who_is_named_goes(patch: pytest.MonkeyPatch) -> None:
    def one(facts: Facts, record: In, asked: Erase) -> None:
        with patch.context() as inside:
            inside.setattr(Facts, "members", lambda *_: [asked.customer])
            erase(facts, record, asked)

    patch.setitem(outbound.OF_PERSONS, Erase, one)


def an_erasure_shares_its_transaction(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(service, "_apart", lambda records, start, end: [(records, start, end)])


def what_is_old_makes_somebody_known(patch: pytest.MonkeyPatch) -> None:
    whole = Needs.born

    def any_time(needs: Needs, address: IdentityKey, fresh: set[uuid.UUID], _: datetime | None) -> datetime | None:
        return whole(needs, address, fresh, None)

    patch.setattr(Needs, "born", any_time)


def what_is_old_is_proved(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(fold, "living", lambda _facts, claims, _at: list(claims))


def whoever_comes_back_has_the_same_id(patch: pytest.MonkeyPatch) -> None:
    whole = identity.new_customer
    patch.setattr(identity, "new_customer", lambda secret, address, _generation=0: whole(secret, address))


@pytest.mark.parametrize(
    ("history", "rule"),
    [
        (undo, no_veto),
        (undo, only_the_seam_is_cut),
        (confluence, only_the_last_proof_is_cut),
        (farewell, only_who_is_named_goes),
        (farewell, an_erasure_shares_its_transaction),
        (farewell, what_is_old_makes_somebody_known),
        (farewell, what_is_old_is_proved),
        (farewell, whoever_comes_back_has_the_same_id),
    ],
    ids=lambda one: one.__name__,
)
def test_a_decision_that_is_broken_shows(
    history: Callable[[int, Rules], list[str]],
    rule: Callable[[pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rule(monkeypatch)
    assert next(broken(history, Rules()), None), f"{HISTORIES} histories that are right all the same"


def test_a_history_is_told_by_its_seed_alone() -> None:
    assert tables_of(7).kafka == tables_of(7).kafka != []


def tables_of(seed: int) -> Tables:
    chance, tables = random.Random(seed), beginning()
    live(tables, some(chance, 12), Rules(), chance)
    return tables
