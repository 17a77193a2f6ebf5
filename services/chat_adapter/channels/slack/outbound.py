"""A piece as Slack takes it — https://docs.slack.dev/reference/methods/chat.postMessage, …/reference/block-kit/blocks."""

from __future__ import annotations

from typing import Any, Final

from services.chat_adapter.channels.slack.inbound import GROWING, OURS
from services.chat_adapter.channels.slack.interactions import LINK
from services.chat_adapter.channels.slack.words import escaped
from shared.contract.channel import Piece, SendFailed
from shared.contract.envelope import Choices, Option, Part, Text
from shared.contract.text import split

Json = dict[str, Any]

TEXT: Final = (
    4000  # characters, "for best results"; escaped, far below 40,000, where Slack cuts: …/chat.postMessage#truncating
)
SECTION: Final = 3000  # …/block-kit/blocks/section-block
BUTTONS: Final = 25  # …/block-kit/blocks/actions-block
LABEL: Final = 75  # …/block-kit/block-elements/button-element
VALUE: Final = 2000
FILES: Final = 10


def compose(piece: Piece) -> Json:
    """The words, and what they carry so that their echo is known."""
    return {**words(piece.part), "metadata": {"event_type": OURS, "event_payload": {"piece": piece.id, "to": piece.to}}}


def so_far(piece: Piece) -> Json:
    """An answer that is not whole yet: its echo is no message."""
    return {**words(piece.part), "metadata": {"event_type": GROWING, "event_payload": {}}}


def words(part: Part) -> Json:
    """`mrkdwn`: stars and underscores are what they are."""
    match part:
        case Text(text=text):
            return {"text": escaped(text), "mrkdwn": False}
        case Choices() as question:
            return {"text": escaped(question.text), "blocks": _blocks(question)}
    raise SendFailed("unsupported", f"Slack takes no {part.kind}")


def _blocks(question: Choices) -> list[Json]:
    text = [{"type": "section", "text": _plain(piece)} for piece in split(question.text, SECTION)]
    buttons = [_button(option, number) for number, option in enumerate(question.options)]
    return [*text, {"type": "actions", "elements": buttons}]


def _plain(text: str) -> Json:
    return {"type": "plain_text", "text": text, "emoji": False}


def _button(option: Option, number: int) -> Json:
    button = {"type": "button", "text": _plain(option.title)}
    if option.url:
        return {**button, "action_id": f"{LINK}-{number}", "url": option.url}
    return {**button, "action_id": f"option-{number}", "value": option.id}


def comment(piece: Piece) -> str:
    """What stands above the files: the text, or what each of them is called."""
    text = piece.part.text if isinstance(piece.part, Text) else ""
    captions = (file.caption or "" for file in piece.files)
    return escaped("\n".join(filter(None, (text, *captions))))
