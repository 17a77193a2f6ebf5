"""A poll's cursor moves only behind what is durable, and only for the holder of the lease."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from provider import Account, Provider, make_channel, says

from shared.bus.cloudevents import RAW
from shared.bus.produce import Producer
from shared.contract.channel import Context, Http, Message, Polled, Quota, Steps
from shared.contract.envelope import Party, Text
from shared.contract.errors import Fenced
from shared.contract.readable import each
from shared.contract.records import ingress_dlq
from shared.inbound import poll
from shared.inbound.accept import Intake
from shared.inbound.poll import Poller
from shared.provider.calls import Caller
from shared.provider.contexts import Contexts
from shared.provider.quotas import Quotas
from shared.runtime.settings import Settings
from shared.storage import migrate
from shared.storage.blobs import Blobs
from shared.storage.database import open_pool
from shared.storage.leases import Leases
from tests.parts import make_parts
from tests.patience import SECONDS
from tests.shared.broker import make_topics, records_of
from tests.shared.gate import INBOUND

INGRESS_DLQ = ingress_dlq("chat")


def ask(account: Account, cursor: Mapping[str, Any], context: Context) -> Steps[Polled]:
    """Everything from the cursor on: {"next": n, "said": [...]}."""
    answer = yield Http(method="GET", url=f"{account.api}/poll?from={cursor.get('next', 0)}")
    page = answer.json()

    def read(event: tuple[int, str]) -> tuple[Message, ...]:
        number, text = event
        said = Message(
            account_key=account.key,
            event_key=f"e{number}",
            peer="ann",
            sender=Party(address="ann"),
            parts=(Text(text=text),),
            occurred_at=context.now,
        )
        return (said,)

    records = tuple(each(read, enumerate(page["said"], cursor.get("next", 0))))
    return Polled(records=records, page=answer.body, cursor={"next": page["next"]})


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Any]:
    await asyncio.to_thread(migrate.upgrade, settings, "chat_adapter")
    await make_topics(settings, names=[INBOUND, INGRESS_DLQ])
    async with open_pool(settings, "chat_adapter") as pool:
        yield pool


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    provider = Provider()
    await provider.start()
    yield provider
    await provider.stop()


@pytest.fixture
async def poller(settings: Settings, pool: Any, provider: Provider) -> AsyncIterator[Poller]:
    producer = Producer(settings)
    await producer.start()
    blobs = Blobs.open(settings.blobs)
    async with Caller(blobs) as caller:
        yield Poller(
            make_parts(pool=pool, caller=caller, contexts=Contexts(settings)),
            Intake(settings, "chat", producer, blobs),
            replace(make_channel(), poll=ask),
            Account(name="a", api=provider.address),
        )
    await producer.stop()


def page(after: int, *said: str | None) -> Any:
    return says(200, {"next": after, "said": said})


async def held(pool: Any, poller: Poller) -> int:
    epoch = await Leases(pool).take(poller.name)
    assert epoch is not None
    return epoch


async def cursor(pool: Any) -> Any:
    return await pool.fetchval("SELECT value FROM cursor")


async def test_each_turn_begins_where_the_last_one_ended(
    pool: Any, poller: Poller, provider: Provider, settings: Settings
) -> None:
    provider.answers += [page(2, "one", "two"), page(3, "three"), page(3)]
    epoch = await held(pool, poller)
    for _ in range(3):
        await poller.turn(epoch)
    assert [seen.path for seen in provider.seen] == ["/poll?from=0", "/poll?from=2", "/poll?from=3"]
    assert await cursor(pool) == {"next": 3}
    assert len(await records_of(settings, INBOUND)) == 3


async def test_a_page_that_was_read_twice_has_the_same_ids(
    pool: Any, poller: Poller, provider: Provider, settings: Settings
) -> None:
    provider.answers += [page(1, "one"), page(1, "one")]
    epoch = await held(pool, poller)
    await poller.turn(epoch)
    await pool.execute("DELETE FROM cursor")
    await poller.turn(epoch)
    ids = [dict(record.headers)["ce_id"] for record in await records_of(settings, INBOUND)]
    assert len(ids) == 2
    assert len(set(ids)) == 1


async def test_the_cursor_of_a_holder_that_was_fenced_stands_still(
    pool: Any, poller: Poller, provider: Provider
) -> None:
    provider.answers += [page(1, "one"), page(2, "two")]
    epoch = await held(pool, poller)
    await poller.turn(epoch)
    await pool.execute("UPDATE lease SET epoch = epoch + 1")
    with pytest.raises(Fenced):
        await poller.turn(epoch)
    assert await cursor(pool) == {"next": 1}


async def test_what_is_not_durable_does_not_move_the_cursor(
    pool: Any, poller: Poller, provider: Provider, settings: Settings
) -> None:
    provider.answers += [page(1, "one"), page(1, "one")]
    epoch = await held(pool, poller)
    producer = poller._intake._producer
    await producer.stop()
    with pytest.raises(poll.BusUnavailable):
        await poller.turn(epoch)
    assert await cursor(pool) is None
    await producer.start()
    await poller.turn(epoch)
    assert await cursor(pool) == {"next": 1}


@pytest.mark.parametrize("torn", [None, "x" * 800_000], ids=["of another shape", "too large for a record"])
async def test_what_cannot_be_taken_is_kept_with_its_page_and_holds_up_nothing(
    pool: Any, poller: Poller, provider: Provider, settings: Settings, torn: str | None
) -> None:
    provider.answers += [page(3, "one", torn, "three"), page(4, "four")]
    epoch = await held(pool, poller)
    for _ in range(2):
        await poller.turn(epoch)
    assert [json.loads(one.value)["parts"][0]["text"] for one in await records_of(settings, INBOUND)] == [
        "one",
        "three",
        "four",
    ]
    (letter,) = await records_of(settings, INGRESS_DLQ)
    assert json.loads(letter.value) == {"next": 3, "said": ["one", torn, "three"]}
    assert (letter.key, dict(letter.headers)["polled"]) == (b"default|line|a", b"1")
    assert await cursor(pool) == {"next": 4}


async def test_a_provider_in_trouble_is_asked_again_later_and_nothing_is_lost(
    pool: Any, poller: Poller, provider: Provider, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poll, "PAUSE", timedelta(seconds=0.05))
    provider.answers += [says(403), says(200, "no page"), page(1, "one")]
    running = asyncio.create_task(poller.run(await held(pool, poller)))
    async with asyncio.timeout(SECONDS):
        while await cursor(pool) != {"next": 1}:
            await asyncio.sleep(0.05)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert len(await records_of(settings, INBOUND)) == 1


async def test_what_was_polled_keeps_its_page_as_what_was_pushed_keeps_its_request(
    pool: Any, poller: Poller, provider: Provider, settings: Settings
) -> None:
    provider.answers += [page(2, "one", "two")]
    await poller.turn(await held(pool, poller))
    records = await records_of(settings, INBOUND)
    assert len(records) == 2
    for record in records:
        assert json.loads(dict(record.headers)[RAW]) == {"next": 2, "said": ["one", "two"]}


async def test_half_an_emoji_holds_up_no_poll(
    pool: Any, poller: Poller, provider: Provider, settings: Settings
) -> None:
    provider.answers += [page(1, "half \ud83d")]
    await poller.turn(await held(pool, poller))
    assert await cursor(pool) == {"next": 1}
    (record,) = await records_of(settings, INBOUND)
    assert "half \ufffd" in record.value.decode()


async def test_a_poll_with_a_quota_spreads_its_share_over_the_day_also_while_it_fails(
    pool: Any, poller: Poller, provider: Provider
) -> None:
    def costly(account: Account, cursor: Mapping[str, Any], context: Context) -> Steps[Polled]:
        asked = ask(account, cursor, context)
        answer = yield replace(next(asked), cost=10)
        try:
            asked.send(answer)
        except StopIteration as end:
            return end.value
        raise AssertionError

    quota = Quota(name="ours", units=100, reserve=50)
    poller._channel = replace(poller._channel, poll=costly, quota=lambda _account: quota)
    poller._principal = replace(poller._principal, channel=poller._channel)
    poller._caller._quotas = Quotas(pool)
    provider.answers += [page(1, "one"), says(403)]
    epoch = await held(pool, poller)
    waits = [await poller.step(epoch) for _ in range(2)]
    _, rest = await poller._caller._quotas.standing(poller._channel, quota)
    assert waits[0] == pytest.approx(rest / 4, rel=0.1), "ten of the forty that are left to it"
    assert waits[1] == pytest.approx(rest / 3, rel=0.1)
