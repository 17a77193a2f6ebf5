"""Persons: found by what they are called, and all that is known of one, to be handed out."""

from __future__ import annotations

import io
import uuid
import zipfile
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterator, Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from aiohttp import web

from services.router.api.answers import PRIVATE, Mistake, answer, number, path_uuid, plain, write_out
from services.router.api.search import asked_for
from services.router.api.threads import COLUMNS, EVENTS, SEEN, as_events, read_cursor, write_cursor
from services.router.api.tokens import GRANT
from services.router.search import words
from shared.storage.blobs import Blobs, NotFound, belongs
from shared.storage.database import Pool

Row = Mapping[str, Any]

MOST: Final = 50  # persons of a page
TOGETHER: Final = 2  # persons handed out at the same time by one process
PAGE: Final = 50  # rows that are in memory at once; an event has a megabyte at the most
WRITE_SECONDS: Final = 20.0  # for whoever takes it
EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # where a ZIP's time begins: files of it carry none of their own

IDENTITIES: Final = """
    (SELECT coalesce(jsonb_agg(i), '[]') FROM (
        SELECT kind, value, name, verified, customer_id AS customer FROM identity
        WHERE customer_id IN (SELECT id FROM customer WHERE id = p.id OR merged_into = p.id) ORDER BY kind, value LIMIT 200
    ) i) AS identities"""
FIND: Final = f"""
WITH found AS MATERIALIZED (
    SELECT conversation_id FROM indexed_conversation WHERE grams @> $1::text[] AND strpos(named, $3) > 0
), p AS MATERIALIZED (
    SELECT coalesce(k.merged_into, k.id) AS id, c.tenant, max(c.last_at) AS place
    FROM conversation c JOIN customer k ON k.id = c.customer_id
    WHERE c.id IN (SELECT conversation_id FROM found) AND k.erased_at IS NULL AND ($2::text[] IS NULL OR c.tenant = ANY($2)) GROUP BY 1, 2
)
SELECT id, tenant, place, {IDENTITIES} FROM p WHERE $4::timestamptz IS NULL OR (place, id) < ($4, $5::uuid)
ORDER BY place DESC, id DESC LIMIT $6"""  # noqa: S608 constants only
PERSON: Final = f"SELECT coalesce(merged_into, id) AS id, tenant, erased_at FROM customer WHERE id = $1 AND {SEEN}"  # noqa: S608 constants only
OPEN: Final = "SELECT EXISTS (SELECT FROM erasure WHERE customer_id = $1 AND done_at IS NULL)"
MEMBERS: Final = "SELECT id, created_at FROM customer WHERE id = $1 OR merged_into = $1 ORDER BY created_at, id"
ADDRESSES: Final = """
SELECT kind, value, name, verified, profile, customer_id AS customer, b.since AS bad_since, b.detail AS bad_detail
FROM identity LEFT JOIN bad_address b USING (tenant, kind, value)
WHERE customer_id = ANY($1::uuid[]) ORDER BY kind, value"""
BONDS: Final = """
SELECT a, b, source, live, reason, at, cut_by, cut_at FROM bond WHERE a = ANY($1::uuid[])
UNION SELECT a, b, source, live, reason, at, cut_by, cut_at FROM bond WHERE b = ANY($1::uuid[]) ORDER BY at"""
CONSENT: Final = """
SELECT purpose, nullif(channel, '') AS channel, given, at, evidence, said_by AS by, customer_id AS customer FROM consent
WHERE customer_id = ANY($1::uuid[]) ORDER BY at"""
CONVERSATIONS: Final = f"""
SELECT {COLUMNS} FROM conversation WHERE customer_id = ANY($1::uuid[]) AND id > $2 ORDER BY id LIMIT $3"""  # noqa: S608 constants only
# Where others write too, only what is the person's and what we wrote: the rest is about others.
OWN: Final = """
SELECT sequence, id, type, at, body FROM message
WHERE conversation_id = $1 AND sequence > $2 AND (home IS NULL OR home = ANY($4::uuid[])) ORDER BY sequence LIMIT $3"""
ELSEWHERE: Final = """
SELECT conversation_id, sequence, id, type, at, body FROM message
WHERE home = ANY($1::uuid[]) AND id > $2 ORDER BY id LIMIT $3"""


async def find_people(pool: Pool, request: web.Request) -> web.Response:
    """GET /api/customers?q&before&limit: persons by a part of their name or address, whoever was heard of last first.

    `identities`: all their addresses, 200 at the most, each with the customer that is its own. `next` goes into `before`.
    """
    asked = asked_for(request)
    limit = max(1, number(request, "limit", default=20, most=MOST))
    before = read_cursor(request.query.get("before", ""))
    grams = sorted(words.asked_grams(asked))
    only = request[GRANT].only
    rows = await pool.fetch(FIND, grams, only, words.folded(asked), *before, limit + 1) if grams else []
    people = [{"id": row["id"], "tenant": row["tenant"], "last_at": row["place"], "identities": row["identities"]}
              for row in rows[:limit]]  # fmt: skip
    return answer({"customers": people, "next": write_cursor(rows[limit - 1]) if len(rows) > limit else None})


async def check_stands(pool: Pool, customer: uuid.UUID, row: Row) -> None:
    """Raises Mistake (410) where they were erased: when, and whether all that they left is gone."""
    if row["erased_at"] is None:
        return
    is_open = await pool.fetchval(OPEN, customer)
    left = "what they left is being removed" if is_open else "nothing is left"
    raise Mistake(410, "erased", f"customer {customer} was erased at {row['erased_at'].isoformat()}; {left}")


class Exports:
    """How many go on in this process: live traffic goes before them."""

    def __init__(self) -> None:
        self._free = TOGETHER

    def __enter__(self) -> None:
        if not self._free:
            raise Mistake(503, "throttled", f"{TOGETHER} persons are handed out at the moment; try again")
        self._free -= 1

    def __exit__(self, *_: object) -> None:
        self._free += 1


async def export_person(pool: Pool, blobs: Blobs, exports: Exports, request: web.Request) -> web.StreamResponse:
    """GET /api/customers/{id}/export: all that is known of one person, by whichever of their customers, as a ZIP while it is read.

    `person.json`: customers, addresses, why they are one, consent. `conversations.jsonl`, `events.jsonl`: a line each; where others write
    too, only what the person and we wrote. `files/`: the bytes, by their digests; `files.jsonl` says of each how it is called,
    and which are not there any more. Without its end it is not whole, and no program opens it.
    """
    customer = path_uuid(request)
    row = await pool.fetchrow(PERSON, customer, request[GRANT].only)
    if row is None:
        raise Mistake(404, "not_found", f"no customer {customer}")
    await check_stands(pool, customer, row)
    with exports:
        response = web.StreamResponse(
            headers=PRIVATE
            | {"Content-Type": "application/zip", "Content-Disposition": f'attachment; filename="{row["id"]}.zip"'}
        )
        await response.prepare(request)
        async with aclosing(Person(pool, blobs, row["id"], row["tenant"]).zipped()) as chunks:
            await write_out(request, response, chunks, seconds=WRITE_SECONDS)
    return response


class Person:
    """What is known of one, read a few rows at a time."""

    def __init__(self, pool: Pool, blobs: Blobs, id_: uuid.UUID, tenant: str) -> None:
        self._pool, self._blobs, self._id, self._tenant = pool, blobs, id_, tenant
        self._files: dict[str, Mapping[str, Any]] = {}

    async def zipped(self) -> AsyncGenerator[bytes, None]:
        """The ZIP in pieces; nothing is packed, which would take a processor's time from what is live."""
        out = Pieces()
        with zipfile.ZipFile(out, "w", allowZip64=True) as archive:
            for name, lines in (
                ("person.json", self._about()),
                ("conversations.jsonl", self._conversations()),
                ("events.jsonl", self._events()),
            ):
                with archive.open(zipfile.ZipInfo(name, EPOCH), "w", force_zip64=True) as entry:
                    async for line in lines:
                        entry.write(line)
                        yield out.taken()
            known = []
            for ref, part in sorted(self._files.items()):
                path = f"files/{ref.rpartition('/')[2]}"
                known.append({"blob": ref, "path": path, "is_there": True, **part})
                try:
                    chunks = await self._blobs.get(ref)
                except NotFound:
                    known[-1] |= {"path": None, "is_there": False}
                    continue
                with archive.open(zipfile.ZipInfo(path, EPOCH), "w", force_zip64=True) as entry:
                    async for chunk in chunks:
                        entry.write(chunk)
                        yield out.taken()
            archive.writestr(zipfile.ZipInfo("files.jsonl", EPOCH), b"".join(map(_line, known)))
        yield out.taken()

    async def _about(self) -> AsyncIterator[bytes]:
        members = await self._pool.fetch(MEMBERS, self._id)
        self._members = [row["id"] for row in members]
        yield _line(
            {
                "customer": self._id,
                "tenant": self._tenant,
                "exported_at": datetime.now(UTC),
                "customers": list(map(dict, members)),
                "identities": list(map(dict, await self._pool.fetch(ADDRESSES, self._members))),
                "consent": list(map(dict, await self._pool.fetch(CONSENT, self._members))),
                "bonds": list(map(dict, await self._pool.fetch(BONDS, self._members))),
            }
        )

    async def _conversations(self) -> AsyncIterator[bytes]:
        async for row in self._rows():
            yield _line(dict(row))

    async def _rows(self) -> AsyncIterator[Row]:
        after = uuid.UUID(int=0)
        while rows := await self._pool.fetch(CONVERSATIONS, self._members, after, PAGE):
            for row in rows:
                yield row
            after = rows[-1]["id"]

    async def _events(self) -> AsyncIterator[bytes]:
        async for conversation in self._rows():
            query, more = (EVENTS, ()) if conversation["container"] is None else (OWN, (self._members,))
            after = 0
            while rows := await self._pool.fetch(query, conversation["id"], after, PAGE, *more):
                yield self._told(conversation["id"], rows)
                after = rows[-1]["sequence"]
        last = uuid.UUID(int=0)
        while rows := await self._pool.fetch(ELSEWHERE, self._members, last, PAGE):
            yield b"".join(self._told(row["conversation_id"], [row]) for row in rows)
            last = rows[-1]["id"]

    def _told(self, conversation: uuid.UUID, rows: Collection[Row]) -> bytes:
        """A line of each, whose files are noted."""
        for row in rows:
            for part in files_in(orjson.loads(row["body"])):
                if belongs(part["blob"], self._tenant):
                    self._files[part["blob"]] = {name: part.get(name) for name in ("name", "mime_type", "size")}
        return b"".join(_line({"conversation": conversation, **event}) for event in as_events(rows))


def files_in(value: object) -> Iterator[Mapping[str, Any]]:
    """Every part of a value that has a stored file."""
    match value:
        case dict() if isinstance(value.get("blob"), str):
            yield value
        case dict():
            for one in value.values():
                yield from files_in(one)
        case list():
            for one in value:
                yield from files_in(one)


def _line(value: Any) -> bytes:
    return orjson.dumps(value, default=plain, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE)


class Pieces(io.RawIOBase):
    """What was written since somebody took it."""

    def __init__(self) -> None:
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._written += data
        return len(data)

    def taken(self) -> bytes:
        taken = bytes(self._written)
        self._written.clear()
        return taken
