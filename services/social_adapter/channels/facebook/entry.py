"""What an event or a change came in, and its times: seconds in feeds, milliseconds in messages, now and then as text."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.dialects import meta

FIRST_MILLISECONDS: Final = 100_000_000_000  # as seconds this would be the year 5138


@dataclass(frozen=True, slots=True)
class Entry:
    """Whose page it is of, when it was told, to which app, and whether that only listens (the standby channel)."""

    page: str
    time: int | str
    app_id: str
    standby: bool = False


def moment(stamp: str | int) -> datetime:
    return meta.milliseconds(stamp) if int(stamp) >= FIRST_MILLISECONDS else meta.seconds(stamp)
