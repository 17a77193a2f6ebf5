"""What the Messenger Platform tells of a thread that nobody said in it: who has it now, and by which link somebody came.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events/messaging_handovers
https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events/messaging_referrals
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import orjson

from shared.contract.channel import Message
from shared.contract.envelope import MessageContext, Notice, Party, Referral, automatic
from shared.contract.readable import otherwise
from shared.dialects.messenger.entry import Entry, moment

Json = dict[str, Any]

OTHER: Final = "another app"  # of a thread on standby, and of one that nobody is named for
NOTICE: Final = automatic("a notice of Messenger")


def read(event: Json, entry: Entry, kind: str) -> Iterator[Message]:
    """One notice, of the person that it names; of the account itself where it names only that."""
    names = [(event.get(side) or {}).get("id") for side in ("sender", "recipient")]
    person = next((name for name in names if name and name != entry.account), entry.account)
    about = event[kind]
    yield Message(
        account_key=entry.account,
        event_key=f"{kind}/{person}/{event.get('timestamp') or entry.time}",
        peer=person,
        sender=Party(address=person, verified="provider"),
        parts=(otherwise(lambda: _notice(kind, about, entry), Notice(type="other", text=kind)),),
        occurred_at=moment(event.get("timestamp"), entry.time),
        context=came_by(about) if kind == "referral" else None,
        assessment=NOTICE,
    )


def _notice(kind: str, about: Json, entry: Entry) -> Notice:
    if kind in {"pass_thread_control", "take_thread_control"}:
        owner = about.get("new_owner_app_id")
        owner = OTHER if owner in {None, ""} else str(owner)
        return Notice(type="responder", to=None if owner == entry.app_id else owner, text=about.get("metadata") or None)
    if kind in {"app_roles", "request_thread_control"}:
        return Notice(type="other", text=f"{kind}: {orjson.dumps(about).decode()}"[:1000])
    return Notice(type="other", text=kind)


def came_by(referral: Json | None) -> MessageContext | None:
    """The advertisement, link or shop that a person came by."""
    if not referral:
        return None
    found = otherwise(lambda: _referral(referral), Referral(source="unknown"))
    return MessageContext(referral=found)


def _referral(referral: Json) -> Referral:
    about = referral.get("ads_context_data") or {}
    product = referral.get("product") or {}
    name = referral.get("ad_id") or about.get("post_id") or product.get("id")
    return Referral(
        source=referral.get("source") or ("product" if product else "unknown"),
        id=None if name is None else str(name),
        ref=referral.get("ref"),
        url=referral.get("referer_uri") or about.get("photo_url") or about.get("video_url"),
        title=about.get("ad_title"),
    )
