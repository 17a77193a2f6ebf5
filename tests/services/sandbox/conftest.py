"""A sandbox that really runs, and a client that speaks to it as bots and phones do."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import aiohttp
import pytest

from deploy.local.home import choose_port
from tests.patience import SECONDS

ROOT = Path(__file__).parents[3]


class Sandbox:
    def __init__(self, client, port, data=None):
        self.client, self.port, self.data, self.process = client, port, data, None
        self.address = f"http://127.0.0.1:{port}"
        self.token = "phone-secret"
        self.bearer = {"Authorization": f"Bearer {self.token}"}

    async def start(self, **more):
        settings = {"PARLEY_HTTP_PORT": str(self.port), "PARLEY_HTTP_HOST": "127.0.0.1", "PARLEY_TOKEN": self.token}
        data = {"PARLEY_SANDBOX_DATA": str(self.data)} if self.data else {}
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "services.sandbox",
            cwd=ROOT,
            env={**os.environ, **settings, **data, **more},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async for line in self.process.stdout:
            if b"service.started" in line:
                return
        raise AssertionError("the sandbox ended before it had started")

    async def end(self, number=signal.SIGTERM):
        if self.process.returncode is None:
            self.process.send_signal(number)
        await self.process.communicate()
        return self.process.returncode

    async def api(self, token, method, **parameters):
        async with self.client.post(f"{self.address}/bot{token}/{method}", json=parameters) as answer:
            return answer.status, await answer.json()

    async def ok(self, token, method, **parameters):
        status, body = await self.api(token, method, **parameters)
        assert (status, body["ok"]) == (200, True), body
        return body["result"]

    async def no(self, token, method, **parameters):
        status, body = await self.api(token, method, **parameters)
        assert (body["ok"], body["error_code"]) == (False, status)
        return status, body["description"]

    async def phone(self, token, user, what, **values):
        url = f"{self.address}/phone/telegram/{token.partition(':')[0]}/{user}/{what}"
        async with self.client.post(url, json=values, headers=self.bearer) as answer:
            return answer.status, await answer.json()

    async def says(self, token, user, **values):
        status, body = await self.phone(token, user, "send", **values)
        assert status == 200, body
        return body

    async def shown(self, token, user):
        url = f"{self.address}/phone/telegram/{token.partition(':')[0]}/{user}/messages"
        async with self.client.get(url, headers=self.bearer) as answer:
            return (await answer.json())["messages"]

    async def control(self, **faults):
        async with self.client.post(f"{self.address}/control", json=faults, headers=self.bearer) as answer:
            assert answer.status == 200, await answer.text()

    async def accepted(self, token):
        async with self.client.get(f"{self.address}/control/log", headers=self.bearer) as answer:
            sends = (await answer.json())["sends"]
        return [send for send in sends if send.get("bot") == int(token.partition(":")[0])]


@pytest.fixture(scope="session")
async def client():
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS)) as session:
        yield session


@pytest.fixture(scope="session")
async def running(client):
    sandbox = Sandbox(client, choose_port(set()))
    await sandbox.start()
    yield sandbox
    assert await sandbox.end() == 0


@pytest.fixture
async def sandbox(running):
    yield running
    await running.control(reset=True)


NUMBERS = iter(range(7_000_001, 8_000_000))


@pytest.fixture
def token():
    return f"{next(NUMBERS)}:AAHsandbox-only_kmGreetingsFromPhnomPenh"


@pytest.fixture
async def started(sandbox, token):
    """A bot that person 501 has written to."""
    await sandbox.ok(token, "getMe")
    await sandbox.says(token, 501, text="/start", name="តារា")
    return token


@pytest.fixture
async def kept_sandbox(client, tmp_path):
    """A sandbox of one's own, whose chats outlive it."""
    sandbox = Sandbox(client, choose_port(set()), tmp_path)
    await sandbox.start()
    yield sandbox
    assert await sandbox.end() == 0
