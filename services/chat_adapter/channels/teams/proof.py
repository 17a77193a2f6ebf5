"""How Teams proves itself — https://learn.microsoft.com/en-us/azure/bot-service/rest-api/bot-framework-rest-connector-authentication."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers

from shared.contract.channel import UnknownKey, Unverified
from shared.contract.readable import otherwise

Json = dict[str, Any]

SKEW: Final = timedelta(minutes=5).total_seconds()
CHANNEL_ID: Final = "msteams"
# Times are looked at by the context's clock (see `_check_times`).
OPTIONS: Final[Any] = {
    "require": ["exp", "iss", "aud", "serviceurl"],
    **dict.fromkeys(("verify_exp", "verify_nbf", "verify_iat"), False),
}


def signers(jwks: Json) -> dict[str, Json]:
    """The RSA keys of a JWK set (RFC 7517) by their ids, with the channels whose activities each may sign."""
    found = {jwk["kid"]: otherwise(lambda jwk=jwk: _signer(jwk), None) for jwk in jwks["keys"]}  # type: ignore[misc]
    return {name: signer for name, signer in found.items() if signer}


def _signer(jwk: Json) -> Json:
    public_key(jwk["n"], jwk["e"])
    return {"n": jwk["n"], "e": jwk["e"], "endorsements": list(jwk.get("endorsements") or ())}


@lru_cache(maxsize=64)
def public_key(n: str, e: str) -> RSAPublicKey:
    """RFC 7518 §6.3.1."""
    number, exponent = (int.from_bytes(base64.urlsafe_b64decode(value + "==")) for value in (n, e))
    return RSAPublicNumbers(exponent, number).public_key()


def claims_of(header: str, keys: Mapping[str, Json], *, app_id: str, issuer: str, now: datetime) -> tuple[Json, Json]:
    """What a bearer token of the connector says, and whose it is. Raises Unverified, and UnknownKey."""
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not _is_canonical(token):
        raise Unverified("no bearer token")
    try:
        head = jwt.get_unverified_header(token)
        signer = keys.get(head["kid"])
        if signer is None:
            raise UnknownKey
        claims: Json = jwt.decode(
            token,
            public_key(signer["n"], signer["e"]),
            algorithms=["RS256"],
            audience=app_id,
            issuer=issuer,
            options=OPTIONS,
        )
    except jwt.PyJWTError as error:
        raise Unverified(type(error).__name__) from None
    _check_times(claims, now.timestamp())
    return claims, signer


def _is_canonical(token: str) -> bool:
    """Base64 takes any of several letters where its last bits mean nothing; only one is what was sent."""
    signature = token.rpartition(".")[2].encode("ascii")
    return base64.urlsafe_b64encode(base64.urlsafe_b64decode(signature + b"==")).rstrip(b"=") == signature


def _check_times(claims: Json, now: float) -> None:
    if not claims.get("nbf", now) - SKEW <= now < claims["exp"] + SKEW:
        raise Unverified("not good at this time")


def check_body(activity: Json, claims: Json, signer: Json) -> None:
    """Whether the token is for this activity. Raises Unverified."""
    if activity["serviceUrl"] != claims["serviceurl"]:
        raise Unverified("another service URL")
    if activity["channelId"] != CHANNEL_ID or CHANNEL_ID not in signer["endorsements"]:
        raise Unverified("not endorsed for this channel")
