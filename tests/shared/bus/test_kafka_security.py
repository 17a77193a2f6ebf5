"""Kafka by TLS and SASL: every client gets in, settings that do not fit are refused, and a no is told in words."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from services.cli.doctor.checks import examine, kafka as check
from services.cli.offsets.positions import _of_groups
from services.cli.reading import consumer, present
from services.cli.running import System
from shared.bus import topics
from shared.bus.kafka import connection
from shared.bus.produce import Producer
from shared.contract.errors import BusUnreachable, Misconfigured
from shared.runtime.settings import Settings
from tests.certificates import certificate
from tests.patience import until
from tests.secured import PASSWORD, USER, Secured, secured
from tests.shared.broker import TOPIC, Owner, reading, reply

WRONG = SecretStr("another word")


@pytest.fixture(scope="module")
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Secured]:
    async with secured(tmp_path_factory.mktemp("secured")) as running:
        yield running


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, str]:
    """An authority that the broker has nothing to do with, and a client of its."""
    authority, chain, key = certificate(tmp_path_factory.mktemp("stranger"), "stranger")
    return str(authority), str(chain), str(key)


# settings -------------------------------------------------------------------------------------------------------------

SASL = {"kafka_security": "SASL_SSL", "kafka_mechanism": "PLAIN", "kafka_user": "u", "kafka_password": SecretStr("p")}


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"kafka_ca": "/ca.pem"}, "PARLEY_KAFKA_CA would not be used"),
        ({"kafka_user": "u", "kafka_password": SecretStr("p")}, "PARLEY_KAFKA_USER, PARLEY_KAFKA_PASSWORD would not"),
        ({"kafka_security": "SSL", "kafka_mechanism": "PLAIN"}, "PARLEY_KAFKA_MECHANISM would not be used"),
        ({**SASL, "kafka_security": "SASL_PLAINTEXT", "kafka_ca": "/ca.pem"}, "PARLEY_KAFKA_CA would not be used"),
        ({**SASL, "kafka_user": ""}, "SASL_SSL wants PARLEY_KAFKA_USER as well"),
        ({**SASL, "kafka_mechanism": ""}, "SASL_SSL wants PARLEY_KAFKA_MECHANISM as well"),
        (
            {**SASL, "kafka_password": SecretStr("")},
            "wants PARLEY_KAFKA_PASSWORD or PARLEY_KAFKA_PASSWORD_FILE as well",
        ),
        ({**SASL, "kafka_password_file": "/password"}, "are both set"),
        (
            {**SASL, "kafka_password": SecretStr(""), "kafka_password_file": "/none"},
            "PARLEY_KAFKA_PASSWORD_FILE: /none",
        ),
        ({**SASL, "kafka_ca": "/none.pem"}, "PARLEY_KAFKA_CA: /none.pem cannot be used (No such file or directory)"),
        ({"kafka_security": "SSL", "kafka_key": "/key.pem"}, "PARLEY_KAFKA_KEY stands alone"),
        ({"kafka_security": "SSL", "kafka_certificate": "/none"}, "PARLEY_KAFKA_CERTIFICATE, PARLEY_KAFKA_KEY: /none"),
    ],
)
def test_settings_that_contradict_one_another_are_refused(given: dict[str, object], named: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        connection(Settings(**given))
    assert named in refused.value.detail
    assert "'p'" not in str(refused.value)


def test_a_file_that_is_no_pem_and_a_key_with_a_password_are_refused(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("not a certificate")
    with pytest.raises(Misconfigured, match=r"PARLEY_KAFKA_CA: .* cannot be used"):
        connection(Settings(kafka_security="SSL", kafka_ca=str(text)))
    _, chain, key = certificate(tmp_path, "client")
    locked = tmp_path / "locked.key"
    subprocess.run(
        ["openssl", "pkcs8", "-topk8", "-in", key, "-out", locked, "-passout", "pass:word"],
        check=True,
        capture_output=True,
    )
    with pytest.raises(Misconfigured, match=r"PARLEY_KAFKA_KEY: .* cannot be used"):
        connection(Settings(kafka_security="SSL", kafka_certificate=str(chain), kafka_key=str(locked)))


def test_a_password_stands_in_a_file_without_the_end_of_its_line(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(" with spaces \n")
    given = connection(Settings(**{**SASL, "kafka_password": SecretStr(""), "kafka_password_file": str(file)}))
    assert given["sasl_plain_password"] == " with spaces "


def test_a_service_whose_settings_contradict_one_another_does_not_start_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "accounts.toml").touch()
    told = {"PARLEY_ACCOUNTS": str(tmp_path / "accounts.toml"), "PARLEY_KAFKA_USER": "u"}
    ended = subprocess.run(
        [sys.executable, "-m", "services.router"], env=os.environ | told, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert "PARLEY_KAFKA_USER would not be used, since PARLEY_KAFKA_SECURITY=PLAINTEXT has no SASL" in ended.stderr


# a real broker --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN", "certificate"])
async def test_every_client_gets_in(broker: Secured, mechanism: str) -> None:
    prefix = f"k{uuid.uuid4().hex[:8]}."
    by_sasl = mechanism != "certificate"
    settings = (
        broker.settings(kafka_mechanism=mechanism, prefix=prefix, session_seconds=20)
        if by_sasl
        else broker.by_certificate(prefix=prefix, session_seconds=20)
    )
    await topics.apply(settings)
    assert await topics.plan(settings) == []
    record, owner = reply(), Owner()
    async with reading(settings, owner) as running:
        record.topic = settings.topic(TOPIC)
        await running.producer.send(record)
        await owner.reaches(1)
    async with consumer(settings, [settings.topic(TOPIC)]) as stands:
        assert [found.value for found in await present(stands)] == [record.value]
    await _of_groups(settings)


def otherwise(broker: Secured, stranger: tuple[str, str, str]) -> dict[str, tuple[Settings, str]]:
    authority, chain, key = stranger
    return {
        "password": (broker.settings(kafka_password=WRONG), f"refuses {USER} by SCRAM-SHA-512"),
        "plain password": (broker.settings(kafka_password=WRONG, kafka_mechanism="PLAIN"), f"refuses {USER} by PLAIN"),
        "authority": (broker.settings(kafka_ca=authority), "not trusted: PARLEY_KAFKA_CA must be who signed it"),
        "name": (broker.settings(kafka=broker.sasl.replace("localhost", "127.0.0.1")), "a certificate of another name"),
        "no certificate": (broker.by_certificate(kafka_certificate="", kafka_key=""), "refuses our certificate"),
        "strange certificate": (
            broker.by_certificate(kafka_certificate=chain, kafka_key=key),
            "refuses our certificate: see PARLEY_KAFKA_CERTIFICATE",
        ),
        "no TLS": (Settings(kafka=broker.sasl), "hangs up: is PARLEY_KAFKA_SECURITY=PLAINTEXT what this port wants?"),
        "TLS where none is": (broker.settings(kafka=broker.plain), "hangs up: is PARLEY_KAFKA_SECURITY=SASL_SSL"),
        "no SASL": (broker.by_certificate(kafka=broker.sasl), "hangs up: is PARLEY_KAFKA_SECURITY=SSL"),
        "SASL where none is": (
            broker.settings(kafka=broker.plain, kafka_security="SASL_PLAINTEXT", kafka_ca=""),
            "takes no password on this port",
        ),
    }


async def test_a_no_is_told_in_words(broker: Secured, stranger: tuple[str, str, str]) -> None:
    for settings, words in otherwise(broker, stranger).values():
        with pytest.raises(BusUnreachable) as refused:
            await topics.plan(settings)
        assert words in refused.value.detail
        assert PASSWORD not in str(refused.value)
        assert WRONG.get_secret_value() not in str(refused.value)


async def test_doctor_says_so_too(broker: Secured) -> None:
    async def said(settings: Settings) -> list[tuple[str, str]]:
        return [(found.level, found.said) async for found in examine(System(settings), check)]

    assert [level for level, _ in await said(broker.settings())] == ["ok"]
    ((level, words),) = await said(broker.settings(kafka_password=WRONG))
    assert (level, f"refuses {USER} by SCRAM-SHA-512" in words) == ("fail", True)


async def test_health_says_so_and_a_mended_password_is_taken_up(broker: Secured, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(WRONG.get_secret_value())
    producer = Producer(broker.settings(kafka_password=SecretStr(""), kafka_password_file=str(file)))
    await producer.start()
    assert f"refuses {USER}" in (producer.trouble or "")
    file.write_text(PASSWORD)
    await producer.start()
    assert producer.trouble is None
    await producer.stop()


async def test_that_kafka_is_away_is_known_while_nobody_sends_and_that_it_is_back(broker: Secured) -> None:
    producer = Producer(broker.settings())
    await producer.start()
    tending = asyncio.create_task(producer.tend())
    assert producer.trouble is None
    os.kill(broker.pid, signal.SIGSTOP)
    try:
        assert "has not acknowledged" in await until(lambda: producer.trouble)
    finally:
        os.kill(broker.pid, signal.SIGCONT)
    await until(lambda: producer.trouble is None)
    tending.cancel()
    await producer.stop()
