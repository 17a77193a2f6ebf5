"""What only an account's own keys open is opened before it is published, by what the provider is asked for once and seldom."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from provider import Account, Provider, dead_port, make_channel, says, waits_for

from deploy.local.home import Addresses
from services.chat_adapter.channels import webhook
from services.chat_adapter.registry import CHANNELS
from shared.contract.channel import Channel, Context, Http, Keys, Message, Request, Sealed, StaysSealed, Steps
from shared.contract.envelope import Party, Text, Unsupported
from shared.inbound.unsealing import Unsealer
from shared.provider import lookups
from shared.provider.calls import Caller
from shared.provider.contexts import Contexts
from shared.provider.exchange import Driver
from shared.provider.lookups import Lookups
from shared.runtime.settings import Settings
from shared.storage.blobs import Blobs
from tests.shared.broker import records_of, settings_for
from tests.shared.gate import INBOUND, gate, hello, sign

NOW = datetime(2026, 11, 30, tzinfo=UTC)
STAYS = "Sealed: read it in their app."


def lookup(account: Account, name: str, context: Context) -> Steps[Keys]:
    answer = yield Http(method="GET", url=f"{account.api}/{name}")
    return Keys(value=answer.json())


def unseal(account: Account, message: Message, found: Mapping[str, Mapping[str, Any]]) -> Message:
    assert message.sealed is not None
    (name,) = message.sealed.needs
    if found.get(name, {}).get("word") != message.sealed.content["by"]:
        raise StaysSealed("no key of theirs opens it")
    return replace(message, parts=(Text(text=message.sealed.content["words"]),))


def letter(who: str = "ann", by: str = "word") -> Message:
    return Message(
        account_key="main",
        event_key="1",
        peer=who,
        sender=Party(address=who),
        parts=(Unsupported(type="letter", text=STAYS),),
        occurred_at=NOW,
        sealed=Sealed(needs=(who,), content={"by": by, "words": "hello"}),
    )


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    provider = Provider()
    await provider.start()
    provider.by_path["/ann"] = says(200, {"word": "word"})
    yield provider
    await provider.stop()


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[Caller]:
    async with Caller(Blobs.open(tmp_path.as_uri())) as caller:
        yield caller


@pytest.fixture
def unsealer(caller: Caller) -> Unsealer:
    return Unsealer(Lookups(Driver(caller, Contexts(Settings()))))


CHANNEL = replace(make_channel(), lookup=lookup, unseal=unseal)


def account(provider: Provider) -> Account:
    return Account(name="main", api=provider.address)


async def part(unsealer: Unsealer, account: Account, message: Message, channel: Channel = CHANNEL) -> Any:
    found = await unsealer(channel, account, message)
    assert isinstance(found, Message)
    return found.parts[0]


async def test_what_opens_is_shown_and_its_key_is_asked_for_once(unsealer: Unsealer, provider: Provider) -> None:
    parts = await asyncio.gather(*(part(unsealer, account(provider), letter()) for _ in range(20)))
    parts.append(await part(unsealer, account(provider), letter()))
    assert parts == [Text(text="hello")] * 21
    assert len(provider.seen) == 1


async def test_what_does_not_open_is_unsupported_with_the_reason(unsealer: Unsealer, provider: Provider) -> None:
    stays = Unsupported(type="letter", text="no key of theirs opens it")
    for _ in range(3):
        assert await part(unsealer, account(provider), letter(by="another word")) == stays
    assert len(provider.seen) == 1, "what was told a moment ago is not asked for again"
    provider.by_path["/bob"] = says(404)
    for _ in range(3):
        assert await part(unsealer, account(provider), letter("bob")) == stays
    assert len(provider.seen) == 2, "nor what was refused"


async def test_a_key_that_is_new_opens_at_once(
    unsealer: Unsealer, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await part(unsealer, account(provider), letter()) == Text(text="hello")
    monkeypatch.setattr(lookups, "AGAIN", 0.0)
    provider.by_path["/ann"] = says(200, {"word": "next"})
    assert await part(unsealer, account(provider), letter(by="next")) == Text(text="hello")
    assert len(provider.seen) == 2


async def test_strangers_make_an_account_ask_so_often_and_no_more(
    unsealer: Unsealer, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookups, "A_MINUTE", 3)
    many = await asyncio.gather(*(part(unsealer, account(provider), letter(f"stranger{n}")) for n in range(30)))
    assert all(isinstance(one, Unsupported) for one in many)
    assert len(provider.seen) == 3
    assert not unsealer._lookups._under_way, "and none waits to be asked later"


async def test_no_more_answers_are_kept_than_there_is_room_for(
    unsealer: Unsealer, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookups, "KEPT", 2)
    for name in ("ann", "bob", "cid", "bob", "ann"):
        provider.by_path[f"/{name}"] = says(200, {"word": "word"})
        assert await part(unsealer, account(provider), letter(name)) == Text(text="hello")
    assert [seen.path for seen in provider.seen] == ["/ann", "/bob", "/cid", "/ann"]


async def test_a_provider_that_does_not_answer_delays_no_message_for_long(
    unsealer: Unsealer, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookups, "PATIENCE", 0.05)
    answered = asyncio.Event()
    provider.by_path["/ann"] = waits_for(answered)
    assert isinstance(await part(unsealer, account(provider), letter()), Unsupported)
    answered.set()
    gone = Account(name="other", api=f"http://127.0.0.1:{dead_port()}")
    assert isinstance(await part(unsealer, gone, letter()), Unsupported)


async def test_an_account_without_keys_asks_nobody(unsealer: Unsealer, provider: Provider) -> None:
    without = replace(CHANNEL, unseals=lambda account: False)
    assert await part(unsealer, account(provider), letter(), without) == Unsupported(type="letter", text=STAYS)
    assert await part(unsealer, account(provider), letter(), make_channel()) == Unsupported(type="letter", text=STAYS)
    assert not provider.seen


async def test_an_opener_that_breaks_keeps_the_message(unsealer: Unsealer, provider: Provider) -> None:
    def breaks(account: Account, message: Message, found: Mapping[str, Any]) -> Message:
        raise KeyError("words")

    found = await part(unsealer, account(provider), letter(), replace(CHANNEL, unseal=breaks))
    assert isinstance(found, Unsupported)
    assert "words" not in str(found.text)


async def test_what_comes_in_sealed_goes_onto_the_bus_open(
    servers: Addresses, tmp_path: Path, provider: Provider, caller: Caller
) -> None:
    def sealing(app: Any, request: Request, context: Context) -> Any:
        for one in webhook.CHANNEL.inbound(app, request, context):  # type: ignore[misc]
            sealed = Sealed(needs=("ann",), content={"by": "word", "words": "from within"})
            yield replace(one, parts=(Unsupported(type="letter", text=STAYS),), sealed=sealed)

    def asks(account: Any, name: str, context: Context) -> Steps[Keys]:
        return lookup(Account(name="main", api=provider.address), name, context)

    channels = {**CHANNELS, "webhook": replace(webhook.CHANNEL, inbound=sealing, lookup=asks, unseal=unseal)}
    async with gate(settings_for(servers.kafka), tmp_path, channels=channels, caller=caller) as door:
        body = orjson.dumps(hello())
        assert await door.post(body, headers=sign(body)) == 200
        (record,) = await records_of(door.settings, INBOUND)
    told = orjson.loads(record.value)
    assert [one["text"] for one in told["parts"]] == ["from within"]
    assert "sealed" not in told
