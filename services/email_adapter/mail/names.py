"""What the email channel is configured with."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field as Described, SecretStr, model_validator

from services.email_adapter.mail.addresses import wire_domain
from services.email_adapter.mail.signing import Signer, private_key
from services.email_adapter.mail.spam import Filter
from shared.contract import channel
from shared.contract.channel import Security
from shared.contract.identities import mail_address

SELECTOR: Final = re.compile(r"(?=.{1,200}$)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*")


def selector(name: str) -> str:
    """A name in DNS (RFC 6376 §3.1)."""
    if name and not SELECTOR.fullmatch(name):
        raise ValueError("is no selector; letters, digits and hyphens, with dots between them")
    return name.lower()


def signing(pem: SecretStr) -> SecretStr:
    """A key that signs, or none."""
    if pem.get_secret_value():
        private_key(pem.get_secret_value())
    return pem


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
    spam_filter: Filter = Described(
        default="any",
        description="whose headers say that a mail is spam: spamassassin, rspamd, exchange, none; any: of whichever stands before us",
    )

    dkim_selector: Annotated[str, AfterValidator(selector)] = Described(
        default="", description="the name under which `dkim_key` is published; `parley dkim` prints the record"
    )
    dkim_key: Annotated[SecretStr, AfterValidator(signing)] = Described(
        default=SecretStr(""),
        description="the private key that signs what goes out (PEM, RSA of 2048 bits or Ed25519); empty: it is not signed here",
    )
    dkim_other_selector: Annotated[str, AfterValidator(selector)] = Described(
        default="", description="the name of a second key"
    )
    dkim_other_key: Annotated[SecretStr, AfterValidator(signing)] = Described(
        default=SecretStr(""),
        description="a second key that signs too: Ed25519 beside RSA, or the next while the old one ends",
    )
    dkim_domain: str = Described(default="", description="whose signature it is; default: the address's domain")

    @model_validator(mode="after")
    def _keys_have_names(self) -> Account:
        for name, key in self._dkim():
            if bool(name) != bool(key.get_secret_value()):
                raise ValueError("a DKIM key and its selector stand together; give both or none")
        return self

    def _dkim(self) -> tuple[tuple[str, SecretStr], ...]:
        return (self.dkim_selector, self.dkim_key), (self.dkim_other_selector, self.dkim_other_key)

    @property
    def signers(self) -> tuple[Signer, ...]:
        """Who signs what goes out."""
        domain = self.dkim_domain.lower() or wire_domain(self.address)
        return tuple(Signer(domain, name, key.get_secret_value()) for name, key in self._dkim() if name)

    @property
    def key(self) -> str:
        return self.address or self.name

    @property
    def id_domain(self) -> str:
        return (self.domain or self.address.rpartition("@")[2]).lower()
