"""Who a visitor is: a token that needs no store, and a site's signature for people whom it knows."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal

import jwt
from jwt.types import Options
from pydantic import AwareDatetime, Field, SecretStr, ValidationError

from services.chat_adapter.webchat.channel import App
from shared.contract.envelope import Model, Party
from shared.contract.errors import Unverified
from shared.contract.identities import proved
from shared.contract.seal import seal, unseal

LIFETIME: Final = timedelta(days=30)
RENEWABLE: Final = timedelta(days=365)  # after its end a token proves only whose history to go on with

UNTIMED: Final = Options(require=["sub", "exp"], verify_exp=False, verify_iat=False, verify_nbf=False)

Vouched = Literal["id", "name", "email", "phone"]


class Claims(Model):
    """What a visitor says of itself: hints for whoever answers, never evidence."""

    name: Annotated[str, Field(max_length=200)] | None = None
    email: Annotated[str, Field(max_length=254)] | None = None
    phone: Annotated[str, Field(max_length=32)] | None = None
    locale: Annotated[str, Field(max_length=35)] | None = None
    time_zone: Annotated[str, Field(max_length=64)] | None = None


class User(Model):
    """Who is signed in at the site. `signature` proves `id`, or `id` and `name`; `token` is what the site says of this `id`
    (Signed); the rest are claims.

    No control characters in an id: a line break stands between what is signed, so that none is taken for an id and a name.
    """

    id: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")] | None = None
    name: Annotated[str, Field(max_length=200)] | None = None
    email: Annotated[str, Field(max_length=254)] | None = None
    phone: Annotated[str, Field(max_length=32)] | None = None
    signature: Annotated[str, Field(max_length=128)] | None = None
    token: Annotated[str, Field(max_length=4096)] | None = None


class Signed(Model):
    """What a site's token says of its user, in the words of OpenID Connect (Core 1.0 §5.1): whether it has seen that the mail
    address or phone number is theirs too.
    """

    sub: str
    exp: int
    name: Annotated[str, Field(max_length=200)] | None = None
    email: Annotated[str, Field(max_length=254)] | None = None
    email_verified: bool = False
    phone_number: Annotated[str, Field(max_length=32)] | None = None
    phone_number_verified: bool = False


class Opening(Model):
    """The body of POST /webchat/{app}/session. `token`: an older one of the same visitor."""

    user: User = User()
    locale: Annotated[str, Field(max_length=35)] | None = None
    time_zone: Annotated[str, Field(max_length=64)] | None = None
    token: Annotated[str, Field(max_length=4096)] | None = None


class Visitor(Model):
    """What a session token says. `address` is "user:<id>" with a site's signature, "visitor:<random>" without.

    `name_verified`: the signature covers the name among the claims. `proved`: which of them the site has seen to be theirs.
    """

    app: str
    address: Annotated[str, Field(min_length=1, max_length=300)]
    verified: Literal["session", "signature"]
    name_verified: bool = False
    proved: tuple[Literal["email", "phone"], ...] = ()
    expires_at: AwareDatetime
    claims: Claims = Claims()

    @property
    def party(self) -> Party:
        claims = self.claims.model_dump()
        return Party(
            address=self.address,
            verified=self.verified,
            proofs=tuple(proof for kind in self.proved for proof in proved(kind, claims[kind], by="signature")),
            name_verified=self.name_verified,
            **claims,
        )


def open_session(app: App, opening: Opening, now: datetime) -> Visitor:
    """The visitor who asks. Raises Unverified where there is a signature, or a token, and it is not the site's for this id.

    A token is renewed only for an anonymous visitor: someone who has signed out at the site has no signature any more,
    and the token that the browser still holds must not live on.
    """
    user, vouched = _known_by(app, opening.user, now)
    return Visitor(
        app=app.name,
        address=f"user:{user.id}" if vouched else _renewed(app, opening.token, now) or _new_address(),
        verified="signature" if vouched else "session",
        name_verified="name" in vouched,
        proved=tuple(kind for kind in ("email", "phone") if kind in vouched),
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


def _known_by(app: App, user: User, now: datetime) -> tuple[User, frozenset[Vouched]]:
    """The user, and what of them the site vouches for: nothing, where it has signed nothing."""
    if user.token is not None:
        return _told(app, user, user.token, now)
    if user.signature is None:
        return user, frozenset()
    if user.id and app.identity_secret:
        if user.name and identifies(app.identity_secret, user.signature, user.id, user.name):
            return user, frozenset({"id", "name"})
        if identifies(app.identity_secret, user.signature, user.id):
            return user, frozenset({"id"})
    raise Unverified("the signature is not of this user id, nor of the id and the name")


def _told(app: App, user: User, token: str, now: datetime) -> tuple[User, frozenset[Vouched]]:
    """By the site's token (RFC 7519, HS256); what it does not say is what the visitor says."""
    if app.identity_secret is None:
        raise Unverified("the app has no identity_secret")
    try:
        claims = jwt.decode(token, app.identity_secret.get_secret_value(), algorithms=["HS256"], options=UNTIMED)
        said = Signed.model_validate(claims)
    except (jwt.PyJWTError, ValidationError) as error:
        raise Unverified(f"the token is not the site's: {type(error).__name__}") from None
    if said.sub != user.id or said.exp <= now.timestamp():
        raise Unverified("the token is of another user id, or has ended")
    theirs: dict[Vouched, tuple[str | None, bool]] = {
        "name": (said.name, True),
        "email": (said.email, said.email_verified),
        "phone": (said.phone_number, said.phone_number_verified),
    }
    known: dict[str, str] = {name: value for name, (value, _) in theirs.items() if value}
    vouched: set[Vouched] = {name for name, (value, seen) in theirs.items() if value and seen}
    return user.model_copy(update=known), frozenset({"id", *vouched})


def _renewed(app: App, token: str | None, now: datetime) -> str | None:
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
