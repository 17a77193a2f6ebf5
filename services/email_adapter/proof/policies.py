"""What a domain asks to be done with mail that says to be from it and is not (DMARC, RFC 7489)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from services.email_adapter.mail.owners import owner
from services.email_adapter.proof.names import TROUBLE, Answer
from services.email_adapter.proof.signatures import Verdict
from services.email_adapter.proof.tags import Unusable, read_tags
from shared.contract.envelope import CheckResult, DomainPolicy

POLICIES: Final[tuple[DomainPolicy, ...]] = ("none", "quarantine", "reject")


@dataclass(frozen=True, slots=True)
class Policy:
    """`asked`: what the domain asks for. `strict_…`: only the very domain proves it, not another of the same owner."""

    asked: DomainPolicy
    strict_dkim: bool = False
    strict_spf: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A domain's policy, if it has one; `trouble`: it could not be asked for."""

    policy: Policy | None = None
    trouble: bool = False


async def find_policy(domain: str, look: Callable[[str], Awaitable[Answer]]) -> Found:
    """Its own, else that of its owner's domain for subdomains (RFC 7489 §6.6.3)."""
    for name in dict.fromkeys((domain, owner(domain))):
        answer = await look(f"_dmarc.{name}")
        if answer.state == TROUBLE:
            return Found(trouble=True)
        records = [one for one in answer.values if one.partition(";")[0].replace(" ", "") == "v=DMARC1"]
        if len(records) == 1:
            return Found(_read(records[0], is_own=name == domain))
        if records:
            return Found()
    return Found()


def _read(record: str, *, is_own: bool) -> Policy | None:
    """None for a record that asks for nothing (RFC 7489 §6.6.3, 6)."""
    try:
        tags = read_tags(record)
    except Unusable:
        return None
    told = tags.get("p", "") if is_own else tags.get("sp", tags.get("p", ""))
    asked = next((one for one in POLICIES if one == told.lower()), "none" if "rua" in tags else None)
    if asked is None:
        return None
    return Policy(asked, strict_dkim=tags.get("adkim") == "s", strict_spf=tags.get("aspf") == "s")


def judge(domain: str, found: Found, spf: Verdict, signatures: Sequence[Verdict]) -> CheckResult:
    """DMARC's result for a mail from `domain`: a pass of the domain itself, or of its owner's, is one (RFC 7489 §6.6.2)."""
    if found.policy is None:
        return "temperror" if found.trouble else "none"
    proofs = [(spf, found.policy.strict_spf), *((one, found.policy.strict_dkim) for one in signatures)]
    results = {one.result for one, strict in proofs if _is_aligned(one.domain, domain, strict=strict)}
    return next((result for result in _ORDER if result in results), "fail")


_ORDER: Final[tuple[CheckResult, ...]] = ("pass", "temperror")


def _is_aligned(proved: str, domain: str, *, strict: bool) -> bool:
    return proved == domain or (bool(proved) and not strict and owner(proved) == owner(domain))


def best(verdicts: Iterable[Verdict]) -> CheckResult:
    """The result that is told of several signatures."""
    results = [one.result for one in verdicts]
    return next((one for one in ("pass", "temperror", *results) if one in results), "none")
