"""What of a mail travels in its record, so that the record fits on the bus; what is larger goes along as a file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from services.email_adapter.mail.files import File
from services.email_adapter.mail.newest import NewText
from services.email_adapter.mail.sanitised import sanitise
from shared.contract.envelope import Media, Part, Text, Unsupported
from shared.contract.text import split

TEXT: Final = 192 * 1024  # bytes of JSON
HTML: Final = 256 * 1024
PARTS: Final = 100  # of an envelope
WHOLE_TEXT: Final = "text"  # handles that no MIME section has
WHOLE_HTML: Final = "html"


def parts_of(
    whole: str, new: NewText, html: str | None, files: tuple[File, ...], unread: Sequence[str] = ()
) -> tuple[tuple[Part, ...], dict[str, bytes]]:
    """The parts, and the bytes of the pending ones by handle. `new`: what of the `whole` text was written now, and the rest;
    `unread`: why other sections could not be read.

    A text above TEXT goes on as the head of what is new and a file with the whole; HTML above HTML only as a file. Behind PARTS parts
    the rest is only counted: the raw mail has them.
    """
    html = sanitise(html) if html else None
    long_html = html if html and _weight(html) > HTML else None
    shown, files = (None if long_html else html), (*_long(whole, long_html), *files)
    words = (_words(whole, new, shown),) if whole or shown or not (files or unread) else ()
    reasons = tuple(Unsupported(type="mime", text=why) for why in dict.fromkeys(unread))
    kept = files[: PARTS - 2 - len(reasons)]
    media = tuple(file.media for file in kept)
    more = (
        (Unsupported(type="attachments", text=f"{len(files) - len(kept)} more files"),)
        if len(files) > len(kept)
        else ()
    )
    return (*words, *media, *more, *reasons), {file.media.handle or "": file.data for file in kept}


def _words(whole: str, new: NewText, html: str | None) -> Text:
    """What is repeated stands beside a text only where there is room for both: the file has it."""
    if _weight(whole) > TEXT:
        return Text(text=_head(new.text), html=html)
    return Text(text=new.text, html=html, quoted=new.quoted, signature=new.signature, cuts=new.cuts)


def _long(text: str, long_html: str | None) -> tuple[File, ...]:
    told = [(WHOLE_TEXT, "text/plain", text)] if _weight(text) > TEXT else []
    told += [(WHOLE_HTML, "text/html", long_html)] if long_html else []
    return tuple(_whole(handle, mime_type, words) for handle, mime_type, words in told)


def _whole(handle: str, mime_type: str, words: str) -> File:
    data = words.encode()
    name = "message.txt" if handle == WHOLE_TEXT else "message.html"
    return File(Media(media="file", handle=handle, mime_type=mime_type, size=len(data), name=name), data)


def _head(text: str) -> str:
    if _weight(text) <= TEXT:
        return text
    return split(text[: TEXT // 2], TEXT // 2, "bytes")[0]


def _weight(text: str) -> int:
    """Bytes in JSON; those of a short text are not counted."""
    return 0 if len(text) * 6 <= TEXT else len(json.dumps(text, ensure_ascii=False).encode(errors="surrogatepass"))
