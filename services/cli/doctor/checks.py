"""What an operator can get wrong, one check each: what was seen, and what to do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Final

import asyncpg
from aiohttp import ClientError, ClientSession, ClientTimeout
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

from services.cli.doctor.accounts import account_health, accounts
from services.cli.doctor.finding import PATIENCE, Check, Finding, Level
from services.cli.doctor.mail import dkim, smtp
from services.cli.doctor.sending import sends
from services.cli.doctor.standing import MIGRATE, START, there
from services.cli.running import System, explain
from shared.bus.joining import start
from shared.bus.kafka import connection
from shared.contract.errors import ParleyError
from shared.storage.database import connect

OLDEST_POSTGRES: Final = 140_000
SKEW: Final = 2.0  # seconds
OLD_ROW: Final = 60.0  # seconds
LATE: Final = 3.0  # days without an end of a walk that should come to it each day
WALKS: Final = """
SELECT name, extract(epoch FROM now() - coalesce(ended_at, begun_at))::float / 86400
FROM (TABLE router.walk UNION ALL TABLE chat_adapter.walk) AS walks ORDER BY name"""
UNWELL: Final = (ParleyError, KafkaError, asyncpg.PostgresError, asyncpg.InterfaceError, ClientError, OSError)


async def environment(system: System) -> AsyncIterator[Finding]:
    """What has no default that fits every house."""
    settings = system.settings
    for name, value, loss in (
        ("PARLEY_TOKEN", settings.token, "the HTTP API and the page are closed"),
        ("PARLEY_SECRET", settings.secret, "mail addresses and ids carry no signed conversation token"),
    ):
        if value.get_secret_value():
            yield Finding("settings", "ok", f"{name} is set")
        else:
            yield Finding("settings", "warn", f"{name} is not set: {loss}", f"Set {name} where that is wanted.")


async def kafka(system: System) -> AsyncIterator[Finding]:
    """Reachable with both sides of the client that the services use; nothing is written."""
    consumer = AIOKafkaConsumer(**connection(system.settings))
    producer = AIOKafkaProducer(**connection(system.settings), enable_idempotence=True, acks="all")
    try:
        for client in (consumer, producer):
            await start(client, system.settings, seconds=PATIENCE)
        async with asyncio.timeout(PATIENCE):
            names = await consumer.topics()
        yield Finding("kafka", "ok", f"answers at {system.settings.kafka}, {len(names)} topics")
        brokers = len(consumer._client.cluster.brokers())
        if brokers < system.settings.replication:
            said = f"{brokers} brokers for PARLEY_REPLICATION={system.settings.replication}"
            yield Finding("kafka", "fail", said, "Add brokers, or lower PARLEY_REPLICATION before the first apply.")
    finally:
        for client in (consumer, producer):
            async with asyncio.timeout(PATIENCE):
                await client.stop()


async def topics(system: System) -> AsyncIterator[Finding]:
    """As declared: partitions, retention, sizes, `min.insync.replicas`."""
    from shared.bus.topics import plan

    changes = await plan(system.settings)
    for change in changes:
        level: Level = "warn" if change.kind == "configure" else "fail"
        remedy = (
            "Set PARLEY_PARTITIONS to what is there; never widen it."
            if change.kind == "never"
            else "Run `parley topics apply`."
        )
        yield Finding("topics", level, f"{change.topic}: {change.kind} {change.detail}", remedy)
    if not changes:
        yield Finding("topics", "ok", "all as declared")


async def postgres(system: System) -> AsyncIterator[Finding]:
    """Reachable, new enough, durable, and its clock near ours."""
    async with connect(system.settings) as connection:
        version = int(await connection.fetchval("SHOW server_version_num"))
        asked = datetime.now(UTC)
        ahead = apart(await connection.fetchval("SELECT clock_timestamp()"), asked, datetime.now(UTC))
        durable = await connection.fetchval("SHOW fsync") == "on"
    new = version >= OLDEST_POSTGRES
    yield Finding(
        "postgres", "ok" if new else "fail", f"version {version}", "" if new else "Use PostgreSQL 14 or newer."
    )
    near = abs(ahead) < SKEW
    yield Finding(
        "clock",
        "ok" if near else "warn",
        f"PostgreSQL's is {ahead:+.2f} s from ours",
        "" if near else "Keep both by NTP.",
    )
    if not durable:
        yield Finding("postgres", "fail", "fsync is off: a crash loses what was committed", "Set fsync = on.")


def apart(theirs: datetime, asked: datetime, answered: datetime) -> float:
    """Seconds by which another clock certainly is ahead of ours, or behind; the answer's own way may have taken long."""
    return max(0.0, (theirs - answered).total_seconds()) + min(0.0, (theirs - asked).total_seconds())


async def migrations(system: System) -> AsyncIterator[Finding]:
    """Every schema at the version of this code, or beyond it."""
    from services.cli.migrate import missing, versions

    found = missing(await versions(system.settings))
    for schema, revisions in found.items():
        yield Finding("migrations", "fail", f"{schema} lacks {', '.join(revisions)}", there(MIGRATE, system))
    if not found:
        yield Finding("migrations", "ok", "all schemas are at this code's version")


async def restored(system: System) -> AsyncIterator[Finding]:
    """PostgreSQL is no older copy than what was done with it."""
    from services.cli.recover.recovery import older

    for schema in await older(system.settings):
        said = f"{schema} is an older copy than what was done with it: nothing is sent or numbered"
        yield Finding("restored", "fail", said, "Restore every schema, then run `parley recover` (docs/backup.md).")


async def blobs(system: System) -> AsyncIterator[Finding]:
    """Writable and readable: a small blob of a tenant of its own is put there."""
    from shared.storage.blobs import Blobs

    store = Blobs.open(system.settings.blobs)
    stored = await store.put_bytes("parley-doctor", b"parley doctor was here\n")
    async for _ in await store.get(stored.ref):
        pass
    yield Finding("blobs", "ok", "can be written and read")


async def services(system: System) -> AsyncIterator[Finding]:
    """Every service whose address is known says that it is ready."""
    async with ClientSession(timeout=ClientTimeout(total=PATIENCE)) as client:
        for name, address in system.services.items():
            yield await _service(client, system, name, address)
    if not system.services:
        yield Finding("services", "ok", "no addresses are known here, so none was asked")


async def _service(client: ClientSession, system: System, name: str, address: str) -> Finding:
    try:
        async with client.get(f"{address}/health/ready") as answer:
            told = await answer.json()
    except (ClientError, OSError, ValueError) as error:
        said = f"{name} does not answer at {address}: {type(error).__name__}"
        return Finding("services", "fail", said, there(START, system, name=name))
    if wrong := _listed(told.get("wrong")):
        return Finding(
            "services", "fail", f"{name} is not ready: {wrong}", "Mend what it names; then it becomes ready by itself."
        )
    if warned := _listed(told.get("warned")):
        return Finding("services", "warn", f"{name} is ready, but warns: {warned}", "Mend what it names.")
    return Finding("services", "ok", f"{name} is ready")


def _listed(found: Mapping[str, str] | None) -> str:
    return "; ".join(f"{check}: {what}" for check, what in (found or {}).items())


async def dead_letters(system: System) -> AsyncIterator[Finding]:
    """None lies there unseen."""
    from services.cli.dlq.deadletters import counts

    found = await counts(system.settings)
    for topic, count in found.items():
        remedy = f"See `parley dlq list {topic}`; after a fix `parley dlq replay {topic} --all`."
        yield Finding("dead letters", "warn", f"{count} in {topic}", remedy)
    if not found:
        yield Finding("dead letters", "ok", "none")


async def outbox(system: System) -> AsyncIterator[Finding]:
    """Nothing committed waits long for Kafka."""
    async with connect(system.settings) as connection:
        rows, age = await connection.fetchrow(
            "SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(at)), 0)::float FROM router.outbox"
        )
    said = f"{rows} rows, the oldest of {age:.0f} s"
    if age > OLD_ROW:
        yield Finding(
            "outbox", "fail", said, f"See whether Kafka acknowledges the router. {there(START, system, name='router')}"
        )
    else:
        yield Finding("outbox", "ok", said)


async def retention(system: System) -> AsyncIterator[Finding]:
    """What is no longer kept goes day by day."""
    if not system.settings.retention:
        yield Finding("retention", "ok", "PARLEY_RETENTION is not set: everything is kept for ever")
        return
    async with connect(system.settings) as connection:
        walks = await connection.fetch(WALKS)
    for name, days in walks:
        said = f"{name}: last looked at to the end {days:.1f} days ago"
        if days > LATE:
            yield Finding(
                "retention", "warn", said, "See walk.failed and walk.waiting in the router's and chat adapter's log."
            )
        else:
            yield Finding("retention", "ok", said)
    if not walks:
        remedy = "Give the router and the chat adapter the same variable, and start them again."
        yield Finding("retention", "warn", "PARLEY_RETENTION is set here, but no service has begun with it", remedy)


async def inputs(system: System) -> AsyncIterator[Finding]:
    """No record was deleted before it was read, no position belongs to another log, and none stands where all fail."""
    from services.cli.offsets.command import remedy, why_elsewhere
    from services.cli.offsets.positions import positions

    found = await positions(system.settings)
    gone = [one for one in found if one.gone]
    for one in gone:
        said = f"{one.group}, {one.topic} {one.partition}: {one.next}..{one.first - 1} are gone unread"
        yield Finding("inputs", "fail", said, f"Look where they still are, then `{remedy(one)}`.")
    elsewhere = [one for one in found if one.is_elsewhere]
    for one in elsewhere:
        said = (
            f"{one.group}, {one.topic} {one.partition}: stands still, {why_elsewhere(one)}; {one.lag} records to read"
        )
        yield Finding("inputs", "fail", said, f"If this is the right cluster, `{remedy(one)}` reads them all.")
    failing = [one for one in found if one.fails]
    for one in failing:
        said = f"{one.group}, {one.topic} {one.partition}: stands still at {one.next}, {one.fails}; {one.lag} records to read"
        mend = "Take the new version back, or mend what it needs: then it goes on by itself."
        yield Finding("inputs", "fail", said, f"{mend} Is it the records (`parley dlq list`), then `{remedy(one)}`.")
    if not gone and not elsewhere and not failing:
        yield Finding("inputs", "ok", f"nothing is missing, {sum(one.lag for one in found)} records to read")


CHECKS: Final[tuple[Check, ...]] = (
    environment,
    kafka,
    topics,
    postgres,
    migrations,
    restored,
    blobs,
    accounts,
    account_health,
    services,
    smtp,
    dkim,
    sends,
    inputs,
    outbox,
    retention,
    dead_letters,
)

REMEDIES: Final = {
    "kafka": "Start it, or correct PARLEY_KAFKA.",
    "topics": "Mend Kafka first.",
    "postgres": "Start it, or correct PARLEY_DATABASE.",
    "migrations": "Mend PostgreSQL first.",
    "restored": "Run `parley migrate` and `parley topics apply`.",
    "blobs": "Correct PARLEY_BLOBS, or the rights of its folder or bucket.",
    "accounts": "Mend the file; `parley accounts check` reads it alone.",
    "account_health": "Mend Kafka and the accounts file first.",
    "sends": "Mend PostgreSQL first.",
    "inputs": "Run `parley migrate` and `parley topics apply`.",
    "outbox": "Run `parley migrate`.",
    "retention": "Run `parley migrate`.",
    "dead_letters": "Mend Kafka first.",
}


async def examine(system: System, check: Check) -> AsyncIterator[Finding]:
    """What one check finds; that it could not be made is a finding too."""
    name = str(getattr(check, "__name__", ""))
    try:
        async with asyncio.timeout(6 * PATIENCE):
            async for finding in check(system):
                yield finding
    except UNWELL as error:
        yield Finding(name.replace("_", " "), "fail", explain(error), REMEDIES.get(name, ""))


async def examine_all(system: System) -> AsyncIterator[Finding]:
    """Every check, one after the other, so that a reader sees which one takes its time."""
    for check in CHECKS:
        async for finding in examine(system, check):
            yield finding
