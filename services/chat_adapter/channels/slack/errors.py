"""How Slack says no: under 200, by a word — https://docs.slack.dev/reference/methods/chat.postMessage#errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared.contract.channel import AlreadySent, Response, RouteGone, SendFailed
from shared.contract.codes import Code
from shared.contract.readable import otherwise

ROUTE: Final = frozenset({"used_url", "expired_url"})  # of a response_url: …/interactivity/handling-user-interaction
AGAIN: Final = frozenset(
    {"already_reacted", "no_reaction"}
)  # it is as was asked for: …/reference/methods/reactions.add#errors

WORDS: Final[Mapping[Code, str]] = {
    "auth": """not_authed invalid_auth account_inactive token_revoked token_expired missing_scope no_permission
            not_allowed_token_type org_login_required ekm_access_denied access_denied accesslimited two_factor_setup_required
            team_access_not_granted""",
    "bad_address": """channel_not_found user_not_found users_not_found user_not_visible user_disabled not_in_channel
            cannot_dm_bot invalid_channel invalid_users channel_type_not_supported message_not_found thread_not_found
            invalid_thread_ts cannot_reply_to_message duplicate_channel_not_found user_not_in_channel""",
    "blocked": "messages_tab_disabled user_is_restricted",
    "too_long": "msg_too_long msg_blocks_too_long file_upload_size_restricted file_too_large",
    "malformed": """no_text invalid_arguments invalid_arg_name invalid_array_arg invalid_charset invalid_form_data
            invalid_json json_not_object invalid_post_type missing_post_type missing_argument invalid_blocks
            invalid_blocks_format invalid_attachments too_many_attachments invalid_metadata_format
            invalid_metadata_schema invalid_name""",
    "expired": "edit_window_closed",
    "throttled": "ratelimited rate_limited",
    "unreachable": """fatal_error internal_error service_unavailable request_timeout team_added_to_org
            external_channel_migrating""",
}
ERRORS: Final[Mapping[str, Code]] = {word: code for code, words in WORDS.items() for word in words.split()}
# Where no word is said: by an address that came with a command or that a file goes to, or by something between us and Slack.
STATUSES: Final[Mapping[int, Code]] = {404: "bad_address", 413: "too_long", 429: "throttled"}


def outcome(response: Response) -> None:
    """`ok` is false under 200 too; what is no object was said by an address that a file or a command is answered at."""
    if response.status >= 500:
        raise SendFailed("unreachable", f"Slack answered {response.status}")
    word, more = otherwise(lambda: _refusal(response.json()), ("", ""))
    if response.ok and not word:
        return
    if word in AGAIN:
        raise AlreadySent(word)
    if word in ROUTE:
        raise RouteGone(word)
    code = ERRORS.get(word) or STATUSES.get(response.status, "refused")
    raise SendFailed(code, f"{word or f'HTTP {response.status}'}{more}", retry_after=response.retry_after)


def _refusal(body: Any) -> tuple[str, str]:
    """Its word, and what is missing for it; "" where it is a yes."""
    if not isinstance(body, dict) or body.get("ok") is True or ("ok" not in body and "error" not in body):
        return "", ""
    said = (otherwise(lambda: f"; it needs {body['needed']}", ""), *otherwise(lambda: _messages(body), ()))
    return str(body.get("error") or "unknown_error")[:200], "".join(said)[:500]


def _messages(body: dict[str, Any]) -> tuple[str, ...]:
    return tuple(f"; {line}" for line in body["response_metadata"]["messages"][:5])
