"""What comes over a socket: NAME.frame.json, a frame as the provider sends it and the records that it becomes."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings as tuned, strategies as st

from shared.contract.channel import Incoming, Message
from shared.contract.errors import Malformed
from shared.inbound.translate import read_page_each
from tests.channels.conformance.bench import CHANNELS, bench, having, samples, told
from tests.channels.conformance.tampering import JUNK, changed, places
from tests.channels.conformance.test_other_shapes import check_events, whose

SOCKETS = having("socket")


def read(name: str, frame: bytes) -> tuple[Incoming | Malformed, ...]:
    return read_page_each(CHANNELS[name], bench(name).account, frame, bench(name).context)


def frames(name: str) -> list[Any]:
    return [orjson.loads(path.read_bytes())["frame"] for path in sorted(bench(name).folder.glob("*.frame.json"))]


@pytest.mark.parametrize("name", SOCKETS)
def test_whoever_keeps_a_socket_open_brings_frames(name):
    assert CHANNELS[name].connect, "a socket has an address"
    assert frames(name), f"write tests/channels/{name}/WHAT.frame.json: frame, and its records"


@pytest.mark.parametrize(("name", "path"), samples(SOCKETS, ".frame.json"))
def test_a_frame_becomes_the_expected_records(name, path):
    sample = orjson.loads(path.read_bytes())
    found = read(name, orjson.dumps(sample["frame"]))
    assert [told(record) for record in found] == sample["records"]
    for record in found:
        assert isinstance(record, Malformed) or bench(name).stamp(record).model_dump_json()


@pytest.mark.parametrize("name", SOCKETS)
@tuned(max_examples=400)
@given(data=st.data())
def test_a_frame_of_another_shape_becomes_records_or_is_malformed_and_nothing_else(name, data):
    tree = data.draw(st.sampled_from(frames(name)))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(list(places(tree))))
        tree = changed(tree, path, data.draw(JUNK | st.just(...)))
    for record in read(name, orjson.dumps(tree)):
        if not isinstance(record, Malformed):
            try:
                bench(name).stamp(record)
            except Malformed as refused:
                assert len(refused.detail) < 300


@pytest.mark.parametrize("name", SOCKETS)
def test_one_part_that_cannot_be_read_takes_no_message_of_a_frame_along(name):
    tried, naming = 0, {*bench(name).told.get("naming", ())}
    for frame in frames(name):
        before = whose(read(name, orjson.dumps(frame)))
        for path in places(frame):
            if path and path[-1] not in naming and isinstance(path[-1], str) and before:
                for junk in (None, 7, [], {}, "\x00"):
                    after = whose(read(name, orjson.dumps(changed(frame, path, junk))))
                    assert after.keys() >= before.keys(), (path, junk)
                    tried += 1
    assert tried > 50


@pytest.mark.parametrize("name", SOCKETS)
def test_one_event_of_a_frame_that_cannot_be_read_takes_no_other_along(name):
    for frame in frames(name):
        check_events(frame, lambda tree: read(name, orjson.dumps(tree)))


@pytest.mark.parametrize("name", SOCKETS)
def test_every_message_of_the_frames_has_a_key_of_its_own(name):
    found = [record for frame in frames(name) for record in read(name, orjson.dumps(frame))]
    keys = [(one.event_key, one.parts) for one in found if isinstance(one, Message)]
    assert len({key for key, _ in keys}) == len(keys)
