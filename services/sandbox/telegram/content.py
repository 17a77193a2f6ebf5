"""What a bot may put into a message, checked as Telegram checks it: texts, files, places, contacts, keyboards."""

from __future__ import annotations

from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any, Final

from services.sandbox import pictures
from services.sandbox.bodies import Upload
from services.sandbox.screens import Json
from services.sandbox.telegram.calls import Parameters, bad_request
from services.sandbox.telegram.world import Bot

TEXT_UNITS: Final = 4096  # UTF-16 code units, after entities: https://core.telegram.org/bots/api#sendmessage
CAPTION_UNITS: Final = 1024
PHOTO_BYTES: Final = 10 * 1024 * 1024
PHOTO_SIDES: Final = 10_000  # width and height together
CALLBACK_BYTES: Final = 64
BUTTONS: Final = 100
TAGS: Final = frozenset(
    {"b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "span", "tg-spoiler", "a", "code", "pre"}
    | {"blockquote", "tg-emoji"}
)

# The field of each method that takes a file, and the MIME type it is taken for where the upload says nothing.
FILES: Final[Mapping[str, tuple[str, str]]] = {
    "sendphoto": ("photo", "image/jpeg"),
    "sendvideo": ("video", "video/mp4"),
    "sendanimation": ("animation", "video/mp4"),
    "sendaudio": ("audio", "audio/mpeg"),
    "sendvoice": ("voice", "audio/ogg"),
    "senddocument": ("document", "application/octet-stream"),
    "sendsticker": ("sticker", "image/webp"),
}


class _Tags(HTMLParser):
    """https://core.telegram.org/bots/api#html-style: known tags, closed in order."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            raise bad_request(f'can\'t parse entities: Unsupported start tag "{tag}"')
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            raise bad_request(f'can\'t parse entities: Unmatched end tag "{tag}"')

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def text(call: Parameters) -> Json:
    words = _plain(call.text("text"), call.text("parse_mode"))
    if not words.strip():
        raise bad_request("message text is empty")
    if _units(words) > TEXT_UNITS:
        raise bad_request("message is too long")
    return {"text": words}


def _plain(words: str, parse_mode: str) -> str:
    match parse_mode.lower():
        case "":
            return words
        case "html":
            tags = _Tags()
            tags.feed(words)
            tags.close()
            if tags.open:
                raise bad_request(
                    f"can't parse entities: Can't find end tag corresponding to start tag \"{tags.open[-1]}\""
                )
            return "".join(tags.words)
    raise bad_request("unsupported parse_mode")


def _units(words: str) -> int:
    return len(words.encode("utf-16-le", "surrogatepass")) // 2


def caption(call: Parameters) -> Json:
    words = _plain(call.text("caption"), call.text("parse_mode"))
    if _units(words) > CAPTION_UNITS:
        raise bad_request("message caption is too long")
    return {"caption": words} if words else {}


def file(bot: Bot, method: str, call: Parameters) -> Json:
    """The message's content for a file that was uploaded, or sent before and named by its file_id."""
    field, mime_type = FILES[method]
    match call.file(field):
        case Upload() as upload:
            kept = bot.keep(upload.data, name=upload.name, mime_type=upload.mime_type or mime_type)
        case str() as file_id if file_id in bot.files:
            kept = bot.files[file_id]
        case str() as address if address.startswith(("http://", "https://")):
            raise bad_request("failed to get HTTP URL content")
        case str():
            raise bad_request("wrong remote file identifier specified: can't unserialize it. Wrong last symbol")
        case _:
            raise bad_request(f"there is no {field} in the request")
    return shaped(bot, field, kept)


def shaped(bot: Bot, field: str, kept: Json) -> Json:
    """A stored file in the shape that its kind of message has."""
    if not kept["file_size"]:
        raise bad_request("file must be non-empty")
    sizes = {name: kept[name] for name in ("file_id", "file_unique_id", "file_size")}
    if field == "photo":
        return {"photo": [{**sizes, **_sides(bot, kept)}]}
    described = {**sizes, "mime_type": kept["mime_type"], "file_name": kept["file_name"]}
    if field in {"voice", "sticker"}:
        del described["file_name"]
    return {field: described}


def _sides(bot: Bot, kept: Json) -> Json:
    if kept["file_size"] > PHOTO_BYTES:
        raise bad_request("file is too big")
    if not (size := pictures.size(bot.shelf.file(kept["file_id"]))):
        raise bad_request("IMAGE_PROCESS_FAILED")
    if sum(size) > PHOTO_SIDES or max(size) > 20 * min(size):
        raise bad_request("PHOTO_INVALID_DIMENSIONS")
    return {"width": size[0], "height": size[1]}


def location(call: Parameters) -> Json:
    latitude, longitude = call.number("latitude"), call.number("longitude")
    if latitude is None or longitude is None or abs(latitude) > 90 or abs(longitude) > 180:
        raise bad_request("wrong latitude or longitude specified")
    return {"location": {"latitude": latitude, "longitude": longitude}}


def venue(call: Parameters) -> Json:
    where = location(call)
    title, address = call.text("title"), call.text("address")
    if not title or not address:
        raise bad_request("venue title and address must be non-empty")
    return {**where, "venue": {**where, "title": title, "address": address}}


def contact(call: Parameters) -> Json:
    card = {name: call.text(name) for name in ("phone_number", "first_name", "last_name", "vcard")}
    if not card["phone_number"]:
        raise bad_request("phone number must be non-empty")
    if not card["first_name"]:
        raise bad_request("first name must be non-empty")
    if len(card["vcard"].encode()) > 2048:
        raise bad_request("vCard is too long")
    return {"contact": {name: value for name, value in card.items() if value}}


def keyboard(call: Parameters) -> Json:
    """reply_markup: https://core.telegram.org/bots/api#inlinekeyboardmarkup."""
    markup = call.object("reply_markup")
    if markup is None:
        return {}
    rows = markup.get("inline_keyboard") if isinstance(markup, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise bad_request("object expected as reply markup")
    buttons = [button for row in rows for button in row]
    if len(buttons) > BUTTONS:
        raise bad_request("REPLY_MARKUP_TOO_LONG")
    for button in buttons:
        _check_button(button)
    return {"reply_markup": {"inline_keyboard": rows}}


def _check_button(button: Any) -> None:
    if not isinstance(button, dict) or not isinstance(button.get("text"), str) or not button["text"].strip():
        raise bad_request('can\'t parse inline keyboard button: Field "text" must be non-empty')
    actions = [name for name in button if name != "text"]
    if len(actions) != 1:
        raise bad_request("Text buttons are unallowed in the inline keyboard")
    data, url = button.get("callback_data"), button.get("url")
    if data is not None and not 1 <= len(str(data).encode()) <= CALLBACK_BYTES:
        raise bad_request("BUTTON_DATA_INVALID")
    if url is not None and not str(url).startswith(("http://", "https://", "tg://")):
        raise bad_request("BUTTON_URL_INVALID")
