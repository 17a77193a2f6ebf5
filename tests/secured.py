"""A Kafka of a test's own that is spoken to by TLS and SASL, as managed ones are; its authority lives as long as the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

from deploy.local import kafka
from deploy.local.home import LOOPBACK, choose_port
from deploy.local.programs import spawn, sweep
from shared.runtime.settings import Settings
from tests.certificates import certificate

NAME: Final = "localhost"
USER: Final = "parley"
PASSWORD: Final = "a word of this test"
MECHANISMS: Final = ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN")

# Later lines win over those of deploy/local/kafka.py. Brokers speak to themselves by PLAINTEXT.
LISTENERS: Final = """\
listeners=PLAINTEXT://{host}:{plain},SASL_SSL://{host}:{sasl},SSL://{host}:{tls},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{plain},SASL_SSL://localhost:{sasl},SSL://localhost:{tls}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={authority}
listener.name.ssl.ssl.client.auth=required
sasl.enabled.mechanisms=SCRAM-SHA-512,SCRAM-SHA-256,PLAIN
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";
"""


@dataclass(frozen=True, kw_only=True)
class Secured:
    """Addresses of its listeners, and the files that a client needs."""

    plain: str
    sasl: str
    tls: str
    authority: Path
    certificate: Path
    key: Path
    pid: int

    def settings(self, **more: Any) -> Settings:
        """Those of a client that does everything right by SASL; `more` says what it does otherwise."""
        right: dict[str, Any] = {
            "kafka": self.sasl,
            "kafka_security": "SASL_SSL",
            "kafka_ca": str(self.authority),
            "kafka_mechanism": MECHANISMS[0],
            "kafka_user": USER,
            "kafka_password": SecretStr(PASSWORD),
            "partitions": 1,
            "replication": 1,
        }
        return Settings(**right | more)

    def by_certificate(self, **more: Any) -> Settings:
        """Those of a client that is known by its certificate."""
        files = {
            "kafka_ca": str(self.authority),
            "kafka_certificate": str(self.certificate),
            "kafka_key": str(self.key),
        }
        return Settings(
            **{"kafka": self.tls, "kafka_security": "SSL", "partitions": 1, "replication": 1} | files | more
        )


@asynccontextmanager
async def secured(folder: Path) -> AsyncIterator[Secured]:
    """The broker, running; `folder` is empty."""
    home = folder / "kafka"
    home.mkdir()
    (folder / "logs").mkdir()
    authority, chain, key = certificate(folder, NAME)
    ports: dict[str, int] = {}
    for name in ("plain", "sasl", "tls", "controller"):
        ports[name] = choose_port(set(ports.values()))
    jars = await asyncio.to_thread(kafka.fetch_jars, lambda _line: None)
    await prepare(home, jars, ports, keystore=keystore(chain, key), authority=authority)
    process = await spawn(kafka.program(home, jars))
    plain = f"{LOOPBACK}:{ports['plain']}"
    try:
        async with asyncio.timeout(240):
            while not await kafka.answers(plain):
                await asyncio.sleep(0.2)
        yield Secured(
            plain=plain,
            sasl=f"{NAME}:{ports['sasl']}",
            tls=f"{NAME}:{ports['tls']}",
            authority=authority,
            certificate=chain,
            key=key,
            pid=process.pid,
        )
    finally:
        sweep(process.pid)
        await process.wait()


async def prepare(home: Path, jars: list[Path], ports: dict[str, int], *, keystore: Path, authority: Path) -> None:
    """The configuration, and the storage with a user of each kind of SCRAM in it."""
    plain = kafka.PROPERTIES.format(
        host=LOOPBACK, port=ports["plain"], controller=ports["controller"], data=home / "data"
    )
    more = LISTENERS.format(
        host=LOOPBACK, **ports, keystore=keystore, authority=authority, user=USER, password=PASSWORD
    )
    (home / "server.properties").write_text(plain + more)
    (home / "log4j2.properties").write_text(kafka.LOGGING)
    users = [f"--add-scram={kind}=[name={USER},password={PASSWORD}]" for kind in MECHANISMS[:2]]
    await kafka.format_storage(home, jars, *users)


def keystore(chain: Path, key: Path) -> Path:
    """Key and certificate in one file, as a broker wants them."""
    together = chain.with_suffix(".keystore")
    together.write_text(key.read_text() + chain.read_text())
    return together
