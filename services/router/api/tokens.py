"""Who may ask the API for what: PARLEY_TOKEN opens everything, each token of the file PARLEY_TOKENS its tenants within its scope."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

import structlog
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.router.api.answers import Handler, Mistake, answering, explain, refuse
from shared.contract.errors import Misconfigured
from shared.runtime.settings import Settings

Scope = Literal["read", "write", "admin"]

RANKS: Final[Mapping[Scope, int]] = {"read": 0, "write": 1, "admin": 2}
ALL: Final = "*"  # of `tenants`: every one there is
MOST: Final = 1000  # tokens of a file, and tenants of one
LOOK: Final = 1.0  # seconds between two looks at the file

log = structlog.get_logger(__name__)


class Entry(BaseModel):
    """One table of the file. `sha256`: of the token, in hexadecimal digits, so that the file opens nothing to who reads it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    tenants: Annotated[
        frozenset[Annotated[str, Field(min_length=1, max_length=255)]], Field(min_length=1, max_length=MOST)
    ]
    scope: Scope


@dataclass(frozen=True)
class Grant:
    """What a token opens. `tenants`: None is all of them."""

    name: str
    scope: Scope
    tenants: frozenset[str] | None = None

    def covers(self, scope: Scope) -> bool:
        return RANKS[self.scope] >= RANKS[scope]

    def sees(self, tenant: str) -> bool:
        return self.tenants is None or tenant in self.tenants

    @property
    def only(self) -> list[str] | None:
        """The tenants as a parameter of a query; None: no condition."""
        return None if self.tenants is None else sorted(self.tenants)

    @property
    def own(self) -> str:
        """The tenant of a request that names none."""
        return next(iter(self.tenants)) if self.tenants and len(self.tenants) == 1 else "default"

    def check(self, tenant: str) -> None:
        """Raises Mistake (403) where the tenant is not this token's."""
        if not self.sees(tenant):
            raise Mistake(403, "scope", f"this token is not for the tenant {tenant}: name one of its own as `tenant`")


EVERYTHING: Final = Grant("PARLEY_TOKEN", "admin")
GRANT: Final = web.RequestKey("grant", Grant)


class Tokens:
    """The tokens as they are now. A new file that cannot be used changes nothing, and is told in the log."""

    def __init__(self, settings: Settings) -> None:
        """Read the file; raises Misconfigured."""
        self._main = settings.token.get_secret_value()
        self._path = Path(settings.tokens) if settings.tokens else None
        self._content = _content(self._path) if self._path else None
        self._grants = _read(self._path, self._content) if self._path else {}

    async def watch(self) -> None:
        """For ever: at content, since Kubernetes swaps links under the name."""
        while self._path:
            await asyncio.sleep(LOOK)
            await self.refresh()

    async def refresh(self) -> None:
        """Look once."""
        if self._path is None:
            return
        content = await asyncio.to_thread(_content, self._path)
        if content == self._content:
            return
        self._content = content
        try:
            self._grants = _read(self._path, content)
        except Misconfigured as error:
            log.error("tokens.reload_failed", detail=error.detail, kept="the tokens read before")
        else:
            log.info("tokens.reloaded", tokens=len(self._grants))

    def grant(self, header: str) -> Grant:
        """What this Authorization header opens (RFC 6750). Raises Mistake: 403 where the API is closed, 401 for no token of ours."""
        if not self._main:
            raise Mistake(403, "auth", "the API is closed: set PARLEY_TOKEN")
        shown = header.encode("utf-8", "surrogateescape")
        is_main = hmac.compare_digest(shown, b"Bearer " + self._main.encode())
        digest = hashlib.sha256(shown.removeprefix(b"Bearer ")).digest() if shown.startswith(b"Bearer ") else b""
        found = [grant for known, grant in self._grants.items() if hmac.compare_digest(known, digest)]
        if is_main:
            return EVERYTHING
        if not found:
            raise Mistake(401, "auth", "send the token as Authorization: Bearer …")
        return found[0]

    def stands(self, grant: Grant) -> bool:
        """Whether it still opens what it did: a stream outlives many changes of the file."""
        return grant is EVERYTHING or grant in self._grants.values()


def guarded(tokens: Tokens, scope: Scope, handler: Handler) -> Handler:
    """`handler`, for those who show a token of this scope or a wider one; what it raises becomes an answer."""

    async def guard(request: web.Request) -> web.StreamResponse:
        try:
            request[GRANT] = grant = tokens.grant(request.headers.get("Authorization", ""))
            if not grant.covers(scope):
                raise Mistake(403, "scope", f"this token may {grant.scope}; this wants one that may {scope}")
        except Mistake as mistake:
            return refuse(mistake)
        return await answering(handler, request)

    return guard


def _content(path: Path) -> str | None:
    """What stands in the file: nothing where there is none, None where it cannot be read."""
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError):
        return None


def _read(path: Path, content: str | None) -> dict[bytes, Grant]:
    """The grants by the digests of their tokens. Raises Misconfigured with the table and what to do."""
    if content is None:
        raise Misconfigured(f"PARLEY_TOKENS: {path} cannot be read; mend its permissions, save it as UTF-8.")
    try:
        tables = tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(f"PARLEY_TOKENS: {path} is not TOML: {error}; mend that line.") from error
    if len(tables) > MOST:
        raise Misconfigured(f"PARLEY_TOKENS: {path} names {len(tables)} tokens, {MOST} are the most.")
    grants: dict[bytes, Grant] = {}
    for name, table in tables.items():
        try:
            entry = Entry.model_validate(table)
        except ValidationError as error:
            raise Misconfigured(f"PARLEY_TOKENS: {path}: [{name}] {explain(error)}; see integrate.md.") from error
        digest = bytes.fromhex(entry.sha256)
        if digest in grants:
            raise Misconfigured(
                f"PARLEY_TOKENS: {path}: [{name}] is the token of [{grants[digest].name}]; make another."
            )
        grants[digest] = Grant(name, entry.scope, None if ALL in entry.tenants else entry.tenants)
    return grants
