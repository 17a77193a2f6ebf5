"""How Teams proves itself — https://learn.microsoft.com/en-us/azure/bot-service/rest-api/bot-framework-rest-connector-authentication."""

from __future__ import annotations

from typing import Any, Final

from shared.contract.channel import Unverified

Json = dict[str, Any]

CHANNEL_ID: Final = "msteams"


def endorsed(jwk: Json) -> Json:
    """The channels whose activities a key may sign."""
    return {"endorsements": list(jwk.get("endorsements") or ())}


def check_body(activity: Json, claims: Json, signer: Json) -> None:
    """Whether the token is for this activity. Raises Unverified."""
    if activity["serviceUrl"] != claims["serviceurl"]:
        raise Unverified("another service URL")
    if activity["channelId"] != CHANNEL_ID or CHANNEL_ID not in signer["endorsements"]:
        raise Unverified("not endorsed for this channel")
