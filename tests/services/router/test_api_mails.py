"""The formatted body of a mail, as its frame asks for it: nothing in it can run, be loaded from elsewhere, or be sent."""

import hashlib
import re
import time
import uuid

import pytest

from services.router.api.mails import INLINE, Pictures, scope
from services.router.api.media import sign
from tests.services.router.served import PNG, add_conversation, add_event, get, open_house

HTML = (
    '<p>សួស្តី <img src="cid:logo@shop"> <img data-src="https://elsewhere.example/pixel.gif" alt="far">'
    '<img src="cid:page@shop"></p><script>alert(1)</script>'
)


@pytest.fixture(scope="module")
async def house(servers, tmp_path_factory):
    async with open_house(servers, tmp_path_factory.mktemp("blobs")) as opened:
        yield opened


async def stored(house, content):
    async def chunks():
        yield content

    return (await house.deps.blobs.put("default", chunks(), limit=10_000)).ref


@pytest.fixture
async def mail(house):
    """A mail with a picture, and with a page that calls itself one."""
    message = uuid.uuid4()
    parts = [
        {"kind": "text", "text": "សួស្តី", "html": HTML},
        {"kind": "media", "content_id": "<logo@shop>", "blob": await stored(house, PNG), "size": len(PNG)},
        {"kind": "media", "content_id": "page@shop", "blob": await stored(house, b"<svg onload=alert(1)>"), "size": 21},
    ]
    data = {"message": {"id": str(message), "parts": parts}}
    await add_event(house.pool, await add_conversation(house.pool), 1, "message.received", data, message=message)
    return message


async def page(house, address):
    async with house.client.get(address) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.text(), answer.headers["Content-Security-Policy"]


async def test_is_shown_under_a_policy_that_lets_nothing_run_leave_or_be_framed_elsewhere(house, mail):
    body, policy = await page(house, (await get(house, f"/api/messages/{mail}/html"))["url"])
    assert "សួស្តី" in body
    assert policy == ("default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox")


async def test_folds_what_it_quotes_in_the_language_of_the_page(house):
    message = uuid.uuid4()
    parts = [{"kind": "text", "text": "new", "html": 'new<blockquote type="cite">old</blockquote>'}]
    data = {"message": {"id": str(message), "parts": parts}}
    await add_event(house.pool, await add_conversation(house.pool), 1, "message.received", data, message=message)
    url = (await get(house, f"/api/messages/{message}/html"))["url"]
    for language, words in {"km": "អត្ថបទដកស្រង់", "../en": "Quoted text"}.items():
        body, _ = await page(house, f"{url}&lang={language}")
        assert f"new<details><summary>{words}</summary>" in body


async def test_carries_its_own_pictures_in_itself_and_nothing_that_only_calls_itself_one(house, mail):
    body, _ = await page(house, (await get(house, f"/api/messages/{mail}/html"))["url"])
    assert "data:image/png;base64,iVBORw0KGgo" in body
    assert "cid:" not in body
    assert "svg" not in body


async def test_loads_pictures_from_elsewhere_only_where_that_was_asked_for(house, mail):
    addresses = await get(house, f"/api/messages/{mail}/html")
    plain, policy = await page(house, addresses["url"])
    assert not re.search(r'(?<!-)\bsrc="https?:', plain)
    assert "https:" not in policy
    wished, policy = await page(house, addresses["with_images"])
    assert ' src="https://elsewhere.example/pixel.gif"' in wished
    assert "img-src data: http: https:;" in policy


async def test_offers_no_pictures_where_there_are_none(house):
    message, data = uuid.uuid4(), {"message": {"parts": [{"kind": "text", "text": "x", "html": "<b>x</b>"}]}}
    await add_event(house.pool, await add_conversation(house.pool), 1, "message.received", data, message=message)
    assert (await get(house, f"/api/messages/{message}/html"))["with_images"] is None


async def test_is_told_apart_from_what_has_no_such_body(house, mail):
    for path in (f"{mail}/html?part=1", f"{mail}/html?part=9", f"{uuid.uuid4()}/html"):
        assert (await get(house, f"/api/messages/{path}", status=404))["error"]["code"] == "not_found"


@pytest.mark.parametrize("change", ["message", "part", "name", "expires", "signature"])
async def test_needs_an_address_that_was_given_out_for_it(house, mail, change):
    url = (await get(house, f"/api/messages/{mail}/html"))["url"]
    changed = {
        "message": url.replace(str(mail), str(uuid.uuid4())),
        "part": url.replace("/0?", "/1?"),
        "name": url.replace("name=", "name=images"),
        "expires": re.sub(r"expires=\d+", f"expires={int(time.time()) + 9999}", url),
        "signature": re.sub(r"signature=.*", "signature=" + hashlib.sha256().hexdigest(), url),
    }[change]
    async with house.client.get(changed) as answer:
        assert answer.status == 403


async def test_expires(house, mail):
    past = int(time.time()) - 1
    signature = sign(house.settings.token, scope(mail, 0), expires=past, name="")
    async with house.client.get(f"/mail/{mail}/0?expires={past}&name=&signature={signature}") as answer:
        assert answer.status == 410


class Counted:
    """A blob store that counts what is read of it."""

    def __init__(self, blobs):
        self.blobs, self.reads = blobs, []

    async def get(self, ref):
        self.reads.append(ref)
        return await self.blobs.get(ref)


async def test_reads_each_picture_once_however_often_it_is_shown_and_no_more_than_it_may_show(house):
    counted = Counted(house.deps.blobs)
    ref = await stored(house, b"no picture at all")
    files = {"one": {"blob": ref, "size": 17}}
    files |= {f"large{number}": {"blob": ref, "size": INLINE // 4} for number in range(100)}
    pictures = Pictures(counted, files)
    await pictures.read(["one"] * 1000)
    assert pictures.shown("one") == ""
    assert len(counted.reads) == 1
    await pictures.read(files)
    assert len(counted.reads) <= 4
