"""Mails of any shape: records, or Malformed, and nothing else."""

from pathlib import Path

import pytest
from hypothesis import given, settings as tuned, strategies as st

from services.email_adapter.mail import CHANNEL
from services.email_adapter.mail.limits import Refused, scan
from shared.contract.envelope import Envelope
from shared.contract.errors import Malformed
from shared.contract.records import INBOUND_LIMIT
from shared.inbound import translate
from tests.services.email_adapter.letters import ACCOUNT, CONTEXT, read

SAMPLES = [path.read_bytes() for path in sorted((Path(__file__).parents[2] / "channels" / "email").glob("*.eml"))]

TORN = st.sampled_from(
    [b"\r\n", b"\n", b"\r", b"\x00", b"\xff", b'"', b"(", b"<", b"=?utf-8?B?", b"?=", b"--b\r\n", b"--", b":", b";", b"=",
     b"Content-Type: multipart/mixed; boundary=b\r\n\r\n", b"Content-Type: message/rfc822\r\n\r\n", b"charset*0*=x'y'%",
     b"Content-Transfer-Encoding: x-uuencode\r\n\r\n", b"From: ", b"References: <", b"\xed\xa0\x80", b"&#x110000;", b"<div>"]
)  # fmt: skip


def check(raw: bytes) -> None:
    try:
        found = read(raw)
    except Malformed as malformed:
        with pytest.raises(Refused):
            scan(raw)
        assert len(malformed.detail) < 300
        return
    scan(raw)
    assert read(raw) == found
    assert found.records
    pending = {}
    for one in found.records:
        record = translate.stamp(one, channel=CHANNEL, account=ACCOUNT, received_at=CONTEXT.now)
        told = record.model_dump_json(exclude_none=True).encode()
        assert len(told) < INBOUND_LIMIT
        assert type(record).model_validate_json(told) == record
        parts = record.parts if isinstance(record, Envelope) else ()
        pending |= {part.handle: part.size for part in parts if part.kind == "media"}
    assert {handle: len(data) for handle, data in found.files.items()} == pending


@tuned(max_examples=300)
@given(data=st.data())
def test_a_sample_that_is_torn_in_any_way_is_read_or_malformed(data):
    raw = data.draw(st.sampled_from(SAMPLES))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw)))
        size = data.draw(st.integers(0, 40))
        raw = raw[:at] + data.draw(TORN | st.binary(max_size=8)) + raw[at + size :]
    check(raw)


@tuned(max_examples=200)
@given(st.lists(TORN | st.binary(max_size=20), max_size=25).map(b"".join))
def test_bytes_of_any_kind_are_read_or_malformed(raw):
    check(raw)


@pytest.mark.parametrize("raw", SAMPLES, ids=range(len(SAMPLES)))
def test_a_sample_cut_off_anywhere_is_still_a_mail(raw):
    for at in range(0, len(raw), max(1, len(raw) // 60)):
        check(raw[:at])
