"""A lane per conversation: whoever holds its lease sends, in order, and everyone checks that it still does."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, ParamSpec, TypeVar

import structlog

from shared.bus.cloudevents import In
from shared.contract.errors import DatabaseUnavailable, Fenced
from shared.storage import turns
from shared.storage.database import Connection, Pool, connected
from shared.storage.turns import Place, Room

log = structlog.get_logger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

LEASE: Final = timedelta(seconds=30)  # between two steps; around a call the lease outlives that call

TURN: Final = turns.claim("lane")


@dataclass(frozen=True, slots=True)
class Lane:
    """A claimed lane. `owner` is new with every claim; `tries`: how often its head was put off."""

    conversation: uuid.UUID
    owner: uuid.UUID
    account: Place
    tries: int


async def patiently(step: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """PostgreSQL away: wait with what is known, since forgetting an outcome would make it unknown."""
    pause = 0.2
    while True:
        try:
            return await step(*args, **kwargs)
        except DatabaseUnavailable as error:
            log.warning("lane.waiting", error=str(error))
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(2 * pause, 5.0)


async def append(pool: Pool, records: Sequence[In]) -> None:
    """Put outbound records into their lanes, in order, all or none; what is there already stays as it is.

    The lane's row is locked before the messages are written: whoever removes an empty lane holds the same lock, so no
    message is left in a lane that is gone.
    """
    messages = [record.model for record in records]
    lanes = {message.conversation: (message.channel, message.account) for message in reversed(messages)}
    async with connected(pool) as connection, connection.transaction():
        await connection.execute(
            "INSERT INTO lane (conversation, channel, account)"
            " SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[]) AS new (conversation, channel, account)"
            " ORDER BY conversation"
            " ON CONFLICT (conversation) DO UPDATE SET channel = lane.channel",
            list(lanes),
            [channel for channel, _ in lanes.values()],
            [account for _, account in lanes.values()],
        )
        await connection.execute(
            "INSERT INTO send (message_id, attempt, conversation, body, traceparent)"
            " SELECT message_id, attempt, conversation, body, traceparent"
            " FROM unnest($1::uuid[], $2::int[], $3::uuid[], $4::bytea[], $5::text[]) WITH ORDINALITY"
            " AS new (message_id, attempt, conversation, body, traceparent, place)"
            " ORDER BY place ON CONFLICT DO NOTHING",
            [message.id for message in messages],
            [message.attempt for message in messages],
            [message.conversation for message in messages],
            [record.value for record in records],
            [record.traceparent for record in records],
        )


async def claim(pool: Pool, room: Room) -> list[Lane]:
    """Take lanes that are due and that nobody holds, as many as there is room for."""
    owner = uuid.uuid4()
    rows = await turns.take(pool, TURN, room, owner=owner, lease=LEASE)
    return [Lane(row["conversation"], owner, (row["channel"], row["account"]), row["tries"]) for row in rows]


async def hold(connection: Connection, lane: Lane, lease: timedelta = LEASE) -> None:
    """Renew the lease, and lock the lane until the transaction ends; raises Fenced when another owner has taken it."""
    held = await connection.fetchval(
        "UPDATE lane SET lease_until = now() + $3 WHERE conversation = $1 AND owner = $2 RETURNING true",
        lane.conversation,
        lane.owner,
        lease,
    )
    if not held:
        raise Fenced(f"lane {lane.conversation}")


async def postpone(connection: Connection, lane: Lane, delay: timedelta, *, tried: bool) -> None:
    """Give the lane up until then; its messages keep their places."""
    await connection.execute(
        "UPDATE lane SET owner = NULL, lease_until = NULL, next_try = now() + $3, tries = tries + $4"
        " WHERE conversation = $1 AND owner = $2",
        lane.conversation,
        lane.owner,
        delay,
        int(tried),
    )


async def move_on(connection: Connection, lane: Lane) -> None:
    """The head is done: the next one starts without its history."""
    await connection.execute(
        "UPDATE lane SET tries = 0 WHERE conversation = $1 AND owner = $2", lane.conversation, lane.owner
    )


async def remove(connection: Connection, lane: Lane) -> None:
    """The lane is empty. Only under `hold`, the emptiness seen in a statement after it."""
    await connection.execute("DELETE FROM lane WHERE conversation = $1 AND owner = $2", lane.conversation, lane.owner)


async def hand_over(connection: Connection, lane: Lane, account: Place) -> None:
    """The head goes by another account than the lane was claimed for: let it be claimed as that one's."""
    await connection.execute(
        "UPDATE lane SET owner = NULL, lease_until = NULL, channel = $3, account = $4"
        " WHERE conversation = $1 AND owner = $2",
        lane.conversation,
        lane.owner,
        *account,
    )
