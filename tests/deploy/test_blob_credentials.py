"""The variables that docs/kubernetes.md names for the Secret parley-blobs are those by which the store is reached and signed."""

from __future__ import annotations

import re
from typing import Final

import pytest
from aiohttp import web

from shared.storage.blobs import Blobs
from tests.deploy.manifests import ROOT

PAGE: Final = (ROOT / "docs" / "kubernetes.md").read_text()


async def test_an_s3_of_ones_own_is_reached_by_the_variables_of_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[web.Request] = []

    async def take(request: web.Request) -> web.Response:
        await request.read()
        asked.append(request)
        return web.Response(headers={"ETag": '"1"'})

    server = web.AppRunner(s3 := web.Application())
    s3.router.add_put("/{path:.*}", take)
    await server.setup()
    await (site := web.TCPSite(server, "127.0.0.1", 0)).start()
    given = {
        "AWS_ACCESS_KEY_ID": "the-key",
        "AWS_SECRET_ACCESS_KEY": "the-secret",
        "AWS_REGION": "ap-southeast-1",
        "AWS_ENDPOINT": f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}",  # type: ignore[union-attr]
    }
    assert set(re.findall(r"\bAWS_\w+", PAGE)) == given.keys()
    for name, value in {**given, "AWS_ALLOW_HTTP": "true"}.items():  # this test's server has no certificate
        monkeypatch.setenv(name, value)
    stored = await Blobs.open("s3://bucket").put_bytes("default", b"hello")
    await server.cleanup()
    (request,) = asked
    assert request.path == f"/bucket/{stored.ref}"
    assert "Credential=the-key/" in request.headers["Authorization"]
    assert "/ap-southeast-1/s3/" in request.headers["Authorization"]
