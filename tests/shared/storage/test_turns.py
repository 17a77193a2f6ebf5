"""What is due is found by steps along an index, however much waits: a plan that was made when there was nothing, and kept, too."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from shared.enrich import mediajobs, profilejobs
from shared.outbound import lanes
from shared.runtime.settings import Settings
from shared.storage import turns
from shared.storage.database import open_pool
from shared.storage.migrate import upgrade

LANE = "INSERT INTO lane (conversation, channel, account) SELECT gen_random_uuid(), 'line', 'a' || n % 100 FROM generate_series(1, 10000) n"
MEDIA = (
    "INSERT INTO media_job (message_id, part, tenant, channel, account, peer, record_key, media)"
    " SELECT gen_random_uuid(), 0, 't', 'line', 'a' || n % 100, 'p', '', '{}' FROM generate_series(1, 10000) n"
)
PROFILE = (
    "INSERT INTO profile (tenant, channel, account, address, peer, record_key)"
    " SELECT 't', 'line', 'a' || n % 100, n::text, 'p', '' FROM generate_series(1, 10000) n"
)
STATEMENTS = {"lane": lanes.TURN} | {
    name: turns.claim(name, pending="done_at IS NULL") for name in (mediajobs.JOBS.table, profilejobs.JOBS.table)
}
TYPES = "(text[], text[], int[], int, int, uuid, interval, text[])"
ARGUMENTS = "('{}', '{}', '{}', 16, 100, gen_random_uuid(), '30 seconds', NULL)"


@pytest.mark.parametrize(("table", "filled"), [("lane", LANE), ("media_job", MEDIA), ("profile", PROFILE)])
@pytest.mark.parametrize("analyzed", [True, False])
async def test_ten_thousand_due_at_once_are_claimed_in_steps(
    settings: Settings, table: str, filled: str, analyzed: bool
) -> None:
    upgrade(settings, "social_adapter")
    async with open_pool(settings, "social_adapter") as pool, pool.acquire() as connection:
        await connection.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
        if analyzed:
            await connection.execute(f"VACUUM ANALYZE {table}")
        await connection.execute(f"PREPARE turn {TYPES} AS {STATEMENTS[table]}")
        await connection.execute(f"EXECUTE turn {ARGUMENTS}")
        await connection.execute(filled)
        (explained,) = await connection.fetchval(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) EXECUTE turn {ARGUMENTS}")
        claimed = await connection.fetchval(f"SELECT count(*) FROM {table} WHERE owner IS NOT NULL")
    assert claimed == 100
    assert sum(rows_read(explained["Plan"])) < 3000, json.dumps(explained, indent=1)


def rows_read(node: dict[str, Any]) -> Iterator[float]:
    """Of each scan of a table how many rows it looked at, those that it then left out among them."""
    if re.search(r"Scan$", node["Node Type"]) and "Relation Name" in node:
        yield (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
    for inner in node.get("Plans", ()):
        yield from rows_read(inner)
