"""A mail as a record: who, to whom, when, in which thread, with which words and files (RFC 5322)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import Final

from services.email_adapter.mail import automatic
from services.email_adapter.mail.addresses import Mailbox, mailboxes
from services.email_adapter.mail.bodies import Body, read_body
from services.email_adapter.mail.files import File, read_files
from services.email_adapter.mail.headers import Headers
from services.email_adapter.mail.ids import found_in, is_ours
from services.email_adapter.mail.names import Account
from services.email_adapter.mail.refusals import Refused
from services.email_adapter.mail.sections import cut
from services.email_adapter.mail.sizes import parts_of
from services.email_adapter.mail.threads import thread_of
from services.email_adapter.mail.words import read_words
from shared.channel import Context, Mail, MailRead, Malformed, Message
from shared.envelope import Assessment, Party

RECIPIENTS: Final = 100
SENDERS: Final = ("from", "reply-to", "return-path", "sender")
NOBODY: Final = "unknown"  # the address of a mail that names no sender at all
OLDEST: Final = 1990  # an earlier year is a clock that was never set
DATE: Final = 200  # characters


def read(account: Account, mail: Mail, context: Context) -> MailRead:
    """What a mail says: one record, and the bytes of its files. Pure, linear in time.

    Raises Malformed only for a mail that is beyond the limits (see `limits.scan`).
    """
    try:
        top = cut(mail.raw)
    except Refused as refused:
        raise Malformed(refused.reply) from None
    hint = top.type.token("charset") or None
    body = read_body(top, mail.raw)
    reading = Reading(account, mail, context, top.headers, hint, body, read_files(body.files, mail.raw, hint))
    return reading.result()


@dataclass(frozen=True, slots=True)
class Reading:
    """A mail cut into its sections; `hint` is the charset for headers that do not say theirs."""

    account: Account
    mail: Mail
    context: Context
    headers: Headers
    hint: str | None
    body: Body
    files: tuple[File, ...]

    def result(self) -> MailRead:
        text = self.body.text()
        parts, files = parts_of(text, self.body.html(), self.files)
        own_id = next(iter(found_in(self.headers.first("message-id") or b"")), None)
        echo = own_id is not None and is_ours(own_id, self.context.secret.get_secret_value().encode())
        sender, recipients, date = self.sender(), self.recipients(), self.date()
        message = Message(
            account_key=self.account.key,
            event_key=self.event_key(own_id, sender, date, text),
            peer=self.peer(sender, recipients, echo=echo),
            sender=Party(address=sender.address, name=sender.name, email=_if_address(sender.address)),
            recipients=tuple(Party(address=one.address, name=one.name) for one in recipients),
            surface="email",
            external_id=own_id.lower() if own_id and echo else own_id,
            thread=thread_of(self.headers, self.mail, self.account, self.hint),
            parts=parts,
            assessment=self.assessment(sender),
            occurred_at=date or self.context.now,
            echo=echo,
        )
        return MailRead(records=(message,), files=files)

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

    def assessment(self, sender: Mailbox) -> Assessment:
        """Nothing proves who wrote it; only whether a program may answer is said."""
        found = tuple(automatic.reasons(self.headers, sender=sender.address, envelope_sender=self.mail.sender))
        return Assessment(may_auto_answer=not found, reasons=found)

    def recipients(self) -> tuple[Mailbox, ...]:
        every = (
            box for name in ("to", "cc") for value in self.headers.every(name) for box in mailboxes(value, self.hint)
        )
        return tuple({box.address: box for box in islice(every, RECIPIENTS)}.values())

    def peer(self, sender: Mailbox, recipients: tuple[Mailbox, ...], *, echo: bool) -> str:
        """The customer: of a mail of ours that came back, the one that it was for."""
        others = (box.address for box in recipients if box.address != self.account.address)
        return next(others, sender.address) if echo else sender.address

    def date(self) -> datetime | None:
        told = read_words(self.headers.first("date") or b"")[:DATE]
        try:
            at = parsedate_to_datetime(told)
            at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
        return at if at.year >= OLDEST else None

    def event_key(self, own_id: str | None, sender: Mailbox, date: datetime | None, text: str) -> str:
        """The same by whatever transport the mail came: they change headers and line ends."""
        told = (sender.address, date.isoformat() if date else "", " ".join(text.split()))
        digest = hashlib.sha256("\x1f".join(told).encode(errors="surrogatepass"))
        if not told[-1]:
            for file in self.files:
                digest.update(hashlib.sha256(file.data).digest())
        return "/".join(filter(None, (own_id and own_id[:900], digest.hexdigest())))


def _if_address(text: str) -> str | None:
    return text if "@" in text else None
