"""The closed set of things that go wrong, each with a stable code, whether trying again helps, and what to do next."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar, Final, Literal

from shared.contract.codes import Code

Scope = Literal["peer", "account"]

TRANSIENT: Final = frozenset({"throttled", "unreachable"})


class ParleyError(Exception):
    """The docstring of a class is the operator's message; `detail` says which one."""

    code: ClassVar[str] = "unknown"
    retry: ClassVar[bool] = False

    def __init__(self, detail: str = "") -> None:
        self.detail = detail
        super().__init__(f"{(type(self).__doc__ or '').strip()} {detail}".strip())


class Unverified(ParleyError):
    """The sender did not prove itself; check the secret of this app at the provider and in the accounts file."""

    code = "auth"


class UnknownKey(Unverified):
    """The sender names a key that the provider does not have; check whose key endpoint this app asks."""


class KeysUnavailable(ParleyError):
    """The provider does not tell the keys that it signs with; nothing was accepted, the sender should try again."""

    code = "unreachable"
    retry = True


class Torn(ParleyError):
    """The request is not whole; the provider should send it again."""

    code = "malformed"


class Malformed(ParleyError):
    """The payload could not be read; it is kept: see `parley dlq list`, and replay it after a fix."""

    code = "malformed"


class StaysSealed(ParleyError):
    """What is encrypted could not be opened; read it where it was written."""

    code = "unsupported"


class UnknownAccount(ParleyError):
    """No account of this name; add it to the accounts file, then `parley dlq replay` what came meanwhile."""

    code = "unknown_account"


class TooLarge(ParleyError):
    """The body is larger than this address takes."""

    code = "too_long"


class Encoded(ParleyError):
    """The body is encoded, which this address does not take; send it without Content-Encoding."""

    code = "unsupported"


class TooSlow(ParleyError):
    """The body did not arrive in time; the sender should try again."""

    code = "unreachable"
    retry = True


class Crowded(ParleyError):
    """Too much is under way at once; nothing was accepted, the sender should try again."""

    code = "throttled"
    retry = True


class BusUnavailable(ParleyError):
    """Kafka did not acknowledge in time; nothing was accepted, the sender should try again."""

    code = "unreachable"
    retry = True


class BusUnreachable(BusUnavailable):
    """Kafka cannot be used from here; mend what is named, or wait until it is back."""


class StoreUnavailable(ParleyError):
    """The blob store did not answer; nothing was accepted, the sender should try again."""

    code = "unreachable"
    retry = True


class DatabaseUnavailable(ParleyError):
    """PostgreSQL cannot be used at the moment; work goes on when it can."""

    code = "unreachable"
    retry = True


class Contended(DatabaseUnavailable):
    """Two transactions met in PostgreSQL; the work is done again with facts read anew."""


class Restored(DatabaseUnavailable):
    """PostgreSQL is an older copy than what was done with it: nothing is sent or numbered before a person has run `parley recover` (docs/backup.md)."""


class Misconfigured(ParleyError):
    """The configuration cannot be used; mend what is named and start again."""

    code = "malformed"


class Fenced(ParleyError):
    """Another process owns this partition now; what was begun here is rolled back and read again."""

    code = "unknown"
    retry = True


class Gap(ParleyError):
    """Records are gone from the log before they were read; look at the range, then accept it with `parley offsets accept`."""

    code = "unknown"
    reason: ClassVar[str] = "gap"  # a metric's label


class OtherLog(Gap):
    """A position belongs to another log: the topic was made anew, or is another cluster's; see `parley offsets show`."""

    reason = "log"


class Poison(Gap):
    """Record after record cannot be handled: mend or take back this version, which seems to be why, or see `parley offsets show` (docs/operations.md, ParleyStandsStill)."""

    reason = "poison"


class Refusal(ParleyError):
    """The message cannot be sent like this."""

    def __init__(self, code: Code, detail: str = "") -> None:
        super().__init__(detail)
        self.reason: Code = code


class SendFailed(ParleyError):
    """The provider said no. `throttled` and `unreachable` are tried again later, nothing else is."""

    nothing_done = False  # true where the answer says for certain that the request had no effect

    def __init__(
        self, code: Code, detail: str = "", *, retry_after: timedelta | None = None, scope: Scope = "account"
    ) -> None:
        super().__init__(detail)
        self.reason: Code = code
        self.retry_after = retry_after
        self.scope: Scope = scope  # who must wait where it is `throttled`: this conversation, or all of the account


class RouteGone(SendFailed):
    """What came with the message to answer it by is not good any more: nothing was sent, and it goes the other way."""

    nothing_done = True

    def __init__(self, detail: str = "") -> None:
        super().__init__("expired", detail)


class TokenRefused(SendFailed):
    """The provider refused an access token in whose place another comes: nothing was done, and it is asked again."""

    nothing_done = True

    def __init__(self, detail: str = "") -> None:
        super().__init__("unreachable", detail, retry_after=timedelta(seconds=5))


class AlreadySent(ParleyError):
    """The provider has this piece already: a success. Its names are those that the answer tells, so that receipts find them."""

    def __init__(self, detail: str = "", *, external_ids: tuple[str, ...] = (), join_key: str | None = None) -> None:
        super().__init__(detail)
        self.external_ids, self.join_key = external_ids, join_key
