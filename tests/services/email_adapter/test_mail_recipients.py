"""Whose a mail is where inboxes share a reply domain, as they do behind one MX record."""

from __future__ import annotations

import uuid

import pytest
from pydantic import SecretStr

from services.email_adapter.mail import CHANNEL, replies
from services.email_adapter.recipients import Recipients
from shared.contract.thread_tokens import thread_token
from shared.runtime.accounts import Accounts, AccountsFile
from shared.runtime.settings import Settings

KEY = b"the key of these tests"
DOMAIN = "reply.shop.example"


def inbox(name: str, *, tenant: str = "default", domain: str = DOMAIN) -> object:
    return CHANNEL.account(name=name, tenant=tenant, address=f"{name}@shop.example", reply_domain=domain)


class Given(AccountsFile):
    """Accounts that a test gives and changes, where the real one reads a file."""

    def __init__(self, *accounts: object) -> None:
        self.become(*accounts)

    def become(self, *accounts: object) -> None:
        self.current = Accounts(accounts={("email", one.name): one for one in accounts})


def recipients(accounts: AccountsFile) -> Recipients:
    return Recipients(Settings(secret=SecretStr(KEY.decode())), {"email": CHANNEL}, accounts)


def asked(name: str, conversation: uuid.UUID, *, key: bytes = KEY) -> str:
    """The address that answers to a mail of this inbox go to."""
    signed = thread_token(conversation, key)
    assert signed
    return replies.write(signed, inbox=f"{name}@shop.example", domain=DOMAIN, secret=key)


def owner(found: Recipients, address: str) -> str | None:
    one = found.owner(address)
    return one.account.name if one else None


@pytest.fixture
def conversation() -> uuid.UUID:
    return uuid.uuid4()


@pytest.mark.parametrize("name", ["help", "sales", "zoo"])
def test_an_answer_comes_in_by_the_inbox_that_it_answers(name: str, conversation: uuid.UUID) -> None:
    found = recipients(Given(inbox("help"), inbox("sales", tenant="acme"), inbox("zoo")))
    address = asked(name, conversation)
    assert owner(found, address) == name
    assert owner(found, address.upper()) == name, "letters may change their case on the way"


def test_the_inbox_in_an_address_cannot_be_exchanged_by_who_has_it(conversation: uuid.UUID) -> None:
    found = recipients(Given(inbox("help"), inbox("sales", tenant="acme")))
    local = asked("help", conversation).partition("@")[0]
    forged = local[:-8] + replies.mark_of(local[6:48], "sales@shop.example", b"another key")
    assert owner(found, f"{forged}@{DOMAIN}") is None


def test_a_forged_token_is_nobodys(conversation: uuid.UUID) -> None:
    found = recipients(Given(inbox("help"), inbox("sales")))
    assert owner(found, asked("help", conversation, key=b"another key")) is None


def test_an_answer_to_an_inbox_that_is_gone_is_taken_by_the_next_of_its_tenant(conversation: uuid.UUID) -> None:
    accounts = Given(inbox("help"), inbox("sales"))
    found = recipients(accounts)
    address = asked("sales", conversation)
    accounts.become(inbox("help"))
    assert owner(found, address) == "help"
    accounts.become(inbox("other", tenant="acme"), inbox("help"))
    assert owner(found, address) is None, "nobody's rather than another tenant's"


def test_an_address_of_before_names_no_inbox_and_is_taken_where_there_is_no_doubt(conversation: uuid.UUID) -> None:
    accounts = Given(inbox("help"))
    before = f"inbox+{thread_token(conversation, KEY)}@{DOMAIN}"
    found = recipients(accounts)
    assert owner(found, before) == "help"
    accounts.become(inbox("help"), inbox("sales", tenant="acme"))
    assert owner(found, before) is None


def test_postmaster_is_heard_for_each_domain_that_is_served() -> None:
    accounts = Given(inbox("help"), inbox("sales", tenant="acme"))
    found = recipients(accounts)
    for address in ("postmaster", "Postmaster", "POSTMASTER@shop.example", f"postmaster@{DOMAIN}"):
        assert owner(found, address) == "help", address
    assert owner(found, "postmaster@elsewhere.example") is None
    assert owner(recipients(Given()), "postmaster") is None, "there is nobody yet"


def test_postmaster_goes_where_the_operator_says() -> None:
    settings = Settings(secret=SecretStr(KEY.decode()), smtp_postmaster="Sales@shop.example")
    found = Recipients(settings, {"email": CHANNEL}, Given(inbox("help"), inbox("sales")))
    assert owner(found, "postmaster@shop.example") == "sales"
    assert owner(found, "postmaster") == "sales"


def test_an_inbox_called_postmaster_is_itself() -> None:
    assert owner(recipients(Given(inbox("help"), inbox("postmaster"))), "postmaster@shop.example") == "postmaster"
