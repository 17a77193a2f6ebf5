"""Where a mail says that it belongs: our signed name first, then the ids that it answers (RFC 5322 §3.6.4)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

from services.email_adapter.mail import replies
from services.email_adapter.mail.addresses import mailboxes
from services.email_adapter.mail.headers import Headers
from services.email_adapter.mail.ids import found_in, thread_token_of
from services.email_adapter.mail.names import Account
from services.email_adapter.mail.words import read_words
from shared.contract.channel import Mail
from shared.contract.envelope import Thread

REFERENCES: Final = 50
SUBJECT: Final = 998
ADDRESSED: Final = ("delivered-to", "x-original-to", "to", "cc")
LOOKED_AT: Final = 200  # addresses


def thread_of(headers: Headers, mail: Mail, account: Account, hint: str | None) -> Thread:
    """The token, the message answered, the newest references (oldest first) and the subject."""
    answered = _ids(headers, "in-reply-to")
    references = _ids(headers, "references")
    return Thread(
        token=next(_thread_tokens(headers, mail, account, (*answered, *reversed(references))), None),
        reply_to=answered[0] if answered else None,
        references=references[-REFERENCES:],
        subject=read_words(headers.first("subject") or b"", hint, guess=True)[:SUBJECT] or None,
    )


def _ids(headers: Headers, name: str) -> tuple[str, ...]:
    return found_in(b" ".join(headers.every(name)))


def _thread_tokens(headers: Headers, mail: Mail, account: Account, ids: tuple[str, ...]) -> Iterator[str]:
    """The envelope says where the mail really came; a header may be a copy; an id only names what is answered."""
    for address in (*mail.recipients, *islice(_addressed(headers), LOOKED_AT)):
        if reply := replies.read(address, account.reply_domain):
            yield reply.token
    for one in ids:
        if token := thread_token_of(one, account.id_domain):
            yield token


def _addressed(headers: Headers) -> Iterator[str]:
    return (box.address for name in ADDRESSED for value in headers.every(name) for box in mailboxes(value))
