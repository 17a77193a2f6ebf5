"""What is new under the account's videos, one request a turn — https://business-api.tiktok.com/portal/docs?id=1760232109619202.

In rounds: the videos, newest first, with how many comments each has; the comments of those that have others than before, newest
first; the answers of each that has others than before. One further video is looked at in each round: one comment may have come
as another went.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from pydantic import SecretStr

from services.social_adapter.channels.tiktok import api, comments
from shared.contract.channel import TRANSIENT, Http, Malformed, Message, Polled, SendFailed, Steps
from shared.contract.readable import each
from shared.dialects.newest import Told

Json = dict[str, Any]

AGAIN: Final = timedelta(seconds=30)  # between two rounds
PACE: Final = timedelta(seconds=2)  # between two requests: 40 a minute of each end point are an account's
VIDEOS: Final = 5  # pages of 20
PAGES: Final = 17  # of 30: after 500 TikTok sorts otherwise
OPEN: Final = 500  # videos whose comments are counted, and comments whose answers are: those of last


@dataclass
class Round:
    """What is known between two turns. `told`: up to when the last round began; `began`: this one.

    `todo`: the requests still to be made. `videos`: how many comments each had; `threads`: how many answers.
    `turn`: which video is looked at beside.
    """

    told: Told
    began: datetime
    todo: list[Json]
    videos: dict[str, int]
    threads: dict[str, int]
    turn: int

    @classmethod
    def of(cls, cursor: Mapping[str, Any], now: datetime) -> Round:
        todo = list(cursor.get("todo", ()))
        return cls(
            told=Told.of(cursor, now),
            began=datetime.fromisoformat(cursor["began"]) if todo else now,
            todo=todo or [{"ask": "videos"}],
            videos=dict(cursor.get("videos", {})),
            threads=dict(cursor.get("threads", {})),
            turn=cursor.get("turn", 0),
        )

    def cursor(self) -> Json:
        """After its last step the round is over, and the next tells what is later than its beginning."""
        kept = {
            "videos": dict([*self.videos.items()][-OPEN:]),
            "threads": dict([*self.threads.items()][-OPEN:]),
            "turn": self.turn,
        }
        if not self.todo:
            return {**self.told.until(self.began), **kept}
        return {**self.told.so_far(), "began": self.began.isoformat(), "todo": self.todo, **kept}

    def fresh(self, comment: Json, account: str) -> list[Message]:
        """What is to be told of it: nothing, where that was done."""
        name, at = str(comment["comment_id"]), comments.published(comment)
        if not self.told.is_recent([at]) or name in self.told.names:
            return []
        found = [*comments.written(comment, account)]
        self.told.note(name, at)
        return found

    def answers(self, comment: Json) -> int:
        """How many there are that were not counted yet."""
        name, now = str(comment["comment_id"]), int(comment.get("replies") or 0)
        before = self.threads.get(name, 0)
        if now != before:
            self.threads.pop(name, None)
            self.threads[name] = now
        return now - before


def poll(account: api.At, cursor: Mapping[str, Any], token: SecretStr, now: datetime) -> Steps[Polled]:
    """One request and what it tells. One about what is gone meanwhile is left out."""
    state = Round.of(cursor, now)
    step = {**state.todo.pop(0)}
    records, page = tuple[Message | Malformed, ...](), b"{}"
    try:
        answer = yield _question(account, step, token)
        records, page = tuple(_READ[step["ask"]](state, step, answer.json()["data"], account.business_id)), answer.body
    except SendFailed as failed:
        if failed.reason in TRANSIENT | {"auth"} or step["ask"] == "videos":
            raise
    return Polled(records=records, page=page, cursor=state.cursor(), again_in=PACE if state.todo else AGAIN)


def _question(account: api.At, step: Json, token: SecretStr) -> Http:
    page = {"cursor": step["cursor"]} if "cursor" in step else {}
    if step["ask"] == "videos":
        fields = json.dumps(["item_id", "comments"])
        return api.get(account, "business/video/list", token, fields=fields, max_count=20, **page)
    newest = {"sort_field": "create_time", "sort_order": "desc", "max_count": 30, **page}
    if step["ask"] == "comments":
        return api.get(account, "business/comment/list", token, video_id=step["video"], **newest)
    about = {"video_id": step["video"], "comment_id": step["comment"]}
    return api.get(account, "business/comment/reply/list", token, **about, **newest)


def _videos(state: Round, step: Json, page: Json, account: str) -> Iterator[Message | Malformed]:
    yield from each(partial(_video, state), page["videos"])
    if more := _more(step, page, VIDEOS):
        state.todo.insert(0, more)
        return
    others = [name for name in state.videos if all(name != one.get("video") for one in state.todo)]
    if others:
        state.turn = state.turn % len(others)
        state.todo.append({"ask": "comments", "video": others[state.turn], "new": 0})
        state.turn += 1


def _video(state: Round, video: Json) -> Iterable[Message]:
    """Of one that was not known only what is new is told, not what stands beneath old comments."""
    name, now = str(video["item_id"]), int(video.get("comments") or 0)
    before = state.videos.get(name)
    if now != (before or 0):
        first = {"first": True} if before is None else {}
        state.todo.append({"ask": "comments", "video": name, "new": now - (before or 0), **first})
    state.videos[name] = now
    return ()


def _comments(state: Round, step: Json, page: Json, account: str) -> Iterator[Message | Malformed]:
    """On as long as there are more that are not accounted for."""
    times: list[datetime] = []
    yield from each(partial(_comment, state, step, account, times), page["comments"])
    if (
        step["new"] > 0
        and (state.told.is_recent(times) or not step.get("first"))
        and (more := _more(step, page, PAGES))
    ):
        state.todo.insert(0, more)


def _comment(state: Round, step: Json, account: str, times: list[datetime], comment: Json) -> list[Message]:
    at, found, answers = comments.published(comment), state.fresh(comment, account), state.answers(comment)
    times.append(at)
    if answers > 0 and (at > state.told.at or not step.get("first")):
        state.todo.append({"ask": "answers", "video": step["video"], "comment": str(comment["comment_id"])})
    step["new"] -= bool(found) + max(0, answers)
    return found


def _answers(state: Round, step: Json, page: Json, account: str) -> Iterator[Message | Malformed]:
    times: list[datetime] = []
    yield from each(partial(_answer, state, account, times), page["comments"])
    if state.told.is_recent(times) and (more := _more(step, page, PAGES)):
        state.todo.insert(0, more)


def _answer(state: Round, account: str, times: list[datetime], comment: Json) -> list[Message]:
    times.append(comments.published(comment))
    return state.fresh(comment, account)


def _more(step: Json, page: Json, pages: int) -> Json | None:
    count = step.get("pages", 1)
    return {**step, "cursor": page["cursor"], "pages": count + 1} if page.get("has_more") and count < pages else None


_READ: Final[Mapping[str, Callable[[Round, Json, Json, str], Iterable[Message | Malformed]]]] = {
    "videos": _videos,
    "comments": _comments,
    "answers": _answers,
}
