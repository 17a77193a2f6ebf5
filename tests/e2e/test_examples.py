"""The examples do what they say, on the real stack."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from people import SECONDS, environment, partner, phone

from tests.conftest import require

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@asynccontextmanager
async def bot(stack: Any) -> AsyncIterator[Any]:
    """The bot as a process that finds nothing of Parley on its path."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", str(EXAMPLES / "bot.py"), env=os.environ | environment(stack)
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def stand_at_the_end(stack: Any) -> None:
    """The bot's group has read everything so far: it goes on from here, whatever else these tests have said before."""
    told = environment(stack)
    topic = told["PARLEY_PREFIX"] + "events.v1"
    group = AIOKafkaConsumer(
        bootstrap_servers=told["PARLEY_KAFKA"], group_id=told["PARLEY_PREFIX"] + "bot", enable_auto_commit=False
    )
    await group.start()
    try:
        await group._client._wait_on_metadata(topic)
        places = [TopicPartition(topic, number) for number in group.partitions_for_topic(topic)]
        group.assign(places)
        await group.commit(await group.end_offsets(places))
    finally:
        await group.stop()


async def test_the_bot_answers_on_every_channel_once_even_when_it_is_killed(stack: Any) -> None:
    await stand_at_the_end(stack)
    async with phone(stack) as dara, partner(stack, f"bot{uuid.uuid4().hex[:6]}") as shop:
        async with bot(stack):
            await dara.says("សួស្តី")
            await dara.hears("You said: សួស្តី")
            await shop.says("u-17", "open?")
            assert (await shop.hears("You said: open?"))["to"] == "u-17"
        await dara.says("while it was away")
        async with bot(stack):
            await dara.hears("You said: while it was away")
        assert await dara.heard("You said: សួស្តី") == 1


async def test_a_signed_message_is_posted_with_curl(stack: Any) -> None:
    for program in ("curl", "openssl", "bash"):
        require(shutil.which(program), program)
    words, told = f'"សួស្តី" & $HOME {uuid.uuid4().hex[:8]}', environment(stack)
    async with AIOKafkaConsumer(
        told["PARLEY_PREFIX"] + "events.v1", bootstrap_servers=told["PARLEY_KAFKA"], auto_offset_reset="earliest"
    ) as events:
        process = await asyncio.create_subprocess_exec(EXAMPLES / "webhook.sh", words, "u-18", str(stack.home))
        assert await process.wait() == 0
        async with asyncio.timeout(SECONDS):
            async for record in events:
                message = json.loads(record.value).get("message", {})
                if message.get("parts", [{}])[0].get("text") == words:
                    assert (message["channel"], message["peer"]) == ("webhook", "u-18")
                    return


def test_the_bot_is_as_short_as_it_says() -> None:
    lines = [line for line in (EXAMPLES / "bot.py").read_text().splitlines() if line.strip() and '"""' not in line]
    code = [line for line in lines if not line.startswith(("import ", "from ", "if __name__", "    asyncio.run"))]
    assert len(code) <= 23
    assert "shared" not in " ".join(line for line in lines if "import" in line)
