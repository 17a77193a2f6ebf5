"""The channels of this adapter, one line each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.social_adapter.channels import bluesky, facebook, instagram, tiktok, x, youtube
from shared.contract.channel import Channel

CHANNELS: Final[Mapping[str, Channel]] = {
    channel.name: channel
    for channel in (
        bluesky.CHANNEL,
        facebook.CHANNEL,
        instagram.CHANNEL,
        tiktok.CHANNEL,
        x.CHANNEL,
        youtube.CHANNEL,
    )
}
