"""How many more of a request there may be, as Discord tells with its answers — https://docs.discord.com/developers/topics/rate-limits."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.chat_adapter.channels.discord import CHANNEL
from shared.contract.channel import Limit, Response


@pytest.mark.parametrize(
    ("resets", "seconds"), [("1.5", 1.5), ("0", 0), ("-3", 0), ("86401", 86_400), ("31536000", 86_400)]
)
def test_what_is_left_of_a_bucket_is_told_by_its_answers(resets: str, seconds: float) -> None:
    headers = {"x-ratelimit-bucket": "b7d1", "x-ratelimit-remaining": "3", "x-ratelimit-reset-after": resets}
    told = CHANNEL.limit(Response(headers=headers))
    assert told == Limit(bucket="b7d1", remaining=3, resets_in=timedelta(seconds=seconds))
