"""Where something is written, as a peer: `media:ID` under a post, `live:ID` under a live video, `mention:ID` under somebody else's
post. A person is a bare number, so that nothing private can go where it is public, nor the other way.
"""

from __future__ import annotations

from typing import Literal, get_args

Place = Literal["media", "live", "mention"]


def peer_of(kind: Place, media: str) -> str:
    return f"{kind}:{media}"


def kind_of(peer: str) -> Place | None:
    """None: a person."""
    return next((place for place in get_args(Place) if peer.startswith(f"{place}:")), None)


def media_of(peer: str) -> str:
    return peer.partition(":")[2]
