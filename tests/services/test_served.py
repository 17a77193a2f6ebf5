"""A process that serves some channels only (PARLEY_CHANNELS): what is not its own waits for one whose it is."""

from __future__ import annotations

import orjson
import pytest

from services.chat_adapter.registry import CHANNELS
from services.email_adapter.registry import CHANNELS as MAIL
from shared.adapter.adapter import served
from shared.contract.errors import Misconfigured
from shared.runtime.settings import Settings
from shared.storage.database import connected, open_pool
from tests.living import Living, living
from tests.patience import until
from tests.shared.gate import hello, sign


async def test_another_channel_s_webhooks_and_sends_are_left_to_the_process_that_serves_it(world: Settings) -> None:
    async with living(world) as system:
        await system.start()
        await system.say("hello")
        conversation = await until(lambda: conversation_of(system))
        await restart(system, "telegram,slack")
        status, words = await until(lambda: answer_to_a_webhook(system))
        assert (status, "PARLEY_CHANNELS" in words) == (404, True)
        await system.ask(conversation, "an answer")
        async with open_pool(world, "chat_adapter") as pool:

            async def waits() -> bool:
                async with connected(pool) as connection:
                    return bool(await connection.fetchval("SELECT count(*) FROM lane WHERE owner IS NULL"))

            await until(waits)
        assert system.received == []
        await restart(system, "webhook")
        await until(lambda: system.received == ["an answer"])


async def restart(system: Living, channels: str) -> None:
    await system.stop("chat_adapter")
    system.settings = system.settings.model_copy(update={"channels": channels})
    await system.start("chat_adapter")


async def answer_to_a_webhook(system: Living) -> tuple[int, str] | None:
    """None while nobody listens yet."""
    body = orjson.dumps(hello())
    url = f"{system.address('chat_adapter')}/hooks/webhook/main"
    try:
        async with system.client.post(url, data=body, headers=sign(body)) as answer:
            return answer.status, await answer.text()
    except OSError:
        return None


async def conversation_of(system: Living) -> str:
    return next((str(event["conversation"]) for event in await system.events() if "received" in event["type"]), "")


@pytest.mark.parametrize(
    ("named", "channels", "says"),
    [("slak", CHANNELS, "there is no channel slak"), ("slack", MAIL, "no channel of this adapter; it has email")],
)
def test_a_name_that_serves_nothing_stops_the_start(named: str, channels: dict[str, object], says: str) -> None:
    with pytest.raises(Misconfigured, match=says):
        served(Settings(channels=named), channels)  # type: ignore[arg-type]


def test_names_of_other_families_are_left_to_them() -> None:
    assert served(Settings(channels=" slack, youtube "), CHANNELS) == {"slack"}
    assert served(Settings(), CHANNELS) is None
