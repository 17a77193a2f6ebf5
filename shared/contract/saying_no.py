"""How a provider says no where its status says whether it does: by a table of what its body calls it, else by its status."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from shared.contract.calls import Response
from shared.contract.codes import Code
from shared.contract.errors import SendFailed
from shared.contract.readable import otherwise

STATUSES: Final[Mapping[int, Code]] = {
    400: "malformed",
    401: "auth",
    403: "auth",
    404: "bad_address",
    413: "too_long",
    429: "throttled",
}


def _nothing(body: Any) -> tuple[str, str]:
    return "", ""


@dataclass(frozen=True, slots=True)
class SaysNo:
    """A channel's `outcome`. `told`: what the provider's page calls it, by which it stands in `codes`, and its words, both of the body's JSON.

    What failed inside the provider says nothing of what was done. Raises SendFailed.
    """

    provider: str
    told: Callable[[Any], tuple[Any, str]] = _nothing
    codes: Mapping[Any, Code] = field(default_factory=dict)
    statuses: Mapping[int, Code] = field(default_factory=lambda: STATUSES)

    def __call__(self, response: Response) -> None:
        if response.ok:
            return
        if response.status >= 500:
            raise SendFailed("unreachable", f"{self.provider} answered {response.status}")
        name, words = otherwise(lambda: self.told(response.json()), ("", ""))
        code = self.codes.get(name) or self.statuses.get(response.status, "refused")
        detail = ": ".join(str(said) for said in (name, words) if said) or f"HTTP {response.status}"
        raise SendFailed(code, detail[:500], retry_after=response.retry_after)
