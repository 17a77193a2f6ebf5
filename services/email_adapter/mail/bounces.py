"""A mail that says in words for people that another was not delivered: whether it does, and for whom (no standard says how)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from services.email_adapter.mail.automatic import NOBODY_READS
from services.email_adapter.mail.headers import Headers
from services.email_adapter.mail.reports import DIAGNOSTIC, Fate, enhanced
from services.email_adapter.mail.words import read_words

LOOKED_AT: Final = 32 * 1024  # characters of a text
RECIPIENTS: Final = 20
LINE: Final = 2000  # characters of a line

# Who speaks for a mail server.
DAEMON: Final = re.compile(
    r"mailer[-_ ]?daemon|mail[-_ ]?daemon|mdaemon|post[-_ ]?master|post[-_ ]?office|mail[-_ ]?(?:master|administrator|admin\b)"
    r"|(?:mail|message|e-?mail) (?:delivery|transport|router|system)|delivery (?:sub)?system|mail[-_ ]?system|system administrator"
    r"|(?:^|[<\s])bounces?\b|non-?delivery|delivery[-_ ](?:failure|status|report|notification)|mail[-_ ]?(?:delivery|return)|microsoft exchange|mail[-_ ]service|anti[-_ ]?virus|mail[-_ ]?scan|smtp[-_ ]?gateway",
    re.IGNORECASE,
)
# What the subject of such a mail says.
SUBJECT: Final = re.compile(
    r"undeliver|non[- ]?deliver|non[- ]?remis|delivery (?:status|failure|fail|failed|has failed|problem|report|error|notif|delay|unsuccess|attempt|to)"
    r"|deliver(?:y|ed)? (?:was )?(?:delay|unsuccess|incomplete)|(?:failed|failure|unable|error) (?:to )?(?:deliver|send)"
    r"|(?:returned|returning|bounced?) (?:e-?)?(?:mail|message)|return(?:ed)? to sender|(?:mail|message|e-?mail)[- ]?(?:system|delivery)? ?(?:error|failure|failed|problem|rejected|refused|returned|undeliver|delayed|block)"
    r"|failure notice|fail(?:ed|ure) (?:mail|deliver|recipient|notice)|(?:could|can|was|is|did|has|have) ?(?:not|n[o']t) (?:be |been )?(?:sent|deliver)|cannot (?:be )?(?:sent|deliver)"
    r"|not (?:be |been )?delivered|(?:unknown|invalid|no such) (?:user|recipient|address|mailbox)|(?:user|mailbox|recipient|address)[\w ]{0,20}(?:unknown|full|not found|unavailable)"
    r"|(?:warning|notice): (?:could not|message|mail)|(?:still being retried|will be retried)|delivery temporarily|\bNDN\b|\bDSN\b|permanent error"
    r"|unzustell|zustell|nicht zugestellt|r[eé]tour|[eé]chec|non remis|no (?:se )?(?:pudo|ha podido)|no entregad|devuelto|mancata|non recapit|falha|n[aã]o entreg|devolvid|onbestelbaar|niet (?:bezorgd|afgeleverd)|недостав|не доставлен|возвращ|niedor[eę]cz|kunde inte|ikke leveret|teslim edilemedi"
    r"|不達|未達|配[信送]|届け|送信(?:でき|エラー|失敗)|エラー|退信|退回|无法(?:投|发|传)|投[递遞]|傳遞|반송|실패",
    re.IGNORECASE,
)
# What its text says.
FAILURE: Final = re.compile(
    r"(?:could|can|was|is|were|has|have|did|does) ?(?:not|n[o']t) (?:be |been |yet been )?(?:deliver|sent|reach|exist|accept|process)|cannot (?:be )?(?:deliver|sen[dt]|reach|accept)"
    r"|(?:unable|failed|failure|impossible|attempts?|attempting) to (?:be )?(?:deliver|relay|send|reach|route)|(?:delivery|deliver)[\w ,'-]{0,40}(?:fail|unsuccess|delay|problem|error|reject|abort|incomplete|impossible)"
    r"|undeliver|non-?deliver|not (?:yet )?(?:be(?:en)? )?delivered|returned (?:to (?:you|sender)|mail|message|below)|permanent(?:ly)? (?:fatal |delivery )?(?:error|fail|reject)|(?:fatal|transient) (?:delivery )?errors?"
    r"|(?:user|recipient|address|mailbox|account|host|domain)[\w <>@.'\"-]{0,60}(?:unknown|not (?:found|exist|available|listed|known)|does ?(?:not|n't) exist|unavailable|disabled|inactive|suspended|invalid|rejected|is full|over ?quota|exceeded)"
    r"|(?:unknown|invalid|no such|bad|illegal|non-?existent|unrout(?:e|a)able|incorrect) (?:or \w+ )?(?:local )?(?:e-?mail )?(?:user|recipient|address|mailbox|account|host|domain|alias)|mailbox (?:is )?full|over ?quota|quota exceeded|exceed\w* (?:the )?[\w ]{0,20}(?:quota|size|limit)"
    r"|(?:has|have|was|were|been) (?:been )?(?:rejected|refused|returned|bounced|blocked)|(?:rejected|refused|blocked) (?:by|your|the|because)|giving up|postponed|deferred|did not reach|retr(?:y|ies|ied|ying)[\w ]{0,30}(?:exceed|expired|timeout|deliver|send)|too many hops|message (?:expired|rejected|refused|blocked)"
    r"|(?:not|never) (?:be )?(?:received|delivered|accepted|sent)|non[- ]?existent|said:|following (?:recipients?|address|error)|failed recipients?|unsuccessful"
    r"|unzustell|nicht zugestellt|nicht gesendet|n'a pas pu|n'ont pas|pas (?:été |pu )[\w ]{0,20}(?:remis|livr|distribu|transmis)|no (?:se )?(?:pudo|ha podido)|não (?:foi|pôde)|impossibile|non è stato|niet (?:worden )?(?:bezorgd|afgeleverd)|не (?:было |может быть )?доставлен|недостав|невозможно"
    r"|届[きけ]|送信(?:でき|エラー|失敗)|配[信送](?:でき|エラー|され)|宛先|存在し|ユーザ|あて先|送れません|退信|退回|无法|不存在|失败|被拒|郵件|実在",
    re.IGNORECASE,
)
CODE: Final = re.compile(r"(?<![\d.])(?:[45]\d\d[] )-](?:#?[45]\.\d{1,3}\.\d{1,3}\b|\D)|#?[45]\.\d{1,3}\.\d{1,3}\b)")
REPLY: Final = re.compile(r"(?<![\d.])([45])\d\d[ -]")
# It was not delivered yet.
DELAYED: Final = re.compile(
    r"(?:not|n't) (?:yet )?(?:been )?(?:delivered|sent)[\w ]{0,20}(?:yet|for|after|within the (?:last|past))|will (?:continue|keep|be retried|retry|try|go on)|still being retried|delay(?:ed)?\b|postponed|warning|attempts will continue|no (?:further )?action (?:is )?required|(?:do not|don't|no) need to resend|temporar(?:y|ily) (?:delay|undeliver|unable)",
    re.IGNORECASE,
)
GIVEN_UP: Final = re.compile(
    r"giving up|gave up|given up|fail(?:ed|ure)\b|permanent|fatal|undeliverable|expired|returned|will not",
    re.IGNORECASE,
)
# What words mean where no enhanced code stands beside them (RFC 3463 §3).
MEANS: Final = tuple(
    (re.compile(words, re.IGNORECASE), status)
    for words, status in (
        (r"mailbox[\w ]{0,20}full|full mailbox|quota|not enough (?:storage|space|room)|容量|一杯|いっぱい", "4.2.2"),
        (r"(?:message|mail|content)[\w ]{0,30}(?:too (?:big|large)|size)|size[\w ]{0,20}exceed", "5.3.4"),
        (
            r"(?:host|domain)[\w .<>'\"-]{0,60}(?:unknown|not found|not exist|n't exist)|unrout(?:e|a)able|no such (?:host|domain)",
            "5.1.2",
        ),
        (
            r"(?:user|recipient|mailbox|account|address)[\w .<>@'\",:-]{0,80}(?:unknown|not found|not exist|n't exist|invalid|not listed|unavailable|no longer)",
            "5.1.1",
        ),
        (
            r"(?:unknown|invalid|no such|non-?existent|bad) (?:local )?(?:user|recipient|mailbox|account|address)",
            "5.1.1",
        ),
        (r"no mailbox here|存在し|見つかりません|不存在", "5.1.1"),
        (r"spam|blacklist|block(?:ed|list)|polic(?:y|ies)|reputation|not accepted|virus|content", "5.7.1"),
        (r"timed? ?out|expired|retry|retries|could not be reached|connection refused|temporar", "4.4.7"),
    )
)
# Where the mail that is sent back begins.
RETURNED: Final = re.compile(
    r"^(?:[-=_*#> ]{2,}.{0,100}(?:original|returned|copy|below|undelivered|unsent|transcript of|message (?:header|text|follow)|header|forwarded|message:).{0,100}|[^\n]{0,80}(?:below this line is|(?:is a|the) copy of|(?:original|your|returned|rejected) (?:message|mail|e-?mail)(?: was| is)?:? ?(?:follows?\b|headers?|below|text|:)|headers? (?:of|from|follow)|unsent message (?:below|follow)|message (?:headers?|contents?|text) follow)[^\n]{0,80}"
    r"|(?:received: (?:from|by|\()|return-path: ?<|dkim-signature: )[^\n]*)$",
    re.IGNORECASE | re.MULTILINE,
)
HEADER: Final = re.compile(r"^[> \t]*(to|message-id|x-original-to):[ \t]*([^\n]{1,998})$", re.IGNORECASE | re.MULTILINE)
ADDRESS: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9._-]{0,250}[A-Za-z0-9])?")
LABEL: Final = re.compile(
    r"(?:rcpt[ -]to|recipients?(?: address(?:es)?)?|addressee|delivery to|delivered to|deliver(?:ed)? (?:mail |message )?to|sent to|mail(?:box)? (?:to|for)|message (?:to|for)|user|mailbox|account|宛先|あて先|受信者|收件人|(?:^|\W)(?:to|an|à|für|for))\W{0,12}$",
    re.IGNORECASE,
)
NOT_IT: Final = re.compile(
    r"(?:from|sender|contact|reply[- ]?to|mailto|message-?id|help|questions?|e-?mail us|admin\w*|abuse|envelope-from|return-path|by|差出人|via)\W{0,12}$",
    re.IGNORECASE,
)
SERVERS: Final = re.compile(
    r"mailer-daemon|postmaster|abuse|support|help|admin|root|listmaster|noc|info", re.IGNORECASE
)
STARTS: Final = re.compile(r"[\s<>\[\](){}\"'*•·:;|=-]*")


def is_bounce(
    *, sender: str, subject: str, text: str, headers: Headers, answered: bool, returned: bool
) -> tuple[str, ...]:
    """Why it is one, or nothing. `sender`: name and address; `answered`: it came as nobody's mail that is to be answered ("<>");
    `returned`: it holds another mail.

    A server's word alone is none, and neither are words alone, which a person may write as well: both are needed.
    """
    if any(headers.every("x-failed-recipients")):
        return ("x-failed-recipients",)
    text = text[:LOOKED_AT]
    daemon, said = bool(DAEMON.search(sender)), bool(SUBJECT.search(subject))
    told, exact = bool(FAILURE.search(text)), bool(CODE.search(text))
    why = {
        "a mail server's address": daemon,
        "empty envelope sender": answered,
        "subject of a failure": said,
        "words of a failure": told or exact,
        "a mail sent back": returned,
    }
    if daemon:
        is_one = said or told or exact
    else:
        back = returned or bool(RETURNED.search(text))
        by_nobody = answered or (back and (exact or bool(NOBODY_READS.match(sender.rpartition("<")[2]))))
        is_one = said and (told or exact) and by_nobody and not FORWARDED.match(subject)
    return tuple(words for words, found in why.items() if found) if is_one else ()


FORWARDED: Final = re.compile(r"\s*(?:re|fwd?|aw|wg|tr|sv|vs|rv|i|转发|回复|答复)\s*[:：]", re.IGNORECASE)


def fates(*, text: str, headers: Headers, mine: frozenset[str], subject: str) -> tuple[Fate, ...]:
    """For whom it was not delivered, and why. `mine`: addresses of whoever sent it, and of whom it was returned to."""
    text = text[:LOOKED_AT]
    found = RETURNED.search(text)
    said, back = (text[: found.start()], text[found.start() :]) if found else (text, "")
    named = [*_named(headers)]
    aimed = {
        one.lower()
        for match in HEADER.finditer(back or text)
        if match[1].lower() != "message-id"
        for one in ADDRESS.findall(match[2])
    }
    recipients = (
        named
        or _best(said, aimed, mine)
        or _best(text, aimed, mine)
        or _best(said, aimed, frozenset())
        or sorted(aimed - mine)
    )
    action, status, words = judge(said or text, subject)
    return tuple(Fate(one, action, status, words) for one in [*dict.fromkeys(recipients)][:RECIPIENTS])


def judge(text: str, subject: str) -> tuple[str, str, str]:
    """The action (RFC 3464 §2.3.3), the status as far as it is told, the words that tell it."""
    line = next((line for line in text.splitlines() if CODE.search(line[:LINE])), "")
    line = line or next((line for line in text.splitlines() if FAILURE.search(line[:LINE])), "")
    status = enhanced(text)
    if not status or status[0] == "2" or status.endswith(".0.0"):
        reply = REPLY.search(line[:LINE])
        status = meant(line) or meant(text) or (f"{reply[1]}.0.0" if reply else status)
    late = DELAYED.search(f"{subject}\n{text}") and not GIVEN_UP.search(f"{subject}\n{text}")
    return "delayed" if late else "failed", status, " ".join(line.split())[:DIAGNOSTIC]


def meant(words: str) -> str:
    """The status that words mean, or ""."""
    return next((status for pattern, status in MEANS if pattern.search(words)), "")


def _named(headers: Headers) -> Iterator[str]:
    for name in ("x-failed-recipients", "x-actual-recipient"):
        for value in headers.every(name):
            yield from (one.lower() for one in ADDRESS.findall(read_words(value)))


def _best(text: str, aimed: Iterable[str], mine: frozenset[str]) -> list[str]:
    """The addresses that stand most as a recipient does; several where they stand alike."""
    aimed = {*aimed}
    points: dict[str, int] = {}
    for line in (whole[:LINE] for whole in text.splitlines()):
        for found in ADDRESS.finditer(line):
            address = found[0].lower().rpartition("smtp=")[2].strip(".'`")
            if address in mine:
                continue
            before = line[: found.start()]
            score = (
                3 * bool(STARTS.fullmatch(before)) + 3 * bool(LABEL.search(before)) - 4 * bool(NOT_IT.search(before))
            )
            score += 2 * (address in aimed) - 3 * bool(SERVERS.match(address)) + bool(FAILURE.search(line))
            points[address] = max(points.get(address, -10), score)
    most = max(points.values(), default=-10)
    return [address for address, score in points.items() if score == most and score >= 0]


def ids_in(text: str) -> Iterator[str]:
    """Message-IDs of what is sent back in the words."""
    return (match[2] for match in HEADER.finditer(text[:LOOKED_AT]) if match[1].lower() == "message-id")
