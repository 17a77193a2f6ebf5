"""What a channel would make of a reply, before it is sent."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from pydantic import Field

from services.router.api.answers import Mistake, answer, path_uuid, read_model
from services.router.api.threads import SEEN
from services.router.api.tokens import GRANT
from services.router.directory import Directory
from shared.contract.envelope import Model
from shared.contract.errors import Refusal
from shared.contract.fit import fit
from shared.contract.requests import Parts
from shared.storage.database import Pool

PLACE: Final = f"SELECT tenant, channel, account, surface FROM conversation WHERE id = $1 AND {SEEN}"  # noqa: S608 a constant


class Draft(Model):
    """What someone is about to send."""

    parts: Parts
    private: bool = Field(default=False, description="in private, though the customer wrote in public")


async def show_fit(pool: Pool, directory: Directory, request: web.Request) -> web.Response:
    """POST /api/conversations/{id}/fit {"parts", "private"}: {"pieces", "notes", "failure"}, and nothing is sent.

    `pieces`: in how many sends it goes, null where that is not known; `failure`: as the refusal would have it, or null.
    """
    conversation = path_uuid(request)
    draft = await read_model(request, Draft)
    row = await pool.fetchrow(PLACE, conversation, request[GRANT].only)
    if row is None:
        raise Mistake(404, "unknown_conversation", f"no conversation {conversation}")
    able = directory.capabilities.get((row["tenant"], row["channel"], row["account"]))
    if able is None:
        return answer({"pieces": None, "notes": [], "failure": None})
    try:
        fitted = fit(draft.parts, able.shown(row["surface"], "private" if draft.private else "free_text"))
    except Refusal as refusal:
        failure = {"code": refusal.reason, "detail": refusal.detail}
        return answer({"pieces": None, "notes": [], "failure": failure})
    return answer({"pieces": len(fitted.pieces), "notes": fitted.notes, "failure": None})
