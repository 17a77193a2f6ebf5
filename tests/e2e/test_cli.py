"""The commands a person types at a running system: send, reply, tail, trace, doctor, status."""

from __future__ import annotations

import asyncio
import json
import random
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from people import SECONDS, phone

from tests.customers import someone
from tests.e2e.agent import Agent, at_work
from tests.patience import until

PATIENTLY = ("--timeout", f"{SECONDS:g}")


@dataclass
class Told:
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


async def parley(stack: Any, *arguments: str) -> Told:
    process = await asyncio.create_subprocess_exec(
        *argv(stack, *arguments), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    return Told(process.returncode or 0, out.decode(), err.decode())


def argv(stack: Any, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "services.cli", *arguments, "--home", str(stack.home)]


@asynccontextmanager
async def tailing(stack: Any, *arguments: str) -> AsyncIterator[AsyncIterator[Any]]:
    """`parley tail --json` as it runs, its records one by one."""
    process = await asyncio.create_subprocess_exec(
        *argv(stack, "tail", "--json", *arguments), stdout=asyncio.subprocess.PIPE, limit=2**22
    )

    async def records() -> AsyncIterator[Any]:
        assert process.stdout
        async for line in process.stdout:
            yield json.loads(line)

    try:
        yield records()
    finally:
        process.kill()
        await process.wait()


async def first(records: AsyncIterator[Any], kind: str, text: str) -> Any:
    async with asyncio.timeout(SECONDS):
        async for record in records:
            if record["type"] == f"parley.{kind}.v1" and text in json.dumps(record["data"], ensure_ascii=False):
                return record["data"]
    raise AssertionError("the tail has ended")


async def test_a_message_is_seen_answered_and_followed(stack: Any) -> None:
    words = f"តើបើកទេ {uuid.uuid4().hex[:8]}"
    async with phone(stack) as dara, tailing(stack, "--from-beginning") as records:
        await dara.says(words)
        received = await first(records, "message.received", words)
        answer = f"បើក {uuid.uuid4().hex[:8]}"
        replied = await parley(
            stack, "reply", received["conversation"], answer, "--json", "--id", f"once-{answer}", *PATIENTLY
        )
        assert replied.code == 0, replied.err
        assert [line["event"] for line in replied.lines] == ["requested", "message.queued", "message.status"]
        await dara.hears(answer)
        again = await parley(
            stack, "reply", received["conversation"], answer, "--id", f"once-{answer}", "--timeout", "3"
        )
        assert again.code == 5
        assert "no second message" in again.err
        assert await dara.heard(answer) == 1

    traced = await parley(stack, "trace", replied.lines[0]["message_id"], "--json")
    (way,) = json.loads(traced.out)
    places = [step["place"] for step in way["steps"]]
    assert places[:2] == ["requests", "router"]
    assert {"outbound", "provider", "delivery"} <= set(places)
    assert all(step["ms"] >= 0 for step in way["steps"])
    whole = json.loads((await parley(stack, "trace", received["conversation"], "--json")).out)
    assert [one["message"] for one in whole] == [received["message"]["id"], replied.lines[0]["message_id"]]
    assert whole[0]["steps"][0]["place"] == "webhook"

    shown = await parley(
        stack, "tail", "--from-beginning", "--no-follow", "--conversation", received["conversation"][:13]
    )
    assert words in shown.out
    assert answer in shown.out
    short, message = received["conversation"][:8], received["message"]["id"][:8]
    assert all(f"{short} " in line and "telegram" in line for line in shown.out.splitlines())
    assert all(who in shown.out for who in ("សុខ ដារ៉ា", "  cli  "))
    assert received["message"]["id"] in (await parley(stack, "trace", message)).out
    assert len(json.loads((await parley(stack, "trace", short, "--json")).out)) == 2
    assert (await parley(stack, "reply", short, "and by a short name", *PATIENTLY)).code == 0


async def test_an_answer_is_changed_and_taken_back_where_the_customer_sees_it(stack: Any) -> None:
    words, answer, better = (f"{what} {uuid.uuid4().hex[:8]}" for what in ("តើបើកទេ", "បើក", "បើកម៉ោង ៧"))
    async with phone(stack) as dara, tailing(stack, "--from-beginning") as records:
        await dara.says(words)
        received = await first(records, "message.received", words)
        replied = await parley(stack, "reply", received["conversation"], answer, "--json", *PATIENTLY)
        message = replied.lines[0]["message_id"]
        edited = await parley(stack, "edit", message, better, "--json", *PATIENTLY)
        assert [line["event"] for line in edited.lines] == ["requested", "request.accepted", "message.edited"]
        await dara.hears(better)
        assert await dara.heard(answer) == 0
        again = await parley(stack, "edit", message, better, *PATIENTLY)
        assert again.code == 0, "what is so already is no failure"
        reacted = await parley(stack, "react", received["message"]["id"], "🙏", "--json", *PATIENTLY)
        assert (reacted.code, reacted.lines[-1]["event"]) == (0, "message.reaction")
        assert await dara.shows(words) == {"bot": ["🙏"]}
        deleted = await parley(stack, "delete", message, "--json", *PATIENTLY)
        assert (deleted.code, deleted.lines[-1]["event"]) == (0, "message.deleted")
        assert await dara.heard(better) == 0
    refused = {
        "seen": await parley(stack, "seen", received["message"]["id"], "--json", *PATIENTLY),
        "edit": await parley(stack, "edit", received["message"]["id"], "theirs", "--json", *PATIENTLY),
        "react": await parley(stack, "react", received["message"]["id"], "🧿", "--json", *PATIENTLY),
    }
    assert {what: (told.code, told.lines[-1]["code"]) for what, told in refused.items()} == {
        "seen": (4, "unsupported"),
        "edit": (4, "refused"),
        "react": (4, "unsupported"),
    }


@pytest.mark.parametrize("channel", ["discord", "slack", "teams"])
async def test_words_grow_on_the_phone_as_they_come_and_end_as_one_message(stack: Any, channel: str) -> None:
    async with at_work(stack, Agent) as agent:
        person, asked = someone(agent.town, channel, random.randrange(10**7, 10**8)), uuid.uuid4().hex
        await person.writes(asked)
        place = (await agent.hears(asked))["conversation"]
        written, shown = "ម៉ោង", set[str]()
        process = await asyncio.create_subprocess_exec(
            *argv(stack, "grow", place, "--json", *PATIENTLY), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )  # fmt: skip
        assert process.stdin
        process.stdin.write(written.encode()[:-1])  # a letter in two pieces
        process.stdin.write(written.encode()[-1:])

        async def has_grown() -> bool:
            """What is shown late is not shown at all: more words come."""
            nonlocal written
            written += " ៧"
            process.stdin.write(" ៧".encode())
            await asyncio.sleep(1)
            texts = [one.text for one in await person.reads()]
            assert len(texts) <= 1
            shown.update(texts)
            return len(shown) > 1

        await until(has_grown)
        assert all(written.startswith(text) for text in shown)
        out, _ = await process.communicate(b"")  # its end
        assert process.returncode == 0
        assert [json.loads(line)["event"] for line in out.splitlines()][:2] == ["requested", "message.queued"]
        assert [one.text for one in await person.reads()] == [written]


async def test_a_reply_to_nowhere_and_a_send_from_nobody_are_refused_with_the_reason(stack: Any) -> None:
    nowhere = await parley(stack, "reply", str(uuid.uuid4()), "hello", "--json", *PATIENTLY)
    assert (nowhere.code, nowhere.lines[-1]["code"]) == (4, "unknown_conversation")
    nobody = await parley(stack, "send", "telegram", "nobody", "7", "hello", "--json", *PATIENTLY)
    assert (nobody.code, nobody.lines[-1]["code"]) == (4, "unknown_account")


async def test_a_message_that_the_provider_refuses_ends_with_its_reason(stack: Any) -> None:
    told = await parley(stack, "send", "telegram", "sandbox", "999999999999", "hello", "--json", *PATIENTLY)
    assert told.code == 6
    assert told.lines[-1]["status"] == "failed"
    assert told.lines[-1]["code"]


async def test_what_is_not_there_is_told(stack: Any) -> None:
    assert (await parley(stack, "trace", str(uuid.uuid4()))).code == 3
    for name, code in (("not-an-id", 2), ("00000000", 3)):
        for told in (await parley(stack, "reply", name, "hello"), await parley(stack, "trace", name)):
            assert (told.code, len(told.err.splitlines())) == (code, 1)


async def test_the_stack_is_well(stack: Any) -> None:
    assert (await parley(stack, "status", "--json")).code == 0
    assert (await parley(stack, "topics", "plan")).code == 0
    assert (await parley(stack, "migrate", "--check")).code == 0
    assert (await parley(stack, "offsets", "show")).code == 0
    told = json.loads((await parley(stack, "doctor", "--json")).out)
    assert [one for one in told if one["level"] != "ok" and one["check"] != "dead letters"] == []
    ready = {one["said"] for one in told if one["check"] == "services"}
    assert ready == {f"{name} is ready" for name in stack.addresses.services}
