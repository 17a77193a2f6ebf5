"""What an event or a change came in, and its times: seconds in feeds, milliseconds in messages, now and then as text."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial

from shared.contract.envelope import LATEST
from shared.contract.readable import otherwise
from shared.dialects import meta


@dataclass(frozen=True, slots=True)
class Entry:
    """Whose page or Instagram account it is of, when it was told, to which app, and whether that only listens (the standby channel)."""

    account: str
    time: int | str | None
    app_id: str
    standby: bool = False


def moment(*stamps: str | int | None) -> datetime:
    """The first that can be read; if none can, it is told as of now (shared.inbound.translate.stamp)."""
    for stamp in stamps:
        found = otherwise(partial(_of, stamp), None)
        if found is not None:
            return found
    return LATEST


def _of(stamp: str | int | None) -> datetime | None:
    return None if stamp is None else meta.moment(stamp)
