"""Where a sender proves itself by keys that the provider tells: nobody is turned away for a key that could not be asked for."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from provider import Provider, says

from deploy.local.home import Addresses
from services.chat_adapter.channels import webhook
from services.chat_adapter.registry import CHANNELS
from shared.contract.channel import App, Channel, Context, Http, Keys, Request, Steps, UnknownKey, Unverified
from shared.provider import keys as keyrings
from shared.provider.calls import Caller
from shared.provider.keys import Keyring
from shared.storage.blobs import Blobs
from tests.shared.broker import records_of, settings_for
from tests.shared.gate import INBOUND, Gate, counted, gate, hello

AWAY = says(404)


def seal(key: str, body: bytes) -> str:
    return hmac.digest(key.encode(), body, hashlib.sha256).hex()


def verify(app: App, request: Request, context: Context) -> None:
    name, _, given = request.headers["seal"].partition(":")
    if name not in context.keys:
        raise UnknownKey(name)
    if not hmac.compare_digest(given, seal(context.keys[name], request.body)):
        raise Unverified("another seal")


def keyed(provider: Provider) -> Channel:
    def ask(app: App, context: Context) -> Steps[Keys]:
        answer = yield Http(method="GET", url=f"{provider.address}/keys")
        return Keys(value=answer.json(), expires_in=answer.max_age)

    return replace(webhook.CHANNEL, proof="seal", keys=ask, verify=verify)


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    provider = Provider()
    await provider.start()
    provider.by_path["/keys"] = says(200, {"k1": "word"})
    yield provider
    await provider.stop()


@pytest.fixture
async def door(servers: Addresses, tmp_path: Path, provider: Provider) -> AsyncIterator[Gate]:
    channels = {**CHANNELS, "webhook": keyed(provider)}
    async with Caller(Blobs.open(tmp_path.as_uri())) as caller:
        async with gate(settings_for(servers.kafka), tmp_path, channels=channels, keyring=Keyring(caller)) as door:
            yield door


async def post(door: Gate, name: str, key: str) -> int:
    body = orjson.dumps(hello())
    return await door.post(body, headers={"seal": f"{name}:{seal(key, body)}"})


async def test_without_keys_the_sender_is_told_to_come_again(
    door: Gate, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyrings, "SOON", 0.0)
    provider.by_path["/keys"] = AWAY
    before = counted("keys_unavailable")
    assert await post(door, "k1", "word") == 503
    assert counted("keys_unavailable") == before + 1
    assert not await records_of(door.settings, INBOUND)
    provider.by_path["/keys"] = says(200, {"k1": "word"})
    assert await post(door, "k1", "word") == 200


async def test_who_proves_nothing_makes_nobody_ask(door: Gate, provider: Provider) -> None:
    assert await door.post(b"{}", headers={}) == 401
    assert not provider.seen


async def test_a_key_that_is_not_known_yet_is_asked_for_before_anybody_is_refused(
    door: Gate, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await post(door, "k1", "word") == 200
    monkeypatch.setattr(keyrings, "AGAIN", 0.0)
    provider.by_path["/keys"] = says(200, {"k2": "next"})
    assert await post(door, "k2", "next") == 200
    assert await post(door, "k1", "word") == 401, "it is not the provider's any more"
    provider.by_path["/keys"] = AWAY
    assert await post(door, "k3", "last") == 503, "nobody can say whether it is"
    assert await post(door, "k2", "next") == 200


async def test_names_that_strangers_invent_are_refused_and_asked_for_once(door: Gate, provider: Provider) -> None:
    before = counted("unverified")
    for number in range(5):
        assert await post(door, f"x{number}", "word") == 401
    assert await post(door, "k1", "guessed") == 401
    assert counted("unverified") == before + 6
    assert len(provider.seen) == 1
