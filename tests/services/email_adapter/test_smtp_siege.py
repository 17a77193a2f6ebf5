"""Each attack of the siege on the mail port does what it says, and whoever brings an ordinary mail meanwhile is heard."""

from __future__ import annotations

import asyncio
import pkgutil
from collections.abc import AsyncIterator, Callable
from importlib import import_module
from pathlib import Path

import pytest

from deploy.local.home import Addresses
from services.email_adapter.smtp.limits import Limits
from tests.patience import until
from tests.services.email_adapter.port import INBOUND, Port, port
from tests.shared.broker import records_of, settings_for
from tests.siege import attacks, ordinary
from tests.siege.ground import Ground

Seen = Callable[[Port], object]


async def from_mallory(door: Port) -> bool:
    """Whether one of the attacker's mails was taken."""
    return any(b"mallory@attacker.example" in record.key for record in await records_of(door.settings, INBOUND))


ATTACKS: dict[str, tuple[dict[str, int], Seen]] = {
    "held_mails": ({"SIZE": 50_000, "COUNT": 3}, lambda door: door.listener._door.held >= 3 * 49_000),
    "idle_connections": ({"COUNT": 6, "ADDRESSES": 3}, lambda door: door.listener._door.inside >= 6),
    "large_mails": ({"SIZE": 50_000, "AT_ONCE": 2}, from_mallory),
    "many_parts": ({"PARTS": 5, "AT_ONCE": 2}, from_mallory),
}


@pytest.fixture
async def door(servers: Addresses, tmp_path: Path) -> AsyncIterator[Port]:
    async with port(settings_for(servers.kafka), tmp_path, limits=Limits(per_address=3)) as door:
        yield door


def test_every_attack_on_the_mail_port_is_tried_here() -> None:
    every = {module.name for module in pkgutil.iter_modules(attacks.__path__)}
    targets = {name: import_module(f"tests.siege.attacks.{name}").TARGET for name in every}
    assert {name for name, target in targets.items() if target == "email_adapter"} == set(ATTACKS)


@pytest.mark.parametrize("name", ATTACKS)
async def test_an_attack(door: Port, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes, seen = ATTACKS[name]
    module, ground = import_module(f"tests.siege.attacks.{name}"), Ground(http=0, smtp=door.listener.port)
    for constant, size in sizes.items():
        monkeypatch.setattr(module, constant, size)
    attacking = asyncio.create_task(module.attack(ground))
    try:
        await until(lambda: seen(door))
        assert await ordinary.mail(ground)
        assert not attacking.done()
    finally:
        attacking.cancel()
        await asyncio.gather(attacking, return_exceptions=True)
