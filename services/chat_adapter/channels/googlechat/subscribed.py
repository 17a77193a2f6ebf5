"""What somebody subscribed to of a space — https://developers.google.com/workspace/events/guides/events-chat.

Edits, deletions, reactions, members and what is said without naming the app come only so, through Pub/Sub.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from services.chat_adapter.channels.googlechat.content import emoji_of, read_parts
from services.chat_adapter.channels.googlechat.messages import BOT, in_place, is_apps, person, said
from services.chat_adapter.channels.googlechat.places import SPACE
from shared.contract import hints
from shared.contract.channel import Incoming, Malformed, Message
from shared.contract.envelope import SYSTEM, Assessment, Deletion, Edit, Notice, Party, Reaction
from shared.contract.readable import each, otherwise

Json = dict[str, Any]

KIND: Final = re.compile(r"google\.workspace\.chat\.([a-z]{1,40})\.v1\.(batch)?([A-Za-z]{1,40})")


def read(data: Json, attributes: Mapping[str, str], account_key: str, bot: str) -> Iterator[Incoming | Malformed]:
    """The records of an event, which may be a batch of several that came together. What is of no space (a subscription that ends)
    says nothing of anybody. `bot`: the app's own name in Chat, where it is known.
    """
    kind = attributes["ce-type"]
    about = {
        "account_key": account_key,
        "occurred_at": hints.moment(attributes.get("ce-time")),
        "key": attributes.get("ce-id"),
        "bot": bot,
    }
    entity, batch, change = found.groups() if (found := KIND.fullmatch(kind)) else ("", None, "")
    if reader := READERS.get((entity, change.lower())):
        items = data[f"{entity}s"] if batch else [data]
        yield from each(lambda item: [reader(item[entity], about)], items)
    elif space := SPACE.search(attributes.get("ce-subject", "")):
        yield _told({"name": space[0]}, about, Notice(type="other", text=hints.word(kind)))


def _place(resource: Json, about: Json, user: Json | None) -> Json:
    """Of what is gone only its name is told. A space is all that is known then of who did it."""
    name: str = resource["name"]
    space = resource.get("space") or {"name": "/".join(name.split("/")[:2])}
    who = person(user) if user else Party(address=space["name"], verified="provider")
    return {
        **in_place(space, who, resource),
        "account_key": about["account_key"],
        "event_key": f"{hints.word(about['key'])}|{hints.word(name)}",
        "occurred_at": about["occurred_at"],
    }


def _created(message: Json, about: Json) -> Message:
    return _whose(said(message, _place(message, about, message.get("sender"))), message, about)


def _edited(message: Json, about: Json) -> Message:
    written = BOT if is_apps(message) else Assessment()
    parts = (Edit(target=message["name"]), *read_parts(message))
    place = _place(message, about, message.get("sender"))
    return _whose(Message(**place, parts=parts, assessment=written), message, about)


def _whose(found: Message, message: Json, about: Json) -> Message:
    """What the app itself sent comes back with the name that it was given."""
    if found.sender.address != about["bot"]:
        return found
    name = otherwise(lambda: message["clientAssignedMessageId"], None)
    return replace(found, echo=True, join_key=name, assessment=Assessment())


def _deleted(message: Json, about: Json) -> Message:
    return Message(**_place(message, about, message.get("sender")), parts=(Deletion(target=message["name"]),))


def _reaction(reaction: Json, about: Json, *, removed: bool) -> Message:
    emoji = otherwise(lambda: emoji_of(reaction["emoji"]), None)
    target = reaction["name"].partition("/reactions/")[0]
    part = Reaction(target=target, emoji=emoji, removed=removed and emoji is not None)
    return Message(**_place(reaction, about, reaction.get("user")), parts=(part,))


def _member(membership: Json, about: Json, notice: Notice) -> Message:
    """Of a member who left only the membership's name is told, whose last word is the member's."""
    member = membership.get("member") or {"name": f"users/{membership['name'].rpartition('/')[2]}"}
    return Message(**_place(membership, about, member), parts=(notice,), assessment=SYSTEM)


def _updated(space: Json, about: Json) -> Message:
    title = otherwise(lambda: Notice(type="renamed", to=space["displayName"]), None)
    return _told(space, about, title or Notice(type="other", text="space updated"))


def _told(space: Json, about: Json, notice: Notice) -> Message:
    return Message(**_place({**space, "space": space}, about, None), parts=(notice,), assessment=SYSTEM)


READERS: Final[Mapping[tuple[str, str], Callable[[Json, Json], Message]]] = {
    ("message", "created"): _created,
    ("message", "updated"): _edited,
    ("message", "deleted"): _deleted,
    ("reaction", "created"): partial(_reaction, removed=False),
    ("reaction", "deleted"): partial(_reaction, removed=True),
    ("membership", "created"): partial(_member, notice=Notice(type="joined")),
    ("membership", "updated"): partial(_member, notice=Notice(type="other", text="membership updated")),
    ("membership", "deleted"): partial(_member, notice=Notice(type="left")),
    ("space", "updated"): _updated,
}
