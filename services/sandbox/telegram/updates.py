"""The methods by which a bot says how it wants its updates, and fetches them — https://core.telegram.org/bots/api#getting-updates."""

from __future__ import annotations

import asyncio
import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

from services.sandbox.screens import Json
from services.sandbox.signals import happens
from services.sandbox.telegram.api import Api
from services.sandbox.telegram.calls import Parameters, Refused, bad_request
from services.sandbox.telegram.world import Bot
from shared.runtime.lasting import spawn

SECRET: Final = re.compile(r"[A-Za-z0-9_-]{1,256}")


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
    for chat in tuple(bot.lanes):
        bot.on_update(bot, chat)


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
    news = spawn(happens(bot.news.next(), seconds), "news of a bot")
    rival = spawn(happens(bot.poller.next(), seconds), "rival of a poll")
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
