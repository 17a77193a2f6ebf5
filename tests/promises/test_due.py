"""What happens later: behind all that came before it, once by effect, by the earlier of two clocks."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from prometheus_client import REGISTRY

from services.router.batch import rounds
from services.router.batch.rounds import Rounds
from services.router.batch.service import Router
from services.router.fold import rules
from services.router.fold.alarms import Fired, arm, because, is_due
from services.router.fold.events import emit
from services.router.fold.facts import AlarmKey, Facts
from shared.bus.cloudevents import In
from shared.contract.records import DELIVERY, REQUESTS, ROUTER_INPUTS
from shared.runtime.lifecycle import Health
from shared.runtime.settings import Settings
from tests.patience import SECONDS, until
from tests.promises.house import Customer, House
from tests.shared.broker import make_topics

QUIET = timedelta(minutes=10)
PARTITIONS = 2


def closes_when_quiet(facts: Facts, record: In, fired: Fired) -> None:
    """A rule as the real ones are: what is due follows from the conversation, not from the row."""
    conversation = facts.conversations.get(fired.entity)
    if conversation is None or not is_due(facts, fired, conversation.last_at + QUIET):
        return
    cause = because(record, conversation.tenant, conversation.id, conversation.last_at, "quiet")
    emit(facts, conversation, cause, "conversation.closed", {"reason": "quiet"})
    facts.close(conversation)


def breaks(_facts: Facts, _record: In, _fired: Fired) -> None:
    raise ArithmeticError("a rule of the tests that cannot be carried out")


@pytest.fixture(autouse=True)
def _rules(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind, rule in (("test.quiet", closes_when_quiet), ("test.breaks", breaks)):
        monkeypatch.setitem(rules.FIRES, kind, rule)


@pytest.fixture
async def inputs(house: House) -> AsyncIterator[Inputs]:
    """Inputs of one's own, with nothing on them; what is told goes where the house tells it."""
    settings = house.settings.model_copy(update={"prefix": f"a{uuid.uuid4().hex[:8]}."})
    await make_topics(settings, partitions=PARTITIONS, names=ROUTER_INPUTS)
    made = Inputs(house, settings)
    yield made
    await made.close()


class Inputs:
    def __init__(self, house: House, settings: Settings) -> None:
        self.house, self.settings = house, settings
        self.looking: list[Rounds] = []
        self._ends = rounds.Ends(settings, [settings.topic(topic) for topic in ROUTER_INPUTS])

    async def close(self) -> None:
        for one in (self._ends, *(looking._ends for looking in self.looking)):
            await one.close()

    def rounds(self, router: Router | None = None) -> Rounds:
        made = Rounds(
            settings=self.settings,
            pool=self.house.pool,
            router=router or self.house.router,
            mine=lambda: range(PARTITIONS),
            health=Health(),
        )
        self.looking.append(made)
        return made

    async def write(self, topic: str, partition: int, *, committed: bool = True) -> int:
        """A record there, within a transaction; where the log ends then, once its mark stands there, which Kafka writes behind its answer."""
        options: dict[str, Any] = {"transactional_id": uuid.uuid4().hex}
        producer = AIOKafkaProducer(bootstrap_servers=self.settings.kafka, **options)
        await producer.start()
        try:
            async with producer.transaction():
                told = await producer.send_and_wait(self.settings.topic(topic), b"{}", key=b"k", partition=partition)
        finally:
            await producer.stop()
        end, place = int(told.offset) + 2, (self.settings.topic(topic), partition)
        async with asyncio.timeout(SECONDS):
            while (await self._ends.ask())[place].end < end:
                await asyncio.sleep(0.02)
        return end

    async def read_to(self, topic: str, partition: int, offset: int) -> None:
        await self.house.pool.execute(
            """INSERT INTO source_offset VALUES ($1, $2, $3, 1)
            ON CONFLICT (topic, partition) DO UPDATE SET next_offset = excluded.next_offset""",
            self.settings.topic(topic),
            partition,
            offset,
        )


async def arms(house: House, conversation: uuid.UUID, *, kind: str = "test.quiet", ago: timedelta = QUIET) -> None:
    """As a fold would that saw the conversation's last message so long ago."""
    await house.pool.execute(
        """UPDATE conversation SET last_at = clock_timestamp() - $2::interval,
            alarms = jsonb_build_object($3::text, clock_timestamp()) WHERE id = $1""",
        conversation,
        ago,
        kind,
    )
    await house.pool.execute(
        "INSERT INTO alarm VALUES ($1, $2, $3, clock_timestamp())", conversation, kind, conversation.int % 64
    )


async def rows(house: House, conversation: uuid.UUID) -> dict[str, datetime]:
    return dict(await house.pool.fetch("SELECT kind, due FROM alarm WHERE entity = $1", conversation))


async def test_what_is_due_is_done_once_however_many_look(inputs: Inputs) -> None:
    house, customer = inputs.house, Customer()
    conversation = await house.opened(customer)
    await arms(house, conversation)
    looking = [inputs.rounds(house.another_router()) for _ in range(3)]
    await asyncio.gather(*(one.step() for one in looking))
    await looking[0].step()
    assert (await house.types(conversation)).count("conversation.closed") == 1
    assert await rows(house, conversation) == {}
    kept = await house.pool.fetchval("SELECT alarms FROM conversation WHERE id = $1", conversation)
    assert kept == {}, "the copy that the fold looks at goes with the row"


async def test_what_was_put_off_meanwhile_is_armed_for_then(inputs: Inputs) -> None:
    house, customer = inputs.house, Customer()
    conversation = await house.opened(customer)
    await arms(house, conversation, ago=timedelta(minutes=4))
    await inputs.rounds().step()
    assert "conversation.closed" not in await house.types(conversation)
    (due,) = (await rows(house, conversation)).values()
    left = (due - datetime.now(UTC)).total_seconds()
    assert 5 * 60 < left < 7 * 60


@pytest.mark.parametrize("topic", [DELIVERY, REQUESTS, ROUTER_INPUTS[0]])
async def test_nothing_is_done_before_all_is_read_that_kafka_had(inputs: Inputs, topic: str) -> None:
    """Whichever partition it is: an answer may come by any. A mark of a transaction stands behind the record."""
    house, customer = inputs.house, Customer()
    conversation = await house.opened(customer)
    end = await inputs.write(topic, 1)
    await arms(house, conversation)
    waiting = asyncio.create_task(inputs.rounds().step())
    name, labels = "parley_alarms_held_seconds", {"topic": inputs.settings.topic(topic), "partition": "1"}
    await until(lambda: REGISTRY.get_sample_value(name, labels) is not None)
    await inputs.read_to(topic, 1, end - 1)
    await asyncio.sleep(0.3)
    assert not waiting.done()
    assert "conversation.closed" not in await house.types(conversation)
    await inputs.read_to(topic, 1, end)
    await inputs.write(topic, 0)  # what comes later holds nothing up
    async with asyncio.timeout(SECONDS):
        await waiting
    assert "conversation.closed" in await house.types(conversation)
    assert REGISTRY.get_sample_value(name, labels) is None


async def test_a_place_in_another_log_is_none(inputs: Inputs, monkeypatch: pytest.MonkeyPatch) -> None:
    """The topic was made anew, and its end is far below where the old one was read to."""
    monkeypatch.setattr(rounds, "OTHER_LOG", 0.1)
    house, customer = inputs.house, Customer()
    conversation = await house.opened(customer)
    await inputs.write(DELIVERY, 0)
    await inputs.read_to(DELIVERY, 0, 1000)
    await house.pool.execute(
        "UPDATE source_offset SET log_id = 'another' WHERE topic = $1", inputs.settings.topic(DELIVERY)
    )
    await arms(house, conversation)
    async with asyncio.timeout(SECONDS):
        assert await inputs.rounds().step() > 0
    assert "conversation.closed" not in await house.types(conversation)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Clock]]:
    monkeypatch.setattr(rounds, "datetime", Clock)
    yield Clock
    Clock.ahead = timedelta(0)


class Clock(datetime):
    """This process's, so far ahead of PostgreSQL's."""

    ahead = timedelta(0)

    @classmethod
    def now(cls, tz: Any = None) -> datetime:
        return datetime.now(tz) + cls.ahead


@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(hours=-1)])
async def test_the_earlier_of_two_clocks_decides(inputs: Inputs, clock: type[Clock], ahead: timedelta) -> None:
    house, customer = inputs.house, Customer()
    conversation = await house.opened(customer)
    clock.ahead = ahead
    await arms(house, conversation, ago=QUIET - timedelta(minutes=5) if ahead > timedelta(0) else QUIET)
    await inputs.rounds().step()
    assert "conversation.closed" not in await house.types(conversation)
    assert abs(REGISTRY.get_sample_value("parley_clocks_apart_seconds") - 3600) < 60


async def test_postgresqls_clock_is_the_folds(house: House) -> None:
    before = await house.pool.fetchval("SELECT clock_timestamp()")
    facts = await house.take(Customer().says())
    assert before < facts.now < await house.pool.fetchval("SELECT clock_timestamp()")


async def test_what_breaks_is_put_off_and_holds_nobody_up(inputs: Inputs) -> None:
    house = inputs.house
    fine = [await house.opened(Customer()) for _ in range(3)]
    broken = await house.opened(Customer())
    for conversation in fine:
        await arms(house, conversation)
    await arms(house, broken, kind="test.breaks")
    await inputs.rounds().step()
    assert all(["conversation.closed" in await house.types(one) for one in fine])
    (due,) = (await rows(house, broken)).values()
    assert due > datetime.now(UTC) + timedelta(minutes=5)


async def test_a_kind_that_this_version_does_not_know_is_left_for_the_next(inputs: Inputs) -> None:
    house = inputs.house
    conversation, known = [await house.opened(Customer()) for _ in range(2)]
    await arms(house, conversation, kind="of the next release")
    await arms(house, known)
    await inputs.rounds().step()
    assert "conversation.closed" in await house.types(known), "or nothing was looked for"
    (kind, due), *others = (await rows(house, conversation)).items()
    assert (kind, others) == ("of the next release", []) and due < datetime.now(UTC)


def test_only_an_earlier_time_is_written() -> None:
    facts, entity, noon = Facts(datetime.now(UTC)), uuid.uuid4(), datetime(2026, 3, 1, 12, tzinfo=UTC)
    for minutes, expected in ((5, 5), (9, 5), (2, 2)):
        arm(facts, entity, "quiet", noon + timedelta(minutes=minutes))
        assert facts.alarms == {AlarmKey(entity, "quiet"): noon + timedelta(minutes=expected)}


async def test_a_conversation_that_goes_on_writes_no_alarm_again(house: House) -> None:
    conversation = await house.opened(Customer())
    await arms(house, conversation)
    kept = await house.pool.fetchval("SELECT alarms FROM conversation WHERE id = $1", conversation)
    facts = Facts(datetime.now(UTC))
    fold = await house.take(Customer().says())
    (one,) = fold.opened
    one.alarms = kept
    facts.load(one)
    arm(facts, one.id, "test.quiet", datetime.now(UTC) + QUIET)
    assert facts.alarms == {}
