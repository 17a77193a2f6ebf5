"""The desk's work: closing and opening again, who waits since when, what nobody has read, what failed, whose it is."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.router.batch.write import LATE
from services.router.fold.facts import Facts
from shared.contract.codes import Failure
from shared.contract.envelope import Assessment, Envelope, Model, Party, Reaction, Thread, message_id, requested_id
from shared.contract.policy import Policy
from shared.contract.records import RECORDS
from shared.contract.requests import Assign, Close, Read, Reopen, Send, Tag
from tests.promises.house import Customer, House, as_read, at

AUTOMATIC = Assessment(kind="out_of_office", may_auto_answer=False)


class Desk:
    """One customer's conversation, and what is asked of it."""

    def __init__(self, house: House, customer: Customer, conversation: uuid.UUID) -> None:
        self.house, self.customer, self.conversation = house, customer, conversation

    @classmethod
    async def open(cls, house: House, customer: Customer | None = None, **more: Any) -> Desk:
        customer = customer or Customer()
        house.allows(customer)
        return cls(house, customer, await house.opened(customer, customer.says(**more)))

    async def ask(self, kind: type[Model], id_: str | None = None, **more: Any) -> Facts:
        given = {"tenant": self.customer.tenant, "conversation": self.conversation} | more
        return await self.house.take(as_read(kind.model_validate(given), id_=id_ or uuid.uuid4().hex))

    async def answer(self, **more: Any) -> uuid.UUID:
        id_ = uuid.uuid4().hex
        await self.house.take(as_read(self.customer.reply(self.conversation, **more), id_=id_))
        return requested_id(self.customer.tenant, id_)

    async def row(self) -> dict[str, Any]:
        return dict(await self.house.pool.fetchrow("SELECT * FROM conversation WHERE id = $1", self.conversation))

    async def last(self) -> dict[str, Any]:
        """The newest event, valid for whoever reads it."""
        found = (await self.house.story(self.conversation))[-1]
        RECORDS[found["type"]].model.model_validate({name: said for name, said in found.items() if name != "type"})
        return found

    async def closed_for(self, days: float) -> None:
        """As if it had been closed so long ago."""
        when = datetime.now(UTC) - timedelta(days=days)
        await self.house.pool.execute("UPDATE conversation SET closed_at = $2 WHERE id = $1", self.conversation, when)


def mail(customer: Customer, name: str, **more: Any) -> Envelope:
    return customer.says(name=name, surface="email", **more)


async def where(house: House, *said: Envelope) -> uuid.UUID:
    facts = await house.take(*said)
    (received,) = [event for event in facts.emissions if event.name == "message.received"]
    return received.conversation_id


# closed, and opened again


async def test_what_is_closed_says_so_once_and_takes_no_answer(house: House) -> None:
    desk = await Desk.open(house)
    await desk.ask(Close, "r-1", reason="answered")
    told = await desk.last()
    assert (told["type"], told["request_id"], told["reason"]) == ("conversation.closed", "r-1", "answered")
    await desk.ask(Close)
    assert (await desk.last())["failure"]["code"] == "refused"
    await desk.answer()
    told = await desk.last()
    assert (told["type"], told["failure"]["code"]) == ("request.refused", "refused")
    assert "reopen" in told["failure"]["detail"]


async def test_a_request_opens_it_again_with_the_same_number_and_id(house: House) -> None:
    desk = await Desk.open(house)
    await desk.ask(Close)
    await desk.ask(Reopen, "r-2")
    told = await desk.last()
    assert (told["type"], told["request_id"], told["sequence"]) == ("conversation.reopened", "r-2", 4)
    await desk.ask(Reopen)
    assert (await desk.last())["failure"]["code"] == "refused"
    await desk.answer()
    assert (await desk.last())["type"] == "message.queued"


PLACES = [
    pytest.param({}, {}, id="a chat"),
    pytest.param({"surface": "email"}, {"surface": "email", "thread": Thread(reply_to="m1")}, id="a mail"),
    pytest.param({"thread": Thread(thread_key="t")}, {"thread": Thread(thread_key="t")}, id="a thread"),
]


@pytest.mark.parametrize(("first", "then"), PLACES)
async def test_a_message_opens_what_was_closed_lately(
    house: House, first: dict[str, Any], then: dict[str, Any]
) -> None:
    desk = await Desk.open(house, name="m1", **first)
    await desk.ask(Close)
    await desk.closed_for(days=13.9)
    assert await where(house, desk.customer.says("one thing more", **then)) == desk.conversation
    types = await house.types(desk.conversation)
    assert types[-2:] == ["conversation.reopened", "message.received"]
    row = await desk.row()
    assert (row["status"], row["reopens"], row["closed_at"]) == ("open", False, None)


@pytest.mark.parametrize(("first", "then"), PLACES)
async def test_a_message_long_after_it_was_closed_opens_a_new_one_that_names_it(
    house: House, first: dict[str, Any], then: dict[str, Any]
) -> None:
    desk = await Desk.open(house, name="m1", **first)
    await desk.ask(Close)
    await desk.closed_for(days=14.1)
    other = await where(house, desk.customer.says("a year later", **then))
    opened = (await house.story(other))[0]
    assert (other != desk.conversation, opened["linked"]) == (True, str(desk.conversation))
    assert await where(house, desk.customer.says("and again", **then | {"thread": then.get("thread", Thread())})) != (
        desk.conversation
    )


async def test_how_long_is_the_accounts_policy(house: House) -> None:
    desk = await Desk.open(house)
    place = (desk.customer.tenant, "webhook", "main")
    await desk.ask(Close)
    await desk.closed_for(days=2)
    house.directory.policies[place] = Policy(reopen_days=3)
    assert await where(house, desk.customer.says()) == desk.conversation
    await desk.ask(Close)
    house.directory.policies[place] = Policy(reopen_days=0)
    assert await where(house, desk.customer.says()) != desk.conversation


async def test_what_goes_on_elsewhere_is_not_opened_again(house: House) -> None:
    """Neither by a request nor by a message: its customer would have two."""
    desk = await Desk.open(house)
    await desk.ask(Close)
    await desk.closed_for(days=20)
    other = await where(house, desk.customer.says())
    await desk.ask(Reopen)
    told = await desk.last()
    assert (told["type"], told["failure"]["code"]) == ("request.refused", "refused")
    assert await where(house, desk.customer.says()) == other


async def test_a_first_message_to_someone_whose_conversation_is_closed_begins_the_next(house: House) -> None:
    desk = await Desk.open(house)
    await desk.ask(Close)
    tenant, parts = desk.customer.tenant, desk.customer.reply(desk.conversation).parts
    facts = await house.take(Send(tenant=tenant, channel="webhook", account="main", address="ann", parts=parts))
    (opened,) = facts.opened
    assert opened.id != desk.conversation
    assert await where(house, desk.customer.says()) == opened.id


async def test_a_machine_is_heard_where_it_was_closed_and_opens_nothing(house: House) -> None:
    desk = await Desk.open(house, name="m1", surface="email")
    await desk.ask(Close)
    await desk.closed_for(days=100)
    late = mail(desk.customer, "m2", thread=Thread(reply_to="m1"), assessment=AUTOMATIC)
    assert await where(house, late) == desk.conversation
    row = await desk.row()
    assert (row["status"], row["waiting_since"]) == ("closed", None)


async def test_a_stranger_opens_nothing_by_naming_it(house: House) -> None:
    desk = await Desk.open(house, name="m1", surface="email")
    await desk.ask(Close)
    stranger = Customer(tenant=desk.customer.tenant, peer="eve")
    assert await where(house, mail(stranger, "m2", thread=Thread(reply_to="m1"))) != desk.conversation
    assert (await desk.row())["status"] == "closed"


@pytest.mark.parametrize("kind", [Close, Reopen, Assign, Tag, Read])
async def test_another_tenants_conversation_is_none(house: House, kind: type[Model]) -> None:
    desk = await Desk.open(house)
    before = await desk.row()
    facts = await desk.ask(kind, tenant="another", **({"upto": 1} if kind is Read else {}))
    (told,) = facts.emissions
    assert (told.name, told.sequence) == ("request.refused", 0)
    assert await desk.row() == before


# whose it is


async def test_whose_it_is_stands_in_the_conversation(house: House) -> None:
    desk = await Desk.open(house)
    await desk.ask(Assign, "r-1", assignee="Sophea")
    told = await desk.last()
    assert (told["type"], told["request_id"], told["assignee"]) == ("conversation.assigned", "r-1", "Sophea")
    assert (await desk.row())["assignee"] == "Sophea"
    await desk.ask(Assign)
    assert ((await desk.last())["assignee"], (await desk.row())["assignee"]) == (None, None)


async def test_labels_are_put_on_and_taken_off_and_told_whole(house: House) -> None:
    desk = await Desk.open(house)
    await desk.ask(Tag, add=["vip", "ការបញ្ជាទិញ", "vip"], priority="high")
    await desk.ask(Tag, add=["late"], remove=["vip", "never there"])
    told = await desk.last()
    assert (told["tags"], told["priority"]) == (["ការបញ្ជាទិញ", "late"], "high")
    assert (await desk.row())["tags"] == ["ការបញ្ជាទិញ", "late"]
    await desk.ask(Tag, remove=["ការបញ្ជាទិញ", "late"])
    assert ((await desk.last())["tags"], (await desk.row())["tags"]) == ([], None)


async def test_labels_have_an_end(house: House) -> None:
    desk = await Desk.open(house)
    await desk.ask(Tag, add=[f"a{n}" for n in range(50)])
    before = await desk.row()
    await desk.ask(Tag, add=["one more"])
    assert (await desk.last())["failure"]["code"] == "malformed"
    assert (await desk.row())["tags"] == before["tags"]


# who waits


async def test_who_waits_waits_since_the_oldest_that_nobody_has_answered(house: House) -> None:
    desk = await Desk.open(house, minutes=1)
    await house.take(desk.customer.says("anybody?", minutes=5))
    assert (await desk.row())["waiting_since"] == at(1)
    await desk.answer()
    told, row = await desk.last(), await desk.row()
    assert (told["type"], datetime.fromisoformat(told["waited_since"])) == ("message.queued", at(1))
    assert row["waiting_since"] is None
    waited = (datetime.fromisoformat(told["occurred_at"]) - at(1)).total_seconds()
    assert row["responses"] == pytest.approx({"first": waited, "last": waited, "total": waited, "count": 1})
    await desk.answer()
    assert "waited_since" not in await desk.last()
    assert (await desk.row())["responses"]["count"] == 1


async def test_what_the_account_wrote_elsewhere_is_an_answer_too_if_it_came_after_the_question(house: House) -> None:
    desk = await Desk.open(house, minutes=10)
    await house.take(desk.customer.echo("e1", minutes=9))
    assert (await desk.row())["waiting_since"] == at(10)
    await house.take(desk.customer.echo("e2", minutes=12))
    row = await desk.row()
    assert (row["waiting_since"], row["responses"]["last"]) == (None, 120)


async def test_how_long_an_answer_took_is_told_in_business_time_too(house: House) -> None:
    """Asked on a Sunday at noon, answered on Monday at half past eight; then once more within the hours."""
    desk = await Desk.open(house)
    policy = Policy(business_hours=("mon-fri 08:00-17:00",), zone="UTC")
    house.directory.policies[desk.customer.tenant, "webhook", "main"] = policy
    await house.take(desk.customer.echo("e1", minutes=20.5 * 60))
    await house.take(desk.customer.says(minutes=22 * 60))
    await house.take(desk.customer.echo("e2", minutes=22 * 60 + 5))
    total, business = (
        {"first": 73800, "last": 300, "total": 74100, "count": 2},
        {"first": 1800, "last": 300, "total": 2100, "count": 2},
    )
    assert (await desk.row())["responses"] == total | {f"business_{name}": said for name, said in business.items()}


async def test_neither_a_reaction_nor_a_machine_waits(house: House) -> None:
    desk = await Desk.open(house, name="m1")
    await desk.answer()
    customer = desk.customer
    reaction = customer.says().model_copy(
        update={
            "id": message_id(customer.tenant, "webhook", "main", "reaction"),
            "parts": (Reaction(target="m1", emoji="👍"),),
            "sender": Party(address=customer.peer),
        }
    )
    await house.take(reaction, customer.says("back on Monday", assessment=AUTOMATIC))
    row = await desk.row()
    assert row["waiting_since"] is None
    assert row["unread_from"] is not None  # somebody should look at it all the same


async def test_nobody_waits_in_what_is_closed(house: House) -> None:
    desk = await Desk.open(house)
    await desk.ask(Close)
    row = await desk.row()
    assert (row["waiting_since"], row["unread_from"], row["failure"]) == (None, None, None)


# what nobody has read


async def test_what_was_read_is_said_once_for_every_agent(house: House) -> None:
    desk = await Desk.open(house)
    await house.take(desk.customer.says("second"), desk.customer.says("third"))
    assert (await desk.row())["unread_from"] == 2
    await desk.ask(Read, "r-1", upto=3)
    told = await desk.last()
    assert (told["type"], told["request_id"], told["upto"]) == ("conversation.read", "r-1", 3)
    assert (await desk.row())["unread_from"] == 4
    await desk.ask(Read, upto=2**62)
    assert (await desk.row())["unread_from"] is None
    assert (await desk.last())["upto"] == 5  # nobody has read what is still to come


@pytest.mark.parametrize(("author", "unread"), [("Sophea", None), (None, 2)])
async def test_a_person_who_answers_has_read_it_and_a_program_has_not(
    house: House, author: str | None, unread: int | None
) -> None:
    desk = await Desk.open(house)
    await desk.answer(author=author)
    assert (await desk.row())["unread_from"] == unread


# what failed


async def test_a_send_that_did_not_arrive_stands_in_the_conversation_until_the_next(house: House) -> None:
    desk = await Desk.open(house)
    message = await desk.answer()
    assert (await desk.row())["failure"] is None
    why = Failure(code="bad_address", detail="no such person")
    await house.take(desk.customer.report(message, "failed", failure=why))
    failure = (await desk.row())["failure"]
    assert (failure["message"], failure["status"], failure["code"]) == (str(message), "failed", "bad_address")
    await desk.answer()
    assert (await desk.row())["failure"] is None


async def test_an_outcome_that_was_unknown_and_then_known_is_no_failure(house: House) -> None:
    desk = await Desk.open(house)
    message = await desk.answer()
    await house.take(desk.customer.report(message, "unknown"))
    assert (await desk.row())["failure"]["status"] == "unknown"
    await house.take(desk.customer.report(message, "sent", "x1"))
    assert (await desk.row())["failure"] is None


# what a message writes

INDEXED = """SELECT DISTINCT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid
    WHERE i.indrelid = 'conversation'::regclass AND (a.attnum = ANY(i.indkey)
        OR pg_get_expr(i.indpred, i.indrelid) ~ ('\\m' || a.attname || '\\M'))"""


async def test_the_next_message_of_a_burst_changes_nothing_that_stands_in_an_index(house: House) -> None:
    """So that the row is written on its own page, and no index at all (PostgreSQL: heap-only tuples)."""
    desk = await Desk.open(house, minutes=0)
    before = await desk.row()
    indexed = {row[0] for row in await house.pool.fetch(INDEXED)}
    assert {"listed_at", "waiting_since", "unread_from", "status"} <= indexed
    await house.take(desk.customer.says("and", minutes=0.5))
    after = await desk.row()
    assert after["last_at"] == at(0.5)
    assert {name for name in indexed if before[name] != after[name]} == set()
    await house.take(desk.customer.says("later", minutes=LATE / timedelta(minutes=1)))
    assert (await desk.row())["listed_at"] == at(0) + LATE
