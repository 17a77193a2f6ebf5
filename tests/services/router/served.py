"""The router's API served by itself: a real PostgreSQL with its tables, a real Kafka, the rows that a test puts there."""

import asyncio
import re
import uuid
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import SimpleNamespace

import asyncpg
import orjson
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from jsonschema import Draft202012Validator, FormatChecker
from pydantic import SecretStr

from services.router.api import Deps, described, mount
from services.router.api.tokens import Tokens
from services.router.directory import Directory
from shared.bus import cloudevents
from shared.bus.produce import Producer
from shared.contract import envelope
from shared.contract.events import AccountState
from shared.contract.records import ACCOUNTS, EVENTS, REQUESTS
from shared.runtime.lifecycle import Health
from shared.runtime.settings import Settings
from shared.storage.blobs import Blobs
from shared.storage.database import open_pool
from shared.storage.migrate import upgrade

TOKEN = "a token of the tests"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


async def make_topics(settings):
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    names = (EVENTS, REQUESTS, ACCOUNTS)
    await admin.create_topics([NewTopic(settings.topic(name), 3, 1) for name in names])
    await admin.close()


async def make_database(url):
    name = f"api_{uuid.uuid4().hex[:8]}"
    connection = await asyncpg.connect(url)
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    return name, url.rpartition("/")[0] + f"/{name}"


@asynccontextmanager
async def open_house(servers, blobs, **given):
    """PostgreSQL with the router's schema, topics of our own, the API mounted as the router mounts it; `given`: more settings."""
    name, database = await make_database(servers.database)
    settings = Settings(
        kafka=servers.kafka,
        database=SecretStr(database),
        blobs=blobs.as_uri(),
        token=SecretStr(TOKEN),
        prefix=f"api{uuid.uuid4().hex[:8]}.",
        console_chat="http://127.0.0.1:1111",
        console_sandbox="http://127.0.0.1:2222/",
        **given,
    )
    await make_topics(settings)
    await asyncio.to_thread(upgrade, settings, "router")
    producer = Producer(settings)
    await producer.start()
    await tell_account(settings, producer)
    directory = Directory(settings, Health())
    following = asyncio.create_task(directory.run())
    async with open_pool(settings, "router") as pool:
        deps = Deps(
            pool=pool,
            producer=producer,
            settings=settings,
            blobs=Blobs.open(settings.blobs),
            directory=directory,
            tokens=Tokens(settings),
        )
        async with serving(deps) as client:
            yield SimpleNamespace(client=client, deps=deps, pool=pool, settings=settings, producer=producer)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await producer.stop()
    connection = await asyncpg.connect(servers.database)
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


def serving(deps):
    app = web.Application()
    mount(app, deps)
    return TestClient(TestServer(app))


def check_answer(method, path, status, value):
    """What is answered is what the document of the API says, wherever a test asks."""
    bare = path.partition("?")[0]
    for template, methods in described()["paths"].items():
        if method in methods and re.fullmatch(
            re.sub(r"\{\w+\}", "[^?]+?" if "media" in template else "[^/?]+", template), bare
        ):
            answers = methods[method]["responses"]
            told = answers.get(str(status)) or described()["components"]["responses"]["Error"]
            judge(told["content"]["application/json"]["schema"]).validate(value)
            return
    assert not bare.startswith("/api/"), f"{bare} is not described"


def judge(schema):
    whole = {"components": described()["components"], **schema}
    return Draft202012Validator(whole, format_checker=FormatChecker(["uuid", "date-time"]))


async def get(house, path, *, status=200, **options):
    async with house.client.get(path, headers=BEARER, **options) as answer:
        assert answer.status == status, await answer.text()
        value = await answer.json()
    check_answer("get", path, status, value)
    return value


async def post(house, path, value, *, status, headers=None):
    async with house.client.post(path, headers=BEARER | (headers or {}), json=value) as answer:
        assert answer.status == status, await answer.text()
        told = await answer.json()
    check_answer("post", path, status, told)
    return told


async def add_conversation(pool, *, name="Dara", peer=None, last_at=START, **columns):
    row = {
        "id": uuid.uuid4(),
        "tenant": "default",
        "customer_id": uuid.uuid4(),
        "channel": "webchat",
        "account": "site",
        "peer": peer or uuid.uuid4().hex,
        "name": name,
        "opened_at": START,
        "last_at": last_at,
        "listed_at": last_at,
        **columns,
    }
    await insert(pool, "conversation", row)
    return row["id"]


async def add_event(pool, conversation, sequence, type_, data, *, message=None, at=START, tenant="default"):
    """Announcing events are rows of `message`, all others of `event`, as the router writes them."""
    body = orjson.dumps({"sequence": sequence, **data})
    announced = type_ in ("message.received", "message.queued")
    row = {"conversation_id": conversation, "sequence": sequence, "type": type_, "at": at, "body": body}
    row["tenant"] = tenant
    row["id"] = message if announced else uuid.uuid4()
    if not announced:
        row["message_id"] = message
    await insert(pool, "message" if announced else "event", row)


async def insert(pool, table, row):
    columns = [f'"{name}"' for name in row]
    places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    await pool.execute(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", *row.values())


async def tell_account(settings, producer, tenant="default"):
    """One adapter says how its account is."""
    state = AccountState(
        tenant=tenant,
        channel="webchat",
        account="site",
        healthy=True,
        capabilities={"text": 4000, "unit": "graphemes"},
        occurred_at=START,
    )
    key = envelope.key(tenant, "webchat", "site").encode()
    headers = cloudevents.headers("account", source="/test", id="1", time=START, tenant=tenant, subject="site")
    await producer.send(cloudevents.Out(settings.topic(ACCOUNTS), key, cloudevents.encode(state), headers))
