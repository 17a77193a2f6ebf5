"""The commands for operators, on a real Kafka and a real PostgreSQL."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.admin.records_to_delete import RecordsToDelete
from click.testing import Result
from typer.testing import CliRunner

from deploy.local.home import Addresses
from services.chat_adapter.registry import CHANNELS
from services.cli.__main__ import app
from services.cli.dlq.deadletters import letters
from services.cli.doctor.checks import apart, examine, inputs
from services.cli.reading import consumer, present
from services.cli.running import System, quiet
from shared.bus import consume
from shared.bus.cloudevents import Out, encode, headers
from shared.bus.consume import dead_letter_headers
from shared.bus.logs import logs_of
from shared.bus.produce import Producer
from shared.contract.channel import Request
from shared.contract.deliveries import Typing
from shared.contract.errors import Malformed
from shared.inbound.accept import Intake
from shared.runtime.accounts import AccountsFile
from shared.runtime.lifecycle import Health
from shared.runtime.settings import Settings
from shared.storage.blobs import Blobs
from tests.conftest import sync
from tests.patience import SECONDS, until
from tests.shared.broker import Owner

Parley = Callable[..., Awaitable[Result]]

ACCOUNTS = f"""
[apps.webhook.main]
secret = "whsec_{base64.b64encode(bytes(32)).decode()}"
[accounts.webhook.main]
url = "https://crm.example/parley"
secret = "whsec_{base64.b64encode(bytes(32)).decode()}"
"""
POLLED = """
[apps.telegram.shop]
secret = "tonle-sap"
[accounts.telegram.shop]
token = "7654321:AAH-x"
receive = "poll"
"""


def environment(settings: Settings) -> dict[str, str]:
    return {
        f"PARLEY_{name.upper()}": value.get_secret_value() if hasattr(value, "get_secret_value") else str(value)
        for name, value in settings
    }


def command(settings: Settings) -> Parley:
    async def parley(*arguments: str) -> Result:
        """The command in a thread of its own, since it brings its own event loop; quiet, as `parley` makes itself."""
        run = CliRunner(env=environment(settings))
        quiet()
        try:
            return await asyncio.to_thread(run.invoke, app, list(arguments))
        finally:
            structlog.reset_defaults()

    return parley


@pytest.fixture
def parley(settings: Settings) -> Parley:
    return command(settings)


@asynccontextmanager
async def producing(settings: Settings) -> AsyncIterator[Producer]:
    producer = Producer(settings)
    await producer.start()
    yield producer
    await producer.stop()


@asynccontextmanager
async def administering(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    yield admin
    await admin.close()


async def on_topic(settings: Settings, name: str) -> list[Any]:
    async with consumer(settings, [settings.topic(name)]) as reading:
        return await present(reading)


# migrate, topics ------------------------------------------------------------------------------------------------------


async def test_migrate_says_what_is_missing_and_makes_it(parley: Parley) -> None:
    before = await parley("migrate", "--check", "--json")
    assert before.exit_code == 2
    missing = json.loads(before.stdout)["missing"]
    assert missing.keys() == {"router", "chat_adapter", "social_adapter", "email_adapter"}
    made = await parley("migrate", "--json")
    assert (made.exit_code, json.loads(made.stdout)) == (0, {"migrated": missing, "newer": {}})
    after = await parley("migrate", "--check", "--json")
    assert (after.exit_code, json.loads(after.stdout)) == (0, {"missing": {}, "newer": {}})


async def test_two_processes_migrate_at_once_and_both_succeed(settings: Settings) -> None:
    async def migrate() -> int:
        argv = [sys.executable, "-m", "services.cli", "migrate"]
        process = await asyncio.create_subprocess_exec(*argv, env=os.environ | environment(settings))
        return await process.wait()

    assert await asyncio.gather(migrate(), migrate()) == [0, 0]
    assert (await command(settings)("migrate", "--check")).exit_code == 0


async def test_topics_are_planned_applied_and_left_alone_after_that(parley: Parley, settings: Settings) -> None:
    before = await parley("topics", "plan", "--json")
    assert before.exit_code == 2
    assert {change["kind"] for change in json.loads(before.stdout)} == {"create"}
    assert (await parley("topics", "apply")).exit_code == 0
    after = await parley("topics", "plan", "--json")
    assert (after.exit_code, json.loads(after.stdout)) == (0, [])


async def test_a_changed_topic_is_mended_and_a_widened_one_only_shown(world: Settings) -> None:
    parley, events, requests = command(world), world.topic("events.v1"), world.topic("requests.v1")
    async with administering(world) as admin:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, events, {"retention.ms": "1000"})])
        await admin.create_partitions({requests: NewPartitions(total_count=world.partitions + 1)})
    await planned(parley, {("configure", events), ("never", requests)})
    assert f"! {requests}" in (await parley("topics", "plan")).stdout
    assert (await parley("topics", "apply")).exit_code == 0
    await planned(parley, {("never", requests)})


async def planned(parley: Parley, wanted: set[tuple[str, str]]) -> None:
    """Wait for the plan to be this one: a broker may tell of a change a moment after it has acknowledged it."""
    async with asyncio.timeout(SECONDS):
        while True:
            told = await parley("topics", "plan", "--json")
            if {(change["kind"], change["topic"]) for change in json.loads(told.stdout)} == wanted:
                assert told.exit_code == 2
                return


# tail -------------------------------------------------------------------------------------------------------------------


async def test_tail_shows_what_is_there_readable_or_not(world: Settings) -> None:
    parley, conversation = command(world), str(uuid.uuid4())
    value = json.dumps({"conversation": conversation, "sequence": 1, "occurred_at": "2026-11-22T09:00:00Z"}).encode()
    headers = [("ce_type", b"parley.conversation.closed.v1"), ("ce_id", b"1")]
    async with producing(world) as producer:
        topic = world.topic("events.v1")
        await producer.send(Out(topic, conversation.encode(), value, headers))
        await producer.send(Out(topic, conversation.encode(), b"\xff\x00 not JSON \x1b[2J", []))
        await producer.send(Out(topic, b"another", value.replace(conversation.encode(), b"another"), headers))
    shown = await parley("tail", "--from-beginning", "--no-follow", "--json")
    assert shown.exit_code == 0
    assert sorted(str(json.loads(line)["data"] is None) for line in shown.stdout.splitlines()) == ["False"] * 2 + [
        "True"
    ]
    only = await parley("tail", "--from-beginning", "--no-follow", "--conversation", conversation[:8])
    assert len(only.stdout.splitlines()) == 2
    assert "\x1b[2J" not in only.stdout


async def test_tail_of_a_topic_there_is_none_of_names_those_there_are(parley: Parley) -> None:
    told = await parley("tail", "--topic", "evnets")
    assert told.exit_code == 2
    assert "events" in told.output


# dead letters -----------------------------------------------------------------------------------------------------------


async def test_a_consumers_dead_letter_is_listed_shown_and_put_back_as_it_was(world: Settings) -> None:
    parley = command(world)
    value, headers = (
        b'{"tenant": "default", "conversation": 7}\xff',
        [("ce_type", b"parley.request.close.v1"), ("x", b"\xfe")],
    )
    async with producing(world) as producer:
        await producer.send(Out(world.topic("requests.v1"), b"the key", value, headers))
        (record,) = await on_topic(world, "requests.v1")
        told = dead_letter_headers(record, "router", Malformed("conversation: uuid_type"))
        topic = world.topic("requests.v1.router.dlq")
        await producer.send(Out(topic, record.key, record.value, [*record.headers, *told]))
    counted = json.loads((await parley("dlq", "list", "--json")).stdout)
    assert counted == [{"topic": topic, "letters": 1}]
    (letter,) = json.loads((await parley("dlq", "list", "requests.v1.router.dlq", "--json")).stdout)
    assert (letter["from"], letter["error"]) == (record.topic, "Malformed")
    place = (topic, str(letter["partition"]), str(letter["offset"]))
    whole = json.loads((await parley("dlq", "show", *place)).stdout)
    assert base64.b64decode(whole["base64"]) == value
    replayed = await parley("dlq", "replay", *place)
    assert replayed.exit_code == 0, replayed.output
    first, again = await on_topic(world, "requests.v1")
    assert (again.key, again.value, list(again.headers)) == (first.key, first.value, list(first.headers))


async def test_a_letter_from_outside_the_system_goes_nowhere(world: Settings) -> None:
    parley = command(world)
    async with producing(world) as producer:
        headers = [("dlq-original-topic", b"someone.elses.topic")]
        await producer.send(Out(world.topic("requests.v1.router.dlq"), b"", b"{}", headers))
    told = await parley("dlq", "replay", "requests.v1.router.dlq", "--all")
    assert told.exit_code == 4
    assert "no topic of this system" in told.output


async def kept_request(world: Settings, body: bytes, app_name: str = "main") -> None:
    """A webhook that was verified and could not be read, as the ingress keeps it."""
    accounts = AccountsFile(Path(world.accounts), CHANNELS)
    channel = CHANNELS["webhook"]
    app = accounts.current.app("webhook", "main")
    assert app
    async with producing(world) as producer:
        intake = Intake(world, "chat", producer, Blobs.open(world.blobs))
        request = Request(
            url="https://parley.example/hooks/webhook/main",
            headers={"content-type": "application/json", "webhook-signature": "v1,gone"},
            body=body,
        )
        renamed = app.model_copy(update={"name": app_name})
        await intake.dead_letters.keep_request(channel, renamed, request, Malformed("it was us"))


async def test_a_providers_dead_letter_is_translated_again_and_stays_one_message(world: Settings) -> None:
    parley = command(world)
    Path(world.accounts).write_text(ACCOUNTS)
    body = json.dumps(
        {"id": "e-1", "from": {"address": "u-17"}, "parts": [{"kind": "text", "text": "បើកទេ?"}]}
    ).encode()
    await kept_request(world, body)
    for _ in range(2):
        told = await parley("dlq", "replay", "ingress.chat.dlq", "--all", "--json")
        assert told.exit_code == 0, told.output
        assert json.loads(told.stdout)[0]["sent_to"] == [world.topic("inbound.chat.v1")]
    first, again = await on_topic(world, "inbound.chat.v1")
    assert first.value == again.value
    envelope = json.loads(first.value)
    assert envelope["parts"][0]["text"] == "បើកទេ?"
    assert dict(first.headers)["ce_id"] == dict(again.headers)["ce_id"] == envelope["id"].encode()
    assert dict(first.headers)["parley_raw"] == body
    (letter,) = await letters(world, [world.topic("ingress.chat.dlq")])
    assert datetime.fromisoformat(envelope["received_at"]) == letter.at


async def test_a_page_of_a_poll_is_translated_again_and_what_was_taken_stays_one_message(world: Settings) -> None:
    Path(world.accounts).write_text(POLLED)
    account = AccountsFile(Path(world.accounts), CHANNELS).current.account("telegram", "shop")
    assert account
    chat = {"id": 5, "type": "private", "first_name": "Dara"}
    said = [{"message_id": n, "date": 1, "chat": chat, "from": chat, "text": f"message {n}"} for n in (1, 2)]
    page = {"ok": True, "result": [{"update_id": n, "message": one} for n, one in enumerate(said)]}
    async with producing(world) as producer:
        dead_letters = Intake(world, "chat", producer, Blobs.open(world.blobs)).dead_letters
        await dead_letters.keep_page(CHANNELS["telegram"], account, json.dumps(page).encode(), Malformed("it was us"))
    for _ in range(2):
        told = await command(world)("dlq", "replay", "ingress.chat.dlq", "--all", "--json")
        assert told.exit_code == 0, told.output
    found = await on_topic(world, "inbound.chat.v1")
    assert [json.loads(one.value)["parts"][0]["text"] for one in found] == ["message 1", "message 2"] * 2
    assert len({dict(one.headers)["ce_id"] for one in found}) == 2


@pytest.mark.parametrize(
    ("body", "app_name", "said"), [(b'{"id": 7}', "main", "Malformed"), (b"{}", "gone", "[apps.webhook.gone]")]
)
async def test_what_still_cannot_be_translated_is_told(world: Settings, body: bytes, app_name: str, said: str) -> None:
    Path(world.accounts).write_text(ACCOUNTS)
    await kept_request(world, body, app_name)
    told = await command(world)("dlq", "replay", "ingress.chat.dlq", "--all")
    assert told.exit_code == 4
    assert "0 of 1 replayed" in told.output
    assert await on_topic(world, "inbound.chat.v1") == []


@pytest.mark.parametrize("arguments", [[], ["0"], ["0", "0", "--all"]])
async def test_replay_wants_one_letter_or_all(parley: Parley, arguments: list[str]) -> None:
    assert (await parley("dlq", "replay", "ingress.chat.dlq", *arguments)).exit_code == 2


async def test_a_letter_or_topic_that_is_not_there_is_told(world: Settings) -> None:
    parley = command(world)
    assert (await parley("dlq", "show", "ingress.chat.dlq", "0", "7")).exit_code == 3
    assert (await parley("dlq", "list", "events.v1")).exit_code == 2
    assert (await parley("dlq", "list")).stdout == "there are no dead letters\n"


# offsets ----------------------------------------------------------------------------------------------------------------


async def test_records_that_are_gone_are_shown_and_accepted_once(world: Settings) -> None:
    parley, topic = command(world), world.topic("delivery.v1")
    await stand_at(world, topic, 0, 2)
    producer = AIOKafkaProducer(bootstrap_servers=world.kafka)
    await producer.start()
    for number in range(7):
        await producer.send_and_wait(topic, b"%d" % number, partition=0)
    await producer.stop()
    assert (await parley("offsets", "show")).exit_code == 0
    assert (await parley("offsets", "accept", "delivery.v1", "0")).exit_code == 4
    async with administering(world) as admin:
        await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=5)})
    shown = await parley("offsets", "show")
    assert shown.exit_code == 4
    assert "GONE 2..4" in shown.stdout
    accepted = await parley("offsets", "accept", "delivery.v1", "0")
    assert accepted.exit_code == 0, accepted.output
    row = await fetch(world, "SELECT next_offset, missing_from, missing_to, epoch FROM router.source_offset")
    assert tuple(row) == (5, 2, 4, 2)
    assert (await parley("offsets", "show")).exit_code == 0
    assert (await parley("offsets", "accept", "delivery.v1", "0")).exit_code == 4


class Failing(Owner):
    """A version that can handle nothing, and keeps no position of its own."""

    async def claim(self, topic: str, partition: int, log_id: str) -> int | None:
        return None

    async def handle(self, topic: str, partition: int, records: Sequence[Any], start: int, end: int) -> None:
        if records:
            raise RuntimeError("a bad deploy")


async def test_where_all_fail_it_is_told_and_a_person_lets_them_be_set_aside_while_it_runs(
    world: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consume, "LOOK_AGAIN", 0.5)
    parley, topic = command(world), world.topic("outbound.chat.v1")
    settings = world.model_copy(update={"failures_in_a_row": 6})
    told = Typing(tenant="t", channel="webhook", account="main", peer="ann", occurred_at=datetime.now(UTC))
    made = headers("outbound.typing", source="/t", id="1", time=told.occurred_at, tenant="t", subject="s")
    async with strange_producer(world) as stranger:
        for number in range(8):
            await stranger.send_and_wait(topic, encode(told), key=b"%d" % number, headers=made, partition=0)
    async with producing(settings) as producer:
        reader = consume.Reader(
            settings=settings,
            topics=["outbound.chat.v1"],
            group="chat_adapter",
            owner=Failing(),
            producer=producer,
            health=Health(),
        )
        task = asyncio.create_task(reader.run())
        reader.begin(task)
        try:
            await until(lambda: reader.stopped and reader._committed.get(TopicPartition(topic, 0)) == 6)
            (found,) = [one async for one in examine(System(settings=world), inputs)]
            assert found.level == "fail"
            assert (
                "stands still at 6, 6 records in a row failed, next is 6: RuntimeError; 2 records to read" in found.said
            )
            remedy = f"parley offsets accept {topic} 0 --group chat_adapter"
            assert remedy in found.remedy
            accepted = await parley(*remedy.split()[1:])
            assert accepted.exit_code == 0, accepted.output
            await until(lambda: reader._positions[TopicPartition(topic, 0)] == 8)
            assert reader.stopped is None
        finally:
            await reader.stop()
            await asyncio.gather(task, return_exceptions=True)
    assert len(await on_topic(world, "outbound.chat.v1.chat_adapter.dlq")) == 8
    assert (await parley(*remedy.split()[1:])).exit_code == 4


async def make_anew(settings: Settings, topic: str) -> None:
    """The same topic, empty, and another log."""
    async with administering(settings) as admin:
        await admin.delete_topics([topic])
        await until_listed(admin, topic, there=False)
        await admin.create_topics([NewTopic(topic, 1, 1)])
        await until_listed(admin, topic, there=True)


async def until_listed(admin: Any, topic: str, *, there: bool) -> None:
    async with asyncio.timeout(SECONDS):
        while (topic in await admin.list_topics()) != there:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(("stood", "said"), [(2, "the topic was made anew"), (9, "9 lies behind its end")])
async def test_a_position_of_another_log_is_told_and_all_of_the_new_log_is_read_when_that_is_accepted(
    world: Settings, stood: int, said: str
) -> None:
    """A topic made anew that has grown past the old position, and one of an unknown past that is shorter than it."""
    parley, topic = command(world), world.topic("delivery.v1")
    old = await log_of(world, topic) if stood == 2 else None
    await stand_at(world, topic, 0, stood, old)
    await make_anew(world, topic)
    async with strange_producer(world) as producer:
        for number in range(4):
            await producer.send_and_wait(topic, b"%d" % number, partition=0)
    shown = await parley("offsets", "show")
    assert shown.exit_code == 4
    assert f"NOT THIS LOG, {said}" in shown.stdout
    assert "4 to read" in shown.stdout
    (finding,) = [one async for one in examine(System(settings=world), inputs)]
    assert finding.level == "fail"
    assert said in finding.said
    accepted = await parley("offsets", "accept", "delivery.v1")
    assert accepted.exit_code == 0, accepted.output
    assert "reads on from 0, 4 records" in accepted.stdout
    row = await fetch(world, "SELECT next_offset, log_id, missing_from, epoch FROM router.source_offset")
    assert tuple(row) == (0, await log_of(world, topic), None, 2)
    assert (await parley("offsets", "show")).exit_code == 0


async def log_of(settings: Settings, topic: str) -> str:
    async with administering(settings) as admin:
        return (await logs_of(admin._client, [topic]))[topic]


@asynccontextmanager
async def strange_producer(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka)
    await producer.start()
    yield producer
    await producer.stop()


async def test_a_partition_that_the_router_does_not_read_is_misuse(world: Settings) -> None:
    assert (await command(world)("offsets", "accept", "events.v1", "0")).exit_code == 2


async def test_an_adapters_place_is_moved_only_while_it_is_stopped(world: Settings) -> None:
    parley, topic = command(world), world.topic("outbound.chat.v1")
    place = TopicPartition(topic, 1)
    producer = AIOKafkaProducer(bootstrap_servers=world.kafka)
    await producer.start()
    for number in range(4):
        await producer.send_and_wait(topic, b"%d" % number, partition=1)
    await producer.stop()
    async with member(world, "chat_adapter", topic) as running:
        await running.commit({place: 1})
        async with administering(world) as admin:
            await admin.delete_records({place: RecordsToDelete(before_offset=3)})
        shown = await parley("offsets", "show", "--json")
        assert shown.exit_code == 4
        (gone,) = [one for one in json.loads(shown.stdout) if one["gone"]]
        assert (gone["group"], gone["topic"], gone["next"], gone["first"]) == ("chat_adapter", topic, 1, 3)
        assert (await parley("offsets", "accept", topic, "1", "--group", "chat_adapter")).exit_code == 4
    accepted = await parley("offsets", "accept", topic, "1", "--group", "chat_adapter")
    assert accepted.exit_code == 0, accepted.output
    async with member(world, "chat_adapter", topic) as running:
        assert await running.committed(place) == 3
    assert (await parley("offsets", "show")).exit_code == 0


@asynccontextmanager
async def member(settings: Settings, group: str, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
    """A running member of a group."""
    running = AIOKafkaConsumer(
        topic, bootstrap_servers=settings.kafka, group_id=settings.topic(group), enable_auto_commit=False
    )
    await running.start()
    yield running
    await running.stop()


async def stand_at(settings: Settings, topic: str, partition: int, offset: int, log_id: str | None = None) -> None:
    connection = await asyncpg.connect(settings.database.get_secret_value())
    sql = "INSERT INTO router.source_offset (topic, partition, next_offset, epoch, log_id) VALUES ($1, $2, $3, 1, $4)"
    await connection.execute(sql, topic, partition, offset, log_id)
    await connection.close()


async def fetch(settings: Settings, question: str) -> Any:
    connection = await asyncpg.connect(settings.database.get_secret_value())
    row = await connection.fetchrow(question)
    await connection.close()
    return row


# accounts, doctor -------------------------------------------------------------------------------------------------------


async def test_accounts_check_lists_what_it_holds_and_names_a_mistake_without_its_value(
    parley: Parley, tmp_path: Path
) -> None:
    file = tmp_path / "a.toml"
    file.write_text(ACCOUNTS)
    file.chmod(0o600)
    told = json.loads((await parley("accounts", "check", str(file), "--json")).stdout)
    assert [(one["kind"], one["channel"], one["name"]) for one in told["holds"]] == [
        ("app", "webhook", "main"),
        ("account", "webhook", "main"),
    ]
    assert told["readable_by_others"] == []
    file.chmod(0o644)
    assert f"chmod 600 {file}" in (await parley("accounts", "check", str(file))).stdout
    file.write_text(ACCOUNTS.replace("whsec_", "hunter2"))
    wrong = await parley("accounts", "check", str(file))
    assert wrong.exit_code == 1
    assert "apps.webhook.main.secret" in wrong.output
    assert "hunter2" not in wrong.output


def findings(told: Result) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for line in json.loads(told.stdout):
        found.setdefault(line["check"], set()).add(line["level"])
        assert line["level"] == "ok" or line["remedy"], line
    return found


@pytest.fixture
def durable(servers: Addresses) -> Iterator[None]:
    """PostgreSQL as it should be."""
    sync(servers.database, "on")
    yield
    sync(servers.database, "off")


@pytest.mark.usefixtures("durable")
async def test_doctor_finds_nothing_where_all_is_well(world: Settings) -> None:
    write_accounts(world)
    told = await command(world)("doctor", "--json")
    assert told.exit_code == 0, told.output
    assert set.union(*findings(told).values()) == {"ok"}


@pytest.mark.parametrize(("theirs", "ahead"), [(0, 0), (9, 0), (10, 0), (12.5, 2.5), (-3, -3)])
def test_an_answer_that_was_long_on_its_way_makes_no_clock_wrong(theirs: float, ahead: float) -> None:
    asked = datetime.now(UTC)
    assert apart(asked + timedelta(seconds=theirs), asked, asked + timedelta(seconds=10)) == ahead


def write_accounts(world: Settings, mode: int = 0o600) -> None:
    Path(world.accounts).write_text(ACCOUNTS)
    Path(world.accounts).chmod(mode)


async def old_outbox_row(world: Settings) -> None:
    connection = await asyncpg.connect(world.database.get_secret_value())
    await connection.execute(
        "INSERT INTO router.outbox VALUES ($1, 1, 'events.v1', NULL, NULL, NULL, 'default', '', now() - interval '1 hour')",
        uuid.uuid4(),
    )
    await connection.close()


async def lost_migration(world: Settings) -> None:
    connection = await asyncpg.connect(world.database.get_secret_value())
    await connection.execute("DELETE FROM router.alembic_version")
    await connection.close()


async def dead_letter(world: Settings) -> None:
    async with producing(world) as producer:
        await producer.send(Out(world.topic("ingress.chat.dlq"), b"", b"{}", []))


async def open_accounts_file(world: Settings) -> None:
    write_accounts(world, 0o644)


async def blobs_in_the_way(world: Settings) -> None:
    folder = Path(world.blobs.removeprefix("file://"))
    folder.parent.mkdir(exist_ok=True)
    folder.write_text("a file")


@pytest.mark.parametrize(
    ("harm", "check", "level"),
    [
        (old_outbox_row, "outbox", "fail"),
        (lost_migration, "migrations", "fail"),
        (dead_letter, "dead letters", "warn"),
        (open_accounts_file, "accounts", "warn"),
        (blobs_in_the_way, "blobs", "fail"),
    ],
)
@pytest.mark.usefixtures("durable")
async def test_doctor_finds(
    world: Settings, harm: Callable[[Settings], Awaitable[None]], check: str, level: str
) -> None:
    write_accounts(world)
    await harm(world)
    told = await command(world)("doctor", "--json")
    assert told.exit_code == 1
    found = findings(told)
    assert level in found.pop(check)
    assert set.union(*found.values()) == {"ok"}


@pytest.mark.usefixtures("durable")
async def test_doctor_without_kafka_and_postgresql_says_so_and_shows_no_password(world: Settings) -> None:
    away = world.model_copy(update={"kafka": "127.0.0.1:9"})
    told = await command(away)("doctor", "--json")
    assert told.exit_code == 1
    found = findings(told)
    assert found["kafka"] == found["topics"] == found["dead letters"] == {"fail"}
    assert found["postgres"] == {"ok"}
    assert (world.database.get_secret_value().split(":")[2].split("@")[0]) not in told.stdout


async def test_commands_that_cannot_reach_kafka_end_with_1(settings: Settings) -> None:
    away = command(settings.model_copy(update={"kafka": "127.0.0.1:9"}))
    for arguments in (["topics", "plan"], ["tail", "--no-follow"], ["dlq", "list"], ["send", "webhook", "m", "u", "x"]):
        told = await away(*arguments)
        assert (told.exit_code, "parley doctor" in told.output) == (1, True), (arguments, told.output)
