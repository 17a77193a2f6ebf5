"""What one who brings mail may take of us, all of it before a byte is parsed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """`message`, `line`, `command`, `memory`, `share`, `small`, `reserve` in bytes; `idle`, `block`, `data`, `session` in
    seconds; `rate` in bytes per second.

    `memory` is what all mails that are coming in may hold together, and `share` what those of one address may: one of the
    largest. Mails of up to `small` bytes have the `reserve` for themselves, however many large ones there are.
    `idle` is what RFC 5321 §4.5.3.2.7 asks for between commands, `block` §4.5.3.2.5 between two pieces of a mail; a whole mail
    has `data` at the most, less where it comes more slowly than `rate`.
    """

    message: int = 35 * 1024 * 1024
    line: int = 64 * 1024
    command: int = 2048
    memory: int = 128 * 1024 * 1024
    share: int = 40 * 1024 * 1024
    small: int = 256 * 1024
    reserve: int = 32 * 1024 * 1024
    idle: float = 300.0
    block: float = 180.0
    data: float = 600.0
    session: float = 1800.0
    rate: float = 8 * 1024.0
    connections: int = 1000
    per_address: int = 20
    recipients: int = 100
    errors: int = 10


LIMITS: Final = Limits()
