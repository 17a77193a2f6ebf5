"""The signatures of a mail (DKIM, RFC 6376; those of ARC, RFC 8617, are alike), judged with keys that were asked for before."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.email_adapter.mail.canonical import Field, body_hash, chosen
from services.email_adapter.proof.keys import read_key
from services.email_adapter.proof.names import FOUND, TROUBLE, Answer
from services.email_adapter.proof.tags import Unusable, listed, read_tags
from shared.contract.envelope import CheckResult

MOST: Final = 5  # signatures that are looked at; a stranger may write any number
CANONICAL: Final = frozenset({"simple", "relaxed"})
KINDS: Final = {"rsa-sha256": "rsa", "ed25519-sha256": "ed25519"}
SIGNED: Final = re.compile(rb"((?:^|;)[ \t\r\n]*b[ \t\r\n]*=)[^;]*")
DOMAIN: Final = re.compile(r"(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,62})\.)+[a-z0-9-]{2,63}")
SELECTOR: Final = re.compile(r"(?=.{1,200}$)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")

Tags = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one signature; `domain` is who signed, where it says that."""

    result: CheckResult
    domain: str = ""
    reason: str = ""


class Mail:
    """A mail that is verified: its fields, its body's hashes made once for each form."""

    def __init__(self, raw: bytes, fields: Sequence[Field], start: int) -> None:
        self.fields = fields
        self._raw, self._start = raw, start
        self._hashes: dict[bool, bytes] = {}

    def body_hash(self, *, relaxed: bool) -> bytes:
        if relaxed not in self._hashes:
            self._hashes[relaxed] = body_hash(self._raw, self._start, relaxed=relaxed)
        return self._hashes[relaxed]


@dataclass(frozen=True, slots=True)
class Signature:
    """A field that signs others, and its tags."""

    field: Field
    tags: Tags
    domain: str
    selector: str

    @property
    def key_name(self) -> str:
        return f"{self.selector}._domainkey.{self.domain}"

    def unsigned(self, *, relaxed: bool) -> bytes:
        """The field as it is signed: without the signature itself, and without its line end."""
        name, _, value = self.field.raw.partition(b":")
        bare = Field(self.field.name, name + b":" + SIGNED.sub(rb"\1", value))
        return bare.canonical(relaxed=relaxed).removesuffix(b"\r\n")


def read_signature(field: Field) -> Signature:
    """Raises Unusable for one that does not say who signed."""
    tags = read_tags(field.value.decode("latin-1"))
    domain, selector = tags.get("d", "").lower().rstrip("."), tags.get("s", "").lower()
    if not DOMAIN.fullmatch(domain) or not SELECTOR.fullmatch(selector):
        raise Unusable("it does not say whose it is")
    return Signature(field, tags, domain, selector)


def read_signatures(fields: Sequence[Field], name: str = "dkim-signature") -> tuple[list[Signature], list[Verdict]]:
    """Those that can be read, and what became of the others."""
    good: list[Signature] = []
    bad: list[Verdict] = []
    found = [field for field in fields if field.name == name]
    for field in found[:MOST]:
        try:
            good.append(read_signature(field))
        except Unusable as error:
            bad.append(Verdict("permerror", reason=str(error)))
    if len(found) > MOST:
        bad.append(Verdict("permerror", reason=f"only {MOST} signatures are looked at"))
    return good, bad


def verify(one: Signature, mail: Mail, keys: Mapping[str, Answer], now: datetime) -> Verdict:
    """A DKIM signature. One that leaves a part of the body open (`l=`) is not trusted (RFC 6376 §8.2)."""
    tags = one.tags
    if tags.get("v") != "1":
        return Verdict("permerror", one.domain, "it is of another version")
    identity = tags.get("i", f"@{one.domain}").rpartition("@")[2].lower()
    if identity != one.domain and not identity.endswith(f".{one.domain}"):
        return Verdict("permerror", one.domain, "it is for another domain")
    if "dns/txt" not in listed(tags.get("q", "dns/txt")):
        return Verdict("permerror", one.domain, "its key is published elsewhere")
    return judge(one, mail, keys, now, identity=identity)


def judge(one: Signature, mail: Mail, keys: Mapping[str, Answer], now: datetime, *, identity: str) -> Verdict:
    """What DKIM and ARC ask of every signature over a mail."""
    tags = one.tags
    head, _, body = tags.get("c", "simple/simple").lower().partition("/")
    signed = listed(tags.get("h", ""))
    try:
        if not {"a", "b", "bh", "h"} <= tags.keys() or not {head, body or "simple"} <= CANONICAL:
            raise Unusable("it lacks what a signature says")
        if "from" not in signed:
            raise Unusable("it does not sign From")
        _check_times(tags, now)
        if "l" in tags:
            return Verdict("policy", one.domain, "it leaves the end of the body open (l=)")
        if mail.body_hash(relaxed=body == "relaxed") != _decoded(tags["bh"]):
            return Verdict("fail", one.domain, "the body was changed")
        relaxed = head == "relaxed"
        said = b"".join(field.canonical(relaxed=relaxed) for field in chosen(mail.fields, signed))
        return verify_bytes(one, said + one.unsigned(relaxed=relaxed), keys, identity=identity)
    except Unusable as error:
        return Verdict("permerror", one.domain, str(error))


def verify_bytes(one: Signature, said: bytes, keys: Mapping[str, Answer], *, identity: str) -> Verdict:
    """Whether the published key signed these bytes. Raises Unusable."""
    answer = keys.get(one.key_name, Answer(TROUBLE))
    if answer.state == TROUBLE:
        return Verdict("temperror", one.domain, "its key could not be asked for")
    if answer.state != FOUND or not answer.values:
        raise Unusable("its key is not published")
    if len(answer.values) > 1:
        raise Unusable("several keys are published under one name")
    key = read_key(answer.values[0])
    if KINDS.get(one.tags.get("a", "").lower()) != key.kind:
        raise Unusable("it is of another kind than its key, or of none that is good today")
    if key.strict and identity != one.domain:
        raise Unusable("its key is not for subdomains")
    if not key.verifies(_decoded(one.tags["b"]), hashlib.sha256(said).digest()):
        return Verdict("fail", one.domain, "what was signed was changed")
    if key.testing:
        return Verdict("neutral", one.domain, "its key is only being tried")
    return Verdict("pass", one.domain)


def _check_times(tags: Tags, now: datetime) -> None:
    """Raises Unusable for one that has ended (RFC 6376 §3.5, x=)."""
    made, end = tags.get("t", ""), tags.get("x", "")
    times = [one for one in (made, end) if one]
    if any(not one.isdecimal() or len(one) > 12 for one in times):
        raise Unusable("its times are none")
    if end and (int(end) < now.timestamp() or int(end) < int(made or 0)):
        raise Unusable("it has expired")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unusable("it is not in base64") from error
