"""What a provider tells of its limits is kept: who has used one up does not ask before it is full again, and nobody else waits."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.contract.channel import Http, Limit, Response, SendFailed
from shared.provider.calls import Caller, Principal
from shared.provider.rates import Buckets
from shared.runtime.settings import Settings
from shared.storage.blobs import Blobs
from tests.provider import Account, Provider, make_channel, says

BOT, OTHER_BOT = ("chat", "bot"), ("chat", "other")
POST, EDIT = ("POST", "room 1"), ("PATCH", "room 1")


def told(remaining: int, *, seconds: float = 3600, bucket: str = "b1") -> Limit:
    return Limit(bucket=bucket, remaining=remaining, resets_in=timedelta(seconds=seconds))


async def test_as_many_go_as_are_left_and_the_next_gives_up_its_turn() -> None:
    buckets = Buckets()
    buckets.learn(BOT, POST, told(2))
    await buckets.wait(BOT, POST)
    await buckets.wait(BOT, POST)
    with pytest.raises(SendFailed) as refused:
        await buckets.wait(BOT, POST)
    assert (refused.value.reason, refused.value.scope) == ("throttled", "peer")
    assert refused.value.retry_after
    assert timedelta(minutes=59) < refused.value.retry_after <= timedelta(hours=1)


async def test_nobody_else_waits() -> None:
    buckets = Buckets()
    buckets.learn(BOT, POST, told(0))
    await buckets.wait(BOT, ("POST", "room 2"))
    await buckets.wait(OTHER_BOT, POST)
    await buckets.wait(BOT, EDIT)


async def test_kinds_of_requests_with_one_bucket_share_it() -> None:
    buckets = Buckets()
    buckets.learn(BOT, EDIT, told(5))
    buckets.learn(BOT, POST, told(0))
    with pytest.raises(SendFailed):
        await buckets.wait(BOT, EDIT)


async def test_what_is_full_again_soon_is_waited_for() -> None:
    buckets = Buckets()
    buckets.learn(BOT, POST, told(0, seconds=0.05))
    await buckets.wait(BOT, POST)
    await buckets.wait(BOT, POST)


async def test_a_request_that_would_be_refused_does_not_leave(settings: Settings) -> None:
    provider = Provider()
    await provider.start()
    provider.answers += [says(200, {"id": 1}, Left="0"), says(200, {"id": 2}), says(200, {"id": 3})]

    def limit(response: Response) -> Limit:
        return told(int(response.headers["left"]))

    channel = replace(make_channel(), limit=limit)
    principal = Principal(channel=channel, account=Account(name="a", api=provider.address))
    request = Http(url=f"{provider.address}/send", commits=True, counts=POST)
    async with Caller(Blobs.open(settings.blobs)) as caller:
        await caller.ask(request, principal)
        with pytest.raises(SendFailed):
            await caller.ask(request, principal)
        await caller.ask(replace(request, counts=("POST", "room 2")), principal)  # an answer without a word of limits
        await caller.ask(replace(request, counts=()), principal)
    assert len(provider.seen) == 3
    await provider.stop()
