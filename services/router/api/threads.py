"""What the router knows, read from PostgreSQL: conversations, their events, one message's way."""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import orjson
from aiohttp import web

from services.router.api.answers import Mistake, answer, number, path_uuid
from services.router.api.tokens import GRANT
from shared.contract.envelope import UNSTORABLE, storable
from shared.runtime.settings import Settings
from shared.storage.database import Pool

Row = Mapping[str, Any]

MOST_CONVERSATIONS: Final = 200
MOST_EVENTS: Final = 1000
SEARCH_LENGTH: Final = 200
PREFIX: Final = re.compile(r"[0-9a-f]{4,32}")

COLUMNS: Final = """
    id, tenant, customer_id AS home,
    coalesce((SELECT merged_into FROM customer k WHERE k.id = customer_id), customer_id) AS customer,
    channel, account, peer, name, subject, preview, status, "window",
    last_sequence, opened_at, last_at, last_inbound_at, container, surface, blocked_at, responder,
    responder_at, removed_to, closed_at, assignee, coalesce(tags, '[]') AS tags, priority, waiting_since, unread_from,
    failure, responses, (brake ->> 'until')::timestamptz AS braked_until,
    name IS NOT NULL AND name IS NOT DISTINCT FROM signed_name AS name_verified,
    (SELECT jsonb_build_object('message', message_id, 'status', status) FROM sending
     WHERE conversation_id = conversation.id ORDER BY at DESC LIMIT 1) AS sending
"""
LIST: Final = "SELECT {columns}, {place} AS place FROM conversation WHERE {which} ORDER BY {order} LIMIT $1"
NEWEST: Final = "listed_at DESC, id DESC"
LONGEST: Final = "waiting_since, id"
FLAGS: Final = {
    "waiting": "waiting_since IS NOT NULL",
    "unread": "unread_from IS NOT NULL",
    "failed": "failure IS NOT NULL",
}
VALUES: Final = {
    "channel": "channel = {}",
    "account": "account = {}",
    "assignee": "assignee = {}",
    "tag": "tags @> {}::jsonb",
}
STATUSES: Final = {"open": "status = 'open'", "closed": "status = 'closed'"}
SEEN: Final = "($2::text[] IS NULL OR tenant = ANY($2))"  # by whoever asks (services/router/api/tokens.py:Grant)
# Who is erased is nobody's to see from that moment on, however much is left to be removed. What others have said stays.
STANDS: Final = """(container IS NOT NULL
    OR (SELECT erased_at FROM customer k WHERE k.id = conversation.customer_id) IS NULL)"""
SAID: Final = """NOT EXISTS (SELECT FROM conversation c JOIN customer k ON k.id = coalesce(message.home, c.customer_id)
    WHERE c.id = message.conversation_id AND k.erased_at IS NOT NULL
        AND (message.type = 'message.received' OR c.container IS NULL))"""
ONE: Final = f"SELECT {COLUMNS} FROM conversation WHERE id = $1 AND {SEEN} AND {STANDS}"  # noqa: S608 constants only
EVENTS: Final = """
    SELECT sequence, id, type, at, body FROM message WHERE conversation_id = $1 AND sequence > $2
    UNION ALL
    SELECT sequence, id, type, at, body FROM event WHERE conversation_id = $1 AND sequence > $2
    ORDER BY sequence LIMIT $3
"""
PEOPLE: Final = """
    SELECT body FROM event WHERE conversation_id = $1 AND sequence <= $2 AND type = 'conversation.participant'
    ORDER BY sequence LIMIT 1000
"""
BEGINNING: Final = {
    kind: f"SELECT id FROM {table} WHERE id BETWEEN $1 AND $3 AND {SEEN} ORDER BY id LIMIT 5"  # noqa: S608 constants only
    for kind, table in (("conversations", "conversation"), ("messages", "message"))
}
MESSAGE: Final = (
    f"SELECT id, conversation_id, sequence, type, at, body FROM message WHERE id = $1 AND {SEEN} AND {SAID}"  # noqa: S608 constants only
)
SENDING: Final = "SELECT status, attempt, pieces, progress, request_id, at FROM sending WHERE message_id = $1"
MENTIONS: Final = """
    SELECT sequence, id, type, at, body FROM event WHERE message_id = $1 ORDER BY sequence LIMIT 1000
"""


async def list_conversations(pool: Pool, request: web.Request) -> web.Response:
    """GET /api/conversations?limit&before&q&channel&account&waiting&unread&failed&assignee&tag&status: newest first, by the minute,
    and within a page by the newest message; those in which somebody waits (`waiting=1`) in the order in which they wait. `next` goes
    into `before` for the page after this one.

    `sending`: our newest message there and how far it is. `failure`: how it failed. `responses`: how long answers took, in seconds.
    """
    limit = max(1, number(request, "limit", default=50, most=MOST_CONVERSATIONS))
    query, given, waiting = listing(request.query, request[GRANT].only)
    rows = await pool.fetch(query, limit + 1, *given)
    more = write_cursor(rows[limit - 1]) if len(rows) > limit else None
    page = [{name: said for name, said in row.items() if name != "place"} for row in rows[:limit]]
    if not waiting:
        page.sort(key=lambda row: (row["last_at"], row["id"]), reverse=True)
    return answer({"conversations": page, "next": more})


def listing(asked: Mapping[str, str], only: Sequence[str] | None) -> tuple[str, list[object], bool]:
    """The query of a list, what fills its places behind the first, its limit, and whether it is in the order of waiting."""
    which, given = [STANDS], []

    def place(value: object) -> str:
        given.append(value)
        return f"${len(given) + 1}"

    if only is not None:
        which.append(f"tenant = ANY({place(only)}::text[])")
    which += [condition for name, condition in FLAGS.items() if is_set(asked, name)]
    for name, condition in VALUES.items():
        if value := readable(name, asked.get(name, "").strip()):
            which.append(condition.format(place([value] if name == "tag" else value)))
    if asked.get("account") and not asked.get("channel"):
        raise Mistake(400, "malformed", "account: name its channel too")
    if status := asked.get("status"):
        if status not in STATUSES:
            raise Mistake(400, "malformed", f"status: one of {', '.join(STATUSES)}")
        which.append(STATUSES[status])
    if pattern := containing(asked.get("q", "").strip()):
        which.append("(peer ILIKE {0} OR name ILIKE {0})".format(place(pattern)))
    waiting = is_set(asked, "waiting")
    at, last = read_cursor(asked.get("before", ""))
    by = "waiting_since" if waiting else "listed_at"
    if at is not None:
        which.append(f"({by}, id) {'>' if waiting else '<'} ({place(at)}, {place(last)}::uuid)")
    order = LONGEST if waiting else NEWEST
    return LIST.format(columns=COLUMNS, place=by, which=" AND ".join(which), order=order), given, waiting


def is_set(asked: Mapping[str, str], name: str) -> bool:
    match asked.get(name, ""):
        case "1" | "true":
            return True
        case "" | "0" | "false":
            return False
        case _:
            raise Mistake(400, "malformed", f"{name}: 1, or leave it out")


async def show_conversation(pool: Pool, settings: Settings, request: web.Request) -> web.Response:
    """GET /api/conversations/{id}?after&limit: the conversation, its events above sequence `after`, in order, and `people`.

    `removed_to`: the last sequence that is no longer kept; nothing up to it is shown, so that what is has no gap. `kept_days`:
    how long messages are kept, null: for ever. `people`: {address: name}, of those who were introduced before what is shown.
    """
    conversation = path_uuid(request)
    after = number(request, "after", default=0, most=2**62)
    limit = max(1, number(request, "limit", default=200, most=MOST_EVENTS))
    row = await pool.fetchrow(ONE, conversation, request[GRANT].only)
    if row is None:
        raise Mistake(404, "unknown_conversation", f"no conversation {conversation}{perhaps_removed(settings)}")
    after = max(after, row["removed_to"])
    events = await pool.fetch(EVENTS, conversation, after, limit)
    people = await pool.fetch(PEOPLE, conversation, after) if after else ()
    kept = settings.kept(row["tenant"]).messages
    return answer({**dict(row), "kept_days": kept, "events": as_events(events), "people": names(people)})


def perhaps_removed(settings: Settings) -> str:
    """What else it may be that is not found."""
    return "; what is older than PARLEY_RETENTION allows is removed" if settings.retention else ""


async def list_ids(pool: Pool, request: web.Request) -> web.Response:
    """GET /api/ids/{prefix}: {"conversations", "messages"}, the first five ids of each that begin with these (4 to 32) hex digits."""
    prefix = request.match_info["prefix"].lower().replace("-", "")
    if not PREFIX.fullmatch(prefix):
        raise Mistake(400, "malformed", "an id begins with 4 to 32 hexadecimal digits")
    first, last = uuid.UUID(prefix.ljust(32, "0")), uuid.UUID(prefix.ljust(32, "f"))
    only = request[GRANT].only
    found = {kind: await pool.fetch(query, first, only, last) for kind, query in BEGINNING.items()}
    return answer({kind: [row["id"] for row in rows] for kind, rows in found.items()})


async def show_message(pool: Pool, settings: Settings, request: web.Request) -> web.Response:
    """GET /api/messages/{id}: the event that announced it, how far it is if it is ours, every event that mentions it."""
    message = path_uuid(request)
    row = await pool.fetchrow(MESSAGE, message, request[GRANT].only)
    if row is None:
        detail = f"no message {message}; it may not have reached the router yet{perhaps_removed(settings)}"
        raise Mistake(404, "not_found", detail)
    sending = await pool.fetchrow(SENDING, message)
    mentions = await pool.fetch(MENTIONS, message)
    return answer(
        {
            "id": message,
            "conversation": row["conversation_id"],
            "announced": as_event(row),
            "sending": dict(sending) if sending else None,
            "events": as_events([row, *mentions]),
        }
    )


def names(rows: Iterable[Row]) -> dict[str, str]:
    """What people were called last, by their addresses."""
    told = (orjson.loads(row["body"])["participant"] for row in rows)
    return {one["address"]: one["name"] for one in told if one.get("name")}


def as_events(rows: Iterable[Row]) -> list[dict[str, object]]:
    return [as_event(row) for row in rows]


def as_event(row: Row) -> dict[str, object]:
    """{"sequence", "id", "type", "at", "data"}; the stored value is JSON already and goes out byte for byte."""
    return {name: row[name] for name in ("sequence", "id", "type", "at")} | {"data": orjson.Fragment(row["body"])}


def containing(words: str) -> str | None:
    """An ILIKE pattern for text that contains `words` as they stand."""
    if not readable("q", words, most=SEARCH_LENGTH):
        return None
    escaped = words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def readable(name: str, value: str, *, most: int = 255) -> str:
    """What is asked for; raises Mistake where no row can have it."""
    if len(value) > most or UNSTORABLE.search(value):
        raise Mistake(400, "malformed", f"{name}: at most {most} characters, none of them NUL")
    return value


def write_cursor(row: Row) -> str:
    plain = f"{row['place'].isoformat()} {row['id']}"
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def read_cursor(text: str) -> tuple[datetime | None, uuid.UUID | None]:
    """Where a page ended, as `write_cursor` wrote it; nothing for the first page."""
    if not text:
        return None, None
    try:
        plain = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
        at, _, identifier = plain.partition(" ")
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None or moment != storable(moment):
            raise ValueError("no time that was ever written")
        return moment, uuid.UUID(identifier)
    except (ValueError, binascii.Error) as error:
        raise Mistake(400, "malformed", "before: not a cursor of this API") from error
