"""What systems ask to be changed of a message: refused early where it cannot be, ordered behind the message, its end told once."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from services.router.fold.facts import Facts
from shared.contract.channel import Capabilities
from shared.contract.codes import Failure
from shared.contract.deliveries import Amend, Amended
from shared.contract.envelope import Media, Text, requested_id
from shared.contract.records import EVENTS, INBOUND_LIMIT, RECORDS
from shared.contract.requests import DeleteMessage, EditMessage, OfMessage, ReactMessage, SeenMessage
from tests.promises.house import Customer, House, as_read

ABLE = Capabilities(
    text=10, media={"image": "full"}, changes={"edit": timedelta(days=2), "delete": None, "react": None, "seen": None}
)
SOON = datetime.now(UTC) + timedelta(hours=1)


def edit(customer: Customer, message: uuid.UUID, text: str = "new", **more: Any) -> EditMessage:
    return EditMessage(tenant=customer.tenant, message=message, parts=(Text(text=text),), **more)


def told(facts: Facts) -> list[dict[str, Any]]:
    """The events of one batch, each valid for whoever reads it."""
    found = [event for event in facts.emissions if event.topic == EVENTS]
    for event in found:
        RECORDS[event.name].model.model_validate_json(event.value)
    return [orjson.loads(event.value) | {"type": event.name} for event in found]


def orders(facts: Facts) -> list[Amend]:
    return [Amend.model_validate_json(one.value) for one in facts.emissions if one.name == "outbound.amend"]


def outcome(order: Amend, **more: Any) -> Amended:
    where = order.model_dump(include={"tenant", "channel", "account", "peer"})
    return Amended(**where, order=order, occurred_at=datetime.now(UTC), **more)


class Desk:
    """A conversation with a message of the customer's and one of ours."""

    async def open(self, house: House, able: Capabilities = ABLE, text: str = "hi") -> Desk:
        self.house, self.customer = house, Customer()
        house.allows(self.customer, able)
        self.hello = self.customer.says(name="m1", read_mark="k1")
        self.conversation = await house.opened(self.customer, self.hello)
        id_ = uuid.uuid4().hex
        await house.take(as_read(self.customer.reply(self.conversation, text), id_=id_))
        self.ours = requested_id(self.customer.tenant, id_)
        return self

    async def sent(self, *names: str) -> Desk:
        for piece, name in enumerate(names):
            report = self.customer.report(self.ours, "sent", name, piece=piece, pieces=len(names))
            await self.house.take(report)
        return self

    async def ask(self, asked: OfMessage, id_: str | None = None) -> Facts:
        return await self.house.take(as_read(asked, id_=id_ or uuid.uuid4().hex))

    async def refused(self, asked: OfMessage) -> str:
        (event,) = told(facts := await self.ask(asked))
        assert (event["type"], orders(facts)) == ("request.refused", [])
        return str(event["failure"]["code"])


def requests(desk: Desk) -> dict[str, OfMessage]:
    tenant = desk.customer.tenant
    return {
        "edit": edit(desk.customer, desk.ours),
        "delete": DeleteMessage(tenant=tenant, message=desk.ours),
        "react": ReactMessage(tenant=tenant, message=desk.hello.id, emoji="🙏"),
        "seen": SeenMessage(tenant=tenant, message=desk.hello.id),
    }


@pytest.mark.parametrize("what", ["edit", "delete", "react", "seen"])
async def test_a_change_is_accepted_ordered_and_its_end_told_once(house: House, what: str) -> None:
    desk = await (await Desk().open(house)).sent("7")
    facts = await desk.ask(requests(desk)[what], "r-1")
    (accepted,), (order,) = told(facts), orders(facts)
    message = desk.ours if what in {"edit", "delete"} else desk.hello.id
    assert (accepted["type"], accepted["request_id"], accepted["message_id"]) == (
        "request.accepted",
        "r-1",
        str(message),
    )
    assert (order.change, order.message, order.sequence) == (what, message, accepted["sequence"])
    assert order.names == ((("7",),) if message == desk.ours else (("m1",),))
    assert (order.ours, order.read_mark) == ((True, None) if message == desk.ours else (False, "k1"))
    assert (await desk.ask(requests(desk)[what], "r-1")).emissions == [], "the same request again"
    done = outcome(order, external_id=order.names[0][0])
    (ended,) = told(await house.take(done))
    types = {"edit": "message.edited", "delete": "message.deleted", "react": "message.reaction", "seen": "message.seen"}
    assert (ended["type"], ended["request_id"], ended["message_id"]) == (types[what], "r-1", str(message))
    if what == "edit":
        assert [part["kind"] for part in ended["message"]["parts"]] == ["edit", "text"]
        assert (ended["message"]["direction"], ended["message"]["parts"][1]["text"]) == ("outbound", "new")
    if what == "react":
        assert (ended["emoji"], ended["replaces"], ended["sender"]["address"]) == ("🙏", True, "main")
    assert (await house.take(done)).emissions == []
    assert [one["sequence"] for one in await house.story(desk.conversation)] == list(range(1, ended["sequence"] + 1))


async def test_what_the_provider_refuses_is_a_refused_request(house: House) -> None:
    desk = await (await Desk().open(house)).sent("7")
    (order,) = orders(await desk.ask(edit(desk.customer, desk.ours), "r-1"))
    (ended,) = told(await house.take(outcome(order, failure=Failure(code="expired", detail="too old"))))
    assert (ended["type"], ended["request_id"], ended["request_type"]) == ("request.refused", "r-1", "request.edit")
    assert ended["failure"]["code"] == "expired"


async def test_a_message_that_is_on_its_way_is_changed_by_the_adapter_that_sends_it(house: House) -> None:
    desk = await Desk().open(house)
    (order,) = orders(await desk.ask(edit(desk.customer, desk.ours)))
    assert (order.names, [part.model_dump(include={"text"}) for part in order.content]) == ((), [{"text": "new"}])
    reply, id_ = desk.customer.reply(desk.conversation, "hi"), uuid.uuid4().hex
    both = (as_read(reply, id_=id_), as_read(edit(desk.customer, requested_id(desk.customer.tenant, id_))))
    assert len(orders(await house.take(*both))) == 1, "in one batch"


async def test_what_cannot_be_changed_is_refused_early(house: House) -> None:
    desk = await (await Desk().open(house)).sent("7")
    customer, tenant, hello, ours = desk.customer, desk.customer.tenant, desk.hello.id, desk.ours
    cases: dict[str, tuple[OfMessage, str]] = {
        "no such message": (edit(customer, uuid.uuid4()), "malformed"),
        "another tenant's": (edit(Customer(), ours), "malformed"),
        "theirs": (edit(customer, hello), "refused"),
        "theirs, to delete": (DeleteMessage(tenant=tenant, message=hello), "refused"),
        "ours, to mark": (SeenMessage(tenant=tenant, message=ours), "refused"),
        "expired": (edit(customer, ours, expires_at=desk.hello.occurred_at), "expired"),
        "scheduled": (edit(customer, ours, not_before=SOON), "unsupported"),
        "more pieces": (edit(customer, ours, "aaaa bbbb cccc"), "unsupported"),
        "too long for the bus": (
            EditMessage(tenant=tenant, message=ours, parts=(Text(text="new", html="x" * (INBOUND_LIMIT - 4096)),)),
            "too_long",
        ),
        "another kind": (
            EditMessage(tenant=tenant, message=ours, parts=(Media(media="image", state="stored", blob="b", size=1),)),
            "unsupported",
        ),
        "taken back without which": (ReactMessage(tenant=tenant, message=hello, removed=True), "malformed"),
    }
    assert {name: await desk.refused(asked) for name, (asked, _) in cases.items()} == {
        name: code for name, (_, code) in cases.items()
    }


@pytest.mark.parametrize(
    ("able", "code"),
    [
        (Capabilities(text=10), "unsupported"),
        (Capabilities(text=10, changes={"edit": timedelta(0)}), "expired"),
        (Capabilities(text=10, changes={"react": None}, reactions=("👍",)), "unsupported"),
    ],
    ids=["not at all", "not for that long", "not this emoji"],
)
async def test_what_the_channel_cannot_is_refused_early(house: House, able: Capabilities, code: str) -> None:
    desk = await (await Desk().open(house, able)).sent("7")
    asked = requests(desk)["react" if "react" in able.changes else "edit"]
    assert await desk.refused(asked) == code


async def test_of_what_was_not_sent_nothing_changes_but_its_first_pieces_can_be_taken_back(house: House) -> None:
    desk = await (await Desk().open(house, text="aaaa bbbb cccc")).sent("7")
    await house.take(desk.customer.report(desk.ours, "failed", piece=1, pieces=2))
    assert await desk.refused(edit(desk.customer, desk.ours, "aaaa bbbb dddd")) == "refused"
    (order,) = orders(await desk.ask(requests(desk)["delete"]))
    assert order.names == (("7",),)


async def test_a_conversation_that_shows_the_words_shows_them_as_they_are_now(house: House) -> None:
    desk = await (await Desk().open(house)).sent("7")
    preview = "SELECT preview FROM conversation WHERE id = $1"
    (order,) = orders(await desk.ask(edit(desk.customer, desk.ours)))
    await house.take(outcome(order, external_id="7"))
    assert await house.pool.fetchval(preview, desk.conversation) == "new"
    await house.take(desk.customer.says("newer", minutes=1))
    (order,) = orders(await desk.ask(requests(desk)["delete"]))
    await house.take(outcome(order, external_id="7"))
    assert await house.pool.fetchval(preview, desk.conversation) == "newer"


async def test_an_end_whose_conversation_is_gone_is_told_apart(house: House) -> None:
    desk = await (await Desk().open(house)).sent("7")
    (order,) = orders(await desk.ask(requests(desk)["delete"]))
    gone = order.model_copy(update={"conversation": uuid.uuid4(), "message": uuid.uuid4()})
    facts = await house.take(outcome(gone, external_id="7"))
    assert [(one.name, one.sequence) for one in facts.emissions] == [("message.deleted", 0)]
