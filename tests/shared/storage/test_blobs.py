"""What is put into the blob store comes back as it was, once per content, and no reference leaves its tenant's folder."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.contract.errors import Misconfigured, StoreUnavailable, TooLarge
from shared.storage.blobs import SMALL, Blobs, NotFound, belongs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


@pytest.fixture
def blobs(folder: Path) -> Blobs:
    return Blobs.open(folder.as_uri())


async def stream(content: bytes, size: int = 100_000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def read(blobs: Blobs, ref: str) -> bytes:
    return b"".join([chunk async for chunk in await blobs.get(ref)])


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("size", [0, 1, SMALL, SMALL + 1, 7 * SMALL])
async def test_bytes_come_back_as_they_were(blobs: Blobs, folder: Path, size: int) -> None:
    content = (b"0123456789abcde\n" * (size // 16 + 1))[:size]
    stored = await blobs.put("acme", stream(content), limit=size)
    assert (stored.size, stored.sha256) == (size, hashlib.sha256(content).hexdigest())
    assert await read(blobs, stored.ref) == content
    assert await blobs.size(stored.ref) == size
    assert files(folder) == [f"acme/{stored.sha256}"]


async def test_the_same_bytes_are_kept_once(blobs: Blobs, folder: Path) -> None:
    content = b"x" * (2 * SMALL)
    first = await blobs.put("acme", stream(content), limit=len(content))
    again = await blobs.put("acme", stream(content, 77_777), limit=len(content))
    assert first == again
    assert len(files(folder)) == 1


@pytest.mark.parametrize("limit", [10, SMALL, 3 * SMALL])
async def test_more_than_allowed_leaves_nothing_behind(blobs: Blobs, folder: Path, limit: int) -> None:
    with pytest.raises(TooLarge):
        await blobs.put("acme", stream(b"x" * (limit + 1)), limit=limit)
    assert files(folder) == []


@pytest.mark.parametrize("size", [10, 3 * SMALL])
async def test_a_source_that_breaks_off_is_not_kept_and_not_the_stores_fault(
    blobs: Blobs, folder: Path, size: int
) -> None:
    async def torn() -> AsyncIterator[bytes]:
        yield b"x" * size
        raise ConnectionResetError("the provider hung up")

    with pytest.raises(ConnectionResetError):
        await blobs.put("acme", torn(), limit=10 * SMALL)
    assert files(folder) == []


@pytest.mark.parametrize("tenant", ["..", ".", "../../etc", "a/b", "ហាង", "a b", "~", "x" * 255, "ក" * 255, "%2E"])
async def test_a_tenant_is_one_folder_whatever_its_name(blobs: Blobs, folder: Path, tenant: str) -> None:
    stored = await blobs.put_bytes(tenant, b"hello")
    assert await read(blobs, stored.ref) == b"hello"
    assert belongs(stored.ref, tenant)
    (file,) = files(folder)
    assert file.count("/") == 1
    assert not belongs(stored.ref, tenant + "x")


@pytest.mark.parametrize(
    "ref",
    [
        "",
        "acme",
        "../acme/" + "a" * 64,
        "acme/../" + "a" * 64,
        "/etc/passwd",
        "acme/" + "A" * 64,
        "./" + "a" * 64,
        "../" + "a" * 64,
        "acme/" + "a" * 64 + "\n",
        "incoming/" + "a" * 32,
    ],
)
async def test_a_reference_never_escapes(blobs: Blobs, ref: str) -> None:
    with pytest.raises(NotFound):
        await blobs.get(ref)
    with pytest.raises(NotFound):
        await blobs.size(ref)


async def test_what_is_not_there_is_told_at_once(blobs: Blobs) -> None:
    with pytest.raises(NotFound):
        await blobs.get("acme/" + "0" * 64)


async def test_a_store_that_fails_says_that_trying_again_helps(blobs: Blobs, folder: Path) -> None:
    folder.joinpath("acme").write_text("a file where the tenant's folder should be")
    with pytest.raises(StoreUnavailable) as caught:
        await blobs.put_bytes("acme", b"hello")
    assert caught.value.retry


def test_an_address_that_means_nothing_is_refused() -> None:
    with pytest.raises(Misconfigured):
        Blobs.open("nonsense://x")
