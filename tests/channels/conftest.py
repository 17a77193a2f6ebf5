"""`-k NAME` with the name of a channel is that channel, and no other whose name or test has the word in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.channels.conformance.bench import CHANNELS, only


def pytest_configure(config: pytest.Config) -> None:
    if config.option.keyword in CHANNELS:
        only(config.option.keyword)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    name = config.option.keyword
    if name not in CHANNELS:
        return
    here = Path(__file__).parent
    others = {item for item in items if here in item.path.parents and not _is_of(item, name)}
    config.hook.pytest_deselected(items=[*others])
    items[:] = [item for item in items if item not in others]


def _is_of(item: pytest.Item, name: str) -> bool:
    """Its tests over samples, or those that it has of its own."""
    chosen: Any = getattr(item, "callspec", None)
    return item.path.parent.name == name or (
        chosen is not None and name in (chosen.params.get("name"), chosen.params.get("channel"))
    )
