"""What became of every piece of every message: the ledger's rows, each moved only by the lane's owner."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import Field, TypeAdapter

from shared.contract.channel import Amendment, ThreadControl
from shared.contract.codes import Failure, Status
from shared.contract.deliveries import Amend, Cost, HandOver, Order, Outbound
from shared.contract.envelope import scrub
from shared.contract.errors import Fenced
from shared.contract.fit import Sendable
from shared.outbound import lanes
from shared.outbound.lanes import Lane
from shared.storage.database import Connection, Pool, connected
from shared.storage.turns import Place
from shared.storage.walks import in_steps

_PART: Final[TypeAdapter[Sendable]] = TypeAdapter(Sendable)
_CHANGE: Final[TypeAdapter[Amendment | ThreadControl]] = TypeAdapter(
    Annotated[Amendment | ThreadControl, Field(discriminator="change")]
)
_ORDER: Final[TypeAdapter[Outbound | Amend | HandOver]] = TypeAdapter(
    Annotated[Outbound | Amend | HandOver, Field(union_mode="left_to_right")]
)
KEPT: Final = timedelta(days=14)  # longer than the outbound topic, so that a record read again is still known

GROWS_FOR: Final = timedelta(minutes=10)  # then no more is shown of an answer before it is whole
GROWN_KEPT: Final = timedelta(days=1)
GROWS_WITHIN: Final = timedelta(seconds=15)  # one showing; by then it has ended, however it did
HANDLES_KEPT: Final = timedelta(days=90)  # then a file is uploaded again, if it is still sent

OPEN: Final = frozenset({"queued", "sending"})

State = Literal["queued", "sending", "sent", "failed", "unknown", "expired", "cancelled", "skipped"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One piece. `first_sent_at`: when it may have left for the first time; `put_off`: why it has not gone yet."""

    number: int
    part: Sendable | Amendment | ThreadControl | None
    status: State
    first_sent_at: datetime | None
    put_off: Failure | None


@dataclass(frozen=True, slots=True)
class Head:
    """The first order of a lane that is not done; no `entries`: it is not cut into pieces yet.

    `now`: PostgreSQL's time; `cancelled`: it is not to be begun any more.
    """

    message: Outbound | Amend | HandOver
    traceparent: str | None
    received_at: datetime
    entries: tuple[Entry, ...]
    now: datetime
    cancelled: bool


@dataclass(frozen=True, slots=True)
class Grown:
    """What shows an answer that is still written; `busy`: it is being shown at the moment."""

    name: str | None
    busy: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """The end of one piece, as it is reported."""

    status: Status
    external_ids: tuple[str, ...] = ()
    join_key: str | None = None
    failure: Failure | None = None
    cost: Cost | None = None


CANCELLED: Final = Outcome(status="cancelled", failure=Failure(code="cancelled"))


@dataclass(frozen=True, slots=True)
class Settled:
    """A piece whose outcome is not on the bus yet."""

    message: Outbound | Amend | HandOver
    traceparent: str | None
    taken_at: datetime
    piece: int
    pieces: int
    outcome: Outcome
    settled_at: datetime


class Ledger:
    """Each step raises Fenced when the lane has another owner, DatabaseUnavailable when it should be tried again."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def head(self, lane: Lane) -> Head | None:
        """The next message to send, the lease renewed; None: the lane is empty, or another account's, and given up."""
        async with connected(self._pool) as connection, connection.transaction():
            await lanes.hold(connection, lane)
            row = await connection.fetchrow(
                "SELECT message_id, attempt, body, traceparent, received_at, clock_timestamp() AS now,"
                " cancelled_at IS NOT NULL AS cancelled FROM send"
                " WHERE conversation = $1 AND done_at IS NULL ORDER BY position LIMIT 1",
                lane.conversation,
            )
            if row is None:
                await lanes.remove(connection, lane)
                return None
            message = _ORDER.validate_json(row["body"])
            if (account := (message.channel, message.account)) != lane.account:
                await lanes.hand_over(connection, lane, account)
                return None
            entries = await _entries(connection, row["message_id"], row["attempt"])
        return Head(message, row["traceparent"], row["received_at"], entries, row["now"], row["cancelled"])

    async def cut(
        self, lane: Lane, message: Order, parts: Sequence[Sendable | Amendment | ThreadControl]
    ) -> tuple[Entry, ...]:
        """Store all pieces before the first is sent, unless that has been done before."""
        async with connected(self._pool) as connection, connection.transaction():
            await lanes.hold(connection, lane)
            await _store(connection, message, [part.model_dump(mode="json", exclude_none=True) for part in parts])
            return await _entries(connection, message.id, message.attempt)

    async def end(self, lane: Lane, message: Order, outcome: Outcome) -> None:
        """The message ends before anything more of it is sent, cut into pieces or not."""
        async with connected(self._pool) as connection, connection.transaction():
            await lanes.hold(connection, lane)
            await _store(connection, message, [None])
            entries = await _entries(connection, message.id, message.attempt)
            number = next((entry.number for entry in entries if entry.status in OPEN), 0)
            await _finish(connection, lane, message, number, outcome)

    async def names(self, message_id: uuid.UUID) -> list[tuple[str, ...]]:
        """What the provider calls each piece of a message that was sent from here; of its last attempt."""
        async with connected(self._pool) as connection:
            rows = await connection.fetch(
                "SELECT external_ids FROM piece WHERE message_id = $1"
                " AND attempt = (SELECT max(attempt) FROM piece WHERE message_id = $1) ORDER BY piece",
                message_id,
            )
        return [tuple(row[0]) for row in rows]

    async def is_followed(self, order: Amend) -> bool:
        """Whether a mark further behind in the lane says that this message is read, and more."""
        async with connected(self._pool) as connection:
            rows = await connection.fetch(
                "SELECT body FROM send WHERE conversation = $1 AND done_at IS NULL AND message_id <> $2"
                " ORDER BY position LIMIT 100",
                order.conversation,
                order.id,
            )
        behind = [_ORDER.validate_json(row["body"]) for row in rows]
        marks = [one for one in behind if isinstance(one, Amend) and one.change == "seen"]
        return any(one.written_at >= order.written_at for one in marks)

    async def hold(self, lane: Lane, lease: timedelta) -> None:
        """Keep the lane for a call that takes that long."""
        async with connected(self._pool) as connection:
            await lanes.hold(connection, lane, lease)

    async def sending(self, lane: Lane, message: Order, number: int, *, lease: timedelta) -> None:
        """From now on the piece may have been sent, whatever happens to us. Awaited just before the request leaves.

        A message of which nothing has begun begins in time only, by PostgreSQL's clock, and not once it is taken back: else Fenced, and
        the lane is given up, so that its next owner sees why.
        """
        async with connected(self._pool) as connection:
            marked = await connection.fetchval(
                "WITH held AS (UPDATE lane SET lease_until = now() + $6"
                "              WHERE conversation = $1 AND owner = $2 RETURNING conversation)"
                " UPDATE piece SET status = 'sending', first_sent_at = coalesce(first_sent_at, now()) FROM held"
                " WHERE message_id = $3 AND attempt = $4 AND piece = $5 AND status IN ('queued', 'sending')"
                " AND (EXISTS (SELECT FROM piece p WHERE p.message_id = $3 AND p.attempt = $4 AND p.status <> 'queued')"
                "  OR (clock_timestamp() <= coalesce($7, 'infinity'::timestamptz) AND NOT EXISTS (SELECT FROM send"
                "   WHERE send.message_id = $3 AND send.attempt = $4 AND send.cancelled_at IS NOT NULL)))"
                " RETURNING true",
                lane.conversation,
                lane.owner,
                message.id,
                message.attempt,
                number,
                lease,
                message.not_after,
            )
            if not marked:
                await lanes.postpone(connection, lane, timedelta(0), tried=False)
        if not marked:
            raise Fenced(f"lane {lane.conversation}")

    async def withdraw(self, messages: Sequence[uuid.UUID]) -> list[Order]:
        """They are not to be begun any more. In a lane that nobody works on they end now, whatever it waits for, and are given back; else
        when their turn comes. What has begun goes on, and its own end tells.
        """
        async with connected(self._pool) as connection, connection.transaction():
            free = await connection.fetch(
                "SELECT conversation, owner IS NULL AS free FROM lane WHERE conversation IN (SELECT conversation FROM send"
                " WHERE message_id = ANY($1::uuid[]) AND done_at IS NULL) ORDER BY conversation FOR UPDATE",
                messages,
            )
            rows = await connection.fetch(
                "UPDATE send SET cancelled_at = now() WHERE message_id = ANY($1::uuid[]) AND done_at IS NULL"
                " RETURNING conversation, position, body",
                messages,
            )
            nobodys = {row["conversation"] for row in free if row["free"]}
            return [
                message
                for row in sorted(rows, key=lambda row: row["position"])
                if row["conversation"] in nobodys
                and await _take_back(connection, message := _ORDER.validate_json(row["body"]), row["position"])
            ]

    async def put_off(self, lane: Lane, message: Order, number: int, *, why: Failure, maybe_sent: bool) -> None:
        """The piece is tried again later; if it has certainly not been sent, it is queued as if for the first time."""
        async with connected(self._pool) as connection, connection.transaction():
            await lanes.hold(connection, lane)
            await connection.execute(
                "UPDATE piece SET code = $4, detail = $5, status = CASE WHEN $6 THEN status ELSE 'queued' END,"
                " first_sent_at = CASE WHEN $6 THEN first_sent_at END"
                " WHERE message_id = $1 AND attempt = $2 AND piece = $3 AND settled_at IS NULL",
                message.id,
                message.attempt,
                number,
                why.code,
                scrub(why.detail),
                maybe_sent,
            )

    async def settle(self, lane: Lane, message: Order, number: int, outcome: Outcome) -> None:
        """The end of a piece; after a failure the pieces behind it are not sent. When all have ended, so has the message."""
        async with connected(self._pool) as connection, connection.transaction():
            await lanes.hold(connection, lane)
            await _finish(connection, lane, message, number, outcome)

    async def postpone(self, lane: Lane, delay: timedelta, *, tried: bool) -> None:
        """Leave the lane alone for a while; `tried`: because of its head, so that the next pause is longer."""
        async with connected(self._pool) as connection:
            await lanes.postpone(connection, lane, delay, tried=tried)

    async def handle(self, account: Place, blob: str) -> str | None:
        """What the provider calls this file, where it was uploaded before and lives for another minute."""
        async with connected(self._pool) as connection:
            value: str | None = await connection.fetchval(
                "SELECT value FROM handle WHERE channel = $1 AND account = $2 AND blob = $3"
                " AND (expires_at IS NULL OR expires_at > now() + interval '1 minute')",
                *account,
                blob,
            )
        return value

    async def keep_handle(self, account: Place, blob: str, *, value: str, expires_in: timedelta | None) -> None:
        async with connected(self._pool) as connection:
            await connection.execute(
                "INSERT INTO handle (channel, account, blob, value, expires_at)"
                " VALUES ($1, $2, $3, $4, now() + $5::interval)"
                " ON CONFLICT (channel, account, blob)"
                " DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at, made_at = now()",
                *account,
                blob,
                value,
                expires_in,
            )

    async def begin_growing(self, message_id: uuid.UUID) -> Grown | None:
        """Take the turn to show an answer so far, for `GROWS_WITHIN` and a little. None: not now, or no more: it is whole, it has
        grown for `GROWS_FOR`, or nobody knows what came of its beginning.
        """
        async with connected(self._pool) as connection, connection.transaction():
            await _alone(connection, message_id)
            row = await connection.fetchrow(
                "INSERT INTO growing (message_id, busy_until)"
                " SELECT $1, now() + $2::interval WHERE NOT EXISTS (SELECT FROM send WHERE message_id = $1)"
                " ON CONFLICT (message_id) DO UPDATE SET busy_until = excluded.busy_until"
                " WHERE growing.name IS NOT NULL AND growing.begun_at > now() - $3::interval"
                " AND (growing.busy_until IS NULL OR growing.busy_until < now())"
                " RETURNING name",
                message_id,
                GROWS_WITHIN * 2,
                GROWS_FOR,
            )
        return Grown(row["name"], busy=True) if row else None

    async def end_growing(self, message_id: uuid.UUID, name: str | None) -> None:
        """Give the turn back; `name`: of what shows the answer, "" where that passes by itself, None where nobody knows."""
        async with connected(self._pool) as connection:
            await connection.execute(
                "UPDATE growing SET name = $2, busy_until = NULL WHERE message_id = $1", message_id, name
            )

    async def grown(self, message_id: uuid.UUID) -> Grown | None:
        """What shows this answer; None: it did not grow."""
        async with connected(self._pool) as connection, connection.transaction():
            await _alone(connection, message_id)
            row = await connection.fetchrow(
                "SELECT name, coalesce(busy_until > now(), false) AS busy FROM growing WHERE message_id = $1",
                message_id,
            )
        return Grown(**row) if row else None

    async def waiting(self) -> tuple[int, float]:
        """How many messages wait in lanes, and for how many seconds the oldest of them has."""
        async with connected(self._pool) as connection:
            count, age = await connection.fetchrow(
                "SELECT count(*), coalesce(extract(epoch FROM now() - min(received_at)), 0)::float"
                " FROM send WHERE done_at IS NULL"
            )
        return count, age

    async def prune(self) -> None:
        """Forget what ended long ago and was reported; handles that have expired, or were made long ago."""
        await in_steps(
            self._pool,
            "DELETE FROM send WHERE (message_id, attempt) IN"
            " (SELECT message_id, attempt FROM send WHERE done_at < now() - $1::interval AND NOT EXISTS"
            "  (SELECT FROM piece WHERE piece.message_id = send.message_id AND piece.attempt = send.attempt"
            "   AND NOT reported) ORDER BY done_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
            KEPT,
        )
        await in_steps(
            self._pool,
            "DELETE FROM handle WHERE (channel, account, blob) IN (SELECT channel, account, blob FROM handle"
            " WHERE expires_at < now() OR made_at < now() - $1::interval LIMIT $2 FOR UPDATE SKIP LOCKED)",
            HANDLES_KEPT,
        )
        await in_steps(
            self._pool,
            "DELETE FROM growing WHERE message_id IN (SELECT message_id FROM growing"
            " WHERE begun_at < now() - $1::interval LIMIT $2 FOR UPDATE SKIP LOCKED)",
            GROWN_KEPT,
        )


async def _alone(connection: Connection, message_id: uuid.UUID) -> None:
    """Whoever shows an answer so far and whoever sends it whole see of each other what the other has begun."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('growing ' || $1, 0))", str(message_id))


async def _store(connection: Connection, message: Order, parts: Sequence[Any]) -> None:
    await connection.execute(
        "INSERT INTO piece (message_id, attempt, piece, pieces, part)"
        " SELECT $1, $2, place - 1, $3, part FROM unnest($4::jsonb[]) WITH ORDINALITY AS new (part, place)"
        " ON CONFLICT DO NOTHING",
        message.id,
        message.attempt,
        len(parts),
        parts,
    )


async def _take_back(connection: Connection, message: Order, position: int) -> bool:
    """Whether it ends so, in a lane that is locked and nobody's: nothing of it has begun. Who stands behind it waits no longer for it."""
    await _store(connection, message, [None])
    if any(entry.status != "queued" for entry in await _entries(connection, message.id, message.attempt)):
        return False
    await _settle(connection, message, 0, CANCELLED)
    await _skip(connection, message)
    await _end(connection, message)
    await connection.execute(
        "UPDATE lane SET next_try = now(), tries = 0 WHERE conversation = $1 AND NOT EXISTS"
        " (SELECT FROM send WHERE conversation = $1 AND done_at IS NULL AND position < $2)",
        message.conversation,
        position,
    )
    return True


async def _finish(connection: Connection, lane: Lane, message: Order, number: int, outcome: Outcome) -> None:
    await _settle(connection, message, number, outcome)
    if outcome.status in {"failed", "expired", "cancelled"}:
        await _skip(connection, message)
    if await _end(connection, message):
        await lanes.move_on(connection, lane)


async def _entries(connection: Connection, message_id: uuid.UUID, attempt: int) -> tuple[Entry, ...]:
    rows = await connection.fetch(
        "SELECT piece, part, status, first_sent_at, code, detail FROM piece WHERE message_id = $1 AND attempt = $2 ORDER BY piece",
        message_id,
        attempt,
    )
    return tuple(_entry(row) for row in rows)


def _entry(row: Any) -> Entry:
    return Entry(row["piece"], _part(row["part"]), row["status"], row["first_sent_at"], _failure(row))


def _failure(row: Any) -> Failure | None:
    return Failure(code=row["code"], detail=row["detail"]) if row["code"] else None


def _part(stored: Any) -> Sendable | Amendment | ThreadControl | None:
    if not stored:
        return None
    return _CHANGE.validate_python(stored) if "change" in stored else _PART.validate_python(stored)


async def _settle(connection: Connection, message: Order, number: int, outcome: Outcome) -> None:
    """A provider's words go in as far as PostgreSQL can hold them."""
    failure = outcome.failure
    await connection.execute(
        "UPDATE piece SET status = $4, external_ids = $5, join_key = $6, code = $7, detail = $8, cost = $9, settled_at = now()"
        " WHERE message_id = $1 AND attempt = $2 AND piece = $3 AND settled_at IS NULL",
        message.id,
        message.attempt,
        number,
        outcome.status,
        [scrub(name) for name in outcome.external_ids],
        scrub(outcome.join_key),
        failure and failure.code,
        scrub(failure.detail) if failure else "",
        outcome.cost and scrub(outcome.cost.model_dump(exclude_none=True)),
    )


async def _skip(connection: Connection, message: Order) -> None:
    """What stands behind a failed piece is not reported: the message has failed already."""
    await connection.execute(
        "UPDATE piece SET status = 'skipped', settled_at = now(), reported = true"
        " WHERE message_id = $1 AND attempt = $2 AND settled_at IS NULL",
        message.id,
        message.attempt,
    )


async def _end(connection: Connection, message: Order) -> bool:
    """Whether no piece is left; then the message is done."""
    return bool(
        await connection.fetchval(
            "UPDATE send SET done_at = now() WHERE message_id = $1 AND attempt = $2 AND NOT EXISTS"
            " (SELECT FROM piece WHERE message_id = $1 AND attempt = $2 AND settled_at IS NULL) RETURNING true",
            message.id,
            message.attempt,
        )
    )


async def unreported(connection: Connection, limit: int) -> list[Settled]:
    """Outcomes that Kafka has not acknowledged, locked until the transaction ends; another process takes others."""
    rows = await connection.fetch(
        "SELECT piece.*, send.body, send.traceparent, send.received_at FROM piece JOIN send USING (message_id, attempt)"
        " WHERE settled_at IS NOT NULL AND NOT reported"
        " ORDER BY settled_at LIMIT $1 FOR UPDATE OF piece SKIP LOCKED",
        limit,
    )
    return [_settled(row) for row in rows]


def _settled(row: Any) -> Settled:
    outcome = Outcome(
        status=row["status"],
        external_ids=tuple(row["external_ids"]),
        join_key=row["join_key"],
        failure=_failure(row),
        cost=row["cost"] and Cost.model_validate(row["cost"]),
    )
    return Settled(
        message=_ORDER.validate_json(row["body"]),
        traceparent=row["traceparent"],
        taken_at=row["received_at"],
        piece=row["piece"],
        pieces=row["pieces"],
        outcome=outcome,
        settled_at=row["settled_at"],
    )


async def mark_reported(connection: Connection, settled: Sequence[Settled]) -> None:
    await connection.execute(
        "UPDATE piece SET reported = true"
        " FROM unnest($1::uuid[], $2::int[], $3::int[]) AS told (message_id, attempt, piece)"
        " WHERE piece.message_id = told.message_id AND piece.attempt = told.attempt AND piece.piece = told.piece",
        [one.message.id for one in settled],
        [one.message.attempt for one in settled],
        [one.piece for one in settled],
    )
