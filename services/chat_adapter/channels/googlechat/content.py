"""What a message of Google Chat holds — https://developers.google.com/workspace/chat/api/reference/rest/v1/spaces.messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from shared.contract import hints
from shared.contract.envelope import Choice, Media, MessageContext, Part, Quote, Text, Unsupported, kind_of
from shared.contract.readable import few, otherwise

Json = dict[str, Any]

PRESSED: Final = "choice"  # the parameters of our buttons: an option's id, and its title
TITLE: Final = "title"
WORDS: Final = 4000  # characters of what a form holds


def read_parts(message: Json) -> tuple[Part, ...]:
    """The words and the files; each that cannot be read is `unsupported`."""
    text = otherwise(lambda: _text(message), None)
    files = [_part(_file, one, "attachment") for one in hints.listed(message.get("attachment"))]
    gifs = [_part(_gif, one, "gif") for one in hints.listed(message.get("attachedGifs"))]
    found = [*([text] if text else []), *files, *gifs]
    return tuple(few(found or [Unsupported(type="message", text=otherwise(lambda: _fallback(message), None))]))


def _part(read: Callable[[Json], Part], found: Json, kind: str) -> Part:
    return otherwise(lambda: read(found), Unsupported(type=kind))


def _text(message: Json) -> Text | None:
    """Being addressed is no part of what was said (`argumentText`); the name of a command is."""
    whole: str = message.get("text") or ""
    rest = "" if "slashCommand" in message else (message.get("argumentText") or "")
    words = rest.strip() or whole.strip()
    return Text(text=words) if words else None


def _fallback(message: Json) -> str | None:
    return Text(text=message["fallbackText"]).text


def _file(attachment: Json) -> Media:
    """What lies in Google Drive is its owner's, and no app's to read: …/spaces.messages.attachments#DriveDataRef."""
    mime_type = otherwise(lambda: Text(text=attachment["contentType"]).text, None)
    about = {
        "media": kind_of(mime_type),
        "mime_type": mime_type,
        "name": otherwise(lambda: attachment["contentName"], None),
    }
    if "driveDataRef" in attachment:
        return Media(**about, state="unavailable", reason="it lies in Google Drive, where the app may not read it")
    return Media(**about, handle=attachment["attachmentDataRef"]["resourceName"])


def _gif(gif: Json) -> Media:
    address: str = gif["uri"]
    if not address.startswith(("https://", "http://")):
        return Media(media="image", state="unavailable", reason="it has no address", mime_type="image/gif")
    return Media(media="image", handle=address, mime_type="image/gif")


def quoted(message: Json) -> tuple[str | None, MessageContext | None]:
    """What is answered, by its name; of what was forwarded from elsewhere the words: …/spaces.messages#QuotedMessageMetadata."""
    about = message["quotedMessageMetadata"]
    if about.get("quoteType") != "FORWARD":
        return about["name"], None
    words = otherwise(lambda: Text(text=about["quotedMessageSnapshot"]["text"]).text, None)
    quote = otherwise(lambda: Quote(text=words, external_id=about["name"]), Quote(text=words))
    return None, MessageContext(forwarded=True, quoted=quote)


def pressed(event: Json) -> Choice:
    """A button of ours by its option; of another card, which was sent beside Parley, the function, and what its form holds."""
    common = event.get("common") or {}
    told = _parameters(event)
    name = told.get(PRESSED) or common.get("invokedFunction") or event["action"]["actionMethodName"]
    return Choice(
        id=name,
        title=told.get(TITLE) if PRESSED in told else _form(common) or None,
        target=otherwise(lambda: event["message"]["name"], None),
    )


def _parameters(event: Json) -> dict[str, str]:
    """Of either form: …/api/reference/rest/v1/Event#CommonEventObject, #FormAction."""
    pairs = otherwise(lambda: {one["key"]: one["value"] for one in event["action"]["parameters"]}, {})
    return {**pairs, **(otherwise(lambda: dict(event["common"]["parameters"]), {}))}


def _form(common: Json) -> str:
    """Its inputs as `name: value`, one a line: …/Event#Inputs."""
    inputs = common.get("formInputs")
    lines = (otherwise(lambda one=one: _line(*one), "") for one in few((inputs or {}).items()))  # type: ignore[misc]
    return "\n".join(filter(None, lines))[:WORDS]


def _line(name: str, value: Json) -> str:
    kind, held = next(iter(value.items()))
    words = (
        ", ".join(map(str, few(held["value"])))
        if kind == "stringInputs"
        else ", ".join(f"{field} {one}" for field, one in held.items())
    )
    return f"{name}: {words}"


def commanded(event: Json) -> Choice:
    """A command of the app's menu, or of a message's: https://developers.google.com/workspace/chat/commands."""
    command = event["appCommandMetadata"]
    return Choice(
        id=str(command["appCommandId"]),
        title=otherwise(lambda: str(command["appCommandType"]), None),
        target=otherwise(lambda: event["message"]["name"], None),
    )


def emoji_of(emoji: Json) -> str:
    """A custom one is as people write it, :name:."""
    if "unicode" in emoji:
        return Text(text=emoji["unicode"]).text[:100]
    custom = emoji["customEmoji"]
    return str(custom.get("emojiName") or f":{custom['uid']}:")[:100]
