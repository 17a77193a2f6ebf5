"""Every mail that others found hard, where their collections are beside the project: each becomes a record."""

from __future__ import annotations

import base64
import time
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from services.cli.__main__ import app
from services.email_adapter.mail.bodies import content
from services.email_adapter.mail.sections import Section, cut
from shared.contract.envelope import Part
from tests.scores import CORPORA
from tests.scores.texts import MAILS, mails
from tests.services.email_adapter.letters import read

FILED = ("message/", "multipart/digest")

pytestmark = pytest.mark.skipif(not CORPORA.is_dir(), reason=f"there are no collections of mails at {CORPORA}")


@pytest.mark.parametrize("name", MAILS)
def test_every_mail_is_translated(name, record_testsuite_property):
    paths = mails(name)
    lines = (
        orjson.dumps({"id": str(path), "body_b64": base64.b64encode(path.read_bytes()).decode()}) for path in paths
    )
    began = time.process_time()
    result = CliRunner().invoke(app, ["translate", "email", "--jsonl"], input=b"\n".join(lines))
    spent = time.process_time() - began
    assert result.exit_code == 0, result.output
    answers = [orjson.loads(line) for line in result.stdout.splitlines()]
    assert [answer["id"] for answer in answers] == list(map(str, paths)) != []
    assert [answer["error"] for answer in answers if answer["error"]] == []
    assert all(len(answer["envelopes"]) == 1 for answer in answers)
    record_testsuite_property(f"{name} mails", len(paths))
    print(f"{name}: {len(paths)} mails, {1000 * spent / len(paths):.2f} ms each")


def test_a_mail_is_the_same_whatever_its_line_ends():
    """The collection has some mails three times, with LF, CRLF and CR; of a few, the first has other words (another charset)."""
    folder = CORPORA / "sisimai" / "maildir"
    both = {path.name for path in (folder / "dos").iterdir()} & {path.name for path in (folder / "bsd").iterdir()}
    assert both
    others = 0
    for name in sorted(both):
        unix, dos, mac = (folder / each / name for each in ("bsd", "dos", "mac"))
        assert words(dos) == words(mac)
        assert told(dos) == told(mac)
        if words(unix) != words(dos):
            others += 1
            continue
        assert told(unix) == told(dos)
    assert others <= len(both) // 5, f"{others} of {len(both)} were not compared with their first"


def told(path: Path) -> tuple[str, Part]:
    (found,) = read(path.read_bytes()).records
    return found.event_key, found.parts[0]


def words(path: Path) -> tuple[bytes, ...]:
    return tuple(path.read_bytes().split())


def test_sections_hold_the_bytes_that_another_reader_finds():
    """Apart from what stands in mails inside of mails, which are files here, at least nine of ten leaves are equal."""
    equal, other = 0, []
    for path in mails("mime4j"):
        raw = path.read_bytes()
        if "long-boundary" in path.name or any(one.kind.startswith(FILED) for one in cut(raw).walk()):
            continue
        found = leaves(cut(raw), raw)
        for leaf in path.parent.glob(f"{path.stem}_decoded_*"):
            same = found.get(leaf.stem.rpartition("_decoded_")[2]) == lines(leaf.read_bytes())
            equal, other = equal + same, other if same else [*other, leaf.name]
    assert equal > 9 * len(other), other


def leaves(top: Section, raw: bytes) -> dict[str, bytes]:
    """By the numbers of the collection, in which the mail itself is 1."""
    return {
        "1" if one is top else f"1_{one.number.replace('.', '_')}": lines(content(one, raw))
        for one in top.walk()
        if not one.children
    }


def lines(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").rstrip(b"\n")
