"""A piece as a mail (RFC 5322, 2045–2047): bytes, with files by name where the driver puts them in."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from email.utils import format_datetime
from typing import Final

from services.email_adapter.mail import replies
from services.email_adapter.mail.fields import ENDS, field, ids, mailbox, parameter, words
from services.email_adapter.mail.files import MIME_TYPE
from services.email_adapter.mail.inbound import opened
from services.email_adapter.mail.names import Account
from services.email_adapter.mail.seal import HEADER
from services.email_adapter.mail.subjects import answering, first_line
from shared.contract.channel import Blob, Context, Encoded, Mail, Piece, SendFailed
from shared.contract.envelope import Media, Text

Data = tuple[bytes | Encoded, ...]

REFERENCES: Final = 900  # characters; longer ones are cut by some servers
SHORT: Final = 900  # bytes of a line that may go as it is
MAILS_IN: Final = "message/"  # RFC 2046 §5.2.1 forbids to encode these


def compose(account: Account, piece: Piece, context: Context, *, sender: str, to: str, message_id: str) -> Data:
    """The whole mail; its lines end with CRLF and none is longer than 998 bytes. `sender`, `to`: in ASCII.

    Raises SendFailed for a part that a mail has no form for.
    """
    text, html, files = _content(piece)
    head = [
        field("From", mailbox(sender, account.display_name, name="From")),
        field("To", to),
        field("Reply-To", _reply_to(account, piece, context, sender)),
        field("Subject", words(_subject(piece, text), name="Subject")),
        field("Date", format_datetime(context.now)),
        field("Message-ID", f"<{message_id}>"),
        *_thread(account, piece),
        *_automatic(piece),
        field("MIME-Version", "1.0"),
    ]
    body = _alternatives(text, html, piece.id) if html else _text("plain", text)
    whole = _with_files(body, files, piece.id) if files else (body.encode(),)
    return _sealed(("".join(head).encode(), *whole), account, context)


def _sealed(data: Data, account: Account, context: Context) -> Data:
    """The mail with its seal: over what our own reader finds in it, so that it is the same when it comes back. A file stands in
    it by its hash, which is its name in the blob store.
    """
    written = b"".join(part for part in data if isinstance(part, bytes))
    digests = (part.blob.ref.rpartition("/")[2] for part in data if isinstance(part, Encoded))
    seal = opened(account, Mail(written), context).seal(digests)
    return _joined((field(HEADER, seal).encode(), *data))


def _content(piece: Piece) -> tuple[str, str | None, tuple[Media, ...]]:
    match piece.part:
        case Text(text=text, html=html):
            return text, html, piece.attachments
        case Media(caption=caption) as media:
            return caption or "", None, (media, *piece.attachments)
        case part:
            raise SendFailed("unsupported", f"a mail cannot show a {part.kind}")


def _reply_to(account: Account, piece: Piece, context: Context, sender: str) -> str:
    """The conversation's own address: answers find it even where a mailer leaves out all ids."""
    if not piece.thread_token or not account.reply_domain:
        return sender
    secret = context.secret.get_secret_value().encode()
    return replies.write(piece.thread_token, inbox=account.address, domain=account.reply_domain, secret=secret)


def _subject(piece: Piece, text: str) -> str:
    subject = piece.subject or first_line(text)
    return answering(subject) if piece.reply_to or piece.references else subject


def _thread(account: Account, piece: Piece) -> list[str]:
    """In-Reply-To and References: the first id, our name of the conversation, then the newest that there is room for.

    The name stands there from the first mail on, so that every answer carries it.
    """
    answered = piece.reply_to or next(iter(piece.references[-1:]), None)
    root = f"{piece.thread_token}@{account.id_domain}" if piece.thread_token else None
    first = tuple(one for one in piece.references[:1] if len(one) < REFERENCES // 2)
    fixed = tuple(dict.fromkeys(filter(None, (*first, root))))
    newest = [one for one in dict.fromkeys(piece.references[1:]) if one not in {*fixed, answered}]
    newest += [answered] if answered and answered not in fixed else []
    told = [field("In-Reply-To", found)] if answered and (found := ids((answered,))) else []
    if references := ids((*fixed, *_newest(newest, REFERENCES - sum(len(one) + 3 for one in fixed)))):
        told.append(field("References", references))
    return told


def _automatic(piece: Piece) -> list[str]:
    """What a program wrote says so, and no other program answers it (RFC 3834 §5; MS-OXCMAIL §2.2.3.2.14)."""
    if not piece.automatic:
        return []
    told = "auto-replied" if piece.reply_to or piece.references else "auto-generated"
    return [field("Auto-Submitted", told), field("X-Auto-Response-Suppress", "OOF, AutoReply")]


def _newest(names: Sequence[str], room: int) -> tuple[str, ...]:
    kept: list[str] = []
    for name in reversed(names):
        room -= len(name) + 3
        if room < 0:
            break
        kept.append(name)
    return tuple(reversed(kept))


def _text(subtype: str, text: str) -> str:
    """A part for people in UTF-8; base64 where quoted-printable would be longer, as in every script but Latin."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
    data = f"{lines}\n".encode(errors="replace")
    encoding, encoded = _encoded(data)
    return (
        field("Content-Type", f"text/{subtype}; charset=utf-8")
        + field("Content-Transfer-Encoding", encoding)
        + ENDS
        + encoded.decode("ascii").replace("\n", ENDS)
    )


def _encoded(data: bytes) -> tuple[str, bytes]:
    if data.isascii() and all(len(line) < SHORT and not line.endswith(b" ") for line in data.split(b"\n")):
        return "7bit", data
    quoted = binascii.b2a_qp(data, istext=True)
    if len(quoted) <= len(data) * 4 / 3:
        return "quoted-printable", quoted
    return "base64", base64.encodebytes(data.replace(b"\n", b"\r\n"))


def _alternatives(text: str, html: str, piece_id: str) -> str:
    boundary = _boundary("alternative", piece_id)
    parts = (_text("plain", text), _text("html", html))
    return (
        field("Content-Type", f'multipart/alternative; boundary="{boundary}"')
        + ENDS
        + "".join(f"--{boundary}{ENDS}{part}{ENDS}" for part in parts)
        + f"--{boundary}--{ENDS}"
    )


def _with_files(body: str, files: tuple[Media, ...], piece_id: str) -> Data:
    boundary = _boundary("mixed", piece_id)
    start = field("Content-Type", f'multipart/mixed; boundary="{boundary}"') + f"{ENDS}--{boundary}{ENDS}{body}"
    data: list[bytes | Encoded] = [start.encode()]
    for media in files:
        data += [f"{ENDS}--{boundary}{ENDS}{_file_head(media)}{ENDS}".encode(), Encoded(_blob(media))]
    return (*data, f"{ENDS}--{boundary}--{ENDS}".encode())


def _file_head(media: Media) -> str:
    told = _mime_type(media)
    inline = f"<{media.content_id}>" if media.content_id and ids((media.content_id,)) else ""
    return (
        field("Content-Type", told)
        + field("Content-Transfer-Encoding", "base64")
        + field("Content-Disposition", f"{'inline' if inline else 'attachment'}{parameter('filename', _name(media))}")
        + (field("Content-ID", inline) if inline else "")
    )


def _mime_type(media: Media) -> str:
    told = (media.mime_type or "").partition(";")[0].strip().lower()
    known = MIME_TYPE.fullmatch(told) and not told.startswith((MAILS_IN, "multipart/"))
    return told if known else "application/octet-stream"


def _name(media: Media) -> str:
    return media.name or media.media


def _blob(media: Media) -> Blob:
    return replace(Blob.of(media), mime_type=_mime_type(media), name=_name(media))


def _boundary(kind: str, piece_id: str) -> str:
    """The same for the same piece; `=_` stands in no encoded text."""
    return f"=_{hashlib.sha256(f'{kind} {piece_id}'.encode()).hexdigest()[:32]}"


def _joined(data: Data) -> Data:
    """Bytes beside bytes in one."""
    joined: list[bytes | Encoded] = []
    for one in data:
        if isinstance(one, bytes) and joined and isinstance(joined[-1], bytes):
            joined[-1] += one
        else:
            joined.append(one)
    return tuple(joined)
