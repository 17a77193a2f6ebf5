"""Whether what is sent arrives, by what the adapters wrote down of the last hour."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final

import asyncpg

from services.cli.doctor.finding import Finding
from services.cli.doctor.standing import CREDENTIAL, there
from services.cli.running import System
from shared.contract.codes import FAMILIES
from shared.storage.database import connect

FEW: Final = 3  # failures that are no pattern yet
MANY: Final = 0.2  # of what was sent by an account
LONG: Final = 1800.0  # seconds that a message may wait
REMEDIES: Final[Mapping[str, str]] = {
    "unreachable": "See whether there is a way from the adapter to the provider: addresses, proxies, network policies.",
    "throttled": "Wait, or ask the provider for a higher limit.",
    "unknown_account": "Add it to the accounts file, or mend its tenant there.",
    "template_required": "Write with a template that the provider has approved, or wait until the customer writes.",
    "window_closed": "Write with a template that the provider has approved, or wait until the customer writes.",
}
ENDED: Final = """
SELECT convert_from(s.body, 'UTF8')::jsonb ->> 'channel', convert_from(s.body, 'UTF8')::jsonb ->> 'account',
    count(*), count(*) FILTER (WHERE p.status IN ('failed', 'expired', 'unknown')),
    mode() WITHIN GROUP (ORDER BY p.code)
FROM {schema}.piece p JOIN {schema}.send s USING (message_id, attempt)
WHERE p.settled_at > now() - interval '1 hour' GROUP BY 1, 2"""
WAITING: Final = """
SELECT count(*), coalesce(extract(epoch FROM now() - min(received_at)), 0)::float FROM {schema}.send WHERE done_at IS NULL"""


@dataclass(frozen=True)
class Sends:
    """What became of an account's pieces; `code`: the most frequent reason."""

    channel: str
    account: str
    ended: int
    failed: int
    code: str | None

    @property
    def is_ill(self) -> bool:
        return self.failed >= FEW and self.failed > MANY * self.ended


async def sends(system: System) -> AsyncIterator[Finding]:
    """No account fails more than now and then, and nothing waits long."""
    found: list[Sends] = []
    async with connect(system.settings) as connection:
        for schema in (f"{family}_adapter" for family in FAMILIES):
            try:
                found += [Sends(*row) for row in await connection.fetch(ENDED.format(schema=schema))]
                count, seconds = await connection.fetchrow(WAITING.format(schema=schema))
            except asyncpg.UndefinedTableError:
                continue  # the check of migrations says so
            if seconds > LONG:
                said = f"{schema}: {count} messages wait, the oldest for {seconds / 60:.0f} minutes"
                yield Finding("sends", "warn", said, "See its log for the account that it waits for (`work.waiting`).")
    ill = [one for one in found if one.is_ill]
    for one in ill:
        said = f"{one.channel}/{one.account}: {one.failed} of {one.ended} failed within an hour, mostly {one.code or 'unknown'}"
        yield Finding("sends", "fail", said, remedy_of(one.code or "unknown", system))
    if not ill:
        total, failed = sum(one.ended for one in found), sum(one.failed for one in found)
        yield Finding("sends", "ok", f"{total} ended within an hour, {failed} of them not well")


def remedy_of(code: str, system: System) -> str:
    if code == "auth":
        return there(CREDENTIAL, system)
    return REMEDIES.get(code, f"docs/errors.md explains `{code}`; `parley tail --topic delivery` shows each.")
