"""How Google proves itself — https://developers.google.com/workspace/chat/verify-requests-from-chat.

Three services post to the hook, each with a token of its own: Chat for classic apps, Chat for add-ons, and Pub/Sub.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from shared.contract.channel import Unverified

Json = dict[str, Any]

CHAT: Final = "chat@system.gserviceaccount.com"
ACCOUNTS: Final = ("https://accounts.google.com", "accounts.google.com")
ADD_ON: Final = (
    "service-{}@gcp-sa-gsuiteaddons.iam.gserviceaccount.com"  # as the app's configuration at Google shows it
)
# Where Chat tells its own keys, and Google those of its ID tokens; {}: where Google's APIs are.
ADDRESSES: Final = ((CHAT, f"{{}}/service_accounts/v1/jwk/{CHAT}"), (ACCOUNTS[0], "{}/oauth2/v3/certs"))


def check(claims: Json, signer: Json, *, project: str, endpoint: str, publishers: Iterable[str]) -> None:
    """A token of Chat is for the project's number; an ID token for the address, of a service account that may post. Raises Unverified."""
    if signer["of"] == CHAT:
        if claims["iss"] != CHAT or claims["aud"] != project:
            raise Unverified("a token for another project")
        return
    if claims["iss"] not in ACCOUNTS or not endpoint or claims["aud"] != endpoint:
        raise Unverified("a token for another address")
    posts = {CHAT, ADD_ON.format(project), *publishers}
    if claims.get("email_verified") is not True or claims.get("email") not in posts:
        raise Unverified("somebody else's token")
