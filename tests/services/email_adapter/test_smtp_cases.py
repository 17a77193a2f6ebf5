"""Small mails that programs write badly, by real SMTP: each is taken, and read as its sender meant it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from deploy.local.home import Addresses
from services.email_adapter.mail import CHANNEL
from tests.services.email_adapter.port import DLQ, INBOUND, port
from tests.shared.broker import records_of, settings_for

CASES = Path(__file__).parents[4] / "shared" / "cases" / "mail"
INBOX = CHANNEL.account(name="help", address="help@shop.example")

# What each must say, of what `told` finds in its record.
RIGHT: Final[dict[str, dict[str, Any]]] = {
    "b64foot": {"text": "Hello!\n\n_____\nList footer here"},
    "backup_failed": {"from": "cron@cust.example", "subject": "Backup failed"},
    "big_header": {"from": "big@cust.example", "subject": "ms", "text": "hello"},
    "contact_form": {"from": "noreply@shop.example", "answer to": "buyer1@mail.example"},
    "crcrlf": {"from": "a@b.example", "subject": "s", "text": "hi"},
    "ct": {"text": "Hi", "files": []},
    "disp": {"text": "Hi", "files": []},
    "from": {"from": "a@b.example"},
    "gbkfile": {"files": ["转发：整体提升.pdf"]},
    "hdr": {"from": "a@b.example", "subject": "s"},
    "jp": {"text": "①"},
    "new_subject": {"from": "dara@cust.example", "subject": "Completely new topic B"},
    "nohint": {"text": "äöüß ad"},
    "q_question": {"subject": "Open?"},
    "scan_a": {"subject": "Invoice A", "files": ["A.pdf"]},
    "scan_b": {"subject": "Contract B", "files": ["B.pdf"]},
    "spaceat": {"from": "dara@b.example"},
    "winpath": {"files": ["a.pdf"]},
}


@pytest.mark.skipif(not CASES.is_dir(), reason=f"there are no small mails at {CASES}")
async def test_every_small_mail_is_read_as_its_sender_meant_it(servers: Addresses, tmp_path: Path) -> None:
    """One of them comes twice, over two connections that end in order: two mails."""
    cases = sorted(CASES.glob("*.eml"))
    assert {path.stem for path in cases} == set(RIGHT)
    sent = [*cases, CASES / "backup_failed.eml"]
    async with port(settings_for(servers.kafka), tmp_path, channel=CHANNEL, boxes=[INBOX]) as door:
        for path in sent:
            client = await door.client()
            assert (await client.send(path.read_bytes(), INBOX.address)).startswith("250 "), path.name
            assert (await client("QUIT")).startswith("221 ")
        records = [orjson.loads(one.value) for one in await records_of(door.settings, INBOUND)]
        assert await records_of(door.settings, DLQ) == []
    found = [told(record) for record in records]
    assert [{name: one[name] for name in RIGHT[path.stem]} for path, one in zip(sent, found, strict=True)] == [
        RIGHT[path.stem] for path in sent
    ]
    assert len({record["id"] for record in records}) == len(sent)


def told(record: dict[str, Any]) -> dict[str, Any]:
    parts = record["parts"]
    return {
        "from": record["sender"]["address"],
        "subject": record["thread"].get("subject"),
        "answer to": (record.get("answer_to") or {}).get("address"),
        "text": next((part["text"].strip() for part in parts if part["kind"] == "text"), None),
        "files": [part["name"] for part in parts if part["kind"] == "media"],
    }
