"""What follows when nothing comes: closed for being quiet, told of those who wait, a turn that is over."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from prometheus_client import REGISTRY

from services.router.fold.alarms import Fired, record_of
from services.router.fold.silence import TURN
from services.router.waiting import Waiting
from shared.contract.envelope import Assessment
from shared.contract.policy import Policy
from shared.contract.records import RECORDS
from shared.contract.requests import Close
from tests.promises.house import Customer, House, as_read


class Quiet:
    """A conversation of an account with this policy, whose first message has just come."""

    async def open(self, house: House, **policy: Any) -> Quiet:
        self.house, self.customer, self.begun = house, Customer(), datetime.now(UTC)
        house.allows(self.customer)
        house.directory.policies[self.customer.tenant, "webhook", "main"] = Policy.model_validate(policy)
        self.first = self.said(0)
        self.conversation = await house.opened(self.customer, self.first)
        return self

    def said(self, seconds: float, **more: Any) -> Any:
        moment = self.begun + timedelta(seconds=seconds)
        return self.customer.says(occurred_at=moment, received_at=moment, **more)

    async def fire(self, kind: str, **later: float) -> list[dict[str, Any]]:
        """What a round tells that looks so long after the first message."""
        upto = self.begun + timedelta(**later)
        facts = await self.house.take(record_of(Fired(self.conversation, kind, upto)))
        for event in facts.emissions:
            RECORDS[event.name].model.model_validate_json(event.value)
        return [orjson.loads(event.value) | {"type": event.name} for event in facts.emissions]

    async def alarms(self) -> dict[str, datetime]:
        rows = await self.house.pool.fetch("SELECT kind, due FROM alarm WHERE entity = $1", self.conversation)
        return dict(rows)


async def test_without_a_policy_nothing_is_looked_at_again(house: House) -> None:
    quiet = await Quiet().open(house)
    assert await quiet.alarms() == {}


# quiet


async def test_what_is_quiet_is_closed_and_may_be_opened_again(house: House) -> None:
    quiet = await Quiet().open(house, close_after_hours=2)
    await house.take(quiet.customer.reply(quiet.conversation))
    assert await quiet.fire("idle", hours=1.9) == []
    (told,) = await quiet.fire("idle", hours=2.2)
    assert (told["type"], told["reason"]) == ("conversation.closed", "idle")
    facts = await house.take(quiet.said(8000))
    assert facts.opened == []
    assert "conversation.reopened" in await house.types(quiet.conversation)


async def test_what_somebody_waits_in_is_never_closed_for_being_quiet(house: House) -> None:
    quiet = await Quiet().open(house, close_after_hours=1)
    assert await quiet.fire("idle", days=30) == []
    await house.take(quiet.customer.reply(quiet.conversation))
    assert "idle" in await quiet.alarms()  # from the answer on


async def test_what_goes_on_is_looked_at_once_in_its_time_and_not_at_each_message(house: House) -> None:
    quiet = await Quiet().open(house, close_after_hours=1)
    await house.take(quiet.customer.reply(quiet.conversation))
    before = await quiet.alarms()
    await house.take(quiet.customer.reply(quiet.conversation))
    assert await quiet.alarms() == before


# who waits


async def test_who_waits_is_told_of_at_each_time_of_the_policy_until_there_is_an_answer(house: House) -> None:
    quiet = await Quiet().open(house, waiting_minutes=[60, 5])
    assert await quiet.fire("waiting", minutes=4.9) == []
    (told,) = await quiet.fire("waiting", minutes=5)
    assert (told["type"], told["minutes"], datetime.fromisoformat(told["waited_since"])) == (
        "conversation.waiting",
        5,
        quiet.begun,
    )
    assert (await quiet.alarms())["waiting"] == quiet.begun + timedelta(minutes=60)
    assert [one["minutes"] for one in await quiet.fire("waiting", minutes=61)] == [60]
    assert await quiet.alarms() == {}


async def test_after_an_outage_only_the_longest_time_is_told(house: House) -> None:
    quiet = await Quiet().open(house, waiting_minutes=[5, 10, 60])
    assert [one["minutes"] for one in await quiet.fire("waiting", minutes=30)] == [10]


async def test_who_waits_waits_in_business_time_where_the_account_has_such(house: House) -> None:
    """Open for one minute in every hour: after five minutes of these four hours have passed, and some."""
    hourly = [f"mon-sun {hour:02}:00-{hour:02}:01" for hour in range(24)]
    quiet = await Quiet().open(house, waiting_minutes=[5], business_hours=hourly, zone="UTC")
    fourth = quiet.begun.replace(minute=0, second=0, microsecond=0) + timedelta(hours=4)
    due = (await quiet.alarms())["waiting"]
    assert fourth < due <= fourth + timedelta(hours=1, minutes=1)
    assert await quiet.fire("waiting", hours=3.9) == []
    (told,) = await quiet.fire("waiting", hours=6)
    assert told["minutes"] == 5


async def test_who_was_answered_is_not_told_of(house: House) -> None:
    quiet = await Quiet().open(house, waiting_minutes=[5])
    await house.take(quiet.customer.reply(quiet.conversation))
    assert await quiet.fire("waiting", minutes=5) == []
    await house.take(quiet.said(120))
    assert (await quiet.alarms())["waiting"] == quiet.begun + timedelta(minutes=7)


async def test_nobody_is_told_of_who_waits_in_what_is_closed(house: House) -> None:
    quiet = await Quiet().open(house, waiting_minutes=[5])
    await house.take(
        as_read(Close(tenant=quiet.customer.tenant, conversation=quiet.conversation), id_=uuid.uuid4().hex)
    )
    assert await quiet.fire("waiting", hours=1) == []


# turns


async def test_a_turn_is_over_when_nothing_has_come_for_so_long_and_names_its_messages(house: House) -> None:
    quiet = await Quiet().open(house, turn_seconds=1000)
    second = quiet.said(800)
    await house.take(second)
    assert await quiet.fire("turn", seconds=1700) == []
    (told,) = await quiet.fire("turn", seconds=1850)
    assert (told["type"], told["messages"]) == ("conversation.turn", [str(quiet.first.id), str(second.id)])
    assert await quiet.fire("turn", seconds=6000) == []
    third = quiet.said(7000)
    await house.take(third)
    assert [one["messages"] for one in await quiet.fire("turn", seconds=9000)] == [[str(third.id)]]


async def test_a_machine_has_no_turn(house: House) -> None:
    quiet = await Quiet().open(house, turn_seconds=1000)
    await quiet.fire("turn", seconds=6000)
    await house.take(quiet.said(6100, assessment=Assessment(kind="automatic", may_auto_answer=False)))
    assert await quiet.alarms() == {}


async def test_a_turn_without_an_end_ends(house: House) -> None:
    quiet = await Quiet().open(house, turn_seconds=1000)
    await house.take(*(quiet.said(n / 100) for n in range(1, TURN + 3)))
    turns = [event for event in await house.story(quiet.conversation) if event["type"] == "conversation.turn"]
    assert [len(turn["messages"]) for turn in turns] == [TURN]
    assert [len(one["messages"]) for one in await quiet.fire("turn", hours=1)] == [3]


async def test_the_same_turn_has_the_same_id_however_often_it_is_told(house: House) -> None:
    """A firing whose transaction is lost is done again."""
    quiet = await Quiet().open(house, turn_seconds=1000)
    ids = []
    for _ in range(2):
        async with house.pool.acquire() as connection:
            copy = await connection.fetchrow("SELECT turn, alarms FROM conversation WHERE id = $1", quiet.conversation)
            facts = await house.take(record_of(Fired(quiet.conversation, "turn", quiet.begun + timedelta(hours=1))))
            ids += [event.id for event in facts.emissions]
            await connection.execute(
                "UPDATE conversation SET turn = $2, alarms = $3 WHERE id = $1", quiet.conversation, *copy
            )
            await connection.execute("INSERT INTO alarm VALUES ($1, 'turn', 0, now())", quiet.conversation)
    assert len(ids) == 2
    assert len(set(ids)) == 1


# counted


@pytest.mark.parametrize(
    ("ago", "age"),
    [
        (timedelta(minutes=1), "under_5m"),
        (timedelta(minutes=30), "under_1h"),
        (timedelta(hours=5), "under_1d"),
        (timedelta(days=3), "over_1d"),
    ],
)
async def test_who_waits_is_counted_by_account_and_by_how_long(house: House, ago: timedelta, age: str) -> None:
    quiet = await Quiet().open(house)
    account = uuid.uuid4().hex
    await house.pool.execute(
        "UPDATE conversation SET account = $2, waiting_since = now() - $3::interval WHERE id = $1",
        quiet.conversation,
        account,
        ago,
    )
    await Waiting(house.pool, house.directory).count()
    found = {one: REGISTRY.get_sample_value("parley_conversations_waiting", labels(account, one)) for one in AGES}
    assert found == dict.fromkeys(AGES, 0) | {age: 1}


AGES = ("under_5m", "under_1h", "under_1d", "over_1d")


def labels(account: str, age: str) -> dict[str, str]:
    return {"channel": "webhook", "account": account, "age": age}
