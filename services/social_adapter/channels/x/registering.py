"""The webhook and what is told to it — https://docs.x.com/x-api/webhooks/quickstart, …/activity/quickstart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from pydantic import SecretStr

from services.social_adapter.channels.x import api
from shared.contract.channel import SendFailed, Steps

Json = dict[str, Any]

# What is told costs by the event: https://docs.x.com/x-api/activity/event-pricing.
EVENTS: Final = (
    "post.mention.create",
    "post.reply.create",
    "post.quote.create",
    "post.create",
    "post.delete",
    "like.create",
    "dm.received",
    "dm.sent",
    "dm.read",
    "dm.indicate_typing",
    "chat.received",
    "chat.sent",
)
DIRECTED: Final = {"like.create": {"direction": "inbound"}}
PAGES: Final = 100


def register(
    account: api.At, user: str, events: Iterable[str], *, hook: str, app: SecretStr, token: SecretStr
) -> Steps[None]:
    """X asks the address at once, and is asked to look again where it had given it up. What is subscribed to already stays."""
    webhooks = (yield api.get(account, "webhooks", app)).json().get("data") or ()
    known: Json | None = next((one for one in webhooks if one["url"] == hook), None)
    if known is None:
        known = (yield api.post(account, "webhooks", {"url": hook}, app)).json()["data"]
    elif not known.get("valid"):
        yield replace(api.get(account, f"webhooks/{known['id']}", app), method="PUT")
    there = yield from _subscribed(account, user, known["id"], app)
    for event in events:
        if event not in there:
            wanted = {"user_id": user, **DIRECTED.get(event, {})}
            yield from _subscribe(account, {"event_type": event, "filter": wanted, "webhook_id": known["id"]}, token)


def _subscribed(account: api.At, user: str, webhook: str, app: SecretStr) -> Steps[set[str]]:
    found: set[str] = set()
    path = "activity/subscriptions"
    for _ in range(PAGES):
        told = (yield api.get(account, path, app)).json()
        mine = [one for one in told.get("data") or () if one["filter"].get("user_id") == user]
        found |= {one["event_type"] for one in mine if one.get("webhook_id") == webhook}
        if not (more := (told.get("meta") or {}).get("next_token")):
            break
        path = f"activity/subscriptions?pagination_token={more}"
    return found


def _subscribe(account: api.At, wanted: Json, token: SecretStr) -> Steps[None]:
    """What is private needs the account's own token: …/activity/introduction#event-privacy-and-authentication."""
    try:
        yield api.post(account, "activity/subscriptions", wanted, token)
    except SendFailed as failed:
        if "duplicate" not in failed.detail.lower():
            raise
