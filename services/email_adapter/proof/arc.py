"""A chain of forwarders that each say what they found (ARC, RFC 8617), for those whom the operator trusts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.email_adapter.mail.canonical import Field
from services.email_adapter.proof.names import Answer
from services.email_adapter.proof.signatures import Mail, Signature, Verdict, judge, read_signature, verify_bytes
from services.email_adapter.proof.tags import Unusable, read_tags

LONGEST: Final = 10  # forwarders; RFC 8617 §4.2.1 allows 50, nobody has them
RESULTS, MESSAGE, SEAL = "arc-authentication-results", "arc-message-signature", "arc-seal"
INSTANCE: Final = re.compile(rb"[ \t\r\n]*i[ \t]*=[ \t]*([0-9]{1,2})[ \t]*;")


@dataclass(frozen=True, slots=True)
class Link:
    """What one forwarder added."""

    results: Field
    message: Signature
    seal: Signature


def read_chain(fields: Sequence[Field]) -> tuple[Link, ...]:
    """The forwarders, the first one first; empty: there is no chain. Raises Unusable for one that has gaps."""
    found = {(field.name, _instance(field)): field for field in fields if field.name in {RESULTS, MESSAGE, SEAL}}
    count = sum(field.name in {RESULTS, MESSAGE, SEAL} for field in fields)
    length = count // 3
    if length > LONGEST:
        raise Unusable(f"a chain of more than {LONGEST} forwarders")
    wanted = {(name, number) for name in (RESULTS, MESSAGE, SEAL) for number in range(1, length + 1)}
    if len(found) != count or found.keys() != wanted:
        raise Unusable("a chain with gaps")
    return tuple(
        Link(
            found[RESULTS, number],
            read_signature(found[MESSAGE, number]),
            read_signature(found[SEAL, number]),
        )
        for number in range(1, length + 1)
    )


def verify_chain(chain: Sequence[Link], mail: Mail, keys: Mapping[str, Answer], now: datetime) -> Verdict:
    """Whether nobody has changed the mail since the last forwarder, nor what any of them said; `domain` is the last one's."""
    last = chain[-1]
    try:
        for number, link in enumerate(chain, 1):
            if link.seal.tags.get("cv") != ("none" if number == 1 else "pass") or "h" in link.seal.tags:
                return Verdict("fail", last.seal.domain, "a forwarder found the chain broken")
            sealed = verify_bytes(link.seal, _sealed(chain[:number]), keys, identity=link.seal.domain)
            if sealed.result != "pass":
                return Verdict(sealed.result, last.seal.domain, f"the seal of {link.seal.domain}: {sealed.reason}")
    except (Unusable, KeyError) as error:
        return Verdict("permerror", last.seal.domain, str(error))
    found = judge(last.message, mail, keys, now, identity=last.message.domain)
    return Verdict(found.result, last.seal.domain, found.reason)


def _sealed(chain: Sequence[Link]) -> bytes:
    """What the last of these sealed (RFC 8617 §5.1.1): all that stands in the chain, its own seal without the signature."""
    *before, last = chain
    said = [
        field.canonical(relaxed=True)
        for link in before
        for field in (link.results, link.message.field, link.seal.field)
    ]
    said += [last.results.canonical(relaxed=True), last.message.field.canonical(relaxed=True)]
    return b"".join(said) + last.seal.unsigned(relaxed=True)


def _instance(field: Field) -> int:
    if field.name == RESULTS:
        found = INSTANCE.match(field.value)
        return int(found[1]) if found else 0
    try:
        number = read_tags(field.value.decode("latin-1")).get("i", "")
    except Unusable:
        return 0
    return int(number) if number.isascii() and number.isdecimal() and len(number) <= 2 else 0
