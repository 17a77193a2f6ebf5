"""A mail as a record: who, to whom, when, in which thread, with which words and files (RFC 5322)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import Final, Literal

from services.email_adapter.mail import automatic, kinds, reported, spam
from services.email_adapter.mail.addresses import Mailbox, mailboxes, wire_domain
from services.email_adapter.mail.bodies import Body, read_body
from services.email_adapter.mail.files import File, read_files
from services.email_adapter.mail.flags import flags
from services.email_adapter.mail.headers import Headers
from services.email_adapter.mail.ids import found_in, is_ours
from services.email_adapter.mail.names import Account
from services.email_adapter.mail.newest import NewText
from services.email_adapter.mail.refusals import Refused
from services.email_adapter.mail.seal import HEADER, Said, seal
from services.email_adapter.mail.sections import Section, cut, plain_ends, uncut
from services.email_adapter.mail.sizes import parts_of
from services.email_adapter.mail.threads import thread_of
from services.email_adapter.mail.words import charset_of, read_words
from shared.contract.channel import Context, Mail, MailRead, Malformed, Message
from shared.contract.envelope import Assessment, Party, Thread

RECIPIENTS: Final = 100
SENDERS: Final = ("from", "reply-to", "return-path", "sender")
NOBODY: Final = "unknown"  # the address of a mail that names no sender at all
SPACES: Final = b" \t\r\n"  # transports change line ends, and what stands before them
OUR_ID: Final = "our own message-id"
OUR_ADDRESS: Final = "from this inbox"
ANSWER_ELSEWHERE: Final = "reply-to is not the sender"
FAILED: Final = frozenset({"fail", "permerror"})
ANSWERED: Final = frozenset({"human", "list", "calendar"})  # kinds that somebody waits with for an answer
OLDEST: Final = 1990  # an earlier year is a clock that was never set
DATE: Final = 200  # characters


def read(account: Account, mail: Mail, context: Context) -> MailRead:
    """What a mail says: one record, and the bytes of its files. Pure, linear in time. Sections that cannot be read are
    `unsupported` parts: whoever wrote is shown. Of a mail that could not be read before (`unread`) only the head is looked at.

    Raises Malformed only for a mail that is beyond the limits (see `limits.scan`), and for an unread one of nobody.
    """
    return opened(account, mail, context).result()


def opened(account: Account, mail: Mail, context: Context) -> Reading:
    """A mail cut into its sections and fields, before anything is made of them. Raises as `read`."""
    try:
        raw = plain_ends(mail.raw)
        top = uncut(raw, mail.unread) if mail.unread else cut(raw)
    except Refused as refused:
        raise Malformed(refused.reply) from None
    hint = top.type.token("charset") or _words_charset(top.headers)
    body = read_body(top, raw, hint)
    unread = tuple(section.unread for section in top.walk() if section.unread)
    return Reading(account, mail, context, top, raw, hint, body, read_files(body.files, raw, hint), unread)


@dataclass(frozen=True, slots=True)
class Reading:
    """A mail cut into its sections; `hint` is the charset for headers that do not say theirs."""

    account: Account
    mail: Mail
    context: Context
    top: Section
    raw: bytes
    hint: str | None
    body: Body
    files: tuple[File, ...]
    unread: tuple[str, ...]

    @property
    def headers(self) -> Headers:
        return self.top.headers

    def result(self) -> MailRead:
        text = self.body.text()
        name = self.name()
        ours = name is not None and self.is_ours(name)
        sender, recipients, date = self.sender(), self.recipients(), self.date()
        if self.mail.unread and sender.address == NOBODY:
            raise Malformed(self.mail.unread)
        echo = ours and sender.address == self.account.address and self.is_sealed()
        new = NewText(text) if echo else self.body.new_text()  # our own is as it was sent
        parts, files = parts_of(text, new, self.body.html(), self.files, self.unread)
        thread = thread_of(self.headers, self.mail, self.account, self.hint)
        answer_to = self.answer_to(sender, recipients)
        judged = self.judged(sender, recipients, thread.subject, text)
        receipt = None
        if judged.kind in reported.REPORTS and not echo:
            original = next((one.lower() for one in judged.names if self.is_ours(one)), None)
            if original:
                at = date or self.context.now
                receipt = reported.receipt_of(judged, original, self.account, sender.address, at)
            thread = Thread(reply_to=original, subject=thread.subject)
            parts = (reported.notice_of(judged, ours=original is not None), *parts)
        message = Message(
            account_key=self.account.key,
            event_key=self.event_key(name, sender, thread.subject, date, text),
            peer=sender.address,
            sender=_party(sender, proved=self.is_proved(sender)),
            recipients=tuple(Party(address=one.address, name=one.name) for one in recipients),
            surface="email",
            external_id=name if not ours else name.lower() if name and echo else None,
            thread=thread,
            parts=parts,
            answer_to=_party(answer_to) if answer_to else None,
            assessment=self.assessment(judged, sender, answer_to, ours=ours),
            occurred_at=date or self.context.now,
            echo=echo,
        )
        return MailRead(records=(message, receipt) if receipt else (message,), files=files)

    def is_ours(self, name: str) -> bool:
        """Whether this inbox made the Message-ID, which says nothing of who wrote the mail that bears it."""
        return is_ours(name, self.account, self.context.secret.get_secret_value().encode())

    def judged(self, sender: Mailbox, recipients: tuple[Mailbox, ...], subject: str | None, text: str) -> kinds.Judged:
        """Of a mail that could not be read, a person's: somebody should look at it."""
        if self.mail.unread:
            return kinds.Judged("human")
        return kinds.judge(
            kinds.Read(self.top, self.raw, sender, recipients, subject or "", text, self.mail.sender, self.context.now)
        )

    def name(self) -> str | None:
        return next(iter(found_in(self.headers.first("message-id") or b"")), None)

    def is_sealed(self) -> bool:
        """Whether it says what the inbox wrote under this name, and nothing else."""
        made = self.seal(hashlib.sha256(file.data).hexdigest() for file in self.files)
        return hmac.compare_digest(made.encode(), self.headers.first(HEADER.lower()) or b"")

    def seal(self, digests: Iterable[str]) -> str:
        """Over whatever is shown of it. `digests`: SHA-256 of its files in hex, in their order."""
        sender, recipients = self.sender(), self.recipients()
        files = [
            [file.media.name, file.media.mime_type, digest] for file, digest in zip(self.files, digests, strict=True)
        ]
        said: Said = [
            (self.name() or "").lower(),
            [[box.address, box.name] for box in (sender, self.answer_to(sender, recipients), *recipients) if box],
            thread_of(self.headers, self.mail, self.account, self.hint).subject,
            [[words.plain, words.html] for words in self.body.words],
            files,
            list(self.unread),
        ]
        return seal(said, self.account, self.context.secret.get_secret_value().encode())

    def sender(self) -> Mailbox:
        """The first header that names someone; else who the envelope says, or what From says instead of an address."""
        named = (box for name in SENDERS for value in self.headers.every(name) for box in mailboxes(value, self.hint))
        if found := next(named, None):
            return found
        for value in (self.mail.sender.encode(errors="surrogateescape"), *self.headers.every("from")):
            if found := next(mailboxes(value), None):
                return found
            if words := read_words(value, self.hint).strip("<>\"' ")[:100]:
                return Mailbox(words.lower())
        return Mailbox(NOBODY)

    def is_proved(self, sender: Mailbox) -> bool:
        """Whether DMARC passed for the domain of just this sender, whom the one From names."""
        checks = self.mail.checks
        if checks is None or checks.dmarc != "pass" or not checks.domain:
            return False
        return wire_domain(sender.address) == checks.domain and len(list(self.headers.every("from"))) == 1

    def authentication(self, sender: Mailbox) -> Literal["dmarc", "fail", "none"]:
        """`fail` only where the domain asks that what fails is not trusted; with `p=none` it still tries out its own servers."""
        if self.is_proved(sender):
            return "dmarc"
        checks = self.mail.checks
        return "fail" if checks and checks.dmarc in FAILED and checks.policy != "none" else "none"

    def assessment(self, judged: kinds.Judged, sender: Mailbox, answer_to: Mailbox | None, *, ours: bool) -> Assessment:
        """Whether it is its sender's, what kind it is, and whether a program may answer (EMAIL rule 10: our own never)."""
        found = [*automatic.reasons(self.headers, sender=sender.address, envelope_sender=self.mail.sender)]
        filtered = spam.verdict(self.headers, self.account.spam_filter)
        if ours:
            found.append(OUR_ID)
        if sender.address == self.account.address:
            found.append(OUR_ADDRESS)
        if answer_to:
            found.append(ANSWER_ELSEWHERE)
        if filtered.is_spam:
            found.append(f"spam by {filtered.by}")
        if judged.kind not in ANSWERED:
            found += judged.reasons
        bounces = reported.bounces_of(judged, next(iter(judged.names), None))
        return Assessment(
            authentication=self.authentication(sender),
            kind=judged.kind,
            may_auto_answer=not found,
            spam=filtered.is_spam,
            bounce=next(iter(bounces), None),
            bounces=bounces[1:],
            until=judged.until,
            unsubscribe=judged.unsubscribe,
            spam_score=filtered.score,
            symbols=filtered.symbols,
            reasons=tuple(dict.fromkeys((*found, *judged.reasons))),
            checks=self.mail.checks,
            flags=tuple(flags(sender, answer_to)),
        )

    def answer_to(self, sender: Mailbox, recipients: tuple[Mailbox, ...]) -> Mailbox | None:
        """Who asks for the answer, where that is not the sender: a form's Reply-To. A list's, which it was sent to, is nobody's wish."""
        named = next((box for value in self.headers.every("reply-to") for box in mailboxes(value, self.hint)), None)
        known = {sender.address, self.account.address, *(box.address for box in recipients)}
        return named if named and named.address not in known else None

    def recipients(self) -> tuple[Mailbox, ...]:
        every = (
            box for name in ("to", "cc") for value in self.headers.every(name) for box in mailboxes(value, self.hint)
        )
        return tuple({box.address: box for box in islice(every, RECIPIENTS)}.values())

    def date(self) -> datetime | None:
        told = read_words(self.headers.first("date") or b"")[:DATE]
        try:
            at = parsedate_to_datetime(told)
            at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
        return at if at.year >= OLDEST else None

    def event_key(
        self, name: str | None, sender: Mailbox, subject: str | None, date: datetime | None, text: str
    ) -> str:
        """What it says, under the name that it was given: the same by whatever transport it came, which changes other headers
        and line ends. Without a name the whole mail as it came: a server on the way has put its time and its own name of it
        into Received, the same ones when it tries again; where none has, in the transaction that brought it.
        """
        if name is None:
            told = hashlib.sha256(self.mail.raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")).hexdigest()
            queued = any(self.headers.every("received"))
            return told if queued or not self.mail.transaction else f"{told}/{self.mail.transaction}"
        said = (sender.address, date.isoformat() if date else "", subject or "", " ".join(text.split()))
        digest = hashlib.sha256("\x1f".join(said).encode(errors="surrogatepass"))
        for file in self.files:
            digest.update(hashlib.sha256(file.data.translate(None, SPACES)).digest())
        return f"{name[:900]}/{digest.hexdigest()}"


def _party(box: Mailbox, *, proved: bool = False) -> Party:
    return Party(
        address=box.address,
        name=box.name,
        verified="dmarc" if proved else None,
        email=box.address if "@" in box.address else None,
    )


def _words_charset(headers: Headers) -> str | None:
    every = (charset_of(value) for name in ("subject", "from") for value in headers.every(name))
    return next(filter(None, every), None)
