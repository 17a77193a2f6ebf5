"""Access tokens that a provider gives for a while: kept encrypted in PostgreSQL, the same for every replica."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
import structlog
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from shared.contract import channel
from shared.contract.channel import Account, Channel, Token
from shared.contract.codes import Failure
from shared.contract.errors import DatabaseUnavailable, SendFailed
from shared.runtime.settings import Settings
from shared.storage.database import Pool, connected, transaction

log = structlog.get_logger(__name__)

EARLY: Final = timedelta(minutes=5)  # before its end a token is refreshed at the latest
LIVES: Final = (timedelta(minutes=1), timedelta(days=400))  # within which we take a provider's word
BELIEVED: Final = timedelta(
    minutes=5
)  # a new token that is refused within this time is not refreshed: it is not the token

LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)

Place = tuple[str, str]  # channel, account


@dataclass(frozen=True, kw_only=True, slots=True)
class Credential:
    """What is stored for an account. `readable`: false where PARLEY_SECRET was another when it was sealed."""

    token: SecretStr | None = None
    refresh: SecretStr | None = None
    epoch: int = 0
    same_settings: bool = False
    refreshed_at: datetime | None = None
    expires_at: datetime | None = None
    refused: bool = False
    tries: int = 0
    next_try: datetime = LONG_AGO
    failure: Failure | None = None
    readable: bool = True

    @property
    def due_at(self) -> datetime:
        """At two thirds of its life, or five minutes before its end; a new one has a third of its life in any case."""
        if self.token is None or self.refused or not self.same_settings or not self.refreshed_at or not self.expires_at:
            return self.next_try
        life = self.expires_at - self.refreshed_at
        return max(self.next_try, self.refreshed_at + max(life / 3, min(life * 2 / 3, life - EARLY)))

    def good(self, now: datetime) -> bool:
        return self.token is not None and self.expires_at is not None and now < self.expires_at


class Credentials:
    """Those of one process's accounts. What was read is remembered until it ends, is refused, or is read again."""

    def __init__(self, settings: Settings, pool: Pool) -> None:
        self._secret, self._pool = settings.secret.get_secret_value().encode(), pool
        self._known: dict[Place, Credential] = {}

    async def token(self, channel: Channel, account: Account) -> SecretStr:
        """The access token to use now. Raises SendFailed (unreachable) while there is none."""
        known = self._known.get((channel.name, account.name))
        if known is None or not known.good(datetime.now(UTC)):
            try:
                known = await self.load(channel, account)
            except DatabaseUnavailable as error:
                raise SendFailed("unreachable", "PostgreSQL, where the access token is, cannot be used") from error
        if known.token is None or not known.good(datetime.now(UTC)):
            why = known.failure.detail if known.failure else "it is being fetched"
            raise SendFailed("unreachable", f"no access token: {why}", retry_after=timedelta(seconds=5))
        return known.token

    async def load(self, channel: Channel, account: Account) -> Credential:
        """What is stored now."""
        place = (channel.name, account.name)
        async with connected(self._pool) as connection:
            row = await connection.fetchrow("SELECT * FROM credential WHERE channel = $1 AND account = $2", *place)
        self._known[place] = found = self._read(account, place, row) if row else Credential()
        return found

    def _read(self, account: Account, place: Place, row: Mapping[str, Any]) -> Credential:
        opened = self._open(place, row["sealed"]) if row["sealed"] else {}
        return Credential(
            token=SecretStr(opened["token"]) if opened else None,
            refresh=SecretStr(opened["refresh"]) if opened and opened["refresh"] else None,
            epoch=row["epoch"],
            same_settings=row["given"] is not None and hmac.compare_digest(row["given"], self._digest(account, place)),
            refreshed_at=row["refreshed_at"],
            expires_at=row["expires_at"],
            refused=row["refused"],
            tries=row["tries"],
            next_try=row["next_try"],
            failure=Failure(code=row["code"], detail=row["detail"]) if row["code"] else None,
            readable=opened is not None,
        )

    async def store(self, channel: Channel, account: Account, token: Token, former: Credential, fence: int) -> None:
        """A new token, before it is used, in place of `former`, by who holds the lease at the epoch `fence`."""
        place = (channel.name, account.name)
        life = min(max(token.expires_in, LIVES[0]), LIVES[1])
        async with transaction(self._pool) as connection:
            await connection.execute(
                """INSERT INTO credential (channel, account, sealed, given, epoch, refreshed_at, expires_at)
                SELECT $1, $2, $3, $4, $5 + 1, now(), now() + $6
                    WHERE EXISTS (SELECT FROM lease WHERE name = $7 AND epoch = $8 FOR SHARE)
                ON CONFLICT (channel, account) DO UPDATE SET sealed = $3, given = $4, epoch = $5 + 1,
                    refreshed_at = excluded.refreshed_at, expires_at = excluded.expires_at,
                    refused = false, tries = 0, next_try = now(), code = NULL, detail = ''
                WHERE credential.epoch = $5""",
                *place,
                self._seal(place, token.value, token.refresh),
                self._digest(account, place),
                former.epoch,
                life,
                lease_name(channel, account),
                fence,
            )
        await self.load(channel, account)

    async def failed(self, channel: Channel, account: Account, failure: Failure, pause: timedelta) -> None:
        """It could not be refreshed; tried again after `pause`."""
        async with transaction(self._pool) as connection:
            await connection.execute(
                """INSERT INTO credential AS kept (channel, account, code, detail, tries, next_try)
                VALUES ($1, $2, $3, $4, 1, now() + $5)
                ON CONFLICT (channel, account) DO UPDATE SET code = $3, detail = $4, tries = kept.tries + 1,
                    next_try = excluded.next_try""",
                channel.name,
                account.name,
                failure.code,
                failure.detail,
                pause,
            )

    async def refused(self, channel: Channel, account: Account, token: SecretStr) -> bool:
        """The provider refused this token: whether another is there, or comes. Each token is refreshed for that once, and
        not before it is five minutes old, however often it is refused.
        """
        stored = await self.load(channel, account)
        if stored.token is None or not hmac.compare_digest(
            stored.token.get_secret_value().encode(), token.get_secret_value().encode()
        ):
            return True
        async with transaction(self._pool) as connection:
            marked = await connection.fetchval(
                """UPDATE credential SET refused = true WHERE channel = $1 AND account = $2 AND epoch = $3
                    AND (refused OR refreshed_at < now() - $4::interval) RETURNING true""",
                channel.name,
                account.name,
                stored.epoch,
                BELIEVED,
            )
        return bool(marked)

    def _key(self, place: Place, use: str) -> bytes:
        """RFC 5869: a key for each account and each use, so that no row can stand in for another."""
        if not self._secret:
            raise SendFailed("unreachable", "PARLEY_SECRET is empty; tokens are kept under it: set it")
        info = orjson.dumps(["credential", use, *place])
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(self._secret)

    def _box(self, place: Place) -> Fernet:
        return Fernet(base64.urlsafe_b64encode(self._key(place, "seal")))

    def _seal(self, place: Place, token: SecretStr, refresh: SecretStr | None) -> bytes:
        shown = {"token": token.get_secret_value(), "refresh": refresh.get_secret_value() if refresh else None}
        return self._box(place).encrypt(orjson.dumps(shown))

    def _open(self, place: Place, sealed: bytes) -> Mapping[str, Any] | None:
        try:
            opened: Mapping[str, Any] = orjson.loads(self._box(place).decrypt(sealed))
        except InvalidToken:
            log.warning("credential.unreadable", channel=place[0], account=place[1])
            return None
        return opened

    def _digest(self, account: Account, place: Place) -> bytes:
        """Of what the channel was given, secrets included; to whom the account belongs here changes no token."""
        shown = account.model_dump(exclude=set(channel.Account.model_fields))
        told = orjson.dumps(shown, option=orjson.OPT_SORT_KEYS, default=_plain)
        return hmac.digest(self._key(place, "settings"), told, hashlib.sha256)


def lease_name(channel: Channel, account: Account) -> str:
    return f"token {channel.name}/{account.name}"


def _plain(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
