"""What a Discord message holds — https://docs.discord.com/developers/resources/message#message-object."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from shared.contract import hints
from shared.contract.envelope import Choice, Media, Notice, Part, Text, Unsupported, kind_of
from shared.contract.readable import few, otherwise

Json = dict[str, Any]

# …/developers/reference#image-formatting-cdn-endpoints: by format, of which a Lottie (3) is no picture
STICKERS: Final[Mapping[int, tuple[str, str]]] = {
    1: ("https://cdn.discordapp.com/stickers/{}.png", "image/png"),
    2: ("https://cdn.discordapp.com/stickers/{}.png", "image/png"),
    3: ("https://cdn.discordapp.com/stickers/{}.json", "application/json"),
    4: ("https://media.discordapp.net/stickers/{}.gif", "image/gif"),
}
SAID: Final = frozenset({0, 19, 20, 23})  # …/message#message-object-message-types: a message, a reply, an app's answer
NOTICES: Final[Mapping[int, Any]] = {1: "joined", 2: "left", 4: "renamed", 6: "pinned", 7: "joined"}
MENTION: Final = re.compile(
    r"<(?:@[!&]?(\d{1,20})|a?:(\w{1,32}):\d{1,20})>"
)  # …/developers/reference#message-formatting


def read(message: Json) -> tuple[Part, ...]:
    """Its words and files; of one that was forwarded, those of the original. What is not known passes as unsupported."""
    original = otherwise(lambda: {**message["message_snapshots"][0]["message"], "id": message["id"]}, message)
    parts = tuple(few(_parts(original)))
    return parts or (Unsupported(type="message"),)


def _parts(message: Json) -> Iterator[Part]:
    if words := otherwise(lambda: _words(message), None):
        yield Text(text=words)
    for file in hints.listed(message.get("attachments")):
        yield otherwise(lambda: _file(file), Unsupported(type="attachment"))  # noqa: B023 called at once
    for sticker in hints.listed(message.get("sticker_items")):
        yield otherwise(lambda: _sticker(sticker), Unsupported(type="sticker"))  # noqa: B023
    if "poll" in message:
        question = otherwise(lambda: Text(text=message["poll"]["question"]["text"]).text, None)
        yield Unsupported(type="poll", text=question)
    if not (message.get("content") or message.get("attachments")):
        yield from _shown(message)


def _words(message: Json) -> str | None:
    """As people read them: whoever is mentioned by name, an emoji of the server by its name."""
    names = otherwise(lambda: {one["id"]: one.get("global_name") or one["username"] for one in message["mentions"]}, {})
    content: str = message["content"]

    def shown(found: re.Match[str]) -> str:
        user, emoji = found.groups()
        return f":{emoji}:" if emoji else f"@{names[user]}" if user in names else found[0]

    return Text(text=MENTION.sub(shown, content)).text or None


def _file(file: Json) -> Media:
    """Its address is good for a day: …/developers/reference#signed-attachment-cdn-urls."""
    kind = otherwise(lambda: file["content_type"].partition(";")[0], None)
    return Media(
        media=kind_of(kind),
        handle=file["url"],
        mime_type=kind,
        size=otherwise(lambda: Media(media="file", size=file["size"]).size, None),
        name=otherwise(lambda: Media(media="file", name=file["filename"]).name, None),
        caption=otherwise(lambda: Media(media="file", caption=file["description"]).caption, None),
    )


def _sticker(sticker: Json) -> Media:
    address, kind = STICKERS[sticker["format_type"]]
    return Media(
        media="sticker",
        handle=address.format(int(sticker["id"])),
        mime_type=kind,
        caption=otherwise(lambda: Media(media="sticker", caption=sticker["name"]).caption, None),
    )


def _shown(message: Json) -> Iterator[Part]:
    """What programs show instead of words."""
    for name in ("embeds", "components"):
        if hints.listed(message.get(name)):
            words = otherwise(lambda: "\n".join(filter(None, map(_embedded, message["embeds"]))), "")
            yield Unsupported(type=name, text=words[:4000] or None)


def _embedded(embed: Json) -> str:
    return "\n".join(filter(None, (embed.get("title"), embed.get("description"))))


def notice(message: Json) -> Notice:
    """What Discord tells of a channel, as a message."""
    kind = otherwise(lambda: NOTICES.get(message["type"], "other"), "other")
    words = otherwise(lambda: Text(text=message["content"]).text, "")
    if kind == "renamed":
        return otherwise(lambda: Notice(type="renamed", to=hints.word(words)), Notice(type="other"))
    unnamed = f"message of type {str(message.get('type'))[:20]}" if kind == "other" else None
    return Notice(type=kind, text=hints.word(words) or unnamed)


def pressed(interaction: Json) -> tuple[Part, ...]:
    """A button by its id, a menu by what was chosen: …/receiving-and-responding#interaction-object-message-component-data-structure."""
    data = interaction["data"]
    target = otherwise(lambda: Choice(id="", target=interaction["message"]["id"]).target, None)
    titles = otherwise(lambda: dict(_titles(interaction["message"]["components"])), {})
    chosen = hints.listed(data.get("values")) or [data["custom_id"]]
    return tuple(
        otherwise(lambda: Choice(id=one, title=titles.get(one), target=target), Unsupported(type="component"))  # noqa: B023
        for one in chosen
    )


def _titles(components: list[Json]) -> Iterator[tuple[str, str]]:
    for row in components:
        for one in hints.listed(row.get("components")):
            yield from ((option["value"], option["label"]) for option in hints.listed(one.get("options")))
            if "custom_id" in one and "label" in one:
                yield one["custom_id"], one["label"]
