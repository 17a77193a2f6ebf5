"""A client of Kafka that begins: started, or, where it cannot be, why, in words."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator, Mapping
from typing import Any, Final

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from shared.bus.kafka import connection
from shared.contract.errors import BusUnreachable, Misconfigured
from shared.runtime.settings import Settings

PATIENCE: Final = 5.0  # seconds to find a reason in
OTHER_NAME: Final = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH (openssl/x509_vfy.h)


async def start(client: Any, settings: Settings, *, seconds: float) -> None:
    """Start a client. Raises BusUnreachable with the reason in words, which aiokafka only writes into its log."""
    try:
        async with asyncio.timeout(seconds):
            await client.start()
    except (KafkaError, OSError, TimeoutError) as error:
        raise BusUnreachable(await find_reason(settings)) from error


async def find_reason(settings: Settings) -> str:
    """Why no client comes to be, within PATIENCE: each server is asked once; the first that lets us in decides."""
    try:
        given = connection(settings)
    except Misconfigured as error:
        return error.detail
    reason = f"PARLEY_KAFKA={settings.kafka} names no server"
    servers = collect_hosts(given.pop("bootstrap_servers"), randomize=False)
    for host, port, _ in servers:
        try:
            async with asyncio.timeout(PATIENCE / len(servers)):
                brokers = await _ask(host, port, given)
            return f"{host}:{port} answers; what it calls itself ({brokers}) must be reached from here too: see advertised.listeners"
        except (KafkaError, OSError, TimeoutError) as error:
            reason = f"{host}:{port} {_in_words(error, settings)}"
    return reason


async def _ask(host: str, port: int, given: Mapping[str, Any]) -> str:
    """The addresses of the brokers, as one server tells them to whoever it has let in."""
    connected = await create_conn(host, port, **given, request_timeout_ms=int(PATIENCE * 1000))
    try:
        told = await connected.send(MetadataRequest([]))
    finally:
        connected.close()
    return ", ".join(f"{broker[1]}:{broker[2]}" for broker in told.brokers)


def _in_words(error: BaseException, settings: Settings) -> str:
    """What the other side said or did, and which setting is about it."""
    for cause in _causes(error):
        match cause:
            case ssl.SSLCertVerificationError(verify_code=code) if code in OTHER_NAME:
                return f"has a certificate of another name: PARLEY_KAFKA must use one that stands in it ({cause.verify_message})"
            case ssl.SSLCertVerificationError():
                return f"has a certificate that is not trusted: PARLEY_KAFKA_CA must be who signed it ({cause.verify_message})"
            case ssl.SSLError(reason=str(said)) if "ALERT" in said:
                return f"refuses our certificate: see PARLEY_KAFKA_CERTIFICATE, PARLEY_KAFKA_KEY ({said})"
            case SaslAuthenticationFailed():
                return f"refuses {settings.kafka_user} by {settings.kafka_mechanism}: PARLEY_KAFKA_USER or its password is wrong"
            case UnsupportedSaslMechanismError():
                return (
                    f"does not take {settings.kafka_mechanism}: PARLEY_KAFKA_MECHANISM must be one of this listener's"
                )
            case IllegalSaslStateError():
                return "takes no password on this port: see PARLEY_KAFKA_SECURITY"
            case socket.gaierror():
                return "is not known here: mend PARLEY_KAFKA, or the names' server"
            case ConnectionRefusedError():
                return "is not listened on: start it, or mend PARLEY_KAFKA"
    return _of_silence(error, settings)


def _of_silence(error: BaseException, settings: Settings) -> str:
    """Where nothing was said: what is mostly the reason. A listener of another kind just hangs up, or waits for more."""
    if isinstance(error, TimeoutError):
        return f"does not answer: is there a way from here, and is PARLEY_KAFKA_SECURITY={settings.kafka_security} what this port wants?"
    if isinstance(error, (KafkaConnectionError, ssl.SSLError, ConnectionError)):
        return f"hangs up: is PARLEY_KAFKA_SECURITY={settings.kafka_security} what this port wants?"
    return f"cannot be used: {type(error).__name__}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
