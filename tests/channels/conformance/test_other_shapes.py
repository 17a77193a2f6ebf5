"""Whatever else a stranger or a provider's next version sends becomes records, or is refused with a reason; nothing else happens."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given, settings as tuned, strategies as st

from shared.contract.channel import Incoming, Message, Receipt, Request, Response
from shared.contract.codes import CODES
from shared.contract.envelope import AMENDS, Notice
from shared.contract.errors import AlreadySent, Malformed, SendFailed, Torn
from shared.contract.readable import readable
from tests.channels.conformance.bench import CHANNELS, SENDERS, WEBHOOKS, bench, having, requests
from tests.channels.conformance.exchanges import came_to
from tests.channels.conformance.tampering import JUNK, changed, holding, places, tree_of


@pytest.mark.parametrize("name", WEBHOOKS)
@tuned(max_examples=400)
@given(data=st.data())
def test_a_payload_of_another_shape_becomes_records_or_is_malformed_and_nothing_else(name, data):
    request = data.draw(st.sampled_from(requests(name)))
    tree = tree_of(request)
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(list(places(tree))))
        tree = changed(tree, path, data.draw(JUNK | st.just(...)))
    check_translation(name, holding(request, tree))


@pytest.mark.parametrize("name", WEBHOOKS)
@tuned(max_examples=150)
@given(data=st.data())
def test_bytes_of_any_kind_become_records_or_are_malformed_or_torn(name, data):
    request = data.draw(st.sampled_from(requests(name)))
    at = data.draw(st.integers(0, len(request.body)))
    noise = data.draw(
        st.binary(max_size=8) | st.sampled_from([b"[" * 5000, b"\\u0000", b'"\\ud800"', b"\xff", b"1e999"])
    )
    check_translation(name, replace(request, body=request.body[:at] + noise + request.body[at + len(noise) :]))


def check_translation(name: str, request: Request) -> None:
    try:
        found = bench(name).read(request)
        for one in bench(name).read_each(request):
            assert not isinstance(one, Malformed) or len(one.detail) < 300
        stamped = [bench(name).stamp(record) for record in found]
    except (Malformed, Torn) as refused:
        assert len(refused.detail) < 300
        return
    assert bench(name).read(request) == found
    for record in stamped:
        assert record.occurred_at <= bench(name).context.now
        value = record.model_dump_json()
        assert type(record).model_validate_json(value) == record
        assert "\\u0000" not in value.replace("\\\\", "")  # a backslash before "u0000" is no NUL
        assert all(getattr(record, "all_external_ids", ()))


@pytest.mark.parametrize("name", WEBHOOKS)
def test_one_part_that_cannot_be_read_takes_no_message_along(name):
    """Whatever is broken beside the names (`naming` in settings.json: by which fields an event is told apart, whose it
    is and which kind of thing): as many people have written as before, under the same names.
    """
    tried, naming = 0, {*bench(name).told.get("naming", ())}
    for request in requests(name):
        before = whose(bench(name).read_each(request))
        tree = tree_of(request)
        for path in places(tree):
            if path and path[-1] not in naming and isinstance(path[-1], str) and before:
                for junk in (None, 7, [], {}, "\x00"):
                    broken = holding(request, changed(tree, path, junk))
                    after = whose(bench(name).read_each(broken))
                    assert after.keys() >= before.keys(), (path, junk)
                    tried += 1
    assert tried > 20, "samples with more beside the names are needed: a name, a file, a place"


def whose(found: tuple[Incoming | Malformed, ...]) -> dict[tuple[str, str], Message]:
    """What people wrote, that is no change of an earlier message, by whose conversation and event it is."""
    written = [one for one in found if isinstance(one, Message) and not isinstance(one.parts[0], (*AMENDS, Notice))]
    return {(one.peer, one.event_key): one for one in written}


@pytest.mark.parametrize("name", WEBHOOKS)
def test_one_event_that_cannot_be_read_takes_no_other_along(name):
    """Of several in one request, messages or people who came or went or what was shown of one message: whatever stands in
    the place of one, all the others are told of as before.
    """
    for request in requests(name):
        tree = tree_of(request)
        check_events(tree, lambda tree, request=request: bench(name).read_each(holding(request, tree)))


def check_events(tree: Any, read: Callable[[Any], Iterable[Incoming | Malformed]]) -> None:
    whole = events(read(tree))
    for path in (path for path in places(tree) if path and isinstance(path[-1], int)):
        rest = events(read(changed(tree, path, ...)))
        for junk in (None, 7, [], {}, "\x00") if rest < whole else ():
            assert events(read(changed(tree, path, junk))) >= rest, (path, junk)


def events(found: Iterable[Incoming | Malformed]) -> set[tuple[str, ...]]:
    """What is told, by whom it is about and by what it is told apart."""
    return {
        (one.peer, one.event_key) if isinstance(one, Message) else (one.peer, one.status, str(one.external_ids))
        for one in found
        if isinstance(one, Message | Receipt)
    }


PERSON = ("name", "displayName", "language", "first_name", "last_name", "username", "locale", "timezone", "id", "error")


@pytest.mark.parametrize("name", having("profile"))
@tuned(max_examples=200, deadline=None)
@given(body=st.binary(max_size=40) | st.dictionaries(st.sampled_from(PERSON), JUNK).map(orjson.dumps))
def test_whatever_is_said_of_a_person_is_a_profile_or_a_typed_no(name, body):
    sample = {"address": bench(name).to}
    try:
        with readable():
            found = came_to("profile", name, sample, lambda _request: Response(body=body))
    except Malformed as refused:
        assert len(refused.detail) < 300
    else:
        assert found.get("profile", sample)["address"] == sample["address"]


@pytest.mark.parametrize("name", SENDERS)
@tuned(max_examples=300)
@given(
    status=st.integers(100, 599),
    body=st.binary(max_size=40) | JUNK.map(orjson.dumps),
    retry=st.none() | st.text(max_size=12) | st.integers(-5, 10**12).map(str),
)
def test_every_answer_is_a_yes_or_a_typed_no(name, status, body, retry):
    response = Response(status=status, headers={"retry-after": retry} if retry is not None else {}, body=body)
    try:
        CHANNELS[name].outcome(response)
    except AlreadySent:
        assert status < 500
    except SendFailed as failed:
        assert failed.reason in CODES
        assert failed.retry_after is None or timedelta(0) <= failed.retry_after <= timedelta(days=7)
    else:
        assert status < 400
