"""What a Slack message holds — https://docs.slack.dev/reference/events/message, …/reference/objects/file-object."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from services.chat_adapter.channels.slack.places import names
from services.chat_adapter.channels.slack.words import link, plain, rich, shown
from shared.contract import hints
from shared.contract.envelope import Media, MediaKind, MessageContext, Part, Party, Quote, Text, Unsupported
from shared.contract.readable import few, otherwise

Json = dict[str, Any]

KINDS: Final[dict[str, MediaKind]] = {"image": "image", "audio": "audio", "video": "video"}
# Subtypes of what somebody said: …/reference/events/message#subtypes. Any other is `unsupported`, with its words.
SAID: Final = frozenset({"bot_message", "me_message", "file_share", "thread_broadcast", "assistant_app_thread"})
GONE: Final = {"tombstone": "it was deleted", "hidden_by_limit": "Slack's plan hides files of that age"}
NAMELESS: Final = "file"


def parts(message: Json) -> tuple[Part, ...]:
    """Words first, then files; nothing that is said is left out."""
    subtype = message.get("subtype")
    if subtype is not None and subtype not in SAID:
        return (_unsupported(message, subtype),)
    words = _words(message)
    found = few([*([words] if words else []), *_files(message)])
    return tuple(found) or (_unsupported(message, subtype or "message"),)


def _unsupported(message: Json, subtype: Any) -> Part:
    words = otherwise(lambda: Unsupported(type="x", text=plain(message["text"]) or None).text, None)
    return otherwise(lambda: Unsupported(type=subtype, text=words), Unsupported(type="message", text=words))


def _words(message: Json) -> Text | None:
    """Of the block that Slack makes of what a person writes, else of the text, else of what an app shows."""
    found = otherwise(lambda: rich(message.get("blocks")), None) or otherwise(
        lambda: Text(text=plain(message["text"])), None
    )
    if found and found.text.strip():
        return found
    lines = [otherwise(lambda: shown(message.get("blocks", ())), ""), *_attached(message)]
    words = "\n".join(filter(None, lines))
    return Text(text=words) if words.strip() else None


def _attached(message: Json) -> Iterator[str]:
    """An app's attachments, and what was shared without a word; a link's preview is nobody's words."""
    for one in otherwise(lambda: list(message.get("attachments") or ())[:20], []):
        if otherwise(lambda one=one: "from_url" not in one or is_share(one), False):  # type: ignore[misc]
            yield otherwise(lambda one=one: _attachment(one), "")  # type: ignore[misc]


def _attachment(one: Json) -> str:
    lines = (one.get("pretext"), one.get("title"), one.get("text"))
    return "\n".join(plain(line) for line in lines if line) or plain(one.get("fallback") or "")


def is_share(attachment: Json) -> bool:
    return attachment.get("is_share") is True or attachment.get("is_msg_unfurl") is True


def _files(message: Json) -> Iterator[Part]:
    for file in hints.listed(message.get("files")):
        nameless = Unsupported(type=NAMELESS)
        yield otherwise(lambda file=file: _file(file), nameless)  # type: ignore[misc]


def _file(file: Json) -> Part:
    """The handle is the file's id: where it can be had is asked when it is fetched, and may not be told before
    (`file_access: check_file_info`).
    """
    mode, kind = file.get("mode"), str(file.get("mimetype") or "").partition("/")[0]
    shown = Media(media=KINDS.get(kind, "file"), handle=file["id"])
    if mode in GONE:
        return shown.model_copy(update={"handle": None, "state": "unavailable", "reason": GONE[mode]})
    if file.get("is_external") is True:  # it stands at another provider, who shows it to whoever may see it there
        words = link(file["url_private"], file.get("title") or file.get("name"))
        return Unsupported(type="external_file", text=words)
    about = {
        "mime_type": _told(file, "mimetype", str),
        "size": _told(file, "size", int),
        "name": _told(file, "name", str),
    }
    return otherwise(lambda: Media.model_validate({**dict(shown), **about}), shown)


def _told(file: Json, field: str, kind: type[str | int]) -> Any:
    """What may be absent; where it is something else, it takes nothing along."""
    value = file.get(field)
    return value if type(value) is kind else None


def context(message: Json) -> MessageContext | None:
    """The message that was shared: https://docs.slack.dev/messaging/unfurling-links-in-messages."""
    shares = [one for one in message.get("attachments") or () if is_share(one)]
    if not shares:
        return None
    one = shares[0]
    said = otherwise(lambda: str(message["text"]).strip(), "")
    quoted = Quote(
        text=otherwise(lambda: _attachment(one), None),
        external_id=otherwise(lambda: names(one["channel_id"], str(one["ts"]), None)[0], None),
        container=otherwise(lambda: Quote(container=one["channel_id"]).container, None),
        url=otherwise(lambda: Quote(url=one["from_url"]).url, None),
        sender=otherwise(lambda: Party(address=one["author_id"], name=one.get("author_name")), None),
    )
    return MessageContext(forwarded=not said, forwarded_from=None if said else quoted.sender, quoted=quoted)
