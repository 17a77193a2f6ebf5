"""Plans (docs/architecture.md, Time) as a model: inputs that lag, adapters that stall or die, crashes and two who look, around the router's own rules."""

from __future__ import annotations

import copy
import random
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from services.router.fold import fallback
from services.router.fold.alarms import Fired, record_of
from services.router.fold.facts import AlarmKey, Atom, Facts, Fallback, IdentityKey
from services.router.fold.rules import decide
from shared.bus.cloudevents import In
from shared.contract.deliveries import Outbound, Withdraw
from shared.contract.envelope import Party, Text, requested_id
from shared.contract.requests import Cancel, Hop, Send
from tests.promises.house import CAPABILITIES, NOON, Customer, as_read

HISTORIES = 120
T = 60.0
LASTS = 2000.0  # seconds of a history: every plan has ended by then
ADDRESSES = {"main": "ann", "other": "ann.k", "third": "ann.t"}
ANN = Customer("t")
PLAN = requested_id("t", "r-1")


@dataclass
class Rules:
    """What makes it right outside the fold, each of which can be broken."""

    waits_for_the_ends: bool = True
    looks_again: bool = True


@dataclass
class Lane:
    """A message at its adapter. `begins`: when its turn comes, None: never, the adapter is dead."""

    order: Outbound
    queued: float
    begins: float | None
    begun: float | None = None
    over: bool = False
    cancelled: bool = False


@dataclass
class World:
    """Committed facts, Kafka's inputs with how far each is read, lanes, and a clock."""

    chance: random.Random
    rules: Rules
    now: float = 0.0
    facts: Facts = field(default_factory=lambda: Facts(NOON))
    alarms: dict[AlarmKey, datetime] = field(default_factory=dict)
    inputs: dict[str, list[tuple[float, In]]] = field(
        default_factory=lambda: {"inbound": [], "delivery": [], "requests": []}
    )
    read: dict[str, int] = field(default_factory=lambda: {"inbound": 0, "delivery": 0, "requests": 0})
    later: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    lanes: dict[uuid.UUID, Lane] = field(default_factory=dict)
    told: list[tuple[str, str]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def moment(self) -> datetime:
        return NOON + timedelta(seconds=self.now)

    def produce(self, topic: str, record: In) -> None:
        self.inputs[topic].append((self.now, record))

    def at(self, moment: float, what: Callable[[], None]) -> None:
        self.later.append((moment, what))

    # the router -------------------------------------------------------------------------------------------------------

    def snapshot(self) -> Facts:
        found = copy.deepcopy(self.facts)
        found.now = self.moment()
        found.standing = dict(self.alarms)
        return found

    def transaction(self, record: In, facts: Facts, *, upto: float | None = None) -> bool:
        """One record; whether it was committed: a crash before that leaves nothing."""
        facts.fresh = {requested_id("t", record.id), getattr(record.model, "id", PLAN)}
        decide(facts, record)
        if self.chance.random() < 0.1:
            return False
        emissions, facts.emissions = facts.emissions, []
        for key in facts.rung:
            self.alarms.pop(key, None)
        for key, due in facts.alarms.items():
            self.alarms[key] = min(due, self.alarms.get(key, due))
        facts.rung, facts.alarms, facts.fleeting = set(), {}, []
        self.facts = facts
        for one in emissions:
            if one.name == "outbound":
                self.take_order(Outbound.model_validate_json(one.value), upto)
            elif one.name == "outbound.cancel":
                message = Withdraw.model_validate_json(one.value).message
                self.at(self.now + self.chance.uniform(0, 20), lambda message=message: self.cancel(message))  # type: ignore[misc]
            self.told.append((one.name, record.id))
        return True

    def round(self) -> None:
        """A time, then the ends of all inputs; what is due by then once they are read."""
        upto, ends = self.now, {topic: len(log) for topic, log in self.inputs.items()}
        if not any(due <= self.moment() for due in self.alarms.values()):
            return

        def fire() -> None:
            if self.rules.waits_for_the_ends and any(self.read[topic] < end for topic, end in ends.items()):
                return self.at(self.now + 1, fire)
            for key in [key for key, due in self.alarms.items() if due <= NOON + timedelta(seconds=upto)]:
                record = record_of(Fired(key.entity, key.kind, NOON + timedelta(seconds=upto)))
                before = self.snapshot()
                self.transaction(record, self.snapshot(), upto=upto)
                if self.chance.random() < 0.3:  # another replica had the same candidate
                    self.transaction(record, self.snapshot() if self.rules.looks_again else before, upto=upto)
            return None

        fire()

    def step(self, topic: str) -> None:
        """The next record of a partition, if it is not behind at the moment."""
        if self.read[topic] < len(self.inputs[topic]):
            record = self.inputs[topic][self.read[topic]][1]
            if self.transaction(record, self.snapshot()):
                self.read[topic] += 1

    # the adapter --------------------------------------------------------------------------------------------------------

    def take_order(self, order: Outbound, upto: float | None) -> None:
        """Queued: nothing before it may begin any more, and nobody has answered by the time of the round."""
        if order.id in self.lanes:
            self.wrong.append("a way twice")
            return
        for lane in self.lanes.values():
            settled = lane.over or lane.cancelled
            if not settled and self.now - lane.queued < T:
                self.wrong.append("the next way before the time of the last was over")
        if upto is not None and any(moment <= upto for moment, _ in self.inputs["inbound"]):
            self.wrong.append("a way after an answer")
        dice = self.chance.random()
        stall = None if dice < 0.15 else self.chance.choice((1.0, 5.0, T + 5, 3 * T, 500.0, 700.0))
        self.lanes[order.id] = Lane(order, self.now, None if stall is None else self.now + stall)
        if stall is not None:
            self.at(self.now + stall, lambda: self.begin(order.id))

    def begin(self, message: uuid.UUID) -> None:
        lane = self.lanes[message]
        if lane.cancelled or lane.over:
            return None
        if lane.order.not_after and self.moment() > lane.order.not_after:
            lane.over = True
            return self.report(message, "expired", 1)
        newer = [other for other in self.lanes.values() if other.queued > lane.queued]
        if newer:
            self.wrong.append("two ways at once")
        lane.begun = self.now
        took = self.chance.uniform(0, 100)
        outcome = self.chance.choice(("sent", "sent", "sent", "unknown", "failed"))
        lane.over = outcome == "failed"
        self.report(message, outcome, took)
        if outcome != "failed" and self.chance.random() < 0.5:
            self.report(message, self.chance.choice(("delivered", "read")), took + self.chance.uniform(0, 2 * T))
        if outcome != "failed" and self.chance.random() < 0.5:
            self.at(self.now + self.chance.uniform(0, 3 * T), self.answer)
        return None

    def cancel(self, message: uuid.UUID) -> None:
        lane = self.lanes[message]
        if lane.begun is None and not lane.over and lane.begins is not None and self.chance.random() < 0.8:
            lane.cancelled = True
            self.report(message, "cancelled", 1)

    def report(self, message: uuid.UUID, status: str, after: float) -> None:
        def tell() -> None:
            account = self.lanes[message].order.account
            found = ANN.report(message, status).model_copy(update={"account": account, "occurred_at": self.moment()})
            self.produce("delivery", as_read(found))

        self.at(self.now + after, tell)

    def answer(self) -> None:
        account = self.chance.choice(list(ADDRESSES))
        said = ANN.says(account=account, peer=ADDRESSES[account], sender=Party(address=ADDRESSES[account]))
        self.produce("inbound", as_read(said))


def beginning(seed: int, rules: Rules) -> World:
    """Ann is one person at three accounts."""
    world = World(random.Random(seed), rules)
    facts, first = world.facts, uuid.UUID(int=1)
    for number, (account, address) in enumerate(ADDRESSES.items(), 1):
        own, key = uuid.UUID(int=number), IdentityKey("t", f"webhook:{account}", address)
        facts.homes[key], facts.customers[key], facts.persons[own] = own, first, first
        facts.atoms[own] = Atom(own, "t", first, 1, NOON)
    facts.capabilities = {("t", "webhook", account): CAPABILITIES for account in ADDRESSES}
    return world


def live(seed: int, rules: Rules) -> World:
    """A message with two other ways; a cancel now and then."""
    world = beginning(seed, rules)
    chance = world.chance
    unless = chance.choice(("sent", "delivered", "read", "answered"))
    hops = [
        Hop(channel="webhook", account=one, address=ADDRESSES[one], unless=unless, within=int(T))
        for one in ("other", "third")
    ]
    here = {"tenant": "t", "channel": "webhook", "account": "main", "address": "ann"}
    world.produce("requests", as_read(Send(**here, parts=(Text(text="hello"),), fallback=hops), id_="r-1"))
    if chance.random() < 0.3:
        cancel = as_read(Cancel(tenant="t", message=PLAN), id_="c-1")
        world.at(chance.uniform(2, 3 * T), lambda: world.produce("requests", cancel))
    until = dict.fromkeys(world.inputs, 0.0)
    while world.now < LASTS:
        due = [one for one in world.later if one[0] <= world.now]
        world.later = [one for one in world.later if one[0] > world.now]
        for _, what in due:
            what()
        for topic in world.inputs:
            if world.now >= until[topic]:
                world.step(topic)
                if chance.random() < 0.02:
                    until[topic] = world.now + chance.choice((10.0, 2 * T))  # the partition stands still
        if chance.random() < 0.5:
            world.round()
        quiet = not world.later and all(world.read[topic] == len(log) for topic, log in world.inputs.items())
        world.now += 5.0 if quiet else 1.0
        if quiet and not world.alarms:
            break
    return world


def wrong(world: World) -> list[str]:
    said = list(world.wrong)
    plan: Fallback | None = world.facts.fallbacks.get(PLAN)
    if plan is None or plan.ended_at is None:
        said.append("a plan that never ends")
    if sum(name == "plan.ended" for name, _ in world.told) > 1:
        said.append("ended twice")
    asked = any(record.id == "c-1" for _, record in world.inputs["requests"])
    answers = [name for name, cause in world.told if cause == "c-1" and name.startswith("request.")]
    if asked and len(answers) != 1:
        said.append(f"a cancel with {len(answers)} answers")
    return said


def broken(rules: Rules) -> Iterator[tuple[int, list[str]]]:
    for seed in range(HISTORIES):
        if said := wrong(live(seed, rules)):
            yield seed, said


def test_whatever_happens_one_way_is_taken_at_a_time_and_none_after_an_answer() -> None:
    assert list(broken(Rules())) == []


@pytest.mark.parametrize("name", ["waits_for_the_ends", "looks_again"])
def test_a_rule_that_is_broken_shows(name: str) -> None:
    assert next(broken(Rules(**{name: False})), None), f"{HISTORIES} histories that are right all the same"


def answers_are_overlooked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(fallback, "answered", lambda *_: None)


def a_lane_may_wake_whenever(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(fallback, "ends_at", lambda *_: None)


def judged(patch: pytest.MonkeyPatch, change: Callable[[fallback.Verdict], fallback.Verdict]) -> None:
    whole = fallback.verdict
    patch.setattr(fallback, "verdict", lambda facts, plan: change(whole(facts, plan)))


def nothing_is_withdrawn(patch: pytest.MonkeyPatch) -> None:
    judged(patch, lambda found: found._replace(what="next") if found.what == "withdraw" else found)


def the_unknown_has_failed(patch: pytest.MonkeyPatch) -> None:
    judged(patch, lambda found: found._replace(due=NOON) if found.why == "unknown" else found)


def no_bound(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(fallback, "CALL", timedelta(days=1))


def it_is_looked_at_too_early(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(fallback, "is_due", lambda *_: True)


@pytest.mark.parametrize(
    "rule",
    [
        answers_are_overlooked,
        a_lane_may_wake_whenever,
        nothing_is_withdrawn,
        the_unknown_has_failed,
        no_bound,
        it_is_looked_at_too_early,
    ],
    ids=lambda one: one.__name__,
)
def test_a_decision_that_is_broken_shows(
    rule: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    rule(monkeypatch)
    assert next(broken(Rules()), None), f"{HISTORIES} histories that are right all the same"
