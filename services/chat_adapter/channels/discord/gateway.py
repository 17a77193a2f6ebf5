"""The gateway, over which Discord tells what is said — https://docs.discord.com/developers/events/gateway."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from pydantic import SecretStr

from services.chat_adapter.channels.discord import inbound
from shared.contract.channel import Close, Context, Frame, Malformed, Publish, Receive, Send, SendFailed, Socket
from shared.contract.mend import loads
from shared.contract.readable import each, otherwise

Json = dict[str, Any]

DISPATCH, HEARTBEAT, IDENTIFY, RESUME, RECONNECT, INVALID, HELLO, ACKNOWLEDGED = 0, 1, 2, 6, 7, 9, 10, 11
GREETING: Final = timedelta(seconds=20)  # for Hello
SLOWEST: Final = timedelta(minutes=5)  # between two heartbeats
RESUMABLE: Final = 4900  # any code but 1000 and 1001 keeps the session: …/gateway#initiating-a-disconnect
# …/topics/opcodes-and-status-codes#gateway-gateway-close-event-codes
FATAL: Final[Mapping[int, str]] = {
    4004: "the token is not good",
    4010: "there is no such shard: mend `shards`",
    4011: "the bot is in so many servers that it needs `shards`",
    4012: "Discord has given up this version of its gateway: update Parley",
    4013: "`intents` holds one that does not exist",
    4014: "an intent is not allowed: switch on Message Content Intent, and what else `intents` names, on the app's Bot page",
}
LOST: Final = frozenset({1000, 1001, 1009, 4003, 4007, 4009})  # a new session; 1009: a frame that would only come again
QUERY: Final = "/?v=10&encoding=json"


@dataclass(slots=True)
class Session:
    """What is known on one connection. `cursor`: session, url and number, as they are stored."""

    token: SecretStr
    key: str
    bot: str
    intents: int
    shard: tuple[int, int]
    cursor: Json
    chance: float
    beat: timedelta | None = None
    answered: bool = True
    due: datetime | None = None
    ending: Close | None = field(default=None)

    def read(self, frame: Frame) -> Iterator[Send | Publish]:
        """What a frame asks for."""
        told: Any = otherwise(lambda: loads(frame.data or b""), None)
        match told:
            case {"op": 0, "t": str(kind), "d": dict(event)}:
                yield from self._dispatched(kind, event, told.get("s"), frame.now)
            case {"op": 1}:
                yield self.heartbeat()
            case {"op": 7}:
                self.ending = Close(code=RESUMABLE)
            case {"op": 9, "d": again}:
                yield from self._invalid(resumable=again is True)
            case {"op": 10, "d": {"heartbeat_interval": int(wait)}}:
                self._hello(timedelta(milliseconds=max(1, wait)), frame.now)
                yield self._greeting()
            case {"op": 11}:
                self.answered = True
            case {"op": int()}:
                pass
            case _:
                yield Publish((Malformed("a frame of the gateway of another shape"),))

    def _hello(self, wait: timedelta, now: datetime) -> None:
        """The first heartbeat somewhere within the interval, so that not all come at once."""
        self.beat = min(wait, SLOWEST)
        self.due, self.answered = now + self.beat * self.chance, True

    def _greeting(self) -> Send:
        secret = self.token.get_secret_value()
        if session := self.cursor.get("session"):
            return _send(RESUME, {"token": secret, "session_id": session, "seq": self.cursor.get("number")})
        about = {"os": "linux", "browser": "parley", "device": "parley"}
        hello = {"token": secret, "intents": self.intents, "properties": about, "shard": list(self.shard)}
        return _send(IDENTIFY, hello)

    def heartbeat(self) -> Send:
        return _send(HEARTBEAT, self.cursor.get("number"))

    def tick(self, now: datetime) -> Iterator[Send | Publish]:
        """A heartbeat is due. Where the last one was not answered nobody listens any more, and where none was asked for
        nobody ever did.
        """
        if self.beat is None or not self.answered:
            self.ending = Close(code=RESUMABLE)
            return
        self.answered, self.due = False, now + self.beat
        yield self.heartbeat()
        if self.cursor.get("session"):
            yield Publish(cursor=dict(self.cursor))

    def _invalid(self, *, resumable: bool) -> Iterator[Publish]:
        """After "a random amount of time (between 1 and 5 seconds)"."""
        if not resumable:
            self.cursor = {}
            yield Publish(cursor={})
        self.ending = Close(code=RESUMABLE, again_in=timedelta(seconds=1 + 4 * self.chance))

    def _dispatched(self, kind: str, event: Json, number: Any, now: datetime) -> Iterator[Publish]:
        if isinstance(number, int):
            self.cursor["number"] = number
        if kind == "READY":
            self._ready(event)
        known = inbound.Known(self.key, self.bot, now, number if isinstance(number, int) else None)
        records = tuple(each(lambda told: inbound.event(kind, told, known), [event]))
        if records or kind in {"READY", "RESUMED"}:
            yield Publish(records, cursor=dict(self.cursor) if self.cursor.get("session") else None)

    def _ready(self, event: Json) -> None:
        """Raises SendFailed where the token is another bot's."""
        found = event["user"]["id"]
        if found != self.bot:
            raise SendFailed("auth", f"the token is of the bot {found}, not {self.bot}: mend application_id or bot_id")
        self.cursor |= {"session": event["session_id"], "url": event["resume_gateway_url"]}

    def closed(self, code: int) -> Iterator[Publish]:
        """Raises SendFailed where connecting again would end as this."""
        if code in FATAL:
            raise SendFailed("auth", f"{code}: {FATAL[code]}")
        if code in LOST:
            yield Publish(cursor={})
        self.ending = Close(code=RESUMABLE)


def talk(session: Session, context: Context) -> Socket:
    session.due = context.now + GREETING
    while session.ending is None:
        frame = yield Receive(session.due)
        if frame.stop:
            return Close(code=RESUMABLE)
        if frame.closed is not None:
            steps: Iterator[Send | Publish] = session.closed(frame.closed)
        else:
            steps = session.read(frame) if frame.data is not None else session.tick(frame.now)
        yield from steps
    return session.ending


def _send(code: int, value: Any) -> Send:
    return Send(orjson.dumps({"op": code, "d": value}))
