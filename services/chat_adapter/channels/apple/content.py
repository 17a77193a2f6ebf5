"""What an Apple message holds — https://register.apple.com/resources/messages/msp-rest-api/messages-received."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, get_args
from urllib.parse import urlencode

from services.chat_adapter.channels.apple.outbound import FILE
from shared.contract.envelope import Choice, Media, MediaKind, Part, Text, Unsupported
from shared.contract.readable import few, otherwise

Json = dict[str, Any]


def read_parts(body: Json) -> tuple[Part, ...]:
    """By its type; one that is not known, or has another shape than its type, passes as unsupported, with its words."""
    kind = otherwise(lambda: Unsupported(type=body["type"]).type, "unsupported")
    parts = otherwise(lambda: tuple(CONTENT.get(kind, _other)(body)), ())
    return parts or (otherwise(lambda: Unsupported(type=kind, text=_title(body)), Unsupported(type=kind)),)


def _text(body: Json) -> Iterator[Part]:
    """The words, then the files, whose places among the words are marked."""
    words = otherwise(lambda: Text(text=body["body"].replace(FILE, "").strip()), Text(text=""))
    if words.text:
        yield words
    for attachment in otherwise(lambda: few(body.get("attachments") or ()), []):
        yield otherwise(lambda file=attachment: _file(file), Unsupported(type="attachment"))  # type: ignore[misc]


def _file(attachment: Json) -> Media:
    """…/type-text, Attachments."""
    kind = otherwise(lambda: attachment["mimeType"].partition("/")[0], "file")
    return Media(
        media=kind if kind in get_args(MediaKind) else "file",
        handle=_handle(attachment),
        mime_type=otherwise(lambda: Text(text=attachment["mimeType"]).text, None),
        name=otherwise(lambda: Media(media="file", name=attachment.get("name")).name, None),
        size=otherwise(lambda: Media(media="file", size=attachment.get("size")).size, None),
    )


def _handle(told: Json, **more: str) -> str:
    """All that is needed to fetch and decrypt it. The gateway wants the signature in base64; devices give it in hex."""
    signature = told.get("signature-base64") or base64.b64encode(bytes.fromhex(told["signature"])).decode()
    named = {"url": told["url"], "owner": told["owner"], "signature": signature, "key": told["key"]}
    return urlencode({**named, **more})


def _interactive(body: Json) -> Iterator[Part]:
    """What was picked, each with the name of the message that offered it (`requestIdentifier`)."""
    if "interactiveData" not in body:
        yield Unsupported(type="interactive", text=_title(body))
        yield otherwise(lambda: _large(body["interactiveDataRef"]), Unsupported(type="interactive"))
        return
    data = body["interactiveData"]["data"]
    asked = otherwise(lambda: Choice(id="", target=data["requestIdentifier"]).target, None)
    for name, read in PICKED.items():
        if name in data:
            for id_, title in read(data[name]):
                yield Choice(id=id_, title=title, target=asked)
            return
    known = next((name for name in ANSWERS if name in data), "interactive")
    yield Unsupported(type=known, text=_title(body))


def _large(told: Json) -> Media:
    """An answer above 10 KB, which Apple only refers to, for a short while: fetched like a file, and decoded by the gateway."""
    return Media(media="file", handle=_handle(told, bid=told["bid"]), mime_type="application/json", name="reply.json")


def _quick_reply(reply: Json) -> Iterator[tuple[str, str | None]]:
    """…/type-interactive#quick-reply-message."""
    offered = otherwise(lambda: {item["identifier"]: item.get("title") for item in reply["items"]}, {})
    picked = reply.get("selectedIdentifier") or list(offered)[reply["selectedIndex"]]
    yield picked, _word(offered.get(picked))


def _list_picker(reply: Json) -> Iterator[tuple[str, str | None]]:
    """…/type-interactive#list-picker-message. Where it says how many were picked, these stand first."""
    items = [item for section in reply["sections"] for item in section["items"]]
    picked = reply.get("selectedItemCount")
    for item in items[:picked] if isinstance(picked, int) and picked > 0 else items:
        yield item["identifier"], _word(item.get("title"))


def _time_picker(event: Json) -> Iterator[tuple[str, str | None]]:
    """…/type-interactive#time-picker-message: the title is when it begins."""
    for slot in event["timeslots"]:
        yield slot["identifier"], _word(slot.get("startTime"))


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _title(body: Json) -> str | None:
    """How the person's device words what they did."""
    data = body.get("interactiveData") or body.get("interactiveDataRef") or {}
    return _word(otherwise(lambda: data["data"]["replyMessage"]["title"], None)) or _word(
        otherwise(lambda: data.get("title"), None)
    )


def _other(body: Json) -> Iterator[Part]:
    yield Unsupported(type=body["type"], text=otherwise(lambda: Text(text=body["body"]).text, None))


CONTENT: Final[Mapping[str, Callable[[Json], Iterator[Part]]]] = {"text": _text, "interactive": _interactive}
PICKED: Final[Mapping[str, Callable[[Json], Iterator[tuple[str, str | None]]]]] = {
    "quick-reply": _quick_reply,
    "listPicker": _list_picker,
    "event": _time_picker,
}
ANSWERS: Final = ("dynamic", "authenticate", "payment")  # a form, a sign-in, Apple Pay: …/type-interactive
