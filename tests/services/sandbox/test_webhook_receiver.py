"""The other system of the generic webhook takes what is signed, once."""

import base64
from datetime import UTC, datetime, timedelta

import pytest

from services.chat_adapter.channels.webhook import CHANNEL
from shared.contract.channel import Context, Piece, Response
from shared.contract.envelope import Text
from shared.contract.errors import AlreadySent, SendFailed


@pytest.fixture
def account(sandbox):
    secret = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
    return CHANNEL.account(name="main", url=f"{sandbox.address}/webhook/demo", secret=secret)


async def send(sandbox, account, token, *, now=None):
    """What the channel makes of the sandbox's answer."""
    piece = Piece(id=f"{token}/0", to="someone", part=Text(text="សួស្តី"))
    steps = CHANNEL.outbound(account, piece, Context(now=now or datetime.now(UTC)))
    http = next(steps)
    async with sandbox.client.post(http.url, data=http.body, headers=http.headers) as answer:
        response = Response(status=answer.status, headers=answer.headers, body=await answer.read())
    CHANNEL.outcome(response)
    with pytest.raises(StopIteration) as end:
        steps.send(response)
    return end.value.value


async def test_a_signed_message_is_taken_once(sandbox, account, token):
    sent = await send(sandbox, account, token)
    assert sent.external_ids == (f"{token}/0",)
    with pytest.raises(AlreadySent):
        await send(sandbox, account, token)
    async with sandbox.client.get(f"{sandbox.address}/control/log", headers=sandbox.bearer) as answer:
        sends = [entry for entry in (await answer.json())["sends"] if entry.get("message_id") == f"{token}/0"]
    assert [entry["text"] for entry in sends] == ["សួស្តី"]


async def test_a_stale_signature_is_refused(sandbox, account, token):
    with pytest.raises(SendFailed) as failed:
        await send(sandbox, account, token, now=datetime.now(UTC) - timedelta(minutes=6))
    assert failed.value.reason == "auth"


async def test_it_fails_when_told(sandbox, account, token):
    await sandbox.control(fail={"method": "webhook", "count": 1, "status": 503})
    with pytest.raises(SendFailed) as failed:
        await send(sandbox, account, token)
    assert failed.value.reason == "unreachable"
    assert await send(sandbox, account, token)
