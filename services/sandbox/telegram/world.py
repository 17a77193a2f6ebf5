"""What Telegram remembers: bots, the people who write to them, messages, files, and updates that wait."""

from __future__ import annotations

import mimetypes
import re
import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from services.sandbox.screens import Json, Screen
from services.sandbox.shelf import Shelf
from services.sandbox.signals import Signal

TOKEN: Final = re.compile(r"([1-9]\d{3,15}):[A-Za-z0-9_-]{20,100}")
# What is sent when nobody asked otherwise: https://core.telegram.org/bots/api#setwebhook
NOT_BY_DEFAULT: Final = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
# Where a person meets a bot beside their private chat: in a channel's direct messages, and alone within a group.
PLACES: Final[Mapping[str, Json]] = {
    "direct": {"title": "News", "is_direct_messages": True},
    "ephemeral": {"title": "Market"},
}
ASKED: Final = 100  # what may be answered at once in one chat
FILES_KEPT: Final = 512 * 1024 * 1024  # bytes per bot


def name_of(user: int, place: str = "") -> str:
    """A chat's name here: whose it is, and where, if not in private."""
    return f"{user}-{place}" if place else str(user)


def number_of(message: Json) -> int:
    """What its chat calls it: `message_id` is 0 where one person of a group alone sees it."""
    number: int = message["message_id"] or message["ephemeral_message_id"]
    return number


class Chat(Screen[int]):
    """One person and one bot, as the phone shows it: in private, in a place of PLACES otherwise.

    `asked`: when the person wrote or pressed something here, by number or query, by time.monotonic.
    """

    def __init__(
        self, shelf: Shelf, bot: int, user: Json, *, place: str = "", started: bool = False, blocked: bool = False
    ) -> None:
        self.name = name_of(user["id"], place)
        super().__init__(shelf, f"view/{bot}/{self.name}")
        self.bot, self.place = bot, place
        self.user = user
        self.started = started
        self.blocked = blocked
        self.asked: dict[int | str, float] = {}

    @property
    def as_chat(self) -> Json:
        if self.place:
            return {"id": chat_id(self.bot, self.place), "type": "supergroup", **PLACES[self.place]}
        names: Json = {name: self.user[name] for name in ("first_name", "last_name", "username") if name in self.user}
        return {"id": self.user["id"], "type": "private", **names}

    def where(self, number: int, receiver: Json) -> Json:
        """What a message says of its place: https://core.telegram.org/bots/api#message."""
        match self.place:
            case "direct":
                topic = {"topic_id": self.user["id"], "user": self.user}
                return {"message_id": number, "direct_messages_topic": topic}
            case "ephemeral":
                return {"message_id": 0, "ephemeral_message_id": number, "receiver_user": receiver}
        return {"message_id": number}

    def ask(self, name: int | str) -> None:
        self.asked = {**dict(list(self.asked.items())[-ASKED:]), name: time.monotonic()}


def chat_id(bot: int, place: str) -> int:
    """Each bot is in one channel and one group of its own."""
    return -int(f"100{bot}{list(PLACES).index(place) + 1}")


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
        self.chats: dict[str, Chat] = {}
        self.files: dict[str, Json] = {}
        self.queries: dict[str, Query] = {}
        self.lanes: dict[str, deque[Json]] = {}
        self.waiting: dict[int, Json] = {}
        self.last_error: Json = {}
        self.news = Signal()
        self.poller = Signal()
        self.on_update: Callable[[Bot, str], None] = lambda _bot, _chat: None

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

    def meet(self, user: Json, place: str = "", *, starts: bool = False) -> Chat:
        """The chat of this person, renamed where they are. A bot may write only to who has started it."""
        new = Chat(self.shelf, self.id, user, place=place)
        chat = self.chats.setdefault(new.name, new)
        if chat.user != user or chat.started < starts:
            chat.user, chat.started = user, chat.started or starts
            self.save_chat(chat)
        return chat

    def save_chat(self, chat: Chat) -> None:
        kept = {"user": chat.user, "place": chat.place, "started": chat.started, "blocked": chat.blocked}
        self.shelf.put(f"chat/{self.id}/{chat.name}", kept)

    # messages

    def message(self, chat: Chat, sender: Json, content: Json) -> Json:
        """A new Message of Telegram's shape."""
        return {
            **chat.where(self.next("messages"), self.as_user if sender is chat.user else chat.user),
            "from": sender,
            "chat": chat.as_chat,
            "date": int(time.time()),
            **content,
        }

    def show(self, chat: Chat, message: Json, **about: Any) -> None:
        """Put a message, or what became of it, on the phone."""
        number = number_of(message)
        before = chat.views.get(number, {"reactions": {}})
        chat.put(number, {**before, "mine": not message["from"]["is_bot"], **about, "message": message})

    # buttons

    def press(self, chat: Chat, message: Json, data: str) -> str:
        """The query that the bot is to answer; until then the button turns."""
        name = secrets.token_hex(9)
        self.queries[name] = Query(chat, number_of(message), time.monotonic())
        chat.ask(name)
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
        self.shelf.put(f"update/{self.id}/{number}", {"chat": chat.name, "update": update})
        self.queue(chat.name, update)
        return number

    def queue(self, chat: str, update: Json) -> None:
        self.waiting[update["update_id"]] = update
        self.lanes.setdefault(chat, deque()).append(update)
        self.news.set()
        self.on_update(self, chat)

    def confirm(self, update_id: int) -> None:
        """Telegram forgets an update that was taken."""
        self.waiting.pop(update_id, None)
        self.shelf.drop(f"update/{self.id}/{update_id}")


class World:
    """All bots. A bot is born when its token is first seen; its id then belongs to that token."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.bots: dict[int, Bot] = {}
        self.on_update: Callable[[Bot, str], None] = lambda _bot, _chat: None
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

    def _updated(self, bot: Bot, chat: str) -> None:
        self.on_update(bot, chat)

    def _remember(self, saved: Json) -> None:
        bot = self.bots[saved["id"]] = Bot(self.shelf, saved)
        for _, kept in self.shelf.under(f"chat/{bot.id}/"):
            chat = Chat(self.shelf, bot.id, **kept)
            bot.chats[chat.name] = chat
        for key, view in self.shelf.under(f"view/{bot.id}/"):
            bot.chats[key.split("/")[2]].recall(number_of(view["message"]), view)
        bot.files = {file["file_id"]: file for _, file in self.shelf.under(f"file/{bot.id}/")}
        for _, kept in self.shelf.under(f"update/{bot.id}/"):
            bot.queue(str(kept["chat"]), kept["update"])
        bot.on_update = self._updated
