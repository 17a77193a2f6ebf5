"""Meta's no, in the closed set of codes — https://developers.facebook.com/docs/graph-api/guides/error-handling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, TypeAdapter, ValidationError

from shared.contract.channel import Response, SendFailed
from shared.contract.codes import Code, Failure
from shared.contract.envelope import Model
from shared.contract.errors import Scope

Number = tuple[int, int]  # a code and its subcode; 0: whatever the subcode


class Details(Model):
    details: str | None = None


class Error(Model):
    """`error` of an answer, or one of `errors` in a webhook."""

    code: int = -1
    error_subcode: Annotated[int, BeforeValidator(lambda subcode: subcode or 0)] = 0
    message: str | None = None
    title: str | None = None
    is_transient: bool | None = None
    error_data: Details | str | None = None

    @property
    def numbers(self) -> tuple[Number, Number]:
        """The most exact first."""
        return (self.code, self.error_subcode), (self.code, 0)

    @property
    def sentence(self) -> str:
        details = self.error_data.details if isinstance(self.error_data, Details) else self.error_data
        number = f"{self.code}/{self.error_subcode}" if self.error_subcode else str(self.code)
        words = (part for part in (self.message or self.title, details) if part)
        return f"({number}) {' – '.join(words)}"[:500]


class Answer(Model):
    error: Error


class Usage(Model):
    """How much of a limit is used up, and how many minutes it takes until calls go through again."""

    estimated_time_to_regain_access: int = 0


@dataclass(frozen=True, slots=True)
class Refusals:
    """How one of Meta's products says no, beside what the whole Graph says (GRAPH).

    `of_one_person`: the throttles that leave everyone else's messages alone.
    """

    codes: Mapping[Number, Code]
    of_one_person: frozenset[Number] = field(default=frozenset())

    def outcome(self, response: Response) -> None:
        """Raise SendFailed for an answer's no. What says nothing of itself is judged by its HTTP status."""
        try:
            error = Answer.model_validate(response.json()).error
        except ValueError:
            if response.ok:
                return
            raise SendFailed(
                _by_status(response.status), f"HTTP {response.status}", retry_after=_wait(response)
            ) from None
        code = self.reason(error) or ("unreachable" if error.is_transient else _by_status(response.status))
        scope: Scope = "account" if self.of_one_person.isdisjoint(error.numbers) else "peer"
        raise SendFailed(
            code, error.sentence, retry_after=_wait(response) if code == "throttled" else None, scope=scope
        )

    def failure(self, error: Mapping[str, Any]) -> Failure:
        """One of the `errors` of a webhook, in our words."""
        found = Error.model_validate(error)
        return Failure(code=self.reason(found) or "refused", detail=found.sentence)

    def reason(self, error: Error) -> Code | None:
        """None where neither the product nor the Graph documents it."""
        own = next((self.codes[number] for number in error.numbers if number in self.codes), None)
        return own or GRAPH.get(error.code) or ("auth" if error.code in PERMISSIONS else None)


def _by_status(status: int) -> Code:
    if status >= 500 or status == 408:
        return "unreachable"
    return STATUSES.get(status, "refused")


def _wait(response: Response) -> timedelta | None:
    """Retry-After in seconds, or Meta's own estimate in minutes, where there is one; at most a day.

    https://developers.facebook.com/docs/graph-api/overview/rate-limiting#headers-2
    """
    if (said := response.retry_after) is not None:
        return said
    try:
        usages = _USAGES.validate_json(response.headers.get("x-business-use-case-usage", ""))
    except ValidationError:
        return None
    minutes = max((one.estimated_time_to_regain_access for many in usages.values() for one in many), default=0)
    return min(timedelta(minutes=min(minutes, 10_000)), DAY) if minutes > 0 else None


DAY: Final = timedelta(days=1)
_USAGES: Final[TypeAdapter[dict[str, tuple[Usage, ...]]]] = TypeAdapter(dict[str, tuple[Usage, ...]])
STATUSES: Final[Mapping[int, Code]] = {401: "auth", 413: "too_long", 429: "throttled"}
PERMISSIONS: Final = range(200, 300)
# https://developers.facebook.com/docs/graph-api/guides/error-handling#errorcodes
# https://developers.facebook.com/docs/graph-api/overview/rate-limiting#error-codes
GRAPH: Final[Mapping[int, Code]] = {
    1: "unreachable",
    2: "unreachable",
    3: "auth",
    4: "throttled",  # the app
    10: "auth",
    17: "throttled",  # the user whose token it is
    32: "throttled",  # a page, by a user's token
    102: "auth",
    190: "auth",
    341: "throttled",
    368: "throttled",  # "Wait and retry the operation"
    506: "refused",  # the same post twice in a row
    613: "throttled",
    80001: "throttled",  # a page, by its own token
    80002: "throttled",  # Instagram
    80006: "throttled",  # Messenger
    80008: "throttled",  # WhatsApp, management
    1609005: "refused",  # a link that cannot be shown
}
