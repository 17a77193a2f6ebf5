"""What is made of a check: whose mail it is, what a trusted server says, what deceives people; and what is answered to whoever brings it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import SecretStr

from deploy.local.home import Addresses
from services.email_adapter.mail import CHANNEL, addresses
from services.email_adapter.mail.inbound import read
from services.email_adapter.mail.names import Account
from services.email_adapter.proof.checking import Brought, Checking, Trust
from services.email_adapter.proof.names import Resolver
from shared.contract.channel import Context, Mail
from shared.contract.envelope import Checks
from shared.contract.errors import Misconfigured
from shared.runtime.crowd import networks
from shared.runtime.settings import Settings
from tests.services.email_adapter.port import INBOUND, Port, mail, port
from tests.services.email_adapter.zones import serving
from tests.shared.broker import records_of, settings_for

OURS = "mx.parley.example"
ANN = "Ann <ann@shop.example>"


def said(*results: str, sender: str = ANN, then: str = "") -> bytes:
    """A mail with these Authentication-Results, topmost first."""
    head = "".join(f"Authentication-Results: {one}\r\n" for one in results)
    return (head + f"From: {sender}\r\nTo: help@parley.example\r\n{then}Subject: Hi\r\n\r\nHello\r\n").encode()


async def believed(raw: bytes, peer: str = "10.0.0.9") -> Checks | None:
    trust = Trust(relays=networks("10.0.0.0/8"), server=OURS)
    return await Checking(trust, None).check(raw, Brought(peer, "", ""))


PASS = f"{OURS}; dmarc=pass header.from=shop.example"
RESULTS = (
    ("a pass", said(PASS), "pass", None),
    ("all of them", said(f'{OURS}; spf=pass smtp.mailfrom=a@shop.example; dkim=fail reason="bad; sig" header.d=shop.example;\r\n dmarc=fail (p=REJECT sp=none dis=none) header.from=shop.example'), "fail", "reject"),
    ("with a version, folded", said(f"{OURS} 1;\r\n\tdmarc=pass (p=none dis=none)\r\n\theader.from=SHOP.example"), "pass", "none"),
    ("in capitals", said(PASS.upper().replace("SHOP.EXAMPLE", "shop.example")), "pass", None),
    ("somebody else's", said("mx.evil.example; dmarc=pass header.from=shop.example"), "none", None),
    ("somebody else's above ours", said("mx.evil.example; dmarc=pass header.from=shop.example", f"{OURS}; dmarc=fail header.from=shop.example"), "fail", None),
    ("ours, and one below that somebody brought", said(f"{OURS}; dmarc=fail (p=quarantine) header.from=shop.example", PASS), "fail", "quarantine"),
    ("no result", said(f"{OURS}; none"), "none", None),
    ("none at all", said(), "none", None),
    ("of another domain", said(f"{OURS}; dmarc=pass header.from=evil.example"), "none", None),
    ("of no domain", said(f"{OURS}; dmarc=pass"), "none", None),
    ("in a comment", said(f"{OURS}; spf=none (dmarc=pass header.from=shop.example)"), "none", None),
    ("in a comment in a comment", said(f"{OURS}; spf=none (a (b) ; dmarc=pass header.from=shop.example)"), "none", None),
    ("in quotes", said(f'{OURS}; spf=none smtp.mailfrom="x; dmarc=pass header.from=shop.example"'), "none", None),
    ("a second one, brought in by a name that the server wrote down", said(f"{OURS}; spf=none smtp.helo=x; dmarc=pass header.from=shop.example; dmarc=fail header.from=shop.example"), "none", None),
    ("a word that is none", said(f"{OURS}; dmarc=excellent header.from=shop.example"), "none", None),
    ("its name is only the beginning", said(f"{OURS}.evil.example; dmarc=pass header.from=shop.example"), "none", None),
    ("two senders", said(PASS, then="From: eve@evil.example\r\n"), "none", None),
)  # fmt: skip


@pytest.mark.parametrize(("raw", "dmarc", "policy"), [one[1:] for one in RESULTS], ids=[one[0] for one in RESULTS])
async def test_what_a_trusted_server_says(raw: bytes, dmarc: str, policy: str | None) -> None:
    found = await believed(raw)
    assert found is not None
    assert (found.dmarc, found.policy, found.by) == (dmarc, policy, OURS)


async def test_results_are_read_only_from_our_own_servers() -> None:
    for peer in ("192.0.2.1", "unknown", "::ffff:192.0.2.1"):
        assert await believed(said(PASS), peer) is None, peer
    found = await believed(said(PASS), "::ffff:10.0.0.9")
    assert found is not None
    assert found.dmarc == "pass"


async def test_of_any_number_of_senders_only_two_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of addresses that are hard to read would hold up the loop."""
    asked: list[str] = []
    real = addresses.mail_address
    monkeypatch.setattr(addresses, "mail_address", lambda address: asked.append(address) or real(address))
    found = await believed(said(PASS, sender=", ".join(f"ü{n}@shöp{n}.example" for n in range(2000))))
    assert found is not None
    assert (found.dmarc, len(asked)) == ("none", 2)


async def test_whatever_stands_in_the_results_is_read_in_linear_time() -> None:
    for filler in ("(" * 50_000, '"' * 50_000, "\\" * 50_000, ";=" * 25_000, "(" * 25_000 + ")" * 25_000):
        found = await believed(said(f"{OURS}; spf=pass {filler}", PASS))
        assert found is not None
        assert found.dmarc == "none"


def test_networks_that_are_none_are_told_by_the_settings_name() -> None:
    with pytest.raises(Misconfigured, match="PARLEY_SMTP_RELAYS"):
        Trust.of(Settings(smtp_relays="10.0.0.0/33"))
    with pytest.raises(Misconfigured, match="PARLEY_DNS"):
        Resolver("ns.example")


# what the channel makes of it

ACCOUNT = Account(name="help", address="help@parley.example")
CONTEXT = Context(now=datetime(2026, 11, 30, tzinfo=UTC))


def proved(raw: bytes, **checks: Any) -> Any:
    told = {"domain": "shop.example", "dmarc": "pass", "by": "dns"} | checks
    (message,) = read(ACCOUNT, Mail(raw, checks=Checks(**told)), CONTEXT).records
    return message


SENDERS = (
    (said(), {}, "dmarc", "dmarc"),
    (said(sender="Ann <ANN@Shop.Example>"), {}, "dmarc", "dmarc"),
    (said(sender="<ann@sh\u00f6p.example>"), {"domain": "xn--shp-tna.example"}, "dmarc", "dmarc"),
    (said(sender="<\u17a2@shop.example>"), {}, "dmarc", "dmarc"),
    (said(), {"domain": "evil.example"}, None, "none"),
    (said(), {"domain": ""}, None, "none"),
    (said(then="From: eve@evil.example\r\n"), {}, None, "none"),
    (said(), {"dmarc": "temperror", "policy": "reject"}, None, "none"),
    (said(), {"dmarc": "none"}, None, "none"),
    (said(), {"dmarc": "fail", "policy": "reject"}, None, "fail"),
    (said(), {"dmarc": "fail", "policy": "quarantine"}, None, "fail"),
    (said(), {"dmarc": "fail", "policy": "none"}, None, "none"),
    (said(), {"dmarc": "fail"}, None, "fail"),
    (said(), {"dmarc": "permerror", "domain": ""}, None, "fail"),
)


@pytest.mark.parametrize(("raw", "checks", "verified", "authentication"), SENDERS)
def test_a_sender_is_verified_only_by_a_pass_for_just_their_domain(
    raw: bytes, checks: dict[str, Any], verified: str | None, authentication: str
) -> None:
    message = proved(raw, **checks)
    assert (message.sender.verified, message.assessment.authentication) == (verified, authentication)
    assert message.sender.proofs == ()


FLAGS = (
    (said(), ()),
    (said(then="Reply-To: ann@mail.shop.example\r\n"), ()),
    (said(then="Reply-To: eve@evil.example\r\n"), ("reply_to_elsewhere",)),
    (said(sender="<ann@shop.co.uk>", then="Reply-To: <eve@evil.co.uk>\r\n"), ("reply_to_elsewhere",)),
    (said(sender='"ceo@parley.example" <eve@evil.example>'), ("address_in_name",)),
    (said(sender='"Ann, ann@shop.example" <ann@shop.example>'), ()),
    (said(sender="<ann@pаypal.example>"), ("lookalike_domain",)),  # one letter of Cyrillic
    (said(sender="<ann@xn--pypal-4ve.example>"), ("lookalike_domain",)),
    (said(sender="<ann@аррӏе.example>"), ("lookalike_domain",)),  # all of Cyrillic
    (said(sender="<ann@почта.example>"), ()),
    (said(sender="<ann@ខ្មែរ.example>"), ()),
    (said(sender="<ann@店店ショップ.example>"), ()),
    (said(sender="<ann@shop-42.example>"), ()),
)


@pytest.mark.parametrize(("raw", "flags"), FLAGS)
def test_what_people_are_deceived_with_is_flagged(raw: bytes, flags: tuple[str, ...]) -> None:
    assert proved(raw, dmarc="none").assessment.flags == flags


# at the port

ZONE: Any = {
    "_dmarc.shop.example": {"TXT": ("v=DMARC1; p=reject",)},
    "shop.example": {"TXT": ("v=spf1 ip4:127.0.0.1 -all",)},
}


@pytest.fixture
async def door(servers: Addresses, tmp_path: Path) -> AsyncIterator[Port]:
    """Relays are at 127.0.0.9; whoever else comes is checked by DNS, and refused where the domain asks for it."""
    box = Account(name="help", address="help@parley.example", tenant="default", password=SecretStr("x"))
    async with serving(ZONE) as server:
        trust = Trust(relays=networks("127.0.0.9"), server=OURS, by_dns=True)
        checking = Checking(trust, Resolver(f"127.0.0.1:{server.port}"))
        settings = settings_for(servers.kafka)
        async with port(settings, tmp_path, channel=CHANNEL, boxes=(box,), checking=checking, smtp_reject=True) as door:
            yield door


async def brought(door: Port, address: str, content: bytes, sender: str = "ann@shop.example") -> str:
    client = await door.client(address)
    await client.begin(sender=sender)
    client.write(content + b".\r\n")
    return await client.reply()


async def test_a_mail_is_checked_before_it_is_taken(door: Port) -> None:
    forged = mail("forged", From="ann@shop.example") + b"\r\n"
    assert await brought(door, "127.0.0.2", forged) == (
        "550 5.7.1 the domain in From asks that what it did not send is refused (DMARC)"
    )
    assert (await brought(door, "127.0.0.1", forged)).startswith("250 ")
    assert (await brought(door, "127.0.0.9", said(PASS), sender="b@list.example")).startswith("250 ")
    relayed = said(f"{OURS}; dmarc=fail (p=reject) header.from=shop.example")
    assert (await brought(door, "127.0.0.9", relayed)).startswith("250 "), "a relay would write to whoever was forged"
    assert (await brought(door, "127.0.0.2", said(PASS, sender="<x@other.example>"))).startswith("250 ")
    records = [orjson.loads(one.value) for one in await records_of(door.settings, INBOUND)]
    assert [(one["sender"].get("verified"), one["assessment"]["checks"]["by"]) for one in records] == [
        ("dmarc", "dns"),
        ("dmarc", OURS),
        (None, OURS),
        (None, "dns"),
    ]
