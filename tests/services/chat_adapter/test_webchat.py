"""Web chat over real HTTP, WebSocket, Kafka and PostgreSQL: who may talk, that nothing is lost or doubled, and in which order it shows."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType, WSServerHandshakeError
from pydantic import SecretStr, ValidationError
from yarl import URL

from deploy.local.home import Addresses
from services.chat_adapter.webchat import retention, socket as window_socket, transcript as sql
from services.chat_adapter.webchat.answers import Refused
from services.chat_adapter.webchat.attachments import clean_name
from services.chat_adapter.webchat.channel import App
from services.chat_adapter.webchat.door import client_address, is_allowed
from services.chat_adapter.webchat.limits import Limits
from services.chat_adapter.webchat.pages import SOURCES, VERSION
from services.chat_adapter.webchat.session import (
    LIFETIME,
    RENEWABLE,
    Opening,
    User,
    open_session,
    read_session_token,
    write_session_token,
)
from services.chat_adapter.webchat.transcript import Said, Transcript
from shared.contract.channel import DeletePiece, EditPiece, MarkSeen, Piece
from shared.contract.envelope import Choices, Media, Option, Proof, Text
from shared.contract.errors import SendFailed, Unverified
from shared.contract.seal import seal, unseal
from shared.runtime import crowd
from shared.runtime.settings import Kept, Settings
from shared.storage.database import open_pool
from tests.patience import SECONDS, until
from tests.services.chat_adapter.running import IDENTITY_SECRET, SECRET, Running, running, text, world_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SHOP = App(
    name="shop", secret=SecretStr(SECRET), identity_secret=SecretStr(IDENTITY_SECRET), origins=("https://shop.example",)
)
PNG = b"\x89PNG\r\n\x1a\n" + b"picture" * 1000


@pytest.fixture(scope="module")
async def world(servers: Addresses, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Settings]:
    async with world_of(servers, tmp_path_factory.mktemp("webchat")) as settings:
        yield settings


@pytest.fixture(scope="module")
async def chat(world: Settings) -> AsyncIterator[Running]:
    async with running(world, origins=["https://shop.example"], sessions_per_minute=10_000) as started:
        yield started


def signed(*said: str) -> str:
    return hmac.new(IDENTITY_SECRET.encode(), "\n".join(said).encode(), hashlib.sha256).hexdigest()


def site_token(secret: str | None = IDENTITY_SECRET, **told: Any) -> str:
    """As the site's server says it of user 42."""
    claims = {"sub": "42", "exp": int(NOW.timestamp()) + 300, **told}
    said = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(said, secret or "", algorithm="HS256" if secret else "none")


async def post(chat: Running, token: str, **message: Any) -> tuple[int, Any, Any]:
    return await chat.ask("POST", "messages", token=token, json={"client_id": str(uuid.uuid4()), **message})


@asynccontextmanager
async def window(chat: Running, token: str, cursor: int = 0, **headers: str) -> AsyncIterator[ClientWebSocketResponse]:
    """An open window that has said hello."""
    async with chat.client.ws_connect(
        f"{chat.base}/socket", protocols=("parley.webchat.v1",), headers={"Origin": chat.origin, **headers}
    ) as socket:
        await socket.send_json({"type": "hello", "token": token, "cursor": cursor})
        yield socket


async def next_frame(socket: ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(SECONDS):
        while True:
            frame = json.loads(await socket.receive_str())
            if frame["type"] == kind:
                return dict(frame)


async def close_code(socket: ClientWebSocketResponse) -> int | None:
    async with asyncio.timeout(SECONDS):
        while (message := await socket.receive()).type is WSMsgType.TEXT:
            pass
    return message.data if message.type is WSMsgType.CLOSE else socket.close_code


class TestSession:
    """Who a visitor is."""

    def test_an_anonymous_visitor_gets_an_address_that_nobody_can_guess(self) -> None:
        one, other = (open_session(SHOP, Opening(), NOW) for _ in range(2))
        assert one.address != other.address
        assert one.address.startswith("visitor:")
        assert len(one.address) >= len("visitor:") + 24
        assert (one.party.verified, one.expires_at) == ("session", NOW + LIFETIME)

    def test_a_signed_user_is_known_by_the_sites_own_id(self) -> None:
        visitor = open_session(SHOP, Opening(user=User(id="42", name="សុភា", signature=signed("42"))), NOW)
        assert (visitor.address, visitor.verified, visitor.party.name) == ("user:42", "signature", "សុភា")
        assert not visitor.party.name_verified

    def test_a_name_is_the_sites_word_only_where_the_signature_is_over_it_too(self) -> None:
        user = User(id="42", name="សុភា", email="a@b.example", signature=signed("42", "សុភា"))
        visitor = read_session_token(SHOP, write_session_token(SHOP, open_session(SHOP, Opening(user=user), NOW)), NOW)
        assert (visitor.address, visitor.party.name, visitor.party.name_verified) == ("user:42", "សុភា", True)
        for other in ({"name": "the manager"}, {"name": None}, {"id": "43"}, {"id": "42\nសុភា", "name": None}):
            with pytest.raises((Unverified, ValidationError)):
                open_session(SHOP, Opening(user=User(**(user.model_dump() | other))), NOW)
        assert not open_session(SHOP, Opening(user=User(name="សុភា")), NOW).party.name_verified

    @pytest.mark.parametrize("signature", ["", "00", "zz", signed("43"), signed("42")[:-2], signed("42") + "00"])
    def test_a_wrong_signature_opens_nothing(self, signature: str) -> None:
        with pytest.raises(Unverified):
            open_session(SHOP, Opening(user=User(id="42", signature=signature)), NOW)

    def test_an_address_is_proved_where_the_site_says_that_it_has_seen_it(self) -> None:
        told = {"name": "សុភា", "email": "Dara@Example.org", "email_verified": True, "phone_number": "+855 12 345 678"}
        user = User(id="42", name="the manager", email="x@y.example", token=site_token(**told))
        party = open_session(SHOP, Opening(user=user), NOW).party
        assert (party.address, party.verified, party.name, party.name_verified) == ("user:42", "signature", "សុភា", True)
        assert party.proofs == (Proof(kind="email", value="dara@example.org", by="signature"),)
        assert (party.email, party.phone) == ("Dara@Example.org", "+855 12 345 678")
        visitor = open_session(
            SHOP, Opening(user=User(id="42", token=site_token(**told, phone_number_verified=True))), NOW
        )
        kept = read_session_token(SHOP, write_session_token(SHOP, visitor), NOW).party
        assert [proof.value for proof in kept.proofs] == ["dara@example.org", "+85512345678"]

    def test_an_address_beside_a_token_or_a_signature_proves_nothing(self) -> None:
        for proof in ({"token": site_token()}, {"signature": signed("42")}):
            user = User(id="42", email="manager@shop.example", phone="+85512345678", **proof)
            assert open_session(SHOP, Opening(user=user), NOW).party.proofs == ()

    @pytest.mark.parametrize(
        "token",
        [
            "",
            "a.b.c",
            pytest.param(lambda: site_token(sub="43"), id="of another"),
            pytest.param(lambda: site_token(exp=int(NOW.timestamp())), id="ended"),
            pytest.param(lambda: site_token(exp=None), id="endless"),
            pytest.param(lambda: site_token(secret="another secret of thirty-two letters"), id="of another secret"),
            pytest.param(lambda: site_token(secret=None), id="unsigned"),
            pytest.param(lambda: site_token(email=["a@b.example"]), id="of another shape"),
        ],
    )
    def test_a_token_that_is_not_the_sites_for_this_user_now_opens_nothing(
        self, token: str | Callable[[], str]
    ) -> None:
        told = token if isinstance(token, str) else token()
        with pytest.raises(Unverified):
            open_session(SHOP, Opening(user=User(id="42", token=told, signature=signed("42"))), NOW)

    def test_without_an_identity_secret_no_signature_counts(self) -> None:
        with pytest.raises(Unverified):
            open_session(
                SHOP.model_copy(update={"identity_secret": None}),
                Opening(user=User(id="42", signature=signed("42"))),
                NOW,
            )

    def test_an_unsigned_claim_is_a_hint_and_no_identity(self) -> None:
        visitor = open_session(SHOP, Opening(user=User(id="42", email="a@b.example")), NOW)
        assert visitor.address.startswith("visitor:")
        assert (visitor.party.email, visitor.verified) == ("a@b.example", "session")

    def test_an_old_token_goes_on_with_the_same_visitor_even_after_its_end(self) -> None:
        old = open_session(SHOP, Opening(), NOW)
        late = NOW + LIFETIME + timedelta(days=60)
        assert open_session(SHOP, Opening(token=write_session_token(SHOP, old)), late).address == old.address
        too_late = NOW + LIFETIME + RENEWABLE
        assert open_session(SHOP, Opening(token=write_session_token(SHOP, old)), too_late).address != old.address

    def test_a_signed_users_token_is_not_renewed_without_the_signature(self) -> None:
        user = open_session(SHOP, Opening(user=User(id="42", signature=signed("42"))), NOW)
        assert open_session(SHOP, Opening(token=write_session_token(SHOP, user)), NOW).address.startswith("visitor:")

    def test_a_token_ends_after_thirty_days(self) -> None:
        token = write_session_token(SHOP, open_session(SHOP, Opening(), NOW))
        assert read_session_token(SHOP, token, NOW + LIFETIME - timedelta(seconds=1)).app == "shop"
        with pytest.raises(Unverified):
            read_session_token(SHOP, token, NOW + LIFETIME)

    def test_no_changed_token_is_taken(self) -> None:
        token = write_session_token(SHOP, open_session(SHOP, Opening(), NOW))
        payload, _, signature = token.partition(".")
        other = write_session_token(SHOP, open_session(SHOP, Opening(), NOW)).partition(".")[0]
        for forged in ("", ".", payload, f"{other}.{signature}", f"{payload}.", f"{payload}.{signature[:-4]}", "ៗ.ៗ"):
            with pytest.raises(Unverified):
                read_session_token(SHOP, forged, NOW)

    def test_a_token_is_good_for_its_own_app_and_purpose_only(self) -> None:
        token = write_session_token(SHOP, open_session(SHOP, Opening(), NOW))
        with pytest.raises(Unverified):
            read_session_token(SHOP.model_copy(update={"name": "other"}), token, NOW)
        with pytest.raises(Unverified):
            read_session_token(SHOP.model_copy(update={"secret": SecretStr("another secret, as long")}), token, NOW)
        with pytest.raises(Unverified):
            unseal(SHOP.secret, "webchat download", seal(SHOP.secret, "webchat upload", b"{}"))

    def test_an_origin_with_a_path_or_wildcard_is_a_mistake_in_the_settings(self) -> None:
        for wrong in ("https://*.shop.example", "https://shop.example/", "shop.example", "null", "*"):
            with pytest.raises(ValidationError):
                App(name="shop", secret=SecretStr(SECRET), origins=(wrong,))


class TestDoor:
    """Which pages and addresses may talk to the server."""

    def request(self, remote: str = "10.0.0.1", **headers: str) -> Any:
        from aiohttp.test_utils import make_mocked_request

        named = {name.replace("_", "-"): value for name, value in headers.items()}
        made = make_mocked_request("POST", "/webchat/shop/session", headers={"Host": "chat.example", **named})
        return made.clone(remote=remote)

    @pytest.mark.parametrize(
        ("origin", "allowed"),
        [
            ("https://shop.example", True),
            ("http://shop.example", False),
            ("https://shop.example:8443", False),
            ("https://shop.example.evil.example", False),
            ("https://evilshop.example", False),
            ("null", False),
            ("", False),
        ],
    )
    def test_an_origin_is_allowed_when_it_is_exactly_one_of_the_apps(self, origin: str, allowed: bool) -> None:
        assert is_allowed(SHOP, self.request(Origin=origin)) is allowed

    def test_the_demonstration_page_may_talk_to_its_own_server_only_where_there_is_one(self) -> None:
        demo = SHOP.model_copy(update={"demo": True})
        assert is_allowed(demo, self.request(Origin="https://chat.example"))
        assert is_allowed(demo, self.request(Sec_Fetch_Site="same-origin"))
        assert not is_allowed(demo, self.request(Sec_Fetch_Site="cross-site"))
        assert not is_allowed(SHOP, self.request(Origin="https://chat.example"))
        assert not is_allowed(SHOP, self.request(Sec_Fetch_Site="same-origin"))

    def test_a_request_without_origin_is_let_in_only_where_the_app_says_so(self) -> None:
        assert not is_allowed(SHOP, self.request())
        assert is_allowed(SHOP.model_copy(update={"allow_no_origin": True}), self.request())

    def test_only_what_trusted_proxies_append_names_the_client(self) -> None:
        spoofed = self.request(X_Forwarded_For="1.1.1.1, 2.2.2.2, 3.3.3.3")
        assert client_address(spoofed, 0) == "10.0.0.1"
        assert client_address(spoofed, 1) == "3.3.3.3"
        assert client_address(spoofed, 2) == "2.2.2.2"
        assert client_address(self.request(X_Forwarded_For="nonsense"), 1) == "10.0.0.1"

    def test_an_ipv6_client_counts_by_its_network(self) -> None:
        one, other = self.request("2001:db8:1:2::1"), self.request("2001:db8:1:2:ffff::9")
        assert client_address(one, 0) == client_address(other, 0) == "2001:db8:1:2::"
        assert client_address(self.request("::ffff:10.0.0.7"), 0) == "10.0.0.7"

    async def test_a_foreign_page_is_refused_and_cannot_read_the_answer(self, chat: Running) -> None:
        status, body, headers = await chat.ask("POST", "session", json={}, headers={"Origin": "https://evil.example"})
        assert (status, body["error"]["code"]) == (403, "refused")
        assert "Access-Control-Allow-Origin" not in headers

    async def test_an_allowed_page_can_read_the_answer_and_when_to_come_again(self, chat: Running) -> None:
        status, _, headers = await chat.ask("POST", "session", json={}, headers={"Origin": "https://shop.example"})
        assert status == 200
        assert headers["Access-Control-Allow-Origin"] == "https://shop.example"
        assert headers["Access-Control-Expose-Headers"] == "Retry-After"
        assert "Origin" in headers.getall("Vary")
        assert "Access-Control-Allow-Credentials" not in headers

    async def test_a_preflight_allows_what_the_widget_sends_to_allowed_pages_only(self, chat: Running) -> None:
        asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
        status, _, headers = await chat.ask("OPTIONS", "messages", headers={"Origin": "https://shop.example", **asked})
        assert status == 204
        assert headers["Access-Control-Allow-Methods"] == "GET, POST"
        assert {"authorization", "content-type", "x-filename"} == set(
            headers["Access-Control-Allow-Headers"].lower().split(", ")
        )
        _, _, headers = await chat.ask("OPTIONS", "messages", headers={"Origin": "https://evil.example", **asked})
        assert "Access-Control-Allow-Origin" not in headers
        assert "Access-Control-Allow-Headers" not in headers

    async def test_a_foreign_pages_websocket_is_refused_before_it_opens(self, chat: Running) -> None:
        token = (await chat.session())["token"]
        with pytest.raises(WSServerHandshakeError) as refused:
            async with window(chat, token, Origin="https://evil.example"):
                pass
        assert refused.value.status == 403

    async def test_an_unknown_app_is_told_so(self, chat: Running) -> None:
        async with chat.client.post(f"{chat.origin}/webchat/nobody/session", json={}) as response:
            assert response.status == 404


class TestMessages:
    """What a visitor writes is on the bus before it is accepted, once."""

    async def test_an_accepted_message_is_on_kafka_under_the_visitors_verified_address(self, chat: Running) -> None:
        user = {"id": "7", "name": "Dara", "email": "dara@example.org", "signature": signed("7")}
        opened = await chat.session(user=user, locale="km-KH", time_zone="Asia/Phnom_Penh")
        status, accepted, _ = await post(chat, opened["token"], text="សួស្តី 👩‍👩‍👧\u0000 ok")
        assert status == 202
        (record,) = [record for record in await chat.inbound() if record.get("id") == accepted["id"]]
        assert record["ce_type"] == "parley.inbound.v1"
        assert record["peer"] == record["sender"]["address"] == "user:7"
        assert record["sender"] == {
            "address": "user:7",
            "name": "Dara",
            "verified": "signature",
            "email": "dara@example.org",
            "locale": "km-KH",
            "time_zone": "Asia/Phnom_Penh",
        }
        assert record["parts"] == [{"kind": "text", "text": "សួស្តី 👩‍👩‍👧\ufffd ok"}]
        assert (record["assessment"]["authentication"], record["assessment"]["kind"]) == ("signature", "human")
        assert record["external_id"] == f"user:7/{accepted['client_id']}"

    async def test_the_same_message_sent_again_is_one(self, chat: Running) -> None:
        token = (await chat.session())["token"]
        client_id = str(uuid.uuid4())
        answers = await asyncio.gather(*(post(chat, token, client_id=client_id, text="once") for _ in range(8)))
        assert {(status, body["id"]) for status, body, _ in answers} == {(202, answers[0][1]["id"])}
        await post(chat, token, text="after")
        lines = await chat.shown(token, 2)
        assert [line["parts"][0]["text"] for line in lines] == ["once", "after"]
        assert lines[0]["client_id"] == client_id

    async def test_two_visitors_with_the_same_client_id_are_two_messages(self, chat: Running) -> None:
        one, other = [(await chat.session())["token"] for _ in range(2)]
        client_id = str(uuid.uuid4())
        first = await post(chat, one, client_id=client_id, text="mine")
        second = await post(chat, other, client_id=client_id, text="mine too")
        assert first[1]["id"] != second[1]["id"]

    async def test_a_choice_names_the_message_that_offered_it(self, chat: Running) -> None:
        opened = await chat.session()
        options = (Option(id="s", title="250 g"), Option(id="m", title="500 g"))
        (sent,) = await chat.answer(opened["visitor"], Choices(text="Size?", style="quick_replies", options=options))
        (line,) = await chat.shown(opened["token"], 1)
        assert line["id"] == sent.external_ids[0]
        choice = {"id": "m", "title": "500 g", "target": line["id"]}
        _, accepted, _ = await post(chat, opened["token"], choice=choice)
        (record,) = [record for record in await chat.inbound() if record.get("id") == accepted["id"]]
        assert record["parts"] == [{"kind": "choice", **choice}]

    @pytest.mark.parametrize(
        "message",
        [
            {},
            {"text": "   "},
            {"text": "x" * 4001},
            {"text": 7},
            {"client_id": "1", "text": "x"},
            {"attachments": [{"ref": "x"}] * 11},
            {"choice": {"id": ""}},
            {"choice": {"id": "x" * 201}},
        ],
    )
    async def test_what_is_no_message_is_refused(self, chat: Running, message: dict[str, Any]) -> None:
        status, body, _ = await post(chat, (await chat.session())["token"], **message)
        assert (status, body["error"]["code"]) == (400, "malformed")

    async def test_four_thousand_characters_of_any_script_are_taken(self, chat: Running) -> None:
        status, _, _ = await post(chat, (await chat.session())["token"], text="ខ" * 4000)
        assert status == 202

    async def test_without_a_good_token_nothing_is_taken(self, chat: Running) -> None:
        for token in ("", "x", "x.y"):
            status, body, _ = await post(chat, token, text="hello")
            assert (status, body["error"]["code"]) == (401, "auth")

    async def test_an_oversized_body_is_cut_off(self, chat: Running) -> None:
        token = (await chat.session())["token"]
        status, body, _ = await chat.ask("POST", "messages", token=token, data=b"{" + b" " * 70_000 + b"}")
        assert (status, body["error"]["code"]) == (413, "too_long")

    async def test_while_kafka_is_away_nothing_is_accepted(self, world: Settings, tmp_path: Path) -> None:
        away = world.model_copy(update={"kafka": "127.0.0.1:9", "accounts": str(tmp_path / "accounts.toml")})
        async with running(away) as chat:
            token = (await chat.session())["token"]
            async with asyncio.timeout(SECONDS):
                status, body, headers = await post(chat, token, text="hello")
            assert (status, body["error"]["code"]) == (503, "unreachable")
            assert int(headers["Retry-After"]) >= 1

    async def test_while_postgresql_is_away_messages_are_accepted_and_history_is_not(
        self, world: Settings, tmp_path: Path
    ) -> None:
        away = world.model_copy(
            update={
                "database": SecretStr("postgresql://nobody@127.0.0.1:9/nothing"),
                "accounts": str(tmp_path / "accounts.toml"),
            }
        )
        async with running(away) as chat:
            token = (await chat.session())["token"]
            status, _, _ = await post(chat, token, text="hello")
            assert status == 202
            status, body, _ = await chat.ask("GET", "messages", token=token)
            assert (status, body["error"]["code"]) == (503, "unreachable")


class TestTranscript:
    """One gapless order per visitor, in which nothing appears behind a reader's back."""

    def said(self, peer: str, name: str) -> Said:
        return Said("shop", peer, name, "outbound", {"parts": []}, NOW)

    async def test_a_line_that_was_begun_first_is_not_overtaken(self, chat: Running) -> None:
        """A reader goes on from the highest position it saw: 2 must not be seen while 1 is not committed."""
        transcript, peer = chat.chat.transcript, f"visitor:{uuid.uuid4()}"
        await transcript.append([self.said(peer, "before")])
        async with chat.pool.acquire() as slow:
            transaction = slow.transaction()
            await transaction.start()
            for statement in (sql._APPEAR, sql._LOCK):
                await slow.execute(statement, ["shop"], [peer])
            await slow.fetch(sql._APPEND, ["shop"], [peer], ["first"], ["outbound"], [{"parts": []}], [NOW])
            quick = asyncio.create_task(transcript.append([self.said(peer, "second")]))
            await self.until_someone_waits(chat)
            assert await transcript.after("shop", peer, 1, limit=10) == []
            await transaction.commit()
        await quick
        lines = await transcript.after("shop", peer, 1, limit=10)
        assert [(line.position, line.id) for line in lines] == [(2, "first"), (3, "second")]

    async def until_someone_waits(self, chat: Running) -> None:
        async with asyncio.timeout(SECONDS):
            while not await chat.pool.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            ):
                await asyncio.sleep(0.01)

    async def test_a_reader_that_follows_its_cursor_misses_nothing_of_many_writers(self, chat: Running) -> None:
        transcript, peer = chat.chat.transcript, f"visitor:{uuid.uuid4()}"
        writers = [asyncio.create_task(self.write(transcript, peer, f"{writer}", 10)) for writer in range(6)]
        found: list[str] = []
        cursor = 0
        while len(found) < 60:
            for line in await transcript.after("shop", peer, cursor, limit=7):
                assert line.position == cursor + 1
                cursor = line.position
                found.append(line.id)
            if all(writer.done() for writer in writers) and not await transcript.after("shop", peer, cursor, limit=1):
                break
        await asyncio.gather(*writers)
        assert sorted(found) == sorted(f"{writer} {n}" for writer in range(6) for n in range(10))

    async def write(self, transcript: Transcript, peer: str, writer: str, count: int) -> None:
        for n in range(count):
            await transcript.append([self.said(peer, f"{writer} {n}")])

    async def test_the_same_line_from_many_writers_at_once_is_one(self, chat: Running) -> None:
        transcript, peer = chat.chat.transcript, f"visitor:{uuid.uuid4()}"
        await transcript.append([self.said(peer, "before")])
        for name in "abcde":
            await asyncio.gather(*(transcript.append([self.said(peer, name)]) for _ in range(6)))
        lines = await transcript.after("shop", peer, 1, limit=50)
        assert [(line.position, line.id) for line in lines] == list(zip(range(2, 7), "abcde", strict=True))

    async def test_a_batch_of_many_visitors_keeps_each_ones_order_and_knows_repeats(self, chat: Running) -> None:
        transcript, one, other = chat.chat.transcript, f"visitor:{uuid.uuid4()}", f"visitor:{uuid.uuid4()}"
        await transcript.append([self.said(one, "a"), self.said(other, "a"), self.said(one, "b"), self.said(one, "a")])
        await transcript.append([self.said(one, "b"), self.said(other, "c"), self.said(one, "c")])
        lines = await transcript.after("shop", one, 0, limit=10)
        assert [(line.position, line.id) for line in lines] == [(1, "a"), (2, "b"), (3, "c")]
        assert [line.id for line in await transcript.after("shop", other, 0, limit=10)] == ["a", "c"]
        assert (await transcript.marks("shop", one)).last == 3

    async def test_the_same_piece_sent_again_shows_once(self, chat: Running) -> None:
        peer = f"visitor:{uuid.uuid4()}"
        piece, outbound = chat.piece(peer, text("hello")), chat.outbound(peer, text("hello"), "Sophea")
        for _ in range(3):
            sent = await chat.chat.transcript.send(chat.account, piece, outbound)
            assert sent.external_ids == (piece.id,)
        (line,) = await chat.chat.transcript.after("shop", peer, 0, limit=10)
        assert line.body == {"parts": [{"kind": "text", "text": "hello"}], "author": "Sophea"}

    async def test_what_is_edited_or_taken_back_stands_nowhere_and_is_told_behind_it(self, chat: Running) -> None:
        opened = await chat.session()
        peer, transcript = opened["visitor"], chat.chat.transcript
        await chat.answer(peer, text("one"))
        (line,) = await transcript.after("shop", peer, 0, limit=10)
        where = {"to": peer, "external_id": line.id}
        edits = [EditPiece(id=f"e{n}", part=text(word), **where) for n, word in enumerate(("two", "three"))]
        async with window(chat, opened["token"], cursor=1) as socket:
            for change in (*edits, edits[-1]):
                await transcript.amend(chat.account, change, None)
            frames = [await next_frame(socket, "message") for _ in edits]
            told = [(one["change"], one["target"], one["parts"][0]["text"], one["edited"]) for one in frames]
            assert told[-1] == ("edit", line.id, "three", True)
            assert [one["position"] for one in frames] == [2, 3], "the same change again is told once"
            await transcript.amend(chat.account, DeletePiece(id="d", **where), None)
            frame = await next_frame(socket, "message")
            assert (frame["change"], frame["deleted"], frame["parts"]) == ("delete", True, [])
        lines = await transcript.after("shop", peer, 0, limit=10)
        assert [line.body["parts"] for line in lines] == [[]] * 4
        assert await transcript.unmarked("shop", peer, until=4, mark="read") == [line.id], "a change has no receipt"
        with pytest.raises(SendFailed) as failed:
            await transcript.amend(chat.account, DeletePiece(id="x", to=peer, external_id="never-sent"), None)
        assert failed.value.reason == "refused"

    async def test_that_a_visitors_message_is_read_is_told_by_their_own_name_of_it(self, chat: Running) -> None:
        opened = await chat.session()
        name = str(uuid.uuid4())
        seen = MarkSeen(id="s", to=opened["visitor"], external_id=f"{opened['visitor']}/{name}")
        await chat.chat.transcript.amend(chat.account, seen, None)
        (line,) = await chat.chat.transcript.after("shop", opened["visitor"], 0, limit=10)
        assert (line.body["change"], line.body["target"]) == ("seen", name)

    async def test_an_address_of_another_kind_and_a_file_of_another_tenant_are_refused(self, chat: Running) -> None:
        with pytest.raises(SendFailed) as failed:
            await chat.answer("someone@example.org", text("hello"))
        assert failed.value.reason == "bad_address"
        other = Media(media="file", state="stored", blob=f"other/{'0' * 64}")
        with pytest.raises(SendFailed) as failed:
            await chat.answer("visitor:x", other)
        assert failed.value.reason == "refused"

    def test_records_of_other_channels_are_not_even_decoded(self) -> None:
        wants = Transcript(pool=None).wants
        assert wants(SimpleNamespace(key=b"default|webchat|shop|visitor:x"))
        assert not wants(SimpleNamespace(key=b"default|telegram|webchat|webchat"))
        assert not wants(SimpleNamespace(key=None))

    async def test_history_is_read_in_pages_both_ways(self, chat: Running) -> None:
        opened = await chat.session()
        await chat.answer(opened["visitor"], *(text(str(n)) for n in range(7)))
        token = opened["token"]
        _, newest, _ = await chat.ask("GET", "messages", token=token, params={"limit": 3})
        assert [line["position"] for line in newest["messages"]] == [5, 6, 7]
        assert newest["more"]
        _, older, _ = await chat.ask("GET", "messages", token=token, params={"before": 5, "limit": 10})
        assert [line["position"] for line in older["messages"]] == [1, 2, 3, 4]
        assert not older["more"]
        _, later, _ = await chat.ask("GET", "messages", token=token, params={"after": 5, "limit": 1})
        assert ([line["position"] for line in later["messages"]], later["cursor"], later["more"]) == ([6], 6, True)
        for nonsense in ({"after": "x"}, {"after": -1}, {"limit": 1000}, {"after": 2**70}):
            status, _, _ = await chat.ask("GET", "messages", token=token, params=nonsense)
            assert status == 400


class TestRetention:
    async def test_old_lines_go_in_steps_and_a_window_goes_on_where_it_stood(
        self, chat: Running, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        opened, other = await chat.session(), await chat.session()
        for one in (opened, other):
            await chat.answer(one["visitor"], *(text(str(n)) for n in range(7)))
        old = "UPDATE webchat_message SET at = now() - interval '100 days' WHERE peer = $1 AND position <= $2"
        await chat.pool.execute(old, opened["visitor"], 5)
        monkeypatch.setattr(retention, "STEP", 2)
        keeps = chat.settings.model_copy(update={"retention": {"default": Kept(messages=99)}})
        for settings, left in ((chat.settings, 7), (keeps, 2)):
            step, place = retention.Retention(settings, chat.pool, chat.chat.accounts).transcripts, [""] * 2
            while place:
                place = list(await step(place))
            _, found, _ = await chat.ask("GET", "messages", token=opened["token"], params={"limit": 10})
            assert [line["position"] for line in found["messages"]] == list(range(8 - left, 8))
        _, found, _ = await chat.ask("GET", "messages", token=other["token"], params={"limit": 10})
        assert len(found["messages"]) == 7
        await chat.answer(opened["visitor"], text("next"))
        _, later, _ = await chat.ask("GET", "messages", token=opened["token"], params={"after": 7, "limit": 10})
        assert [line["position"] for line in later["messages"]] == [8]


class TestWindow:
    """The open window: everything behind its cursor, then what comes."""

    async def test_a_window_gets_what_is_behind_its_cursor_and_then_what_comes(self, chat: Running) -> None:
        opened = await chat.session()
        await chat.answer(opened["visitor"], text("one"), text("two"), text("three"))
        async with window(chat, opened["token"], cursor=1) as socket:
            assert socket.protocol == "parley.webchat.v1"
            assert [(await next_frame(socket, "message"))["position"] for _ in range(2)] == [2, 3]
            assert await next_frame(socket, "ready") == {"type": "ready", "cursor": 3, "read": 0}
            await post(chat, opened["token"], text="mine")
            frame = await next_frame(socket, "message")
            assert (frame["position"], frame["direction"], frame["parts"][0]["text"]) == (4, "inbound", "mine")

    async def test_a_reply_written_at_one_replica_reaches_a_window_at_another(
        self, chat: Running, world: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """By notification: nobody looks."""

        async def look_away() -> None: ...

        monkeypatch.setattr(chat.chat.live, "_look_once", look_away)
        elsewhere = world.model_copy(update={"accounts": str(tmp_path / "accounts.toml")})
        opened = await chat.session()
        async with running(elsewhere) as other, window(chat, opened["token"]) as socket:
            await next_frame(socket, "ready")
            await other.answer(opened["visitor"], text("from elsewhere"))
            assert (await next_frame(socket, "message"))["parts"][0]["text"] == "from elsewhere"
            await other.chat.transcript.typing(other.account, opened["visitor"])
            await next_frame(socket, "typing")

    async def test_an_answer_grows_at_another_replica_until_it_is_whole(
        self, chat: Running, world: Settings, tmp_path: Path
    ) -> None:
        """However long: what PostgreSQL carries in one notification is less."""
        elsewhere = world.model_copy(update={"accounts": str(tmp_path / "accounts.toml")})
        opened, words = await chat.session(), "ចុះ" * 1300 + "a" * 50 + '\n"\\'
        async with running(elsewhere) as other, window(chat, opened["token"]) as socket:
            await next_frame(socket, "ready")
            for so_far in ("ចុះ", words):
                piece = Piece(id="grown", to=opened["visitor"], part=Text(text=so_far))
                await other.chat.transcript.grow(other.account, piece)
                frame = await next_frame(socket, "growing")
                assert (frame["id"], frame["parts"]) == ("grown", [{"kind": "text", "text": so_far}])
            await other.answer(opened["visitor"], text("whole"))
            assert (await next_frame(socket, "message"))["parts"][0]["text"] == "whole"

    async def test_a_lost_notification_is_made_up_for(self, chat: Running) -> None:
        opened = await chat.session()
        async with window(chat, opened["token"]) as socket:
            await next_frame(socket, "ready")
            await chat.pool.execute("INSERT INTO webchat_visitor VALUES ('shop', $1, 1)", opened["visitor"])
            await chat.pool.execute(
                "INSERT INTO webchat_message VALUES ('shop', $1, 1, 'quiet', 'outbound', $2, now())",
                opened["visitor"],
                {"parts": [{"kind": "text", "text": "nobody was told"}]},
            )
            assert (await next_frame(socket, "message"))["id"] == "quiet"

    async def test_the_listener_comes_back_after_its_connection_broke(self, chat: Running) -> None:
        opened = await chat.session()
        async with window(chat, opened["token"]) as socket:
            await next_frame(socket, "ready")
            ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"
            assert await chat.pool.fetchval(ended) >= 1
            await until(lambda: chat.pool.fetchval(ended.replace("count(pg_terminate_backend(pid))", "count(pid)")))
            await chat.answer(opened["visitor"], text("back"))
            assert (await next_frame(socket, "message"))["parts"][0]["text"] == "back"

    async def test_a_quiet_line_beats_so_that_a_dead_one_is_noticed(
        self, chat: Running, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(window_socket, "BEAT", 0.05)
        async with window(chat, (await chat.session())["token"]) as socket:
            for _ in range(2):
                await next_frame(socket, "beat")

    @pytest.mark.parametrize("hello", ["", "{}", '{"type":"hello"}', '{"type":"hello","token":"x","cursor":-1}', "[1]"])
    async def test_without_a_hello_the_socket_is_closed(self, chat: Running, hello: str) -> None:
        async with chat.client.ws_connect(f"{chat.base}/socket", headers={"Origin": chat.origin}) as socket:
            await socket.send_str(hello)
            assert await close_code(socket) == 1008

    async def test_a_forged_token_is_told_that_the_session_has_ended(self, chat: Running) -> None:
        async with window(chat, "forged.token") as socket:
            assert await close_code(socket) == 4401

    async def test_frames_that_are_none_of_ours_close_the_socket(self, chat: Running) -> None:
        token = (await chat.session())["token"]
        for frame in ("nonsense", '{"type":"hello"}', '{"type":"read"}', '{"type":"read","position":1e99}'):
            async with window(chat, token) as socket:
                await next_frame(socket, "ready")
                await socket.send_str(frame)
                assert await close_code(socket) == 1008

    async def test_a_frame_too_large_closes_the_socket(self, chat: Running) -> None:
        async with window(chat, (await chat.session())["token"]) as socket:
            await next_frame(socket, "ready")
            await socket.send_str('{"type":"typing"' + " " * 17_000 + "}")
            assert await close_code(socket) == 1009

    async def test_a_stopping_server_sends_its_windows_elsewhere(self, world: Settings, tmp_path: Path) -> None:
        settings = world.model_copy(update={"accounts": str(tmp_path / "accounts.toml")})
        async with running(settings) as chat:
            async with window(chat, (await chat.session())["token"]) as socket:
                await next_frame(socket, "ready")
                stopping = asyncio.create_task(chat.go_away())
                assert await close_code(socket) == 1012
                await stopping


class TestReceipts:
    """What arrived and what was read is told once, by the ids under which it was sent."""

    async def test_acknowledged_and_read_become_receipts(self, chat: Running) -> None:
        opened = await chat.session()
        sent = await chat.answer(opened["visitor"], text("one"), text("two"))
        ids = [one.external_ids[0] for one in sent]
        async with window(chat, opened["token"]) as socket:
            await next_frame(socket, "ready")
            await socket.send_json({"type": "ack", "position": 2})
            await socket.send_json({"type": "ack", "position": 2})
            await socket.send_json({"type": "read", "position": 1})
            await self.until(chat, opened["visitor"], read=1, delivered=2)
        told = await self.told(chat, opened["visitor"])
        assert told == [("delivered", ids), ("read", ids[:1])]

    async def test_polling_says_what_has_arrived_and_rest_says_what_was_read(self, chat: Running) -> None:
        opened = await chat.session()
        sent = await chat.answer(opened["visitor"], text("one"), text("two"))
        ids = [one.external_ids[0] for one in sent]
        await chat.history(opened["token"], after=0)
        assert await self.told(chat, opened["visitor"]) == []
        await chat.history(opened["token"], after=2)
        status, _, _ = await chat.ask("POST", "read", token=opened["token"], json={"position": 10**9})
        assert status == 204
        assert await self.told(chat, opened["visitor"]) == [("delivered", ids), ("read", ids)]
        _, page, _ = await chat.ask("GET", "messages", token=opened["token"])
        assert page["read"] == 2  # what comes later is not read because someone once said so

    async def until(self, chat: Running, peer: str, *, read: int, delivered: int) -> None:
        async with asyncio.timeout(SECONDS):
            while True:
                marks = await chat.chat.transcript.marks("shop", peer)
                if (marks.read, marks.delivered) == (read, delivered):
                    return
                await asyncio.sleep(0.02)

    async def told(self, chat: Running, peer: str) -> list[tuple[str, list[str]]]:
        return [(r["status"], r["external_ids"]) for r in await chat.deliveries() if r["peer"] == peer]

    async def test_typing_is_told_but_not_more_often_than_every_two_seconds(
        self, chat: Running, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        opened, now = await chat.session(), time.monotonic()
        monkeypatch.setattr(chat.chat.limits, "_clock", lambda: now)
        for _ in range(5):
            status, _, _ = await chat.ask("POST", "typing", token=opened["token"])
            assert status == 204
        typing = [
            r for r in await chat.inbound() if r["ce_type"] == "parley.typing.v1" and r["peer"] == opened["visitor"]
        ]
        assert len(typing) == 1


class TestFiles:
    """Files go by references that we signed, and come back in a form in which nothing in them runs."""

    async def upload(self, chat: Running, token: str, content: bytes = PNG, **headers: str) -> tuple[int, Any, Any]:
        return await chat.ask(
            "POST",
            "attachments",
            token=token,
            data=content,
            headers={"Content-Type": "image/png", "X-Filename": "%E1%9E%9A%E1%9E%BC%E1%9E%94.png", **headers},
        )

    async def test_a_file_travels_as_a_reference_and_comes_back_whole(self, chat: Running) -> None:
        opened = await chat.session()
        status, uploaded, _ = await self.upload(chat, opened["token"])
        assert (status, uploaded["name"], uploaded["size"]) == (201, "រូប.png", len(PNG))
        _, accepted, _ = await post(chat, opened["token"], text="look", attachments=[{"ref": uploaded["ref"]}])
        (record,) = [record for record in await chat.inbound() if record.get("id") == accepted["id"]]
        media = record["parts"][1]
        assert (media["state"], media["media"], media["size"]) == ("stored", "image", len(PNG))
        assert media["sha256"] == hashlib.sha256(PNG).hexdigest()
        (line,) = await chat.shown(opened["token"], 1)
        assert media["blob"] not in json.dumps(line)
        async with chat.client.get(f"{chat.base}/{line['parts'][1]['url']}") as response:
            assert await response.read() == PNG
            assert response.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["Content-Disposition"].startswith("inline")

    async def test_what_browsers_could_run_is_only_saved(self, chat: Running) -> None:
        opened = await chat.session()
        stored = await chat.chat.blobs.put_bytes("default", b"<script>alert(1)</script>")
        page = Media(media="file", state="stored", blob=stored.ref, mime_type="text/html", name="a.html")
        await chat.answer(opened["visitor"], page)
        (line,) = await chat.shown(opened["token"], 1)
        async with chat.client.get(f"{chat.base}/{line['parts'][0]['url']}") as response:
            assert response.headers["Content-Type"] == "application/octet-stream"
            assert response.headers["Content-Disposition"].startswith("attachment")

    async def test_nobody_sends_a_file_that_another_uploaded(self, chat: Running) -> None:
        mine, yours = [(await chat.session())["token"] for _ in range(2)]
        _, uploaded, _ = await self.upload(chat, mine)
        for ref in (uploaded["ref"], uploaded["ref"][:-2], "x", f"default/{'0' * 64}"):
            status, body, _ = await post(chat, yours, attachments=[{"ref": ref}])
            assert (status, body["error"]["code"]) == (401, "auth")

    @pytest.mark.parametrize(
        ("content", "headers", "expected"),
        [
            (b"<svg onload=alert(1)>", {"Content-Type": "image/svg+xml"}, 415),
            (b"<html>", {"Content-Type": "text/html"}, 415),
            (b"<html>", {"Content-Type": "image/png"}, 415),
            (b"MZ", {"Content-Type": "application/pdf"}, 415),
            (b"", {}, 400),
            (PNG + bytes(11 * 1024 * 1024), {}, 413),
        ],
    )
    async def test_files_of_the_wrong_kind_or_size_are_refused(
        self, chat: Running, content: bytes, headers: dict[str, str], expected: int
    ) -> None:
        status, _, _ = await self.upload(chat, (await chat.session())["token"], content, **headers)
        assert status == expected

    async def test_a_stream_without_a_length_is_cut_off_at_the_limit(self, chat: Running) -> None:
        async def endless() -> AsyncIterator[bytes]:
            yield PNG
            for _ in range(200):
                yield bytes(100_000)

        token = (await chat.session())["token"]
        with suppress(ConnectionError):
            status, body, _ = await self.upload(chat, token, endless())  # type: ignore[arg-type]
            assert (status, body["error"]["code"]) == (413, "too_long")

    async def test_addresses_of_files_expire_and_cannot_be_made_up(self, chat: Running) -> None:
        secret = chat.chat.accounts.current.app("webchat", "shop").secret  # type: ignore[union-attr]
        stored = await chat.chat.blobs.put_bytes("default", PNG)
        said = {"blob": stored.ref, "mime_type": "image/png", "name": "x.png"}
        for end, purpose, expected in (
            ("2020-01-01T00:00:00Z", "webchat download", 410),
            ("2999-01-01T00:00:00Z", "webchat upload", 404),
            ("2999-01-01T00:00:00Z", "webchat download", 200),
        ):
            address = seal(secret, purpose, json.dumps({**said, "until": end}).encode())  # type: ignore[arg-type]
            status, _, _ = await chat.ask("GET", f"attachments/{address}")
            assert status == expected

    @pytest.mark.parametrize(
        ("given", "shown"),
        [
            ("../../etc/passwd", "passwd"),
            ("C:\\boot.ini", "boot.ini"),
            ("invoice\u202efdp.exe", "invoicefdp.exe"),
            ("a\r\nb.txt", "ab.txt"),
            ("", "file"),
            ("...", "file"),
            ("រូបភាព.png", "រូបភាព.png"),
            ("x" * 300 + ".pdf", "x" * 146 + ".pdf"),
        ],
    )
    def test_a_files_name_shows_what_it_is(self, given: str, shown: str) -> None:
        from urllib.parse import quote

        assert clean_name(quote(given)) == shown


class TestLimits:
    """Everything that a stranger sends is bounded."""

    def test_a_bucket_refills_with_time_and_says_when_to_come_again(self) -> None:
        now = 0.0
        limits = Limits(lambda: now)
        for _ in range(3):
            limits.take("messages", "me", burst=3, seconds=60)
        limits.take("messages", "you", burst=3, seconds=60)
        with pytest.raises(Refused) as refused:
            limits.take("messages", "me", burst=3, seconds=60)
        assert refused.value.retry_after == pytest.approx(20)
        now = 20.1
        limits.take("messages", "me", burst=3, seconds=60)
        with pytest.raises(Refused):
            limits.take("messages", "me", burst=3, seconds=60)

    def test_what_is_held_is_given_back(self) -> None:
        limits = Limits()
        with limits.hold("sockets", "me", most=1):
            with pytest.raises(Refused), limits.hold("sockets", "me", most=1):
                pass
        with limits.hold("sockets", "me", most=1):
            pass

    async def test_too_many_of_anything_is_429_with_when_to_come_again(self, world: Settings, tmp_path: Path) -> None:
        tight = world.model_copy(update={"accounts": str(tmp_path / "accounts.toml")})
        async with running(
            tight, messages_per_minute=2, sessions_per_minute=3, sockets=1, upload_bytes_per_hour=8000
        ) as chat:
            token = (await chat.session())["token"]
            assert [(await post(chat, token, text="x"))[0] for _ in range(3)] == [202, 202, 429]
            status, _, headers = await post(chat, token, text="x")
            assert (status, 1 <= int(headers["Retry-After"]) <= 60) == (429, True)
            assert [(await TestFiles().upload(chat, token))[0] for _ in range(2)] == [201, 429]
            async with window(chat, token) as first:
                await next_frame(first, "ready")
                async with window(chat, token) as second:
                    assert await close_code(second) == 4429
            assert [(await chat.ask("POST", "session", json={}))[0] for _ in range(3)] == [200, 200, 429]

    async def test_sockets_of_one_address_are_bounded_even_before_their_hello(
        self, world: Settings, tmp_path: Path
    ) -> None:
        tight = world.model_copy(update={"accounts": str(tmp_path / "accounts.toml")})
        async with running(tight, sockets_per_address=1) as chat:
            async with chat.client.ws_connect(f"{chat.base}/socket", headers={"Origin": chat.origin}):
                with pytest.raises(WSServerHandshakeError) as refused:
                    await chat.client.ws_connect(f"{chat.base}/socket", headers={"Origin": chat.origin})
                assert refused.value.status == 429

    async def test_visitors_who_have_shown_their_session_share_no_address(
        self, world: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As they do behind a proxy that nobody has named; what the port has for one address stays free for who comes."""
        monkeypatch.setattr(crowd, "SHARE", 4)
        tight = world.model_copy(update={"accounts": str(tmp_path / "accounts.toml")})
        async with running(tight, sockets_per_address=1) as chat, AsyncExitStack() as open_windows:
            for _ in range(6):
                opened = await chat.session()
                await next_frame(await open_windows.enter_async_context(window(chat, opened["token"])), "ready")


class TestPages:
    """The widget's files, and nothing else of this disk."""

    async def test_only_the_widgets_own_files_are_served(self, chat: Running) -> None:
        for path in ("widget.js", "widget/main.js", "widget/demo/demo.js", "demo"):
            async with chat.client.get(f"{chat.base}/{path}") as response:
                assert response.status == 200
                assert response.headers["X-Content-Type-Options"] == "nosniff"
        for path in (
            "widget/..%2fserver.py",
            "widget/%2e%2e/channel.py",
            "widget/demo/index.html",
            "widget/nothing.js",
            "widget/strings/km.js",
        ):
            async with chat.client.get(URL(f"{chat.base}/{path}", encoded=True)) as response:
                assert response.status in {404, 405}

    async def test_what_a_version_brings_is_kept_and_what_names_the_version_is_not(self, chat: Running) -> None:
        async with chat.client.get(f"{chat.base}/widget.js") as response:
            assert response.headers["Cache-Control"] == "no-cache"
            assert f"widget/{VERSION}/main.js" in await response.text()
        for version, kept in ((VERSION, True), ("0" * 12, False)):
            async with chat.client.get(f"{chat.base}/widget/{version}/main.js") as response:
                assert ("immutable" in response.headers["Cache-Control"]) is kept
                assert response.headers["Access-Control-Allow-Origin"] == "*"
                assert "សារ" in await response.text()

    async def test_the_demonstration_lives_under_a_strict_policy(self, chat: Running) -> None:
        async with chat.client.get(f"{chat.base}/demo") as response:
            policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'self' http://127.0.0.1:* http://localhost:*" in policy

    def test_no_text_can_become_markup(self) -> None:
        assert len(SOURCES) > 15
        for name, source in SOURCES.items():
            for way in (
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "DOMParser",
                "srcdoc",
            ):
                assert way not in source, f"{way} in {name}"

    def test_every_language_says_everything(self) -> None:
        def names(code: str) -> set[str]:
            lines = SOURCES[f"strings/{code}.js"].splitlines()
            return {
                line.split(":")[0].strip()
                for line in lines
                if line.startswith("  ") and not line.startswith("   ") and ":" in line
            }

        assert names("en") <= names("km")


async def test_a_pool_of_another_schema_sees_nothing_of_it(world: Settings) -> None:
    async with open_pool(world, "public") as pool:
        assert await pool.fetchval("SELECT to_regclass('webchat_message')") is None
