"""`parley doctor` on the mail port and on what adapters tell of their accounts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from station import outbound

from deploy.local.home import Addresses
from services.cli.doctor.accounts import account_health
from services.cli.doctor.checks import retention
from services.cli.doctor.finding import Finding
from services.cli.doctor.mail import smtp
from services.cli.doctor.sending import sends
from services.cli.doctor.standing import CREDENTIAL, MIGRATE, START, place_of, there
from services.cli.running import System, find
from shared.bus.cloudevents import Out, encode, headers
from shared.bus.produce import Producer
from shared.contract.codes import Failure
from shared.contract.envelope import key
from shared.contract.events import AccountState
from shared.contract.records import ACCOUNTS
from shared.runtime.settings import Kept, Settings
from tests.certificates import certificate
from tests.services.email_adapter.port import port
from tests.shared.broker import settings_for


async def findings(found: AsyncIterator[Finding]) -> list[tuple[str, str]]:
    told = [one async for one in found]
    assert all(one.remedy for one in told if one.level != "ok"), "what is not well has a remedy"
    return [(one.level, one.said) for one in told]


# mail -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "level", "words"),
    [(90, "ok", "STARTTLS with a certificate until"), (3, "warn", "2 days"), (-1, "fail", "certificate has expired")],
)
async def test_the_mail_port_is_asked_as_another_server_would(
    servers: Addresses, tmp_path: Path, days: int, level: str, words: str
) -> None:
    _, chain, private = certificate(tmp_path, "mx.parley.example", days=days)
    files = {"smtp_certificate": str(chain), "smtp_key": str(private)}
    async with port(settings_for(servers.kafka), tmp_path, **files) as door:
        told = await findings(smtp(System(door.settings, smtp=f"127.0.0.1:{door.listener.port}")))
    assert told[:2] == [
        ("ok", f"127.0.0.1:{door.listener.port} greets as mx.parley.example"),
        ("ok", "an unknown recipient is refused (550)"),
    ]
    assert told[2][0] == level
    assert words in told[2][1]


async def test_without_a_certificate_a_real_system_is_warned_and_a_local_stack_is_not(
    servers: Addresses, tmp_path: Path
) -> None:
    async with port(settings_for(servers.kafka), tmp_path) as door:
        address = f"127.0.0.1:{door.listener.port}"
        real = await findings(smtp(System(door.settings, smtp=address)))
        local = await findings(smtp(System(door.settings, {"email_adapter": "http://127.0.0.1"}, address)))
    assert [level for level, _ in real] == ["ok", "ok", "warn"]
    assert [level for level, _ in local] == ["ok", "ok", "ok"]


@pytest.mark.parametrize(
    ("rcpt", "level", "words"),
    [("250 go on", "fail", "this is an open relay"), ("451 later", "warn", "is answered 451, not 550")],
)
async def test_whoever_takes_mail_for_anybody_is_told(rcpt: str, level: str, words: str) -> None:
    answers = {"EHLO": "250 mx.example", "MAIL": "250 go on", "RCPT": rcpt}
    async with saying(answers) as address:
        told = await findings(smtp(System(Settings(), smtp=address)))
    assert (told[1][0], words in told[1][1]) == (level, True)


@asynccontextmanager
async def saying(answers: dict[str, str]) -> AsyncIterator[str]:
    """A mail server that says this to these commands."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mx.example\r\n")
        while line := await reader.readline():
            writer.write(answers.get(line[:4].decode().upper(), "500 what?").encode() + b"\r\n")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_port_that_nobody_listens_on_is_a_finding() -> None:
    ((level, words),) = await findings(smtp(System(Settings(), smtp="127.0.0.1:9")))
    assert (level, "127.0.0.1:9" in words) == ("fail", True)


def test_in_a_pod_of_the_email_adapter_its_own_port_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PARLEY_KAFKA", "127.0.0.1:9")
    assert find().smtp is None
    monkeypatch.setenv("PARLEY_SMTP_PORT", "8025")
    assert find().smtp == "127.0.0.1:8025"


# accounts -------------------------------------------------------------------------------------------------------------


async def tell(settings: Settings, *states: tuple[str, Failure | None], **more: Any) -> None:
    """What an adapter publishes of its webhook accounts."""
    producer = Producer(settings)
    await producer.start()
    await producer.send_all([as_record(settings, name, failure, **more) for name, failure in states])
    await producer.stop()


def as_record(settings: Settings, name: str, failure: Failure | None, **more: Any) -> Out:
    now = datetime.now(UTC)
    state = AccountState(
        tenant="default",
        channel="telegram",
        account=name,
        healthy=failure is None,
        failure=failure,
        occurred_at=now,
        **more,
    )
    told = headers("account", source="/test", id=name, time=now, tenant="default", subject=f"telegram/{name}")
    return Out(settings.topic(ACCOUNTS), key("default", "telegram", name).encode(), encode(state), told)


def write(settings: Settings, names: Sequence[str]) -> None:
    tables = [f'[accounts.telegram.{name}]\ntoken = "{number + 1}:{"A" * 35}"\n' for number, name in enumerate(names)]
    Path(settings.accounts).write_text("".join(tables))


async def test_an_account_that_is_told_to_be_ill_is_a_finding_with_its_reason(world: Settings) -> None:
    write(world, ["well", "ill", "new"])
    refused = Failure(code="auth", detail="401 Unauthorized")
    await tell(world, ("well", None), ("ill", refused), ("removed", refused))
    ((level, words),) = await findings(account_health(System(world)))
    assert level == "fail"
    assert words.startswith("telegram/ill is not healthy since ")
    assert words.endswith("auth 401 Unauthorized")


async def test_an_account_that_is_well_again_is_no_finding(world: Settings) -> None:
    write(world, ["one", "two"])
    await tell(world, ("one", Failure(code="auth")))
    await tell(world, ("one", None))
    assert await findings(account_health(System(world))) == [("ok", "1 of 2 accounts are told of, and all are healthy")]


@pytest.mark.parametrize(("days", "levels"), [(200, ["ok"]), (89, ["warn", "ok"]), (-1, ["fail", "ok"])])
async def test_an_api_that_its_provider_will_end_is_told_90_days_ahead(
    world: Settings, days: int, levels: list[str]
) -> None:
    write(world, ["one"])
    await tell(world, ("one", None), api_version="v22.0", api_ends_at=datetime.now(UTC) + timedelta(days=days))
    found = await findings(account_health(System(world)))
    assert [level for level, _ in found] == levels
    assert len(levels) == 1 or "telegram/one uses v22.0" in found[0][1]


# sends ----------------------------------------------------------------------------------------------------------------


async def sent(dsn: str, *, status: str, code: str | None = None, account: str = "main", minutes: int = 5) -> None:
    """A message of one piece that ended so long ago, as an adapter writes it down."""
    message = outbound(account=account)
    connection = await asyncpg.connect(dsn, server_settings={"search_path": "chat_adapter"})
    try:
        await connection.execute(
            "INSERT INTO send (message_id, attempt, conversation, body, done_at) VALUES ($1, 1, $2, $3, now())",
            message.id, message.conversation, encode(message),
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO piece (message_id, attempt, piece, pieces, status, code, settled_at)"
            " VALUES ($1, 1, 0, 1, $2, $3, now() - make_interval(mins => $4))",
            message.id, status, code, minutes,
        )  # fmt: skip
    finally:
        await connection.close()


async def test_an_account_whose_sends_fail_is_told_with_what_to_do(world: Settings) -> None:
    dsn = world.database.get_secret_value()
    for _ in range(9):
        await sent(dsn, status="sent")
    await sent(dsn, status="failed", code="blocked")
    await sent(dsn, status="failed", code="refused", minutes=90)
    assert await findings(sends(System(world))) == [("ok", "10 ended within an hour, 1 of them not well")]
    for _ in range(3):
        await sent(dsn, status="failed", code="auth", account="other")
    ((level, said),) = await findings(sends(System(world)))
    assert (level, said) == ("fail", "line/other: 3 of 3 failed within an hour, mostly auth")


async def test_a_message_that_waits_long_is_told(world: Settings) -> None:
    message = outbound()
    connection = await asyncpg.connect(world.database.get_secret_value())
    await connection.execute(
        "INSERT INTO chat_adapter.send (message_id, attempt, conversation, body, received_at)"
        " VALUES ($1, 1, $2, $3, now() - interval '50 minutes')",
        message.id, message.conversation, encode(message),
    )  # fmt: skip
    await connection.close()
    told = await findings(sends(System(world)))
    assert ("warn", "chat_adapter: 1 messages wait, the oldest for 50 minutes") in told


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("kubernetes", "kubectl logs deploy/chat-adapter"),
        ("compose", "docker compose logs chat-adapter"),
        ("local", "parley up --home /home/p"),
        ("elsewhere", "read its log"),
    ],
)
def test_the_remedy_is_in_the_words_of_where_doctor_stands(
    monkeypatch: pytest.MonkeyPatch, place: str, words: str
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    if place == "kubernetes":
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setattr(Path, "exists", lambda path: str(path) == "/.dockerenv" and place == "compose")
    system = System(Settings(), home=Path("/home/p") if place == "local" else None)
    for remedy in (START, MIGRATE, CREDENTIAL):
        assert there(remedy, system, name="chat_adapter")
    assert place_of(system) == place
    assert words in there(START, system, name="chat_adapter")


# retention --------------------------------------------------------------------------------------------------------------


async def test_retention_is_told_where_it_is_wanted_and_warned_of_where_it_is_late(world: Settings) -> None:
    wanting = world.model_copy(update={"retention": {"*": Kept(messages=90)}})
    assert (await findings(retention(System(world))))[0] == (
        "ok",
        "PARLEY_RETENTION is not set: everything is kept for ever",
    )
    ((level, said),) = await findings(retention(System(wanting)))
    assert (level, "no service has begun" in said) == ("warn", True)
    connection = await asyncpg.connect(world.database.get_secret_value())
    await connection.execute("INSERT INTO router.walk (name, ended_at) VALUES ('files', now() - interval '4 days')")
    await connection.execute("INSERT INTO chat_adapter.walk (name) VALUES ('transcripts')")
    await connection.close()
    assert await findings(retention(System(wanting))) == [
        ("warn", "files: last looked at to the end 4.0 days ago"),
        ("ok", "transcripts: last looked at to the end 0.0 days ago"),
    ]
