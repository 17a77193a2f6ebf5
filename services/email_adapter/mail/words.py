"""Words in headers (RFC 2047): encoded ones, raw 8-bit ones, and the broken forms of both that are seen."""

from __future__ import annotations

import binascii
import re
from typing import Final

from services.email_adapter.mail.charsets import decode

# The charset may carry a language (RFC 2231 §5). White space inside is forbidden, but seen in Q.
# So is a bare ?, which no `=` may follow but that of an encoded byte, and which never makes an `=?` that begins a word.
# What is looked ahead for is taken whole: a group repeated with `*+` is read wrongly by Python 3.11.2, which Debian 12 has.
ENCODED: Final = re.compile(
    rb"=\?([^?*\s]{1,64})(?:\*[^?\s]{0,64})?\?([bBqQ])\?"
    rb"(?=((?:[^?\r\n]|(?<!=)\?(?!=)|(?<!=)\?(?==[0-9A-F]{2}[^?\s]*+\?++=(?![0-9A-F]{2})))*))\3\?="
)
Q_BYTE: Final = re.compile(rb"=([0-9A-Fa-f]{2})")
SPACES: Final = re.compile(r"\s+")
CONTROLS: Final = re.compile("[\x00-\x1f\x7f\x80-\x9f]+")


def read_words(value: bytes, hint: str | None = None, *, guess: bool = False) -> str:
    """The value as one line of text. `hint`: the charset of the mail's body, for bytes that nothing describes; `guess`: else
    chardet looks at them.

    White space between encoded words is dropped (§6.2), and words of one charset are joined before they are decoded:
    many mailers cut characters in two. Linear in time; never raises.
    """
    if b"=?" not in value:
        return _line(decode(value, None, hint, guess=guess))
    texts: list[str] = []
    run, run_charset, at = b"", "", 0
    for found in ENCODED.finditer(value):
        between = value[at : found.start()]
        charset = found[1].decode("latin-1")
        if between.strip() or charset.lower() != run_charset.lower():
            texts.append(decode(run, run_charset, hint, guess=False))
            run = b""
        if between.strip():
            texts.append(decode(between, None, hint, guess=False))
        run += _word(found[2], found[3])
        run_charset, at = charset, found.end()
    texts += [decode(run, run_charset, hint, guess=False), decode(value[at:], None, hint, guess=False)]
    return _line("".join(texts))


def charset_of(value: bytes) -> str | None:
    """The charset of the first encoded word: whoever wrote the header in it wrote the body in it too, most likely."""
    found = ENCODED.search(value) if b"=?" in value else None
    return found[1].decode("latin-1") if found else None


def _word(encoding: bytes, text: bytes) -> bytes:
    if encoding in b"qQ":
        return Q_BYTE.sub(lambda found: binascii.unhexlify(found[1]), text.replace(b"_", b" "))
    return unbase64(text)


NOT_BASE64: Final = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))


def unbase64(data: bytes) -> bytes:
    """Base64 (RFC 2045 §6.8): other characters are passed over, padding is where it ends or is missing."""
    letters = data.partition(b"=")[0].translate(None, NOT_BASE64)
    usable = len(letters) - (len(letters) % 4 == 1)
    return binascii.a2b_base64(letters[:usable] + b"=" * (-usable % 4))


def _line(text: str) -> str:
    return SPACES.sub(" ", CONTROLS.sub(" ", text)).strip()
