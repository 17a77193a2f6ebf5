"""Changes of messages and comments as calls of the Graph API — https://developers.facebook.com/docs/graph-api/reference/comment."""

from __future__ import annotations

from typing import Final, Protocol
from urllib.parse import quote

from shared.contract.channel import Amendment, DeletePiece, EditPiece, Http, React, SendFailed
from shared.contract.envelope import PUBLIC, Text
from shared.dialects import meta
from shared.dialects.messenger import acts

LIKE: Final = "👍"  # what a page can show at a comment


class Page(meta.Account, Protocol):
    @property
    def page_id(self) -> str: ...


def compose(account: Page, change: Amendment) -> Http:
    """The call to make. Raises SendFailed for what cannot be changed."""
    if change.surface not in PUBLIC:
        return acts.amend(account, account.page_id, change)
    comment = quote(change.external_id, safe="")
    match change:
        case EditPiece(part=Text(text=text), way="free_text"):
            return meta.post(account, comment, {"message": text})
        case DeletePiece(way="free_text"):
            return meta.delete(account, comment)
        case React(emoji=emoji, removed=removed, way="free_text"):
            likes = f"{comment}/likes"
            return meta.post(account, likes, {}) if emoji and not removed else meta.delete(account, likes)
    raise SendFailed("unsupported", f"{change.change}: not of a private answer, a picture or a comment's being read")
