"""What a record proves of its sender is the provider's word: one address as it is written everywhere, and nothing that a person can type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

import orjson
import pytest

from shared.contract.channel import Incoming, Malformed, Message
from shared.contract.codes import CHANNELS as NAMES
from shared.contract.envelope import Party, Proof
from shared.contract.errors import Torn
from shared.contract.identities import normalised
from shared.contract.readable import readable
from tests.channels.conformance.bench import CHANNELS, MAILS, WEBHOOKS, bench, having, mail_of, requests
from tests.channels.conformance.exchanges import Provider, came_to
from tests.channels.conformance.tampering import changed, holding, places, tree_of

PLANTED = ("85599000111", "+85599000111", "planted@example.org")
KINDS = {"email", "phone", *NAMES}


def proofs_of(found: Iterable[Incoming | Malformed]) -> set[Proof]:
    return {proof for one in found if isinstance(one, Message) for proof in one.sender.proofs}


def planted(tree: Any, proving: Iterable[str]) -> Iterator[Any]:
    """An address of somebody else in the place of every text but those that the provider vouches for."""
    for path in places(tree):
        where = next((key for key in reversed(path) if isinstance(key, str)), None)
        if where and where not in proving:
            yield from (changed(tree, path, address) for address in PLANTED)


def believed(found: Iterable[Proof]) -> set[str]:
    return {proof.value for proof in found} & {"+85599000111", "planted@example.org"}


@pytest.mark.parametrize("name", WEBHOOKS)
def test_nothing_that_a_person_can_type_proves_an_address(name):
    """`proving` in settings.json: the fields that the provider fills with what it knows of the sender."""
    proving = bench(name).told.get("proving", ())
    for request in requests(name):
        for tree in planted(tree_of(request), proving):
            with suppress(Malformed, Torn):
                assert not believed(proofs_of(bench(name).read_each(holding(request, tree))))


@pytest.mark.parametrize("name", WEBHOOKS)
def test_what_is_proved_is_an_address_of_the_sender_as_it_is_written_everywhere(name):
    on = bench(name)
    for message in (one for request in requests(name) for one in on.read(request) if isinstance(one, Message)):
        for proof in on.stamp(message).sender.proofs:
            assert not message.echo
            assert message.sender.verified
            assert proof.kind.partition(":")[0] in KINDS
            assert proof.value == normalised(proof.kind, proof.value)


@pytest.mark.parametrize("name", MAILS)
def test_a_mail_proves_no_other_address(name):
    mails = [bench(name).read_mail(mail_of(path)) for path in bench(name).folder.glob("*.eml")]
    assert mails
    assert not proofs_of(record for mail in mails for record in mail.records)


@pytest.mark.parametrize("name", having("profile"))
def test_a_profile_proves_no_more_than_the_provider_vouches_for(name):
    proving = bench(name).told.get("proving", ())
    for path in bench(name).folder.glob("*.profile.json"):
        sample = orjson.loads(path.read_bytes())
        for tree in planted(sample["exchange"][-1]["response"]["body"], proving) if sample["exchange"] else ():
            provider = Provider([*sample["exchange"][:-1], with_body(sample["exchange"][-1], tree)])
            with suppress(Malformed), readable():
                found = came_to("profile", name, sample, provider).get("profile", {})
                assert not believed(map(Proof.model_validate, found.get("proofs", ())))


def with_body(step: Any, body: Any) -> Any:
    return {**step, "response": {**step["response"], "body": body}}


BY_LEAVE = [name for name, channel in CHANNELS.items() if "proves_phone" in channel.account.model_fields]


@pytest.mark.parametrize("name", BY_LEAVE)
def test_a_number_proves_its_owner_elsewhere_only_by_the_accounts_leave(name):
    on = bench(name)
    settings = {**vars(on.account), "proves_phone": True}
    willing = on.account.model_validate(settings)
    number, short = Party(address="+85512345678", phone="+85512345678"), Party(address="12345")
    assert on.channel.proves(on.account, number) == ()
    assert on.channel.proves(willing, short) == ()
    assert on.channel.proves(willing, number) == (Proof(kind="phone", value="+85512345678", by="provider"),)


def test_those_whose_people_are_numbers_are_among_them():
    assert {"sms", "telnyx", "rcs", "voicemail"} == {*BY_LEAVE}
