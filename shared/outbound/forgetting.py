"""A person is forgotten in an adapter: what waits for them is taken back, what was said and who they were is emptied or removed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shared.contract.deliveries import Forget, Order
from shared.outbound.ledger import Ledger
from shared.storage.database import Pool, transaction
from shared.storage.walks import in_steps


async def forget(pool: Pool, ledger: Ledger, asked: Sequence[Forget]) -> list[Order]:
    """May be repeated. What was taken back and has ended by it; what is being sent at the moment ends by itself, and is emptied then."""
    ended: list[Order] = []
    for one in asked:
        async with transaction(pool) as connection:
            await connection.execute(PROFILE, one.tenant, one.channel, one.account, one.address)
            await connection.execute(FILES, one.tenant, one.channel, one.account, one.address)
            waiting = await connection.fetch(WAITING, one.conversation) if one.conversation else ()
            if one.conversation:
                await connection.execute(NOTE, one.conversation)
        if waiting:
            ended += await ledger.withdraw([row[0] for row in waiting])
    return ended


async def clear(pool: Pool) -> None:
    """What has ended and was told in the conversations of those: the row stands, so that nothing is sent twice, and says nothing."""
    await in_steps(pool, EMPTY)
    await in_steps(
        pool,
        "DELETE FROM forgotten WHERE conversation IN (SELECT conversation FROM forgotten"
        " WHERE at < now() - interval '3 days' LIMIT $1)",
    )


PROFILE: Final = """
DELETE FROM profile WHERE tenant = $1 AND channel = $2 AND ($3::text IS NULL OR account = $3) AND address = $4"""
FILES: Final = """
DELETE FROM media_job WHERE tenant = $1 AND channel = $2 AND ($3::text IS NULL OR account = $3) AND peer = $4"""
WAITING: Final = "SELECT message_id FROM send WHERE conversation = $1 AND done_at IS NULL ORDER BY position"
NOTE: Final = "INSERT INTO forgotten (conversation) VALUES ($1) ON CONFLICT (conversation) DO UPDATE SET at = now()"
EMPTY: Final = """
WITH ended AS MATERIALIZED (
    SELECT s.message_id, s.attempt FROM forgotten f JOIN send s ON s.conversation = f.conversation
    WHERE s.done_at IS NOT NULL AND s.body <> '' AND NOT EXISTS (
        SELECT FROM piece p WHERE (p.message_id, p.attempt) = (s.message_id, s.attempt) AND NOT p.reported)
    LIMIT $1 FOR UPDATE OF s SKIP LOCKED
), pieces AS (
    UPDATE piece p SET part = NULL, external_ids = '{}', join_key = NULL, detail = '' FROM ended e
    WHERE (p.message_id, p.attempt) = (e.message_id, e.attempt)
)
UPDATE send s SET body = '' FROM ended e WHERE (s.message_id, s.attempt) = (e.message_id, e.attempt)"""
