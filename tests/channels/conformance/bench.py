"""One channel on the bench: its record, its settings, its samples, and what it makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
from pydantic import BaseModel, SecretStr

from services.chat_adapter import registry as chat
from services.cli.sample import Stand, plain, settings_of, told
from services.cli.wire import parse_http
from services.email_adapter import registry as email
from services.social_adapter import registry as social
from shared.contract.channel import (
    Account,
    Channel,
    Incoming,
    Mail,
    MailRead,
    Request,
)
from shared.contract.errors import Malformed
from shared.inbound import translate

__all__ = ["plain", "told"]

Json = dict[str, Any]

SAMPLES: Final = Path(__file__).parents[1]
REGISTRIES: Final = {"chat": chat.CHANNELS, "social": social.CHANNELS, "email": email.CHANNELS}
CHANNELS: Final[dict[str, Channel]] = {
    name: channel for registry in REGISTRIES.values() for name, channel in registry.items()
}


def having(*functions: str) -> list[str]:
    """The channels whose record has all of these functions."""
    return [name for name, channel in CHANNELS.items() if all(getattr(channel, function) for function in functions)]


WEBHOOKS: Final = having("inbound")
MAILS: Final = having("mail")
SENDERS: Final = having("outbound")
BENCHED: Final = [name for name in CHANNELS if any(name in some for some in (WEBHOOKS, MAILS, SENDERS))]


def only(name: str) -> None:
    """What stands in a list of all channels is of this one, before any test is made of it."""
    for names in (WEBHOOKS, MAILS, SENDERS, BENCHED):
        names[:] = {name} & {*names}


class Bench(Stand):
    """A channel with the settings of its samples, and what it makes of them."""

    @property
    def folder(self) -> Path:
        return SAMPLES / self.channel.name

    @property
    def to(self) -> str:
        """Somebody as the channel addresses them."""
        address: str = self.told.get("to", "12345")
        return address

    def account_of(self, sample: Mapping[str, Any]) -> Account:
        """The account, with the settings that the sample has of its own."""
        own = sample.get("account")
        return self.account.model_validate({**vars(self.account), **own}) if own else self.account

    def read(self, request: Request) -> tuple[Incoming, ...]:
        """Those of its events that can be read."""
        return tuple(one for one in self.read_each(request) if not isinstance(one, Malformed))

    def read_each(self, request: Request) -> tuple[Incoming | Malformed, ...]:
        return translate.read_each(self.channel, self.app, translate.unpacked(self.channel, request), self.context)

    def read_mail(self, mail: Mail) -> MailRead:
        return translate.read_mail(self.channel.mail, self.account, mail, self.context)

    def verify(self, request: Request) -> None:
        translate.verify(self.channel, self.app, request, self.context)

    def stamp(self, incoming: Incoming) -> BaseModel:
        return translate.stamp(incoming, channel=self.channel, account=self.account, received_at=self.context.now)

    def secrets(self) -> list[str]:
        values = (*vars(self.app).values(), *vars(self.account).values())
        return [secret for value in values if isinstance(value, SecretStr) and (secret := value.get_secret_value())]


@cache
def bench(name: str) -> Bench:
    """The channel with the settings of its samples; the test fails with what to write where there are none."""
    channel, file = CHANNELS[name], SAMPLES / name / "settings.json"
    if not file.exists():
        pytest.fail(f"write tests/channels/{name}/settings.json: app, account, now (docs/adding-a-channel.md)")
    return Bench(**vars(settings_of(channel, orjson.loads(file.read_bytes()))))


def samples(names: Iterable[str], suffix: str) -> list[Any]:
    paths = [(name, path) for name in names for path in sorted((SAMPLES / name).glob(f"*{suffix}"))]
    return [pytest.param(name, path, id=f"{name}-{path.name.removesuffix(suffix)}") for name, path in paths]


@cache
def requests(name: str) -> tuple[Request, ...]:
    return tuple(parse_http(path.read_bytes()) for path in sorted((SAMPLES / name).glob("*.in.http")))


def expected(path: Path) -> Json:
    """What a sample in (NAME.in.http, NAME.eml) becomes, as its NAME.json says."""
    beside = path.with_name(f"{path.name.removesuffix('.in.http').removesuffix('.eml')}.json")
    told: Json = orjson.loads(beside.read_bytes())
    return told


def mail_of(path: Path) -> Mail:
    """A sample's mail, in the envelope that its NAME.json names."""
    envelope = expected(path).get("envelope", {})
    return Mail(path.read_bytes(), envelope.get("sender", ""), tuple(envelope.get("recipients", ())))
