"""Header fields as they go out (RFC 5322 §2.2): ASCII, folded, and never able to begin another field."""

from __future__ import annotations

import re
from collections.abc import Iterable
from email.header import Header
from typing import Final
from urllib.parse import quote

WIDTH: Final = 76
ENDS: Final = "\r\n"
UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
PLAIN: Final = re.compile(r"[ -~]*")
ATOMS: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
ID: Final = re.compile(r"[!-;=?-~]{1,900}")  # with its field's name still within a line
SPACES: Final = re.compile(" {2,}")
PIECE: Final = 60  # characters of a parameter in one line (RFC 2231 §3)
ENCODED_PIECE: Final = re.compile(rf".{{1,{PIECE}}}(?<!%)(?<!%.)")  # no byte is cut in two


def field(name: str, value: str) -> str:
    """`value` is ASCII without line ends, or was folded by a function below."""
    return f"{name}: {value}{ENDS}"


def words(text: str, *, name: str) -> str:
    """Text for people after the field's `name`: encoded (RFC 2047) where it is not plain ASCII, else folded at spaces."""
    line = SPACES.sub(" ", UNPRINTABLE.sub(" ", text)).strip()
    if PLAIN.fullmatch(line) and "=?" not in line and all(len(word) < WIDTH for word in line.split(" ")):
        return _folded(line.split(" "), len(name) + 2)
    return Header(line, "utf-8", header_name=name, maxlinelen=WIDTH).encode(linesep=ENDS)


def mailbox(address: str, display_name: str, *, name: str) -> str:
    """An address of plain ASCII with a name beside it."""
    said = UNPRINTABLE.sub(" ", display_name).strip()
    if not said:
        return address
    if ATOMS.fullmatch(said) and "=?" not in said and len(said) < WIDTH:
        return f"{said} <{address}>"
    if PLAIN.fullmatch(said) and "=?" not in said and len(said) < WIDTH:
        escaped = said.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}" <{address}>'
    return f"{words(said, name=name)}{ENDS} <{address}>"


def ids(names: Iterable[str]) -> str:
    """Message-IDs, one in a line: never encoded, or threads break at the reader's. What is no id is left out."""
    return f"{ENDS} ".join(f"<{name}>" for name in names if ID.fullmatch(name))


def parameter(name: str, value: str) -> str:
    """A parameter in lines of its own: quoted where it is plain ASCII, else in the pieces of RFC 2231."""
    said = UNPRINTABLE.sub(" ", value).strip()
    if PLAIN.fullmatch(said) and len(said) <= PIECE and not set('"\\%') & set(said):
        return f';{ENDS} {name}="{said}"'
    encoded = f"utf-8''{quote(said, safe='')}"
    pieces = ENCODED_PIECE.findall(encoded)
    if len(pieces) == 1:
        return f";{ENDS} {name}*={encoded}"
    return "".join(f";{ENDS} {name}*{number}*={piece}" for number, piece in enumerate(pieces))


def _folded(parts: list[str], used: int) -> str:
    lines, room = [parts[0]], WIDTH - used - len(parts[0])
    for part in parts[1:]:
        if len(part) + 1 > room and part:
            lines.append(f"{ENDS} {part}")
            room = WIDTH - len(part) - 1
        else:
            lines.append(f" {part}")
            room -= len(part) + 1
    return "".join(lines)
