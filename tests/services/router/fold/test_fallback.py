"""Other ways to the same person: one after the other, behind everything that Kafka had before, until one does what was wanted or they answer."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.router.batch.together import Batch
from services.router.fold.alarms import Fired, record_of
from services.router.fold.facts import Facts
from services.router.fold.fallback import WAY
from shared.contract.envelope import Assessment, Party, Proof, Text, requested_id
from shared.contract.requests import Cancel, Erase, Hop, Send, Split
from tests.promises.house import CAPABILITIES, Customer, House, as_read
from tests.services.router.fold.test_handovers import told
from tests.services.router.fold.test_scheduled import orders, said

T = 60  # seconds


class Desk:
    """Ann, who writes to `main`; at `other` the account's people are called otherwise."""

    async def open(self, house: House) -> Desk:
        self.house, self.customer = house, Customer()
        for account in ("main", "other"):
            house.directory.capabilities[self.customer.tenant, "webhook", account] = CAPABILITIES
        self.conversation = await house.opened(self.customer)
        return self

    def hop(self, **more: Any) -> Hop:
        return Hop(**{"channel": "webhook", "account": "other", "address": "ann.k", "within": T} | more)

    async def asks(self, *hops: Hop, id_: str = "r-1", **more: Any) -> Facts:
        asked = self.customer.reply(self.conversation, fallback=hops, **more)
        return await self.house.take(as_read(asked, id_=id_))

    @property
    def plan(self) -> uuid.UUID:
        return requested_id(self.customer.tenant, "r-1")

    def step(self, number: int) -> uuid.UUID:
        return requested_id(self.customer.tenant, f"plan/{self.plan}/{number}") if number else self.plan

    async def fires(self, seconds: float = 0, plan: uuid.UUID | None = None) -> Facts:
        """So many seconds from now, as far as the round can tell."""
        upto = await self.house.pool.fetchval("SELECT clock_timestamp()") + timedelta(seconds=seconds)
        fired = record_of(Fired(plan or self.plan, WAY, upto))
        facts, _ = await self.house.router._commit([Batch("", 0, 0, [fired], 0, 0)])
        return facts

    async def reports(self, step: int, status: str, **more: Any) -> Facts:
        account = "other" if step else "main"
        found = self.customer.report(self.step(step), status, f"p{step}").model_copy(update={"account": account} | more)
        return await self.house.take(found)

    async def says(self, account: str = "main", peer: str = "ann", **more: Any) -> Facts:
        return await self.house.take(self.customer.says(account=account, peer=peer, sender=Party(address=peer), **more))

    async def state(self) -> tuple[int, str | None]:
        row = await self.house.pool.fetchrow("SELECT step, why FROM fallback WHERE id = $1", self.plan)
        return row["step"], row["why"]


def of_plan(facts: Facts) -> list[tuple[Any, ...]]:
    """What is told of the plan: its type, its step, why, and a way's failure."""
    found = [one for one in told(facts) if one["type"].startswith("plan.")]
    return [
        tuple(filter(None, (one["type"], one.get("step"), one.get("why"), one.get("failure", {}).get("code"))))
        for one in found
    ]


@pytest.fixture
async def desk(house: House) -> Desk:
    return await Desk().open(house)


async def test_the_next_way_is_taken_when_the_first_was_not_delivered_in_time_and_only_then(desk: Desk) -> None:
    facts = await desk.asks(desk.hop())
    assert [name for name, _ in said(facts)] == ["message.queued", "plan.begun"]
    begun = told(facts)[1]
    assert (begun["plan"], begun["request_id"]) == (str(desk.plan), "r-1")
    assert [(way["account"], way.get("unless")) for way in begun["ways"]] == [("main", None), ("other", "delivered")]
    assert not told(await desk.asks(desk.hop())), "the same request again"
    await desk.reports(0, "sent")
    assert not told(await desk.fires(T - 5)), "it is not due yet"
    facts = await desk.fires(T + 5)
    assert of_plan(facts) == [("plan.way", 1, "undelivered")]
    (order,) = orders(facts)
    assert (order.id, order.account, order.peer) == (desk.step(1), "other", "ann.k")
    assert order.parts == (Text(text="how can we help?"),)
    step = next(one for one in told(facts) if one["type"] == "plan.way")
    assert (step["conversation"], step["message_id"]) == (str(desk.conversation), str(desk.step(1)))
    assert not told(await desk.fires()), "a repeat, or another replica"
    await desk.reports(1, "delivered")
    assert of_plan(await desk.fires()) == [("plan.ended", 1, "delivered")]
    assert not told(await desk.fires(T * 9))


@pytest.mark.parametrize(
    ("unless", "status", "ends"),
    [
        ("delivered", "delivered", True),
        ("read", "delivered", False),
        ("read", "read", True),
        ("answered", "read", False),
    ],
)
async def test_a_way_that_became_what_was_wanted_is_the_last(
    desk: Desk, unless: str, status: str, *, ends: bool
) -> None:
    await desk.asks(desk.hop(unless=unless))
    await desk.reports(0, status)
    assert of_plan(await desk.fires()) == ([("plan.ended", status)] if ends else [])
    missed = {"read": "unread", "answered": "unanswered"}
    assert of_plan(await desk.fires(T + 5)) == ([] if ends else [("plan.way", 1, missed[unless])])


async def test_a_way_that_failed_is_followed_at_once_but_by_a_firing_only(desk: Desk) -> None:
    await desk.asks(desk.hop())
    assert of_plan(await desk.reports(0, "failed")) == []
    assert of_plan(await desk.fires()) == [("plan.way", 1, "failed")]


async def test_what_was_not_sent_in_time_is_withdrawn_before_the_next_way(desk: Desk) -> None:
    facts = await desk.asks(desk.hop())
    (order,) = orders(facts)
    left = order.not_after - datetime.now(UTC)
    assert timedelta(seconds=T) < left <= timedelta(seconds=T + 60), "a lane that wakes later sends nothing"
    facts = await desk.fires(T + 5)
    assert of_plan(facts) == [("plan.withdrawn", "unsent")]
    assert [one.message for one in orders(facts, "outbound.cancel")] == [desk.plan]
    assert not orders(facts)
    assert not told(await desk.fires(T + 50)), "nobody knows yet whether it was sent after all"
    await desk.reports(0, "cancelled")
    assert of_plan(await desk.fires()) == [("plan.way", 1, "unsent")]


async def test_a_way_of_which_nobody_tells_is_waited_for_until_it_cannot_begin_any_more(desk: Desk) -> None:
    await desk.asks(desk.hop())
    await desk.fires(T + 5)
    assert not told(await desk.fires(T + 60 + 290))
    assert of_plan(await desk.fires(T + 60 + 310)) == [("plan.way", 1, "unknown")]


@pytest.mark.parametrize("unknown", ["go_on", "stop"])
async def test_what_may_have_been_sent_is_waited_for_as_long_as_what_was(desk: Desk, unknown: str) -> None:
    await desk.asks(desk.hop(unknown=unknown))
    await desk.reports(0, "unknown")
    assert not told(await desk.fires(T - 5))
    expected = ("plan.way", 1, "unknown") if unknown == "go_on" else ("plan.ended", "unknown")
    assert of_plan(await desk.fires(T + 5)) == [expected]


@pytest.mark.parametrize("peer", [("main", "ann"), ("other", "ann.k")])
async def test_an_answer_on_any_of_its_channels_ends_it_and_takes_back_what_waits(
    desk: Desk, peer: tuple[str, str]
) -> None:
    await desk.says("other", "ann.k")
    await desk.asks(desk.hop())
    facts = await desk.says(*peer)
    assert of_plan(facts) == [("plan.withdrawn", "answered"), ("plan.ended", "answered")]
    assert [one.message for one in orders(facts, "outbound.cancel")] == [desk.plan]
    await desk.reports(0, "cancelled")
    assert not told(await desk.fires(T * 9))


async def test_what_a_machine_sends_is_no_answer(desk: Desk) -> None:
    await desk.asks(desk.hop())
    await desk.says(assessment=Assessment(kind="out_of_office"))
    assert await desk.state() == (0, None)


async def test_late_evidence_of_an_earlier_way_ends_it_and_takes_back_the_next(desk: Desk) -> None:
    await desk.asks(desk.hop())
    await desk.reports(0, "sent")
    await desk.fires(T + 5)
    await desk.reports(0, "delivered")
    facts = await desk.fires()
    assert of_plan(facts) == [("plan.withdrawn", 1, "delivered"), ("plan.ended", 1, "delivered")]
    assert [one.message for one in orders(facts, "outbound.cancel")] == [desk.step(1)]


async def test_a_first_way_that_is_refused_is_told_and_the_next_is_taken(desk: Desk) -> None:
    long = (Text(text="x" * 300_000),)
    asked = desk.customer.reply(desk.conversation, fallback=(desk.hop(parts=(Text(text="short"),)),))
    asked = asked.model_copy(update={"parts": long})
    facts = await desk.house.take(as_read(asked, id_="r-1"))
    assert of_plan(facts) == [("plan.begun",), ("plan.way", "too_long")]
    facts = await desk.fires()
    assert of_plan(facts) == [("plan.way", 1, "refused")]
    assert [order.parts for order in orders(facts)] == [(Text(text="short"),)]


async def test_a_first_message_of_which_no_way_can_be_taken_is_told_to_its_end(desk: Desk) -> None:
    long = (Text(text="x" * 300_000),)
    here = {"tenant": desk.customer.tenant, "channel": "webhook", "account": "main", "address": "nobody"}
    facts = await desk.house.take(as_read(Send(**here, parts=long, fallback=(desk.hop(),)), id_="r-1"))
    assert of_plan(facts) == [("plan.begun",), ("plan.way", "too_long")]
    assert of_plan(await desk.fires()) == [("plan.way", 1, "refused", "too_long")]
    assert of_plan(await desk.fires()) == [("plan.ended", 1, "refused")]


async def test_a_way_without_an_address_goes_where_this_person_is_known(desk: Desk) -> None:
    proof = Proof(kind="webhook:main", value="ann", by="provider")
    await desk.house.take(
        desk.customer.says(account="other", peer="ann.k", sender=Party(address="ann.k", proofs=(proof,)))
    )
    await desk.asks(desk.hop(address=None))
    await desk.reports(0, "failed")
    assert [order.peer for order in orders(await desk.fires())] == ["ann.k"]


async def test_after_a_split_a_way_leads_to_nobody_who_is_somebody_else(desk: Desk) -> None:
    """The address that it would have gone to is another person's by then."""
    proof = Proof(kind="webhook:main", value="ann", by="provider")
    other = desk.customer.says(account="other", peer="ann.k", sender=Party(address="ann.k", proofs=(proof,)))
    await desk.house.take(other)
    await desk.asks(desk.hop(address=None))
    await desk.reports(0, "failed")
    young = await desk.house.pool.fetchval(
        "SELECT id FROM customer WHERE merged_into IS NOT NULL AND tenant = $1", desk.customer.tenant
    )
    await desk.house.take(Split(tenant=desk.customer.tenant, customer=young, reason="another Ann"))
    facts = await desk.fires()
    assert of_plan(facts) == [("plan.way", 1, "failed", "bad_address")]
    assert not orders(facts)


@pytest.mark.parametrize(
    ("hop", "code"),
    [
        ({"channel": "carrier pigeon"}, "unknown_account"),
        ({"account": "nobody's"}, "unknown_account"),
        ({"channel": "telegram", "account": None}, "unknown_account"),
        ({"account": None}, "malformed"),
        ({"address": None}, "bad_address"),
    ],
)
async def test_a_way_that_leads_nowhere_is_refused_at_once_and_nothing_is_sent(
    desk: Desk, hop: dict[str, Any], code: str
) -> None:
    facts = await desk.asks(desk.hop(**hop))
    assert said(facts) == [("request.refused", code)]
    assert not facts.fallbacks
    assert not orders(facts)


async def test_a_way_of_another_tenant_is_none(desk: Desk) -> None:
    desk.house.directory.capabilities["stranger", "webhook", "theirs"] = CAPABILITIES
    assert said(await desk.asks(desk.hop(account="theirs"))) == [("request.refused", "unknown_account")]


async def test_a_plan_is_cancelled_once_even_where_its_first_message_has_gone(desk: Desk) -> None:
    await desk.asks(desk.hop())
    await desk.reports(0, "sent")
    cancel = Cancel(tenant=desk.customer.tenant, message=desk.plan)
    facts = await desk.house.take(as_read(cancel, id_="c-1"))
    assert [name for name, _ in said(facts)] == ["request.accepted", "plan.ended"]
    assert not told(await desk.fires(T * 9))
    again = await desk.house.take(as_read(cancel, id_="c-2"))
    assert said(again) == [("request.refused", "refused")]


async def test_a_plan_whose_message_waits_in_a_lane_is_cancelled_with_it(desk: Desk) -> None:
    await desk.asks(desk.hop())
    facts = await desk.house.take(Cancel(tenant=desk.customer.tenant, message=desk.plan))
    assert [name for name, _ in said(facts)] == ["request.accepted", "plan.withdrawn", "plan.ended"]
    assert [one.message for one in orders(facts, "outbound.cancel")] == [desk.plan]


async def test_nobody_cancels_the_plan_of_another_tenant(desk: Desk) -> None:
    await desk.asks(desk.hop())
    assert not told(await desk.house.take(Cancel(tenant="stranger", message=desk.plan)))
    assert await desk.state() == (0, None)


async def test_what_is_asked_for_later_has_its_other_ways_then(desk: Desk) -> None:
    later = datetime.now(UTC) + timedelta(minutes=10)
    assert said(await desk.asks(desk.hop(address=None), not_before=later)) == [("request.refused", "bad_address")]
    await desk.asks(desk.hop(), id_="r-2", not_before=later)
    plan = requested_id(desk.customer.tenant, "r-2")
    for table, name in (("plan", "id"), ("alarm", "entity")):
        await desk.house.pool.execute(f"UPDATE {table} SET due = due - interval '1 hour' WHERE {name} = $1", plan)
    upto = await desk.house.pool.fetchval("SELECT clock_timestamp()")
    facts, _ = await desk.house.router._commit([Batch("", 0, 0, [record_of(Fired(plan, "request", upto))], 0, 0)])
    assert [name for name, _ in said(facts)] == ["message.queued", "plan.begun"]


async def test_where_only_a_refusal_is_looked_at_what_was_accepted_is_the_last(desk: Desk) -> None:
    facts = await desk.asks(desk.hop(unless="accepted"))
    assert [order.not_after for order in orders(facts)] == [None]
    assert of_plan(await desk.fires()) == [("plan.ended", "accepted")]


@pytest.mark.parametrize("is_first", [True, False], ids=["to whom the first message goes", "to whom another way leads"])
async def test_whoever_is_erased_is_written_to_no_more_and_that_is_told(desk: Desk, *, is_first: bool) -> None:
    await desk.says("other", "ann.k")
    await desk.asks(desk.hop())
    homes = "SELECT customer_id FROM identity WHERE tenant = $1 AND value = $2"
    one = await desk.house.pool.fetchval(homes, desk.customer.tenant, "ann" if is_first else "ann.k")
    facts = await desk.house.take(Erase(tenant=desk.customer.tenant, customer=one, reason="they asked"))
    assert of_plan(facts) == [("plan.withdrawn", "erased"), ("plan.ended", "erased")]
    assert [order.message for order in orders(facts, "outbound.cancel")] == [desk.plan]
    assert not await desk.house.pool.fetchval("SELECT count(*) FROM fallback WHERE id = $1", desk.plan)
    assert not told(await desk.fires(T * 9))
