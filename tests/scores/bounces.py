"""Which mails are bounces, and for whom, in collections whose bounces others have read; and that no other mail is one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import orjson

from shared.contract.channel import Message
from shared.contract.envelope import Assessment
from tests.scores import CORPORA, Score
from tests.scores.texts import TOLD, mails
from tests.services.email_adapter.letters import read

BOTH: Final = "sisimai and flufl.bounce"
OTHERS: Final = frozenset({"vacation", "feedback"})  # reasons of what is no bounce
A_SERVERS: Final = "badbound.msg"  # of the malformed mails the one that says that another was undeliverable


def bounces() -> list[Score]:
    """The first recipient that is told is one of those it was not delivered to."""
    cases = [*_cases()]
    judged = [(judge(path.read_bytes()), told) for path, told in cases]
    found = sum(one.kind == "bounce" for one, _ in judged)
    right = sum(one.bounce is not None and (one.bounce.recipient in told or not told) for one, told in judged)
    return [
        Score("bounces, found", BOTH, found, len(cases), least=0.95),
        Score("bounces, right recipient", BOTH, right, len(cases), least=0.92),
    ]


def other_mails() -> list[Score]:
    paths = [*(CORPORA / "sisimai" / "maildir" / "not").iterdir()]
    paths += [path for path in mails("mime4j") if path.name != A_SERVERS]
    raw = [path.read_bytes() for path in paths]
    raw += [b"From: a@b.example\r\nSubject: x\r\n\r\n" + one.read_bytes() for name in TOLD for one in mails(name)]
    false = sum(judge(one).kind == "bounce" for one in raw)
    return [Score("other mails taken for bounces", "all but these two", false, len(raw), most=0.0)]


def _cases() -> Iterator[tuple[Path, list[str]]]:
    told = orjson.loads((CORPORA / "sisimai" / "reference_p5_v5.1.0p3.json").read_bytes())
    for name, found in sorted(told.items()):
        path = CORPORA / "sisimai" / "maildir" / "bsd" / name
        if found and found[0]["reason"] not in OTHERS and path.exists():
            yield path, [one["recipient"].lower() for one in found]
    for case in orjson.loads((CORPORA / "flufl.bounce" / "cases.json").read_bytes()):
        yield CORPORA / "flufl.bounce" / "data" / case["file"], [one.lower() for one in case["addresses"]]


def judge(raw: bytes) -> Assessment:
    found = read(raw).records[0]
    assert isinstance(found, Message)
    return found.assessment
