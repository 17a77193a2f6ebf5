"""Parts of an adapter for a test that needs some of them; using one that it has not given breaks."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from shared.provider.parts import Parts
from shared.runtime.lifecycle import Health

NAMES = {field.name for field in fields(Parts)}


def make_parts(**given: Any) -> Parts:
    return Parts(**(dict.fromkeys(NAMES) | {"family": "chat", "health": Health()} | given))
