"""Who a visitor is: a token that needs no store, and a site's signature for people whom it knows."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, Field, SecretStr, ValidationError

from services.chat_adapter.webchat.channel import App
from shared.contract.envelope import Model, Party
from shared.contract.errors import Unverified
from shared.contract.seal import seal, unseal

LIFETIME: Final = timedelta(days=30)
RENEWABLE: Final = timedelta(days=365)  # after its end a token proves only whose history to go on with

Short = Annotated[str, Field(max_length=100)]


class Claims(Model):
    """What a visitor says of itself: hints for whoever answers, never evidence."""

    name: Annotated[str, Field(max_length=200)] | None = None
    email: Annotated[str, Field(max_length=254)] | None = None
    phone: Annotated[str, Field(max_length=32)] | None = None
    locale: Annotated[str, Field(max_length=35)] | None = None
    time_zone: Annotated[str, Field(max_length=64)] | None = None


class User(Model):
    """Who is signed in at the site. `signature` proves `id`, or `id` and `name`; the rest are claims.

    No control characters in an id: a line break stands between what is signed, so that none is taken for an id and a name.
    """

    id: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")] | None = None
    name: Annotated[str, Field(max_length=200)] | None = None
    email: Annotated[str, Field(max_length=254)] | None = None
    phone: Annotated[str, Field(max_length=32)] | None = None
    signature: Annotated[str, Field(max_length=128)] | None = None


class Opening(Model):
    """The body of POST /webchat/{app}/session. `token`: an older one of the same visitor."""

    user: User = User()
    locale: Annotated[str, Field(max_length=35)] | None = None
    time_zone: Annotated[str, Field(max_length=64)] | None = None
    token: Annotated[str, Field(max_length=4096)] | None = None


class Visitor(Model):
    """What a session token says. `address` is "user:<id>" with a site's signature, "visitor:<random>" without.

    `name_verified`: the signature covers the name among the claims.
    """

    app: str
    address: Annotated[str, Field(min_length=1, max_length=300)]
    verified: Literal["session", "signature"]
    name_verified: bool = False
    expires_at: AwareDatetime
    claims: Claims = Claims()

    @property
    def party(self) -> Party:
        claims = self.claims.model_dump()
        return Party(address=self.address, verified=self.verified, name_verified=self.name_verified, **claims)


def open_session(app: App, opening: Opening, now: datetime) -> Visitor:
    """The visitor who asks. Raises Unverified where there is a signature and neither the id nor id and name are what it signs.

    A token is renewed only for an anonymous visitor: someone who has signed out at the site has no signature any more,
    and the token that the browser still holds must not live on.
    """
    user = opening.user
    signed = _signed(app, user)
    return Visitor(
        app=app.name,
        address=f"user:{user.id}" if signed else _known(app, opening.token, now) or _new_address(),
        verified="signature" if signed else "session",
        name_verified=signed == "id and name",
        expires_at=(now + LIFETIME).replace(microsecond=0),
        claims=Claims(
            locale=opening.locale,
            time_zone=opening.time_zone,
            **user.model_dump(include={"name", "email", "phone"}),
        ),
    )


def write_session_token(app: App, visitor: Visitor) -> str:
    return seal(app.secret, "webchat session", visitor.model_dump_json(exclude_none=True).encode())


def read_session_token(app: App, token: str, now: datetime) -> Visitor:
    """The visitor a token was written for; raises Unverified when it is forged, of another app, or past its end."""
    visitor = _read(app, token)
    if visitor.expires_at <= now:
        raise Unverified("the session has ended")
    return visitor


def _read(app: App, token: str) -> Visitor:
    try:
        visitor = Visitor.model_validate_json(unseal(app.secret, "webchat session", token))
    except ValidationError as error:
        raise Unverified("not a session token") from error
    if visitor.app != app.name:
        raise Unverified("a session of another app")
    return visitor


def _signed(app: App, user: User) -> Literal["id", "id and name"] | None:
    if user.signature is None:
        return None
    if user.id and app.identity_secret:
        if user.name and identifies(app.identity_secret, user.signature, user.id, user.name):
            return "id and name"
        if identifies(app.identity_secret, user.signature, user.id):
            return "id"
    raise Unverified("the signature is not of this user id, nor of the id and the name")


def _known(app: App, token: str | None, now: datetime) -> str | None:
    """The anonymous visitor of an older token, while it may be renewed; a token that proves nothing is as good as none."""
    if token is None:
        return None
    try:
        visitor = _read(app, token)
    except Unverified:
        return None
    renewable = visitor.verified == "session" and visitor.expires_at + RENEWABLE > now
    return visitor.address if renewable else None


def _new_address() -> str:
    return f"visitor:{secrets.token_urlsafe(18)}"


def identifies(secret: SecretStr, signature: str, *signed: str) -> bool:
    """Whether a site signed these lines, a user id or an id and a name: hex HMAC-SHA256, the scheme that chat widgets call
    identity verification.
    """
    good = hmac.digest(secret.get_secret_value().encode(), "\n".join(signed).encode(), hashlib.sha256)
    try:
        return hmac.compare_digest(good, bytes.fromhex(signature))
    except ValueError:
        return False
