"""Whoever reads the compacted topics and the events knows what the router knows: examples/view.py, after all that may happen."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path
from types import ModuleType
from typing import Any

import orjson
import pytest

from services.router.batch.snapshots import KINDS, Snapshots
from services.router.fold.events import dump
from shared.bus.produce import Publisher
from shared.contract.events import ConversationState
from shared.contract.records import CONVERSATIONS, CUSTOMERS, EVENTS
from shared.contract.requests import Merge, Split
from tests.patience import until
from tests.promises.house import Customer, House, records_of
from tests.promises.test_retention import age, removing, to_the_end

FILE = Path(__file__).parents[2] / "examples" / "view.py"
STEPS = 40


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("view", FILE)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
async def _nothing_left(house: House) -> None:
    """What other tests have left to be published is none of these."""
    await house.pool.execute("DELETE FROM outbox")


class Life:
    """Two routers that commit, publish, or die in between, while somebody tells how things are."""

    def __init__(self, house: House, seed: int) -> None:
        self.house, self.chance = house, random.Random(seed)
        tenant = Customer().tenant
        self.customers = [Customer(tenant, peer) for peer in ("ann", "bob", "cho", "dan")]
        self.tellers = [self._begin() for _ in range(2)]

    def _begin(self) -> Any:
        router, publisher = self.house.another_router(), Publisher(self.house.producer)
        return router, Snapshots(self.house.settings, self.house.pool, publisher, router._outbox.name)

    async def go_on(self, step: int) -> None:
        place = self.chance.randrange(2)
        router, telling = self.tellers[place]
        customer = self.chance.choice(self.customers)
        match self.chance.randrange(9):
            case 0:
                await self.house.take(customer.says(minutes=step), router=router)
                self.tellers[place] = self._begin()  # killed behind its commit
            case 1 | 2:
                await telling.tell()
            case 3 if known := await self.house.conversations(customer):
                await self.house.handle(customer.reply(self.chance.choice(known)), router=router)
            case 4 | 5 if len(known := await self.house.persons(customer)) > 1:
                word = Merge(tenant=customer.tenant, customers=tuple(self.chance.sample(known, 2)), reason="one person")
                await self.house.handle(word, router=router)
            case 6 if known := await self.house.persons(customer):
                word = Split(tenant=customer.tenant, customer=self.chance.choice(known), reason="two")
                await self.house.handle(word, router=router)
            case _:
                await self.house.handle(customer.says(minutes=step), router=router)

    async def end(self) -> None:
        """Whatever is left behind is published by somebody."""
        _, heir = self._begin()
        await self.house.sweeper.sweep(older_than=0)

        async def is_told() -> bool:
            for kind in KINDS:
                await heir.adopt(kind, silent=-1)
            await heir.tell()
            return not await self.house.pool.fetchval("SELECT EXISTS (SELECT FROM untold)")

        await until(is_told)


async def read(house: House, example: ModuleType, *, compacted: bool) -> Any:
    """The view of somebody who begins now; `compacted`: of the states only the last record of each key is left."""
    view = example.View()
    for topic in (*(kind.topic for kind in KINDS), EVENTS):
        records = await records_of(house.settings, topic)
        if compacted and topic != EVENTS:
            records = list({record.key: record for record in records}.values())
        for record in records:
            kind = dict(record.headers).get("ce_type", b"").decode()
            view.take(topic, record.key.decode(), kind, record.value)
    return view


COLUMNS = {"home": "customer_id", "version": "last_sequence"}


async def stands(house: House, customer: Customer) -> dict[str, Any]:
    """What the router's table says of somebody's conversations, as a reader of JSON sees it."""
    rows = await house.pool.fetch("SELECT * FROM conversation WHERE tenant = $1", customer.tenant)
    fields = {name: COLUMNS.get(name, name) for name in ConversationState.model_fields}
    known = {row["id"]: dict(row) | {"braked_until": (row["brake"] or {}).get("until")} for row in rows}
    return {str(key): as_json({name: row[column] for name, column in fields.items()}) for key, row in known.items()}


async def known_people(house: House, customer: Customer) -> dict[str, Any]:
    """What the tables say of whoever is known in this tenant."""
    found = {}
    for row in await house.pool.fetch("SELECT * FROM customer WHERE tenant = $1", customer.tenant):
        own = await house.pool.fetch(
            "SELECT kind, value AS address FROM identity WHERE customer_id = $1 ORDER BY 1, 2", row["id"]
        )
        about = {"version": row["last_sequence"], "merged_into": row["merged_into"], "identities": [*map(dict, own)]}
        found[str(row["id"])] = as_json({"id": row["id"], "tenant": row["tenant"], **about})
    return found


def of(states: dict[str, Any], customer: Customer) -> dict[str, Any]:
    return {key: state for key, state in states.items() if state["tenant"] == customer.tenant}


def as_json(known: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in orjson.loads(dump(known)).items() if value is not None}


@pytest.mark.parametrize("seed", range(3))
async def test_the_view_is_what_the_router_knows(house: House, example: ModuleType, seed: int) -> None:
    life = Life(house, seed)
    house.allows(life.customers[0])
    for step in range(STEPS):
        await life.go_on(step)
    await life.end()
    for compacted in (False, True):
        view = await read(house, example, compacted=compacted)
        customer = life.customers[0]
        assert of(view.states[CONVERSATIONS], customer) == await stands(house, customer)
        people = await known_people(house, customer)
        assert of(view.states[CUSTOMERS], customer) == people
        assert {view.person(one) for one in people} == {one for one in people if "merged_into" not in people[one]}
        for one in (*await house.conversations(customer), *await house.persons(customer)):
            told = [event["sequence"] for event in view.stories.get(str(one), ())]
            assert told == [event["sequence"] for event in await house.story(one)]


async def test_what_is_gone_is_in_nobodys_view(house: House, example: ModuleType) -> None:
    life = Life(house, 0)
    stays, goes = Customer(), Customer()
    for customer in (stays, goes):
        await house.handle(customer.says())
    await life.end()
    (conversation,) = await house.conversations(goes)
    await age(house, conversation)
    await to_the_end(removing(house, goes).conversations)
    await life.end()
    view = await read(house, example, compacted=True)
    tenants = {state["tenant"] for state in view.states[CONVERSATIONS].values()}
    assert (stays.tenant in tenants, goes.tenant in tenants) == (True, False)


async def test_who_became_one_person_after_they_were_told_is_told_again(house: House, example: ModuleType) -> None:
    life = Life(house, 0)
    ann, bob = life.customers[:2]
    for customer in (ann, bob):
        await house.handle(customer.says())
    await life.end()
    await house.handle(Merge(tenant=ann.tenant, customers=tuple(await house.persons(ann)), reason="one person"))
    await life.end()
    people = await known_people(house, ann)
    assert sum("merged_into" in one for one in people.values()) == 1
    assert of((await read(house, example, compacted=True)).states[CUSTOMERS], ann) == people
