"""One person as the router knows them: addresses, why they are one, who they may be too, and all of their conversations."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Final

from aiohttp import web

from services.router.api import requests, threads
from services.router.api.answers import Mistake, answer, number, path_uuid
from services.router.api.people import check_stands
from services.router.api.tokens import GRANT
from shared.bus.produce import Producer
from shared.contract.requests import Erase, KeepApart, Link, Merge, Request, Split, Unlink
from shared.runtime.settings import Settings
from shared.storage.database import Pool

OF_ONE: Final[Mapping[str, type[Request]]] = {"split": Split, "link": Link, "unlink": Unlink}
FOR_GOOD: Final[Mapping[str, type[Request]]] = {"erase": Erase}
OF_SEVERAL: Final[Mapping[str, type[Request]]] = {"merge": Merge, "apart": KeepApart}

WHO: Final = (
    "SELECT id, tenant, merged_into, erased_at FROM customer WHERE id = $1 AND ($2::text[] IS NULL OR tenant = ANY($2))"
)
MEMBERS: Final = """
    SELECT c.id, coalesce(c.born, c.created_at) AS born, c.shared, c.last_sequence,
        (SELECT coalesce(jsonb_agg(jsonb_build_object('kind', kind, 'address', value, 'name', name,
            'bad_address', CASE WHEN b.since IS NOT NULL THEN jsonb_build_object('since', b.since, 'detail', b.detail) END) ORDER BY kind, value), '[]')
         FROM identity LEFT JOIN bad_address b USING (tenant, kind, value) WHERE customer_id = c.id AND adopted IS NULL) AS identities
    FROM customer c WHERE c.id = $1 OR c.merged_into = $1 ORDER BY born, c.id
"""
BONDS: Final = """
    SELECT a, b, source, reason, cause, at, live, cut_by, cut_at FROM bond WHERE a = ANY($1::uuid[])
    UNION SELECT a, b, source, reason, cause, at, live, cut_by, cut_at FROM bond WHERE b = ANY($1::uuid[])
    ORDER BY at DESC, a, b, source LIMIT 500
"""
OTHERS: Final = """
    SELECT s.a, s.b, s.reason, s.at, coalesce(o.merged_into, o.id) AS other,
        (SELECT coalesce(i.name, i.value) FROM customer k JOIN identity i ON i.customer_id = k.id
         WHERE k.id = coalesce(o.merged_into, o.id) OR k.merged_into = coalesce(o.merged_into, o.id)
         ORDER BY i.name IS NULL, i.kind, i.value LIMIT 1) AS name
    FROM (SELECT a, b, reason, at, b AS far FROM {table} WHERE a = ANY($1::uuid[]) {which}
        UNION SELECT a, b, reason, at, a FROM {table} WHERE b = ANY($1::uuid[]) {which}) s
    JOIN customer o ON o.id = s.far WHERE o.id <> ALL($1::uuid[]) ORDER BY s.at DESC, s.a, s.b LIMIT 100
"""
SUGGESTIONS: Final = OTHERS.format(table="suggestion", which="AND is_open")
APART: Final = OTHERS.format(table="veto", which="")
CONVERSATIONS: Final = f"""
    SELECT {threads.COLUMNS}, listed_at AS place FROM conversation WHERE id = ANY(ARRAY(
        SELECT newest.id FROM unnest($1::uuid[]) m(id) CROSS JOIN LATERAL (
            SELECT c.id, c.listed_at FROM conversation c WHERE c.customer_id = m.id
                AND ($2::timestamptz IS NULL OR (c.listed_at, c.id) < ($2, $3::uuid))
            ORDER BY c.listed_at DESC, c.id DESC LIMIT $4) newest
        ORDER BY newest.listed_at DESC, newest.id DESC LIMIT $4))
    ORDER BY listed_at DESC, id DESC
"""  # noqa: S608 constants only


async def show_customer(pool: Pool, request: web.Request) -> web.Response:
    """GET /api/customers/{id}?limit&before: `members`, the customers who are this person, each with its addresses; `bonds`, why;
    `suggestions`, who they may be too; `apart`, who they are not; `conversations` of all of them, newest first. A customer who is somebody
    else now leads there (307).
    """
    customer = path_uuid(request)
    limit = max(1, number(request, "limit", default=50, most=threads.MOST_CONVERSATIONS))
    at, last = threads.read_cursor(request.query.get("before", ""))
    row = await pool.fetchrow(WHO, customer, request[GRANT].only)
    if row is None:
        raise Mistake(404, "unknown_customer", f"no customer {customer}")
    await check_stands(pool, customer, row)
    if row["merged_into"]:
        raise web.HTTPTemporaryRedirect(
            str(request.rel_url.with_path(f"/api/customers/{row['merged_into']}", keep_query=True))
        )
    members = await pool.fetch(MEMBERS, customer)
    ids: list[uuid.UUID] = [member["id"] for member in members]
    rows = await pool.fetch(CONVERSATIONS, ids, at, last, limit + 1)
    found = {
        name: [dict(one) for one in await pool.fetch(query, ids)]
        for name, query in (("bonds", BONDS), ("suggestions", SUGGESTIONS), ("apart", APART))
    }
    conversations = [{name: said for name, said in one.items() if name != "place"} for one in rows[:limit]]
    more = threads.write_cursor(rows[limit - 1]) if len(rows) > limit else None
    about = {"id": customer, "tenant": row["tenant"], "members": [dict(member) for member in members]}
    return answer({**about, **found, "conversations": conversations, "next": more})


async def ask_of_one(kind: type[Request], producer: Producer, settings: Settings, request: web.Request) -> web.Response:
    """POST /api/customers/{id}/split, /link, /unlink, /erase: 202; what came of it, an event of the customer says."""
    customer = str(path_uuid(request))
    asked = await requests.read_asked(request, kind, customer=customer)
    return await requests.ask(producer, settings, request, asked, key=customer)


async def ask_of_several(
    kind: type[Request], producer: Producer, settings: Settings, request: web.Request
) -> web.Response:
    """POST /api/customers/merge, /apart: `customers`, `reason`; 202, and an event of each customer says what came of it."""
    asked = await requests.read_asked(request, kind)
    return await requests.ask(producer, settings, request, asked, key=str(asked.model_dump()["customers"][0]))
