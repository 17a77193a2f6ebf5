"""An answer that has begun is the whole of it, or is broken off."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientError, web
from aiohttp.test_utils import TestClient, TestServer

from services.router.api.answers import open_to_all, write_out
from shared.contract.errors import StoreUnavailable


async def half() -> AsyncIterator[bytes]:
    yield b"half of a file"
    raise StoreUnavailable("the store is gone")


async def test_no_second_answer_stands_in_one_that_breaks() -> None:
    async def serve(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_length = 1000
        await response.prepare(request)
        await write_out(request, response, half())
        return response

    app = web.Application()
    app.router.add_get("/", open_to_all(serve))
    read = b""
    async with TestClient(TestServer(app)) as client:
        with pytest.raises(ClientError):
            async with client.get("/") as response:
                while chunk := await response.content.readany():
                    read += chunk
                await response.read()
    assert b"half of a file".startswith(read)
