"""The files of a mail: what each is called, what it is, and its bytes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from services.email_adapter.mail.bodies import content, disposition
from services.email_adapter.mail.charsets import guessed
from services.email_adapter.mail.headers import head
from services.email_adapter.mail.refusals import Refused
from services.email_adapter.mail.sections import Section
from services.email_adapter.mail.words import read_words
from shared.contract.envelope import Media, MediaKind

NAME: Final = 255
FOLDERS: Final = re.compile(r"^.*[/\\]", re.DOTALL)
UNSEEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200e\u200f]"
)  # what turns text round is taken from every name (shared/contract/text.py)
MIME_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,80}/[a-z0-9][a-z0-9!#$&^_.+-]{0,80}")
KINDS: Final[dict[str, MediaKind]] = {"image": "image", "audio": "audio", "video": "video"}
MAILS: Final = frozenset({"message/rfc822", "message/global"})


class File(NamedTuple):
    media: Media
    data: bytes


def read_files(sections: Sequence[Section], raw: bytes, hint: str | None) -> tuple[File, ...]:
    """Each section as a pending media part, its `handle` the section's number, with its bytes.

    Names whose charset nothing says are looked at together: a short one alone tells little, and one guess costs less.
    """
    hint = hint or guessed(b" ".join(_bare_name(section) for section in sections))
    return tuple(_file(section, raw, hint) for section in sections)


def _bare_name(section: Section) -> bytes:
    named = disposition(section).raw("filename") or section.type.raw("name")
    return b"" if named.isascii() else named


def _file(section: Section, raw: bytes, hint: str | None) -> File:
    data = content(section, raw)
    mime_type = section.kind if MIME_TYPE.fullmatch(section.kind) else "application/octet-stream"
    inline_id = read_words(section.headers.first("content-id") or b"").strip("<> ")[:NAME]
    media = Media(
        media=_kind(mime_type),
        handle=section.number,
        mime_type=mime_type,
        size=len(data),
        name=_name(section, data, hint),
        content_id=inline_id or None,
    )
    return File(media, data)


def _kind(mime_type: str) -> MediaKind:
    """An SVG may run scripts: it is no picture to show."""
    return "file" if mime_type == "image/svg+xml" else KINDS.get(mime_type.partition("/")[0], "file")


def _name(section: Section, data: bytes, hint: str | None) -> str | None:
    told = disposition(section).text("filename", hint) or section.type.text("name", hint)
    if not told and section.kind in MAILS:
        told = f"{_subject(data) or 'message'}.eml".replace("/", "-").replace("\\", "-")
    name = UNSEEN.sub("", FOLDERS.sub("", told or "")).strip(" .")
    return _shortened(name) or None


def _shortened(name: str) -> str:
    stem, dot, ending = name.rpartition(".")
    if len(name) <= NAME or not dot or len(ending) > 20:
        return name[:NAME]
    return f"{stem[: NAME - len(ending) - 1]}.{ending}"


def _subject(mail: bytes) -> str:
    try:
        headers, _ = head(mail, 0, len(mail))
    except Refused:
        return ""
    return read_words(headers.first("subject") or b"")[:100].strip()
