"""The document of the API is right by another hand, names every address, and says what is answered (see served.py:get)."""

import copy
import uuid

import pytest
from jsonschema import ValidationError
from openapi_spec_validator import OpenAPIV32SpecValidator

from services.router.api import TABLE, described
from services.router.api.openapi import TOLD, plain, words_of
from services.router.api.tokens import RANKS
from tests.services.router.served import BEARER, PNG, START, add_conversation, add_event, get, judge, open_house, post

JSON = "application/json"


@pytest.fixture(scope="module")
async def house(servers, tmp_path_factory):
    async with open_house(servers, tmp_path_factory.mktemp("blobs")) as opened:
        yield opened


def addresses():
    return {(route.method, plain(route.path)): route for route in TABLE if route.path.startswith("/api/")}


def test_it_is_openapi_3_2():
    OpenAPIV32SpecValidator(described()).validate()
    broken = copy.deepcopy(described())
    broken["paths"]["/api/conversations"]["get"]["parameters"][0]["in"] = "nowhere"
    assert list(OpenAPIV32SpecValidator(broken).iter_errors())


def test_every_address_is_described_by_its_own_words_and_scope():
    shown = {(method.upper(), path): one for path, some in described()["paths"].items() for method, one in some.items()}
    assert shown.keys() == addresses().keys() >= TOLD.keys()
    for key, route in addresses().items():
        assert shown[key]["summary"], key
        assert shown[key]["description"] == words_of(route.handler)
        assert shown[key]["security"] == ([{"token": [route.scope]}] if route.scope else [])
        assert route.scope is None or route.scope in RANKS
    names = [one["operationId"] for one in shown.values()]
    assert len(names) == len(set(names))


def test_a_body_does_not_repeat_what_its_address_says():
    reply = described()["paths"]["/api/conversations/{id}/reply"]["post"]["requestBody"]["content"][JSON]["schema"]
    assert "conversation" not in reply["properties"]
    assert reply["required"] == ["parts"]
    judge(reply).validate({"parts": [{"kind": "text", "text": "x"}]})
    with pytest.raises(ValidationError):
        judge(reply).validate({"parts": []})


def test_the_stream_is_described_event_by_event():
    events = described()["paths"]["/api/events"]["get"]["responses"]["200"]["content"]["text/event-stream"]
    heard = events["itemSchema"]["properties"]["data"]["contentSchema"]
    told = {"type": "t", "id": "1", "key": "k", "time": None, "published_at": START.isoformat(), "partition": 0}
    judge(heard).validate(told | {"offset": 7, "data": {}})
    with pytest.raises(ValidationError):
        judge(heard).validate(told)


async def test_every_answer_is_as_it_is_described(house):
    """`get` and `post` judge each; here is one of every address that other tests may not ask."""
    conversation, message = await add_conversation(house.pool, subject="s", responder="r"), uuid.uuid4()
    html = {"kind": "text", "text": "x", "html": "<p>x</p>"}
    await add_event(
        house.pool,
        conversation,
        1,
        "message.received",
        {"message": {"id": str(message), "parts": [html]}},
        message=message,
    )
    for path in (
        "/api/openapi.json",
        "/api/conversations",
        f"/api/conversations/{conversation}",
        f"/api/conversations/{conversation}/plans",
        f"/api/ids/{message.hex[:6]}",
        f"/api/messages/{message}",
        f"/api/messages/{message}/published",
        f"/api/messages/{message}/html",
        "/api/search?q=x",
        "/api/state",
        "/api/accounts",
    ):
        await get(house, path)
    await get(house, f"/api/messages/{uuid.uuid4()}", status=404)
    await post(house, f"/api/conversations/{conversation}/fit", {"parts": [{"kind": "text", "text": "x"}]}, status=200)
    async with house.client.post("/api/media", data=PNG, headers=BEARER) as answer:
        stored = await answer.json()
    judge({"$ref": "#/components/schemas/StoredFile"}).validate(stored)
    await get(house, f"/api/media/{stored['blob']}")


async def test_the_document_is_served_without_a_token(house):
    async with house.client.get("/api/openapi.json") as answer:
        assert await answer.json() == described()


async def test_what_has_not_changed_is_not_sent_again(house):
    conversation = await add_conversation(house.pool, name="before")
    path = f"/api/conversations/{conversation}"
    async with house.client.get(path, headers=BEARER) as answer:
        tag = answer.headers["ETag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        async with house.client.get(path, headers=BEARER | {"If-None-Match": known}) as answer:
            assert (answer.status, await answer.read(), answer.headers["ETag"]) == (304, b"", tag)
    await house.pool.execute("UPDATE conversation SET name = 'after' WHERE id = $1", conversation)
    async with house.client.get(path, headers=BEARER | {"If-None-Match": tag}) as answer:
        assert (answer.status, (await answer.json())["name"]) == (200, "after")
    async with house.client.get(path, headers={"If-None-Match": tag}) as answer:
        assert answer.status == 401
