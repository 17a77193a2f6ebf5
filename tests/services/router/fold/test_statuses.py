"""A status never goes backwards, whatever the order in which it is told."""

from __future__ import annotations

import itertools
import uuid
from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given, settings, strategies as st

from services.router.batch import needs
from services.router.fold.facts import Conversation, Facts, Known, Ref, Sending
from services.router.fold.rules import decide
from services.router.fold.statuses import RANK, overall, progress
from shared.bus.cloudevents import In
from shared.contract.codes import STATUSES, Failure, Status, advances
from shared.contract.deliveries import Delivery
from tests.promises.house import NOON, Customer, as_read, at

CUSTOMER = Customer(tenant="t")
MESSAGE = uuid.UUID(int=7)
NAMES = ("p0", "p1")


def facts_with_a_queued_message() -> Facts:
    facts = Facts(now=NOON)
    conversation = facts.load(
        Conversation(
            id=uuid.UUID(int=1),
            tenant="t",
            customer_id=uuid.UUID(int=2),
            channel="webhook",
            account="main",
            peer="ann",
            container=None,
            thread_key=None,
            opened_at=NOON,
            last_at=NOON,
            surface="direct",
        )
    )
    facts.sendings[MESSAGE] = Sending(MESSAGE, conversation.id, "queued", "r", NOON)
    facts.known[MESSAGE] = Known(conversation.id, None)
    return facts


def hear(facts: Facts, record: In) -> None:
    """One record, its names claimed as the load does."""
    for key, claim in needs.of([record], b"").refs.items():
        ref = facts.refs.setdefault(key, Ref(key))
        if ref.message_id is None and claim.message_id:
            ref.message_id, ref.piece = claim.message_id, claim.piece
    decide(facts, record)


def told(facts: Facts) -> list[str]:
    return [event["status"] for event in events(facts)]


def events(facts: Facts) -> list[dict[str, Any]]:
    return [orjson.loads(event.value) for event in facts.emissions if event.name == "message.status"]


def pieces_told(facts: Facts) -> list[list[Status]]:
    return [[piece["status"] for piece in event["pieces"]] for event in events(facts)]


def a_delivery_of_two_pieces(final: dict[str, list[Status]]) -> list[Delivery]:
    """Both pieces sent by us, each then as far as its provider says, and a watermark's worth of repeats."""
    reports = [
        CUSTOMER.report(MESSAGE, "sent", name, piece=number, pieces=2, minutes=number)
        for number, name in enumerate(NAMES)
    ]
    receipts = [CUSTOMER.receipt(status, name, minutes=5 + n) for name in NAMES for n, status in enumerate(final[name])]
    return reports + receipts


ends: st.SearchStrategy[list[Status]] = st.sampled_from([[], ["delivered"], ["delivered", "read"], ["read"]])


@settings(max_examples=300)
@given(data=st.data(), first=ends, second=ends)
def test_any_order_of_reports_receipts_and_repeats_ends_the_same_and_only_rises(
    data: st.DataObject, first: list[Status], second: list[Status]
) -> None:
    records = a_delivery_of_two_pieces({"p0": first, "p1": second})
    repeats = data.draw(st.lists(st.sampled_from(records), max_size=4))
    shuffled = data.draw(st.permutations(records + repeats))
    facts = facts_with_a_queued_message()
    for record in shuffled:
        hear(facts, as_read(record))
    furthest = [
        max([RANK.index(status) for status in reached], default=RANK.index("sent")) for reached in (first, second)
    ]
    assert facts.sendings[MESSAGE].status == RANK[min(furthest)]
    ranks = [
        (RANK.index(event["status"]), *(RANK.index(one["status"]) for one in event["pieces"]))
        for event in events(facts)
    ]
    assert all(all(a <= b for a, b in zip(*two, strict=True)) for two in itertools.pairwise(ranks)), "never backwards"
    assert len(ranks) == len(set(ranks)), "told once each"
    assert [[RANK[rank] for rank in ranks[-1][1:]], facts.sendings[MESSAGE].external_ids] == [
        [max(["sent", *reached], key=RANK.index) for reached in (first, second)],
        list(NAMES),
    ]


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(STATUSES)), max_size=12))
def test_whatever_is_said_of_whichever_piece_the_message_only_advances(said: list[tuple[int, Status]]) -> None:
    facts = facts_with_a_queued_message()
    for number, (piece, status) in enumerate(said):
        hear(facts, as_read(CUSTOMER.report(MESSAGE, status, piece=piece, pieces=3, minutes=number)))
    steps = [
        ["queued"] * 4,
        *([event["status"], *(one["status"] for one in event["pieces"])] for event in events(facts)),
    ]
    for old, new in itertools.pairwise(steps):
        assert old != new
        assert all(was == now or advances(was, now) for was, now in zip(old, new, strict=True)), steps


def test_each_piece_is_told_once_the_message_has_left_and_why_one_failed() -> None:
    facts = facts_with_a_queued_message()
    for piece in (0, 1, 2):
        hear(facts, as_read(CUSTOMER.report(MESSAGE, "sent", f"p{piece}", piece=piece, pieces=3, minutes=piece)))
    for name in ("p1", "p0", "p1"):
        hear(facts, as_read(CUSTOMER.receipt("delivered", name, minutes=5)))
    failure = Failure(code="unreachable", detail="switched off")
    hear(facts, as_read(CUSTOMER.receipt("failed", "p2", minutes=6, failure=failure)))
    hear(facts, as_read(CUSTOMER.receipt("read", "p0", minutes=7)))
    assert told(facts) == ["sent", "sent", "sent", "failed", "failed"]
    assert pieces_told(facts) == [
        ["sent", "sent", "sent"],
        ["sent", "delivered", "sent"],
        ["delivered", "delivered", "sent"],
        ["delivered", "delivered", "failed"],
        ["read", "delivered", "failed"],
    ]
    last = events(facts)[-1]["pieces"][2]
    assert last == {"status": "failed", "external_ids": ["p2"], "failure": failure.model_dump()}


def test_a_message_of_one_piece_tells_of_no_pieces() -> None:
    facts = facts_with_a_queued_message()
    hear(facts, as_read(CUSTOMER.report(MESSAGE, "sent", "p0")))
    assert [event.get("pieces") for event in events(facts)] == [None]


def test_a_watermark_tells_once_of_all_pieces_that_it_has_reached() -> None:
    facts = facts_with_a_queued_message()
    for piece in (0, 1, 2):
        hear(facts, as_read(CUSTOMER.report(MESSAGE, "sent", f"p{piece}", piece=piece, pieces=3, minutes=piece)))
    hear(facts, as_read(CUSTOMER.watermark("read", minutes=1.5)))
    hear(facts, as_read(CUSTOMER.watermark("read", minutes=3)))
    assert pieces_told(facts)[1:] == [["read", "read", "sent"], ["read", "read", "read"]]
    assert told(facts) == ["sent", "sent", "read"]


def test_a_report_of_another_attempt_changes_nothing() -> None:
    facts = facts_with_a_queued_message()
    hear(facts, as_read(CUSTOMER.report(MESSAGE, "failed", attempt=2)))
    assert facts.sendings[MESSAGE].status == "queued"
    (apart,) = [event for event in facts.emissions if event.name == "message.status"]
    assert not apart.sequence, "it is told, and is no event of the conversation"


def test_failed_is_final_and_says_why() -> None:
    facts = facts_with_a_queued_message()
    failure = Failure(code="blocked", detail="the person blocked us")
    hear(facts, as_read(CUSTOMER.report(MESSAGE, "failed", failure=failure)))
    hear(facts, as_read(CUSTOMER.report(MESSAGE, "sent", "p0")))
    assert told(facts) == ["failed"]
    assert b"the person blocked us" in facts.emissions[-1].value


@pytest.mark.parametrize(
    ("pieces", "found", "expected"),
    [
        (1, {}, "queued"),
        (2, {"0": "sent"}, "queued"),
        (2, {"0": "sent", "1": "read"}, "sent"),
        (2, {"0": "read", "1": "delivered"}, "delivered"),
        (2, {"0": "sent", "1": "unknown"}, "unknown"),
        (3, {"0": "sent", "1": "failed"}, "failed"),
        (2, {"0": "expired"}, "expired"),
        (2, {"0": "cancelled", "1": "expired"}, "expired"),
    ],
)
def test_a_message_is_as_far_as_its_slowest_piece(pieces: int, found: dict[str, Status], expected: Status) -> None:
    assert overall(pieces, {number: {"status": status} for number, status in found.items()}) == expected


def test_every_name_of_a_piece_is_kept_once() -> None:
    sending = Sending(MESSAGE, uuid.UUID(int=1), "queued", "r", NOON, pieces=2)
    progress(sending, piece=1, status="sent", at=at(1), external_ids=("b1", "b2"))
    progress(sending, piece=0, status="sent", at=at(2), external_ids=("a1",))
    progress(sending, piece=1, status="delivered", at=at(3) + timedelta(seconds=1), external_ids=("b2", "b3"))
    assert sending.external_ids == ["a1", "b1", "b2", "b3"]
