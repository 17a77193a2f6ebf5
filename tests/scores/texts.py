"""What was written now, in mails whose new text others have told; and whether every mail is read at all."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import orjson

from shared.contract.envelope import Text
from tests.scores import CORPORA, Score
from tests.services.email_adapter.letters import mail, read, record

TOLD: Final = ("email_reply_parser", "crisp")
MAILS: Final = {
    "sisimai": "maildir/*/*.eml",
    "flufl.bounce": "data/*.txt",
    "mime4j": "*/*.msg",
    "email_reply_parser": "**/*.txt",
    "crisp": "**/*.txt",
}  # the last two are texts without headers: whatever they look like, they are read


def mails(name: str) -> list[Path]:
    return sorted(path for path in (CORPORA / name).glob(MAILS[name]) if "license" not in path.name.lower())


def new_texts() -> list[Score]:
    """Exact but for spaces at the ends of lines. Lost: a line of what was written now stands not in it."""
    cases = [one for name in TOLD for one in orjson.loads((CORPORA / name / "cases.json").read_bytes())]
    both = [(lines_of(text_of(one["text"])), lines_of(one["expected"])) for one in cases]
    exact = sum(found == told for found, told in both)
    lost = sum(not {line for line in told if line} <= set(found) for found, told in both)
    on = " and ".join(TOLD)
    return [
        Score("new text, exact", on, exact, len(both), least=0.82),
        Score("new text, some of it lost", on, lost, len(both), most=0.03),
    ]


def read_at_all() -> list[Score]:
    paths = [path for name in MAILS for path in mails(name)]
    done = sum(len(read(path.read_bytes()).records) > 0 for path in paths)
    return [Score("mails read, none an exception", "all five", done, len(paths), least=1.0)]


def text_of(words: str) -> str:
    part = record(mail(words, "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit")).parts[0]
    assert isinstance(part, Text)
    return part.text


def lines_of(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().split("\n")]
