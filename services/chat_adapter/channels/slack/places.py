"""Where a message was said, and by which names it and its place are known — https://docs.slack.dev/messaging/retrieving-messages.

What is told only to one person within a channel (the answer to a slash command) has a place of its own, `{channel}:only:{person}`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from shared.contract.channel import Piece, TypingMark
from shared.contract.envelope import Party, Thread

ONLY: Final = ":only:"


def names(channel: str, ts: str, thread_ts: Any) -> tuple[str, tuple[str, ...]]:
    """A message's name: its time is unique only within its channel. One in a thread has the thread's beginning behind it,
    since that is what an answer must name; then also the plain name, by which Slack tells of it.
    """
    plain = f"{channel}:{ts}"
    root = root_of(ts, thread_ts)
    return (f"{plain}:{root}", (plain,)) if root else (plain, ())


def root_of(ts: str, thread_ts: Any) -> str | None:
    """The beginning of the thread that it answers in; a beginning itself answers nothing."""
    return thread_ts if isinstance(thread_ts, str) and 0 < len(thread_ts) < 40 and thread_ts != ts else None


def is_direct(channel: str) -> bool:
    """A person's own chat with the app: https://docs.slack.dev/reference/objects/conversation-object."""
    return channel[:1] == "D"


def is_person(place: str) -> bool:
    return place[:1] in {"U", "W"}


def is_own(place: str) -> bool:
    """Whether this is one person's chat with the app, by either of its names."""
    return ONLY not in place and (is_direct(place) or is_person(place))


def party(address: str, channel: str) -> Party:
    """A person's chat with the app is another address of theirs, at which the app's words stand too."""
    aliases = (channel,) if is_direct(channel) and is_person(address) else ()
    return Party(address=address, aliases=aliases, verified="signature")


def thread(channel: str, ts: str, thread_ts: Any, *, apart: bool) -> Thread:
    """`apart`: whether each thread of this channel is a conversation; a message that begins none yet may begin one."""
    root = root_of(ts, thread_ts)
    return Thread(
        reply_to=f"{channel}:{root}" if root else None,
        thread_key=f"{channel}:{root or ts}" if apart else None,
    )


def only(channel: str, person: str) -> str:
    """What nobody but this person sees; in their own chat with the app that is all of it."""
    return channel if is_own(channel) else f"{channel}{ONLY}{person}"


def stands(name: str) -> tuple[str, str]:
    """The channel of a message and its time, by its name."""
    channel, _, rest = name.partition(":")
    return channel, rest.partition(":")[0]


def split(place: str) -> tuple[str, str]:
    """The channel, and the one person who sees what goes there, else ""."""
    channel, _, person = place.partition(ONLY)
    return channel, person


def target(about: Piece | TypingMark, *, agent: bool) -> tuple[str, str | None]:
    """The channel to post to, and the thread. A person's chat is known once they have written. An agent answers each message
    in its own thread: https://docs.slack.dev/ai/developing-agents.
    """
    channel, newest = split(about.to)[0], _newest(about)
    if is_person(channel) and newest:
        channel = newest.partition(":")[0]
    found = (root for root in _roots(about, newest, agent=agent) if root.startswith(f"{channel}:"))
    name = next(found, None)
    return channel, name.rpartition(":")[2] if name else None


def _newest(about: Piece | TypingMark) -> str | None:
    if isinstance(about, TypingMark):
        return about.reply_to
    return about.references[-1] if about.references else None


def _roots(about: Piece | TypingMark, newest: str | None, *, agent: bool) -> Iterator[str]:
    if isinstance(about, Piece) and about.reply_to:
        yield about.reply_to
    if about.thread_key:
        yield about.thread_key
    if newest and (agent or newest.count(":") > 1):
        yield newest
