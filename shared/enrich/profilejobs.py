"""People to ask a provider about: one row per address, which serves all of their messages until it is old."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from shared.bus.cloudevents import In
from shared.contract.envelope import Envelope, Party
from shared.enrich.jobs import Jobs
from shared.storage.database import Pool, connected
from shared.storage.turns import Place, Room
from shared.storage.walks import in_steps

JOBS: Final = Jobs("profile", ("tenant", "channel", "account", "address"))


@dataclass(frozen=True, slots=True)
class Answer:
    """Who the provider says it is, and when."""

    party: Party
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class ProfileJob:
    """Someone to ask about. `key` and `peer` are those of the message that made us ask; `answer`: one that is not told yet."""

    tenant: str
    account: Place
    address: str
    peer: str
    key: bytes
    traceparent: str | None
    owner: uuid.UUID
    tries: int
    noted_at: datetime
    answer: Answer | None

    @property
    def row(self) -> tuple[str, ...]:
        return (self.tenant, *self.account, self.address)


async def add(pool: Pool, records: Sequence[In]) -> int:
    """A job for everyone whom their message does not name, and who is not known yet or no longer; how many there are to do."""
    rows = {row[:4]: row for record in records if (row := _row(record))}
    if not rows:
        return 0
    async with connected(pool) as connection:
        done: str = await connection.execute(
            """
            INSERT INTO profile (tenant, channel, account, address, peer, record_key, traceparent)
            SELECT n.* FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::text[])
                AS n (tenant, channel, account, address, peer, record_key, traceparent)
            LEFT JOIN profile p USING (tenant, channel, account, address)
            WHERE p.address IS NULL OR p.good_until <= now()
            ON CONFLICT (tenant, channel, account, address) DO UPDATE SET
                peer = excluded.peer, record_key = excluded.record_key, traceparent = excluded.traceparent,
                noted_at = now(), next_try = now(), tries = 0, done_at = NULL, good_until = NULL
            WHERE profile.good_until <= now()
            """,
            *zip(*rows.values(), strict=True),
        )
    return int(done.rsplit(maxsplit=1)[-1])


def _row(record: In) -> tuple[Any, ...] | None:
    message: Envelope = record.model
    if message.direction == "outbound" or message.sender.name:
        return None
    place = (message.tenant, message.channel, message.account, message.sender.address)
    return (*place, message.peer, record.key, record.traceparent)


async def claim(pool: Pool, room: Room) -> list[ProfileJob]:
    owner, rows = await JOBS.claim(pool, room)
    return [_job(owner, row) for row in rows]


def _job(owner: uuid.UUID, row: Any) -> ProfileJob:
    return ProfileJob(
        tenant=row["tenant"],
        account=(row["channel"], row["account"]),
        address=row["address"],
        peer=row["peer"],
        key=row["record_key"],
        traceparent=row["traceparent"],
        owner=owner,
        tries=row["tries"],
        noted_at=row["noted_at"],
        answer=Answer(Party.model_validate(row["party"]), row["asked_at"]) if row["party"] else None,
    )


async def keep(pool: Pool, job: ProfileJob, party: Party) -> Answer:
    """The answer stands, so that it is told even if nobody lives to tell it now."""
    async with connected(pool) as connection:
        at = await connection.fetchval(
            """UPDATE profile SET party = $5, asked_at = now()
            WHERE (tenant, channel, account, address) = ($1, $2, $3, $4) RETURNING asked_at""",
            *job.row,
            party.model_dump(mode="json", exclude_none=True),
        )
    return Answer(party, at)


async def put_off(pool: Pool, job: ProfileJob, delay: timedelta) -> None:
    """Try again then."""
    await JOBS.put_off(pool, job.row, owner=job.owner, delay=delay)


async def finish(pool: Pool, job: ProfileJob, *, good_for: timedelta) -> None:
    """The answer is on the bus, or there is none: until it is old nobody asks again, and what it said is not kept here."""
    async with connected(pool) as connection:
        await connection.execute(
            """UPDATE profile SET owner = NULL, lease_until = NULL, party = NULL, done_at = now(), good_until = now() + $5
            WHERE (tenant, channel, account, address) = ($1, $2, $3, $4)""",
            *job.row,
            good_for,
        )


async def prune(pool: Pool) -> None:
    """Forget those who have not written since it grew old."""
    await in_steps(
        pool,
        """DELETE FROM profile WHERE (tenant, channel, account, address) IN (SELECT tenant, channel, account, address
            FROM profile WHERE good_until < now() ORDER BY good_until LIMIT $1 FOR UPDATE SKIP LOCKED)""",
    )
