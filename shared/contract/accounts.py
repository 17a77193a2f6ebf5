"""Who receives and who sends: the settings of apps and accounts, on which each channel builds its own."""

from __future__ import annotations

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
    """What sends: a number, a page, a bot, and its token."""

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

    @property
    def key(self) -> str:
        """What the provider calls this account in its payloads."""
        return self.name

    @property
    def receiver(self) -> str:
        return self.app or self.name
