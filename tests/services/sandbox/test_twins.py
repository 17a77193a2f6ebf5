"""Every twin is its provider to the channel that speaks to it: what people do is verified and read, what is sent shows."""

from __future__ import annotations

import ast
import asyncio
import base64
import inspect
import itertools
import re
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeGuard, TypeVar

import pytest
from aiohttp import ClientSession, FormData, WSMsgType, web
from aiohttp.test_utils import TestClient, TestServer

from deploy.local.accounts import write_accounts
from deploy.local.home import SERVICES, SMTP, choose_port
from deploy.local.services import make_addresses
from services.chat_adapter import registry as chat
from services.sandbox.failures import failures, refusals
from services.sandbox.faults import Control
from services.sandbox.shelf import Shelf
from services.sandbox.twins import TWINS
from services.sandbox.twins.serviced import service_account
from services.sandbox.twins.twin import Kit, Twin
from services.social_adapter import registry as social
from shared.adapter.files import Files
from shared.contract.channel import (
    Account,
    App,
    Channel,
    Context,
    DeletePiece,
    EditPiece,
    Frame,
    Message,
    Piece,
    Publish,
    React,
    Receipt,
    Receive,
    Request,
    Send,
    Steps,
)
from shared.contract.envelope import Call, Choice, Choices, Deletion, Edit, Media, Notice, Option, Text
from shared.contract.errors import AlreadySent, RouteGone, SendFailed
from shared.inbound import translate
from shared.provider.bodies import transformed
from shared.provider.calls import Caller, Principal
from shared.provider.contexts import Contexts
from shared.provider.exchange import Driver
from shared.provider.keys import Keyring
from shared.runtime.accounts import load
from shared.runtime.settings import Settings
from shared.storage.blobs import Blobs
from tests.patience import SECONDS
from tests.pictures import PIXEL
from tests.services.sandbox.conftest import Sandbox

T = TypeVar("T")

CHANNELS: dict[str, Channel] = {**chat.CHANNELS, **social.CHANNELS}
KINDS = {twin.channel: twin for twin in TWINS}
WRITTEN = [name for name, twin in KINDS.items() if twin.writes]
JSON = {"Content-Type": "application/json"}
NONSENSE = (b"", b"{", b"[]", b"null", b'{"a": null}', b"\xff\xfe", b'{"a":' * 5000, b'{"id": [], "to": {}, "text": 7}')


@dataclass
class Business:
    """A channel with the account of the first start, whose webhooks come to a port that really listens."""

    sandbox: Sandbox
    channel: Channel
    app: App
    account: Account
    address: str
    caller: Caller
    contexts: Contexts
    bodies: asyncio.Queue[Request | bytes]
    blobs: Blobs
    sent: set[str] = field(default_factory=set)
    listening: asyncio.Task[None] | None = None
    cursor: Mapping[str, Any] = field(default_factory=dict)
    polled: list[Any] = field(default_factory=list)

    @property
    def person(self) -> str:
        prefix, width = KINDS[self.channel.name].person
        return prefix + "1".zfill(width)

    async def says(self, **values: Any) -> str:
        """Something that the person does; the message's name."""
        url = f"{self.sandbox.address}/phone/{self.channel.name}/{self.account.key}/{self.person}/send"
        given = {"data": values["form"]} if "form" in values else {"json": {"name": "តារា", **values}}
        async with self.sandbox.client.post(url, headers=self.sandbox.bearer, **given) as answer:
            assert answer.status == 200, await answer.text()
            return str((await answer.json())["id"])

    async def shows(self) -> list[dict[str, Any]]:
        url = f"{self.sandbox.address}/phone/{self.channel.name}/{self.account.key}/{self.person}/messages"
        async with self.sandbox.client.get(url, headers=self.sandbox.bearer) as answer:
            return list((await answer.json())["messages"])

    async def reads(self) -> Message:
        """The next event of a person, verified and read as the adapter does. Who deleted, Discord does not say."""
        while (message := await self._reads()).echo or self._took_back(message):
            pass
        return message

    def _took_back(self, message: Message) -> bool:
        part = message.parts[0]
        return isinstance(part, Deletion) and part.target in self.sent

    async def _reads(self) -> Message:
        """Receipts come between."""
        if self.channel.poll and self.channel.polled(self.account):
            return await self._polls()
        while True:
            async with asyncio.timeout(SECONDS):
                request = await self.bodies.get()
            context = await self.contexts.of(self.channel, self.app)
            if isinstance(request, bytes):
                found = translate.read_page(self.channel, self.account, request, context)
            else:
                translate.verify(self.channel, self.app, request, context)
                found = translate.read(self.channel, self.app, translate.unpacked(self.channel, request), context)
            if found and not all(isinstance(one, Receipt) for one in found):
                break
        (message,) = found
        assert isinstance(message, Message)
        assert message.account_key == self.account.key
        return message

    async def _polls(self) -> Message:
        """A channel that tells nothing is asked until there is something."""
        async with asyncio.timeout(SECONDS):
            while not self.polled:
                page = await self.asks(partial(self.channel.poll, self.account, self.cursor))
                self.cursor = page.cursor
                self.polled += page.records
                await asyncio.sleep(0.01)
        return self.polled.pop(0)

    async def sends(self, part: Any, message: Message, *, account: Account | None = None, **more: Any) -> str:
        """An answer; the first of its names, where the provider tells them at once."""
        piece = Piece(id=more.pop("id", "0d2f2c0e-6b1c-5c1e-8f43-0a8f1b3d9a11"), to=message.peer, part=part, **more)
        account = account or self.account
        sent = await self.asks(partial(self.channel.outbound, account, piece), account=account)
        self.sent |= {*sent.external_ids}
        return next(iter(sent.external_ids), "")

    async def listens(self) -> None:
        """Keep the channel's socket open where it was; frames that say something are told as webhooks are."""
        connect, socket = self.channel.connect, self.channel.socket
        assert connect
        assert socket
        url = await self.asks(lambda context: connect(self.account, self.cursor, context))
        async with self.caller.socket(url) as wire:
            context, frame = await self.contexts.of(self.channel, self.account), b""
            steps = socket(self.account, self.cursor, context)
            step = next(steps)
            while True:
                answer = Frame(now=datetime.now(UTC))
                match step:
                    case Send():
                        await wire.send_str(step.frame.decode())
                    case Publish():
                        self.cursor = self.cursor if step.cursor is None else step.cursor
                        if step.records:
                            self.bodies.put_nowait(frame)
                    case Receive():
                        message = await wire.receive()
                        if message.type is not WSMsgType.TEXT:
                            return
                        frame = message.data.encode()
                        answer = Frame(now=datetime.now(UTC), data=frame)
                step = steps.send(answer)

    async def hangs_up(self) -> None:
        if self.listening:
            self.listening.cancel()
            await asyncio.gather(self.listening, return_exceptions=True)

    async def asks(self, steps: Callable[[Context], Steps[T]], *, account: Account | None = None) -> T:
        """An exchange with the provider, by an access token where it gives those."""
        principal, drive = (
            Principal(channel=self.channel, account=account or self.account),
            Driver(self.caller, self.contexts),
        )
        if self.channel.refresh is None:
            return await drive(steps, principal)
        token = await drive(partial(self.channel.refresh, principal.account, None), principal)
        return await drive(lambda context: steps(replace(context, token=token.value)), principal)


def where(can: Callable[[Channel], object]) -> Any:
    """Only the channels that can."""
    names = [name for name in WRITTEN if can(CHANNELS[name])]
    return pytest.mark.parametrize("business", names, indirect=True, scope="module")


@pytest.fixture(params=WRITTEN, scope="module")
async def business(request: Any, tmp_path_factory: Any) -> AsyncIterator[Business]:
    folder: Path = tmp_path_factory.mktemp(request.param)
    bodies: asyncio.Queue[Request | bytes] = asyncio.Queue()

    async def take(incoming: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in incoming.headers.items()}
        url, query = str(incoming.url), dict(incoming.query)
        got = Request(method=incoming.method, url=url, headers=headers, query=query, body=await incoming.read())
        bodies.put_nowait(got)
        answer = channel.accepted(app, got, await contexts.of(channel, app))
        return web.Response(status=answer.status, headers=dict(answer.headers), body=answer.body)

    settings = Settings(blobs=(folder / "blobs").as_uri(), secret="s" * 40)
    blobs = Blobs.open(settings.blobs)
    server = web.Application()
    server.add_routes(Files(settings, blobs).routes())
    server.router.add_route("*", "/hooks/{channel}/{app}{behind:.*}", take)
    runner = web.AppRunner(server, auto_decompress=False)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    adapter = f"http://127.0.0.1:{runner.addresses[0][1]}"
    ports = free_ports()
    accounts = folder / "accounts.toml"
    write_accounts(accounts, make_addresses(ports, kafka="", database="", token=""))
    known = load(accounts, CHANNELS)
    channel = CHANNELS[request.param]
    account = next(one for name, one in known.all() if name == channel.name)
    app = known.app(channel.name, account.receiver) or channel.app(name=account.receiver)
    settings = settings.model_copy(update={"public_url": adapter})
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(ClientSession())
        caller = await stack.enter_async_context(Caller(blobs))
        sandbox = Sandbox(client, ports["sandbox"], folder / "sandbox")
        await sandbox.start(PARLEY_ACCOUNTS=str(accounts), PARLEY_SANDBOX_CHAT=adapter, PARLEY_SANDBOX_SOCIAL=adapter)
        contexts = Contexts(settings, keyring=Keyring(caller))
        found = Business(sandbox, channel, app, account, adapter, caller, contexts, bodies, blobs)
        if channel.register:
            await found.asks(partial(channel.register, app, account))
        if channel.socket and channel.shards(account):
            found.listening = asyncio.create_task(found.listens())
        yield found
        await found.hangs_up()
        assert await sandbox.end() == 0
    await runner.cleanup()


def free_ports() -> dict[str, int]:
    ports: dict[str, int] = {}
    for name in (*SERVICES, *(f"{name}_smtp" for name in SMTP)):
        ports[name] = choose_port(set(ports.values()))
    return ports


async def test_a_message_and_its_answer_travel(business: Business) -> None:
    said = await business.says(text="សួស្តី 👨‍👩‍👧‍👦")
    message = await business.reads()
    assert message.parts == (Text(text="សួស្តី 👨‍👩‍👧‍👦"),)
    assert (message.external_ids or (message.external_id,))[-1] == said
    sent = await business.sends(Text(text="ជំរាបសួរ"), message, id="1f2f2c0e-6b1c-5c1e-8f43-0a8f1b3d9a11")
    assert [(view["id"], view["text"]) for view in await business.shows() if view["direction"] == "in"][-1] == (
        sent,
        "ជំរាបសួរ",
    )


@where(lambda channel: channel.capabilities.choices == "full")
async def test_a_choice_that_is_offered_can_be_pressed(business: Business) -> None:
    await business.says(text="a table, please")
    message = await business.reads()
    options = (Option(id="am", title="ព្រឹក"), Option(id="pm", title="ល្ងាច"))
    sent = await business.sends(
        Choices(text="When?", options=options), message, id="2f2f2c0e-6b1c-5c1e-8f43-0a8f1b3d9a11"
    )
    shown = next(view for view in await business.shows() if view["id"] == sent)
    assert [choice["title"] for choice in shown["choices"]] == ["ព្រឹក", "ល្ងាច"]
    await business.says(press={"message": sent, "id": shown["choices"][1]["id"]})
    (pressed,) = (await business.reads()).parts
    assert isinstance(pressed, Choice)
    assert pressed.id == "pm"


@where(lambda channel: channel.fetch)
async def test_a_file_of_a_person_can_be_fetched(business: Business) -> None:
    form = FormData()
    form.add_field("file", PIXEL, filename="menu.png", content_type="image/png")
    await business.says(form=form)
    (part,) = [part for part in (await business.reads()).parts if isinstance(part, Media)]
    download = await business.asks(partial(business.channel.fetch, business.account, part))
    principal = Principal(channel=business.channel, account=business.account)
    async with business.caller.download(download.request, principal) as answer:
        assert b"".join([chunk async for chunk in transformed(answer.chunks, download.decrypt)]) == PIXEL


@where(lambda channel: channel.capabilities.media.get("image") == "full")
async def test_a_file_of_the_business_shows_as_it_is(business: Business) -> None:
    channel, account = business.channel, business.account
    await business.says(text="the menu, please")
    message = await business.reads()
    stored = await business.blobs.put_bytes("default", PIXEL)
    picture = Media(
        media="image", state="stored", blob=stored.ref, size=stored.size, mime_type="image/png", name="m.png"
    )
    handle = (await business.asks(partial(channel.upload, account, picture))).value if channel.upload else None
    await business.sends(picture, message, handle=handle, id="5f2f2c0e-6b1c-5c1e-8f43-0a8f1b3d9a11")
    shown = [view["media"] for view in await business.shows() if view["direction"] == "in" and "media" in view][-1]
    url = f"{business.sandbox.address}/phone/{channel.name}/{account.key}/{business.person}/files/{shown['id']}"
    async with business.sandbox.client.get(url, headers=business.sandbox.bearer) as answer:
        assert (answer.status, await answer.read()) == (200, PIXEL)


async def test_what_a_person_changes_is_told(business: Business) -> None:
    can = KINDS[business.channel.name].can
    said = await business.says(text="one")
    names = await business.reads()
    known = {*names.external_ids, names.external_id}
    if "edit" in can:
        await business.says(edit={"message": said, "text": "two"})
        edit, text = (await business.reads()).parts
        assert isinstance(edit, Edit)
        assert (edit.target in known, text) == (True, Text(text="two"))
    if "remove" in can:
        await business.says(remove={"message": said})
        (deletion,) = (await business.reads()).parts
        assert isinstance(deletion, Deletion)
        assert deletion.target in known


@where(lambda channel: channel.amend and {"edit", "delete"} <= channel.capabilities.changes.keys())
async def test_what_the_business_changes_shows_on_the_phone(business: Business) -> None:
    amend, changes = business.channel.amend, business.channel.capabilities.changes
    said = await business.says(text="which day?")
    message = await business.reads()
    sent = await business.sends(Text(text="on Munday"), message, id="5f2f2c0e-6b1c-5c1e-8f43-0a8f1b3d9a11")
    at = {"to": message.peer, "external_id": sent}
    await business.asks(partial(amend, business.account, EditPiece(**at, part=Text(text="on Monday"))))
    if "react" in changes:
        await business.asks(partial(amend, business.account, React(**{**at, "external_id": said}, emoji="👍")))
    views = {view["id"]: view for view in await business.shows()}
    assert views[sent]["text"] == "on Monday"
    assert ("👍" in str(views[said].get("reactions"))) == ("react" in changes)
    for _ in range(2):
        with suppress(AlreadySent):
            await business.asks(partial(amend, business.account, DeletePiece(**at)))
    assert next(view for view in await business.shows() if view["id"] == sent)["removed"]


@where(lambda channel: channel.grow)
async def test_an_answer_that_grows_ends_where_it_grew_and_nothing_is_told_before(business: Business) -> None:
    grow = business.channel.grow
    await business.says(text="which day?")
    message = await business.reads()
    name, count = None, len(await business.shows())
    for text in ("on", "on Mon"):
        piece = Piece(id="6f2f2c0e-6b1c-5c1e-8f43-0a8f1b3d9a11", to=message.peer, part=Text(text=text), grown=name)
        name = await business.asks(partial(grow, business.account, piece))
        assert (await business.shows())[-1]["text"] == text
    sent = await business.sends(Text(text="on Monday"), message, id=piece.id, grown=name)
    views = await business.shows()
    assert (len(views), views[-1]["id"], views[-1]["text"]) == (count + 1, sent, "on Monday")
    await business.says(text="thanks")
    assert (await business._reads()).parts == (Text(text="thanks"),)


async def test_every_no_that_the_provider_documents_can_be_had_by_its_name(business: Business) -> None:
    channel = business.channel.name
    await business.says(text="hello")
    message = await business.reads()
    for name in refusals()[channel]:
        await business.sandbox.control(reset=True, refuse={channel: {"name": name}})
        with pytest.raises((SendFailed, RouteGone)) as failed:
            await business.sends(Text(text="x"), message, id=str(uuid.uuid4()))
        code = failures(channel)[name][
            "code"
        ]  # what was asked to be sent, and broke inside the provider, may have been
        assert getattr(failed.value, "reason", "expired") in {code, "unknown" if code == "unreachable" else code}, name
    await business.sandbox.control(reset=True)
    await business.sends(Text(text="and then it goes on"), message, id=str(uuid.uuid4()))
    assert "and then it goes on" in str(await business.shows())


@pytest.mark.parametrize("kind", TWINS, ids=KINDS)
async def test_a_call_that_cannot_be_read_is_refused_and_breaks_nothing(
    kind: type[Twin], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whoever has the credentials: the routes are those of the twin, whatever they are given."""
    accounts = tmp_path / "accounts.toml"
    write_accounts(accounts, make_addresses(free_ports(), kafka="", database="", token=""))
    monkeypatch.setattr(kind, "allowed", lambda *_: True)
    async with ClientSession() as client:
        shelves = lambda name: Shelf(None, name)  # noqa: E731
        twin = kind(Kit(shelf=shelves, control=Control(shelves("c")), client=client, accounts=accounts, hooks={}))
        server = web.Application()
        routes = list(twin.calls())
        server.add_routes(routes)
        async with TestClient(TestServer(server)) as caller:
            for route, body in itertools.product(routes, NONSENSE):
                path = re.sub(r"\{\w+\}", "x", route.path)
                async with caller.request(route.method, path, data=body, headers=JSON) as answer:
                    assert answer.status < 500, (route.method, path, body[:40])
        await twin.close()


@pytest.mark.parametrize("twin", TWINS)
def test_every_no_of_a_twin_is_documented(twin: type[Twin]) -> None:
    tree = ast.parse(inspect.getsource(inspect.getmodule(twin) or twin))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "self.no"]
    named = {node.value for call in calls for arg in call.args[:1] for node in ast.walk(arg) if is_word(node)}
    assert named - failures(twin.channel).keys() == set()
    assert {twin.stranger, twin.malformed} - failures(twin.channel).keys() <= {"malformed"}


def is_word(node: ast.AST) -> TypeGuard[ast.Constant]:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


@pytest.mark.parametrize("business", ["voicemail"], indirect=True, scope="module")
async def test_a_call_is_recorded_written_down_and_answered_by_text_and_by_a_call_back(business: Business) -> None:
    call = await business.says(text="Do you have a table for four?")
    rings, recorded, written = [await business.reads() for _ in range(3)]
    assert (rings.external_id, rings.parts) == (call, (Call(outcome="missed"),))
    assert recorded.parts[:2] == (Edit(target=call), Call(outcome="voicemail", seconds=2))
    (sound,) = [part for part in recorded.parts if isinstance(part, Media)]
    fetched = await business.asks(partial(business.channel.fetch, business.account, sound))
    assert fetched.request.url.endswith(".mp3")
    assert written.parts[-1] == Text(text="Do you have a table for four?")
    await business.sends(Text(text="Yes, at eight"), rings)
    kept = await business.blobs.put_bytes("default", b"a sound")
    back = Media(media="audio", state="stored", blob=kept.ref, size=7, mime_type="audio/mpeg", name="yes.mp3")
    await business.sends(back, rings)
    answers = [view for view in await business.shows() if view["direction"] == "in"]
    assert [view.get("text") or view["media"]["kind"] for view in answers] == ["Yes, at eight", "audio"]


async def test_credentials_of_nobody_are_refused_as_the_provider_does(business: Business) -> None:
    await business.says(text="hello")
    message = await business.reads()
    nobodys = base64.b64encode(b"the secret of nobody who is known here").decode()
    others = {
        **dict.fromkeys(("token", "password", "secret", "refresh_token"), nobodys),
        "credentials": service_account(),
    }
    secrets = {name: other for name, other in others.items() if name in type(business.account).model_fields}
    stranger = business.account.model_validate({**business.account.model_dump(), **secrets})
    with pytest.raises(SendFailed) as failed:
        await business.sends(Text(text="x"), message, account=stranger, id="3f2f2c0e-6b1c-5c1e-8f43-0a8f1b3d9a11")
    assert failed.value.reason == "auth"


@where(lambda channel: not channel.poll)
async def test_what_comes_twice_is_the_same_and_what_fails_comes_again(business: Business) -> None:
    await business.sandbox.control(twice=True)
    await business.says(text="once")
    first, again = await business.reads(), await business.reads()
    await business.sandbox.control(reset=True)
    assert first.event_key == again.event_key


@where(lambda channel: channel.capabilities.idempotent_for)
async def test_a_piece_that_is_sent_twice_shows_once_where_the_provider_knows_it(business: Business) -> None:
    await business.says(text="again")
    message = await business.reads()
    for _ in range(2):
        try:
            await business.sends(Text(text="only once"), message, id="4f2f2c0e-6b1c-5c1e-8f43-0a8f1b3d9a11")
        except AlreadySent as known:
            assert known.external_ids
    assert [view.get("text") for view in await business.shows()].count("only once") == 1


@where(lambda channel: channel.name == "discord")  # the one whose account of the first start keeps a socket
async def test_what_is_said_while_nobody_listens_comes_when_the_socket_is_resumed(business: Business) -> None:
    await business.says(text="one")
    assert (await business.reads()).parts == (Text(text="one"),)
    await business.hangs_up()
    for text in ("two", "three"):
        await business.says(text=text)
    business.listening = asyncio.create_task(business.listens())
    assert [(await business.reads()).parts for _ in range(2)] == [(Text(text="two"),), (Text(text="three"),)]


async def test_who_blocks_is_told_where_the_provider_tells(business: Business) -> None:
    await business.says(text="bye")
    await business.reads()
    await business.says(block=True)
    async with business.sandbox.client.get(f"{business.sandbox.address}/health/live") as answer:
        assert answer.status == 200
    notices = [part for _ in range(business.bodies.qsize()) for part in (await business.reads()).parts]
    await business.says(text="back")
    told = [(await business.reads()).parts[0]]
    while not business.bodies.empty() or not isinstance(told[-1], Text):
        told.append((await business.reads()).parts[0])
    assert told[-1] == Text(text="back")
    assert all(isinstance(part, Notice) for part in [*notices, *told[:-1]])


async def test_phones_know_how_the_apps_are_shown(business: Business) -> None:
    async with business.sandbox.client.get(
        f"{business.sandbox.address}/phone/apps", headers=business.sandbox.bearer
    ) as answer:
        apps = {app["channel"] for app in (await answer.json())["apps"]}
    assert apps == KINDS.keys()
    assert apps <= CHANNELS.keys()
