"""Who has not asked is written to at a decent hour wherever they may be, and not more often than the account's policy says."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from services.router.batch.together import Batch
from services.router.fold.alarms import Fired, record_of
from services.router.fold.facts import Facts
from services.router.fold.plans import DUE
from shared.contract.deliveries import Outbound, ProfileUpdate
from shared.contract.envelope import Party, Text, requested_id
from shared.contract.policy import Policy
from shared.contract.records import RECORDS
from shared.contract.requests import Cancel, Merge, Send
from tests.promises.house import Customer, House, as_read

DAYTIME = ("mon-sun 08:00-21:00",)


def zone_at(hour: int) -> str:
    """Where it is this hour of the day now, as a distance from UTC."""
    east = (hour - datetime.now(UTC).hour + 9) % 24 - 9
    return f"{'-' if east < 0 else '+'}{abs(east):02}:00"


NIGHT, NOON = 3, 12


class Account:
    """An account with this policy, one person who wrote to it, and what they are sent."""

    async def open(self, house: House, *, hour: int = NIGHT, **policy: Any) -> Account:
        self.house, self.customer = house, Customer()
        house.allows(self.customer)
        self.minds(hour=hour, **policy)
        self.conversation = await house.opened(self.customer, self.customer.says())
        return self

    def minds(self, *, hour: int, **policy: Any) -> None:
        given = {"zone": zone_at(hour), "decent_hours": DAYTIME} | policy
        self.house.directory.policies[self.customer.tenant, "webhook", "main"] = Policy.model_validate(given)

    async def sends(self, id_: str = "r-1", *, address: str = "", **more: Any) -> list[dict[str, Any]]:
        to = {"channel": "webhook", "account": "main", "address": address or self.customer.peer}
        asked = Send(tenant=self.customer.tenant, **to, parts=(Text(text="news"),), **more)
        return told(await self.house.take(as_read(asked, id_=id_)))

    def id(self, request: str = "r-1") -> uuid.UUID:
        return requested_id(self.customer.tenant, request)

    async def comes(self, request: str = "r-1") -> Facts:
        """Its time comes."""
        plan, pool = self.id(request), self.house.pool
        await pool.execute("UPDATE plan SET due = now() WHERE id = $1", plan)
        await pool.execute("UPDATE alarm SET due = now() WHERE entity = $1", plan)
        upto = await pool.fetchval("SELECT clock_timestamp()")
        facts, _ = await self.house.router._commit([Batch("", 0, 0, [record_of(Fired(plan, DUE, upto))], 0, 0)])
        return facts


def told(facts: Facts) -> list[dict[str, Any]]:
    """What events say, each valid for whoever reads it."""
    for one in facts.emissions:
        RECORDS[one.name].model.model_validate_json(one.value)
    return [orjson.loads(one.value) | {"type": one.name} for one in facts.emissions if one.name != "outbound"]


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event.get("failure", {}).get("code") or event["type"] for event in events]


def orders(facts: Facts) -> list[Outbound]:
    return [Outbound.model_validate_json(one.value) for one in facts.emissions if one.name == "outbound"]


async def test_what_comes_in_the_night_waits_for_the_morning_and_is_judged_again_then(house: House) -> None:
    account = await Account().open(house)
    (event,) = await account.sends()
    due, now = datetime.fromisoformat(event["due"]), datetime.now(UTC)
    assert (event["type"], event["why"], event["message_id"]) == (
        "message.scheduled",
        "decent_hours",
        str(account.id()),
    )
    assert timedelta(hours=4) <= due - now.replace(minute=0, second=0, microsecond=0) <= timedelta(hours=5)
    (again,) = told(await account.comes())
    assert (again["type"], again["why"]) == ("message.scheduled", "decent_hours"), "it is night still"
    account.minds(hour=NOON)
    facts = await account.comes()
    assert kinds(told(facts)) == ["message.queued"]
    (order,) = orders(facts)
    assert order.not_after is not None
    left = order.not_after - now
    assert timedelta(hours=8) <= left <= timedelta(hours=9, minutes=5), "it may not leave in the next night"
    assert told(await account.comes()) == []
    assert await house.pool.fetchval("SELECT count(*) FROM plan WHERE id = $1", account.id()) == 0


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"purpose": "service"}, ["message.queued"]),
        ({"purpose": "marketing"}, ["message.scheduled"]),
        ({"urgent": True}, ["message.queued"]),
        ({"expires_at": datetime.now(UTC) + timedelta(hours=3)}, ["expired"]),
        ({"time_zone": "Asia/Nowhere"}, ["malformed"]),
        ({"time_zone": "Asia/Nowhere", "not_before": datetime.now(UTC) + timedelta(hours=3)}, ["malformed"]),
        ({"time_zone": "../../etc/passwd", "urgent": True}, ["malformed"]),
        ({"time_zone": zone_at(NOON)}, ["message.queued"]),
    ],
)
async def test_what_waits_and_what_need_not(house: House, more: dict[str, Any], says: list[str]) -> None:
    account = await Account().open(house)
    assert kinds(await account.sends(**more)) == says


async def test_what_leaves_in_the_night_since_it_is_urgent_says_so(house: House) -> None:
    account = await Account().open(house)
    assert (await account.sends("r-1", urgent=True))[0]["despite"] == "decent_hours"
    account.minds(hour=NOON)
    assert "despite" not in (await account.sends("r-2", urgent=True))[0]


async def test_an_answer_waits_for_no_hour(house: House) -> None:
    account = await Account().open(house)
    facts = await house.take(account.customer.reply(account.conversation))
    assert kinds(told(facts)) == ["message.queued"]
    assert orders(facts)[0].not_after is None


async def test_where_it_is_never_decent_it_expires_at_once_and_says_where(house: House) -> None:
    account = await Account().open(house, decent_hours=["mon-sun 09:00-17:00"])
    for peer, zone in ((account.customer.peer, "+00:00"), ("bob", "+12:00")):
        party = Party(address=peer, time_zone=zone)
        await house.take(account.customer.says(sender=party, peer=peer))
    ids = await house.persons(account.customer)
    await house.take(Merge(tenant=account.customer.tenant, customers=tuple(ids), reason="the same"))
    (event,) = await account.sends()
    assert (event["failure"]["code"], "+00:00, +12:00" in event["failure"]["detail"]) == ("expired", True)


@pytest.mark.parametrize("by", ["message", "profile", "number", "request"])
async def test_the_hour_is_that_of_where_the_person_may_be(house: House, by: str) -> None:
    """By what says most of it, on whichever of their addresses it is known; the account is where it is night."""
    account = await Account().open(house)
    tenant, more = account.customer.tenant, {}
    if by == "message":
        away = Party(address="bob", name="Bob", time_zone=zone_at(NOON))
        await house.take(account.customer.says(sender=away, peer="bob"))
    if by == "profile":
        party = Party(address="bob", time_zone=zone_at(NOON))
        await house.take(account.customer.says(sender=Party(address="bob"), peer="bob"))
        place = {"tenant": tenant, "channel": "webhook", "account": "main", "peer": "bob"}
        await house.take(ProfileUpdate(**place, party=party, occurred_at=datetime.now(UTC)))
    if by == "number":
        there = (datetime.now(UTC) + timedelta(hours=7)).hour
        later = [(there + hours) % 24 for hours in (5, 6, 7)]
        account.minds(hour=later[1], decent_hours=[f"mon-sun {hour:02}:00-{hour + 1:02}:00" for hour in later])
        party = Party(address="bob")
        await house.take(account.customer.says(sender=party, peer="bob"))
        ann = next(iter(await house.persons(account.customer)))
        await house.pool.execute(
            "INSERT INTO identity (tenant, kind, value, customer_id) VALUES ($1, 'phone', '+85512345678', $2)",
            tenant,
            ann,
        )
    if by == "request":
        more = {"time_zone": zone_at(NOON)}
    else:
        ids = await house.persons(account.customer)
        await house.take(Merge(tenant=tenant, customers=tuple(ids), reason="the same"))
    expected = "message.scheduled" if by == "number" else "message.queued"
    assert kinds(await account.sends(**more))[-1] == expected


async def test_what_waits_for_the_morning_is_taken_back_like_all_that_waits(house: House) -> None:
    account = await Account().open(house)
    await account.sends()
    facts = await house.take(Cancel(tenant=account.customer.tenant, message=account.id()))
    assert [event.get("status") for event in told(facts)] == [None, "cancelled"]
    account.minds(hour=NOON)
    assert told(await account.comes()) == []


# how often -------------------------------------------------------------------------------------------------------------


async def test_nobody_is_sent_more_of_a_purpose_than_the_policy_says(house: House) -> None:
    account = await Account().open(house, hour=NOON, caps=["marketing 1/day", "marketing 2/week"])
    pool, tenant = house.pool, account.customer.tenant
    assert kinds(await account.sends("r-1", purpose="marketing")) == ["message.queued"]
    (refused,) = await account.sends("r-2", purpose="marketing")
    assert refused["failure"]["code"] == "capped"
    assert refused["failure"]["detail"].startswith("marketing: 1 sent within 1 days; again at 2")
    assert kinds(await account.sends("r-3", purpose="notification")) == ["message.queued"], "of another purpose"
    assert kinds(await account.sends("r-4", purpose="marketing", address="eve"))[-1] == "message.queued", (
        "another person"
    )
    ages = (
        "UPDATE proactive SET at = at - $2::interval WHERE customer_id IN (SELECT id FROM customer WHERE tenant = $1)"
    )
    await pool.execute(ages, tenant, timedelta(days=1))
    assert kinds(await account.sends("r-5", purpose="marketing")) == ["message.queued"]
    await pool.execute(ages, tenant, timedelta(days=1))
    assert kinds(await account.sends("r-6", purpose="marketing")) == ["capped"], "two within a week"
    await pool.execute(ages, tenant, timedelta(days=6))
    assert kinds(await account.sends("r-7", purpose="marketing")) == ["message.queued"]
    rows = await pool.fetch(
        "SELECT cause FROM proactive JOIN identity USING (customer_id) WHERE tenant = $1 AND value = $2",
        tenant,
        account.customer.peer,
    )
    assert [row[0] for row in rows] == [account.id("r-7")], "what counts no more does not stay"


async def test_it_is_the_person_who_is_counted_not_the_address_and_within_a_batch_too(house: House) -> None:
    account = await Account().open(house, hour=NOON, caps=["notification 2/day"])
    await house.take(account.customer.says(sender=Party(address="bob"), peer="bob"))
    ids = await house.persons(account.customer)
    await house.take(Merge(tenant=account.customer.tenant, customers=tuple(ids), reason="the same"))
    to = {"tenant": account.customer.tenant, "channel": "webhook", "account": "main", "parts": (Text(text="news"),)}
    addresses = [account.customer.peer, "bob", "bob"]
    asked = [as_read(Send(**to, address=one), id_=f"r-{n}", offset=n) for n, one in enumerate(addresses)]
    assert kinds(told(await house.take(*asked))) == ["message.queued", "message.queued", "capped"]


async def test_what_is_refused_counts_for_nothing(house: House) -> None:
    account = await Account().open(house, hour=NOON, caps=["notification 1/day"])
    assert kinds(await account.sends("r-1", expires_at=datetime.now(UTC) - timedelta(hours=1))) == ["expired"]
    assert kinds(await account.sends("r-2")) == ["message.queued"]


async def test_what_came_too_soon_in_the_night_counts_when_it_leaves(house: House) -> None:
    account = await Account().open(house, caps=["notification 1/day"])
    for request in ("r-1", "r-2"):
        assert kinds(await account.sends(request)) == ["message.scheduled"]
    account.minds(hour=NOON, caps=["notification 1/day"])
    assert kinds(told(await account.comes("r-1"))) == ["message.queued"]
    assert kinds(told(await account.comes("r-2"))) == ["capped"]
