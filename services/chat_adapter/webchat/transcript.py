"""The transcript of each visitor: a projection of what came in on Kafka and of what was sent, in one gapless order."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

import orjson

from services.chat_adapter.webchat.channel import CHANNEL
from services.chat_adapter.webchat.measures import PROJECTED
from shared.bus.cloudevents import In
from shared.contract.channel import Account, Amendment, DeletePiece, EditPiece, MarkSeen, Piece, Sent
from shared.contract.deliveries import Amend, Forget, Outbound
from shared.contract.envelope import Direction, Envelope, Media, key
from shared.contract.errors import DatabaseUnavailable, SendFailed
from shared.storage import database
from shared.storage.blobs import belongs

NOTIFY: Final = "parley_webchat"  # the notification channel; its messages are "<m, t or g> <name of a visitor>"
HINT: Final = 1900  # characters of one, of which PostgreSQL takes 7999 bytes: https://www.postgresql.org/docs/current/sql-notify.html
PEERS: Final = ("visitor:", "user:")

Mark = Literal["delivered", "read"]

_APPEAR = """
    INSERT INTO webchat_visitor (account, peer)
    SELECT DISTINCT account, peer FROM unnest($1::text[], $2::text[]) AS said (account, peer)
    ORDER BY account, peer
    ON CONFLICT DO NOTHING
"""
_FORGET = """
    WITH gone AS (
        DELETE FROM webchat_visitor
        WHERE (account, peer) IN (SELECT * FROM unnest($1::text[], $2::text[])) RETURNING account, peer
    )
    DELETE FROM webchat_message m USING gone WHERE (m.account, m.peer) = (gone.account, gone.peer)
"""
_LOCK = """
    SELECT 1 FROM webchat_visitor
    WHERE (account, peer) IN (SELECT * FROM unnest($1::text[], $2::text[]))
    ORDER BY account, peer
    FOR UPDATE
"""
# A statement of its own, after the locks: what others committed before we got them is seen.
_APPEND = """
    WITH said AS (
        SELECT DISTINCT ON (account, peer, id) *
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::jsonb[], $6::timestamptz[])
            WITH ORDINALITY AS said (account, peer, id, direction, body, at, nth)
        ORDER BY account, peer, id, nth
    ), fresh AS (
        SELECT said.*, row_number() OVER (PARTITION BY account, peer ORDER BY nth) AS step
        FROM said
        WHERE NOT EXISTS (
            SELECT 1 FROM webchat_message AS known
            WHERE (known.account, known.peer, known.id) = (said.account, said.peer, said.id)
        )
    ), moved AS (
        UPDATE webchat_visitor SET last_position = last_position + steps
        FROM (SELECT account, peer, max(step) AS steps FROM fresh GROUP BY account, peer) AS counted
        WHERE (webchat_visitor.account, webchat_visitor.peer) = (counted.account, counted.peer)
        RETURNING webchat_visitor.account, webchat_visitor.peer, last_position - steps AS before
    )
    INSERT INTO webchat_message (account, peer, position, id, direction, body, at)
    SELECT account, peer, before + step, id, direction, body, at
    FROM fresh JOIN moved USING (account, peer)
    RETURNING account, peer
"""
_AFTER = """
    SELECT position, id, direction, body, at FROM webchat_message
    WHERE account = $1 AND peer = $2 AND position > $3 ORDER BY position LIMIT $4
"""
_BEFORE = """
    SELECT position, id, direction, body, at FROM webchat_message
    WHERE account = $1 AND peer = $2 AND position < $3 ORDER BY position DESC LIMIT $4
"""
_MARKED = """
    SELECT last_position, delivered_position, read_position FROM webchat_visitor WHERE account = $1 AND peer = $2
"""
_UNMARKED = """
    SELECT id FROM webchat_message JOIN webchat_visitor USING (account, peer)
    WHERE account = $1 AND peer = $2 AND direction = 'outbound' AND NOT body ? 'change' AND position <= $3
        AND position > CASE $4 WHEN 'read' THEN read_position ELSE delivered_position END
    ORDER BY position
"""
# What was changed before is changed with it: nothing that was taken back stands anywhere.
_CHANGE = """
    UPDATE webchat_message SET body = body || $4::jsonb
    WHERE account = $1 AND peer = $2 AND direction = 'outbound' AND (id = $3 OR body ->> 'target' = $3)
    RETURNING id
"""
_MARK = """
    UPDATE webchat_visitor SET
        delivered_position = greatest(delivered_position, least($3, last_position)),
        read_position = CASE $4 WHEN 'read' THEN greatest(read_position, least($3, last_position)) ELSE read_position END
    WHERE account = $1 AND peer = $2
"""


@dataclass(frozen=True, slots=True)
class Said:
    """One line to append. `id` is the same however often it comes."""

    account: str
    peer: str
    id: str
    direction: Direction
    body: dict[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a visitor's transcript; positions count 1, 2, 3 … per visitor in the order in which they can be seen."""

    position: int
    id: str
    direction: Direction
    body: dict[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True)
class Marks:
    """How far a visitor's transcript goes, and up to where it was delivered and read."""

    last: int = 0
    delivered: int = 0
    read: int = 0


def name_of(account: str, peer: str) -> str:
    """A visitor's name in notifications: short, and no personal data."""
    return hashlib.blake2b(key(account, peer).encode(), digest_size=16).hexdigest()


class Transcript:
    """Follows what came in, and sends outbound pieces. `pool`: connections in the adapter's schema."""

    def __init__(self, pool: database.Pool) -> None:
        self._pool = pool

    def wants(self, record: Any) -> bool:
        """Whether a message may be of web chat, by its key alone."""
        names = (record.key or b"").split(b"|")
        return len(names) > 1 and names[1] == CHANNEL.name.encode()

    async def note(self, records: Sequence[In]) -> None:
        """Append the visitors' messages among these; raises DatabaseUnavailable."""
        await self.append([_received(record.model) for record in records if record.model.channel == CHANNEL.name])

    async def send(self, account: Account, piece: Piece, outbound: Outbound) -> Sent:
        """Write a piece where the visitor's window finds it, now or when it is open again. The same piece is written once."""
        if not piece.to.startswith(PEERS):
            raise SendFailed("bad_address", "a web chat address begins with visitor: or user:")
        if isinstance(piece.part, Media) and not belongs(piece.part.blob or "", account.tenant):
            raise SendFailed("refused", "the file is not one of this tenant's blobs")
        body: dict[str, Any] = {"parts": [piece.part.model_dump(mode="json", exclude_none=True)]}
        if outbound.author:
            body["author"] = outbound.author
        await self.append([Said(account.name, piece.to, piece.id, "outbound", body, datetime.now(UTC))])
        return Sent(external_ids=(piece.id,))

    async def forget(self, asked: Sequence[Forget]) -> None:
        """Nothing stands in these visitors' windows any more; a window that is open keeps what it shows until it is closed."""
        peers = [(one.account, one.address) for one in asked if one.channel == CHANNEL.name and one.account]
        if peers:
            async with database.connected(self._pool) as connection:
                await connection.execute(_FORGET, *zip(*peers, strict=True))

    async def amend(self, account: Account, change: Amendment, order: Amend) -> None:
        """Change a line where it stands, and say behind it that it has changed, for windows that have it. Twice is once."""
        body: dict[str, Any] = {"change": change.change, "target": change.external_id, "parts": []}
        match change:
            case EditPiece(part=part):
                now = {"parts": [part.model_dump(mode="json", exclude_none=True)], "edited": True}
            case DeletePiece():
                now = {"parts": [], "deleted": True}
            case MarkSeen():
                now, body["target"] = {}, change.external_id.rpartition("/")[2]
            case _:
                raise SendFailed("unsupported", "a web chat shows no reactions")
        if now and not await self._changed(account.name, change.to, change.external_id, now):
            raise SendFailed("refused", "the message does not stand in the transcript any more")
        await self.append([Said(account.name, change.to, change.id, "outbound", body | now, datetime.now(UTC))])

    async def _changed(self, account: str, peer: str, name: str, now: dict[str, Any]) -> bool:
        async with database.transaction(self._pool) as connection:
            return bool(await connection.fetch(_CHANGE, account, peer, name, now))

    async def typing(self, account: Account, peer: str) -> None:
        """Tell whoever shows this visitor's window that someone is typing; lost while PostgreSQL is away."""
        with suppress(DatabaseUnavailable):
            await self._hint(f"t {name_of(account.name, peer)}")

    async def grow(self, account: Account, piece: Piece) -> None:
        """Tell them how far an answer is, "<g> <name> <how many follow> <JSON>": in as many hints as it takes, which come together."""
        parts = [piece.part.model_dump(mode="json", exclude_none=True)]
        told = orjson.dumps({"type": "growing", "id": piece.id, "parts": parts}).decode()
        pieces = [told[at : at + HINT] for at in range(0, len(told), HINT)]
        name = name_of(account.name, piece.to)
        await self._hint(
            *(f"g {name} {left} {one}" for left, one in zip(range(len(pieces))[::-1], pieces, strict=True))
        )

    async def _hint(self, *hints: str) -> None:
        async with database.transaction(self._pool) as connection:
            for hint in hints:
                await connection.execute("SELECT pg_notify($1, $2)", NOTIFY, hint)

    async def append(self, said: Sequence[Said]) -> None:
        """Append what is not there yet, in this order per visitor, and hint to those who listen.

        Raises DatabaseUnavailable, also where two appends met: trying again is right for both.
        """
        if not said:
            return
        added = await self._append(said)
        PROJECTED.labels(said[0].direction).inc(added)

    async def _append(self, said: Sequence[Said]) -> int:
        accounts, peers = [line.account for line in said], [line.peer for line in said]
        async with database.transaction(self._pool) as connection:
            await connection.execute(_APPEAR, accounts, peers)
            await connection.execute(_LOCK, accounts, peers)
            added = await connection.fetch(
                _APPEND,
                accounts,
                peers,
                [line.id for line in said],
                [line.direction for line in said],
                [line.body for line in said],
                [line.at for line in said],
            )
            names = {name_of(row["account"], row["peer"]) for row in added}
            await connection.execute(
                "SELECT pg_notify($1, 'm ' || name) FROM unnest($2::text[]) AS name", NOTIFY, sorted(names)
            )
        return len(added)

    async def after(self, account: str, peer: str, position: int, *, limit: int) -> list[Line]:
        """What stands behind a position, oldest first."""
        async with database.transaction(self._pool) as connection:
            rows = await connection.fetch(_AFTER, account, peer, position, limit)
        return [Line(**row) for row in rows]

    async def before(self, account: str, peer: str, position: int, *, limit: int) -> list[Line]:
        """The last lines ahead of a position, oldest first."""
        async with database.transaction(self._pool) as connection:
            rows = await connection.fetch(_BEFORE, account, peer, position, limit)
        return [Line(**row) for row in reversed(rows)]

    async def marks(self, account: str, peer: str) -> Marks:
        async with database.transaction(self._pool) as connection:
            row = await connection.fetchrow(_MARKED, account, peer)
        return Marks(*row) if row else Marks()

    async def unmarked(self, account: str, peer: str, *, until: int, mark: Mark) -> list[str]:
        """The ids of what we sent up to a position and was not yet marked so."""
        async with database.transaction(self._pool) as connection:
            return [row["id"] for row in await connection.fetch(_UNMARKED, account, peer, until, mark)]

    async def mark(self, account: str, peer: str, *, until: int, mark: Mark) -> None:
        """Remember that everything up to a position was delivered, or read (and so delivered)."""
        async with database.transaction(self._pool) as connection:
            await connection.execute(_MARK, account, peer, until, mark)

    async def ends(self, visitors: Sequence[tuple[str, str]]) -> list[tuple[str, str, int]]:
        """How far the transcripts of these (account, peer) go."""
        async with database.transaction(self._pool) as connection:
            rows = await connection.fetch(
                "SELECT account, peer, last_position FROM webchat_visitor"
                " WHERE (account, peer) IN (SELECT * FROM unnest($1::text[], $2::text[]))",
                [account for account, _ in visitors],
                [peer for _, peer in visitors],
            )
        return [tuple(row) for row in rows]


def _received(message: Envelope) -> Said:
    parts = [part.model_dump(mode="json", exclude_none=True) for part in message.parts]
    body: dict[str, Any] = {"parts": parts}
    if message.external_id and message.direction == "inbound":
        body["client_id"] = message.external_id.rpartition("/")[2]
    return Said(message.account, message.peer, str(message.id), message.direction, body, message.received_at)
