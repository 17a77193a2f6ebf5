"""TikTok's webhooks as records, one event each — https://business-api.tiktok.com/portal/docs?id=1759977800177665."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from services.social_adapter.channels.tiktok import comments, messages
from shared.contract.channel import Incoming, Malformed, Message
from shared.contract.envelope import Notice, Party
from shared.contract.mend import loads

Json = dict[str, Any]


def read(body: Json) -> Iterator[Incoming | Malformed]:
    """What happened stands in `content`, as JSON in a string; an event of another kind is a notice."""
    event, account = body["event"], body["user_openid"]
    if event in READ:
        yield from READ[event](loads(body["content"].encode(errors="surrogatepass")), account)
    else:
        yield _other(event, account, body)


def _other(event: str, account: str, body: Json) -> Message:
    at = datetime.fromtimestamp(body["create_time"], UTC)
    digest = hashlib.sha256(str(body.get("content")).encode(errors="surrogatepass")).hexdigest()[:16]
    return Message(
        account_key=account,
        event_key=f"{event}/{body['create_time']}/{digest}",
        peer=account,
        sender=Party(address=account),
        parts=(Notice(type="other", text=event),),
        occurred_at=at,
        assessment=messages.NOTICE,
    )


READ: Final[Mapping[str, Callable[[Json, str], Iterator[Incoming | Malformed]]]] = {
    "im_receive_msg": partial(messages.said, ours=False),
    "im_send_msg": partial(messages.said, ours=True),
    "im_receive_msg_eu": messages.untold,
    "im_mark_read_msg": messages.read,
    "im_referral_msg": messages.referred,
    "comment.update": comments.updated,
}
