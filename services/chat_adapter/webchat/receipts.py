"""What a visitor's window says about our messages: they have arrived, they were read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from services.chat_adapter.webchat.channel import CHANNEL, Account, App
from services.chat_adapter.webchat.transcript import Mark, Transcript
from shared.contract.channel import Receipt
from shared.inbound.accept import Intake

AT_ONCE: Final = 100  # external ids of one record


async def report(
    intake: Intake, transcript: Transcript, *, app: App, account: Account, peer: str, until: int, mark: Mark
) -> None:
    """Put receipts for everything up to a position on the bus, then remember it, so that a crash between repeats it.

    By id, not by watermark: a watermark would compare this clock with that of whoever recorded the send.
    Raises BusUnavailable, DatabaseUnavailable.
    """
    ids = await transcript.unmarked(account.name, peer, until=until, mark=mark)
    receipts = [
        Receipt(
            account_key=app.account_key,
            peer=peer,
            status=mark,
            external_ids=tuple(ids[start : start + AT_ONCE]),
            occurred_at=datetime.now(UTC),
        )
        for start in range(0, len(ids), AT_ONCE)
    ]
    if receipts:
        await intake.accept(CHANNEL, account, receipts)
        await transcript.mark(account.name, peer, until=until, mark=mark)
