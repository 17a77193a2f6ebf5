"""By which names people and places are known — https://docs.discord.com/developers/reference#snowflakes.

A person is `@` and their id; a place, be it a channel, a thread or the chat of a person with the bot, is its channel's id.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from shared.contract import hints
from shared.contract.envelope import Party, derive
from shared.contract.readable import otherwise

Json = dict[str, Any]

EPOCH: Final = datetime(2015, 1, 1, tzinfo=UTC)
SO_FAR: Final = "~"  # which no other nonce of ours begins with
PRIVATE: Final = 2  # an interaction among people: …/interactions/receiving-and-responding#interaction-object-interaction-context-types


def person(user: str) -> str:
    return f"@{user}"


def is_person(address: str) -> bool:
    return address.startswith("@")


def of(told: Json) -> Json:
    """Whose conversation it is. In a server all who write in a channel or thread share one."""
    place = told["channel_id"]
    shared = "guild_id" in told or told.get("context") == PRIVATE
    return {"peer": place, "surface": "group" if shared else "direct", "container": place if shared else None}


def party(user: Json, member: Any, place: Json) -> Party:
    """Their chat with the bot is another name of theirs: the bot's own words there name nobody else."""
    address = person(user["id"])
    aliases = () if place["container"] else (place["peer"],)
    names = otherwise(lambda: member["nick"], None), user.get("global_name"), user.get("username")
    plain = Party(address=address, aliases=aliases, verified="provider")
    return hints.party(plain, name=next(filter(None, names), None), username=user.get("username"))


def made_at(snowflake: str) -> datetime:
    return EPOCH + timedelta(milliseconds=int(snowflake) >> 22)


def nonce(piece: str, to: str) -> str:
    """By which a message is known again, 25 characters at the most: of the piece; and of a first word whom it was for, since its
    echo names only a chat that nobody has heard of.
    """
    digest = _text(derive("piece", piece).bytes)
    return f"{_text(int(to[1:]).to_bytes(8))}.{digest[:13]}" if is_person(to) else digest


def growing(piece: str) -> str:
    """What shows an answer that is not whole yet."""
    return f"{SO_FAR}{_text(derive('piece', piece).bytes)}"


def is_growing(nonce: object) -> bool:
    return isinstance(nonce, str) and nonce.startswith(SO_FAR)


def spoken_to(nonce: str) -> str | None:
    """The person whom a first word of ours was for."""
    user, dot, _ = nonce.partition(".")
    if not dot or len(user) != 11:
        return None
    return otherwise(lambda: person(str(int.from_bytes(base64.urlsafe_b64decode(f"{user}=")))), None)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
