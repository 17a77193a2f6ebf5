"""A part as a message of Google Chat — https://developers.google.com/workspace/chat/create-messages."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from services.chat_adapter.channels.googlechat.content import PRESSED, TITLE
from shared.contract.channel import SendFailed
from shared.contract.envelope import Choices, Media, Option, Part, Text

Json = dict[str, Any]

# Half of the 32,000 bytes that a message has, cards and all (…/reference/rest/v1/spaces.messages/create): what is defused grows.
TEXT: Final = 16_000
PICTURES: Final = frozenset({"image/png", "image/jpeg", "image/gif"})
# What would name somebody, or everybody, or hide where a link goes: https://developers.google.com/workspace/chat/format-messages
MARKS: Final = re.compile(r"<(?=users/|[a-z]{2,10}:[^<>|]{1,2000}\|)")
UNSEEN: Final = "\u2060"


def compose(part: Part, link: Callable[[Media], str], hook: str) -> Json:
    """`hook`: what a press calls, where the app is an add-on. Raises SendFailed for what Chat has nothing for, and Refusal where a file has no address (see Context.link)."""
    match part:
        case Text(text=text):
            return {"text": plain(text)}
        case Choices(text=text, options=options):
            return {"text": plain(text), **_card({"buttonList": {"buttons": [_button(one, hook) for one in options]}})}
        case Media():
            return {"text": plain(part.caption or ""), **_card(_file(part, link(part)))}
    raise SendFailed("unsupported", f"Google Chat takes no {part.kind}")


def plain(words: str) -> str:
    return MARKS.sub(f"<{UNSEEN}", words)


def _file(media: Media, address: str) -> Json:
    """A picture is shown; anything else is a button that opens it. Apps upload nothing of their own:
    …/reference/rest/v1/media/upload "requires user authentication".
    """
    name, opens = media.name or media.media, {"openLink": {"url": address}}
    if media.media == "image" and media.mime_type in PICTURES:
        return {"image": {"imageUrl": address, "altText": name, "onClick": opens}}
    return {"buttonList": {"buttons": [{"text": f"⬇ {name}", "onClick": opens}]}}


def _card(widget: Json) -> Json:
    return {"cardsV2": [{"cardId": "card", "card": {"sections": [{"widgets": [widget]}]}}]}


def _button(option: Option, hook: str) -> Json:
    """…/reference/rest/v1/cards#action: of a classic app `function` is any word, of an add-on the address that is called."""
    about = {"text": option.title, **({"altText": option.description} if option.description else {})}
    if option.url:
        return {**about, "onClick": {"openLink": {"url": option.url}}}
    told = [{"key": PRESSED, "value": option.id}, {"key": TITLE, "value": option.title}]
    return {**about, "onClick": {"action": {"function": hook or PRESSED, "parameters": told}}}
