"""A question with answers to press, as buttons or as quick replies.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/template/button
https://developers.facebook.com/documentation/business-messaging/instagram-messaging/features/quick-replies
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared.contract.channel import SendFailed
from shared.contract.envelope import Choices, Option
from shared.dialects.messenger.tables import BUTTON_TEXT, BUTTONS

Json = dict[str, Any]


def offered(choices: Choices) -> Json:
    """As `message` of the Send API. Few buttons stay in the thread; more are quick replies, among which there is no link (`linked` of the capabilities)."""
    links = any(option.url for option in choices.options)
    fits = len(choices.options) <= BUTTONS and len(choices.text) <= BUTTON_TEXT
    if fits and (links or choices.style == "buttons"):
        return _template(choices.text, [_button(option) for option in choices.options])
    if links:
        raise SendFailed("unsupported", f"Meta shows a link among {BUTTONS} buttons at most; put it into the text")
    return {"text": choices.text, "quick_replies": [_quick_reply(option) for option in choices.options]}


def _template(text: str, buttons: Sequence[Json]) -> Json:
    payload = {"template_type": "button", "text": text, "buttons": buttons}
    return {"attachment": {"type": "template", "payload": payload}}


def _button(option: Option) -> Json:
    if option.url:
        return {"type": "web_url", "title": option.title, "url": option.url}
    return {"type": "postback", "title": option.title, "payload": option.id}


def _quick_reply(option: Option) -> Json:
    return {"content_type": "text", "title": option.title, "payload": option.id}
