"""Where a siege takes place: a service of its own on loopback, and who attacks it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Final

SECONDS: Final = 15.0  # of one attack; what holds its connections holds them until then
READY: Final = "it begins"  # what an attacker says who has loaded what it needs


@dataclass(frozen=True, kw_only=True)
class Ground:
    """The ports of the service: `smtp` is 0 where it takes no mail."""

    http: int
    smtp: int = 0


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What a sender who does nothing wrong saw, and what it cost us. Milliseconds, MiB of resident memory, of the
    service and the processes that it began together.

    `refused`: what was not taken at the first try. `unready`: how many of the looks at /health/ready were not answered 200.
    """

    sent: int
    refused: int
    p50: float
    p99: float
    unready: int
    megabytes: float

    def row(self) -> dict[str, float]:
        return asdict(self)


Attack = Callable[[Ground], Awaitable[None]]
