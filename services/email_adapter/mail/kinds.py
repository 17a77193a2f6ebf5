"""What kind of mail it is, and why: a person's, a program's answer, a list's, or a report on a mail that was sent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from services.email_adapter.mail import absence, bounces
from services.email_adapter.mail.addresses import Mailbox
from services.email_adapter.mail.automatic import is_answer, is_list, told
from services.email_adapter.mail.bodies import content
from services.email_adapter.mail.headers import Headers
from services.email_adapter.mail.ids import found_in
from services.email_adapter.mail.reports import (
    DELIVERY,
    DISPLAYED,
    FEEDBACK,
    RETURNED,
    Fate,
    fates,
    fates_in_words,
    groups,
    recipient_of,
    returned,
)
from services.email_adapter.mail.sections import Section
from services.email_adapter.mail.words import read_words

Kind = Literal["human", "automatic", "out_of_office", "bounce", "complaint", "receipt", "list", "calendar"]

WHO: Final = 500  # characters of From
ENOUGH: Final = 64 * 1024  # bytes of a mail's words in which a block of a report is looked for
NAMES: Final = 50  # Message-IDs
SHORT: Final = 100  # characters of a text that is nothing but a wish
GONE: Final = frozenset({"failed", "delayed"})  # actions (RFC 3464 §2.3.3) of what did not arrive, or not yet
UNWANTED: Final = frozenset({"abuse", "opt-out", "opt-out-list"})  # feedback of those who want no more of them
UNSUBSCRIBE: Final = re.compile(
    r"\W*(?:please )?(?:unsubscribe|remove me|take me off|opt[- ]?out|abmelden|abbestellen|désabonner|désinscription|darme de baja|cancelar suscripción|cancella iscrizione|afmelden|отписаться|退订|退訂|取消订阅|配信停止|購読解除|ឈប់ជាវ)"
    r"(?: (?:me|from|of|this|the|your|all|mailing|lists?|newsletters?|e-?mails?|please)){0,6}\W*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Read:
    """What its kind is judged by. `sender`, `recipients`: as the mail is shown; `envelope_sender` as in `channel.Mail`."""

    top: Section
    raw: bytes
    sender: Mailbox
    recipients: tuple[Mailbox, ...]
    subject: str
    text: str
    envelope_sender: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Judged:
    """`names`: Message-IDs of the mail that a report is about, the surest first; `fates`: what became of it, by recipient.

    `seen`: a receipt says that it was displayed. `unwanted`: a complaint of somebody who wants no more of them.
    `until`: how long somebody is out of office.
    """

    kind: Kind
    reasons: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    fates: tuple[Fate, ...] = ()
    seen: bool = False
    unwanted: bool = False
    until: datetime | None = None
    unsubscribe: bool = False


def judge(mail: Read) -> Judged:
    """The first that it is of: a report for programs, a report in words, a program's answer, a calendar's, a list's, a person's."""
    return _report(mail) or _bounce_in_words(mail) or _answer(mail) or _other(mail)


def _report(mail: Read) -> Judged | None:
    leaves = {section.kind: section for section in mail.top.walk() if not section.children}
    status = next((leaves[kind] for kind in DELIVERY if kind in leaves), None)
    if status and (found := fates(status, mail.raw)):
        return _delivery(mail, ("delivery status",), found)
    if section := next((leaves[kind] for kind in FEEDBACK if kind in leaves), None):
        fields = next(groups(content(section, mail.raw)), Headers())
        said = (fields.first("feedback-type") or b"").decode("latin-1").strip().lower()[:SHORT]
        return _complaint(mail, f"feedback report: {said}", unwanted=said in UNWANTED)
    if any(returned(mail.top, mail.raw).every("x-hmxmroriginalrecipient")):
        return _complaint(mail, "feedback report of Outlook", unwanted=True)
    if section := next((leaves[kind] for kind in DISPLAYED if kind in leaves), None):
        return _displayed(mail, next(groups(content(section, mail.raw)), Headers()))
    return None


def _delivery(mail: Read, why: tuple[str, ...], found: tuple[Fate, ...]) -> Judged:
    """What did not arrive is a bounce; that all did is a receipt."""
    gone = tuple(one for one in found if one.action in GONE)
    arrived = bool(found) and all(one.action and one.action not in GONE for one in found)
    return Judged("receipt" if arrived else "bounce", why, _names(mail), gone or found)


def _bounce_in_words(mail: Read) -> Judged | None:
    headers = mail.top.headers
    why = bounces.is_bounce(
        sender=f"{read_words(headers.first('from') or b'')[:WHO]} <{mail.sender.address}>",
        subject=mail.subject,
        text=mail.text,
        headers=headers,
        answered=mail.envelope_sender == "<>" or told(headers, "return-path") == b"<>",
        returned=any(section.kind in RETURNED for section in mail.top.walk()),
    )
    may_be = why or mail.top.type.token("report-type") == "delivery-status"
    if may_be and (block := fates_in_words(mail.raw[mail.top.start :][:ENOUGH])):
        return _delivery(mail, ("delivery status in the words",), block)
    if not why or (is_answer(headers) and absence.is_answer(mail.subject)):
        return None
    mine = frozenset({mail.sender.address, *(box.address for box in mail.recipients)})
    found = bounces.fates(text=mail.text, headers=headers, mine=mine, subject=mail.subject)
    return Judged("bounce", why, _names(mail), found)


def _complaint(mail: Read, why: str, *, unwanted: bool) -> Judged:
    return Judged("complaint", (why,), _names(mail), unwanted=unwanted)


def _displayed(mail: Read, fields: Headers) -> Judged:
    """RFC 8098 §3.2.6: `displayed` is all that says that somebody saw it. A server that refuses a mail in this form says so in words."""
    said = (fields.first("disposition") or b"").decode("latin-1").lower()
    action = said.partition(";")[2].partition("/")[0].strip()
    names = (*found_in(fields.first("original-message-id") or b""), *_names(mail))
    if action != "displayed" and said.startswith("automatic") and bounces.FAILURE.search(mail.text[:ENOUGH]):
        _, status, words = bounces.judge(mail.text[:ENOUGH], mail.subject)
        fate = Fate(recipient_of(fields), "failed", status, words)
        return Judged("bounce", ("refused by a disposition",), names, (fate,))
    return Judged("receipt", (f"disposition: {action[:SHORT]}",), names, seen=action == "displayed")


def _names(mail: Read) -> tuple[str, ...]:
    """Of the mail that is sent back, then of what the report answers."""
    headers = mail.top.headers
    values = [*returned(mail.top, mail.raw).every("message-id"), *headers.every("x-original-message-id")]
    values += [one.encode(errors="surrogatepass") for one in bounces.ids_in(mail.text)]
    values += [*headers.every("in-reply-to"), *reversed([*headers.every("references")])]
    return tuple(dict.fromkeys(name for value in values for name in found_in(value)))[:NAMES]


def _answer(mail: Read) -> Judged | None:
    """A program's own word is enough; a subject like a program's only beside another sign (a mail of ours that it answers)."""
    headers = mail.top.headers
    signs = [*_signs(mail)]
    if not is_answer(headers) and not (absence.is_answer(mail.subject) and signs):
        return None
    why = ("auto-submitted",) if is_answer(headers) else ("subject of an automatic answer", *signs)
    generated = told(headers, "auto-submitted") == b"auto-generated"
    if generated or not absence.is_away(mail.subject, mail.text):
        return Judged("automatic", why)
    return Judged(
        "out_of_office", (*why, "says that somebody is away"), until=absence.until(mail.subject, mail.text, mail.now)
    )


def _signs(mail: Read) -> Iterator[str]:
    headers = mail.top.headers
    if any(headers.every("in-reply-to")) or any(headers.every("references")):
        yield "answers a mail"
    if mail.envelope_sender == "<>" or told(headers, "return-path") == b"<>":
        yield "empty envelope sender"
    if told(headers, "x-auto-response-suppress") not in {b"", b"none"}:
        yield "x-auto-response-suppress"
    if told(headers, "precedence") in {b"bulk", b"junk"}:
        yield "precedence"


def _other(mail: Read) -> Judged:
    methods = [section.type.token("method") for section in mail.top.walk() if section.kind == "text/calendar"]
    if method := next((one for one in methods if one), ""):
        return Judged("calendar", (f"calendar: {method[:SHORT]}",))
    text = mail.text.strip()
    unsubscribe = len(text) <= SHORT and any(map(UNSUBSCRIBE.fullmatch, (text, mail.subject[:SHORT])))
    why = ("asks to be sent no more",) if unsubscribe else ()
    if is_list(mail.top.headers):
        return Judged("list", ("mailing list",), unsubscribe=unsubscribe)
    return Judged("human", why, unsubscribe=unsubscribe)
