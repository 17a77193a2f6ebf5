"""The methods that a person sees something of: messages, what becomes of them, typing — https://core.telegram.org/bots/api#sendmessage."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

from services.sandbox.screens import Json
from services.sandbox.telegram import content
from services.sandbox.telegram.api import Api, Method
from services.sandbox.telegram.calls import Parameters, Refused, bad_request
from services.sandbox.telegram.world import Bot, Chat, chat_id, name_of, number_of

ACTIONS: Final = frozenset(
    """typing upload_photo record_video upload_video record_voice upload_voice upload_document choose_sticker
    find_location record_video_note upload_video_note""".split()  # noqa: SIM905 read as prose
)


def chat_of(bot: Bot, call: Parameters) -> Chat:
    number = call.integer("chat_id")
    if number is None:
        raise bad_request("chat_id is empty")
    if (chat := bot.chats.get(_named(bot, number, call))) is None or not chat.started:
        raise bad_request("chat not found")
    if chat.blocked:
        raise Refused(403, "Forbidden: bot was blocked by the user")
    return chat


def _named(bot: Bot, number: int, call: Parameters) -> str:
    """The chat that is meant: in the places of one person the call says whose it is."""
    if number == chat_id(bot.id, "direct"):
        if (topic := call.integer("direct_messages_topic_id")) is None:
            raise bad_request("direct messages topic must be specified")
        return name_of(topic, "direct")
    if number == chat_id(bot.id, "ephemeral"):
        return name_of(_receiver(call), "ephemeral")
    return name_of(number)


def _receiver(call: Parameters) -> int:
    told = call.object("ephemeral_message_parameters")
    if not isinstance(told, dict) or not isinstance(told.get("receiver_user_id"), int):
        raise bad_request("the sandbox shows of a group only what one person alone sees: name the receiver_user_id")
    number: int = told["receiver_user_id"]
    return number


def _check_answers(chat: Chat, call: Parameters, *, within: float) -> None:
    """A bot that is no administrator answers what the person just wrote or pressed there, and names it:
    https://core.telegram.org/bots/api#ephemeral-messages-and-commands.
    """
    told, replied = call.object("ephemeral_message_parameters"), call.object("reply_parameters") or {}
    names = (told.get("callback_query_id"), replied.get("ephemeral_message_id"))
    asked = [chat.asked[name] for name in names if isinstance(name, int | str) and name in chat.asked]
    if not asked or time.monotonic() - max(asked) > within:
        raise bad_request("an ephemeral message answers what was written or pressed there within 15 seconds")


def _say(api: Api, bot: Bot, call: Parameters, *, method: str, make: Callable[[], Json]) -> Json:
    """Every method that sends ends here: checked, paced, shown on the phone, and logged."""
    chat = chat_of(bot, call)
    if chat.place == "ephemeral":
        _check_answers(chat, call, within=api.control.faults.telegram.query_seconds)
    api.pace(bot, chat)
    about = {**_reply(chat, call), **make(), **content.keyboard(call)}
    message = bot.message(chat, bot.as_user, about)
    bot.show(chat, message)
    words = message.get("text") or message.get("caption")
    entry = {"bot": bot.id, "chat": message["chat"]["id"], "method": method, "message_id": number_of(message)}
    api.control.accepted({"provider": "telegram", **entry, "text": words, "at": time.time()})
    return message


def _reply(chat: Chat, call: Parameters) -> Json:
    wanted = call.object("reply_parameters")
    if wanted is None:
        return {}
    field = "ephemeral_message_id" if chat.place == "ephemeral" else "message_id"
    if not isinstance(wanted, dict) or not isinstance(wanted.get(field), int):
        raise bad_request(f'can\'t parse reply parameters: Field "{field}" must be of type Number')
    if (view := chat.views.get(wanted[field])) and not view.get("deleted"):
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


async def send_message_draft(api: Api, bot: Bot, call: Parameters) -> bool:
    """https://core.telegram.org/bots/api#sendmessagedraft; the phone shows that somebody is writing."""
    chat = chat_of(bot, call)
    if not call.integer("draft_id"):
        raise bad_request("draft_id must be non-zero")
    content.text(call)
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


async def edit_message_caption(api: Api, bot: Bot, call: Parameters) -> Json:
    chat, message = _own_message(bot, call, verb="edit")
    if not message["from"]["is_bot"] or "text" in message:
        raise bad_request("there is no caption in the message to edit")
    kept = {name: value for name, value in message.items() if name != "caption"}
    edited = {**kept, **content.caption(call), "edit_date": int(time.time())}
    bot.show(chat, edited)
    return edited


async def delete_message(api: Api, bot: Bot, call: Parameters) -> bool:
    chat, message = _own_message(bot, call, verb="delete")
    bot.show(chat, message, deleted=True)
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


FILES: Final = ("sendPhoto", "sendVideo", "sendAnimation", "sendAudio", "sendVoice", "sendDocument", "sendSticker")
SENDS: Final[Mapping[str, Method]] = {
    "sendmessage": send_message,
    **{name.lower(): _sends_file(name) for name in FILES},
    "sendlocation": send_location,
    "sendvenue": send_venue,
    "sendcontact": send_contact,
}
