"""The claim-check store: bytes too large for the bus, kept once per tenant under the hash of what they are."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import from_url

from shared.contract.errors import Misconfigured, ParleyError, StoreUnavailable, TooLarge

SMALL: Final = 1024 * 1024  # bytes held in memory; what is larger goes through a temporary object
CHUNK: Final = 256 * 1024  # bytes
REF: Final = re.compile(r"(?P<tenant>[A-Za-z0-9_%-]{1,200})/(?P<sha256>[0-9a-f]{64})")
WAITING: Final = re.compile(r"incoming/[0-9a-f]{32}")  # of a stream that has not ended
ASIDE: Final = re.compile(rf"aside/(?P<seconds>[0-9]{{1,12}})/(?P<ref>{REF.pattern})")


class NotFound(ParleyError, LookupError):
    """There is no such blob; it was removed, or the reference is wrong."""

    code = "malformed"


@dataclass(frozen=True, slots=True)
class Stored:
    """Where the bytes are: `ref` is tenant/sha256, `size` in bytes, `sha256` in hex."""

    ref: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Aside:
    """A blob that is about to go, under which key it lies meanwhile, and since when."""

    key: str
    ref: str
    since: datetime

    @classmethod
    def read(cls, key: str) -> Aside | None:
        """By its key, which says since when: the store's own time of a copy may be its original's."""
        found = ASIDE.fullmatch(key)
        return cls(key, found["ref"], datetime.fromtimestamp(int(found["seconds"]), UTC)) if found else None


class Blobs:
    """Every operation raises StoreUnavailable when the store does not answer, NotFound for what is not there."""

    def __init__(self, store: obstore.store.ObjectStore, *, folder: Path | None = None) -> None:
        self._store, self._folder = store, folder

    @classmethod
    def open(cls, url: str) -> Blobs:
        """A store by its URL: file:// (the folder is made), s3://, gs://, az://; raises Misconfigured."""
        try:
            if url.startswith("file:"):
                return cls(from_url(url, mkdir=True), folder=Path(url2pathname(urlsplit(url).path)))
            return cls(from_url(url))
        except (BaseError, OSError, ValueError) as error:
            raise Misconfigured(f"PARLEY_BLOBS={url}: {error}") from error

    async def put(self, tenant: str, chunks: AsyncIterator[bytes], *, limit: int) -> Stored:
        """Keep a stream; the same bytes get the same reference. Raises TooLarge beyond `limit` bytes, and what `chunks` raises."""
        source = _Measured(chunks, limit)
        with _answers(source):
            start = await source.take(SMALL)
            keep = self._keep if source.ended else self._keep_streamed
            stored = await keep(tenant, start, source)
            if self._folder is not None:
                await asyncio.to_thread(_settle, self._folder / stored.ref)
            return stored

    async def put_bytes(self, tenant: str, content: bytes, *, limit: int = 64 * 1024 * 1024) -> Stored:
        """The same for bytes at hand."""
        return await self.put(tenant, _cut(content), limit=limit)

    async def _keep(self, tenant: str, content: bytes, source: _Measured) -> Stored:
        stored = source.stored(tenant)
        await obstore.put_async(self._store, stored.ref, content)
        return stored

    async def _keep_streamed(self, tenant: str, start: bytes, source: _Measured) -> Stored:
        """The name is known only at the end, so the bytes wait under another; nobody ever sees half a blob."""
        waiting = f"incoming/{uuid.uuid4().hex}"
        await obstore.put_async(self._store, waiting, source.after(start), chunk_size=5 * 1024 * 1024)
        try:
            stored = source.stored(tenant)
            await obstore.copy_async(self._store, waiting, stored.ref)
        finally:
            with suppress(BaseError, OSError):
                await obstore.delete_async(self._store, waiting)
        return stored

    async def get(self, ref: str, *, part: tuple[int, int] | None = None) -> AsyncIterator[bytes]:
        """The bytes in chunks, or those from one place to another. What is not there is told at once, not in the middle."""
        with _answers():
            found = await obstore.get_async(self._store, _checked(ref), options={"range": part} if part else None)
        return _chunks(found)

    async def get_slice(self, ref: str, start: int, length: int) -> AsyncIterator[bytes]:
        """The same for `length` of its bytes, as many as it has from `start` on."""
        if not length:
            return _cut(b"")
        with _answers():
            found = await obstore.get_async(self._store, _checked(ref), options={"range": (start, start + length)})
        return _chunks(found)

    async def size(self, ref: str) -> int:
        """How many bytes it has."""
        with _answers():
            return int((await obstore.head_async(self._store, _checked(ref)))["size"])

    async def folders(self) -> list[str]:
        """What references begin with, one for each tenant that ever had a blob (`folder_of`); others may stand among them."""
        with _answers():
            return sorted((await obstore.list_with_delimiter_async(self._store))["common_prefixes"])

    async def listed(self, folder: str) -> AsyncIterator[list[tuple[str, datetime]]]:
        """The blobs of a folder, some at a time: reference, and when the same bytes were last put there."""
        async for found in self._listed(f"{folder}/"):
            yield [one for one in found if REF.fullmatch(one[0])]

    async def aside(self) -> AsyncIterator[list[Aside]]:
        """What lies aside, some at a time."""
        async for found in self._listed("aside/"):
            yield [one for key, _ in found if (one := Aside.read(key))]

    async def _listed(self, prefix: str) -> AsyncIterator[list[tuple[str, datetime]]]:
        with _answers():
            async for found in obstore.list(self._store, prefix):
                yield [(one["path"], one["last_modified"]) for one in found]

    async def clear_incoming(self, before: datetime) -> None:
        """Remove what streams that were cut off by a crash left behind."""
        async for found in self._listed("incoming/"):
            left = [key for key, written_at in found if WAITING.fullmatch(key) and written_at < before]
            with _answers():
                for key in left:
                    await obstore.delete_async(self._store, key)

    async def put_aside(self, ref: str, before: datetime) -> bool:
        """Take a blob away, unless it has been put there again since `before`; whether it is away."""
        with _answers():
            if (await obstore.head_async(self._store, _checked(ref)))["last_modified"] >= before:
                return False
            await obstore.copy_async(self._store, ref, f"aside/{int(time.time())}/{ref}")
            await obstore.delete_async(self._store, ref)
        return True

    async def put_back(self, one: Aside) -> None:
        """What lies aside is a blob again."""
        with _answers():
            await obstore.copy_async(self._store, one.key, _checked(one.ref))
            await obstore.delete_async(self._store, one.key)

    async def forget(self, one: Aside) -> None:
        """What lies aside is gone."""
        with _answers():
            await obstore.delete_async(self._store, one.key)


def _settle(file: Path) -> None:
    """A local folder promises nothing over a power cut until its file, and the entry that names it, are on the disk."""
    for place in (file, file.parent):
        handle = os.open(place, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def belongs(ref: str, tenant: str) -> bool:
    """Whether the reference is the tenant's own: nobody sends another's file by naming it."""
    found = REF.fullmatch(ref)
    return bool(found and found["tenant"] == folder_of(tenant))


def _checked(ref: str) -> str:
    """A reference comes from outside: only what we would have made ourselves reaches the store."""
    if not REF.fullmatch(ref):
        raise NotFound("the reference is not tenant/sha256")
    return ref


def folder_of(tenant: str) -> str:
    """What the tenant's references begin with: the tenant as one safe path segment, never `.` or `..`, never longer than a file system takes."""
    quoted = quote(tenant, safe="").replace(".", "%2E").replace("~", "%7E")
    return quoted if len(quoted) <= 120 else f"%{hashlib.sha256(tenant.encode()).hexdigest()}"


class _Measured:
    """A stream that is counted and hashed while it passes, and that remembers whether its own source failed."""

    def __init__(self, chunks: AsyncIterator[bytes], limit: int) -> None:
        self._chunks, self._limit = chunks, limit
        self._digest, self._size = hashlib.sha256(), 0
        self.ended = False
        self.failure: Exception | None = None

    async def _next(self) -> bytes:
        """The next chunk, empty at the end."""
        try:
            chunk = await anext(self._chunks, None)
            self._size += len(chunk or b"")
            if self._size > self._limit:
                raise TooLarge(f"more than {self._limit} bytes")
        except Exception as error:
            self.failure = error
            raise
        if chunk is None:
            self.ended = True
            return b""
        self._digest.update(chunk)
        return bytes(chunk)

    async def take(self, size: int) -> bytes:
        """About that many bytes, or all there are."""
        taken = bytearray()
        while len(taken) < size and not self.ended:
            taken += await self._next()
        return bytes(taken)

    async def after(self, start: bytes) -> AsyncIterator[bytes]:
        yield start
        while not self.ended:
            if chunk := await self._next():
                yield chunk

    def stored(self, tenant: str) -> Stored:
        sha256 = self._digest.hexdigest()
        return Stored(f"{folder_of(tenant)}/{sha256}", self._size, sha256)


class _Failing(Protocol):
    failure: Exception | None


@contextmanager
def _answers(source: _Failing | None = None) -> Iterator[None]:
    """The store's errors in our words; a failing source is not the store's fault."""
    try:
        yield
    except (NotFoundError, FileNotFoundError) as error:
        raise NotFound from error
    except (BaseError, OSError) as error:
        if source and source.failure:
            raise source.failure from None
        raise StoreUnavailable(type(error).__name__) from error


async def _chunks(found: obstore.GetResult) -> AsyncIterator[bytes]:
    with _answers():
        async for chunk in found.stream(min_chunk_size=CHUNK):
            yield bytes(chunk)


async def _cut(content: bytes) -> AsyncIterator[bytes]:
    """In pieces: hashing and copying all at once would hold everybody else up."""
    for at in range(0, len(content), CHUNK):
        yield content[at : at + CHUNK]
