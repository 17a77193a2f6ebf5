"""Finds out whether a mail is its sender's: SPF, DKIM and DMARC by DNS, or the word of a server that is trusted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Final, Self, cast

import structlog
from spftrace import Evaluator, Limits

from services.email_adapter.mail.addresses import mailboxes, wire_domain
from services.email_adapter.mail.canonical import Field, split
from services.email_adapter.proof import arc, results
from services.email_adapter.proof.names import Answer, Resolver
from services.email_adapter.proof.policies import Found, best, find_policy, judge
from services.email_adapter.proof.signatures import DOMAIN, Mail, Signature, Verdict, read_signatures, verify
from services.email_adapter.proof.tags import Unusable
from shared.contract.envelope import CheckResult, Checks
from shared.runtime.crowd import Network, is_within, networks
from shared.runtime.elsewhere import elsewhere
from shared.runtime.observe import MAIL_CHECKS
from shared.runtime.settings import Settings

log = structlog.get_logger(__name__)

SECONDS: Final = 12.0  # for one mail; senders wait ten minutes for the answer to DATA (RFC 5321 §4.5.3.2.6)
AT_ONCE: Final = 50  # mails
QUESTIONS: Final = 40  # of SPF for one mail, beside the ten terms and two empty answers that RFC 7208 §4.6.4 allows
BY_DNS: Final = "dns"
NO_HEAD: Final = "the head is none that every server reads in the same way"
NO_SENDER: Final = "From does not name exactly one address"
LATE: Final = Verdict("temperror", reason="DNS took too long")
UNKNOWN: Final = Found(trouble=True)


@dataclass(frozen=True, slots=True)
class Brought:
    """Who brought a mail: the other end of the connection, what it called itself, and the envelope's sender."""

    peer: str
    helo: str
    sender: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Trust:
    """Whose word is taken: of `relays`, our own servers, what they wrote as `server`; of forwarders by their domain what they
    sealed. `by_dns`: who brings mail from elsewhere is checked by us.
    """

    relays: Sequence[Network] = ()
    server: str = ""
    forwarders: frozenset[str] = frozenset()
    by_dns: bool = False

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """As the operator says. Raises Misconfigured."""
        forwarders = (one.strip().lower() for one in settings.smtp_forwarders.split(","))
        return cls(
            relays=networks(settings.smtp_relays, "PARLEY_SMTP_RELAYS"),
            server=settings.smtp_results,
            forwarders=frozenset(one for one in forwarders if one),
            by_dns=settings.smtp_checks,
        )


@dataclass(slots=True)
class Progress:
    """What is known until now, so that running out of time leaves what was found."""

    spf: Verdict = LATE
    keys: dict[str, Answer] = field(default_factory=dict)
    found: Found = UNKNOWN


class Checking:
    """Checks mails; neither answers nor results are kept."""

    def __init__(self, trust: Trust, resolver: Resolver | None, *, seconds: float = SECONDS) -> None:
        self._trust, self._resolver, self._seconds = trust, resolver, seconds
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def check(self, raw: bytes, brought: Brought, now: datetime | None = None) -> Checks | None:
        """None: nobody asked for it. Takes SECONDS at the most, and raises nothing: what cannot be found out is unproved."""
        is_ours = is_within(brought.peer.partition("%")[0], self._trust.relays)
        if not (self._trust.server if is_ours else self._resolver and self._trust.by_dns):
            return None
        cut = split(raw)
        fields, start = cut or ((), 0)
        domain = from_domain(fields)
        if is_ours:
            checks = results.trusted(fields, self._trust.server, domain)
        elif cut is None:
            checks = Checks(dkim="permerror", dmarc="permerror", by=BY_DNS, reasons=(NO_HEAD,))
        else:
            checks = await self._asked(Mail(raw, fields, start), domain, brought, now or datetime.now(UTC))
        MAIL_CHECKS.labels(checks.dmarc, "relay" if is_ours else "dns").inc()
        return checks

    async def _asked(self, mail: Mail, domain: str, brought: Brought, now: datetime) -> Checks:
        signatures, bad = read_signatures(mail.fields)
        chain, broken = self._chain(mail.fields)
        known = Progress()
        sealing = [*(link.seal for link in chain), *(link.message for link in chain[-1:])]
        try:
            async with asyncio.timeout(self._seconds), self._turns:
                keys = {one.key_name for one in (*signatures, *sealing)}
                asked = (
                    self._spf(known, brought),
                    self._policy(known, domain),
                    *(self._key(known, one) for one in keys),
                )
                await asyncio.gather(*asked)
        except TimeoutError:
            log.warning("mail.checked_late", domain=domain, seconds=self._seconds)
        judged = await elsewhere(partial(_judged, mail, signatures, chain, known.keys, now))
        return _told(domain, known, [*judged.signatures, *bad], judged.chain or broken, chain)

    def _chain(self, fields: Sequence[Field]) -> tuple[Sequence[arc.Link], Verdict | None]:
        """The forwarders, where the last of them is one whose word is taken."""
        if not self._trust.forwarders:
            return (), None
        try:
            chain = arc.read_chain(fields)
        except Unusable as error:
            return (), Verdict("fail", reason=str(error))
        return (chain, None) if chain and chain[-1].seal.domain in self._trust.forwarders else ((), None)

    async def _spf(self, known: Progress, brought: Brought) -> None:
        """Of the envelope's sender; where that is nobody, of the name that the server gives itself (RFC 7208 §2.4)."""
        assert self._resolver is not None
        sender = brought.sender.strip("<>")
        local, _, domain = sender.rpartition("@") if sender else ("postmaster", "", brought.helo)
        domain = domain.lower().rstrip(".")
        if not DOMAIN.fullmatch(domain):
            known.spf = Verdict("none")
            return
        limits = Limits(time_limit=self._seconds, max_queries=QUESTIONS)
        try:
            found = await Evaluator(self._resolver, limits).evaluate(
                brought.peer.partition("%")[0], f"{local or 'postmaster'}@{domain}", brought.helo
            )
        except Exception as error:  # noqa: BLE001 a stranger's record that breaks the library is no yes
            log.warning("mail.spf_broke", domain=domain, error=type(error).__name__)
            known.spf = Verdict("permerror", domain, "its record cannot be evaluated")
            return
        known.spf = Verdict(cast("CheckResult", found.result), domain)

    async def _policy(self, known: Progress, domain: str) -> None:
        assert self._resolver is not None
        known.found = await find_policy(domain, self._resolver.look) if domain else Found()

    async def _key(self, known: Progress, name: str) -> None:
        assert self._resolver is not None
        known.keys[name] = await self._resolver.look(name)


@dataclass(frozen=True, slots=True)
class Judged:
    """What the signatures prove; no `chain`: there is none that counts."""

    signatures: Sequence[Verdict]
    chain: Verdict | None


def _judged(
    mail: Mail, signatures: Sequence[Signature], chain: Sequence[arc.Link], keys: Mapping[str, Answer], now: datetime
) -> Judged:
    """The work that takes a processor; in a thread, piece by piece."""
    return Judged(
        [verify(one, mail, keys, now) for one in signatures],
        arc.verify_chain(chain, mail, keys, now) if chain else None,
    )


def _told(
    domain: str, known: Progress, signatures: Sequence[Verdict], sealed: Verdict | None, chain: Sequence[arc.Link]
) -> Checks:
    dmarc = judge(domain, known.found, known.spf, signatures) if domain else "permerror"
    policy = known.found.policy and known.found.policy.asked
    reasons = dict.fromkeys(_reasons(domain, known.spf, signatures, sealed))
    by = BY_DNS
    if sealed and dmarc != "pass" and domain and _vouched(sealed, chain, domain):
        dmarc, by = "pass", f"arc:{sealed.domain}"
    return Checks(
        domain=domain,
        spf=known.spf.result,
        dkim=best(signatures),
        dmarc=dmarc,
        policy=policy,
        by=by,
        reasons=tuple(reasons),
    )


def _vouched(sealed: Verdict, chain: Sequence[arc.Link], domain: str) -> bool:
    """Whether the trusted forwarder had seen DMARC pass for this domain before it changed the mail."""
    if sealed.result != "pass" or not chain:
        return False
    _, _, told = chain[-1].results.value.partition(b";")  # behind the instance
    _, found = results.read_results(told)
    return results.passed_dmarc(found, domain)


def _reasons(domain: str, spf: Verdict, signatures: Sequence[Verdict], sealed: Verdict | None) -> Iterable[str]:
    if not domain:
        yield NO_SENDER
    if spf.result not in {"pass", "none"}:
        yield f"spf {spf.domain}: {spf.reason or spf.result}"
    for one in signatures:
        if one.result != "pass":
            yield f"dkim {one.domain}: {one.reason or one.result}"
    if sealed and sealed.result != "pass":
        yield f"arc {sealed.domain}: {sealed.reason or sealed.result}"


def is_unwanted(checks: Checks) -> bool:
    """Whether the domain asks that it is refused; what a relay has taken is not, or the relay would write to whoever was forged."""
    return checks.by == BY_DNS and checks.dmarc == "fail" and checks.policy == "reject"


def from_domain(fields: Iterable[Field]) -> str:
    """The domain of the one address in the one From, in ASCII; empty where there are several, or none (RFC 7489 §6.6.1)."""
    senders = [field.value for field in fields if field.name == "from"]
    boxes = list(islice(mailboxes(senders[0].replace(b"\r\n", b"")), 2)) if len(senders) == 1 else []
    return wire_domain(boxes[0].address) if len(boxes) == 1 else ""
