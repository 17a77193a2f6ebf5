"""The gateway as Discord documents it: greeted, kept alive, resumed or begun anew, and given up where that is of no use."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import orjson
import pytest

from services.chat_adapter.channels.discord.gateway import FATAL, GREETING, RESUMABLE, SLOWEST
from shared.contract.channel import Close, Frame, Message, Publish, Receive, Send, SendFailed
from tests.channels.conformance.bench import bench

STORED = {"session": "5e5510", "url": "wss://gateway-us-east1-b.discord.gg", "number": 42}
HELLO = {"op": 10, "d": {"heartbeat_interval": 40_000}}
READY = {
    "op": 0,
    "t": "READY",
    "s": 1,
    "d": {
        "v": 10,
        "user": {"id": "1180402345678901248"},
        "session_id": "new",
        "resume_gateway_url": "wss://gateway-us-east1-c.discord.gg",
        "guilds": [],
    },
}


class Line:
    """One connection, at whose other end the test is. `sent`: what was said; `stored`: the cursors, in order."""

    def __init__(self, cursor: Mapping[str, Any]) -> None:
        on = bench("discord")
        assert on.channel.socket
        self.now = on.context.now
        self.steps = on.channel.socket(on.account, cursor, on.context)
        self.sent: list[Any] = []
        self.stored: list[Any] = []
        self.records: list[Any] = []
        self.ended: Close | None = None
        self._on(next(self.steps))

    def hears(self, *frames: Any) -> None:
        for frame in frames:
            self.gives(data=orjson.dumps(frame))

    def gives(self, **what: Any) -> None:
        try:
            self._on(self.steps.send(Frame(now=self.now, **what)))
        except StopIteration as end:
            self.ended = end.value

    def waits(self) -> None:
        """Nothing comes until the deadline."""
        self.now = self.until
        self.gives()

    def _on(self, step: Any) -> None:
        while not isinstance(step, Receive):
            if isinstance(step, Send):
                self.sent.append(orjson.loads(step.frame))
            elif isinstance(step, Publish):
                self.records += step.records
                self.stored += [] if step.cursor is None else [step.cursor]
            step = self.steps.send(Frame(now=self.now))
        self.until = step.until


def test_a_new_session_identifies_itself_and_is_stored() -> None:
    line = Line({})
    assert line.until == line.now + GREETING
    line.hears(HELLO)
    assert [one["op"] for one in line.sent] == [2]
    assert line.sent[0]["d"]["intents"] & 1 << 15, "what people say is asked for"
    assert line.sent[0]["d"]["shard"] == [0, 1]
    line.hears(READY)
    assert line.stored == [{"session": "new", "url": "wss://gateway-us-east1-c.discord.gg", "number": 1}]


def test_a_stored_session_is_resumed_where_it_was() -> None:
    line = Line(STORED)
    line.hears(HELLO)
    assert line.sent == [
        {"op": 6, "d": {"token": "sandbox-only-bot-token-of-discord", "session_id": "5e5510", "seq": 42}}
    ]


def test_the_heartbeat_goes_on_while_it_is_answered() -> None:
    line = Line(STORED)
    begun = line.now
    line.hears(HELLO)
    assert begun <= line.until <= begun + timedelta(seconds=40), "somewhere within the first interval"
    for number in range(3):
        before = line.until
        line.waits()
        assert line.sent[-1] == {"op": 1, "d": 42}, number
        assert line.until == before + timedelta(seconds=40)
        line.hears({"op": 11})
    line.hears({"op": 1})
    assert len(line.sent) == 5, "one that is asked for comes at once"
    line.waits()
    assert line.ended is None
    line.waits()
    assert line.ended == Close(code=RESUMABLE), "nobody answers any more"


@pytest.mark.parametrize(
    ("wait", "every"),
    [(0, timedelta(milliseconds=1)), (-40_000, timedelta(milliseconds=1)), (400_000, SLOWEST), (10**9, SLOWEST)],
)
def test_the_heartbeat_stays_within_bounds_whatever_the_gateway_asks_for(wait: int, every: timedelta) -> None:
    line = Line(STORED)
    line.hears({"op": 10, "d": {"heartbeat_interval": wait}})
    before = line.until
    line.waits()
    assert line.until == before + every


def test_who_says_no_hello_is_not_waited_for() -> None:
    line = Line({})
    line.waits()
    assert line.ended == Close(code=RESUMABLE)


def test_a_message_moves_the_cursor_behind_itself_and_what_says_nothing_does_with_the_heartbeat() -> None:
    line = Line(STORED)
    line.hears(HELLO, {"op": 0, "t": "MESSAGE_DELETE", "s": 43, "d": {"id": "7", "channel_id": "8"}})
    (record,) = line.records
    assert isinstance(record, Message)
    assert line.stored == [{**STORED, "number": 43}]
    line.hears({"op": 0, "t": "PRESENCE_UPDATE", "s": 44, "d": {}})
    assert len(line.stored) == 1
    line.waits()
    assert line.stored[-1]["number"] == 44


@pytest.mark.parametrize(
    ("frame", "forgotten"),
    [({"op": 7, "d": None}, False), ({"op": 9, "d": True}, False), ({"op": 9, "d": False}, True)],
)
def test_it_connects_again_when_it_is_told_to(frame: Any, forgotten: bool) -> None:
    line = Line(STORED)
    line.hears(HELLO, frame)
    assert line.ended
    assert line.ended.code == RESUMABLE
    assert line.stored == ([{}] if forgotten else [])
    assert timedelta(0) <= line.ended.again_in <= timedelta(seconds=5)
    assert (line.ended.again_in >= timedelta(seconds=1)) == (frame["op"] == 9)


@pytest.mark.parametrize("code", [1000, 1001, 1005, 1006, 1009, *range(4000, 4006), *range(4007, 4015), 4999])
def test_every_close_code_is_resumed_begun_anew_or_given_up(code: int) -> None:
    line = Line(STORED)
    line.hears(HELLO)
    if code in {4004, 4010, 4011, 4012, 4013, 4014}:
        with pytest.raises(SendFailed) as failed:
            line.gives(closed=code)
        assert (failed.value.reason, FATAL[code] in failed.value.detail) == ("auth", True)
        return
    line.gives(closed=code)
    assert line.ended
    assert line.stored == ([{}] if code in {1000, 1001, 1009, 4003, 4007, 4009} else [])


def test_a_token_of_another_bot_is_not_listened_with() -> None:
    line = Line({})
    line.hears(HELLO)
    other = {**READY, "d": {**READY["d"], "user": {"id": "1"}}}  # type: ignore[dict-item]
    with pytest.raises(SendFailed, match="application_id or bot_id"):
        line.hears(other)


def test_a_stop_keeps_the_session() -> None:
    line = Line(STORED)
    line.hears(HELLO)
    line.gives(stop=True)
    assert line.ended == Close(code=RESUMABLE)


def test_no_frame_of_ours_is_larger_than_the_gateway_takes() -> None:
    line = Line({})
    line.hears(HELLO)
    assert len(orjson.dumps(line.sent[0])) < 4096


def test_whoever_shows_the_same_again_has_shown_it_again() -> None:
    """A reaction has no name of its own: the number of its event tells one from the next."""
    line = Line(STORED)
    told = {"user_id": "282265607313817601", "channel_id": "8", "message_id": "7", "emoji": {"id": None, "name": "👍"}}
    for number, kind in ((43, "ADD"), (44, "REMOVE"), (45, "ADD"), (45, "ADD")):
        line.hears({"op": 0, "t": f"MESSAGE_REACTION_{kind}", "s": number, "d": told})
    assert len({one.event_key for one in line.records}) == 3
