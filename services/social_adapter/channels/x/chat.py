"""X Chat, opened by X's own kit with the account's keys — https://docs.x.com/xchat/xchat-xdk, …/xchat/real-time-events."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, Protocol
from urllib.parse import quote

from chat_xdk import Chat
from pydantic import SecretStr

from services.social_adapter.channels.x import api
from services.social_adapter.channels.x.events import NOTICE
from shared.contract.channel import Http, Keys, Malformed, Message, Sealed, StaysSealed, Steps
from shared.contract.envelope import Deletion, Edit, Notice, Part, Reaction, Text, Thread, Unsupported
from shared.contract.readable import each, few, otherwise

Json = dict[str, Any]

KEYS: Final = "keys/"  # of a person: what they sign with, by version
CHANGES: Final = "conversation/"  # of a conversation: the events that gave its members its keys
PAGE: Final = 50  # events of a conversation, beside which its key changes are told


class Opener(api.At, Protocol):
    @property
    def user_id(self) -> str: ...
    @property
    def chat_keys(self) -> SecretStr: ...
    @property
    def chat_key_version(self) -> str: ...


def sealed(payload: Json, account: str) -> Sealed:
    """Either of two may have given the conversation its key, so the keys of both are asked for."""
    people = dict.fromkeys((payload["sender_id"], account))
    change = payload.get("conversation_key_change_event")
    place = () if change else (f"{CHANGES}{payload['conversation_id']}",)
    content = {"event": payload.get("encoded_event"), "change": change, "place": payload["conversation_id"]}
    return Sealed(needs=(*(f"{KEYS}{person}" for person in people), *place), content=content)


def lookup(account: Opener, name: str, token: SecretStr) -> Steps[Keys]:
    """…/x-api/users/get-user-public-keys, …/x-api/chat/get-chat-conversation-events. A key that cannot be used is left out."""
    if name.startswith(KEYS):
        person = name.removeprefix(KEYS)
        told = (yield api.get(account, f"users/{quote(person, safe='')}/public_keys", token)).json()["data"]
        keys = each(lambda key: [_signs(person, key)], told if isinstance(told, list) else [told])
        return Keys(value={key["public_key_version"]: key for key in keys if not isinstance(key, Malformed)})
    place = name.removeprefix(CHANGES).replace(":", "-")
    url = api.url(account, f"chat/conversations/{quote(place, safe='')}/events")
    answer = yield Http.get(url, {"max_results": PAGE}, token=token)
    return Keys(value={"changes": answer.json()["meta"]["conversation_key_events"][:PAGE]})


def unseal(account: Opener, message: Message, found: Mapping[str, Mapping[str, Any]]) -> Message:
    """Raises StaysSealed. What is shown is signed by who sent it, in this conversation."""
    assert message.sealed is not None
    event, change, place = (message.sealed.content[name] for name in ("event", "change", "place"))
    changes = [change] if change else found.get(f"{CHANGES}{place}", {}).get("changes", [])
    signing = [key for name, keys in found.items() if name.startswith(KEYS) for key in keys.values()]
    told = _opened(_kit(account), [*changes, event], signing)
    if told["sender_id"] != message.sender.address or _members(told["conversation_id"]) != _members(place):
        raise StaysSealed("It is signed for another conversation.")
    content = told.get("content") or {}
    preview = otherwise(lambda: content["replying_to_preview"]["replying_to_message_sequence_id"], None)
    parts = tuple(few(_parts(told, content)))
    return replace(
        message,
        parts=parts,
        external_ids=otherwise(lambda: (message.external_id or "", str(told["sequence_id"])), ()),
        thread=otherwise(lambda: Thread(reply_to=preview), Thread()),
        assessment=NOTICE if isinstance(parts[0], Notice) else message.assessment,
    )


def _kit(account: Opener) -> Chat:
    kit = Chat()
    try:
        kit.import_keys(base64.b64decode(account.chat_keys.get_secret_value()), version=account.chat_key_version)
    except ValueError:
        raise StaysSealed("The account's chat_keys are not what X's kit exports (export_keys, in Base64).") from None
    return kit


def _opened(kit: Chat, events: list[str], signing: list[Json]) -> Json:
    """The last of the events. The kit says why not, without a word of what is written."""
    read = kit.decrypt_events(events, signing)
    if why := read["errors"].get(str(len(events) - 1)):
        raise StaysSealed(f"X's kit says: {why}")
    event: Json = read["messages"][-1]["event"]
    return event


def _members(place: str) -> frozenset[str]:
    """X writes two people in either order, with either sign between them."""
    return frozenset(re.split("[:-]", place))


def _parts(told: Json, content: Json) -> Iterator[Part]:
    """An earlier message is named by its number in the conversation (`sequence_id`)."""
    match told["type"], content.get("content_type"):
        case "Message", "Text":
            yield from _said(content.get("text") or "", told.get("attachments") or ())
        case "Message", "Edit":
            yield Edit(target=content["target_message_id"])
            yield Text(text=content["new_text"])
        case "Message", "Reaction" | "ReactionRemoved" as kind:
            removed = kind == "ReactionRemoved"
            yield Reaction(target=content["target_message_id"], emoji=content["emoji"], removed=removed)
        case "MessageDeleted", _ if told["delete_for_all"] and len(told["message_ids"]) == 1:
            yield Deletion(target=told["message_ids"][0])
        case "Message", kind:
            yield Unsupported(type=str(kind))
        case kind, _:
            yield Notice(type="other", text=str(kind))


def _said(text: str, attachments: Iterable[Json]) -> Iterator[Part]:
    """Files are encrypted too, by the conversation's key; so only which there are is told."""
    if text.strip():
        yield Text(text=text)
    for one in attachments:
        plain = Unsupported(type="attachment")
        yield otherwise(lambda one=one: _attached(one), plain)  # type: ignore[misc]
    if not (text.strip() or attachments):
        yield Unsupported(type="Text")


def _attached(one: Json) -> Unsupported:
    return Unsupported(
        type=str(one.get("media_type") or one["attachment_type"]), text=one.get("filename") or one.get("url")
    )


def _signs(person: str, key: Json) -> Json:
    """As the kit wants it: …/chat-xdk docs/API.md#shared-types."""
    return {
        "user_id": person,
        "public_key_version": key.get("public_key_version") or key["version"],
        "public_key": key["signing_public_key"],
        "identity_public_key": key["public_key"],
        "identity_public_key_signature": key["identity_public_key_signature"],
    }
