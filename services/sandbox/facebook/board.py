"""The public side of a page, for the page of the sandbox and for tests: posts and comments as JSON over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from aiohttp import web

from services.sandbox.bodies import Upload, read_values
from services.sandbox.facebook.pages import Page, Pages
from services.sandbox.facebook.people import PERSON
from services.sandbox.facebook.posts import Posts
from services.sandbox.files import File, Files, download
from services.sandbox.refusals import Refused, answering
from services.sandbox.said import named
from services.sandbox.streams import ALL, event, tell

Json = dict[str, Any]
HOME: Final = "/post/facebook"
TEXT: Final = 8000
SHOWN: Final = frozenset({"n", "page", "time", "post"})  # what a comment or a post does not show of itself


class Board:
    """Anybody may comment under their own number and name; the page publishes, hides and removes."""

    def __init__(self, pages: Pages, posts: Posts, files: Files) -> None:
        self._pages, self._posts, self._files = pages, posts, files

    def routes(self) -> list[web.RouteDef]:
        page = f"{HOME}/{{page:\\w{{1,64}}}}"
        return [
            web.get(HOME, self._list),
            web.get(page, answering(self._show)),
            web.get(f"{page}/events", answering(self._events)),
            web.get(f"{page}/files/{{file}}", answering(self._file)),
            web.post(f"{page}/act", answering(self._act)),
        ]

    def _page(self, request: web.Request) -> Page:
        name = request.match_info["page"]
        if (page := self._pages.get(name)) is None:
            raise Refused(404, f"no page {name} is subscribed yet; start the adapter that has its token")
        return page

    async def _list(self, _request: web.Request) -> web.Response:
        return web.json_response({"pages": [{"id": page.id, "name": page.name} for page in self._pages]})

    async def _show(self, request: web.Request) -> web.Response:
        page = self._page(request)
        posts = {
            post["id"]: {**_shown(post), "comments": []}
            for post in self._posts.posts.values()
            if post["page"] == page.id
        }
        for comment in self._posts.comments.values():
            if comment["page"] == page.id:
                posts[comment["post"]]["comments"].append(_shown(comment))
        return web.json_response({"n": self._posts.n, "posts": list(posts.values())})

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events: `changed`, whose data is {"n"}; once at the beginning."""
        self._page(request)
        return await tell(request, self._posts.changed, self._news())

    def _news(self) -> Iterator[bytes]:
        told = -1
        while True:
            if self._posts.n != told:
                told = self._posts.n
                yield event("changed", {"n": told}, n=told)
            yield ALL

    async def _file(self, request: web.Request) -> web.Response:
        page, name = self._page(request), request.match_info["file"]
        shown = (comment for comment in self._posts.comments.values() if comment["page"] == page.id)
        file = self._files.get(name)
        if file is None or not any(comment.get("media", {}).get("id") == name for comment in shown):
            raise Refused(404, "no such file under a post of this page")
        return download(self._files.data(file), file.mime_type)

    async def _act(self, request: web.Request) -> web.Response:
        page, values = self._page(request), await read_values(request)
        act = next((act for act in ACTS if values.get(act) is not None), None)
        if act is None:
            raise Refused(400, f"nothing to do: give one of {', '.join(ACTS)}")
        made = ACTS[act](self, page, values)
        return web.json_response({"id": made, "n": self._posts.n})

    def _write(self, page: Page, values: Json) -> str:
        """The page writes; with `user` and `name`, a visitor."""
        said = named(values, "write")
        by = _person(said) if said.get("user") else None
        return str(self._posts.write(page, _words(said, "text"), by=by)["id"])

    def _comment(self, page: Page, values: Json) -> str:
        said = named(values, "comment")
        post = self._of(page, self._posts.post(said.get("post")))
        parent = self._posts.comment(said["parent"]) if said.get("parent") else None
        if parent and parent["post"] != post["id"]:
            raise Refused(400, "the comment answered stands under another post")
        by, text = _person(said), "" if "file" in values and not said.get("text") else _words(said, "text")
        file = self._upload(page, values)
        made = self._posts.add(page, post=post, parent=parent, by=by, text=text, file=file)
        return str(made["id"])

    def _upload(self, page: Page, values: Json) -> File | None:
        upload = values.get("file")
        if upload is None:
            return None
        if not isinstance(upload, Upload) or not upload.mime_type.startswith("image/"):
            raise Refused(400, "file must be a picture, uploaded as multipart/form-data")
        return self._files.keep(upload.data, owner=page.id, mime_type=upload.mime_type, name=upload.name)

    def _edit(self, page: Page, values: Json) -> str:
        said = named(values, "edit")
        comment = self._of(page, self._posts.comment(said.get("comment")))
        self._posts.edit(comment, _words(said, "text"))
        return str(comment["id"])

    def _remove(self, page: Page, values: Json) -> str:
        said = named(values, "remove")
        if "post" in said:
            post = self._of(page, self._posts.post(said["post"]))
            self._posts.remove_post(page, post)
            return str(post["id"])
        comment = self._of(page, self._posts.comment(said.get("comment")))
        self._posts.remove(comment)
        return str(comment["id"])

    def _hide(self, page: Page, values: Json) -> str:
        said = named(values, "hide")
        comment = self._of(page, self._posts.comment(said.get("comment")))
        self._posts.hide(comment, hidden=bool(said.get("hidden", True)))
        return str(comment["id"])

    def _react(self, page: Page, values: Json) -> str:
        said = named(values, "react")
        comment, emoji = self._of(page, self._posts.comment(said.get("comment"))), said.get("emoji") or None
        if emoji is not None and not (isinstance(emoji, str) and len(emoji) <= 64):
            raise Refused(400, "emoji is one emoji, or null to take the reaction back")
        self._posts.react(comment, by=_person(said), emoji=emoji)
        return str(comment["id"])

    def _of(self, page: Page, thing: Json) -> Json:
        if thing["page"] != page.id:
            raise Refused(404, "that is another page's")
        return thing


ACTS: Final[Mapping[str, Callable[[Board, Page, Json], str]]] = {
    "comment": Board._comment,
    "edit": Board._edit,
    "remove": Board._remove,
    "hide": Board._hide,
    "react": Board._react,
    "write": Board._write,
}


def _shown(thing: Json) -> Json:
    """A view; what was removed shows no words."""
    hidden = SHOWN | ({"text", "media"} if thing["removed"] else set())
    return {name: value for name, value in thing.items() if name not in hidden}


def _person(said: Json) -> Json:
    user, name = str(said.get("user", "")), said.get("name")
    if not PERSON.fullmatch(user):
        raise Refused(400, "user is a person's page-scoped id: a number of 4 to 20 digits")
    return {"id": user, "name": name[:64] if isinstance(name, str) and name.strip() else f"Person {user}"}


def _words(said: Json, name: str) -> str:
    text = said.get(name)
    if not isinstance(text, str) or not text.strip() or len(text) > TEXT:
        raise Refused(400, f"{name} must be words, at most {TEXT} characters")
    return text
