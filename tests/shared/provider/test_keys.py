"""The keys by which a provider signs are asked for seldom, kept while it is away, and none is missed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from provider import Provider, hangs_up, make_channel, says

from shared.contract.channel import App, Channel, Context, Http, Keys, Steps
from shared.contract.errors import KeysUnavailable
from shared.provider import keys as keyrings
from shared.provider.calls import Caller
from shared.provider.keys import AGAIN, SOON, Keyring
from shared.storage.blobs import Blobs


class Keyed(App):
    api: str


def ask(app: Keyed, context: Context) -> Steps[Keys]:
    """In two hops, as OpenID tells them."""
    place = yield Http(method="GET", url=f"{app.api}/place")
    answer = yield Http(method="GET", url=place.json()["at"])
    return Keys(value=answer.json()["keys"], expires_in=answer.max_age)


CHANNEL: Channel = replace(make_channel(), app=Keyed, keys=ask)


class Clock:
    """The loop's time, put forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return asyncio.get_running_loop().time() + self.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(keyrings, "_now", clock)
    return clock


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    provider = Provider()
    await provider.start()
    provider.by_path["/place"] = says(200, {"at": f"{provider.address}/keys"})
    yield provider
    await provider.stop()


@pytest.fixture
async def keyring(tmp_path: Path, clock: Clock) -> AsyncIterator[Keyring]:
    async with Caller(Blobs.open(tmp_path.as_uri())) as caller:
        yield Keyring(caller)


@pytest.fixture
def app(provider: Provider) -> Keyed:
    tell(provider, "k1")
    return Keyed(name="main", api=provider.address)


def tell(provider: Provider, *names: str, **headers: str) -> None:
    provider.by_path["/keys"] = says(200, {"keys": dict.fromkeys(names, "word")}, **headers)


def asked(provider: Provider) -> int:
    return sum(seen.path == "/keys" for seen in provider.seen)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ({"cache_control": "public, max-age=3600"}, timedelta(hours=1)),
        ({"cache_control": 'MAX-AGE="3600"'}, timedelta(hours=1)),
        ({"cache_control": "s-maxage=7, max-age=99999999999"}, timedelta(hours=24)),
        ({"cache_control": "max-age=0"}, timedelta(minutes=5)),
        ({"cache_control": "no-store, x-max-age=7000"}, timedelta(minutes=5)),
        ({}, timedelta(minutes=5)),
    ],
    ids=lambda value: str(value) if isinstance(value, timedelta) else value.get("cache_control", "nothing"),
)
async def test_they_are_kept_as_long_as_their_answer_allows_within_bounds(
    provider: Provider, keyring: Keyring, app: Keyed, clock: Clock, said: dict[str, str], kept: timedelta
) -> None:
    tell(provider, "k1", **said)
    assert await keyring.of(CHANNEL, app) == {"k1": "word"}
    clock.ahead += kept.total_seconds() - 60
    await keyring.of(CHANNEL, app)
    assert asked(provider) == 1
    tell(provider, "k2")
    clock.ahead += 61
    assert await keyring.of(CHANNEL, app) == {"k2": "word"}
    assert asked(provider) == 2


async def test_whoever_waits_for_them_waits_for_one_question(provider: Provider, keyring: Keyring, app: Keyed) -> None:
    found = await asyncio.gather(*(keyring.of(CHANNEL, app) for _ in range(20)))
    assert found == [{"k1": "word"}] * 20
    assert asked(provider) == 1


async def test_one_who_goes_away_takes_no_other_along(provider: Provider, keyring: Keyring, app: Keyed) -> None:
    waiting = [asyncio.create_task(keyring.of(CHANNEL, app)) for _ in range(2)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    assert await waiting[1] == {"k1": "word"}


async def test_invented_names_make_us_ask_once_a_minute(
    provider: Provider, keyring: Keyring, app: Keyed, clock: Clock
) -> None:
    await keyring.of(CHANNEL, app)
    for minute in range(3):
        clock.ahead += AGAIN
        for _ in range(2):
            await asyncio.gather(*(keyring.newer(CHANNEL, app) for _ in range(10)))
        assert asked(provider) == minute + 2


async def test_a_new_key_is_known_at_once_when_it_is_first_named(
    provider: Provider, keyring: Keyring, app: Keyed, clock: Clock
) -> None:
    await keyring.of(CHANNEL, app)
    clock.ahead += AGAIN
    tell(provider, "k1", "k2")
    assert "k2" in await keyring.newer(CHANNEL, app)
    assert "k2" in await keyring.of(CHANNEL, app)


AWAY: dict[str, Any] = {
    "refuses": says(404),
    "hangs up": hangs_up(),
    "has none": says(200, {"keys": {}}),
    "says something else": says(200, {"error": "x"}),
}


@pytest.mark.parametrize("how", AWAY)
async def test_while_the_provider_does_not_tell_them_those_that_are_known_stay_good(
    provider: Provider, keyring: Keyring, app: Keyed, clock: Clock, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(keyrings, "PATIENCE", 60.0)
    known = await keyring.of(CHANNEL, app)
    clock.ahead += timedelta(days=3).total_seconds()
    provider.by_path["/keys"] = AWAY[how]
    assert await keyring.of(CHANNEL, app) == known
    before = asked(provider)
    assert await keyring.of(CHANNEL, app) == known
    with pytest.raises(KeysUnavailable):
        await keyring.newer(CHANNEL, app)
    assert asked(provider) == before, "nobody asks again within the minute"
    tell(provider, "k2")
    clock.ahead += AGAIN
    assert await keyring.of(CHANNEL, app) == {"k2": "word"}


async def test_at_the_first_start_there_are_none_until_the_provider_is_back(
    provider: Provider, keyring: Keyring, app: Keyed, clock: Clock
) -> None:
    provider.by_path["/keys"] = says(403)
    for _ in range(3):
        with pytest.raises(KeysUnavailable):
            await keyring.of(CHANNEL, app)
    assert asked(provider) == 1
    tell(provider, "k1")
    clock.ahead += SOON
    assert await keyring.of(CHANNEL, app) == {"k1": "word"}


async def test_nobody_waits_longer_than_a_webhook_does_and_a_late_answer_counts(
    provider: Provider, keyring: Keyring, app: Keyed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyrings, "PATIENCE", 0.05)
    comes, tells = asyncio.Event(), provider.by_path["/keys"]

    async def late(request: web.Request) -> web.StreamResponse:
        await comes.wait()
        return await tells(request)

    provider.by_path["/keys"] = late
    with pytest.raises(KeysUnavailable):
        await keyring.of(CHANNEL, app)
    monkeypatch.setattr(keyrings, "PATIENCE", 60.0)
    comes.set()
    assert await keyring.of(CHANNEL, app) == {"k1": "word"}
    assert asked(provider) == 1


async def test_an_app_with_other_settings_begins_anew(provider: Provider, keyring: Keyring, app: Keyed) -> None:
    await keyring.of(CHANNEL, app)
    await keyring.of(CHANNEL, app.model_copy(update={"account": "another"}))
    assert asked(provider) == 2
