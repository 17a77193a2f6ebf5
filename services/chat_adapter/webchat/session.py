"""Who a visitor is: a token that needs no store, and a site's signature for people whom it knows."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, Field, ValidationError

from services.chat_adapter.webchat.channel import App
from services.chat_adapter.webchat.seal import identifies, seal, unseal
from shared.envelope import Model, Party
from shared.errors import Unverified

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
    """Who is signed in at the site. `signature` proves `id`; the rest are claims."""

    id: Annotated[str, Field(min_length=1, max_length=200)] | None = None
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
    """What a session token says. `address` is "user:<id>" with a site's signature, "visitor:<random>" without."""

    app: str
    address: Annotated[str, Field(min_length=1, max_length=300)]
    verified: Literal["session", "signature"]
    expires_at: AwareDatetime
    claims: Claims = Claims()

    @property
    def party(self) -> Party:
        return Party(address=self.address, verified=self.verified, **self.claims.model_dump())


def open_session(app: App, opening: Opening, now: datetime) -> Visitor:
    """The visitor who asks. Raises Unverified when a user id is signed wrongly.

    A token is renewed only for an anonymous visitor: someone who has signed out at the site has no signature any more,
    and the token that the browser still holds must not live on.
    """
    address, verified = _proven(app, opening.user) or (_known(app, opening.token, now) or _new_address(), "session")
    return Visitor(
        app=app.name,
        address=address,
        verified="signature" if verified == "signature" else "session",
        expires_at=(now + LIFETIME).replace(microsecond=0),
        claims=Claims(
            locale=opening.locale,
            time_zone=opening.time_zone,
            **opening.user.model_dump(include={"name", "email", "phone"}),
        ),
    )


def write_token(app: App, visitor: Visitor) -> str:
    return seal(app.secret, "session", visitor.model_dump_json(exclude_none=True).encode())


def read_token(app: App, token: str, now: datetime) -> Visitor:
    """The visitor a token was written for; raises Unverified when it is forged, of another app, or past its end."""
    visitor = _read(app, token)
    if visitor.expires_at <= now:
        raise Unverified("the session has ended")
    return visitor


def _read(app: App, token: str) -> Visitor:
    try:
        visitor = Visitor.model_validate_json(unseal(app.secret, "session", token))
    except ValidationError as error:
        raise Unverified("not a session token") from error
    if visitor.app != app.name:
        raise Unverified("a session of another app")
    return visitor


def _proven(app: App, user: User) -> tuple[str, str] | None:
    if user.signature is None:
        return None
    if user.id is None or app.identity_secret is None or not identifies(app.identity_secret, user.id, user.signature):
        raise Unverified("the signature of the user id does not match")
    return f"user:{user.id}", "signature"


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
