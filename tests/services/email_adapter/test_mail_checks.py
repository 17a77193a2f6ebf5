"""Whether a mail is its sender's: tables of domains, servers and signatures, over a real name server on loopback.

What is signed here is signed by dkimpy, another hand.
"""

from __future__ import annotations

import base64
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from services.email_adapter.proof.checking import Brought, Checking, Trust
from services.email_adapter.proof.names import Resolver
from shared.contract.envelope import Checks
from tests.services.email_adapter.zones import BROKEN, SILENT, Server, serving

RSA = generate_private_key(65537, 2048)
SHORT = generate_private_key(65537, 1024)
OTHER = generate_private_key(65537, 2048)
ED = Ed25519PrivateKey.generate()
TOO_SHORT = (  # 512 bits, which no library makes any more
    "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAK+yDFW8p3aJlWuvuGbTrI2sLtQOCxhRfr1GkBmLzAzqRDfnBLrhAU9WyKVA1oVpUaCJv4jUAU4s8SwLZ1uNoQ8CAwEAAQ=="
)
PEER = "192.0.2.10"


def spki(key: RSAPrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def pem(key: RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


ED_SEED = base64.b64encode(ED.private_bytes_raw())
ED_PUBLIC = base64.b64encode(ED.public_key().public_bytes_raw()).decode()


def txt(*values: str) -> dict[str, tuple[str, ...]]:
    return {"TXT": values}


KEYS = {
    "rsa": txt(f"v=DKIM1; k=rsa; p={spki(RSA)}"),
    "short": txt(f"k=rsa; p={spki(SHORT)}"),
    "tooshort": txt(f"v=DKIM1; p={TOO_SHORT}"),
    "ed": txt(f"v=DKIM1; k=ed25519; p={ED_PUBLIC}"),
    "revoked": txt("v=DKIM1; p="),
    "testing": txt(f"v=DKIM1; t=y; p={spki(RSA)}"),
    "own": txt(f"v=DKIM1; t=s; p={spki(RSA)}"),
    "web": txt(f"v=DKIM1; s=web; p={spki(RSA)}"),
    "two": txt(f"v=DKIM1; p={spki(RSA)}", f"v=DKIM1; p={spki(OTHER)}"),
    "garbage": txt("v=DKIM1; p=%%%"),
    "huge": txt("v=DKIM1; n=" + "x" * 20_000 + f"; p={spki(RSA)}"),
    "long": txt("v=DKIM1; n=" + "x" * 3_000 + f"; p={spki(RSA)}"),  # by TCP
    "broken": BROKEN,
    "silent": SILENT,
    "round": {"CNAME": ("again._domainkey.shop.example.",)},
    "again": {"CNAME": ("round._domainkey.shop.example.",)},
}
ZONE: dict[str, Any] = {
    **{f"{name}._domainkey.shop.example": record for name, record in KEYS.items()},
    "rsa._domainkey.mail.shop.example": KEYS["rsa"],
    "rsa._domainkey.other.example": KEYS["rsa"],
    "rsa._domainkey.list.example": KEYS["rsa"],
    "rsa._domainkey.co.uk": KEYS["rsa"],
    "rsa._domainkey.strict.example": KEYS["rsa"],
    "rsa._domainkey.mail.strict.example": KEYS["rsa"],
    "_dmarc.shop.example": txt("v=DMARC1; p=reject; sp=quarantine"),
    "_dmarc.strict.example": txt("v=DMARC1; p=reject; adkim=s; aspf=s"),
    "_dmarc.watching.example": txt("v=DMARC1; p=none; rua=mailto:d@watching.example"),
    "_dmarc.twice.example": txt("v=DMARC1; p=reject", "v=DMARC1; p=none"),
    "_dmarc.trouble.example": BROKEN,
    "_dmarc.odd.example": txt("v=DMARC1; p=reject; p=none"),
    "_dmarc.firm.co.uk": txt("v=DMARC1; p=reject"),
    "_dmarc.xn--khmer-9za.example": txt("v=DMARC1; p=reject"),
    # SPF: who may send
    "shop.example": txt("v=spf1 ip4:192.0.2.0/24 -all", "another text"),
    "mail.shop.example": txt("v=spf1 ip4:192.0.2.0/24 -all"),
    "strict.example": txt("v=spf1 ip4:192.0.2.0/24 -all"),
    "mail.strict.example": txt("v=spf1 ip4:192.0.2.0/24 -all"),
    "soft.example": txt("v=spf1 ~all"),
    "unsaid.example": txt("v=spf1 ?all"),
    "trouble.example": BROKEN,
    "silent.example": SILENT,
    "twice.example": txt("v=spf1 -all", "v=spf1 +all"),
    "typo.example": txt("v=spf1 ipv4:192.0.2.1 -all"),
    "chain.example": txt("v=spf1 " + " ".join(f"include:{n}.chain.example" for n in range(11)) + " -all"),
    **{f"{n}.chain.example": txt("v=spf1 ip4:198.51.100.1 -all") for n in range(11)},
    "void.example": txt("v=spf1 a:a.void.example a:b.void.example a:c.void.example ip4:192.0.2.0/24 -all"),
    "loop.example": txt("v=spf1 include:loop.example -all"),
    "alias.example": {"CNAME": ("shop.example.",)},
    "ring.example": {"CNAME": ("ring2.example.",)},
    "ring2.example": {"CNAME": ("ring.example.",)},
    "macro.example": txt("v=spf1 exists:%{ir}.%{l}.ok.example -all"),
    "10.2.0.192.ann.ok.example": {"A": ("127.0.0.2",)},
    "mx.example": {"TXT": ("v=spf1 mx -all",), "MX": ("10 in.mx.example.",)},
    "in.mx.example": {"A": (PEER,)},
    "helo.example": txt("v=spf1 ip4:192.0.2.0/24 -all"),
    "big.example": txt("v=spf1 " + "ip4:198.51.100.1 " * 1200 + "-all"),
}


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[Server]:
    async with serving(ZONE) as found:
        yield found


HEAD = (
    b"From: Ann <ann@{domain}>\r\nTo: help@parley.example\r\nSubject: An order\r\n"
    b"Date: Mon, 30 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@shop.example>\r\n"
)
BODY = b"Two lamps, please. \r\n\r\n  Ann\t \r\n\r\n\r\n"


def mail(domain: str = "shop.example", head: bytes = HEAD, body: bytes = BODY) -> bytes:
    return head.replace(b"{domain}", domain.encode()) + b"\r\n" + body


def signed(
    raw: bytes,
    *,
    selector: str = "rsa",
    domain: str = "shop.example",
    key: RSAPrivateKey | None = None,
    form: str = "relaxed/relaxed",
    **more: Any,
) -> bytes:
    """Signed by dkimpy, above the mail."""
    head, _, body = form.partition("/")
    ed = selector == "ed"
    made = dkim.DKIM(raw).sign(
        selector.encode(),
        domain.encode(),
        ED_SEED if ed else pem(key or RSA),
        signature_algorithm=b"ed25519-sha256" if ed else b"rsa-sha256",
        canonicalize=(head.encode(), body.encode()),
        **more,
    )
    return made + raw


async def check(server: Server, raw: bytes, *, sender: str = "", peer: str = PEER, **more: Any) -> Checks:
    trust = Trust(by_dns=True, forwarders=frozenset(more.pop("forwarders", ())))
    checking = Checking(trust, Resolver(f"127.0.0.1:{server.port}", seconds=1.0), seconds=more.pop("seconds", 20.0))
    found = await checking.check(raw, Brought(peer, more.pop("helo", "nowhere.example"), sender), **more)
    assert found is not None
    return found


SPF = (
    ("ann@shop.example", PEER, "pass"),
    ("ann@shop.example", "198.51.100.7", "fail"),
    ("ann@shop.example", "2001:db8::1", "fail"),
    ("ann@shop.example", "::ffff:192.0.2.10", "pass"),
    ("ann@soft.example", PEER, "softfail"),
    ("ann@unsaid.example", PEER, "neutral"),
    ("ann@nothing.example", PEER, "none"),
    ("ann@trouble.example", PEER, "temperror"),
    ("ann@silent.example", PEER, "temperror"),
    ("ann@twice.example", PEER, "permerror"),
    ("ann@typo.example", PEER, "permerror"),
    ("ann@chain.example", PEER, "permerror"),
    ("ann@void.example", PEER, "permerror"),
    ("ann@loop.example", PEER, "permerror"),
    ("ann@alias.example", PEER, "pass"),
    ("ann@ring.example", PEER, "temperror"),
    ("ann@macro.example", PEER, "pass"),
    ("ben@macro.example", PEER, "fail"),
    ("ann@mx.example", PEER, "pass"),
    ("ann@big.example", PEER, "temperror"),
    ("<>", PEER, "pass"),  # of the name in HELO
    ("ann@", PEER, "none"),
    ("ann@" + "a." * 200 + "example", PEER, "none"),
    ("\udc80@\udc80", PEER, "none"),
)


@pytest.mark.parametrize(("sender", "peer", "expected"), SPF)
async def test_who_may_send_for_a_domain(server: Server, sender: str, peer: str, expected: str) -> None:
    found = await check(server, mail("nothing.example"), sender=sender, peer=peer, helo="helo.example")
    assert found.spf == expected, found.reasons
    assert found.dmarc == "none"


def tagged(raw: bytes, **tags: str) -> bytes:
    """Signed with tags that dkimpy would not write; the signature covers them."""
    real = dkim.DKIM.gen_header

    def gen_header(self: Any, fields: Any, *rest: Any, **more: Any) -> Any:
        added = [(name.encode(), value.encode()) for name, value in tags.items()]
        return real(self, [*fields[:-1], *added, fields[-1]], *rest, **more)

    dkim.DKIM.gen_header = gen_header
    try:
        return signed(raw)
    finally:
        dkim.DKIM.gen_header = real


NOW = int(time.time())
DKIM: tuple[tuple[str, Callable[[], bytes], str, str], ...] = (
    ("by RSA", lambda: signed(mail()), "pass", ""),
    ("in simple form", lambda: signed(mail(), form="simple/simple"), "pass", ""),
    ("in mixed forms", lambda: signed(mail(), form="relaxed/simple"), "pass", ""),
    ("an empty body, simple", lambda: signed(mail(body=b""), form="simple/simple"), "pass", ""),
    ("an empty body, relaxed", lambda: signed(mail(body=b"")), "pass", ""),
    ("a body of empty lines", lambda: signed(mail(body=b"\r\n" * 9)), "pass", ""),
    ("a body without an end", lambda: signed(mail(body=b"one\r\n two"), form="simple/relaxed"), "pass", ""),
    ("a long body", lambda: signed(mail(body=b"two lamps \t please\r\n" * 60_000)), "pass", ""),
    ("by ed25519", lambda: signed(mail(), selector="ed"), "pass", ""),
    ("by 1024 bits", lambda: signed(mail(), selector="short", key=SHORT), "pass", ""),
    ("a key of several datagrams", lambda: signed(mail(), selector="long"), "pass", ""),
    ("unsigned", mail, "none", ""),
    ("spaces folded on the way", lambda: signed(mail()).replace(b"Subject: An", b"Subject:\r\n\tAn"), "pass", ""),
    ("spaces changed in simple form", lambda: signed(mail(), form="simple/simple").replace(b": An", b":  An"), "fail", "changed"),
    ("another subject", lambda: signed(mail()).replace(b"An order", b"A refund"), "fail", "changed"),
    ("another body", lambda: signed(mail()).replace(b"Two", b"Ten"), "fail", "body"),
    ("a list's footer", lambda: signed(mail()) + b"-- \r\nthe list\r\n", "fail", "body"),
    ("another key", lambda: signed(mail(), key=OTHER), "fail", "changed"),
    ("512 bits", lambda: signed(mail(), selector="tooshort"), "permerror", "key"),
    ("revoked", lambda: signed(mail(), selector="revoked"), "permerror", "revoked"),
    ("only tried", lambda: signed(mail(), selector="testing"), "neutral", "tried"),
    ("for the web", lambda: signed(mail(), selector="web"), "permerror", "not for mail"),
    ("for the domain itself", lambda: signed(mail(), selector="own"), "pass", ""),
    ("not for subdomains", lambda: signed(mail(), selector="own", identity=b"@a.shop.example"), "permerror", "subdomains"),
    ("two keys", lambda: signed(mail(), selector="two"), "permerror", "several"),
    ("a key that is none", lambda: signed(mail(), selector="garbage"), "permerror", "read"),
    ("a huge record", lambda: signed(mail(), selector="huge"), "temperror", "asked"),
    ("no key", lambda: signed(mail(), selector="missing"), "permerror", "published"),
    ("a key that cannot be asked for", lambda: signed(mail(), selector="broken"), "temperror", "asked"),
    ("a server that says nothing", lambda: signed(mail(), selector="silent"), "temperror", "asked"),
    ("a key that is an alias of itself", lambda: signed(mail(), selector="round"), "temperror", "asked"),
    ("the end left open", lambda: signed(mail(), length=True), "policy", "open"),
    ("the end left open, and used", lambda: signed(mail(), length=True) + b"pay here\r\n", "policy", "open"),
    ("signed until tomorrow", lambda: tagged(mail(), x=str(NOW + 90_000)), "pass", ""),
    ("expired", lambda: tagged(mail(), x=str(NOW - 90_000)), "permerror", "expired"),
    ("a time that is none", lambda: tagged(mail(), x="soon"), "permerror", "times"),
    ("From is not signed", lambda: signed(mail()).replace(b"from", b"x-from"), "permerror", "From"),
    ("a field that was frozen", lambda: b"Reply-To: eve@evil.example\r\n" + signed(mail(), include_headers=[b"from", b"reply-to"]), "fail", "changed"),
    ("an old hash", lambda: signed(mail()).replace(b"rsa-sha256", b"rsa-sha1"), "permerror", "kind"),
    ("another version", lambda: signed(mail()).replace(b"v=1;", b"v=2;", 1), "permerror", "version"),
    ("a tag twice", lambda: signed(mail()).replace(b"v=1;", b"v=1; v=1;", 1), "permerror", "tags"),
    ("for another domain", lambda: signed(mail()).replace(b"i=@shop", b"i=@evil", 1), "permerror", "another domain"),
    ("nobody's", lambda: b"DKIM-Signature: v=1; a=rsa-sha256; b=AA==\r\n" + mail(), "permerror", "whose"),
    ("no base64", lambda: signed(mail()).replace(b"bh=", b"bh=%", 1), "permerror", "base64"),
    ("one of several is good", lambda: signed(signed(mail()), key=OTHER), "pass", "changed"),
    ("a good one behind too many", lambda: b"DKIM-Signature: v=1; d=evil.example; s=a\r\n" * 5 + signed(mail()), "permerror", "only 5"),
)  # fmt: skip


@pytest.mark.parametrize(("make", "expected", "reason"), [case[1:] for case in DKIM], ids=[case[0] for case in DKIM])
async def test_signatures(server: Server, make: Callable[[], bytes], expected: str, reason: str) -> None:
    found = await check(server, make(), sender="x@nothing.example")
    assert found.dkim == expected, found.reasons
    assert reason in " ".join(found.reasons)
    trouble = expected == "temperror"
    assert found.dmarc == ("pass" if expected == "pass" else "temperror" if trouble else "fail")


class Case(NamedTuple):
    """`raw` is brought by PEER with this envelope sender; SPF passes for shop.example and strict.example."""

    raw: bytes
    sender: str
    dmarc: str
    policy: str | None = None


TWO = HEAD + b"From: eve@evil.example\r\n"
DMARC = {
    "SPF of the very domain": Case(mail(), "b@shop.example", "pass", "reject"),
    "SPF of a subdomain": Case(mail(), "b@mail.shop.example", "pass", "reject"),
    "SPF of another": Case(mail(), "b@helo.example", "fail", "reject"),
    "SPF that only softly fails": Case(mail(), "b@soft.example", "fail", "reject"),
    "SPF in trouble": Case(mail("trouble.example"), "b@trouble.example", "temperror"),
    "DKIM of another": Case(signed(mail(), domain="other.example"), "b@nothing.example", "fail", "reject"),
    "DKIM of a subdomain": Case(signed(mail(), domain="mail.shop.example"), "b@nothing.example", "pass", "reject"),
    "From of a subdomain": Case(signed(mail("a.shop.example")), "b@nothing.example", "pass", "quarantine"),
    "From of a subdomain, unproved": Case(mail("a.shop.example"), "b@nothing.example", "fail", "quarantine"),
    "strict, the very domain": Case(
        signed(mail("strict.example"), domain="strict.example"), "b@nothing.example", "pass", "reject"
    ),
    "strict, a subdomain": Case(
        signed(mail("strict.example"), domain="mail.strict.example"), "b@mail.strict.example", "fail", "reject"
    ),
    "strict, SPF of the very domain": Case(mail("strict.example"), "b@strict.example", "pass", "reject"),
    "a policy that only watches": Case(mail("watching.example"), "b@nothing.example", "fail", "none"),
    "two policies are none": Case(mail("twice.example"), "b@nothing.example", "none"),
    "a policy that cannot be asked for": Case(mail("trouble.example"), "b@nothing.example", "temperror"),
    "a policy that is none": Case(mail("odd.example"), "b@nothing.example", "none"),
    "no policy": Case(signed(mail("other.example"), domain="other.example"), "b@nothing.example", "none"),
    "a suffix is nobody's owner": Case(
        signed(mail("firm.co.uk"), domain="co.uk"), "b@nothing.example", "fail", "reject"
    ),
    "two From": Case(signed(mail(head=TWO)), "b@shop.example", "permerror"),
    "two in From": Case(mail(head=HEAD.replace(b"From: ", b"From: eve@evil.example, ")), "b@shop.example", "permerror"),
    "nobody in From": Case(mail(head=b"From: me\r\n"), "b@shop.example", "permerror"),
    "a head that is read in two ways": Case(b"Hello\r\n" + mail(), "b@shop.example", "permerror"),
}


@pytest.mark.parametrize("case", DMARC.values(), ids=DMARC.keys())
async def test_who_may_say_to_be_of_a_domain(server: Server, case: Case) -> None:
    found = await check(server, case.raw, sender=case.sender)
    assert (found.dmarc, found.policy) == (case.dmarc, case.policy), found


def forwarded(raw: bytes, told: bytes, *, domain: bytes = b"list.example", add: bytes = b"-- \r\nlist\r\n") -> bytes:
    """A mailing list that changes the body and says, sealed, what it found before."""
    with_results = b"Authentication-Results: mx.list.example; " + told + b"\r\n" + raw + add
    sealed = dkim.arc_sign(with_results, b"rsa", domain, pem(RSA), b"mx.list.example")
    return b"".join(sealed) + raw + add


GOOD = b"dkim=pass header.d=shop.example; dmarc=pass header.from=shop.example"
ARC = {
    "trusted": (lambda: forwarded(signed(mail()), GOOD), ("list.example",), "pass", "arc:list.example"),
    "not trusted": (lambda: forwarded(signed(mail()), GOOD), ("another.example",), "fail", "dns"),
    "nobody is": (lambda: forwarded(signed(mail()), GOOD), (), "fail", "dns"),
    "changed after it": (
        lambda: forwarded(signed(mail()), GOOD) + b"pay here\r\n", ("list.example",), "fail", "dns",
    ),
    "had failed before": (
        lambda: forwarded(mail(), b"dmarc=fail header.from=shop.example"), ("list.example",), "fail", "dns",
    ),
    "of another domain": (
        lambda: forwarded(mail(), b"dmarc=pass header.from=evil.example"), ("list.example",), "fail", "dns",
    ),
    "what it said was changed": (
        lambda: forwarded(mail(), b"dmarc=fail header.from=shop.example").replace(b"dmarc=fail", b"dmarc=pass"),
        ("list.example",), "fail", "dns",
    ),
    "a gap": (
        lambda: forwarded(signed(mail()), GOOD).replace(b"i=1", b"i=2"), ("list.example",), "fail", "dns",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("make", "forwarders", "dmarc", "by"), ARC.values(), ids=ARC.keys())
async def test_what_a_forwarder_saw(
    server: Server, make: Callable[[], bytes], forwarders: tuple[str, ...], dmarc: str, by: str
) -> None:
    found = await check(server, make(), sender="b@list.example", forwarders=forwarders)
    assert (found.dmarc, found.by) == (dmarc, by), found.reasons


async def test_a_name_server_that_says_nothing_costs_a_bounded_time_and_proves_nothing(server: Server) -> None:
    many = signed(signed(mail(), selector="silent"), selector="silent")
    found = await check(server, many, sender="b@silent.example", seconds=0.3)
    assert (found.spf, found.dkim, found.dmarc) == ("temperror", "temperror", "temperror")


async def test_what_is_found_is_asked_again_for_the_next_mail(server: Server) -> None:
    server.asked.clear()
    for _ in range(2):
        await check(server, signed(mail()), sender="b@nothing.example")
    assert server.asked.count("TXT _dmarc.shop.example") == server.asked.count("TXT rsa._domainkey.shop.example") == 2


def test_a_head_of_any_length_is_split_and_hashed_in_linear_time() -> None:
    from services.email_adapter.mail.canonical import split
    from services.email_adapter.proof.signatures import SIGNED

    assert split(b"A" * 2_000_000) is None
    assert split(b"From: a\r\n" * 20_000 + b"\r\n") is None
    hostile = b"DKIM-Signature: " + b" ;" * 30_000 + b" b" * 20_000
    assert SIGNED.sub(rb"\1", hostile)
