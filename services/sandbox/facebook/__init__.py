"""Facebook on loopback: Messenger and the feed of pages — https://developers.facebook.com/docs/graph-api/reference/page."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from services.sandbox.chats import Chats
from services.sandbox.facebook.board import Board
from services.sandbox.facebook.messages import Messages
from services.sandbox.facebook.pages import Page, Pages
from services.sandbox.facebook.people import People
from services.sandbox.facebook.posts import Posts
from services.sandbox.facebook.profiles import Profiles
from services.sandbox.facebook.receipts import Receipts
from services.sandbox.facebook.replies import Replies
from services.sandbox.facebook.telling import TOPIC, Telling
from services.sandbox.facebook.templates import TEMPLATES
from services.sandbox.faults import Control
from services.sandbox.files import Files, download
from services.sandbox.graph import Call, Graph, invalid, no_such_object
from services.sandbox.graph.links import Links
from services.sandbox.graph.templates import listed
from services.sandbox.phones import Phones
from services.sandbox.shelf import Shelf

Json = dict[str, Any]
CDN: Final = "/cdn/facebook"


class Facebook:
    """The platform of the Graph; the phones of Messenger; the posts for everyone to read."""

    name = "facebook"

    def __init__(self, shelf: Shelf, control: Control, graph: Graph) -> None:
        self._graph, self._files, self._chats = graph, Files(shelf), Chats(shelf)
        self._links = Links(control, self._files, path=CDN)
        self._pages, telling = Pages(shelf), Telling(graph, control)
        receipts = Receipts(telling, control)
        self._posts = Posts(shelf, files=self._files, links=self._links, telling=telling)
        self._replies = Replies(self._posts, self._files, control)
        self._messages = Messages(
            chats=self._chats,
            files=self._files,
            links=self._links,
            posts=self._posts,
            telling=telling,
            receipts=receipts,
            control=control,
        )
        people = People(
            pages=self._pages,
            chats=self._chats,
            files=self._files,
            links=self._links,
            telling=telling,
            receipts=receipts,
        )
        self._profiles = Profiles(self._chats, control)
        self._phones = Phones(people, self._chats, self._files)
        self._board = Board(self._pages, self._posts, self._files)
        graph.add(self)

    def routes(self) -> list[web.RouteDef]:
        return [web.get(CDN, self._download), *self._phones.routes(), *self._board.routes()]

    def claims(self, call: Call) -> bool:
        if call.edge == "subscribed_apps":
            return "subscribed_fields" in call.values
        known = self._pages.get(call.node) or (call.node == "me" and self._pages.by_token(call.token))
        return bool(known) or self._posts.knows(call.node) or self._asks_about_person(call)

    def sends(self, call: Call) -> bool:
        return call.method == "POST" and (
            call.edge == "comments" or ("message" in call.values and call.edge == "messages")
        )

    async def answer(self, call: Call) -> Json:
        match call.method, call.edge:
            case "POST", "subscribed_apps":
                return self._subscribe(call)
            case "POST", "messages":
                return await self._messages.send(self._pages.of(call), call)
            case "POST", "message_attachments":
                return self._messages.upload(self._pages.of(call), call)
            case "POST", ("pass_thread_control" | "take_thread_control" | "release_thread_control"):
                return self._messages.hand_over(self._pages.of(call), call)
            case "POST", "comments":
                return self._replies.add(self._page_of(call), call)
            case "POST" | "DELETE", "" | "likes" if self._posts.knows(call.node):
                return self._replies.change(self._page_of(call), call)
            case "GET", "message_templates":
                self._pages.of(call)
                return listed(TEMPLATES)
            case "GET", "" if self._asks_about_person(call) and (page := self._pages.by_token(call.token)):
                return self._profiles.show(page, call)
            case "GET", "":
                return self._fields(self._pages.of(call), call)
        raise invalid(f"Unsupported {call.method.lower()} request")

    def _asks_about_person(self, call: Call) -> bool:
        """By a page's token, and about nothing that we know better."""
        other = call.edge or call.node == "me" or self._pages.get(call.node) or self._posts.knows(call.node)
        return call.method == "GET" and not other and self._pages.by_token(call.token) is not None

    def _subscribe(self, call: Call) -> Json:
        fields = call.text("subscribed_fields")
        proof = call.values.get("appsecret_proof")
        self._graph.apps.join(call.node, topic=TOPIC, token=call.token, proof=proof, fields=fields)
        self._pages.join(call)
        return {"success": True}

    def _page_of(self, call: Call) -> Page:
        """Whose post or comment is called, by that page's own token."""
        page = self._pages.get(self._posts.page_of(call.node)) if self._posts.knows(call.node) else None
        if page is None:
            raise no_such_object(call.node)
        return self._pages.allowed(page, call)

    def _fields(self, page: Page, call: Call) -> Json:
        wanted = {"id", *str(call.values.get("fields", "name")).split(",")}
        return {name: value for name, value in (("id", page.id), ("name", page.name)) if name in wanted}

    async def _download(self, request: web.Request) -> web.StreamResponse:
        if (file := self._links.file(request.query)) is None:
            raise web.HTTPForbidden(text="URL signature expired")
        return download(self._files.data(file), file.mime_type)
