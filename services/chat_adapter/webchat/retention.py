"""Lines of transcripts that are older than their tenant keeps are removed; visitors stay, since windows go on from their positions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from services.chat_adapter.webchat.channel import CHANNEL
from shared.runtime.accounts import AccountsFile
from shared.runtime.settings import Settings
from shared.storage.database import Pool, transaction
from shared.storage.walks import BOUND, STEP, Walks, ago, count_removed


class Retention:
    """`run` only where something is to be removed at all."""

    def __init__(self, settings: Settings, pool: Pool, accounts: AccountsFile) -> None:
        self._settings, self._pool, self._accounts = settings, pool, accounts

    async def run(self) -> None:
        await Walks(self._pool, "retention", {"transcripts": self.transcripts}).run()

    async def transcripts(self, place: Sequence[str]) -> Sequence[str]:
        """The oldest lines of the next visitors. Nobody else writes or locks them: they are appended to, and read."""
        after = place or ["", ""]
        async with transaction(self._pool) as connection:
            await connection.execute(BOUND)
            rows = await connection.fetch(NEXT, *after, STEP)
            due = [(*row, before) for row in rows if (before := self._before(row["account"]))]
            gone = await connection.fetch(REMOVE, *zip(*due, strict=True), STEP) if due else []
        for account, number in Counter(row["account"] for row in gone).items():
            count_removed(self._settings, "transcript", self._tenant(account) or "", number)
        if len(gone) == STEP:
            return after
        return list(rows[-1]) if len(rows) == STEP else []

    def _before(self, account: str) -> datetime | None:
        """Before when the lines of an account's visitors go; None: never. Nobody knows whose an account was that is gone."""
        tenant = self._tenant(account)
        return ago(self._settings.kept(tenant).messages) if tenant else None

    def _tenant(self, account: str) -> str | None:
        found = self._accounts.current.account(CHANNEL.name, account)
        return found.tenant if found else None


NEXT: Final = """
SELECT account, peer FROM webchat_visitor WHERE (account, peer) > ($1, $2) ORDER BY account, peer LIMIT $3"""
REMOVE: Final = """
WITH doomed AS MATERIALIZED (
    SELECT d.account, d.peer, l.position FROM unnest($1::text[], $2::text[], $3::timestamptz[]) d(account, peer, before)
    CROSS JOIN LATERAL (
        SELECT position, at FROM webchat_message WHERE (account, peer) = (d.account, d.peer) ORDER BY position LIMIT $4
    ) l
    WHERE l.at < d.before AND d.before > (
        SELECT at FROM webchat_message WHERE (account, peer) = (d.account, d.peer) ORDER BY position LIMIT 1
    )
    LIMIT $4
)
DELETE FROM webchat_message m USING doomed d WHERE (m.account, m.peer, m.position) = (d.account, d.peer, d.position)
RETURNING m.account"""
