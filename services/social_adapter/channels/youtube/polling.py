"""What is new under a channel's videos, one request a turn — https://developers.google.com/youtube/v3/guides/implementation/comments.

YouTube tells nobody of comments, so they are looked for in rounds: the newest threads; those that wait for review; the other
threads that were written to of late, fifty at once, by how many answers they have; the answers of each that has others than
before; and what has become of those that are no longer where they were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

from services.social_adapter.channels.youtube import comments
from shared.contract.channel import TRANSIENT, Http, Malformed, Message, Polled, SendFailed, Steps
from shared.contract.readable import each
from shared.dialects.newest import LATE, Told

Json = dict[str, Any]

AGAIN: Final = timedelta(seconds=5)  # between two rounds; the quota makes it longer
OPEN: Final = 500  # threads that are watched: those written to last
AT_ONCE: Final = 50  # ids of one request
PAGES: Final = 100  # of one list
HIDDEN: Final = frozenset({"heldForReview", "likelySpam", "rejected"})
COMMENTS: Final = "youtube#commentListResponse"


@dataclass
class Round:
    """What is known between two turns. `told`: up to when the last round began; `began`: this one.

    `todo`: the requests that are still to be made. `threads`: how many answers each had, and when that was so; the one written to
    last stands last. `held`: comments that wait for review. `listed`: threads that this round has seen. `turn`: which of the
    others are next.
    """

    told: Told
    began: datetime
    todo: list[Json]
    threads: dict[str, tuple[int, str]]
    held: list[str]
    listed: list[str]
    turn: int

    @classmethod
    def of(cls, cursor: Mapping[str, Any], now: datetime) -> Round:
        todo = list(cursor.get("todo", ()))
        return cls(
            told=Told.of(cursor, now),
            began=datetime.fromisoformat(cursor["began"]) if todo else now,
            todo=todo or [{"ask": "threads"}, {"ask": "held"}],
            threads={name: (answers, at) for name, (answers, at) in cursor.get("threads", {}).items()},
            held=list(cursor.get("held", ())),
            listed=list(cursor.get("listed", ())) if todo else [],
            turn=cursor.get("turn", 0),
        )

    def cursor(self) -> Json:
        """After its last step the round is over, and the next tells what is later than its beginning."""
        kept = {"threads": dict([*self.threads.items()][-OPEN:]), "held": self.held[-OPEN:], "turn": self.turn}
        if not self.todo:
            return {**self.told.until(self.began), **kept}
        under_way = {"began": self.began.isoformat(), "listed": self.listed, "todo": self.todo}
        return {**self.told.so_far(), **under_way, **kept}

    def fresh(self, found: Iterable[Message]) -> Iterator[Message]:
        """Those that were not told yet."""
        for message in found:
            if self.told.note(message.event_key, message.occurred_at):
                yield message

    def known(self, thread: str) -> tuple[int | None, datetime]:
        """How many answers it had, and up to when they were told."""
        answers, at = self.threads.get(thread, (None, self.told.at.isoformat()))
        return answers, datetime.fromisoformat(at)

    def watch(self, thread: str, answers: int) -> None:
        if self.threads.get(thread, (None, ""))[0] != answers:
            self.threads.pop(thread, None)
        self.threads[thread] = (answers, self.began.isoformat())


def poll(url: str, headers: Mapping[str, str], channel: str, cursor: Mapping[str, Any], now: datetime) -> Steps[Polled]:
    """One request and what it tells. One about what is gone meanwhile is left out."""
    state = Round.of(cursor, now)
    step = state.todo.pop(0)
    records, page = tuple[Message | Malformed, ...](), b"{}"
    try:
        answer = yield Http(method="GET", url=f"{url}/{_question(step, channel)}", headers=headers, cost=1)
        records, page = tuple(_READ[step["ask"]](state, step, answer.json(), channel)), answer.body
    except SendFailed as failed:
        if failed.reason in TRANSIENT | {"auth"} or step == {"ask": "threads"}:
            raise
    again = timedelta(0) if state.todo else AGAIN
    return Polled(records=records, page=page, cursor=state.cursor(), again_in=again)


def _question(step: Json, channel: str) -> str:
    """Method and parameters: https://developers.google.com/youtube/v3/docs/commentThreads/list, …/comments/list."""
    asked: Json = {"part": "snippet", "textFormat": "plainText"}
    page = {"maxResults": 100, **({"pageToken": step["page"]} if "page" in step else {})}
    all_threads = {"allThreadsRelatedToChannelId": channel, "order": "time", **page}
    match step["ask"]:
        case "threads":
            return f"commentThreads?{urlencode({**asked, 'part': 'snippet,replies', **all_threads})}"
        case "held":
            return f"commentThreads?{urlencode({**asked, **all_threads, 'moderationStatus': 'heldForReview'})}"
        case "others":
            return f"commentThreads?{urlencode({**asked, 'part': 'snippet,replies', 'id': ','.join(step['ids'])})}"
        case "answers":
            return f"comments?{urlencode({**asked, 'parentId': step['thread'], **page})}"
        case _:
            return f"comments?{urlencode({**asked, 'id': ','.join(step['ids'])})}"


def _threads(state: Round, step: Json, page: Json, channel: str) -> Iterator[Message | Malformed]:
    """From the newest on, until they are older than what was told. A page that was kept aside is read again as if it were
    this one, whatever was asked for it.
    """
    if page.get("kind") == COMMENTS:
        yield from each(lambda comment: state.fresh(comments.news(comment, channel, state.told.at)), page["items"])
        return
    times: list[datetime] = []
    yield from each(partial(_thread, state, channel, times), page["items"])
    if state.told.is_recent(times) and (more := _more(step, page)):
        state.todo.insert(0, more)
        return
    others = [thread for thread in state.threads if thread not in set(state.listed)]
    state.turn = state.turn if state.turn < len(others) else 0
    if ids := others[state.turn : state.turn + AT_ONCE]:
        state.turn += AT_ONCE
        state.todo.append({"ask": "others", "ids": ids})


def _thread(state: Round, channel: str, times: list[datetime], thread: Json) -> Iterator[Message]:
    """The first comment, and the answers that come with it; the others are asked for where there are more of them now."""
    snippet, name = thread["snippet"], thread["id"]
    first, answers = snippet["topLevelComment"], int(snippet.get("totalReplyCount") or 0)
    shown = (thread.get("replies") or {}).get("comments") or []
    known, at = state.known(name)
    found = [message for comment in (first, *shown) for message in state.fresh(comments.news(comment, channel, at))]
    fresh = comments.published(first) > at or any(comments.published(answer) > at for answer in shown)
    if answers > len(shown) and (fresh if known is None else known != answers):
        state.todo.append({"ask": "answers", "thread": name, "at": at.isoformat()})
    times.append(comments.published(first))
    state.listed.append(name)
    state.watch(name, answers)
    yield from found


def _held(state: Round, step: Json, page: Json, channel: str) -> Iterator[Message | Malformed]:
    """Only the channel sees them, until somebody lets them through."""
    yield from each(partial(_held_one, state, channel), page["items"])
    _ask_about(state, [name for name in state.held if name not in _names(page)])


def _held_one(state: Round, channel: str, thread: Json) -> Iterator[Message]:
    first = thread["snippet"]["topLevelComment"]
    if thread["id"] not in state.held:
        state.held.append(thread["id"])
        if comments.published(first) > state.told.at - LATE:
            yield from state.fresh([comments.written(first, channel)])
            yield comments.shown(first, channel, hidden=True, at=comments.published(first))


def _others(state: Round, step: Json, page: Json, channel: str) -> Iterator[Message | Malformed]:
    yield from each(partial(_thread, state, channel, []), page["items"])
    missing = [name for name in step["ids"] if name not in _names(page)]
    for name in missing:
        state.threads.pop(name, None)
    _ask_about(state, missing)


def _answers(state: Round, step: Json, page: Json, channel: str) -> Iterator[Message | Malformed]:
    at = datetime.fromisoformat(step["at"])
    yield from each(lambda comment: state.fresh(comments.news(comment, channel, at)), page["items"])
    if more := _more(step, page):
        state.todo.insert(0, more)


def _comments(state: Round, step: Json, page: Json, channel: str) -> Iterator[Message | Malformed]:
    """What has become of those that were no longer where they had been."""
    yield from each(partial(_found, state, channel), page["items"])
    for name in step["ids"]:
        if name not in _names(page):
            state.held = [one for one in state.held if one != name]
            yield comments.gone(name, channel, at=state.began)


def _found(state: Round, channel: str, comment: Json) -> Iterator[Message]:
    name, status = comment["id"], comment["snippet"].get("moderationStatus", "published")
    was_held, state.held = name in state.held, [one for one in state.held if one != name]
    if status == "heldForReview":
        state.held.append(name)
    if was_held and status == "published":
        yield from state.fresh([comments.written(comment, channel)])
        yield comments.shown(comment, channel, hidden=False, at=state.began)
    elif not was_held and status in HIDDEN:
        yield comments.shown(comment, channel, hidden=True, at=state.began)


def _names(page: Json) -> set[str]:
    return {item["id"] for item in page["items"] if isinstance(item, dict) and isinstance(item.get("id"), str)}


def _more(step: Json, page: Json) -> Json | None:
    following, count = page.get("nextPageToken"), step.get("pages", 1)
    return {**step, "page": following, "pages": count + 1} if following and count < PAGES else None


def _ask_about(state: Round, names: list[str]) -> None:
    for first in range(0, len(names), AT_ONCE):
        state.todo.append({"ask": "comments", "ids": names[first : first + AT_ONCE]})


_READ: Final[Mapping[str, Callable[[Round, Json, Json, str], Iterable[Message | Malformed]]]] = {
    "threads": _threads,
    "held": _held,
    "others": _others,
    "answers": _answers,
    "comments": _comments,
}
