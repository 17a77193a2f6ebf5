"""The channels of this adapter, one line each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared.channel import Channel

CHANNELS: Final[Mapping[str, Channel]] = {}
