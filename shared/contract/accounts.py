"""Who receives and who sends: the settings of apps and accounts, on which each channel builds its own."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field as Described

from shared.contract.policy import PolicySettings


class Settings(BaseModel):
    """One table of the accounts file. An unknown name in it is a mistake and refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Described(description="the table's own name; it is part of addresses and never changes")


class App(Settings):
    """What receives: the secrets that verify. One webhook address per app: /hooks/{channel}/{app}."""

    account: str = Described(default="", description="the account of an app that has only one; default: the app's name")

    @property
    def account_key(self) -> str:
        return self.account or self.name


class Account(Settings):
    """What sends: a number, a page, a bot, and its token. `called_by`: the setting that holds its `key`."""

    called_by: ClassVar[str] = "name"

    tenant: str = Described(default="default", description="whose account this is")
    app: str = Described(default="", description="the app that receives for it; default: the account's name")
    region: str = Described(
        default="",
        pattern=r"^([A-Z]{2})?$",
        description="the country (ISO 3166: KH) of phone numbers that do not say theirs",
    )
    policy: PolicySettings = Described(
        default=PolicySettings(),
        description="what is done with its conversations: a table of its own ([settings](../../settings.md#an-accounts-policy))",
    )
    per_second: float | None = Described(
        default=None, gt=0, description="calls a second that the provider takes of it, where it is not the usual"
    )

    @property
    def key(self) -> str:
        """What the provider calls this account in its payloads."""
        key: str = getattr(self, self.called_by)
        return key

    @property
    def receiver(self) -> str:
        return self.app or self.name
