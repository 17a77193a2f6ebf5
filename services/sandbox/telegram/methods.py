"""All methods of the Bot API that the sandbox knows, as strict as Telegram's: https://core.telegram.org/bots/api#available-methods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.sandbox.screens import Json
from services.sandbox.telegram import sending, updates
from services.sandbox.telegram.api import Api, Method
from services.sandbox.telegram.calls import Parameters, bad_request
from services.sandbox.telegram.world import Bot

DOWNLOAD_BYTES: Final = 20 * 1024 * 1024  # https://core.telegram.org/bots/api#getfile


async def get_me(api: Api, bot: Bot, call: Parameters) -> Json:
    return {
        **bot.as_user,
        "can_join_groups": False,
        "can_read_all_group_messages": False,
        "supports_inline_queries": False,
    }


async def get_file(api: Api, bot: Bot, call: Parameters) -> Json:
    if (kept := bot.files.get(call.text("file_id"))) is None:
        raise bad_request("invalid file_id")
    if kept["file_size"] > DOWNLOAD_BYTES:
        raise bad_request("file is too big")
    return {name: kept[name] for name in ("file_id", "file_unique_id", "file_size", "file_path")}


async def answer_callback_query(api: Api, bot: Bot, call: Parameters) -> bool:
    """The button that was pressed turns no more."""
    if not bot.answer(call.text("callback_query_id"), within=api.control.faults.telegram.query_seconds):
        raise bad_request("query is too old and response timeout expired or query ID is invalid")
    return True


# All methods are case-insensitive.
METHODS: Final[Mapping[str, Method]] = {
    "getme": get_me,
    "getfile": get_file,
    "answercallbackquery": answer_callback_query,
    **sending.SENDS,
    "sendchataction": sending.send_chat_action,
    "sendmessagedraft": sending.send_message_draft,
    "editmessagetext": sending.edit_message_text,
    "editmessagecaption": sending.edit_message_caption,
    "deletemessage": sending.delete_message,
    "setmessagereaction": sending.set_message_reaction,
    "setwebhook": updates.set_webhook,
    "deletewebhook": updates.delete_webhook,
    "getwebhookinfo": updates.get_webhook_info,
    "getupdates": updates.get_updates,
}
