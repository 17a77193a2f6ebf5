"""A page's posts and the comments under them, and every change as its feed tells it."""

from __future__ import annotations

import secrets
import time
from typing import Any, Final

from services.sandbox.chats import now
from services.sandbox.facebook.pages import Page
from services.sandbox.facebook.telling import Telling
from services.sandbox.facebook.windows import PRIVATE_REPLY, outside
from services.sandbox.files import File, Files
from services.sandbox.graph import GraphError, no_such_object
from services.sandbox.graph.links import Links
from services.sandbox.refusals import Refused
from services.sandbox.shelf import Shelf
from services.sandbox.signals import Signal

Json = dict[str, Any]
WORDS: Final = {
    "👍": "like",
    "❤️": "love",
    "❤": "love",
    "🤗": "care",
    "😆": "haha",
    "😮": "wow",
    "😢": "sad",
    "😡": "angry",
}


class Posts:
    """Each is a view as GET /post/facebook/{page} shows it, with what only we need beside it: page, time, file."""

    def __init__(self, shelf: Shelf, *, files: Files, links: Links, telling: Telling) -> None:
        self._shelf, self._files, self._links, self._telling = shelf, files, links, telling
        self.posts: dict[str, Json] = {kept["id"]: kept for _, kept in shelf.under("post/")}
        self.comments: dict[str, Json] = {kept["id"]: kept for _, kept in shelf.under("comment/")}
        self.n = max((kept["n"] for kept in (*self.posts.values(), *self.comments.values())), default=0)
        self.changed = Signal()

    def knows(self, name: str) -> bool:
        return name in self.posts or name in self.comments

    def _show(self, kind: str, thing: Json) -> Json:
        self.n += 1
        kept = {**thing, "n": self.n}
        (self.posts if kind == "post" else self.comments)[kept["id"]] = kept
        self._shelf.put(f"{kind}/{kept['id']}", kept)
        self.changed.set()
        return kept

    # what is there

    def page_of(self, name: str) -> str:
        """Whose post or comment it is."""
        page: str = (self.posts.get(name) or self.comments[name])["page"]
        return page

    def post(self, name: object) -> Json:
        """A post that stands. Raises Refused."""
        found = self.posts.get(name) if isinstance(name, str) else None
        if found is None or found["removed"]:
            raise Refused(404, "no such post")
        return found

    def comment(self, name: object) -> Json:
        """A comment that stands, under a post that stands. Raises Refused."""
        found = self.comments.get(name) if isinstance(name, str) else None
        if found is None or self._is_gone(found):
            raise Refused(404, "no such comment")
        return found

    def _is_gone(self, thing: Json) -> bool:
        """Removed itself, or what it stands under."""
        above = (self.comments.get(thing.get("parent") or ""), self.posts.get(thing.get("post", "")))
        return any(one["removed"] for one in (thing, *above) if one)

    # what people and the page do

    def write(self, page: Page, text: str, *, by: Json | None = None) -> Json:
        """The page publishes a post, or a visitor writes on the page."""
        author = by or _author(page)
        number = 10**14 + secrets.randbelow(9 * 10**14)
        post = {"id": f"{page.id}_{number}", "page": page.id, "from": author, "text": text}
        shown = self._show("post", {**post, "at": now(), "time": int(time.time()), "removed": False})
        kind: Json = {"item": "post"} if by else {"item": "status", "published": 1}
        self._tell(page.id, {**kind, "post_id": shown["id"], "verb": "add", "message": text, "from": author})
        return shown

    def add(
        self, page: Page, *, post: Json, parent: Json | None, by: Json, text: str, file: File | None = None
    ) -> Json:
        """A new comment; an answer to an answer stands under the first comment, as Facebook shows it."""
        top = (parent["parent"] or parent["id"]) if parent else None
        number = f"{post['id'].partition('_')[2]}_{10**14 + secrets.randbelow(9 * 10**14)}"
        comment = {"id": number, "page": page.id, "post": post["id"], "parent": top, "from": by, "text": text}
        media = {"media": _media(file)} if file else {}
        state = {
            "at": now(),
            "time": int(time.time()),
            "edited": False,
            "removed": False,
            "hidden": False,
            "reactions": {},
        }
        shown = self._show("comment", {**comment, **media, **state})
        photo = {"photo": self._links.at(page.base, file)} if file else {}
        self._tell_of(shown, "add", message=text, **photo)
        return shown

    def edit(self, comment: Json, text: str) -> None:
        shown = self._show("comment", {**comment, "text": text, "edited": True})
        self._tell_of(shown, "edited", message=text)

    def remove(self, comment: Json) -> None:
        self._tell_of(self._show("comment", {**comment, "removed": True}), "remove")

    def hide(self, comment: Json, *, hidden: bool) -> None:
        if comment["hidden"] != hidden:
            self._tell_of(self._show("comment", {**comment, "hidden": hidden}), "hide" if hidden else "unhide")

    def react(self, comment: Json, *, by: Json, emoji: str | None) -> None:
        before = comment["reactions"].get(by["id"])
        if before == emoji:
            return
        others = {who: shown for who, shown in comment["reactions"].items() if who != by["id"]}
        self._show("comment", {**comment, "reactions": {**others, by["id"]: emoji} if emoji else others})
        verb = "remove" if emoji is None else "edit" if before else "add"
        kind = WORDS.get(emoji or before or "", "like")
        value = {"item": "reaction", "reaction_type": kind, **_where(comment), "verb": verb, "from": by}
        self._tell(comment["page"], value)

    def remove_post(self, page: Page, post: Json) -> None:
        self._show("post", {**post, "removed": True})
        value = {"item": "post", "post_id": post["id"], "verb": "remove", "recipient_id": page.id}
        self._tell(page.id, {**value, "from": post["from"]})

    # private replies

    def answerable(self, page: str, name: object) -> str:
        """Who wrote the comment or the post, if the page may still answer in private. Raises GraphError."""
        found = (self.comments.get(name) or self.posts.get(name)) if isinstance(name, str) else None
        if found is None or found["page"] != page or self._is_gone(found):
            raise no_such_object(str(name))
        if found["from"]["id"] == page:
            raise GraphError(10903, "This user can't reply to this activity")
        if found.get("private"):
            raise GraphError(10900, "Activity already replied to")
        if time.time() - found["time"] > PRIVATE_REPLY:
            raise outside()
        return str(found["from"]["id"])

    def answered_in_private(self, name: str, words: str) -> None:
        kind, found = ("comment", self.comments[name]) if name in self.comments else ("post", self.posts[name])
        self._show(kind, {**found, "private": words})

    # what the feed says

    def _tell_of(self, comment: Json, verb: str, **more: Any) -> None:
        value = {"item": "comment", **_where(comment), "verb": verb, "from": comment["from"], **more}
        self._tell(comment["page"], value)

    def _tell(self, page: str, value: Json) -> None:
        self._telling.feed(page, {**value, "created_time": int(time.time())})


def _where(comment: Json) -> Json:
    """A first comment's parent is the post."""
    parent = comment["parent"] or comment["post"]
    return {"comment_id": comment["id"], "post_id": comment["post"], "parent_id": parent}


def _author(page: Page) -> Json:
    return {"id": page.id, "name": page.name}


def _media(file: File) -> Json:
    return {"kind": "image", "id": file.id, "mime_type": file.mime_type, "name": file.name, "size": file.size}
