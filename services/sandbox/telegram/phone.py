"""The other end of Telegram: a person's phone, for the page and for tests, as JSON over HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from aiohttp import web

from services.sandbox.bodies import Upload
from services.sandbox.files import download
from services.sandbox.refusals import Refused, answering
from services.sandbox.screens import Json
from services.sandbox.streams import last_seen, tell
from services.sandbox.telegram import content
from services.sandbox.telegram.calls import Parameters, parameters
from services.sandbox.telegram.world import PLACES, Bot, Chat, World, name_of, number_of

# Where they write: in private, else `-` and one of PLACES stand behind who writes.
PERSON: Final = "/phone/telegram/{bot:\\d{1,16}}/{user:\\d{1,16}(?:-direct|-ephemeral)?}"


class Phone:
    """What a person does in a chat becomes updates; what a bot does shows in `messages` and `events`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/phone/telegram", self._bots),
            web.post(PERSON + "/send", answering(self._send)),
            web.get(PERSON + "/messages", answering(self._messages)),
            web.get(PERSON + "/events", answering(self._events)),
            web.get(PERSON + "/files/{file}", answering(self._file)),
        ]

    async def _bots(self, _request: web.Request) -> web.Response:
        bots = [
            {
                **bot.as_user,
                "chats": [chat.user for chat in bot.chats.values() if not chat.place],
                "places": list(PLACES),
            }
            for bot in self._world.bots.values()
        ]
        return web.json_response({"bots": bots})

    def _bot(self, request: web.Request) -> Bot:
        number = int(request.match_info["bot"])
        if (bot := self._world.bots.get(number)) is None:
            raise Refused(404, f"no bot {number} has called yet; start the adapter that has its token")
        return bot

    def _chat(self, request: web.Request) -> tuple[Bot, Chat]:
        bot = self._bot(request)
        user = request.match_info["user"]
        if user not in bot.chats:
            raise Refused(404, f"{user} has not written to this bot yet")
        return bot, bot.chats[user]

    async def _send(self, request: web.Request) -> web.Response:
        """One of text, file (multipart), location, contact, edit, press, react, block; with reply_to, name, language."""
        bot, call = self._bot(request), await parameters(request)
        chat = _meet(bot, request, call, starts=True)
        if chat.blocked and call.object("block") is None:
            _block(bot, chat, blocked=False)  # who writes to a bot again has unblocked it
        for name, act in ACTS.items():
            if call.object(name) is not None if name in OBJECTS else call.file(name):
                return web.json_response(act(bot, chat, call))
        raise Refused(400, f"nothing to send: give one of {', '.join(ACTS)}")

    async def _messages(self, request: web.Request) -> web.Response:
        _, chat = self._chat(request)
        return web.json_response({"n": chat.n, "messages": chat.since(last_seen(request))})

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events: `message` with a view whose `n` is the event's id, and `typing`."""
        bot = self._bot(request)
        chat = _meet(bot, request, Parameters({}))
        return await tell(request, chat.changed, chat.news(last_seen(request)))

    async def _file(self, request: web.Request) -> web.Response:
        bot, _ = self._chat(request)
        if (kept := bot.files.get(request.match_info["file"])) is None:
            raise Refused(404, "no such file")
        return download(bot.shelf.file(kept["file_id"]), kept["mime_type"])


def _meet(bot: Bot, request: web.Request, call: Parameters, *, starts: bool = False) -> Chat:
    number, _, place = request.match_info["user"].partition("-")
    return bot.meet(_person(bot, int(number), call), place, starts=starts)


def _person(bot: Bot, number: int, call: Parameters) -> Json:
    """Telegram's User: as known in private or elsewhere, with what the call says anew."""
    chats = [bot.chats.get(name_of(number, place)) for place in ("", *PLACES)]
    known = next((chat.user for chat in chats if chat), {"first_name": f"User {number}"})
    said = {"first_name": call.text("name")[:64], "language_code": call.text("language")[:16]}
    return {"id": number, "is_bot": False, **known, **{name: value for name, value in said.items() if value}}


def _say(bot: Bot, chat: Chat, call: Parameters, about: Json) -> Json:
    message = bot.message(chat, chat.user, {**_reply(chat, call), **about})
    bot.show(chat, message)
    chat.ask(number_of(message))
    return {"message_id": number_of(message), "update_id": bot.update(chat, "message", message), "n": chat.n}


def _reply(chat: Chat, call: Parameters) -> Json:
    if (number := call.integer("reply_to")) is None:
        return {}
    quoted = {name: value for name, value in _message(chat, number).items() if name != "reply_to_message"}
    return {"reply_to_message": quoted}


def _message(chat: Chat, number: int | None) -> Json:
    if number not in chat.views:
        raise Refused(404, f"no message {number} in this chat")
    message: Json = chat.views[number]["message"]
    return message


def _text(bot: Bot, chat: Chat, call: Parameters) -> Json:
    about = content.text(call)
    command = about["text"].split()[0]
    if command.startswith("/"):
        about["entities"] = [{"type": "bot_command", "offset": 0, "length": len(command)}]
    return _say(bot, chat, call, about)


def _upload(bot: Bot, chat: Chat, call: Parameters) -> Json:
    """`as` names the field (photo, video, voice, sticker …); otherwise the MIME type decides."""
    upload = call.file("file")
    if not isinstance(upload, Upload):
        raise Refused(400, "file must be uploaded as multipart/form-data")
    field = call.text("as") or BY_TYPE.get(upload.mime_type, "document")
    if field not in {name for name, _ in content.FILES.values()}:
        raise Refused(400, f"no message has a field {field}")
    kept = bot.keep(upload.data, name=upload.name, mime_type=upload.mime_type)
    return _say(bot, chat, call, {**content.shaped(bot, field, kept), **content.caption(call)})


def _location(bot: Bot, chat: Chat, call: Parameters) -> Json:
    place = Parameters(_object(call, "location"))
    return _say(bot, chat, call, content.venue(place) if place.text("title") else content.location(place))


def _contact(bot: Bot, chat: Chat, call: Parameters) -> Json:
    card = _object(call, "contact")
    about = content.contact(Parameters(card))
    if card.get("own"):
        about["contact"]["user_id"] = chat.user["id"]
    return _say(bot, chat, call, about)


def _edit(bot: Bot, chat: Chat, call: Parameters) -> Json:
    message = _message(chat, call.integer("edit"))
    if message["from"]["is_bot"]:
        raise Refused(400, "only one's own messages can be edited")
    edited = {**message, **content.text(call), "edit_date": int(time.time())}
    bot.show(chat, edited)
    return {"message_id": number_of(edited), "update_id": bot.update(chat, "edited_message", edited), "n": chat.n}


def _press(bot: Bot, chat: Chat, call: Parameters) -> Json:
    pressed = _object(call, "press")
    message = _message(chat, pressed.get("message_id"))
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    if not any(button.get("callback_data") == pressed.get("data") for row in rows for button in row):
        raise Refused(400, "that message has no such button")
    query_id = bot.press(chat, message, pressed["data"])
    query = {"id": query_id, "from": chat.user, "message": message, "data": pressed["data"]}
    return {
        "update_id": bot.update(chat, "callback_query", {**query, "chat_instance": str(chat.as_chat["id"])}),
        "n": chat.n,
    }


def _react(bot: Bot, chat: Chat, call: Parameters) -> Json:
    if chat.place == "ephemeral":
        raise Refused(400, "Telegram tells nothing of reactions here: such a message has no message_id")
    wanted = _object(call, "react")
    message, emoji = _message(chat, wanted.get("message_id")), wanted.get("emoji")
    shown = chat.views[message["message_id"]]["reactions"]
    old, new = shown.get("person", []), [emoji] if emoji else []
    bot.show(chat, message, reactions={**shown, "person": new})
    reaction = {
        "chat": chat.as_chat,
        "message_id": message["message_id"],
        "user": chat.user,
        "date": int(time.time()),
        "old_reaction": [{"type": "emoji", "emoji": each} for each in old],
        "new_reaction": [{"type": "emoji", "emoji": each} for each in new],
    }
    return {"update_id": bot.update(chat, "message_reaction", reaction), "n": chat.n}


def _blocking(bot: Bot, chat: Chat, call: Parameters) -> Json:
    if chat.place:
        raise Refused(400, "a bot is stopped in its private chat")
    return {"update_id": _block(bot, chat, blocked=call.flag("block")), "n": chat.n}


def _block(bot: Bot, chat: Chat, *, blocked: bool) -> int | None:
    chat.blocked = blocked
    bot.save_chat(chat)
    old, new = ("member", "kicked") if blocked else ("kicked", "member")
    change = {"chat": chat.as_chat, "from": chat.user, "date": int(time.time())}
    members = {"old_chat_member": {"user": bot.as_user, "status": old}}
    members |= {"new_chat_member": {"user": bot.as_user, "status": new}}
    return bot.update(chat, "my_chat_member", {**change, **members})


def _object(call: Parameters, name: str) -> Json:
    value = call.object(name)
    if not isinstance(value, dict):
        raise Refused(400, f"{name} must be an object")
    return value


BY_TYPE: Final = {
    "image/jpeg": "photo",
    "image/png": "photo",
    "image/webp": "photo",
    "video/mp4": "video",
    "audio/mpeg": "audio",
    "audio/ogg": "voice",
}
OBJECTS: Final = frozenset({"block", "edit", "press", "react", "location", "contact"})
# An edit brings a text too, so it stands before it.
ACTS: Final[dict[str, Callable[[Bot, Chat, Parameters], Json]]] = {
    "block": _blocking,
    "edit": _edit,
    "press": _press,
    "react": _react,
    "location": _location,
    "contact": _contact,
    "file": _upload,
    "text": _text,
}
