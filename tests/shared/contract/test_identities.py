"""What people are known by: of whose people an id is, one way of writing each address, and what proves too little."""

from __future__ import annotations

import pytest

from shared.contract import identities
from shared.contract.codes import CHANNELS
from shared.contract.envelope import Envelope, Party, Proof
from tests.shared.contract.test_records import golden

GLOBAL = {"email", "telegram", "discord", "x", "bluesky", "youtube", "sms", "telnyx", "rcs", "voicemail"}


@pytest.mark.parametrize("channel", CHANNELS)
def test_an_id_that_is_only_known_to_be_one_accounts_is_another_persons_at_another_account(channel: str) -> None:
    one, other = (identities.identity_kind(channel, account) for account in ("shop", "school"))
    assert (one == other) == (channel in GLOBAL)
    assert one == (channel if channel in GLOBAL else f"{channel}:shop")


@pytest.mark.parametrize(
    ("kind", "told", "region", "written"),
    [
        ("email", "Dara@Example.ORG", None, "dara@example.org"),
        ("email", " dara+shop@xn--bcher-kva.example", None, "dara+shop@bücher.example"),
        ("email", '"sok dara"@example.org', None, '"sok dara"@example.org'),
        ("phone", "+855 12 345 678", None, "+85512345678"),
        ("phone", "012 345 678", "KH", "+85512345678"),
        ("phone", "០១២ ៣៤៥ ៦៧៨", "KH", "+85512345678"),
        ("phone", "001 855 12-345-678", "KH", "+85512345678"),
        ("facebook:shop", "Ab-12 ", None, "Ab-12 "),
    ],
)
def test_an_address_is_written_in_one_way(kind: str, told: str, region: str | None, written: str) -> None:
    assert identities.normalised(kind, told, region=region) == written
    assert identities.normalised(kind, written) == written
    assert identities.proved(kind, told, by="provider", region=region) == (
        Proof(kind=kind, value=written, by="provider"),
    )


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("email", "dara"),
        ("email", "dara@"),
        ("email", "a@b, c@d"),
        ("email", ""),
        ("phone", "012 345 678"),
        ("phone", "+855"),
        ("phone", "+85512345678901234"),
        ("phone", "call me"),
        ("phone", "5512345678"),
        ("phone", "+" + "9" * 100_000),
    ],
)
def test_what_is_no_address_proves_nothing(kind: str, told: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        identities.normalised(kind, told)
    assert identities.proved(kind, told, by="provider") == ()


def test_what_was_only_said_is_a_hint_unless_it_is_proved_beside() -> None:
    message = Envelope.model_validate(golden("inbound~proofs"))
    assert identities.hints_of(message) == ()
    typed = Party(address="4242", phone="+855 12 345 678", email="Dara@example.org", verified="provider")
    assert identities.hints_of(message.model_copy(update={"sender": typed})) == (
        ("email", "dara@example.org"),
        ("phone", "+85512345678"),
    )
    assert identities.hints_of(message.model_copy(update={"sender": typed, "direction": "outbound"})) == ()


@pytest.mark.parametrize(
    ("address", "several"),
    [
        ("info@example.org", True),
        ("Support+web@example.org", True),
        ("no-reply@example.org", True),
        ("dara@info.example", False),
        ("information.dara@example.org", False),
    ],
)
def test_a_mailbox_named_after_a_task_is_nobodys_own(address: str, *, several: bool) -> None:
    assert identities.is_role_mailbox(address) is several


def test_what_many_have_proved_is_no_one_persons() -> None:
    assert identities.shared_beyond("phone") < 12 < identities.shared_beyond("telegram")
