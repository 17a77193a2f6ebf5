"""Whether the accounts file can be used, and how its accounts are, as their adapters tell on accounts.v1."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from services.cli.accounts import readable_by_others
from services.cli.channels import CHANNELS
from services.cli.doctor.finding import Finding
from services.cli.doctor.sending import remedy_of
from services.cli.reading import consumer, present
from services.cli.running import System
from shared.contract.codes import Failure
from shared.contract.events import AccountState
from shared.contract.records import ACCOUNTS
from shared.runtime.accounts import load
from shared.runtime.settings import Settings

SOON: Final = timedelta(days=90)


async def accounts(system: System) -> AsyncIterator[Finding]:
    """Readable as a service would, and by nobody else."""
    found = load(Path(system.settings.accounts), CHANNELS)
    yield Finding("accounts", "ok", f"{len(found.apps)} apps, {len(found.accounts)} accounts")
    for source in readable_by_others(found):
        yield Finding("accounts", "warn", f"other users may read {source}", f"chmod 600 {source}")


async def account_health(system: System) -> AsyncIterator[Finding]:
    """No account of the file is told to be ill, or uses an API that its provider will take away soon. One that nobody
    has told of yet is only counted.
    """
    named = {(channel, account.name) for channel, account in load(Path(system.settings.accounts), CHANNELS).all()}
    told = {place: state for place, state in (await states(system.settings)).items() if place in named}
    for (channel, name), state in sorted(told.items()):
        if not state.healthy:
            failure = state.failure or Failure(code="unknown")
            said = f"{channel}/{name} is not healthy since {state.occurred_at:%Y-%m-%d %H:%M} UTC: {failure.code} {failure.detail or ''}"
            yield Finding("account health", "fail", said.strip(), remedy_of(failure.code, system))
        if state.api_ends_at and (left := state.api_ends_at - datetime.now(UTC)) < SOON:
            said = f"{channel}/{name} uses {state.api_version} of the provider's API, which ends on {state.api_ends_at:%Y-%m-%d}"
            remedy = f"read the provider's changes, then give the account a newer version (docs/channels/{channel}.md)"
            yield Finding("account health", "warn" if left > timedelta(0) else "fail", said, remedy)
    ill = sum(not state.healthy for state in told.values())
    if not ill:
        said = f"{len(told)} of {len(named)} accounts are told of, and all are healthy"
        yield Finding("account health", "ok", said)


async def states(settings: Settings) -> dict[tuple[str, str], AccountState]:
    """The newest word on each account, by channel and name. What is not ours to read is left out."""
    found: dict[tuple[str, str], AccountState] = {}
    async with consumer(settings, [settings.topic(ACCOUNTS)]) as reading:
        for record in await present(reading):
            try:
                state = AccountState.model_validate_json(record.value or b"")
            except ValidationError:
                continue
            found[state.channel, state.account] = state
    return found
