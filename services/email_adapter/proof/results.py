"""What a trusted server found out and wrote into the mail: Authentication-Results (RFC 8601)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple, cast, get_args

from services.email_adapter.mail.addresses import QUOTED_PAIR, comment_at
from services.email_adapter.mail.canonical import Field
from shared.contract.envelope import CheckResult, Checks, DomainPolicy

NAME: Final = "authentication-results"
LONGEST: Final = 8 * 1024  # bytes of a field that are looked at
TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*+"?|[();=]|[^\s();="]++|\s++', re.DOTALL)
UNREADABLE: Final = re.compile(r"[^ -~]+")
KNOWN: Final = frozenset(get_args(CheckResult))
ASKED: Final = re.compile(r"(?:^|\s)p=(none|quarantine|reject)(?![a-z])", re.IGNORECASE)


class Result(NamedTuple):
    """One method's: `about` holds its properties (`header.from`), `comment` what stands in parentheses."""

    method: str
    result: CheckResult
    about: dict[str, str]
    comment: str


def read_results(value: bytes) -> tuple[str, list[Result]]:
    """Who says it, in lower case, and what. Whatever is no result is passed over; linear in time."""
    server, *statements = _statements(value[:LONGEST].decode("latin-1"))
    results = [found for words, comment in statements if (found := _result(words, comment))]
    words, _ = server
    return (words[0].lower() if words else ""), results


def trusted(fields: Iterable[Field], server: str, domain: str) -> Checks:
    """What `server`, whose word is taken, found: in the topmost field that is its own. Others' fields are never looked at."""
    for field in fields:
        if field.name == NAME:
            says, results = read_results(field.value)
            if says == server.lower():
                return _checks(results, server, domain)
    return Checks(domain=domain, by=server, reasons=("the server has not looked",))


def passed_dmarc(results: Iterable[Result], domain: str) -> bool:
    """Whether DMARC passed for just this domain."""
    told = [one for one in results if one.method == "dmarc"]
    return len(told) == 1 and told[0].result == "pass" and _about(told[0], domain)


def _checks(results: list[Result], server: str, domain: str) -> Checks:
    told = [one for one in results if one.method == "dmarc"]
    if len(told) != 1 or not _about(told[0], domain):
        told = []  # of two one may be a stranger's, brought in by what the server wrote down of them
    reasons = [
        UNREADABLE.sub(" ", f"{one.method}: {one.about['reason']}")[:200] for one in results if "reason" in one.about
    ]
    return Checks(
        domain=domain,
        spf=_best(results, "spf"),
        dkim=_best(results, "dkim"),
        dmarc=told[0].result if told else "none",
        policy=_policy(told[0]) if told else None,
        by=server,
        reasons=tuple(reasons[:5]),
    )


def _about(one: Result, domain: str) -> bool:
    return bool(domain) and one.about.get("header.from", "").lower().rstrip(".") == domain


def _best(results: list[Result], method: str) -> CheckResult:
    found = [one.result for one in results if one.method == method]
    return "pass" if "pass" in found else next(iter(found), "none")


def _policy(one: Result) -> DomainPolicy | None:
    found = ASKED.search(one.comment) or ASKED.search(f"p={one.about.get('policy.dmarc', '')}")
    return cast("DomainPolicy", found[1].lower()) if found else None


def _statements(text: str) -> Iterator[tuple[list[str], str]]:
    """What stands between semicolons: words, with `=` among them, and the comments."""
    words: list[str] = []
    comments: list[str] = []
    at = 0
    while found := TOKEN.match(text, at):
        token, at = found[0], found.end()
        match token[0]:
            case "(":
                comment, at = comment_at(text, at)
                comments.append(comment)
            case ";":
                yield words, " ".join(comments)
                words, comments = [], []
            case '"':
                words.append(QUOTED_PAIR.sub(r"\1", token[1:].removesuffix('"')))
            case _ if not token.isspace():
                words.append(token)
    yield words, " ".join(comments)


def _result(words: list[str], comment: str) -> Result | None:
    """`spf=pass smtp.mailfrom=a@b`; a method may have a version (`dkim/1`)."""
    pairs = [(words[at - 1].lower(), words[at + 1]) for at in range(1, len(words) - 1) if words[at] == "="]
    if not pairs or words[1] != "=":
        return None
    (method, result), *about = pairs
    if result.lower() not in KNOWN:
        return None
    return Result(method.partition("/")[0], cast("CheckResult", result.lower()), dict(about), comment)
