"""What a check of `parley doctor` found: one line, and what to do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final, Literal

from services.cli.running import System

Level = Literal["ok", "warn", "fail"]

PATIENCE: Final = 10.0  # seconds that one question may take


@dataclass(frozen=True)
class Finding:
    """One line of `parley doctor`. `remedy`: what to do, empty where all is well."""

    check: str
    level: Level
    said: str
    remedy: str = ""


Check = Callable[[System], AsyncIterator[Finding]]
