"""How every client reaches Kafka: its servers, TLS and SASL, from the settings."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from shared.contract.errors import Misconfigured
from shared.runtime.settings import Settings

TLS: Final = ("SSL", "SASL_SSL")
SASL: Final = ("SASL_PLAINTEXT", "SASL_SSL")


def connection(settings: Settings) -> dict[str, Any]:
    """What each of aiokafka's clients is given to connect by.

    Files are read each time, so that a client made later has a renewed certificate or password. Raises Misconfigured
    where settings contradict one another, or a file cannot be used.
    """
    _check(settings)
    made: dict[str, Any] = {"bootstrap_servers": settings.kafka, "security_protocol": settings.kafka_security}
    if settings.kafka_security in TLS:
        made["ssl_context"] = _tls(settings)
    if settings.kafka_security in SASL:
        made["sasl_mechanism"] = settings.kafka_mechanism
        made["sasl_plain_username"] = settings.kafka_user
        made["sasl_plain_password"] = _password(settings)
    return made


def _check(settings: Settings) -> None:
    """Nothing that was set is silently left out: a password or an authority that is not used protects nobody."""
    tls = {
        "PARLEY_KAFKA_CA": settings.kafka_ca,
        "PARLEY_KAFKA_CERTIFICATE": settings.kafka_certificate,
        "PARLEY_KAFKA_KEY": settings.kafka_key,
    }
    sasl = {
        "PARLEY_KAFKA_MECHANISM": settings.kafka_mechanism,
        "PARLEY_KAFKA_USER": settings.kafka_user,
        "PARLEY_KAFKA_PASSWORD": settings.kafka_password.get_secret_value(),
        "PARLEY_KAFKA_PASSWORD_FILE": settings.kafka_password_file,
    }
    if settings.kafka_security not in TLS:
        _none_of(tls, f"PARLEY_KAFKA_SECURITY={settings.kafka_security} has no TLS: make it SSL or SASL_SSL")
    if settings.kafka_security not in SASL:
        _none_of(sasl, f"PARLEY_KAFKA_SECURITY={settings.kafka_security} has no SASL: make it SASL_SSL")
    else:
        _complete(settings, sasl)
    if settings.kafka_key and not settings.kafka_certificate:
        raise Misconfigured("PARLEY_KAFKA_KEY stands alone: name its certificate in PARLEY_KAFKA_CERTIFICATE.")


def _none_of(values: Mapping[str, str], why: str) -> None:
    if found := [name for name, value in values.items() if value]:
        raise Misconfigured(f"{', '.join(found)} would not be used, since {why}, or remove what is not wanted.")


def _complete(settings: Settings, sasl: Mapping[str, str]) -> None:
    missing = [name for name in ("PARLEY_KAFKA_MECHANISM", "PARLEY_KAFKA_USER") if not sasl[name]]
    passwords = [name for name in ("PARLEY_KAFKA_PASSWORD", "PARLEY_KAFKA_PASSWORD_FILE") if sasl[name]]
    if not passwords:
        missing.append("PARLEY_KAFKA_PASSWORD or PARLEY_KAFKA_PASSWORD_FILE")
    if missing:
        raise Misconfigured(f"PARLEY_KAFKA_SECURITY={settings.kafka_security} wants {', '.join(missing)} as well.")
    if len(passwords) > 1:
        raise Misconfigured(f"{' and '.join(passwords)} are both set: keep one of them.")


def _tls(settings: Settings) -> ssl.SSLContext:
    """Names are always checked; without an authority of one's own the system's are trusted."""
    try:
        context = ssl.create_default_context(cafile=settings.kafka_ca or None)
    except (OSError, ssl.SSLError) as error:
        raise _unusable("PARLEY_KAFKA_CA", settings.kafka_ca, error) from error
    if settings.kafka_certificate:
        try:
            context.load_cert_chain(settings.kafka_certificate, settings.kafka_key or None, password=_no_password)
        except (OSError, ssl.SSLError) as error:
            files = f"{settings.kafka_certificate}, {settings.kafka_key}"
            raise _unusable("PARLEY_KAFKA_CERTIFICATE, PARLEY_KAFKA_KEY", files, error) from error
    return context


def _no_password() -> str:
    """OpenSSL would ask at the terminal for the password of a key that has one."""
    return ""


def _password(settings: Settings) -> str:
    if not settings.kafka_password_file:
        return settings.kafka_password.get_secret_value()
    try:
        return Path(settings.kafka_password_file).read_text("utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable("PARLEY_KAFKA_PASSWORD_FILE", settings.kafka_password_file, error) from error


def _unusable(names: str, files: str, error: Exception) -> Misconfigured:
    said = getattr(error, "strerror", None) or getattr(error, "reason", None) or type(error).__name__
    return Misconfigured(f"{names}: {files} cannot be used ({said}): mount PEM files that this process may read.")
