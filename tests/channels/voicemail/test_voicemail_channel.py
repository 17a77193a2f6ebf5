"""Twilio's own code agrees with what a call's samples are believed for."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from twilio.request_validator import RequestValidator

from services.chat_adapter.channels.voicemail import CHANNEL
from services.cli.wire import parse_http
from shared.contract.channel import Context, Request
from shared.contract.errors import Unverified

TOKEN = "7c1e0b9a4d2f48c6a5e3917fd08b62aa"
TWILIO = RequestValidator(TOKEN)


@pytest.mark.parametrize("path", sorted(Path(__file__).parent.glob("*.in.http")), ids=lambda path: path.name)
def test_twilios_own_code_believes_the_samples(path):
    request = parse_http(path.read_bytes())
    fields = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
    assert TWILIO.validate(request.url, fields, request.headers["x-twilio-signature"])


def test_of_a_body_that_is_no_form_the_digest_in_the_address_is_signed():
    app, context, body = CHANNEL.app(name="main", token=TOKEN), Context(now=datetime(2026, 2, 3, tzinfo=UTC)), b"{}"
    digest = TWILIO.compute_hash(body.decode())
    url = f"https://parley.example.org/hooks/voicemail/main?bodySHA256={digest}"
    head = {"x-twilio-signature": TWILIO.compute_signature(url, {})}
    request = Request(url=url, headers=head, query={"bodySHA256": digest}, body=body)
    CHANNEL.verify(app, request, context)
    with pytest.raises(Unverified):
        CHANNEL.verify(app, replace(request, body=b"[]"), context)
