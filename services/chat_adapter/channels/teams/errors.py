"""How Teams says no — https://learn.microsoft.com/en-us/microsoftteams/platform/bots/how-to/conversations/conversation-messages#status-codes-from-bot-conversational-apis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared.contract.channel import Response, SendFailed
from shared.contract.codes import Code
from shared.contract.mend import loads
from shared.contract.readable import otherwise
from shared.contract.saying_no import SaysNo

Json = dict[str, Any]

CODES: Final[Mapping[str, Code]] = {
    "ActivityNotFoundInConversation": "bad_address",
    "BotDisabledByAdmin": "blocked",
    "BotNotInConversationRoster": "blocked",
    "BotNotRegistered": "auth",
    "ConversationBlockedByUser": "blocked",
    "ConversationNotFound": "bad_address",
    "MessageSizeTooBig": "too_long",
    "MessageWritesBlocked": "blocked",  # …/send-proactive-messages#understand-who-blocked-muted-or-uninstalled-a-bot
}
STATUSES: Final[Mapping[int, Code]] = {
    400: "malformed",
    401: "auth",
    404: "bad_address",
    413: "too_long",
    429: "throttled",
}


# https://learn.microsoft.com/en-us/entra/identity-platform/reference-error-codes#handling-error-codes-in-your-application
OAUTH: Final = frozenset({"invalid_client", "invalid_grant", "invalid_request", "invalid_scope", "unauthorized_client"})


def outcome(response: Response) -> None:
    """A 412 is of two requests that met in one conversation: nothing was done, and that conversation is tried again."""
    try:
        _NO(response)
    except SendFailed as failed:
        if response.status == 412:
            raise SendFailed("throttled", failed.detail, scope="peer") from None
        raise


def _said(body: Json) -> tuple[str, str]:
    """Code and words: of the API `error` is an object, of the token's address a word; older answers hold JSON in their words."""
    error = body.get("error")
    if isinstance(error, dict):
        return _of_message(str(error.get("code", "")), str(error.get("message", "")))
    if error is not None:
        return str(error), str(body.get("error_description", ""))
    return _of_message("", str(body.get("message", "")))


def _of_message(code: str, words: str) -> tuple[str, str]:
    inner = otherwise(lambda: loads(words.encode()), None)
    if isinstance(inner, dict) and "subCode" in inner:
        return str(inner["subCode"]), str(inner.get("details", ""))
    return code, words


_NO: Final = SaysNo("Teams", _said, {**CODES, **dict.fromkeys(OAUTH, "auth")}, STATUSES)
