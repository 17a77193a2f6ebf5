"""The times of Facebook: seconds in feeds, milliseconds in messages, now and then as text."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from shared.dialects import meta

FIRST_MILLISECONDS: Final = 100_000_000_000  # as seconds this would be the year 5138


def moment(stamp: str | int) -> datetime:
    return meta.milliseconds(stamp) if int(stamp) >= FIRST_MILLISECONDS else meta.seconds(stamp)
