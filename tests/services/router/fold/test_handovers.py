"""Who is to have the thread, as systems ask for it: refused early, ordered, its end told once with who has it then."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from services.router.fold.facts import Facts
from services.router.fold.handovers import RELEASED, SOMEBODY
from shared.contract.channel import Capabilities
from shared.contract.codes import Failure
from shared.contract.deliveries import Amended, HandOver
from shared.contract.envelope import requested_id
from shared.contract.records import EVENTS, RECORDS
from shared.contract.requests import HandOverThread
from tests.promises.house import Customer, House, as_read, at

ABLE = Capabilities(text=10, handovers=("pass", "take", "release"))
SOON = datetime.now(UTC) + timedelta(hours=1)


def told(facts: Facts) -> list[dict[str, Any]]:
    """The events of one batch, each valid for whoever reads it."""
    found = [event for event in facts.emissions if event.topic == EVENTS]
    for event in found:
        RECORDS[event.name].model.model_validate_json(event.value)
    return [orjson.loads(event.value) | {"type": event.name} for event in found]


def orders(facts: Facts) -> list[HandOver]:
    return [HandOver.model_validate_json(one.value) for one in facts.emissions if one.name == "outbound.handover"]


def outcome(order: HandOver, minutes: float = 1, **more: Any) -> Amended:
    where = order.model_dump(include={"tenant", "channel", "account", "peer"})
    return Amended(**where, order=order, occurred_at=at(minutes), **more)


class Desk:
    """A conversation whose thread is ours, or `responder`'s."""

    async def open(self, house: House, responder: str | None = None, able: Capabilities = ABLE, **more: Any) -> Desk:
        self.house, self.customer = house, Customer()
        house.allows(self.customer, able)
        self.conversation = await house.opened(self.customer, self.customer.says(responder=responder, **more))
        return self

    def asks(self, action: str, **more: Any) -> HandOverThread:
        given = {"tenant": self.customer.tenant, "conversation": self.conversation, "action": action}
        return HandOverThread.model_validate(given | more)

    async def ask(self, action: str, id_: str | None = None, **more: Any) -> Facts:
        return await self.house.take(as_read(self.asks(action, **more), id_=id_ or uuid.uuid4().hex))

    async def responder(self) -> str | None:
        found: str | None = await self.house.pool.fetchval(
            "SELECT responder FROM conversation WHERE id = $1", self.conversation
        )
        return found


@pytest.mark.parametrize(
    ("action", "more", "before", "after"),
    [
        ("pass", {}, None, SOMEBODY),
        ("pass", {"to": "ai_agent", "note": "opening hours"}, None, "ai_agent"),
        ("release", {}, None, RELEASED),
        ("take", {"note": "a person"}, "booking", None),
    ],
)
async def test_a_handover_is_accepted_ordered_and_its_end_says_who_has_the_thread(
    house: House, action: str, more: dict[str, str], before: str | None, after: str | None
) -> None:
    desk = await Desk().open(house, before)
    facts = await desk.ask(action, "r-1", **more)
    (accepted,), (order,) = told(facts), orders(facts)
    assert (accepted["type"], accepted["request_id"], accepted["request_type"]) == (
        "request.accepted",
        "r-1",
        "request.handover",
    )
    assert order.id == requested_id(desk.customer.tenant, "r-1")
    assert (order.action, order.target, order.note, order.sequence) == (
        action,
        more.get("to"),
        more.get("note"),
        accepted["sequence"],
    )
    assert await desk.responder() == before, "not before it is done"
    assert (await desk.ask(action, "r-1", **more)).emissions == [], "the same request again"
    (ended,) = told(await house.take(outcome(order)))
    assert (ended["type"], ended["request_id"], ended["responder"]) == ("conversation.responder", "r-1", after)
    assert await desk.responder() == after
    assert (await house.take(outcome(order))).emissions == []
    assert [one["sequence"] for one in await house.story(desk.conversation)] == list(range(1, ended["sequence"] + 1))


async def test_who_writes_after_a_release_is_answered_by_whoever_got_it(house: House) -> None:
    desk = await Desk().open(house)
    (order,) = orders(await desk.ask("release"))
    await house.take(outcome(order))
    (refused,) = told(await desk.ask("pass"))
    assert (refused["type"], refused["failure"]["code"]) == ("request.refused", "refused"), "it is not ours any more"
    back, message = told(await house.take(desk.customer.says(minutes=5)))
    assert (back["type"], back["responder"], message["type"]) == ("conversation.responder", None, "message.received")


async def test_an_end_that_is_older_than_what_is_known_tells_what_is_known(house: House) -> None:
    desk = await Desk().open(house, "booking")
    (order,) = orders(await desk.ask("take"))
    await house.take(desk.customer.says(minutes=5, responder="sales"))
    (ended,) = told(await house.take(outcome(order)))
    assert (ended["request_id"], ended["responder"]) == (order.request_id, "sales")


async def test_what_the_provider_refuses_is_a_refused_request_and_changes_nothing(house: House) -> None:
    desk = await Desk().open(house, "booking")
    (order,) = orders(await desk.ask("take", "r-1"))
    (ended,) = told(await house.take(outcome(order, failure=Failure(code="refused", detail="not the partner"))))
    assert (ended["type"], ended["request_id"], ended["request_type"]) == (
        "request.refused",
        "r-1",
        "request.handover",
    )
    assert await desk.responder() == "booking"


@pytest.mark.parametrize(
    ("responder", "action", "more", "code"),
    [
        (None, "take", {}, "refused"),
        ("booking", "pass", {}, "refused"),
        ("booking", "release", {}, "refused"),
        (None, "release", {"to": "ai_agent"}, "malformed"),
        ("booking", "take", {"to": "ai_agent"}, "malformed"),
        (None, "pass", {"expires_at": SOON - timedelta(hours=2)}, "expired"),
        (None, "pass", {"not_before": SOON}, "unsupported"),
        (None, "pass", {"conversation": uuid.uuid4()}, "unknown_conversation"),
        (None, "pass", {"tenant": "another"}, "unknown_conversation"),
    ],
)
async def test_what_cannot_be_is_refused_early(
    house: House, responder: str | None, action: str, more: dict[str, Any], code: str
) -> None:
    desk = await Desk().open(house, responder)
    facts = await desk.ask(action, **more)
    (event,) = told(facts)
    assert (event["type"], event["failure"]["code"], orders(facts)) == ("request.refused", code, [])


@pytest.mark.parametrize(
    ("able", "surface"),
    [
        (Capabilities(text=10), "direct"),
        (Capabilities(text=10, handovers=("release",)), "direct"),
        (Capabilities(text=10, handovers=("pass",), comment=Capabilities(text=10)), "comment"),
    ],
    ids=["not at all", "not this", "not of comments"],
)
async def test_what_the_channel_cannot_is_refused_early(house: House, able: Capabilities, surface: str) -> None:
    desk = await Desk().open(house, able=able, surface=surface)
    (event,) = told(await desk.ask("pass"))
    assert (event["type"], event["failure"]["code"]) == ("request.refused", "unsupported")


async def test_an_end_whose_conversation_is_gone_is_told_apart(house: House) -> None:
    desk = await Desk().open(house)
    (order,) = orders(await desk.ask("pass"))
    facts = await house.take(outcome(order.model_copy(update={"conversation": uuid.uuid4()})))
    assert [(one.name, one.sequence) for one in facts.emissions] == [("conversation.responder", 0)]
