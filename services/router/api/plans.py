"""Messages with other ways to the same person, and how far each has come."""

from __future__ import annotations

from typing import Final

import orjson
from aiohttp import web

from services.router.api.answers import Mistake, answer, path_uuid
from services.router.api.threads import ONE
from services.router.api.tokens import GRANT
from shared.storage.database import Pool

MOST: Final = 50
OF_CONVERSATION: Final = """
SELECT f.id, f.request_id, f.request, f.step, f.legs, f.due, f.began_at, f.ended_at, f.why,
    (SELECT coalesce(jsonb_object_agg(message_id, status), '{}') FROM sending WHERE message_id IN
        (SELECT (leg ->> 'message')::uuid FROM jsonb_array_elements(f.legs) leg)) AS statuses
FROM fallback f WHERE f.conversations @> ARRAY[$1::uuid] OR f.conversation_id = $1
ORDER BY f.ended_at IS NOT NULL, f.began_at DESC, f.id LIMIT $2"""


async def show_plans(pool: Pool, request: web.Request) -> web.Response:
    """GET /api/conversations/{id}/plans: {"plans"}, the fifty newest with a way in this conversation, those that go on first.

    `ways`: in order, each with the condition under which it is taken, when it was, and its message's `status`; `step`: which is the
    newest. `due`: when it is looked at next. `why`: how it ended (`plan.ended`).
    """
    conversation = path_uuid(request)
    if await pool.fetchrow(ONE, conversation, request[GRANT].only) is None:
        raise Mistake(404, "unknown_conversation", f"no conversation {conversation}")
    rows = await pool.fetch(OF_CONVERSATION, conversation, MOST)
    plans = []
    for row in rows:
        hops = [{}, *orjson.loads(row["request"])["fallback"]]
        ways = [
            {
                **{name: leg.get(name) for name in ("channel", "account", "address", "conversation", "message", "at")},
                "status": row["statuses"].get(leg["message"]) or ("refused" if leg["code"] else None),
                "code": leg["code"],
                "unless": hop.get("unless"),
                "within": hop.get("within"),
            }
            for leg, hop in zip(row["legs"], hops, strict=True)
        ]
        plans.append(
            {name: row[name] for name in ("id", "request_id", "step", "due", "began_at", "ended_at", "why")}
            | {"ways": ways}
        )
    return answer({"plans": plans})
