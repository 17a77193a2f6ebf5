"""Where nobody is any more: marked by the provider's word of a send, refused early, until somebody writes or says so."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from services.router.fold.facts import Facts
from shared.contract.codes import Failure
from shared.contract.deliveries import Delivery
from shared.contract.envelope import Envelope, Party, Text, requested_id
from shared.contract.requests import Reachable, Send
from tests.promises.house import CAPABILITIES, Customer, House, as_read, at

GONE = Failure(code="bad_address", detail="30005: unknown handset")


def told(facts: Facts, name: str = "conversation.participant") -> list[dict[str, Any]]:
    return [orjson.loads(one.value) for one in facts.emissions if one.name == name]


class Desk:
    """Somebody who is written to by SMS, unless a test says otherwise."""

    def __init__(self, house: House, channel: str = "sms") -> None:
        self.house, self.channel, self.ann = house, channel, Customer()
        house.directory.capabilities[self.ann.tenant, channel, "main"] = CAPABILITIES

    def says(self, *, minutes: float = 0, **more: Any) -> Envelope:
        return self.ann.says(minutes=minutes, channel=self.channel, **more)

    async def begins(self, **more: Any) -> uuid.UUID:
        return (await self.house.take(self.says(**more))).opened[0].id

    async def answer(self, conversation: uuid.UUID) -> tuple[uuid.UUID, dict[str, Any] | None]:
        """The message that it would be, and why it is refused."""
        request = uuid.uuid4().hex
        refused = told(await self.house.take(as_read(self.ann.reply(conversation), id_=request)), "request.refused")
        return requested_id(self.ann.tenant, request), refused[0]["failure"] if refused else None

    async def fails(self, message: uuid.UUID, *, minutes: float = 5, failure: Failure = GONE, **more: Any) -> Facts:
        said = self.ann.report(message, "failed", minutes=minutes, failure=failure, **more)
        return await self.house.take(said.model_copy(update={"channel": self.channel}))

    async def is_told(self, conversation: uuid.UUID) -> dict[str, Any] | None:
        return (await self.answer(conversation))[1]


@pytest.fixture
def desk(house: House) -> Desk:
    return Desk(house)


async def test_who_is_not_there_is_written_to_no_more_and_everybody_is_told_since_when_and_why(desk: Desk) -> None:
    conversation = await desk.begins()
    message, _ = await desk.answer(conversation)
    (event,) = told(await desk.fails(message))
    assert (event["participant"], event["reachable"], event["failure"]) == (
        {"address": "ann"},
        False,
        GONE.model_dump(),
    )
    failure = await desk.is_told(conversation)
    assert failure is not None
    assert failure["code"] == "bad_address"
    assert at(5).isoformat() in failure["detail"]
    assert GONE.detail in failure["detail"]


async def test_a_first_message_to_that_address_is_refused_too_now_and_later(desk: Desk) -> None:
    await desk.fails((await desk.answer(await desk.begins()))[0])
    place = {"tenant": desk.ann.tenant, "channel": desk.channel, "account": "main", "address": "ann"}
    for more in ({}, {"not_before": datetime.now(UTC) + timedelta(days=1)}):
        asked = Send(**place, purpose="service", parts=(Text(text="hello"),), **more)
        (refused,) = told(await desk.house.take(asked), "request.refused")
        assert refused["failure"]["code"] == "bad_address"


async def test_it_is_told_once_however_often_it_fails(desk: Desk) -> None:
    conversation = await desk.begins()
    first, second = [(await desk.answer(conversation))[0] for _ in range(2)]
    assert len(told(await desk.fails(first))) == 1
    assert told(await desk.fails(first)) == []
    assert told(await desk.fails(second, minutes=6)) == []


async def test_who_writes_is_there_again_by_any_of_their_names(desk: Desk) -> None:
    conversation = await desk.begins()
    await desk.fails((await desk.answer(conversation))[0])
    other = Party(address="ann-2", aliases=("ann",))
    (event,) = [one for one in told(await desk.house.take(desk.says(minutes=9, sender=other))) if "reachable" in one]
    assert event["reachable"] is True
    assert await desk.is_told(conversation) is None


@pytest.mark.parametrize("minutes", [4, 6])
async def test_what_they_wrote_before_it_failed_lifts_nothing_and_after_it_an_older_failure_marks_nothing(
    desk: Desk, minutes: float
) -> None:
    conversation = await desk.begins()
    message, _ = await desk.answer(conversation)
    if minutes > 5:
        await desk.house.take(desk.says(minutes=minutes))
    assert len(told(await desk.fails(message))) == (minutes < 5)
    await desk.house.take(desk.says(minutes=minutes))
    assert (await desk.is_told(conversation) is None) == (minutes > 5)


async def test_somebody_who_knows_says_so(desk: Desk) -> None:
    conversation = await desk.begins()
    asked = {"tenant": desk.ann.tenant, "conversation": conversation, "reason": "they called"}
    (refused,) = told(await desk.house.take(Reachable(**asked)), "request.refused")
    assert "not reached" not in (await desk.is_told(conversation) or {}).get("detail", "")
    assert refused["failure"]["code"] == "refused"
    await desk.fails((await desk.answer(conversation))[0])
    (event,) = told(await desk.house.take(as_read(Reachable(**asked), id_="r-7")))
    assert (event["reachable"], event["reason"], event["request_id"]) == (True, "they called", "r-7")
    assert await desk.is_told(conversation) is None


@pytest.mark.parametrize("code", ["auth", "unreachable", "blocked"])
async def test_what_may_be_our_own_fault_or_is_not_for_ever_marks_nobody(desk: Desk, code: str) -> None:
    conversation = await desk.begins()
    message, _ = await desk.answer(conversation)
    assert told(await desk.fails(message, failure=Failure(code=code))) == []  # type: ignore[arg-type]
    assert await desk.is_told(conversation) is None


@pytest.mark.parametrize("channel", ["webhook", "facebook", "rcs"])
async def test_of_a_channel_whose_word_may_mean_something_else_nobody_is_marked(house: House, channel: str) -> None:
    desk = Desk(house, channel)
    conversation = await desk.begins()
    assert told(await desk.fails((await desk.answer(conversation))[0])) == []


async def test_a_group_and_a_post_are_never_marked(desk: Desk) -> None:
    conversation = await desk.begins(container="a-group", peer="a-group", surface="group")
    assert told(await desk.fails((await desk.answer(conversation))[0])) == []


async def test_a_mark_is_the_addresss_not_the_persons_and_not_the_accounts(desk: Desk) -> None:
    await desk.fails((await desk.answer(await desk.begins()))[0])
    elsewhere = Desk(desk.house, "telegram")
    elsewhere.ann = Customer(tenant=desk.ann.tenant)
    desk.house.directory.capabilities[desk.ann.tenant, "telegram", "main"] = CAPABILITIES
    assert await elsewhere.is_told(await elsewhere.begins()) is None
    other = {"tenant": desk.ann.tenant, "channel": "sms", "account": "second", "address": "ann"}
    desk.house.directory.capabilities[desk.ann.tenant, "sms", "second"] = CAPABILITIES
    asked = Send(**other, purpose="service", parts=(Text(text="hello"),))
    (refused,) = told(await desk.house.take(asked), "request.refused")
    assert refused["failure"]["code"] == "bad_address", "the same number, whichever account writes to it"


async def test_a_receipt_of_an_hour_later_marks_too(desk: Desk) -> None:
    conversation = await desk.begins()
    message, _ = await desk.answer(conversation)
    sent = desk.ann.report(message, "sent", "SM1", minutes=1)
    late: Delivery = desk.ann.receipt("failed", "SM1", minutes=61, failure=GONE)
    await desk.house.take(
        *(as_read(one.model_copy(update={"channel": "sms"}), offset=n) for n, one in enumerate((sent, late)))
    )
    assert (await desk.is_told(conversation) or {})["code"] == "bad_address"
