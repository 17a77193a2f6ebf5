"""A mail as a person's mail program writes it: ids of its own, the answered text quoted, plain and as HTML, files beside."""

from __future__ import annotations

import html
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, getaddresses
from typing import Any, Final

from services.sandbox.bodies import Upload
from services.sandbox.mail.views import read
from services.sandbox.refusals import Refused

POLICY: Final = SMTP.clone(max_line_length=998)  # a shorter one encodes long ids in In-Reply-To, which breaks threads
RECIPIENTS: Final = 20
REFERENCES: Final = 20  # ids
QUOTED: Final = 64 * 1024  # characters of the answered mail


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """A mail that is ready to be sent, and to whom."""

    to: tuple[str, ...]
    raw: bytes


def write(address: str, values: Mapping[str, Any], answered: bytes | None) -> Written:
    """`values`: to, subject, text, html, name and files, as the page sends them; `answered`: the mail that it answers.

    Raises Refused for what no mail program would send.
    """
    before = read(answered) if answered else None
    to = _recipients(_word(values, "to") or _answer_address(address, before))
    files = [value for name, value in values.items() if name.startswith("file") and isinstance(value, Upload)]
    text = _word(values, "text")
    if not text and not files:
        raise Refused(400, "nothing to send: give text, or a file")
    mail = EmailMessage(policy=POLICY)
    try:
        _address(mail, address, to, _word(values, "name"))
        mail["Subject"] = _word(values, "subject") or _answering(before)
        mail["Date"] = format_datetime(datetime.now(UTC))
        mail["Message-ID"] = f"<{uuid.uuid4()}@{address.rpartition('@')[2]}>"
        mail["User-Agent"] = "Parley sandbox"
        _thread(mail, before)
        _content(mail, text, _word(values, "html"), before, files)
    except (ValueError, IndexError, UnicodeError) as error:
        raise Refused(400, f"no mail can be made of this: {error}") from None
    return Written(to=to, raw=mail.as_bytes())


def _answer_address(address: str, before: EmailMessage | None) -> str:
    """Where an answer goes; who answers their own mail writes to the same people once more."""
    if before is None:
        return ""
    own = address in str(before["from"]).lower()
    return str(before["to"] if own else before["reply-to"] or before["from"])


def _recipients(told: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(one for _, one in getaddresses([told]) if "@" in one))
    if not 0 < len(found) <= RECIPIENTS:
        raise Refused(400, f"to is one address, or up to {RECIPIENTS} with commas between them")
    return found


def _address(mail: EmailMessage, address: str, to: Sequence[str], name: str) -> None:
    mail["From"] = Address(name, addr_spec=address)
    mail["To"] = ", ".join(to)


def _answering(before: EmailMessage | None) -> str:
    if before is None:
        return ""
    subject = str(before["subject"] or "")
    return subject if subject.lower().startswith("re:") else f"Re: {subject}"


def _thread(mail: EmailMessage, before: EmailMessage | None) -> None:
    """RFC 5322 §3.6.4: the answered mail's References and its own id."""
    if before is None or not before["message-id"]:
        return
    name = str(before["message-id"]).strip()
    earlier = str(before["references"] or before["in-reply-to"] or "").split()
    mail["In-Reply-To"] = name
    mail["References"] = " ".join([*earlier[:1], *earlier[1:][-REFERENCES:], name])


def _content(mail: EmailMessage, text: str, rich: str, before: EmailMessage | None, files: Sequence[Upload]) -> None:
    """multipart/alternative, with what was written before under both."""
    plain, marked = _quotes(before)
    mail.set_content(text + plain)
    body = rich or "".join(f"<div>{html.escape(line) or '<br>'}</div>" for line in text.splitlines())
    mail.add_alternative(f"<html><body>{body}{marked}</body></html>", subtype="html")
    for file in files:
        main, _, sub = file.mime_type.partition("/")
        kind = (main, sub) if sub and main not in {"multipart", "message"} else ("application", "octet-stream")
        mail.add_attachment(file.data, maintype=kind[0], subtype=kind[1], filename=file.name)


def _quotes(before: EmailMessage | None) -> tuple[str, str]:
    part = before.get_body(("plain",)) if before else None
    if before is None or not isinstance(part, EmailMessage):
        return "", ""
    said = str(part.get_content())[:QUOTED].rstrip().splitlines()
    when = f"On {before['date']}, {before['from']} wrote:"
    plain = "\n".join(f"> {line}" for line in said)
    marked = "<br>".join(map(html.escape, said))
    return (
        f"\n\n{when}\n{plain}\n",
        f'<div class="gmail_quote"><div>{html.escape(when)}</div><blockquote>{marked}</blockquote></div>',
    )


def _word(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name) or ""
    if not isinstance(value, str):
        raise Refused(400, f"{name} must be a text")
    return value
