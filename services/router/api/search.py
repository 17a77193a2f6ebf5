"""What was said, by whom: words of messages, parts of names and addresses."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aiohttp import web

from services.router.api.answers import Mistake, answer, number
from services.router.api.threads import COLUMNS, SEARCH_LENGTH, STANDS, read_cursor, write_cursor
from services.router.api.tokens import GRANT
from services.router.search import words
from services.router.search.said import said_in
from shared.contract.codes import CHANNELS
from shared.contract.envelope import UNSTORABLE
from shared.runtime.elsewhere import elsewhere
from shared.storage.database import Connection, Pool, connected

Row = Mapping[str, Any]

MOST: Final = 50  # messages of a page
NAMED: Final = 20  # conversations by name or address
SECONDS: Final = 10.0

OLDEST: Final = "SELECT at FROM indexed_message ORDER BY at LIMIT 1"
# Words first, by their index; only what has them is put in order.
FIND: Final = """
WITH found AS MATERIALIZED (SELECT message_id AS id, at AS place FROM indexed_message WHERE words @@ $1::text::tsquery)
SELECT id, place FROM found WHERE $2::timestamptz IS NULL OR (place, id) < ($2, $3::uuid)
ORDER BY place DESC, id DESC LIMIT $4"""
SHOW: Final = """
SELECT m.id, m.conversation_id, m.sequence, m.type, m.at, coalesce(e.body, m.body) AS body, false AS deleted,
    c.tenant, c.channel, c.account, c.peer, c.name, c.subject
FROM message m JOIN conversation c ON c.id = m.conversation_id
LEFT JOIN LATERAL (SELECT body FROM event WHERE message_id = m.id AND type = 'message.edited'
    ORDER BY sequence DESC LIMIT 1) e ON true
WHERE m.id = ANY($1::uuid[]) AND ($2::text[] IS NULL OR m.tenant = ANY($2))
    AND ((m.type <> 'message.received' AND c.container IS NOT NULL)
        OR (SELECT erased_at FROM customer k WHERE k.id = coalesce(m.home, c.customer_id)) IS NULL)
ORDER BY m.at DESC, m.id DESC"""
CALLED: Final = f"""
WITH found AS MATERIALIZED (
    SELECT conversation_id FROM indexed_conversation WHERE grams @> $1::text[] AND strpos(named, $2) > 0
)
SELECT {COLUMNS} FROM conversation WHERE id IN (SELECT conversation_id FROM found) AND {STANDS}
    AND ($3::text[] IS NULL OR tenant = ANY($3)) AND ($4::text IS NULL OR channel = $4)
ORDER BY last_at DESC, id DESC LIMIT $5"""  # noqa: S608 constants only


async def search(pool: Pool, request: web.Request) -> web.Response:
    """GET /api/search?q&channel&before&limit: {"messages", "conversations", "next"}, newest first.

    `messages` have all words of `q`, in text, file name, subject, or name and address of who wrote; `excerpt`: what stands
    around the first, in pieces, `found` those that were asked for. `conversations`: those whose name, address or subject
    contains `q`, with the first page only. `next` goes into `before` for the page after this one.
    """
    asked = asked_for(request)
    channel = request.query.get("channel", "")
    if channel and channel not in CHANNELS:
        raise Mistake(400, "malformed", f"channel: one of {', '.join(CHANNELS)}")
    limit = max(1, number(request, "limit", default=20, most=MOST))
    before = read_cursor(request.query.get("before", ""))
    tenants = request[GRANT].only
    tags = [[words.tag_of_channel(channel)]] * bool(channel)
    tags += [list(map(words.tag_of_tenant, tenants))] if tenants is not None else []
    try:
        async with asyncio.timeout(SECONDS), connected(pool) as connection:
            found = await find(connection, asked, tags, before=before, limit=limit + 1)
            rows = await connection.fetch(SHOW, [row["id"] for row in found[:limit]], tenants)
            grams = sorted(words.asked_grams(asked)) if before[0] is None else []
            named = (grams, words.folded(asked), tenants, channel or None, NAMED)
            called = await connection.fetch(CALLED, *named) if grams else []
    except TimeoutError as error:
        raise Mistake(
            503, "throttled", "too much is found for one answer: ask for more words, or for a channel"
        ) from error
    messages = await elsewhere(lambda: [shown(row, asked) for row in rows])
    following = write_cursor(found[limit - 1]) if len(found) > limit else None
    return answer({"messages": messages, "conversations": list(map(dict, called)), "next": following})


def asked_for(request: web.Request) -> str:
    asked = request.query.get("q", "").strip()
    if not asked or len(asked) > SEARCH_LENGTH or UNSTORABLE.search(asked):
        raise Mistake(400, "malformed", f"q: 1 to {SEARCH_LENGTH} characters, none of them NUL")
    return asked


async def find(
    connection: Connection, asked: str, tags: list[list[str]], *, before: tuple[datetime | None, Any], limit: int
) -> list[Row]:
    """The newest that have these words: time by time, so that a word which is everywhere costs one day, not all."""
    query = words.query(asked)
    oldest = await connection.fetchval(OLDEST) if query else None
    found: list[Row] = []
    if oldest:
        tomorrow = datetime.now(UTC) + timedelta(days=1)  # the clocks of two replicas are not one
        for tag in times(min(before[0] or tomorrow, tomorrow).astimezone(UTC), oldest):
            within = words.tagged(query, [*tags, [tag]])
            found += await connection.fetch(FIND, within, *before, limit - len(found))
            if len(found) >= limit:
                break
    return found


def times(last: datetime, first: datetime) -> Iterator[str]:
    """The days of the last month, then the months before, down to the first."""
    day = last
    while day.month == last.month and day >= first - timedelta(days=1):
        yield words.tags_of_time(day)[0]
        day -= timedelta(days=1)
    while (day.year, day.month) >= (first.year, first.month):
        yield words.tags_of_time(day)[1]
        day = day.replace(day=1) - timedelta(days=1)


def shown(row: Row, asked: str) -> dict[str, object]:
    """One message that was found."""
    about = {name: row[name] for name in ("id", "sequence", "type", "at", "tenant", "channel", "account", "peer")}
    return {
        **about,
        "conversation": row["conversation_id"],
        "name": row["name"],
        "subject": row["subject"],
        "excerpt": words.excerpt(said_in(row), asked),
    }
