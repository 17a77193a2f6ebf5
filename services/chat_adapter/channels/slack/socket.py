"""Socket Mode: the same events over a connection of ours — https://docs.slack.dev/apis/events-api/using-socket-mode."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from services.chat_adapter.channels.slack import inbound
from shared.contract.channel import Close, Incoming, Malformed, Publish, Receive, Send, SendFailed, Socket
from shared.contract.mend import loads
from shared.contract.readable import each, otherwise

Json = dict[str, Any]

# Slack's own pings are answered below this, and do not show; a connection that died unseen is opened anew after so long.
SILENCE: Final = timedelta(minutes=5)
SWITCHED_OFF: Final = "link_disabled"


def talk(now: datetime) -> Socket:
    """Each envelope is acknowledged when what it says is durable; one that was not comes again. Told to go, or that the
    server is about to, it opens the next: nothing is lost between the two.
    """
    while True:
        frame = yield Receive(now + SILENCE)
        if frame.data is None:  # the other side closed, a stop, or silence
            return Close()
        now, told = frame.now, otherwise(lambda data=frame.data: dict(loads(data)), {})  # type: ignore[misc]
        if told.get("type") == "disconnect":
            if told.get("reason") == SWITCHED_OFF:
                raise SendFailed("auth", "Socket Mode is switched off in the app's settings")
            return Close()
        if told.get("type") != "hello":
            yield Publish(tuple(_read(told, now)), then=_acknowledged(told))


def _read(told: Json, now: datetime) -> Iterator[Incoming | Malformed]:
    for body in each(lambda it: [_body(it)], [told]):
        yield from [body] if isinstance(body, Malformed) else each(lambda it: inbound.read(it, now), [body])


def _body(told: Json) -> Json:
    """A slash command has no word of what it is."""
    body: Json = dict(told["payload"])
    return {**body, "type": "slash_command"} if told["type"] == "slash_commands" else body


def _acknowledged(told: Json) -> Send | None:
    name = told.get("envelope_id")
    return Send(orjson.dumps({"envelope_id": name})) if isinstance(name, str) else None
