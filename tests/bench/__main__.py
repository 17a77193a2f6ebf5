"""`make bench`: each figure against a bare loop in the same run, per CPU-second of the process that does the work.

Everything runs on loopback, for a bounded number of messages and seconds, and stops by itself. Absolute figures depend on
the machine and its hour; the ratios are what is compared between versions. Written to tests/bench/results.json as well.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import psutil
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from deploy.local.home import choose_port
from deploy.local.servers import start_servers, stop_servers
from shared.bus import topics
from shared.bus.produce import Producer, Publisher
from shared.contract.records import EVENTS
from shared.runtime.settings import Settings
from shared.storage import migrate
from tests.bench.accounts import accounts_bench
from tests.bench.record import inbound

MESSAGES = int(os.environ.get("BENCH_MESSAGES", "60000"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "8"))
SECRET = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
ACCOUNTS = """
[apps.webhook.demo]
secret = "whsec_{secret}"
[accounts.webhook.demo]
url = "http://127.0.0.1:9/"
secret = "whsec_{secret}"
[accounts.email.help]
address = "help@parley.example"
"""


def world(home: Path, kafka: str, database: str) -> Settings:
    """Settings of a world of its own, ready to be used."""
    accounts = home / "bench-accounts.toml"
    accounts.write_text(ACCOUNTS.format(secret=SECRET))
    settings = Settings(
        kafka=kafka,
        database=SecretStr(database),
        blobs=(home / "bench-blobs").as_uri(),
        accounts=str(accounts),
        token=SecretStr("bench"),
        prefix=f"b{time.time_ns() % 10**9}.",
        partitions=6,
        replication=1,
        http_host="127.0.0.1",
        log_level="warning",
    )
    for schema in migrate.SCHEMAS:
        migrate.upgrade(settings, schema)
    asyncio.run(prepare(settings))
    return settings


async def prepare(settings: Settings) -> None:
    await topics.apply(settings)
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    await admin.create_topics([NewTopic(settings.topic("bare.v1"), 6, 1)])
    await admin.close()


@contextmanager
def process(settings: Settings, *argv: str, port: int = 0) -> Iterator[psutil.Process]:
    """A process with the environment of these settings; it is gone afterwards."""
    environment = os.environ | {
        "PARLEY_" + name.upper(): str(value.get_secret_value() if isinstance(value, SecretStr) else value)
        for name, value in settings
    }
    environment |= {"PARLEY_HTTP_PORT": str(port), "PYTHONPATH": str(Path.cwd())}
    child = subprocess.Popen([sys.executable, "-m", *argv], env=environment, stdout=subprocess.DEVNULL)
    try:
        yield psutil.Process(child.pid)
    finally:
        child.terminate()
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()


def cpu(found: psutil.Process) -> float:
    times = found.cpu_times()
    return float(times.user + times.system)


def postgres_cpu() -> float:
    total = 0.0
    for found in psutil.process_iter(["name"]):
        if found.info["name"] == "postgres":
            try:
                total += cpu(found)
            except psutil.Error:
                continue
    return total


async def wait_ready(port: int) -> None:
    import aiohttp

    async with aiohttp.ClientSession() as session:
        for _ in range(600):
            try:
                async with session.get(f"http://127.0.0.1:{port}/health/ready") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)
    raise SystemExit("a service did not get ready within a minute")


async def fill(settings: Settings, count: int) -> int:
    """Write so many records; how many customers wrote them."""
    keys: set[bytes] = set()
    producer = Producer(settings)
    await producer.start()
    publisher = Publisher(producer)
    for start in range(0, count, 5000):
        records = [inbound(settings, n) for n in range(start, min(count, start + 5000))]
        keys |= {record.key for record in records}
        await publisher.publish(records)
    await producer.stop()
    return len(keys)


async def ends(settings: Settings, topic: str) -> int:
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka)
    await consumer.start()
    try:
        places = [TopicPartition(settings.topic(topic), number) for number in range(6)]
        return sum((await consumer.end_offsets(places)).values())
    finally:
        await consumer.stop()


async def until(settings: Settings, topic: str, count: int) -> None:
    """Until the topic has so many records, or stopped growing for a while."""
    last, since = -1, time.monotonic()
    while True:
        now = await ends(settings, topic)
        if now >= count:
            return
        if now != last:
            last, since = now, time.monotonic()
        if time.monotonic() - since > 60:
            raise SystemExit(f"{topic} stands still at {now} of {count}")
        await asyncio.sleep(0.2)


def consume_bench(settings: Settings, argv: list[str], topic: str, port: int) -> dict[str, float]:
    """Fill the input while the process is frozen, wake it, and see what the backlog costs it."""
    with process(settings, *argv, port=port) as found:
        if port:
            asyncio.run(wait_ready(port))
        time.sleep(4)
        idle = found.memory_info().rss
        before = asyncio.run(ends(settings, topic))
        found.send_signal(signal.SIGSTOP)
        customers = asyncio.run(fill(settings, MESSAGES))
        expected = before + MESSAGES + (customers if topic == EVENTS else 0)  # each conversation begins with an event
        used, database, started = cpu(found), postgres_cpu(), time.monotonic()
        found.send_signal(signal.SIGCONT)
        asyncio.run(until(settings, topic, expected))
        wall = time.monotonic() - started
        return {
            "messages": MESSAGES,
            "per_second": MESSAGES / wall,
            "per_cpu_second": MESSAGES / (cpu(found) - used),
            "postgres_cpu_seconds": postgres_cpu() - database,
            "cpu_seconds": cpu(found) - used,
            "idle_megabytes": idle / 1e6,
            "megabytes": found.memory_info().rss / 1e6,
        }


def webhook_bench(settings: Settings, argv: list[str], url: str, port: int, connections: int) -> dict[str, float]:
    with process(settings, *argv, port=port) as found:
        if "services" in argv[0]:
            asyncio.run(wait_ready(port))
        time.sleep(4)
        load(url, connections, 2)
        used = cpu(found)
        result = load(url, connections, SECONDS)
        assert not result["wrong"], f"{result['wrong']} requests were not answered 200"
        spent = cpu(found) - used
        return {
            "per_second": result["requests"] / SECONDS,
            "per_cpu_second": result["requests"] / spent,
            "p50_ms": result["p50"] * 1000,
            "p99_ms": result["p99"] * 1000,
            "cpu_seconds": spent,
            "megabytes": found.memory_info().rss / 1e6,
        }


def load(url: str, connections: int, seconds: float) -> dict[str, Any]:
    argv = [sys.executable, "-m", "tests.bench.load", url, SECRET, str(connections), str(seconds)]
    found: dict[str, Any] = json.loads(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)
    return found


def mail_bench(settings: Settings, argv: list[str], mail_port: int, port: int, connections: int) -> dict[str, float]:
    """SMTP DATA until it is acknowledged, which it is when Kafka has."""
    listening = settings.model_copy(update={"smtp_host": "127.0.0.1", "smtp_port": mail_port})
    with process(listening, *argv, port=port) as found:
        if port:
            asyncio.run(wait_ready(port))
        time.sleep(4)
        load_mail(mail_port, connections, 2)
        used = cpu(found)
        result = load_mail(mail_port, connections, SECONDS)
        assert not result["wrong"], f"{result['wrong']} mails were not answered 250"
        spent = cpu(found) - used
        return {
            "per_second": result["mails"] / SECONDS,
            "per_cpu_second": result["mails"] / spent,
            "cpu_ms_per_mail": 1000 * spent / result["mails"],
            "p50_ms": result["p50"] * 1000,
            "p99_ms": result["p99"] * 1000,
            "bytes": result["bytes"],
            "megabytes": found.memory_info().rss / 1e6,
        }


def load_mail(port: int, connections: int, seconds: float) -> dict[str, Any]:
    argv = [sys.executable, "-m", "tests.bench.mail_load", str(port), str(connections), str(seconds)]
    found: dict[str, Any] = json.loads(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)
    return found


def compare_mail(settings: Settings, connections: int = 16) -> dict[str, Any]:
    one, two = choose_port(set()), choose_port(set())
    bare = mail_bench(settings, ["tests.bench.bare_mail", str(one)], one, 0, connections)
    ours = mail_bench(settings, ["services.email_adapter"], two, choose_port({one, two}), connections)
    return {"parley": ours, "bare": bare, "ratio": ours["per_cpu_second"] / bare["per_cpu_second"], "aim": 0.5}


async def latency(settings: Settings, rate: float, seconds: float, *, through_router: bool) -> dict[str, float]:
    """From the send of a record to the read of its event, or of the record itself, at a steady rate."""
    topic = settings.topic(EVENTS if through_router else "bare.v1")
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=settings.kafka, auto_offset_reset="latest")
    await consumer.start()
    await consumer.seek_to_end()
    producer = Producer(settings)
    await producer.start()
    sent: dict[bytes, float] = {}
    took: list[float] = []

    async def read() -> None:
        async for record in consumer:
            name = dict(record.headers)["ce_id"]
            if name in sent:
                took.append(time.perf_counter() - sent.pop(name))

    reading = asyncio.create_task(read())
    sending = set()
    count = int(rate * seconds)
    begun = time.perf_counter()
    for number in range(count):
        record = inbound(settings, number, 2000)
        if not through_router:
            from dataclasses import replace

            record = replace(record, topic=topic)
        sent[dict(record.headers)["ce_id"]] = time.perf_counter()
        task = asyncio.create_task(producer.send(record))
        sending.add(task)
        task.add_done_callback(sending.discard)
        await asyncio.sleep(max(0, begun + (number + 1) / rate - time.perf_counter()))
    for _ in range(100):
        if not sent:
            break
        await asyncio.sleep(0.1)
    reading.cancel()
    await consumer.stop()
    await producer.stop()
    took.sort()
    return {
        "rate": rate,
        "missing": len(sent),
        "p50_ms": took[len(took) // 2] * 1000,
        "p99_ms": took[len(took) * 99 // 100] * 1000,
    }


def latency_bench(settings: Settings, rate: float) -> tuple[dict[str, float], dict[str, float]]:
    port = choose_port(set())
    with process(settings, "services.router", port=port):
        asyncio.run(wait_ready(port))
        asyncio.run(latency(settings, 100, 2, through_router=True))
        bare = asyncio.run(latency(settings, rate, SECONDS, through_router=False))
        ours = asyncio.run(latency(settings, rate, SECONDS, through_router=True))
    return ours, bare


def idle_memory(settings: Settings) -> dict[str, float]:
    """Resident megabytes of every service that has nothing to do."""
    found = {}
    for name in ("router", "chat_adapter", "social_adapter", "email_adapter", "sandbox"):
        port = choose_port(set())
        with process(settings, f"services.{name}", port=port) as running:
            asyncio.run(wait_ready(port))
            time.sleep(2)
            found[name] = running.memory_info().rss / 1e6
    return found


def translate_bench() -> dict[str, dict[str, float]]:
    """What translation costs on each channel that has samples, each in a process of its own."""
    names = sorted(path.parent.name for path in Path(__file__).parents[1].glob("channels/*/settings.json"))
    return {name: translated(name) for name in names}


def translated(name: str) -> dict[str, float]:
    argv = [sys.executable, "-m", "tests.bench.translate", name]
    found: dict[str, float] = json.loads(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)
    return found


def run(settings: Settings) -> dict[str, Any]:
    say = Console(stderr=True).print
    results: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
    }
    say("a: router against a bare loop …")
    bare = consume_bench(settings, ["tests.bench.bare_loop"], "bare.v1", 0)
    fresh = settings.model_copy(update={"prefix": settings.prefix + "r."})
    asyncio.run(prepare(fresh))
    ours = consume_bench(fresh, ["services.router"], EVENTS, choose_port(set()))
    results["router"] = {
        "parley": ours,
        "bare": bare,
        "ratio": ours["per_cpu_second"] / bare["per_cpu_second"],
        "aim": 0.4,
    }
    results["webhook"] = {}
    for connections in (16, 64):
        say(f"b: signed webhook, {connections} connections …")
        one, two = choose_port(set()), choose_port(set())
        bare = webhook_bench(settings, ["tests.bench.bare_webhook", base64.b64decode(SECRET).decode(), str(one)],
                             f"http://127.0.0.1:{one}/", one, connections)  # fmt: skip
        ours = webhook_bench(
            settings, ["services.chat_adapter"], f"http://127.0.0.1:{two}/hooks/webhook/demo", two, connections
        )
        results["webhook"][str(connections)] = {
            "parley": ours, "bare": bare, "ratio": ours["per_cpu_second"] / bare["per_cpu_second"], "aim": 0.7,
        }  # fmt: skip
    rate = min(500.0, results["router"]["parley"]["per_second"] / 2)
    say(f"c: event latency at {rate:.0f}/s …")
    ours, bare = latency_bench(fresh, rate)
    results["latency"] = {"parley": ours, "bare": bare, "ratio": ours["p99_ms"] / bare["p99_ms"], "aim": 5.0}
    empty = settings.model_copy(update={"prefix": settings.prefix + "i."})
    asyncio.run(prepare(empty))
    results["idle_megabytes"] = idle_memory(empty)
    say("d: translation, channel by channel …")
    results["translate"] = translate_bench()
    say("e: mail by SMTP …")
    results["mail"] = compare_mail(settings)
    say("f: what accounts cost …")
    results["accounts"] = accounts_bench(settings.model_copy(update={"prefix": empty.prefix}))
    return results


def show(results: dict[str, Any]) -> None:
    table = Table(title=f"Parley's benches · {results['machine']} · Python {results['python']}")
    for column in ("what", "Parley", "bare", "ratio", "aim"):
        table.add_column(column, justify="left" if column == "what" else "right")

    def row(what: str, found: dict[str, Any], figure: str, unit: str, aim: str) -> None:
        ours, bare = found["parley"][figure], found["bare"][figure]
        table.add_row(what, f"{ours:,.1f} {unit}", f"{bare:,.1f} {unit}", f"{ours / bare:.2f}", aim)

    row("a router, messages per CPU-second", results["router"], "per_cpu_second", "", "≥ 0.4")
    row("  messages per second", results["router"], "per_second", "", "")
    for connections, found in results["webhook"].items():
        row(
            f"b webhook → acknowledged, requests per CPU-second, {connections} connections",
            found,
            "per_cpu_second",
            "",
            "≥ 0.7",
        )
        row("  requests per second", found, "per_second", "", "")
        row("  p99", found, "p99_ms", "ms", "")
    row(f"c event latency p50 at {results['latency']['parley']['rate']:.0f}/s", results["latency"], "p50_ms", "ms", "")
    row("  p99", results["latency"], "p99_ms", "ms", "≤ 5")
    for name, found in results["translate"].items():
        table.add_row(f"d {name} in, messages per CPU-second", f"{found['in_per_cpu_second']:,.0f}", "", "", "")
        table.add_row("  out, pieces per CPU-second", f"{found['out_per_cpu_second']:,.0f}", "", "", "")
        if stripped := found.get("new_text_bytes_per_cpu_second"):
            table.add_row("  new text, MB per CPU-second", f"{stripped / 1e6:.1f}", "", "", "")
        table.add_row("  memory afterwards", f"{found['megabytes']:.0f} MB", "", "", "")
    row("e mail by SMTP → acknowledged, mails per CPU-second", results["mail"], "per_cpu_second", "", "≥ 0.5")
    row("  mails per second", results["mail"], "per_second", "", "")
    row("  CPU per mail", results["mail"], "cpu_ms_per_mail", "ms", "")
    row("  p99", results["mail"], "p99_ms", "ms", "")
    for found in results["accounts"].values():
        table.add_row(
            f"f chat_adapter with {found['accounts']} accounts, idle", f"{found['megabytes']:.0f} MB", "", "", ""
        )
        table.add_row("  CPU of one core", f"{found['idle_cpu_percent']:.1f} %", "", "", "")
        table.add_row("  ready after", f"{found['start_seconds']:.1f} s", "", "", "")
    for name, megabytes in results["idle_megabytes"].items():
        table.add_row(f"{name}, idle", f"{megabytes:.0f} MB", "", "", "≤ 150")
    Console(width=130).print(table)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder:
        home = Path(folder)
        addresses = start_servers(home)
        try:
            results = run(world(home, addresses.kafka, addresses.database))
        finally:
            stop_servers(home)
    Path(__file__).with_name("results.json").write_bytes(orjson.dumps(results, option=orjson.OPT_INDENT_2))
    show(results)


if __name__ == "__main__":
    main()
