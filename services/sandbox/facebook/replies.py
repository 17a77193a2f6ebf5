"""The page's own comments — https://developers.facebook.com/docs/graph-api/reference/object/comments."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from services.sandbox.bodies import Upload
from services.sandbox.facebook.pages import Page
from services.sandbox.facebook.posts import Posts
from services.sandbox.faults import Control
from services.sandbox.files import File, Files
from services.sandbox.graph import Call, GraphError, invalid, no_such_object
from services.sandbox.pace import Pace
from services.sandbox.refusals import Refused

Json = dict[str, Any]
TEXT: Final = 8000
PHOTO_BYTES: Final = 4 * 1024 * 1024
LIKE: Final[Mapping[str, str | None]] = {"POST": "👍", "DELETE": None}


class Replies:
    """Under a post, or under a comment; what is gone takes none."""

    def __init__(self, posts: Posts, files: Files, control: Control) -> None:
        self._posts, self._files, self._control = posts, files, control
        self._pace = Pace()

    def add(self, page: Page, call: Call) -> Json:
        post, parent = self._target(call.node)
        text, file = self._words(call), self._photo(page, call)
        if not text and file is None:
            raise invalid(
                "Requires one of the params: message,attachment_id,attachment_share_url,attachment_url,source"
            )
        self._take_turn(page)
        by = {"id": page.id, "name": page.name}
        made = self._posts.add(page, post=post, parent=parent, by=by, text=text, file=file)
        about = {"page": page.id, "comment": made["id"], "under": call.node, "text": text, "at": time.time()}
        self._control.accepted({"provider": "facebook", **about})
        return {"id": made["id"]}

    def change(self, page: Page, call: Call) -> Json:
        """The page's own comment has other words or is taken back; any is liked: …/docs/graph-api/reference/comment."""
        try:
            comment = self._posts.comment(call.node)
        except Refused:
            raise no_such_object(call.node) from None
        if call.edge:
            self._posts.react(comment, by={"id": page.id, "name": page.name}, emoji=LIKE[call.method])
            return {"success": True}
        if comment["from"]["id"] != page.id:
            raise GraphError(200, "Permissions error", subcode=1705)
        if call.method == "DELETE":
            self._posts.remove(comment)
        else:
            self._posts.edit(comment, self._words(call))
        return {"success": True}

    def _target(self, node: str) -> tuple[Json, Json | None]:
        try:
            if node in self._posts.posts:
                return self._posts.post(node), None
            parent = self._posts.comment(node)
        except Refused:
            raise no_such_object(node) from None
        return self._posts.post(parent["post"]), parent

    def _words(self, call: Call) -> str:
        text = call.values.get("message", "")
        if not isinstance(text, str) or len(text) > TEXT:
            raise invalid(f"Length of param message must be less than or equal to {TEXT}")
        return text.strip()

    def _photo(self, page: Page, call: Call) -> File | None:
        source = call.values.get("source")
        if source is None:
            return None
        if not isinstance(source, Upload) or not source.mime_type.startswith("image/"):
            raise GraphError(100, "Invalid image", subcode=1487411)
        if len(source.data) > PHOTO_BYTES:
            raise GraphError(100, "Your photos couldn't be uploaded. Photos should be less than 4 MB", subcode=1366046)
        return self._files.keep(source.data, owner=page.id, mime_type=source.mime_type, name=source.name)

    def _take_turn(self, page: Page) -> None:
        limits = self._control.faults.meta.limits
        if wait := self._pace.take(page.id, rate=limits.per_second, burst=limits.burst):
            raise GraphError(80001, "There have been too many calls to this Page account.", retry_after=wait)
