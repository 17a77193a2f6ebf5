"""What is asked for later is said when it is due, once, judged again then; what is taken back gets one answer."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.router.batch.together import Batch
from services.router.fold.alarms import Fired, record_of
from services.router.fold.facts import Facts
from services.router.fold.plans import DUE, ahead_of
from shared.contract.deliveries import Outbound, Withdraw
from shared.contract.envelope import Model, Text, Window, requested_id
from shared.contract.requests import Cancel, Send
from tests.promises.house import CAPABILITIES, Customer, House, as_read
from tests.services.router.fold.test_handovers import told

SOON = timedelta(minutes=10)


def first_message(customer: Customer, *, address: str) -> Send:
    return Send(
        tenant=customer.tenant,
        channel="webhook",
        account="main",
        address=address,
        parts=(Text(text="your order is ready"),),
        not_before=datetime.now(UTC) + SOON,
    )


class Desk:
    """A conversation, and what is asked for in it."""

    async def open(self, house: House, **more: Any) -> Desk:
        self.house, self.customer = house, Customer()
        house.allows(self.customer, CAPABILITIES)
        self.conversation = await house.opened(self.customer, self.customer.says(**more))
        return self

    async def schedules(self, id_: str = "r-1", **more: Any) -> Facts:
        given = {"not_before": datetime.now(UTC) + SOON} | more
        return await self.house.take(as_read(self.customer.reply(self.conversation, **given), id_=id_))

    async def cancels(self, message: uuid.UUID, *, id_: str | None = None, tenant: str = "") -> Facts:
        asked = Cancel(tenant=tenant or self.customer.tenant, message=message)
        return await self.house.take(as_read(asked, id_=id_ or uuid.uuid4().hex))

    def id(self, request: str = "r-1") -> uuid.UUID:
        return requested_id(self.customer.tenant, request)

    async def comes(self, plan: uuid.UUID, *, after: timedelta = SOON * 2) -> Facts:
        """Its time comes: everything that waits is that much nearer, and its alarm fires."""
        for table in ("plan", "alarm"):
            name = "id" if table == "plan" else "entity"
            await self.house.pool.execute(f"UPDATE {table} SET due = due - $2::interval WHERE {name} = $1", plan, after)
        return await self.fires(plan)

    async def fires(self, plan: uuid.UUID) -> Facts:
        upto = await self.house.pool.fetchval("SELECT clock_timestamp()")
        facts, _ = await self.house.router._commit([Batch("", 0, 0, [record_of(Fired(plan, DUE, upto))], 0, 0)])
        return facts

    async def waits(self) -> int:
        count: int = await self.house.pool.fetchval("SELECT count(*) FROM plan WHERE tenant = $1", self.customer.tenant)
        return count


def orders(facts: Facts, name: str = "outbound") -> list[Model]:
    model = {"outbound": Outbound, "outbound.cancel": Withdraw}[name]
    return [model.model_validate_json(one.value) for one in facts.emissions if one.name == name]


def said(facts: Facts) -> list[tuple[str, str | None]]:
    """Each event's type, with its status or its code."""
    return [(one["type"], one.get("status") or one.get("failure", {}).get("code")) for one in told(facts)]


async def test_a_scheduled_answer_is_told_and_sent_when_it_is_due_and_only_once(house: House) -> None:
    desk = await Desk().open(house)
    facts = await desk.schedules(author="sokha")
    (event,) = told(facts)
    assert (event["type"], event["message_id"], event["request_id"]) == ("message.scheduled", str(desk.id()), "r-1")
    assert (event["parts"], event["author"], event["peer"]) == (
        [{"kind": "text", "text": "how can we help?"}],
        "sokha",
        "ann",
    )
    assert not orders(facts)
    assert not told(await desk.schedules()), "the same request again"
    assert not told(await desk.fires(desk.id())), "it is not due yet"
    facts = await desk.comes(desk.id())
    assert said(facts) == [("message.queued", None)]
    (order,) = orders(facts)
    assert (order.id, order.author) == (desk.id(), "sokha")
    assert not told(await desk.fires(desk.id())), "a repeat, or another replica"
    assert await desk.waits() == 0
    assert await house.pool.fetchval("SELECT count(*) FROM alarm WHERE entity = $1", desk.id()) == 0


async def test_what_is_due_is_judged_again(house: House) -> None:
    """Early only what cannot change of itself is refused; the window that has closed meanwhile, when it is due."""
    closes = Window(until=datetime.now(UTC) + timedelta(minutes=2), allows=())
    desk = await Desk().open(house, window=closes)
    assert said(await desk.schedules()) == [("message.scheduled", None)]
    shut = (
        'UPDATE conversation SET "window" = jsonb_set("window", \'{until}\', \'"2020-01-01T00:00:00Z"\') WHERE id = $1'
    )
    await house.pool.execute(shut, desk.conversation)
    assert said(await desk.comes(desk.id())) == [("request.refused", "window_closed")]
    assert await desk.waits() == 0


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"not_before": datetime.now(UTC) + timedelta(days=400)}, "malformed"),
        ({"expires_at": datetime.now(UTC) + timedelta(minutes=1)}, "expired"),
        ({"parts": (Text(text="x" * 300_000),)}, "too_long"),
        ({"conversation": uuid.uuid4()}, "unknown_conversation"),
    ],
)
async def test_what_cannot_be_is_refused_at_once(house: House, more: dict[str, Any], code: str) -> None:
    desk = await Desk().open(house)
    asked = desk.customer.reply(desk.conversation, not_before=datetime.now(UTC) + SOON).model_copy(update=more)
    assert said(await house.take(as_read(asked, id_="r-1"))) == [("request.refused", code)]
    assert await desk.waits() == 0


async def test_what_has_expired_before_it_was_looked_at_is_told(house: House) -> None:
    """After an outage: nobody is written to in the night because of a morning's message."""
    desk = await Desk().open(house)
    await desk.schedules(expires_at=datetime.now(UTC) + SOON + timedelta(seconds=1))
    plan = 'UPDATE plan SET request = convert_to(regexp_replace(convert_from(request, \'utf8\'), \'"expires_at":"[^"]+"\', \'"expires_at":"2020-01-01T00:00:00Z"\'), \'utf8\') WHERE id = $1'
    await house.pool.execute(plan, desk.id())
    assert said(await desk.comes(desk.id())) == [("request.refused", "expired")]


async def test_a_first_message_waits_and_opens_its_conversation_when_it_is_due(house: House) -> None:
    customer = Customer()
    house.allows(customer)
    desk = Desk()
    desk.house, desk.customer = house, customer
    asked = first_message(customer, address="bopha")
    facts = await house.take(as_read(asked, id_="r-1"))
    (event,) = told(facts)
    assert (event["type"], event.get("conversation"), event["peer"]) == ("message.scheduled", None, "bopha")
    assert not facts.opened
    facts = await desk.comes(desk.id())
    assert [name for name, _ in said(facts)] == ["conversation.opened", "message.queued"]


@pytest.mark.parametrize("end", ["message.status", "request.refused"])
async def test_a_first_message_that_waits_in_a_conversation_has_its_end_there(house: House, end: str) -> None:
    desk = await Desk().open(house)
    asked = first_message(desk.customer, address=desk.customer.peer)
    (event,) = told(await house.take(as_read(asked, id_="r-1")))
    assert (event["type"], event["conversation"]) == ("message.scheduled", str(desk.conversation))
    if end == "message.status":
        facts = await desk.cancels(desk.id())
    else:
        await house.take(desk.customer.says(window=Window(until=datetime(2020, 1, 1, tzinfo=UTC))))
        facts = await desk.comes(desk.id())
    last = told(facts)[-1]
    assert (last["type"], last.get("conversation"), last["request_id"]) == (end, str(desk.conversation), "r-1")


# taken back ------------------------------------------------------------------------------------------------------------


async def test_what_waits_is_taken_back_at_once(house: House) -> None:
    desk = await Desk().open(house)
    await desk.schedules()
    facts = await desk.cancels(desk.id(), id_="c-1")
    accepted, status = told(facts)
    assert (accepted["type"], accepted["request_id"]) == ("request.accepted", "c-1")
    assert (status["type"], status["status"], status["request_id"]) == ("message.status", "cancelled", "r-1")
    assert status["conversation"] == str(desk.conversation)
    assert not told(await desk.comes(desk.id()))


async def test_what_stands_in_a_lane_is_taken_back_by_the_lane(house: House) -> None:
    desk = await Desk().open(house)
    message = await house.queued(desk.customer, desk.conversation)
    facts = await desk.cancels(message)
    assert said(facts) == [("request.accepted", None)]
    (order,) = orders(facts, "outbound.cancel")
    assert (order.message, order.conversation) == (message, desk.conversation)
    facts = await house.take(desk.customer.report(message, "cancelled"))
    assert said(facts) == [("message.status", "cancelled")]


@pytest.mark.parametrize("status", ["sent", "unknown", "failed"])
async def test_what_has_gone_is_refused(house: House, status: str) -> None:
    desk = await Desk().open(house)
    message = await house.queued(desk.customer, desk.conversation)
    await house.take(desk.customer.report(message, status, "p1"))
    assert said(await desk.cancels(message)) == [("request.refused", "refused")]


async def test_nobody_takes_back_what_is_another_tenants(house: House) -> None:
    desk = await Desk().open(house)
    await desk.schedules()
    sent = await house.queued(desk.customer, desk.conversation)
    for message in (desk.id(), sent, desk.id("not asked for yet")):
        facts = await desk.cancels(message, tenant="stranger")
        assert not told(facts), "it waits for a message of its own tenant"
        assert said(await desk.comes(ahead_of("stranger", message))) == [("request.refused", "malformed")]
    assert said(await desk.comes(desk.id())) == [("message.queued", None)]


@pytest.mark.parametrize("later", [True, False])
async def test_a_cancel_ahead_of_its_message_is_won(house: House, later: bool) -> None:
    desk = await Desk().open(house)
    assert not told(await desk.cancels(desk.id(), id_="c-1"))
    more = {} if later else {"not_before": None}
    facts = await desk.schedules(**more)
    accepted, status = told(facts)
    assert (accepted["request_id"], status["status"], status["message_id"]) == ("c-1", "cancelled", str(desk.id()))
    assert not orders(facts)
    assert await desk.waits() == 0
    assert not told(await desk.fires(ahead_of(desk.customer.tenant, desk.id())))


async def test_a_cancel_of_nothing_is_told_so_when_all_before_it_is_read(house: House) -> None:
    desk = await Desk().open(house)
    nothing = uuid.uuid4()
    await desk.cancels(nothing, id_="c-1")
    assert said(await desk.cancels(nothing)) == [("request.refused", "refused")], "one waits for it already"
    facts = await desk.fires(ahead_of(desk.customer.tenant, nothing))
    (refused,) = told(facts)
    assert (refused["type"], refused["request_id"]) == ("request.refused", "c-1")
    assert await desk.waits() == 0
