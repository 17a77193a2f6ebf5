"""Bearer tokens that a provider signs by RS256 (RFC 7519), with keys that it tells as a JWK set (RFC 7517)."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers

from shared.contract.channel import UnknownKey, Unverified
from shared.contract.readable import otherwise

Json = dict[str, Any]

SKEW: Final = timedelta(minutes=5).total_seconds()
# Times are looked at by the context's clock (see `_check_times`).
UNTIMED: Final = dict.fromkeys(("verify_exp", "verify_nbf", "verify_iat"), False)


def signers(jwks: Json, about: Callable[[Json], Json]) -> dict[str, Json]:
    """The RSA keys of a JWK set by their ids, each with what else is to be known of it; what is no such key is left out."""
    found = {jwk["kid"]: otherwise(lambda jwk=jwk: _signer(jwk, about), None) for jwk in jwks["keys"]}  # type: ignore[misc]
    return {name: signer for name, signer in found.items() if signer}


def _signer(jwk: Json, about: Callable[[Json], Json]) -> Json:
    public_key(jwk["n"], jwk["e"])
    return {"n": jwk["n"], "e": jwk["e"], **about(jwk)}


@lru_cache(maxsize=64)
def public_key(n: str, e: str) -> RSAPublicKey:
    """RFC 7518 §6.3.1."""
    number, exponent = (int.from_bytes(base64.urlsafe_b64decode(value + "==")) for value in (n, e))
    return RSAPublicNumbers(exponent, number).public_key()


def claims_of(
    header: str,
    keys: Mapping[str, Json],
    *,
    audience: Sequence[str],
    issuer: Sequence[str],
    now: datetime,
    require: Sequence[str] = (),
) -> tuple[Json, Json]:
    """What the bearer token of an Authorization header says, and the key that signed it. Raises Unverified, and UnknownKey."""
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not _is_canonical(token):
        raise Unverified("no bearer token")
    options: Any = {**UNTIMED, "require": ["exp", "iss", "aud", *require]}
    try:
        signer = keys.get(jwt.get_unverified_header(token)["kid"])
        if signer is None:
            raise UnknownKey
        key = public_key(signer["n"], signer["e"])
        claims: Json = jwt.decode(token, key, ["RS256"], options, audience=audience, issuer=issuer)
    except jwt.PyJWTError as error:
        raise Unverified(type(error).__name__) from None
    _check_times(claims, now.timestamp())
    return claims, signer


def _is_canonical(token: str) -> bool:
    """Base64 takes any of several letters where its last bits mean nothing; only one is what was sent."""
    signature = token.rpartition(".")[2].encode("ascii")
    return base64.urlsafe_b64encode(base64.urlsafe_b64decode(signature + b"==")).rstrip(b"=") == signature


def _check_times(claims: Json, now: float) -> None:
    """From `nbf`, else from `iat`, until `exp`."""
    begins: Any = claims.get("nbf", claims.get("iat", now))
    if not begins - SKEW <= now < claims["exp"] + SKEW:
        raise Unverified("not good at this time")
