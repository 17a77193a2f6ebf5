"""Ids follow from their cause, and each kind of cause has a namespace of its own."""

from __future__ import annotations

import itertools
import uuid
from typing import get_args

from hypothesis import given, strategies as st

from shared.contract.envelope import Cause, derive, message_id, requested_id

NASTY = st.text(alphabet=st.characters(exclude_categories=[]) | st.sampled_from('\x1f/|\\"[], '), max_size=8)


def test_a_request_burns_the_id_of_no_message() -> None:
    coming = message_id("default", "webhook", "demo", "message/ID")
    assert requested_id("default", "webhook\x1fdemo\x1fmessage/ID") != coming
    assert requested_id("default\x1fwebhook\x1fdemo", "message/ID") != coming


@given(st.lists(NASTY, min_size=1, max_size=4), st.lists(NASTY, min_size=1, max_size=4))
def test_two_causes_are_two_ids(one: list[str], other: list[str]) -> None:
    """However their names are cut, and whatever they hold."""
    assert (derive("event", *one) == derive("event", *other)) == (one == other)


@given(st.lists(NASTY, min_size=1, max_size=4))
def test_one_cause_makes_another_id_of_each_kind(cause: list[str]) -> None:
    made = {derive(kind, *cause) for kind in get_args(Cause)}
    assert len(made) == len(get_args(Cause))


def test_the_ids_are_these_for_ever() -> None:
    """Written down: a change here would make every message new."""
    assert [str(derive(kind, "t", 1)) for kind in itertools.islice(get_args(Cause), 3)] == PINNED
    assert message_id("t", "webhook", "main", "k") == derive("message", "t", "webhook", "main", "k")
    assert derive("media", uuid.UUID(int=1), 0, "stored") == derive("media", str(uuid.UUID(int=1)), "0", "stored")


PINNED = [
    "389be5e4-79b8-58ee-941c-135215f845d4",
    "0c4755bb-57d5-5373-a6df-fad910197d4d",
    "d5b3a28d-48ca-5f92-9743-56ca8abb3583",
]
