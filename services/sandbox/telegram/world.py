"""What Telegram remembers: bots, the people who write to them, messages, files, and updates that wait."""

from __future__ import annotations

import mimetypes
import re
import secrets
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from services.sandbox.screens import Json, Screen
from services.sandbox.shelf import Shelf
from services.sandbox.signals import Signal

TOKEN: Final = re.compile(r"([1-9]\d{3,15}):[A-Za-z0-9_-]{20,100}")
# What is sent when nobody asked otherwise: https://core.telegram.org/bots/api#setwebhook
NOT_BY_DEFAULT: Final = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
FILES_KEPT: Final = 512 * 1024 * 1024  # bytes per bot


class Chat(Screen[int]):
    """One person's private chat with one bot, as their phone shows it."""

    def __init__(self, shelf: Shelf, bot: int, user: Json, *, started: bool = False, blocked: bool = False) -> None:
        super().__init__(shelf, f"view/{bot}/{user['id']}")
        self.user = user
        self.started = started
        self.blocked = blocked

    @property
    def id(self) -> int:
        return int(self.user["id"])

    @property
    def as_chat(self) -> Json:
        names: Json = {name: self.user[name] for name in ("first_name", "last_name", "username") if name in self.user}
        return {"id": self.id, "type": "private", **names}


class Query(NamedTuple):
    """A button that was pressed and turns until the bot answers; `at` by time.monotonic."""

    chat: Chat
    message_id: int
    at: float


class Bot:
    """A bot and everything around it, kept on the shelf."""

    def __init__(self, shelf: Shelf, saved: Json) -> None:
        self.id: int = saved["id"]
        self.shelf = shelf
        self.saved = saved
        self.chats: dict[int, Chat] = {}
        self.files: dict[str, Json] = {}
        self.queries: dict[str, Query] = {}
        self.lanes: dict[int, deque[Json]] = {}
        self.waiting: dict[int, Json] = {}
        self.last_error: Json = {}
        self.news = Signal()
        self.poller = Signal()
        self.on_update: Callable[[Bot, int], None] = lambda _bot, _chat: None

    @property
    def as_user(self) -> Json:
        return {"id": self.id, "is_bot": True, "first_name": f"Bot {self.id}", "username": f"sandbox_{self.id}_bot"}

    @property
    def webhook(self) -> Json | None:
        return self.saved.get("webhook")

    def save(self, **changes: Any) -> None:
        self.saved = {**self.saved, **changes}
        self.shelf.put(f"bot/{self.id}", self.saved)

    def next(self, counter: str) -> int:
        value: int = self.saved[counter] + 1
        self.save(**{counter: value})
        return value

    # people

    def meet(self, user: Json, *, starts: bool = False) -> Chat:
        """The chat of this person, renamed where they are. A bot may write only to who has started it."""
        chat = self.chats.setdefault(user["id"], Chat(self.shelf, self.id, user))
        if chat.user != user or chat.started < starts:
            chat.user, chat.started = user, chat.started or starts
            self.save_chat(chat)
        return chat

    def save_chat(self, chat: Chat) -> None:
        kept = {"user": chat.user, "started": chat.started, "blocked": chat.blocked}
        self.shelf.put(f"chat/{self.id}/{chat.id}", kept)

    # messages

    def message(self, chat: Chat, sender: Json, content: Json) -> Json:
        """A new Message of Telegram's shape."""
        return {
            "message_id": self.next("messages"),
            "from": sender,
            "chat": chat.as_chat,
            "date": int(time.time()),
            **content,
        }

    def show(self, chat: Chat, message: Json, **about: Any) -> None:
        """Put a message, or what became of it, on the phone."""
        number = message["message_id"]
        before = chat.views.get(number, {"reactions": {}})
        chat.put(number, {**before, "mine": not message["from"]["is_bot"], **about, "message": message})

    # buttons

    def press(self, chat: Chat, message: Json, data: str) -> str:
        """The query that the bot is to answer; until then the button turns."""
        name = secrets.token_hex(9)
        self.queries[name] = Query(chat, message["message_id"], time.monotonic())
        self.show(chat, message, pressing=data)
        return name

    def answer(self, name: str, *, within: float) -> bool:
        """Whether there is such a query, no older than so many seconds; it is answered once."""
        query = self.queries.pop(name, None)
        if query is None or time.monotonic() - query.at > within:
            return False
        if view := query.chat.views.get(query.message_id):
            self.show(query.chat, view["message"], pressing=None)
        return True

    # files

    def keep(self, data: bytes, *, name: str, mime_type: str) -> Json:
        """Store an upload; the answer is Telegram's File with its MIME type and name."""
        unique = secrets.token_urlsafe(12)
        file_id = f"BQAC{unique}{self.next('files')}"
        suffix = mimetypes.guess_extension(mime_type) or ".bin"
        file = {
            "file_id": file_id,
            "file_unique_id": unique,
            "file_size": len(data),
            "file_path": f"documents/{file_id}{suffix}",
            "file_name": name,
            "mime_type": mime_type,
        }
        self.shelf.put_file(file_id, data)
        self.shelf.put(f"file/{self.id}/{file_id}", file)
        self.files[file_id] = file
        self._forget_old_files()
        return file

    def _forget_old_files(self) -> None:
        while sum(file["file_size"] for file in self.files.values()) > FILES_KEPT:
            oldest = next(iter(self.files))
            del self.files[oldest]
            self.shelf.drop(f"file/{self.id}/{oldest}")
            self.shelf.drop_file(oldest)

    # updates

    def accepts(self, kind: str) -> bool:
        allowed = self.saved.get("allowed_updates")
        return kind in allowed if allowed else kind not in NOT_BY_DEFAULT

    def update(self, chat: Chat, kind: str, content: Json) -> int | None:
        """Queue an update, where the bot wants such; its id."""
        if not self.accepts(kind):
            return None
        number = self.next("updates")
        update = {"update_id": number, kind: content}
        self.shelf.put(f"update/{self.id}/{number}", {"chat": chat.id, "update": update})
        self.queue(chat.id, update)
        return number

    def queue(self, chat_id: int, update: Json) -> None:
        self.waiting[update["update_id"]] = update
        self.lanes.setdefault(chat_id, deque()).append(update)
        self.news.set()
        self.on_update(self, chat_id)

    def confirm(self, update_id: int) -> None:
        """Telegram forgets an update that was taken."""
        self.waiting.pop(update_id, None)
        self.shelf.drop(f"update/{self.id}/{update_id}")


class World:
    """All bots. A bot is born when its token is first seen; its id then belongs to that token."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.bots: dict[int, Bot] = {}
        self.on_update: Callable[[Bot, int], None] = lambda _bot, _chat: None
        for _, saved in shelf.under("bot/"):
            self._remember(saved)

    def by_token(self, token: str) -> Bot | None:
        """The bot of a token; None for what is no token, or not this bot's."""
        if not (match := TOKEN.fullmatch(token)):
            return None
        number = int(match[1])
        if number not in self.bots:
            self._born(number, token)
        bot = self.bots[number]
        return bot if secrets.compare_digest(bot.saved["token"], token) else None

    def _born(self, number: int, token: str) -> None:
        counters = {"updates": 100_000_000 + secrets.randbelow(800_000_000), "messages": 0, "files": 0}
        bot = Bot(self.shelf, {"id": number, "token": token, **counters})
        bot.on_update = self._updated
        bot.save()
        self.bots[number] = bot

    def _updated(self, bot: Bot, chat_id: int) -> None:
        self.on_update(bot, chat_id)

    def _remember(self, saved: Json) -> None:
        bot = self.bots[saved["id"]] = Bot(self.shelf, saved)
        for _, kept in self.shelf.under(f"chat/{bot.id}/"):
            bot.chats[kept["user"]["id"]] = Chat(self.shelf, bot.id, **kept)
        for key, view in self.shelf.under(f"view/{bot.id}/"):
            bot.chats[int(key.split("/")[2])].recall(view["message"]["message_id"], view)
        bot.files = {file["file_id"]: file for _, file in self.shelf.under(f"file/{bot.id}/")}
        for _, kept in self.shelf.under(f"update/{bot.id}/"):
            bot.queue(kept["chat"], kept["update"])
        bot.on_update = self._updated
