"""What a token opens: every address of the API is walked with another tenant's token and with one that may too little."""

import asyncio
import hashlib
import uuid
from contextlib import asynccontextmanager
from types import SimpleNamespace

import orjson
import pytest
from aiohttp import ClientTimeout
from structlog.testing import capture_logs

from services.router.api import FILE, TABLE
from services.router.api.customers import FOR_GOOD, OF_ONE, OF_SEVERAL
from services.router.api.requests import OF_CONVERSATION
from services.router.api.tokens import RANKS, Grant, Tokens
from services.router.search.index import Index
from shared.bus import cloudevents
from shared.contract.errors import Misconfigured
from shared.contract.records import EVENTS
from shared.runtime.settings import Settings
from tests.patience import SECONDS
from tests.services.router.served import PNG, START, add_conversation, add_event, insert, open_house, tell_account

MARK = "what only the shop may read"
HOLDERS = {
    "reader": ("shop", "read"),
    "writer": ("shop", "write"),
    "boss": ("shop", "admin"),
    "stranger": ("cafe", "admin"),
}
PARTS = [{"kind": "text", "text": "x"}]
MESSAGE = str(uuid.UUID(int=7))
BODIES = {
    "reply": {"parts": PARTS},
    "grow": {"answer": "a", "text": "x"},
    "edit": {"message": MESSAGE, "parts": PARTS},
    "delete": {"message": MESSAGE},
    "react": {"message": MESSAGE},
    "seen": {"message": MESSAGE},
    "handover": {"action": "take"},
    "cancel": {"message": MESSAGE},
    "consent": {"purposes": ["marketing"], "given": False, "evidence": "x"},
    "read": {"upto": 1},
    "split": {"reason": "x"},
    "erase": {"reason": "x"},
    "link": {"kind": "email", "address": "ann@people.example"},
    "unlink": {"kind": "email", "address": "ann@people.example"},
    "merge": {"customers": [MESSAGE, MESSAGE], "reason": "x"},
    "apart": {"customers": [MESSAGE, MESSAGE], "reason": "x"},
}
SENT = {"channel": "webchat", "account": "site", "address": "v-1", "parts": PARTS}
HTML = '<p>{}</p><img src="https://elsewhere.example/a.png">'

# Each address: what its owner is answered, and what a token of another tenant is. Who adds an address judges it here.
JUDGED = {
    ("GET", "/api/conversations"): (200, 200),
    ("GET", "/api/conversations/{id}"): (200, 404),
    ("GET", "/api/conversations/{id}/plans"): (200, 404),
    ("GET", "/api/search"): (200, 200),
    ("GET", "/api/customers"): (200, 200),
    ("GET", "/api/customers/{id}/export"): (200, 404),
    ("GET", "/api/ids/{prefix}"): (200, 200),
    ("GET", "/api/messages/{id}"): (200, 404),
    ("GET", "/api/messages/{id}/published"): (200, 200),
    ("GET", "/api/messages/{id}/html"): (200, 404),
    ("POST", "/api/conversations/{id}/fit"): (200, 404),
    **{("POST", f"/api/conversations/{{id}}/{name}"): (202, 403) for name in OF_CONVERSATION},
    ("GET", "/api/customers/{id}/consent"): (200, 404),
    ("POST", "/api/customers/{id}/consent"): (202, 403),
    ("GET", "/api/customers/{id}"): (200, 404),
    **{("POST", f"/api/customers/{{id}}/{name}"): (202, 403) for name in (*OF_ONE, *FOR_GOOD)},
    **{("POST", f"/api/customers/{name}"): (202, 403) for name in OF_SEVERAL},
    ("POST", "/api/send"): (202, 403),
    ("GET", "/api/events"): (200, 200),
    ("GET", "/api/state"): (200, 200),
    ("GET", "/api/accounts"): (200, 200),
    ("POST", "/api/media"): (201, 403),
    ("GET", f"/api/media/{FILE}"): (200, 404),
    ("GET", "/console/config.json"): (200, 200),
}
# What another tenant's token is answered with success, and which sees nothing of the shop: this stands in its owner's answer.
TELLS = {
    "/api/conversations": MARK,
    "/api/search": "{message}",
    "/api/customers": '"shop"',
    "/api/ids/{prefix}": "{message}",
    "/api/messages/{id}/published": '"1":',
    "/api/events": MARK,
    "/api/accounts": '"shop"',
}
OPEN = {
    f"/media/{FILE}": "a signature",
    "/mail/{id}/{part:[0-9]{1,2}}": "a signature",
    "/api/openapi.json": "nothing of anybody",
    "/console/languages.json": "nothing of anybody",
    "/console": "nothing of anybody",
    "/console/{name:.*}": "nothing of anybody",
}


def written(holders):
    return "\n".join(
        f'[{name}]\nsha256 = "{hashlib.sha256(name.encode()).hexdigest()}"\ntenants = ["{tenant}"]\nscope = "{scope}"\n'
        for name, (tenant, scope) in holders.items()
    )


@pytest.fixture(scope="module")
async def house(servers, tmp_path_factory):
    file = tmp_path_factory.mktemp("tokens") / "tokens.toml"
    file.write_text(written(HOLDERS))
    async with open_house(servers, tmp_path_factory.mktemp("blobs"), tokens=str(file)) as opened:
        opened.file = file
        opened.shop = await furnish(opened)
        yield opened


async def furnish(house):
    """A conversation of the shop with a mail, a file and an account, and what stands on the bus of them."""
    customer = uuid.uuid4()
    await insert(house.pool, "customer", {"id": customer, "tenant": "shop"})
    conversation = await add_conversation(house.pool, tenant="shop", name=MARK, customer_id=customer)
    message = uuid.uuid4()
    data = {"message": {"id": str(message), "parts": [{"kind": "text", "text": MARK, "html": HTML.format(MARK)}]}}
    await add_event(house.pool, conversation, 1, "message.received", data, message=message, tenant="shop")

    async def chunks():
        yield PNG

    stored = await house.deps.blobs.put("shop", chunks(), limit=10_000)
    await Index(house.settings, house.pool).look_at([message])
    await tell_account(house.settings, house.producer, "shop")
    value = orjson.dumps({"sequence": 1, "conversation": str(conversation), **data})
    headers = cloudevents.headers(
        "message.received", source="/test", id=str(message), time=START, tenant="shop", subject="x", sequence=1
    )
    await house.producer.send(cloudevents.Out(house.settings.topic(EVENTS), str(conversation).encode(), value, headers))
    async with asyncio.timeout(SECONDS):
        while not any(state.tenant == "shop" for state in house.deps.directory.all()):
            await asyncio.sleep(0.05)
    return SimpleNamespace(id=conversation, customer=customer, message=message, ref=stored.ref)


@asynccontextmanager
async def asked(house, holder, method, path):
    """An address of the table, as if for the shop's own."""
    shop = house.shop
    name = {"messages": shop.message, "customers": shop.customer}.get(path.split("/")[2], shop.id)
    address = path.replace("{id}", str(name)).replace(FILE, shop.ref).replace("{prefix}", str(shop.message)[:8])
    options = {}
    if path == "/api/media":
        options = {"params": {"tenant": "shop"}, "data": b"x"}
    elif path in {"/api/search", "/api/customers"}:
        options = {"params": {"q": MARK}}
    elif path == "/api/events":
        options = {"params": {"from": "beginning"}, "timeout": ClientTimeout(total=SECONDS)}
    elif path.endswith("/fit"):
        options = {"json": {"parts": PARTS}}
    elif method == "POST":
        body = SENT if path == "/api/send" else BODIES.get(path.rpartition("/")[2], {})
        options = {"json": body | {"tenant": "shop"}}
    async with house.client.request(
        method, address, headers={"Authorization": f"Bearer {holder}"}, **options
    ) as answer:
        yield answer


async def text_of(answer):
    """The whole answer; of a stream all until it says that it has nothing more to tell."""
    if answer.content_type != "text/event-stream":
        return (await answer.read()).decode(errors="replace")
    told = b""
    async with asyncio.timeout(SECONDS):
        while b"event: position" not in told:
            told += await answer.content.readany()
    return told.decode()


async def test_every_address_is_judged():
    assert JUDGED.keys() == {(route.method, route.path) for route in TABLE if route.scope}
    assert OPEN.keys() == {route.path for route in TABLE if not route.scope}


@pytest.mark.parametrize(("method", "path"), JUDGED, ids=lambda part: part)
async def test_no_address_tells_or_changes_what_is_another_tenants(house, method, path):
    own, foreign = JUDGED[method, path]
    told = {}
    for holder, status in (("boss", own), ("stranger", foreign)):
        async with asked(house, holder, method, path) as answer:
            told[holder] = await text_of(answer)
            assert answer.status == status, told[holder]
    if mark := TELLS.get(path, "").replace("{message}", str(house.shop.message)):
        assert mark in told["boss"]
        assert mark not in told["stranger"]
    assert not {MARK, str(house.shop.ref)} & set(told["stranger"].split('"'))


@pytest.mark.parametrize("route", [route for route in TABLE if route.scope], ids=lambda route: route.path)
async def test_every_address_wants_its_scope_or_a_wider_one(house, route):
    for holder in ("reader", "writer", "boss"):
        scope = HOLDERS[holder][1]
        async with asked(house, holder, route.method, route.path) as answer:
            assert (answer.status == 403) is (RANKS[scope] < RANKS[route.scope])
            if answer.status == 403:
                assert (await answer.json())["error"]["code"] == "scope"


def test_what_writes_wants_more_than_a_token_that_reads():
    assert {route.path for route in TABLE if route.method != "GET" and route.scope == "read"} == {
        "/api/conversations/{id}/fit"  # nothing is sent
    }
    assert {route.method for route in TABLE if route.scope == "read"} == {"GET", "POST"}


async def test_a_request_that_names_no_tenant_is_of_the_tokens_own(house):
    headers = {"Authorization": "Bearer stranger"}
    async with house.client.post("/api/send", json=SENT, headers=headers) as answer:
        assert answer.status == 202
        told = await answer.json()
    assert told["message_id"]
    async with house.client.post("/api/media", data=b"x", headers=headers) as answer:
        assert (await answer.json())["blob"].startswith("cafe/")


async def test_the_page_learns_what_its_token_may(house):
    async with asked(house, "reader", "GET", "/console/config.json") as answer:
        assert (await answer.json())["scope"] == "read"


async def test_a_stream_ends_with_its_token(house, tmp_path):
    async with asked(house, "reader", "GET", "/api/events") as answer:
        await text_of(answer)
        house.file.write_text(written({name: HOLDERS[name] for name in HOLDERS if name != "reader"}))
        await house.deps.tokens.refresh()
        value = orjson.dumps({"sequence": 2})
        headers = cloudevents.headers("message.received", source="/t", id="2", time=START, tenant="shop", subject="x")
        await house.producer.send(cloudevents.Out(house.settings.topic(EVENTS), b"k", value, headers))
        async with asyncio.timeout(SECONDS):
            assert b'"sequence":2' not in await answer.content.read()
    async with asked(house, "reader", "GET", "/api/conversations") as answer:
        assert answer.status == 401
    house.file.write_text(written(HOLDERS))
    await house.deps.tokens.refresh()


class TestTheFile:
    @pytest.mark.parametrize(
        ("content", "said"),
        [
            ("[a", "not TOML"),
            ("a = 1", r"\[a\]"),
            ('[a]\nsha256 = "secret"\ntenants = ["x"]\nscope = "read"', "sha256"),
            ('[a]\nsha256 = "' + "0" * 64 + '"\ntenants = []\nscope = "read"', "tenants"),
            ('[a]\nsha256 = "' + "0" * 64 + '"\ntenants = ["x"]\nscope = "all"', "scope"),
            ('[a]\nsha256 = "' + "0" * 64 + '"\ntenants = ["x"]\nscope = "read"\nexpires = 1', "expires"),
            (
                written({"a": ("x", "read")}) + written({"a": ("x", "read")}).replace("[a]", "[b]"),
                r"\[b\] is the token",
            ),
        ],
    )
    def test_that_cannot_be_used_is_told_with_its_table_and_no_value(self, tmp_path, content, said):
        file = tmp_path / "tokens.toml"
        file.write_text(content)
        with pytest.raises(Misconfigured, match=said) as raised:
            Tokens(Settings(token="t", tokens=str(file)))
        assert "secret" not in str(raised.value)

    async def test_that_cannot_be_used_any_more_changes_nothing(self, tmp_path):
        file = tmp_path / "tokens.toml"
        file.write_text(written({"a": ("x", "read")}))
        tokens = Tokens(Settings(token="t", tokens=str(file)))
        file.write_text("[a")
        with capture_logs() as logs:
            await tokens.refresh()
            await tokens.refresh()
        assert [one["event"] for one in logs] == ["tokens.reload_failed"]
        assert tokens.grant("Bearer a") == Grant("a", "read", frozenset({"x"}))

    def test_may_open_all_tenants(self, tmp_path):
        file = tmp_path / "tokens.toml"
        file.write_text(written({"a": ("*", "read")}))
        grant = Tokens(Settings(token="t", tokens=str(file))).grant("Bearer a")
        assert (grant.sees("any"), grant.only) == (True, None)
