"""The accounts file: what it says, what is refused with which words, and how a change takes effect."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from services.chat_adapter.channels import telegram, webhook
from shared.contract.channel import Channel
from shared.contract.errors import Misconfigured
from shared.contract.policy import PolicySettings
from shared.runtime.accounts import Accounts, AccountsFile, load
from tests.patience import SECONDS

CHANNELS: dict[str, Channel] = {"telegram": telegram.CHANNEL, "webhook": webhook.CHANNEL}
SECRET = "whsec_" + base64.b64encode(b"a secret that nobody may ever see").decode()
TELEGRAM = """
[apps.telegram.main]
secret = "hook"
[accounts.telegram.main]
token = "1:bot"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "accounts.toml"


def read(path: Path, text: str) -> Accounts:
    path.write_text(text)
    return load(path, CHANNELS)


def refused(path: Path, text: str) -> str:
    with pytest.raises(Misconfigured) as refusal:
        read(path, text)
    assert str(path) in refusal.value.detail
    return refusal.value.detail


def test_apps_and_accounts_are_found_by_channel_and_name(path):
    accounts = read(path, TELEGRAM)
    assert accounts.app("telegram", "main").secret.get_secret_value() == "hook"
    assert accounts.account("telegram", "main").token.get_secret_value() == "1:bot"
    assert accounts.app("telegram", "other") is None
    assert accounts.account("webhook", "main") is None
    assert [(channel, account.name) for channel, account in accounts.all()] == [("telegram", "main")]
    assert [(channel, app.name) for channel, app in accounts.all_apps()] == [("telegram", "main")]


def test_an_account_is_found_by_the_app_that_received_and_the_providers_name(path):
    two = TELEGRAM + '[accounts.telegram.second]\ntoken = "2:bot"\napp = "main"\n'
    accounts = read(path, two)
    assert accounts.by_key("telegram", "main", "main").name == "main"
    assert accounts.by_key("telegram", "main", "second").name == "second"
    assert accounts.by_key("telegram", "second", "second") is None


def test_what_is_done_with_an_accounts_conversations_stands_in_a_table_of_its_own(path):
    accounts = read(path, TELEGRAM + "[accounts.telegram.main.policy]\nreopen_days = 30\n")
    assert accounts.account("telegram", "main").policy.reopen_days == 30
    assert read(path, TELEGRAM).account("telegram", "main").policy == PolicySettings()


@pytest.mark.parametrize(
    "line",
    [
        "reopen_day = 30",
        "reopen_days = -1",
        'reopen_days = "often"',
        'zone = "Asia/Nowhere"',
        'holidays = "XX"',
        'holidays = "DE-XX"',
        'decent_hours = ["8 to 9"]',
        'business_hours = ["mon 22:00-06:00"]',
        'caps = ["gossip 1/day"]',
    ],
)
def test_a_mistake_in_a_policy_is_named_with_its_table(path, line):
    told = refused(path, f"{TELEGRAM}[accounts.telegram.main.policy]\n{line}\n")
    assert f"[accounts.telegram.main.policy.{line.split()[0]}]" in told


def test_hours_are_of_somewhere(path):
    policy = '[accounts.telegram.main.policy]\nbusiness_hours = ["mon-fri 08:00-17:00"]\n'
    assert "[accounts.telegram.main.policy]" in refused(path, TELEGRAM + policy)
    accounts = read(path, TELEGRAM + policy + 'zone = "Asia/Phnom_Penh"\nholidays = "KH"\n')
    assert accounts.account("telegram", "main").policy.holidays == "KH"


def test_a_value_may_stand_in_a_file_beside_it(path, tmp_path):
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "hook").write_text("from a file\n")
    accounts = read(path, '[apps.telegram.main]\nsecret = { file = "secrets/hook" }\n')
    assert accounts.app("telegram", "main").secret.get_secret_value() == "from a file"
    assert accounts.sources == (path, tmp_path / "secrets" / "hook")


def test_tables_of_another_adapters_channels_are_left_to_it(path):
    accounts = read(path, TELEGRAM + '[accounts.facebook.page]\ntoken = "whatever"\n')
    assert [channel for channel, _ in accounts.all()] == ["telegram"]


def test_an_empty_file_has_no_accounts(path):
    assert list(read(path, "").all()) == []


@pytest.mark.parametrize(
    ("text", "place", "remedy"),
    [
        ('[apps.telegramm.main]\nsecret = "x"', "[apps.telegramm]", "there is no channel telegramm"),
        ("[accounts.telegram.main]", "[accounts.telegram.main.token]", "add it"),
        (TELEGRAM + 'tokenn = "x"', "[accounts.telegram.main.tokenn]", "remove it"),
        (TELEGRAM + 'name = "x"', "[accounts.telegram.main.name]", "remove this line"),
        (TELEGRAM + 'app = "mian"', "[accounts.telegram.main.app]", "[apps.telegram.mian]"),
        ('[account.telegram.main]\ntoken = "x"', "[account]", "[accounts.CHANNEL.NAME]"),
        ('[accounts.telegram]\ntoken = "x"', "[accounts.telegram]", "[accounts.telegram.main]"),
        ('[accounts.telegram.""]\ntoken = "x"', "[accounts.telegram]", "choose another"),
        ("[accounts", "", "mend that line"),
        ('[apps.telegram.main]\nsecret = { file = "missing" }', "[apps.telegram.main.secret]", "create it"),
        ('[apps.webhook.main]\nsecret = "short"', "[apps.webhook.main.secret]", "openssl rand"),
    ],
)
def test_what_is_wrong_is_named_with_its_place_and_what_to_do(path, text, place, remedy):
    detail = refused(path, text)
    assert place in detail
    assert remedy in detail


def test_a_missing_file_says_so(path):
    with pytest.raises(Misconfigured, match="PARLEY_ACCOUNTS"):
        load(path, CHANNELS)


def test_two_accounts_that_the_provider_would_call_the_same_are_refused(path):
    class Numbered(webhook.Account):
        @property
        def key(self) -> str:
            return "one and the same"

    channels = {"webhook": webhook.CHANNEL.__class__(**{**vars(webhook.CHANNEL), "account": Numbered})}
    account = f'url = "https://example.org"\nsecret = "{SECRET}"\napp = "main"\n'
    path.write_text(
        f'[apps.webhook.main]\nsecret = "{SECRET}"\n[accounts.webhook.a]\n{account}[accounts.webhook.b]\n{account}'
    )
    with pytest.raises(Misconfigured, match="the same as a"):
        load(path, channels)


def test_no_message_ever_holds_a_value(path):
    for text in (f'[apps.webhook.main]\nsecret = ["{SECRET}"]', f'[apps.webhook.main]\nsecret = "{SECRET[:30]}"'):
        assert SECRET[6:20] not in refused(path, text)


# reload


@pytest.fixture
def file(path: Path) -> Iterator[AccountsFile]:
    path.write_text(TELEGRAM)
    return AccountsFile(path, CHANNELS)


def token(accounts: Accounts) -> str:
    return accounts.account("telegram", "main").token.get_secret_value()


def reloads(outcome: str) -> float:
    return REGISTRY.get_sample_value("parley_accounts_reloads_total", {"outcome": outcome}) or 0.0


async def test_a_change_takes_effect_and_is_told(file, path):
    heard: list[Accounts] = []
    file.on_change(heard.append)
    assert not await file.refresh()
    path.write_text(TELEGRAM.replace("1:bot", "2:bot"))
    assert await file.refresh()
    assert token(file.current) == "2:bot"
    assert heard == [file.current]
    assert not await file.refresh()


async def test_a_comment_is_no_change(file, path):
    heard: list[Accounts] = []
    file.on_change(heard.append)
    path.write_text("# hello\n" + TELEGRAM)
    assert not await file.refresh()
    assert heard == []


async def test_a_swapped_link_is_noticed_as_kubernetes_makes_it(path, tmp_path):
    """A volume's names link to ..data, which links to a dated folder; an update swaps ..data."""
    for folder, bot in (("old", "1:bot"), ("new", "2:bot")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "accounts.toml").write_text(TELEGRAM.replace("1:bot", bot))
    (tmp_path / "..data").symlink_to("old")
    path.symlink_to("..data/accounts.toml")
    file = AccountsFile(path, CHANNELS)
    (tmp_path / "..tmp").symlink_to("new")
    (tmp_path / "..tmp").replace(tmp_path / "..data")
    assert await file.refresh()
    assert token(file.current) == "2:bot"


async def test_a_new_secret_in_its_own_file_is_noticed(path, tmp_path):
    (tmp_path / "token").write_text("1:bot")
    path.write_text('[accounts.telegram.main]\ntoken = { file = "token" }\n')
    file = AccountsFile(path, CHANNELS)
    (tmp_path / "token").write_text("2:bot")
    assert await file.refresh()
    assert token(file.current) == "2:bot"


async def test_a_bad_file_changes_nothing_and_is_counted_and_logged_once(file, path):
    before = reloads("failed")
    path.write_text(TELEGRAM.replace("1:bot", '", secret-beginning'))
    with capture_logs() as logs:
        assert not await file.refresh()
        assert not await file.refresh()
    assert token(file.current) == "1:bot"
    assert reloads("failed") == before + 1
    assert REGISTRY.get_sample_value("parley_accounts_file_usable") == 0
    assert [log["event"] for log in logs] == ["accounts.reload_failed"]
    assert "secret-beginning" not in str(logs)
    path.write_text(TELEGRAM.replace("1:bot", "3:bot"))
    assert await file.refresh()
    assert token(file.current) == "3:bot"
    assert REGISTRY.get_sample_value("parley_accounts_file_usable") == 1


async def test_a_secret_file_that_comes_late_mends_the_failure(file, path, tmp_path):
    path.write_text('[accounts.telegram.main]\ntoken = { file = "late" }\n')
    assert not await file.refresh()
    (tmp_path / "late").write_text("9:bot")
    assert await file.refresh()
    assert token(file.current) == "9:bot"


async def test_a_listener_that_fails_does_not_end_the_watch(file, path):
    told = asyncio.Event()

    def fails(_: Accounts) -> None:
        raise RuntimeError

    file.on_change(fails)
    file.on_change(lambda _: told.set())
    watch = asyncio.create_task(file.watch(period=0.01))
    for bot in ("2:bot", "3:bot"):
        told.clear()
        path.write_text(TELEGRAM.replace("1:bot", bot))
        await asyncio.wait_for(told.wait(), SECONDS)
    assert not watch.done()
    watch.cancel()
