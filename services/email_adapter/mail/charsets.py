"""Bytes as text: by the charset that is declared, else UTF-8, else what chardet finds, else Windows-1252."""

from __future__ import annotations

import codecs
import re
from functools import lru_cache
from typing import Final

import chardet

from shared.contract.envelope import UNSTORABLE

SAMPLE: Final = 16 * 1024  # bytes that the guess looks at
GUESSING: Final = 48 * 1024  # bytes that all guesses for one mail look at
ONE_GUESS: Final = 4 * 1024  # bytes that one counts for at least
NAME: Final = re.compile(r"[A-Za-z0-9_.:+-]{1,60}")
GOOD: Final = 10  # so many characters beyond ASCII to one that is broken: the charset is right, the bytes are damaged

# What mailers say, and what they mean: labels of the WHATWG encoding standard, supersets that Windows really sends.
ALIASES: Final = {
    "ansi_x3.4-1968": "cp1252",
    "ascii": "us-ascii",
    "big5": "big5hkscs",
    "cn-gb": "gb18030",
    "euc-kr": "cp949",
    "gb2312": "gb18030",
    "gb_2312-80": "gb18030",
    "gbk": "gb18030",
    "hz-gb-2312": "hz",
    "iso-2022-jp": "iso2022_jp_ext",
    "iso-8859-1": "cp1252",
    "iso-8859-11": "cp874",
    "iso-8859-8-e": "iso-8859-8",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-9": "cp1254",
    "iso8859-1": "cp1252",
    "ks_c_5601": "cp949",
    "ks_c_5601-1987": "cp949",
    "ks_c_5601-1989": "cp949",
    "ksc5601": "cp949",
    "l1": "cp1252",
    "latin-1": "cp1252",
    "latin1": "cp1252",
    "macintosh": "mac_roman",
    "shift-jis": "cp932",
    "shift_jis": "cp932",
    "sjis": "cp932",
    "tis-620": "cp874",
    "unicode-1-1-utf-7": "utf-7",
    "utf-8mb4": "utf-8",
    "utf8mb4": "utf-8",
    "windows-31j": "cp932",
    "windows-874": "cp874",
    "windows-949": "cp949",
    "x-gbk": "gb18030",
    "x-mac-cyrillic": "mac_cyrillic",
    "x-mac-roman": "mac_roman",
    "x-sjis": "cp932",
}
# Codecs of Python that are no charset of mail; some take quadratic time.
NEVER: Final = frozenset({"idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape", "mbcs", "oem"})
SAY_NOTHING: Final = frozenset({"us-ascii", "ascii"})
WIDE: Final = ("utf-16", "utf-32")
TWO_BYTES: Final = frozenset({b"$B", b"$@"})  # escapes of ISO-2022-JP after which a character has two
SURROGATES: Final = frozenset({"utf-7"})  # decodes halves of characters that do not exist


class Guesses:
    """What chardet may still be asked for one mail. It takes milliseconds for each piece, and a mail may have a thousand."""

    def __init__(self) -> None:
        self.left = GUESSING
        self.found: str | None = None

    def ask(self, data: bytes) -> str | None:
        """The charset, or what was found last: a mail's pieces mostly share one."""
        sample = _sample(data)
        if self.left > 0:
            self.left -= max(len(sample), ONE_GUESS)
            self.found = chardet.detect(sample).get("encoding")
        return self.found


def decode(
    data: bytes,
    declared: str | None = None,
    hint: str | None = None,
    *,
    guess: bool = True,
    guesses: Guesses | None = None,
) -> str:
    """The text, without a byte order mark and NULs. `hint` is tried where nothing is declared. Never raises.

    `guess`: chardet is asked; not worth its time where a mail has many short pieces. `guesses`: those of the whole mail.
    """
    if data.isascii() and (declared is None or not _shifts(declared)):
        return data.decode("ascii").replace("\x00", "")
    text = next((text for name in (declared, "utf-8", hint) if (text := _strictly(data, name)) is not None), None)
    if text is None:
        text = _damaged(data, declared) or _guessed(data, guesses or Guesses() if guess else None)
    return text.removeprefix("\ufeff").replace("\x00", "")


def guessed(data: bytes) -> str | None:
    """The charset that the bytes seem to be in; None where there is nothing to guess, or UTF-8 does."""
    if data.isascii() or _strictly(data, "utf-8") is not None:
        return None
    return codec(chardet.detect(_sample(data)).get("encoding"))


def codec(name: str | None) -> str | None:
    """Python's name for a charset of mail; None for one that is not known."""
    label = (name or "").strip().strip("'\"").lower()
    return _codec(label) if NAME.fullmatch(label) else None


@lru_cache(maxsize=256)
def _codec(label: str) -> str | None:
    for candidate in (ALIASES.get(label), label, label.removeprefix("x-"), label.replace("windows-", "cp")):
        try:
            found = codecs.lookup(candidate or "")
        except (LookupError, ValueError):
            continue
        if found._is_text_encoding and found.name.replace("_", "-") not in NEVER:
            return found.name
    return None


def _shifts(declared: str) -> bool:
    """Whether bytes below 128 can mean something else than ASCII."""
    name = codec(declared) or ""
    return name.startswith(("iso2022", "hz", "utf-7", "cp037", "cp500", "cp1140"))


def _strictly(data: bytes, declared: str | None) -> str | None:
    name = codec(declared)
    if name is None or name in SAY_NOTHING or (name.startswith(WIDE) and len(data) % 2):
        return None
    try:
        text = data.decode(name)
    except (UnicodeError, ValueError):
        return _windows_jis(data) if name.startswith("iso2022_jp") else None
    return UNSTORABLE.sub("\ufffd", text) if name in SURROGATES else text


def _windows_jis(data: bytes) -> str | None:
    """ISO-2022-JP with the characters that Windows adds to its rows (CP50220: circled numbers, Roman numerals)."""
    text, rest = list[str](), b"\x1b(B" + data
    for piece in rest.split(b"\x1b")[1:]:
        way, letters = piece[:2], piece[2:]
        try:
            text.append(_shifted(letters).decode("cp932") if way in TWO_BYTES else letters.decode("ascii"))
        except (UnicodeError, ValueError):
            return None
    return "".join(text)


def _shifted(letters: bytes) -> bytes:
    """Rows and cells of JIS X 0208 as Shift JIS writes them; ASCII where a line ends within."""
    shifted, at = bytearray(), 0
    while at < len(letters):
        if letters[at] < 0x21 or at + 1 == len(letters):
            shifted.append(letters[at])
            at += 1
            continue
        row, cell = letters[at] - 0x21, letters[at + 1] - 0x21
        lead, trail = row // 2 + 0x81, cell + (0x9F if row % 2 else 0x40)
        shifted += bytes((lead + (0x40 if lead > 0x9F else 0), trail + (not row % 2 and trail >= 0x7F)))
        at += 2
    return bytes(shifted)


def _damaged(data: bytes, declared: str | None) -> str | None:
    """Bytes of the declared charset with a few that are broken: a character cut off at the end, a byte lost on the way."""
    for name in (codec(declared), "utf-8"):
        if name is None or name in SAY_NOTHING:
            continue
        text = data.decode(name, "replace")
        broken = text.count("\ufffd")
        if len(text) - len(text.encode("ascii", "ignore")) - broken >= GOOD * broken:
            return text
    return None


def _guessed(data: bytes, guesses: Guesses | None) -> str:
    text = _strictly(data, guesses.ask(data) if guesses else None)
    return text if text is not None else data.decode("cp1252", "replace")


def _sample(data: bytes) -> bytes:
    """From the first line that is not plain ASCII: what stands before tells nothing."""
    first = next((at for at, byte in enumerate(data) if byte > 127), 0)
    start = data.rfind(b"\n", 0, first) + 1
    return data[max(start, first - SAMPLE // 2) : first + SAMPLE]
