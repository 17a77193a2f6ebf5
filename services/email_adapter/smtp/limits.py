"""What one who brings mail may take of us, all of it before a byte is parsed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """`message`, `line`, `command`, `memory` in bytes; `idle`, `session` in seconds; `rate` in bytes per second.

    `memory` is what all mails that are coming in may hold together: a thousand of the largest would be 35 GiB.
    """

    message: int = 35 * 1024 * 1024
    line: int = 64 * 1024
    command: int = 2048
    memory: int = 384 * 1024 * 1024
    idle: float = 300.0
    session: float = 1800.0
    rate: float = 500.0
    connections: int = 1000
    per_address: int = 20
    recipients: int = 100
    errors: int = 10


LIMITS: Final = Limits()
