"""What is said in a message: the texts by which it is found."""

from __future__ import annotations

from typing import Any, Final

import orjson

Row = Any  # asyncpg.Record, which has no types

SAID: Final = ("text", "caption", "name", "title", "address")  # fields of a part that are words


def said_in(row: Row) -> list[str]:
    """The texts of a message as it stands: what its parts say, its subject, who wrote it."""
    if row["deleted"]:
        return []
    message = orjson.loads(row["body"])["message"]
    sender = message.get("sender") or {}
    parts = [part[name] for part in message.get("parts", ()) for name in SAID if part.get(name)]
    options = [one["title"] for part in message.get("parts", ()) for one in part.get("options", ())]
    about = [(message.get("thread") or {}).get("subject"), message.get("subject")]
    return [
        *parts,
        *options,
        *filter(None, [*about, sender.get("name"), sender.get("username"), sender.get("address")]),
    ]
