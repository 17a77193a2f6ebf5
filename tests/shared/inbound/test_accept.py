"""What was read from a provider, onto the bus: keyed by its peer, all of it durable or none of it accepted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from deploy.local.home import Addresses
from services.chat_adapter.channels.webhook import CHANNEL
from shared.bus.cloudevents import RAW
from shared.bus.produce import Producer
from shared.contract.channel import Message, Receipt, TypingSeen
from shared.contract.envelope import Party, Text
from shared.contract.errors import BusUnavailable, Malformed, TooLarge
from shared.contract.records import DELIVERY, INBOUND_LIMIT
from shared.inbound.accept import Intake, Raw
from shared.runtime.settings import Settings
from shared.storage.blobs import Blobs
from tests.shared.broker import make_topics, records_of, settings_for
from tests.shared.gate import INBOUND, SECRET

ACCOUNT = CHANNEL.account.model_validate(
    {"name": "main", "url": "http://127.0.0.1:9", "secret": SECRET, "tenant": "a|b"}
)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SIZES = [INBOUND_LIMIT, 10 * INBOUND_LIMIT]


def message(text: str = "hello", *, event: str = "e1", peer: str = "ann") -> Message:
    return Message(
        account_key="main",
        event_key=event,
        peer=peer,
        sender=Party(address="ann"),
        parts=(Text(text=text),),
        occurred_at=NOW,
    )


@pytest.fixture
async def settings(servers: Addresses) -> Settings:
    settings = settings_for(servers.kafka)
    await make_topics(settings, partitions=2, names=[INBOUND, DELIVERY])
    return settings


@pytest.fixture
async def intake(settings: Settings, tmp_path: Path) -> AsyncIterator[Intake]:
    producer = Producer(settings)
    await producer.start()
    yield Intake(settings, "chat", producer, Blobs.open(tmp_path.as_uri()))
    await producer.stop()


async def test_a_key_names_its_peer_and_no_name_runs_into_the_next(settings: Settings, intake: Intake) -> None:
    await intake.accept(CHANNEL, ACCOUNT, [message(peer="x|y z")], raw=Raw(b"{}", "application/json"))
    (record,) = await records_of(settings, INBOUND)
    assert record.key == b"a%7Cb|webhook|main|x%7Cy%20z"
    assert dict(record.headers)[RAW] == b"{}"
    assert dict(record.headers)["ce_source"] == b"/adapter/chat"


async def test_the_same_event_has_the_same_ids_every_time(settings: Settings, intake: Intake) -> None:
    receipt = Receipt(account_key="main", peer="ann", status="read", external_ids=("p1",), occurred_at=NOW)
    first = await intake.accept(CHANNEL, ACCOUNT, [message(), receipt])
    assert await intake.accept(CHANNEL, ACCOUNT, [message(), receipt]) == first
    for topic in (INBOUND, DELIVERY):
        ids = [dict(record.headers)["ce_id"] for record in await records_of(settings, topic)]
        assert len(ids) == 2
        assert len(set(ids)) == 1


async def test_each_kind_goes_to_its_topic(settings: Settings, intake: Intake) -> None:
    seen = TypingSeen(account_key="main", peer="ann", occurred_at=NOW)
    receipt = Receipt(account_key="main", peer="ann", status="sent", external_ids=("p1",), occurred_at=NOW)
    await intake.accept(CHANNEL, ACCOUNT, [message(), seen, receipt])
    types = {
        topic: {dict(r.headers)["ce_type"] for r in await records_of(settings, topic)} for topic in (INBOUND, DELIVERY)
    }
    assert types == {INBOUND: {b"parley.inbound.v1", b"parley.typing.v1"}, DELIVERY: {b"parley.delivery.v1"}}


@pytest.mark.parametrize("size", SIZES)
async def test_what_would_not_fit_as_an_event_is_refused_with_all_beside_it(
    settings: Settings, intake: Intake, size: int
) -> None:
    with pytest.raises(TooLarge):
        await intake.accept(CHANNEL, ACCOUNT, [message(), message("x" * size, event="e2")])
    assert await records_of(settings, INBOUND) == []


async def test_what_no_envelope_holds_is_malformed(intake: Intake) -> None:
    with pytest.raises(Malformed):
        await intake.accept(CHANNEL, ACCOUNT, [message(peer="x" * 999)])


async def test_a_clock_that_is_ahead_is_set_to_ours(settings: Settings, intake: Intake) -> None:
    await intake.accept(CHANNEL, ACCOUNT, [message()], received_at=datetime(2026, 3, 1, 11, tzinfo=UTC))
    (record,) = await records_of(settings, INBOUND)
    assert orjson.loads(record.value)["occurred_at"] == "2026-03-01T11:00:00Z"


@pytest.mark.parametrize("count", [1, 3])
async def test_without_a_bus_nothing_is_accepted(count: int, tmp_path: Path) -> None:
    nowhere = settings_for("127.0.0.1:9")
    intake = Intake(nowhere, "chat", Producer(nowhere), Blobs.open(tmp_path.as_uri()))
    with pytest.raises(BusUnavailable):
        await intake.accept(CHANNEL, ACCOUNT, [message(event=f"e{n}") for n in range(count)])
