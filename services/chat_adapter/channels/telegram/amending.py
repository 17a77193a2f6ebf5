"""Changes of messages as calls of the Bot API — https://core.telegram.org/bots/api#updating-messages."""

from __future__ import annotations

from typing import Any, Final

from services.chat_adapter.channels.telegram.outbound import words
from services.chat_adapter.channels.telegram.places import is_ephemeral, last_number
from shared.contract.channel import Amendment, DeletePiece, EditPiece, React, SendFailed
from shared.contract.envelope import Choices, Media, Text

Json = dict[str, Any]

# https://core.telegram.org/bots/api#reactiontypeemoji
REACTIONS: Final = tuple(
    """👍 👎 ❤ 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤‍🔥 🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐 🍓 🍾 💋 🖕 😈 😴 😭 🤓
    👻 👨‍💻 👀 🎃 🙈 😇 😨 🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷‍♂ 🤷 🤷‍♀ 😡""".split()  # noqa: SIM905 read as prose
)


def compose(change: Amendment) -> tuple[str, Json]:
    """The method to call and its parameters. Raises SendFailed for what cannot be changed."""
    if is_ephemeral(change.external_id):
        raise SendFailed("unsupported", "what one person of a group alone sees stays as it is")
    name = {"chat_id": change.external_id.partition(":")[0], "message_id": last_number(change.external_id)}
    method, content = _content(change)
    return method, {**name, **content}


def _content(change: Amendment) -> tuple[str, Json]:
    match change:
        case EditPiece(part=Text() | Choices() as part):
            return "editMessageText", words(part)
        case EditPiece(part=Media(caption=caption)):
            return "editMessageCaption", {"caption": caption or ""}
        case DeletePiece():
            return "deleteMessage", {}
        case React(emoji=emoji, removed=removed):  # one at a time: to take one back is to show none
            shown = [{"type": "emoji", "emoji": emoji}] if emoji and not removed else []
            return "setMessageReaction", {"reaction": shown}
    raise SendFailed("unsupported", f"{change.change}: not at Telegram")
