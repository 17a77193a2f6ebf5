"""The channels of this adapter, one line each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.chat_adapter.channels import (
    apple,
    discord,
    googlechat,
    line,
    rcs,
    slack,
    sms,
    teams,
    telegram,
    telnyx,
    viber,
    voicemail,
    webhook,
    whatsapp,
)
from services.chat_adapter.webchat import channel as webchat
from shared.contract.channel import Channel

CHANNELS: Final[Mapping[str, Channel]] = {
    channel.name: channel
    for channel in (
        apple.CHANNEL,
        discord.CHANNEL,
        googlechat.CHANNEL,
        line.CHANNEL,
        rcs.CHANNEL,
        slack.CHANNEL,
        sms.CHANNEL,
        teams.CHANNEL,
        telegram.CHANNEL,
        telnyx.CHANNEL,
        viber.CHANNEL,
        voicemail.CHANNEL,
        webhook.CHANNEL,
        webchat.CHANNEL,
        whatsapp.CHANNEL,
    )
}
