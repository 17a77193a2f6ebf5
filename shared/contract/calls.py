"""What comes in over HTTP, and what a channel asks of its provider: it yields the request and is sent the answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Literal, Protocol, Self, TypeVar
from urllib.parse import urlencode

import orjson
from pydantic import SecretStr

from shared.contract.bodies import Blob, Encoded, Form
from shared.contract.errors import Scope, SendFailed
from shared.contract.mend import loads

DAY: Final = 86_400.0  # seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A request as it came in: raw bytes, lower-case header names, the public URL (not the proxy's)."""

    method: str = "POST"
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        return loads(self.body)


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """An answer, of ours or of a provider."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        return loads(self.body)

    @property
    def ok(self) -> bool:
        """That it was done (RFC 9110 §15.3). What sends elsewhere has done nothing, for nobody goes there with a token."""
        return 200 <= self.status < 300

    @property
    def moved(self) -> bool:
        """That it sends elsewhere (RFC 9110 §15.4): to its header `location`, where it has one."""
        return 300 <= self.status < 400

    @property
    def max_age(self) -> timedelta | None:
        """How long it may be kept, where it says so: https://www.rfc-editor.org/rfc/rfc9111#section-5.2.2.1."""
        said = re.search(r"(?<![\w-])max-age=\"?(\d{1,9})", self.headers.get("cache-control", ""), re.IGNORECASE)
        return timedelta(seconds=int(said[1])) if said else None

    @property
    def retry_after(self) -> timedelta | None:
        """When to try again, in seconds and at most a day (RFC 9110 §10.2.3); said as a date it is not read."""
        said = re.fullmatch(r"[0-9]+(\.[0-9]+)?", self.headers.get("retry-after", "").strip())
        return timedelta(seconds=min(float(said[0]), DAY)) if said else None

    @classmethod
    def of_json(cls, value: object, *, status: int = 200) -> Self:
        return cls(status=status, headers={"content-type": "application/json"}, body=orjson.dumps(value))


def bearer(token: SecretStr) -> dict[str, str]:
    """RFC 6750 §2.1."""
    return {"authorization": f"Bearer {token.get_secret_value()}"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Http:
    """A request to make.

    `body`: bytes, a form, or a blob as it is: streamed, from its beginning whenever it is tried again. `commits`: a person will
    see its effect, so the ledger turns to `sending` just before it and it is never repeated; all others are safe to repeat
    (docs/architecture.md, Sending). `stranger`: someone else chose the address, so only public ones are reached. `secret`: a part
    of the URL that no log may show. `throttles`: who must wait after a "too many" that does not say it itself. `cost`: units of
    the channel's quota that it spends, whatever comes of it. `moves`: the answer may say where it stands instead
    (Response.moved), which the channel reads. `counts`: what it is, and of what, where the provider
    tells with its answers how many more of these there may be (Channel.limit). `after`: how long to wait before it is asked, ten
    seconds at the most, where the provider said when to come again.
    """

    method: str = "POST"
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Form | Blob = b""
    commits: bool = False
    stranger: bool = False
    secret: SecretStr | None = None
    throttles: Scope = "account"
    cost: int = 0
    moves: bool = False
    counts: tuple[str, ...] = ()
    after: timedelta = timedelta(0)
    timeout: timedelta = timedelta(seconds=20)

    @classmethod
    def get(
        cls,
        url: str,
        asked: Mapping[str, Any] = {},
        *,
        token: SecretStr | None = None,
        headers: Mapping[str, str] = {},
        cost: int = 0,
    ) -> Self:
        """`asked`: the query; what is None is left out, and each of several is asked."""
        query = urlencode({name: value for name, value in asked.items() if value is not None}, doseq=True)
        url = f"{url}?{query}" if query else url
        return cls(method="GET", url=url, headers={**(bearer(token) if token else {}), **headers}, cost=cost)

    @classmethod
    def post_json(
        cls,
        url: str,
        value: object,
        *,
        headers: Mapping[str, str] = {},
        token: SecretStr | None = None,
        secret: SecretStr | None = None,
        commits: bool = False,
        throttles: Scope = "account",
        cost: int = 0,
        timeout: timedelta = timedelta(seconds=20),
    ) -> Self:
        return cls(
            url=url,
            headers={"content-type": "application/json", **(bearer(token) if token else {}), **headers},
            body=orjson.dumps(value),
            commits=commits,
            secret=secret,
            cost=cost,
            throttles=throttles,
            timeout=timeout,
        )

    @property
    def shown_url(self) -> str:
        """The URL for logs and metrics: its secret replaced."""
        return self.url.replace(self.secret.get_secret_value(), "***") if self.secret else self.url


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """What an answer tells of a limit: its name, how many more requests it allows, and when it is full again."""

    bucket: str
    remaining: int
    resets_in: timedelta


Security = Literal["none", "starttls", "tls"]


class Signing(Protocol):
    """Signs a mail: is given all of its bytes in order, the whole head among the first, and then makes `fields`."""

    def feed(self, piece: bytes, /) -> None: ...

    def fields(self) -> bytes: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Smtp:
    """One mail to hand over (RFC 5321), answered by a Response: the reply's code and text.

    What is in the other's hands begins with the final dot: before it, a broken connection has sent nothing. `signs`: begins what
    signs it, whose fields go before it.
    """

    host: str
    port: int
    security: Security = "starttls"
    username: str = ""
    password: SecretStr = SecretStr("")
    sender: str
    recipients: tuple[str, ...]
    data: tuple[bytes | Encoded, ...]
    signs: Callable[[], Signing] | None = field(default=None, repr=False)
    commits: bool = True
    timeout: timedelta = timedelta(minutes=2)


Asked = Http | Smtp


def judge(request: Asked, answer: Response, outcome: Callable[[Response], None]) -> None:
    """Raises what a channel's `outcome` says of an answer. One that sends elsewhere is asked for again, where that may be done:
    it may be a gateway's, and says nothing of what was asked.
    """
    if isinstance(request, Http) and answer.moved and not request.commits:
        if request.moves:
            return
        raise SendFailed("unreachable", f"HTTP {answer.status}: it sends elsewhere")
    outcome(answer)


T = TypeVar("T")


Steps = Generator[Asked, Response, T]


def unless_gone(request: Http) -> Steps[Response | None]:
    """The answer; None where what it is about is not there any more: whoever takes it back has what they want."""
    try:
        return (yield request)
    except SendFailed as failed:
        if failed.reason != "bad_address":
            raise
        return None
