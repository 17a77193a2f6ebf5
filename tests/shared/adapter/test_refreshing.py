"""Access tokens: got before they are used, refreshed before they end, the same for all replicas, and read by nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY
from provider import Account, Provider, make_channel, says
from pydantic import SecretStr

from shared.adapter.refreshing import Refreshing
from shared.contract.channel import Context, Http, Response, Steps, Token
from shared.contract.codes import Failure
from shared.contract.errors import SendFailed, TokenRefused
from shared.provider.calls import Caller, Principal
from shared.provider.contexts import Contexts
from shared.provider.credentials import Credential, Credentials, lease_name
from shared.runtime.settings import Settings
from shared.storage import migrate
from shared.storage.blobs import Blobs
from shared.storage.database import open_pool
from shared.storage.leases import Leases
from tests.parts import make_parts

HOUR = timedelta(hours=1)


def refresh(account: Account, known: SecretStr | None, context: Context) -> Steps[Token]:
    given = known.get_secret_value() if known else "from the settings"
    answer = yield Http.post_json(f"{account.api}/token", {"refresh_token": given})
    told = answer.json()
    again = told.get("refresh_token")
    return Token(
        value=SecretStr(told["access_token"]),
        expires_in=timedelta(seconds=told["expires_in"]),
        refresh=SecretStr(again) if again else None,
    )


def outcome(response: Response) -> None:
    if response.status in (400, 401):
        raise SendFailed("auth", f"HTTP {response.status}")
    if response.status >= 300:
        raise SendFailed("unreachable" if response.status >= 500 else "refused", f"HTTP {response.status}")


def ask(context: Context, account: Account) -> Steps[str]:
    answer = yield Http.post_json(f"{account.api}/me", {}, token=context.token)
    return str(answer.json()["id"])


CHANNEL = replace(make_channel(), refresh=refresh, outcome=outcome)


class Told:
    """What is said of the account, as its state."""

    def __init__(self) -> None:
        self.failures: list[Failure | None] = []
        self.end: datetime | None = None

    def note(self, _channel: str, _account: str, failure: Failure | None) -> None:
        self.failures.append(failure)

    def fail(self, channel: str, account: str, code: Any, detail: str) -> None:
        self.note(channel, account, Failure(code=code, detail=detail))

    def expires(self, _channel: str, _account: str, when: datetime | None) -> None:
        self.end = when


class Replica:
    """One process's part in it."""

    def __init__(self, settings: Settings, pool: Any, caller: Caller, account: Account) -> None:
        self.credentials, self.told, self.account = Credentials(settings, pool), Told(), account
        self.contexts = Contexts(settings, credentials=self.credentials)
        parts = make_parts(
            channels={"line": CHANNEL}, pool=pool, caller=caller, contexts=self.contexts, credentials=self.credentials
        )
        self.refreshing = Refreshing(parts, self.told)  # type: ignore[arg-type]
        self._driver = parts.drive

    async def turn(self) -> None:
        await self.refreshing._turn(CHANNEL, self.account)

    async def token(self) -> str:
        return (await self.contexts.of(CHANNEL, self.account)).token.get_secret_value()

    async def ask(self) -> str:
        return await self._driver(
            lambda context: ask(context, self.account), Principal(channel=CHANNEL, account=self.account)
        )


class Office:
    """A provider, its token end point at /token, and replicas that share a database."""

    def __init__(self, settings: Settings, pool: Any, caller: Caller, provider: Provider) -> None:
        self.settings, self.pool, self.caller, self.provider = settings, pool, caller, provider
        self.account = Account(name="a", api=provider.address)

    def replica(self, **changes: Any) -> Replica:
        settings = self.settings.model_copy(update=changes.pop("settings", {}))
        return Replica(settings, self.pool, self.caller, self.account.model_copy(update=changes))

    def grants(self, token: str, *, lasts: timedelta = HOUR, **more: str) -> None:
        self.provider.answers.append(says(200, {"access_token": token, "expires_in": lasts.total_seconds(), **more}))

    def asked_with(self) -> list[str]:
        return [seen.text for seen in self.provider.seen if seen.path == "/token"]

    async def ages(self, by: timedelta) -> None:
        await self.pool.execute(
            "UPDATE credential SET refreshed_at = refreshed_at - $1::interval, expires_at = expires_at - $1::interval,"
            " next_try = next_try - $1::interval",
            by,
        )


@pytest.fixture
async def office(settings: Settings) -> AsyncIterator[Office]:
    settings = settings.model_copy(update={"secret": SecretStr("of this installation")})
    await asyncio.to_thread(migrate.upgrade, settings, "chat_adapter")
    provider = Provider()
    await provider.start()
    async with open_pool(settings, "chat_adapter") as pool, Caller(Blobs.open(settings.blobs)) as caller:
        yield Office(settings, pool, caller, provider)
    await provider.stop()


async def test_a_token_is_there_before_it_is_used_and_what_waits_for_it_is_tried_again(office: Office) -> None:
    replica = office.replica()
    with pytest.raises(SendFailed) as failed:
        await replica.token()
    assert failed.value.reason == "unreachable"
    office.grants("one")
    await replica.turn()
    assert await replica.token() == "one"
    await replica.ask()
    assert office.provider.seen[-1].headers["authorization"] == "Bearer one"


async def test_an_account_whose_token_does_not_end_is_left_alone(office: Office) -> None:
    lasting = replace(CHANNEL, refreshed=lambda account: account.name != "a")
    one, other = Account(name="a", api=office.account.api), Account(name="b", api=office.account.api)
    contexts = Contexts(office.settings, credentials=Credentials(office.settings, office.pool))
    assert (await contexts.of(lasting, one)).token.get_secret_value() == ""
    assert not await contexts.replaces(lasting, one, await contexts.of(lasting, one))
    with pytest.raises(SendFailed):
        await contexts.of(lasting, other)


async def test_it_is_refreshed_before_it_ends_by_one_and_seen_by_the_other(office: Office) -> None:
    first, second = office.replica(), office.replica()
    office.grants("one", refresh_token="r1")
    await asyncio.gather(first.turn(), second.turn())
    assert await second.token() == "one"
    await office.ages(HOUR * 0.6)
    await first.turn()
    assert len(office.asked_with()) == 1, "not before two thirds of its life"
    await office.ages(HOUR * 0.1)
    office.grants("two")
    await first.turn()
    await second.turn()
    assert (await first.token(), await second.token()) == ("two", "two")
    assert ["settings" in asked for asked in office.asked_with()] == [True, False]
    office.grants("three")
    await office.ages(HOUR * 0.7)
    await second.turn()
    assert '"r1"' in office.asked_with()[-1], "what no new one came for stays"


@pytest.mark.parametrize(
    ("life", "due"),
    [(60, 40), (14, 9), (9, 4), (6, 2), (3, 1)],
    ids=["at two thirds", "five minutes early", "a third is left", "a third has passed", "however short"],
)
def test_when_a_token_is_refreshed(life: int, due: int) -> None:
    at = datetime(2026, 5, 1, tzinfo=UTC)
    token = Credential(
        token=SecretStr("t"), same_settings=True, refreshed_at=at, expires_at=at + timedelta(minutes=life)
    )
    assert token.due_at == at + timedelta(minutes=due)


async def test_what_is_stored_can_be_read_by_nobody_without_the_key_nor_stand_in_for_another(office: Office) -> None:
    office.grants("open-sesame", refresh_token="r-secret")
    replica = office.replica()
    await replica.turn()
    row = dict(await office.pool.fetchrow("SELECT * FROM credential"))
    assert not any(word in repr(row) for word in ("open-sesame", "r-secret"))
    stranger = office.replica(settings={"secret": SecretStr("another")})
    assert not (await stranger.credentials.load(CHANNEL, office.account)).readable
    await office.pool.execute("UPDATE credential SET account = 'b'")
    other = office.replica(name="b")
    assert not (await other.credentials.load(CHANNEL, other.account)).readable


async def test_under_another_key_the_settings_help_or_it_is_said(office: Office) -> None:
    office.grants("one", refresh_token="r1")
    await office.replica().turn()
    moved = office.replica(settings={"secret": SecretStr("another")})
    office.provider.answers.append(says(400, {"error": "invalid_grant"}))
    await moved.turn()
    (failure,) = moved.told.failures
    assert failure is not None
    assert (failure.code, "another PARLEY_SECRET" in failure.detail) == ("auth", True)
    assert "settings" in office.asked_with()[-1]


async def test_without_a_key_nothing_is_kept_in_the_clear(office: Office) -> None:
    replica = office.replica(settings={"secret": SecretStr("")})
    office.grants("one")
    await replica.turn()
    assert replica.told.failures[0] is not None
    assert "PARLEY_SECRET" in replica.told.failures[0].detail
    assert await office.pool.fetchval("SELECT count(*) FROM credential WHERE sealed IS NOT NULL") == 0


async def test_a_refused_token_is_refreshed_once_and_the_next_is_believed(office: Office) -> None:
    replica = office.replica()
    office.grants("one")
    await replica.turn()
    await office.ages(timedelta(minutes=6))
    office.provider.by_path["/me"] = says(401)
    with pytest.raises(TokenRefused) as put_off:
        await replica.ask()
    assert (put_off.value.reason, put_off.value.nothing_done) == ("unreachable", True)
    with pytest.raises(TokenRefused):
        await replica.ask()
    office.grants("two")
    await replica.turn()
    await replica.turn()
    assert len(office.asked_with()) == 2
    with pytest.raises(SendFailed) as refused:
        await replica.ask()
    assert refused.value.reason == "auth", "a new one is refused too: no third is asked for"
    await replica.turn()
    assert len(office.asked_with()) == 2


async def test_who_used_the_former_token_tries_again_with_the_new_one(office: Office) -> None:
    first, second = office.replica(), office.replica()
    office.grants("one")
    await first.turn()
    assert await second.token() == "one"
    await office.ages(HOUR * 0.7)
    office.grants("two")
    await first.turn()
    office.provider.by_path["/me"] = says(401)
    with pytest.raises(TokenRefused):
        await second.ask()
    assert await second.token() == "two"


async def test_settings_that_a_person_changed_come_first_and_what_was_rotated_helps_where_they_do_not(
    office: Office,
) -> None:
    office.grants("one", refresh_token="r1")
    await office.replica().turn()
    changed = office.replica(waits=5.0)
    office.provider.answers.append(says(400, {"error": "invalid_grant"}))
    office.grants("two")
    await changed.turn()
    assert ["settings" in asked for asked in office.asked_with()] == [True, True, False]
    assert await changed.token() == "two"


async def test_a_tenant_that_changes_costs_no_token(office: Office) -> None:
    office.grants("one")
    await office.replica().turn()
    await office.replica(tenant="another").turn()
    assert len(office.asked_with()) == 1


async def test_a_refresh_that_fails_is_told_when_it_matters_and_tried_again_ever_later(office: Office) -> None:
    replica = office.replica()
    office.grants("one")
    await replica.turn()
    await office.ages(HOUR * 0.7)
    office.provider.answers += [says(503)] * 4
    await replica.turn()
    assert replica.told.failures == [], "the old one is good"
    assert await replica.token() == "one"
    asked = len(office.asked_with())
    await replica.turn()
    assert len(office.asked_with()) == asked, "not at once"
    await office.ages(HOUR)
    office.provider.answers += [says(400, {"error": "invalid_grant"})] * 4
    await replica.turn()
    failure = replica.told.failures[-1]
    assert failure is not None
    assert failure.code == "auth"
    with pytest.raises(SendFailed, match="no access token"):
        await replica.token()
    office.provider.answers.clear()
    office.grants("two")
    await office.ages(HOUR)
    await replica.turn()
    assert replica.told.failures[-1] is None
    assert replica.told.end is not None


async def test_who_has_lost_the_lease_stores_nothing(office: Office) -> None:
    replica = office.replica()
    epoch = await Leases(office.pool).take(lease_name(CHANNEL, office.account))
    assert epoch is not None
    token = Token(value=SecretStr("late"), expires_in=HOUR)
    await replica.credentials.store(CHANNEL, office.account, token, Credential(), fence=epoch + 1)
    assert (await replica.credentials.load(CHANNEL, office.account)).token is None


async def test_a_provider_that_hangs_at_one_account_holds_up_no_other(office: Office) -> None:
    held = asyncio.Event()

    async def hangs(_request: Any) -> Any:
        await held.wait()

    office.provider.by_path["/hangs/token"] = hangs
    slow = office.replica(name="slow", api=f"{office.provider.address}/hangs")
    hanging = asyncio.create_task(slow.turn())
    await office.provider.wait(1)
    office.grants("one")
    replica = office.replica()
    await replica.turn()
    assert await replica.token() == "one"
    held.set()
    hanging.cancel()
    with suppress(asyncio.CancelledError):
        await hanging


async def test_refreshes_are_counted(office: Office) -> None:
    def count(outcome: str) -> float:
        labels = {"channel": "line", "outcome": outcome}
        return REGISTRY.get_sample_value("parley_token_refreshes_total", labels) or 0

    before = count("refreshed"), count("auth")
    office.grants("one")
    await office.replica().turn()
    office.provider.answers.append(says(401))
    await office.replica(name="b").turn()
    assert (count("refreshed"), count("auth")) == (before[0] + 1, before[1] + 1)
