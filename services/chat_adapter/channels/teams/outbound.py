"""A part as an activity — https://learn.microsoft.com/en-us/azure/bot-service/rest-api/bot-framework-rest-connector-api-reference#activity-object."""

from __future__ import annotations

from typing import Any, Final

from services.chat_adapter.channels.teams.content import PRESSED
from shared.contract.channel import Context, SendFailed
from shared.contract.envelope import Choices, Media, Option, Part, Text
from shared.contract.text import split

Json = dict[str, Any]

CARD: Final = "application/vnd.microsoft.card.adaptive"
# 80 of 100 KB in UTF-16 are promised to go through, and JSON may double a letter: …/bots/how-to/format-your-bot-messages
TEXT: Final = 18_000
LINES: Final = 100  # each is a block of the card; the last holds whatever follows
SUMMARY: Final = 200
PICTURES: Final = frozenset({"image/png", "image/jpeg", "image/gif"})
PICTURE_BYTES: Final = 1024 * 1024  # …/conversations/conversation-messages#picture-messages


def compose(part: Part, context: Context) -> Json:
    """Raises SendFailed for what Teams has nothing for, and Refusal where a file has no address (see Context.link)."""
    match part:
        case Text(text=text):
            return {"type": "message", "textFormat": "plain", "text": text}
        case Choices(text=text, options=options):
            return _card(text, [_action(option) for option in options])
        case Media():
            return _file(part, context.link(part))
    raise SendFailed("unsupported", f"Teams takes no {part.kind}")


def _file(media: Media, address: str) -> Json:
    """A picture is shown; anything else, and a picture that is too large for that, is a button that opens it."""
    name = media.name or media.media
    if media.media == "image" and media.mime_type in PICTURES and (media.size or 0) <= PICTURE_BYTES:
        return _with({"contentType": media.mime_type, "contentUrl": address, "name": name})
    return _card(name, [{"type": "Action.OpenUrl", "title": "⬇", "url": address}])


def _card(words: str, actions: list[Json]) -> Json:
    """Text runs, since a text block would read our words as Markdown; how they begin is what notifications show.

    https://adaptivecards.io/explorer/TextRun.html
    """
    lines = words.splitlines()
    if len(lines) > LINES:
        lines[LINES - 1 :] = [" ".join(lines[LINES - 1 :])]
    content = {"type": "AdaptiveCard", "version": "1.4", "body": [_line(line) for line in lines], "actions": actions}
    return {**_with({"contentType": CARD, "content": content}), "summary": split(words, SUMMARY, "utf16")[0]}


def _line(words: str) -> Json:
    return {"type": "RichTextBlock", "spacing": "none", "inlines": [{"type": "TextRun", "text": words or " "}]}


def _action(option: Option) -> Json:
    """What is pressed stands in the chat as the person's words, and comes with the option's id.

    https://learn.microsoft.com/en-us/microsoftteams/platform/task-modules-and-cards/cards/cards-actions#adaptive-cards-with-messageback-action
    """
    about = {"title": option.title, **({"tooltip": option.description} if option.description else {})}
    if option.url:
        return {"type": "Action.OpenUrl", **about, "url": option.url}
    back = {"type": "messageBack", "displayText": option.title, "text": option.title, "value": {PRESSED: option.id}}
    return {"type": "Action.Submit", **about, "data": {"msteams": back}}


def _with(attachment: Json) -> Json:
    return {"type": "message", "attachments": [attachment]}
