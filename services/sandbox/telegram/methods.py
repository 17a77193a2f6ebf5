"""The methods of the Bot API, as strict as Telegram's: https://core.telegram.org/bots/api#available-methods."""

from __future__ import annotations

import asyncio
import ipaddress
import math
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from services.sandbox.faults import Control, Limits
from services.sandbox.screens import Json
from services.sandbox.signals import happens
from services.sandbox.telegram import content
from services.sandbox.telegram.calls import Parameters, Refused, bad_request
from services.sandbox.telegram.world import Bot, Chat

DOWNLOAD_BYTES: Final = 20 * 1024 * 1024  # https://core.telegram.org/bots/api#getfile
SECRET: Final = re.compile(r"[A-Za-z0-9_-]{1,256}")
ACTIONS: Final = frozenset(
    """typing upload_photo record_video upload_video record_voice upload_voice upload_document choose_sticker
    find_location record_video_note upload_video_note""".split()  # noqa: SIM905 read as prose
)

Method = Callable[["Api", Bot, Parameters], Awaitable[Any]]


class Bucket:
    """A token bucket: so many at once, so many a second after that."""

    def __init__(self, *, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._left, self._at = burst, time.monotonic()

    def wait(self) -> float:
        """Seconds until the next may pass; 0 when it may now."""
        now = time.monotonic()
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        return 0.0 if self._left >= 1 else (1 - self._left) / self._rate

    def take(self) -> None:
        self._left -= 1


class Api:
    """The methods with what they share: the faults in force and the rates."""

    def __init__(self, control: Control) -> None:
        self.control = control
        self._limits: Limits | None = None
        self._buckets: dict[tuple[int, ...], Bucket] = {}

    def pace(self, bot: Bot, chat: Chat) -> None:
        """https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this."""
        limits = self.control.faults.limits
        if limits != self._limits:
            self._limits, self._buckets = limits, {}
        whole = self._bucket((bot.id,), rate=limits.per_second, burst=limits.burst)
        one = self._bucket((bot.id, chat.id), rate=limits.per_chat_second, burst=limits.chat_burst)
        if wait := max(whole.wait(), one.wait()):
            seconds = math.ceil(wait)
            raise Refused(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)
        whole.take()
        one.take()

    def _bucket(self, key: tuple[int, ...], *, rate: float, burst: float) -> Bucket:
        if key not in self._buckets:
            self._buckets[key] = Bucket(rate=rate, burst=burst)
        return self._buckets[key]


def chat_of(bot: Bot, call: Parameters) -> Chat:
    number = call.integer("chat_id")
    if number is None:
        raise bad_request("chat_id is empty")
    if (chat := bot.chats.get(number)) is None or not chat.started:
        raise bad_request("chat not found")
    if chat.blocked:
        raise Refused(403, "Forbidden: bot was blocked by the user")
    return chat


def _say(api: Api, bot: Bot, call: Parameters, *, method: str, make: Callable[[], Json]) -> Json:
    """Every method that sends ends here: checked, paced, shown on the phone, and logged."""
    chat = chat_of(bot, call)
    api.pace(bot, chat)
    about = {**_reply(chat, call), **make(), **content.keyboard(call)}
    message = bot.message(chat, bot.as_user, about)
    bot.show(chat, message)
    words = message.get("text") or message.get("caption")
    entry = {"bot": bot.id, "chat": chat.id, "method": method, "message_id": message["message_id"], "text": words}
    api.control.accepted({"provider": "telegram", **entry, "at": time.time()})
    return message


def _reply(chat: Chat, call: Parameters) -> Json:
    wanted = call.object("reply_parameters")
    if wanted is None:
        return {}
    if not isinstance(wanted, dict) or not isinstance(wanted.get("message_id"), int):
        raise bad_request('can\'t parse reply parameters: Field "message_id" must be of type Number')
    if (view := chat.views.get(wanted["message_id"])) and not view.get("deleted"):
        quoted = {name: value for name, value in view["message"].items() if name != "reply_to_message"}
        return {"reply_to_message": quoted}
    if wanted.get("allow_sending_without_reply"):
        return {}
    raise bad_request("message to be replied not found")


async def send_message(api: Api, bot: Bot, call: Parameters) -> Json:
    return _say(api, bot, call, method="sendMessage", make=lambda: content.text(call))


async def send_location(api: Api, bot: Bot, call: Parameters) -> Json:
    return _say(api, bot, call, method="sendLocation", make=lambda: content.location(call))


async def send_venue(api: Api, bot: Bot, call: Parameters) -> Json:
    return _say(api, bot, call, method="sendVenue", make=lambda: content.venue(call))


async def send_contact(api: Api, bot: Bot, call: Parameters) -> Json:
    return _say(api, bot, call, method="sendContact", make=lambda: content.contact(call))


def _sends_file(name: str) -> Method:
    async def send(api: Api, bot: Bot, call: Parameters) -> Json:
        def make() -> Json:
            return {**content.file(bot, name.lower(), call), **(content.caption(call) if captioned else {})}

        return _say(api, bot, call, method=name, make=make)

    captioned = name != "sendSticker"
    return send


async def send_chat_action(api: Api, bot: Bot, call: Parameters) -> bool:
    chat = chat_of(bot, call)
    if call.text("action") not in ACTIONS:
        raise bad_request("wrong parameter action in request")
    chat.types()
    return True


def _own_message(bot: Bot, call: Parameters, *, verb: str) -> tuple[Chat, Json]:
    chat = chat_of(bot, call)
    view = chat.views.get(call.integer("message_id") or 0)
    if view is None or view.get("deleted"):
        raise bad_request(f"message to {verb} not found")
    return chat, view["message"]


async def edit_message_text(api: Api, bot: Bot, call: Parameters) -> Json:
    chat, message = _own_message(bot, call, verb="edit")
    if not message["from"]["is_bot"] or "text" not in message:
        raise bad_request("message can't be edited")
    changed = {**content.text(call), **content.keyboard(call)}
    if all(message.get(name) == changed.get(name) for name in ("text", "reply_markup")):
        raise bad_request(
            "message is not modified: specified new message content and reply markup are exactly the same as"
            " a current content and reply markup of the message"
        )
    kept = {name: value for name, value in message.items() if name != "reply_markup"}
    edited = {**kept, **changed, "edit_date": int(time.time())}
    bot.show(chat, edited)
    return edited


async def delete_message(api: Api, bot: Bot, call: Parameters) -> bool:
    chat, message = _own_message(bot, call, verb="delete")
    bot.show(chat, message, deleted=True)
    return True


async def answer_callback_query(api: Api, bot: Bot, call: Parameters) -> bool:
    if call.text("callback_query_id") not in bot.callbacks:
        raise bad_request("query is too old and response timeout expired or query ID is invalid")
    bot.callbacks.discard(call.text("callback_query_id"))
    return True


async def set_message_reaction(api: Api, bot: Bot, call: Parameters) -> bool:
    chat = chat_of(bot, call)
    view = chat.views.get(call.integer("message_id") or 0)
    if view is None:
        raise bad_request("message to react not found")
    reactions = call.object("reaction") or []
    if not isinstance(reactions, list) or len(reactions) > 1:
        raise bad_request("REACTIONS_TOO_MANY")
    if not all(isinstance(each, dict) and isinstance(each.get("emoji"), str) for each in reactions):
        raise bad_request("REACTION_INVALID")
    shown = {**view["reactions"], "bot": [each["emoji"] for each in reactions]}
    bot.show(chat, view["message"], reactions=shown)
    return True


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


async def set_webhook(api: Api, bot: Bot, call: Parameters) -> bool:
    url, secret = call.text("url"), call.text("secret_token")
    if not url:
        return await delete_webhook(api, bot, call)
    if secret and not SECRET.fullmatch(secret):
        raise bad_request("secret token contains unallowed characters")
    if not _on_loopback(url):
        raise bad_request("bad webhook: the sandbox delivers to this machine only; use a loopback address")
    connections = min(max(call.integer("max_connections") or 40, 1), 100)
    _choose_updates(bot, call)
    bot.save(webhook={"url": url, "secret_token": secret, "max_connections": connections})
    _start_anew(bot, call)
    return True


def _on_loopback(url: str) -> bool:
    parts = urlsplit(url)
    try:
        return parts.scheme in {"http", "https"} and (
            parts.hostname == "localhost" or ipaddress.ip_address(parts.hostname or "").is_loopback
        )
    except ValueError:
        return False


def _choose_updates(bot: Bot, call: Parameters) -> None:
    allowed = call.object("allowed_updates")
    if allowed is None:
        return
    if not isinstance(allowed, list) or not all(isinstance(name, str) for name in allowed):
        raise bad_request("can't parse allowed updates: expected an Array of String")
    bot.save(allowed_updates=allowed)


def _start_anew(bot: Bot, call: Parameters) -> None:
    bot.last_error = {}
    if call.flag("drop_pending_updates"):
        for update_id in tuple(bot.waiting):
            bot.confirm(update_id)
    bot.poller.set()
    for chat_id in tuple(bot.lanes):
        bot.on_update(bot, chat_id)


async def delete_webhook(api: Api, bot: Bot, call: Parameters) -> bool:
    bot.save(webhook=None)
    _start_anew(bot, call)
    return True


async def get_webhook_info(api: Api, bot: Bot, call: Parameters) -> Json:
    hook = bot.webhook or {}
    return {
        "url": hook.get("url", ""),
        "has_custom_certificate": False,
        "pending_update_count": len(bot.waiting),
        **({"max_connections": hook["max_connections"]} if hook else {}),
        **({"allowed_updates": bot.saved["allowed_updates"]} if bot.saved.get("allowed_updates") else {}),
        **bot.last_error,
    }


async def get_updates(api: Api, bot: Bot, call: Parameters) -> list[Json]:
    """https://core.telegram.org/bots/api#getupdates: asking with an offset confirms everything before it."""
    _refuse_with_webhook(bot)
    _choose_updates(bot, call)
    offset, limit = call.integer("offset") or 0, min(max(call.integer("limit") or 100, 1), 100)
    _confirm_before(bot, offset)
    bot.poller.set()  # only the latest poll goes on
    if not bot.waiting and not api.control.closing:
        await _news_or_rival(bot, seconds=min(max(call.integer("timeout") or 0, 0), 50))
    return list(bot.waiting.values())[:limit]


def _refuse_with_webhook(bot: Bot) -> None:
    if bot.webhook:
        raise Refused(
            409,
            "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first",
        )


def _confirm_before(bot: Bot, offset: int) -> None:
    """A negative offset counts from the end."""
    ids = list(bot.waiting)
    first = offset if offset >= 0 else (ids[offset] if -offset <= len(ids) else 0)
    for update_id in ids:
        if update_id < first:
            bot.confirm(update_id)


async def _news_or_rival(bot: Bot, *, seconds: float) -> None:
    news = asyncio.ensure_future(happens(bot.news.next(), seconds))
    rival = asyncio.ensure_future(happens(bot.poller.next(), seconds))
    try:
        await asyncio.wait((news, rival), return_when=asyncio.FIRST_COMPLETED)
        if rival.done() and rival.result():
            _refuse_with_webhook(bot)
            raise Refused(
                409,
                "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
            )
    finally:
        news.cancel()
        rival.cancel()


FILE_METHODS: Final = (
    "sendPhoto",
    "sendVideo",
    "sendAnimation",
    "sendAudio",
    "sendVoice",
    "sendDocument",
    "sendSticker",
)

# All methods are case-insensitive.
METHODS: Final[Mapping[str, Method]] = {
    "getme": get_me,
    "setwebhook": set_webhook,
    "deletewebhook": delete_webhook,
    "getwebhookinfo": get_webhook_info,
    "getupdates": get_updates,
    "sendmessage": send_message,
    **{name.lower(): _sends_file(name) for name in FILE_METHODS},
    "sendlocation": send_location,
    "sendvenue": send_venue,
    "sendcontact": send_contact,
    "sendchataction": send_chat_action,
    "editmessagetext": edit_message_text,
    "deletemessage": delete_message,
    "answercallbackquery": answer_callback_query,
    "getfile": get_file,
    "setmessagereaction": set_message_reaction,
}
SENDS: Final = frozenset(name for name in METHODS if name.startswith("send")) - {"sendchataction"}
