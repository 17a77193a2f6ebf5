"""What a Teams message holds — https://learn.microsoft.com/en-us/microsoftteams/platform/bots/how-to/conversations/conversation-messages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import unescape
from itertools import islice
from typing import Any, Final

import nh3

from shared.contract import hints
from shared.contract.envelope import Choice, Media, MediaKind, MessageContext, Part, Party, Quote, Text, Unsupported
from shared.contract.readable import few, otherwise

Json = dict[str, Any]

PRESSED: Final = "choice"  # under this name the id of our option comes back
FILE: Final = "application/vnd.microsoft.teams.file.download.info"  # …/bots/how-to/bots-filesv4
HTML: Final = "text/html"  # repeats the text, formatted
KINDS: Final[Mapping[str, MediaKind]] = {"image": "image", "video": "video", "audio": "audio"}
ENDINGS: Final[Mapping[str, MediaKind]] = {
    **dict.fromkeys(("png", "jpg", "jpeg", "gif", "webp", "bmp", "heic", "tif", "tiff"), "image"),
    **dict.fromkeys(("mp4", "mov", "avi", "webm", "mkv", "wmv"), "video"),
    **dict.fromkeys(("mp3", "m4a", "wav", "ogg", "oga", "opus", "aac", "flac"), "audio"),
}
FORMATS: Final = {
    *["a", "b", "strong", "i", "em", "u", "s", "strike", "code", "pre", "ul", "ol", "li", "blockquote", "p", "br"]
}
FORMATTED: Final = re.compile(r"<(?!/?(?:p|br)\b)")

# None of these goes over a letter twice, however long a stranger's text is.
TAG: Final = re.compile(r"<[^<>]*>")
AT: Final = re.compile(r"</?at(?: [^<>]{0,100})?>")
QUOTED: Final = re.compile(r"<quoted [^<>]{0,200}/>")
REPLY: Final = re.compile(r"<blockquote [^<>]{0,300}schema\.skype\.com/Reply[^<>]{0,300}>")
ITEM: Final = re.compile(r'itemid="(\d{1,20})"')
PICTURE: Final = re.compile(r'<img [^<>]{0,2000}?src="(https://[^"<>]{1,1500})"')


def read_parts(activity: Json) -> tuple[Part, ...]:
    """A pressed option, or the words and the files; each that cannot be read is `unsupported`."""
    if (pressed := otherwise(lambda: activity["value"], None)) is not None:
        return (otherwise(lambda: _press(activity, pressed), Unsupported(type="submit", text=_words(activity))),)
    attachments = hints.listed(activity.get("attachments"))
    html = next((one["content"] for one in attachments if _is_html(one)), "")
    text = otherwise(lambda: _text(activity, html), None)
    files = [_file(one) for one in attachments if _type(one) != HTML]
    parts = [*([text] if text else []), *files]
    return tuple(few(parts or _pictures(html) or [Unsupported(type="message")]))


def _press(activity: Json, value: Json) -> Part:
    return Choice(
        id=value[PRESSED],
        title=_words(activity),
        target=otherwise(lambda: f"{activity['conversation']['id'].partition(';')[0]}/{activity['replyToId']}", None),
    )


def _words(activity: Json) -> str | None:
    return otherwise(lambda: Text(text=activity["text"]).text, None)


def _text(activity: Json, html: str) -> Text | None:
    """The words without the mark of being addressed before them; whoever else is mentioned stands in them as people read it, @Dara."""
    words: str = QUOTED.sub("", activity.get("text") or "").strip()
    for entity in _entities(activity, "mention"):
        words = otherwise(lambda entity=entity, words=words: _mention(entity, words, activity), words)  # type: ignore[misc]
    words = AT.sub("", words)
    if activity.get("textFormat") == "xml":
        words = unescape(TAG.sub("", words))
    if not (words := words.strip()):
        return None
    return Text(text=words, html=otherwise(lambda: _formatted(html), None))


def _mention(entity: Json, words: str, activity: Json) -> str:
    mark, who = entity["text"], entity["mentioned"]
    rest = words.removeprefix(mark).lstrip()
    if who["id"] == activity["recipient"]["id"] and rest and rest != words:
        words = rest
    return words.replace(mark, f"@{who['name'].removeprefix('@')}")


def _formatted(html: str) -> str | None:
    """As safe HTML, where it says more than the words: links above all."""
    if REPLY.search(html):
        return None
    safe = nh3.clean(html, tags=FORMATS, attributes={"a": {"href"}}, url_schemes={"https", "http", "mailto", "tel"})
    return safe if FORMATTED.search(safe) else None


def _entities(activity: Json, kind: str) -> Iterator[Json]:
    entities = hints.listed(activity.get("entities"))
    return (one for one in entities if isinstance(one, dict) and one.get("type") == kind)


def quoted(activity: Json, base: str) -> tuple[str, MessageContext] | None:
    """What a message answers: its name, and the words that Teams shows of it."""
    for entity in islice(_entities(activity, "quotedReply"), 1):
        about = entity["quotedReply"]
        name = f"{base}/{about['messageId']}"
        sender = otherwise(lambda: Party(address=about["senderId"], name=about.get("senderName")), None)  # noqa: B023
        words = otherwise(lambda: Quote(text=about.get("preview")).text, None)  # noqa: B023
        return name, MessageContext(quoted=Quote(text=words, external_id=name, sender=sender))
    for attachment in islice(filter(_is_html, activity.get("attachments") or ()), 1):
        if (tag := REPLY.search(attachment["content"])) and (item := ITEM.search(tag[0])):
            return f"{base}/{item[1]}", MessageContext(quoted=Quote(external_id=f"{base}/{item[1]}"))
    return None


def _type(attachment: Any) -> Any:
    return attachment.get("contentType") if isinstance(attachment, dict) else None


def _is_html(attachment: Any) -> bool:
    return _type(attachment) == HTML and isinstance(attachment.get("content"), str)


def _file(attachment: Json) -> Part:
    return otherwise(lambda: _media(attachment), otherwise(lambda: _card(attachment), Unsupported(type="attachment")))


def _media(attachment: Json) -> Part:
    """What was sent as a file lies in the sender's OneDrive, at an address that needs nobody's token; pictures in the text lie at Teams."""
    kind, name = attachment["contentType"], attachment.get("name")
    if kind == FILE:
        content = attachment["content"]
        ending = otherwise(lambda: content.get("fileType").lower(), "")
        return Media(media=ENDINGS.get(ending, "file"), handle=_address(content["downloadUrl"]), name=name)
    main, _, sub = kind.partition("/")
    known = kind if sub not in {"", "*"} else None
    return Media(media=KINDS[main], handle=_address(attachment["contentUrl"]), mime_type=known, name=name)


def _address(url: str) -> str:
    if not url.startswith(("https://", "http://")):
        raise ValueError("not an address")
    return url


def _card(attachment: Json) -> Part:
    content = attachment.get("content")
    said = [content.get(name) for name in ("title", "text", "fallbackText")] if isinstance(content, dict) else []
    return Unsupported(
        type=attachment["contentType"], text="\n".join(one for one in said if isinstance(one, str)) or None
    )


def _pictures(html: str) -> list[Part]:
    """Of what is nothing but pictures: stickers and moving ones stand in the HTML only."""
    return [Media(media="image", handle=unescape(found[1])) for found in islice(PICTURE.finditer(html), 10)]
