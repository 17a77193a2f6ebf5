"""A mail as its reader's program shows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from functools import lru_cache
from typing import Any, Final

from services.sandbox.mail.boxes import Kept
from services.sandbox.refusals import Refused

SHOWN: Final = 512 * 1024  # characters of a text


@dataclass(frozen=True, slots=True)
class Attachment:
    """`id` is its place in the mail, `content_id` the name by which its HTML shows it (RFC 2392), if any."""

    id: str
    name: str
    mime_type: str
    data: bytes
    content_id: str = ""


def view(kept: Kept, raw: bytes) -> dict[str, Any]:
    """The mail for the page; texts are cut at SHOWN characters, a file's id is the mail's and its place in it."""
    told = _told(raw)
    status = {"status": kept.status} if kept.status else {}
    files = [{**one, "id": f"{kept.id}-{one['id']}"} for one in told["attachments"]]
    about = {"n": kept.n, "id": kept.id, "at": kept.at, "direction": kept.direction}
    return {**about, **told, "attachments": files, **status}


@lru_cache(maxsize=256)
def _told(raw: bytes) -> dict[str, Any]:
    mail = read(raw)
    html = _text(mail, "html")
    return {
        **{name: _header(mail, name) for name in ("from", "to", "subject")},
        "text": _text(mail, "plain") or "",
        **({"html": html} if html is not None else {}),
        "attachments": [
            {
                "id": one.id,
                "name": one.name,
                "mime_type": one.mime_type,
                "size": len(one.data),
                **({"content_id": one.content_id} if one.content_id else {}),
            }
            for one in attachments(mail)
        ],
        "in_reply_to": _header(mail, "in-reply-to").strip("<>") or None,
        "references": [name.strip("<>") for name in _header(mail, "references").split()],
        "headers": [[name, str(value)] for name, value in mail.items()],
    }


def read(raw: bytes) -> EmailMessage:
    return message_from_bytes(raw, policy=SMTP)


def attachments(mail: EmailMessage) -> Iterator[Attachment]:
    """Its files, pictures within the text among them."""
    for number, part in enumerate(mail.walk()):
        if part.is_multipart() or (part.get_content_maintype() == "text" and not part.get_filename()):
            continue
        data = part.get_payload(decode=True)
        if isinstance(data, bytes):
            named = str(part["content-id"] or "").strip("<> ")
            yield Attachment(str(number), part.get_filename() or "file", part.get_content_type(), data, named)


def attachment(raw: bytes, name: str) -> Attachment:
    """Raises Refused where there is none of this id."""
    if found := next((one for one in attachments(read(raw)) if one.id == name), None):
        return found
    raise Refused(404, "no such file in this mail")


def _header(mail: EmailMessage, name: str) -> str:
    return " ".join(str(mail[name] or "").split())


def _text(mail: EmailMessage, kind: str) -> str | None:
    part = mail.get_body((kind,))
    if not isinstance(part, EmailMessage):
        return None
    try:
        return str(part.get_content())[:SHOWN].replace("\r\n", "\n")
    except (LookupError, ValueError, AttributeError):  # a charset that nobody knows
        data = part.get_payload(decode=True)
        return data.decode(errors="replace")[:SHOWN] if isinstance(data, bytes) else ""
