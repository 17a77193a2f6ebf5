"""What a server writes about a mail is nobody's message: it is told where the mail of ours stands that it names, and opens nothing."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from services.router.fold.facts import Facts
from shared.contract.codes import Failure
from shared.contract.envelope import PURPOSES, Assessment, Bounce, Envelope, Notice, Party, Text, Thread
from shared.contract.requests import Close
from tests.promises.house import Customer, House
from tests.services.router.fold.test_amendments import events
from tests.services.router.fold.test_consents import told, wants
from tests.services.router.fold.test_work import Desk, mail

OURS = "piece.tag@shop.example"
DAEMON = "mailer-daemon@mx.example"
BOUNCE = Bounce(recipient="ann", status="5.1.1", type="hard", original_id=OURS)


def report(customer: Customer, notice: Notice, *, names: str | None = OURS, **more: Any) -> Envelope:
    """As the adapter makes it: of whoever wrote it, under the name that it verified."""
    said = Assessment(kind="bounce", may_auto_answer=False, bounce=BOUNCE, reasons=("delivery status",))
    writer = {"peer": DAEMON, "sender": Party(address=DAEMON), "window": None}
    parts = (notice, Text(text="Dear sender"))
    return mail(
        customer, uuid.uuid4().hex, parts=parts, thread=Thread(reply_to=names), assessment=said, **writer | more
    )


@pytest.fixture
async def desk(house: House) -> Desk:
    """A conversation by mail in which we have answered, under our own name of that mail."""
    desk = await Desk.open(house, name="m1", surface="email")
    sent = await desk.answer()
    await house.take(desk.customer.report(sent, "sent", OURS, minutes=1))
    return desk


def kinds(facts: Facts) -> list[str]:
    return [one["type"] for one in events(facts)]


async def test_a_bounce_is_told_where_its_mail_stands_with_its_facts(house: House, desk: Desk) -> None:
    (one,) = events(await house.take(report(desk.customer, Notice(type="other", text="bounce"))))
    assert (one["type"], one["conversation"], one["peer"]) == ("conversation.notice", str(desk.conversation), DAEMON)
    assert (one["assessment"]["kind"], one["assessment"]["bounce"]["status"]) == ("bounce", "5.1.1")
    await desk.last()
    assert len(await house.conversations(desk.customer)) == 1
    known = "SELECT count(*) FROM identity WHERE tenant = $1 AND value = $2"
    assert await house.pool.fetchval(known, desk.customer.tenant, DAEMON) == 0


async def test_it_opens_nothing_that_was_closed_and_nobody_waits(house: House, desk: Desk) -> None:
    await desk.ask(Close)
    before = await desk.row()
    await house.take(report(desk.customer, Notice(type="other", text="bounce")))
    after = await desk.row()
    same = ("status", "waiting_since", "preview", "last_inbound_at", "unread_from", "peer")
    assert [after[name] for name in same] == [before[name] for name in same]
    assert after["status"] == "closed"


async def test_one_that_names_nothing_of_ours_is_told_apart_with_its_facts(house: House, desk: Desk) -> None:
    (one,) = events(await house.take(report(desk.customer, Notice(type="other", text="bounce"), names=None)))
    assert (one["type"], one["apart"]) == ("conversation.notice", True)
    assert one["assessment"]["bounce"]["recipient"] == "ann"


async def test_the_message_that_did_not_arrive_has_failed(house: House, desk: Desk) -> None:
    gone = desk.customer.receipt("failed", OURS, minutes=2, failure=Failure(code="bad_address", detail="5.1.1"))
    (one,) = events(await house.take(gone))
    assert (one["type"], one["status"], one["failure"]["code"]) == ("message.status", "failed", "bad_address")
    assert (await desk.row())["failure"] is not None


async def test_who_complains_of_a_mail_of_ours_is_sent_no_more_marketing(house: House, desk: Desk) -> None:
    """Whose mail it was decides, not what address the report names, nor who brought it."""
    complaint = Notice(type="opted_out", purposes=("marketing",), text="complaint: abuse")
    facts = await house.take(report(desk.customer, complaint, peer="eve", sender=Party(address="eve")))
    (consent,) = told(facts)
    assert (consent["purposes"], consent["given"], consent["evidence"]) == (["marketing"], False, "complaint: abuse")
    assert await wants(house, desk.customer) == [one for one in PURPOSES if one != "marketing"]


async def test_a_complaint_that_names_nothing_of_ours_stops_nothing(house: House, desk: Desk) -> None:
    complaint = Notice(type="opted_out", purposes=("marketing",), text="complaint: abuse")
    by_themselves = {"peer": desk.customer.peer, "sender": Party(address=desk.customer.peer)}
    facts = await house.take(report(desk.customer, complaint, names="other@x.example", **by_themselves))
    assert told(facts) == []
    assert "marketing" in await wants(house, desk.customer)


async def test_who_writes_by_a_list_waits_for_an_answer(house: House) -> None:
    listed = Assessment(kind="list", may_auto_answer=False, reasons=("mailing list",))
    desk = await Desk.open(house, name="m1", surface="email", assessment=listed)
    assert (await desk.row())["waiting_since"] is not None
