"""A piece as RCS for Business takes it — https://developers.google.com/business-communications/rcs-business-messaging/reference/rest/v1/phones.agentMessages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from shared.contract.channel import SendFailed
from shared.contract.envelope import Choices, Location, Media, Option, Part, Text
from shared.contract.fit import where
from shared.contract.text import split

Json = dict[str, Any]

TEXT: Final = 3072  # characters: …#AgentContentMessage
SUGGESTIONS: Final = 11  # …#AgentContentMessage
TITLE: Final = 25  # …#SuggestedReply
POSTBACK: Final = 2048
FILE_BYTES: Final = 100 * 1024 * 1024  # …/guides/build/messages/send#media
PIN: Final = "📍"

# https://developers.google.com/business-communications/rcs-business-messaging/guides/build/messages/send#media
SHOWN: Final = frozenset(
    {
        *("application/ogg", "application/pdf"),
        *("audio/3gpp", "audio/aac", "audio/mp3", "audio/mp4", "audio/mp4-latm", "audio/mpeg", "audio/mpg"),
        *("image/gif", "image/jpeg", "image/png"),
        *("video/h263", "video/m4v", "video/mp4", "video/mpeg", "video/mpeg4", "video/webm"),
    }
)


def compose(part: Part, link: Callable[[Media], str]) -> Json:
    match part:
        case Text(text=text):
            return {"text": text}
        case Choices(text=text, options=options):
            return {"text": text, "suggestions": [_suggestion(option) for option in options]}
        case Location() as place:
            return {"text": where(place), "suggestions": [{"action": _map(place)}]}
        case Media() as file:
            return _file(file, link(file))
    raise SendFailed("unsupported", f"RCS takes no {part.kind}")


def _suggestion(option: Option) -> Json:
    """What is pressed comes back as `postbackData`, an address that is opened too."""
    pressed = {"text": option.title, "postbackData": option.id}
    if option.url:
        return {"action": {**pressed, "openUrlAction": {"url": option.url}}}
    return {"reply": pressed}


def _map(place: Location) -> Json:
    label = place.name or place.address or PIN
    about = {"latLong": {"latitude": place.latitude, "longitude": place.longitude}, "label": label}
    return {"text": split(label, TITLE, "utf16")[0], "postbackData": PIN, "viewLocationAction": about}


def _file(file: Media, address: str) -> Json:
    """RCS takes files by address; what it would not show goes as its name and that address, to be opened."""
    if file.mime_type not in SHOWN:
        return {"text": "\n".join(filter(None, (file.name, address)))}
    told = {"contentDescription": file.name} if file.name else {}
    return {"contentInfo": {"fileUrl": address, "forceRefresh": False, **told}}
