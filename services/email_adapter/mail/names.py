"""What the email channel is configured with."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field as Described, SecretStr

from shared.contract import channel
from shared.contract.channel import Security
from shared.contract.identities import mail_address


class App(channel.App):
    """What receives: nothing of mail's own; the accounts name their addresses."""


class Account(channel.Account):
    """An inbox: its address, and the server that its mail goes out by."""

    address: Annotated[str, AfterValidator(mail_address)] = Described(
        min_length=3, max_length=254, description="the inbox's address, the sender of what goes out"
    )
    display_name: str = Described(default="", max_length=255, description="the name beside it")
    reply_domain: str = Described(
        default="",
        description="a domain no person uses, whose mail comes here: answers go to inbox+token@ it; inboxes may share it; empty: to the address",
    )
    domain: str = Described(default="", description="the domain of Message-IDs; default: the address's")
    host: str = Described(default="", description="the server that mail is handed to; empty: this inbox only receives")
    port: int = Described(default=587, ge=1, le=65535, description="its port")
    security: Security = Described(default="starttls", description="none, starttls or tls")
    username: str = Described(default="", description="for its AUTH; empty: none")
    password: SecretStr = Described(default=SecretStr(""), description="for its AUTH")

    @property
    def key(self) -> str:
        return self.address or self.name

    @property
    def id_domain(self) -> str:
        return (self.domain or self.address.rpartition("@")[2]).lower()
