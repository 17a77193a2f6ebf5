"""The User Profile API: who a person is, to a page that they have written to.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/identity/user-profile
"""

from __future__ import annotations

from typing import Any, Final

from services.sandbox.chats import Chat, Chats
from services.sandbox.facebook.pages import Page
from services.sandbox.faults import Control
from services.sandbox.graph import Call, GraphError, invalid, no_such_object
from services.sandbox.pace import Pace

Json = dict[str, Any]
DEFAULT: Final = "first_name,last_name"
NAMES: Final = frozenset({"id", "name", "first_name", "last_name", "profile_pic"})
EXTENDED: Final = frozenset({"gender", "locale", "timezone"})  # each by a permission of its own
LOCALE, TIMEZONE = "km_KH", 7  # of everybody here


class Profiles:
    """People are called as they said when they wrote; who never said it has an account without a profile."""

    def __init__(self, chats: Chats, control: Control) -> None:
        self._chats, self._control = chats, control
        self._pace = Pace()

    def show(self, page: Page, call: Call) -> Json:
        """Raises GraphError."""
        chat, wanted = self._chats.get(page.id, call.node), _fields(call)
        if chat is None:
            raise no_such_object(call.node)
        seen = {"none": frozenset[str](), "names": NAMES, "all": NAMES | EXTENDED}[self._control.faults.meta.profiles]
        if "wrote_at" not in chat.about or not wanted <= seen:
            raise GraphError(100, "Insufficient permission to access user profile.", subcode=2018247)
        if chat.name == chat.user:
            raise GraphError(100, "No profile available for this user.", subcode=2018218)
        limits = self._control.faults.meta.limits
        if wait := self._pace.take(page.id, rate=limits.per_second, burst=limits.burst):
            why = "There have been too many calls to this Messenger account."
            raise GraphError(80006, why, retry_after=wait)
        return {name: value for name, value in _known(chat).items() if name in wanted | {"id"}}


def _fields(call: Call) -> frozenset[str]:
    wanted = frozenset(str(call.values.get("fields") or DEFAULT).split(","))
    if unknown := wanted - NAMES - EXTENDED:
        raise invalid(f"Tried accessing nonexisting field ({min(unknown)}) on node type (User)")
    return wanted


def _known(chat: Chat) -> Json:
    first, _, last = chat.name.partition(" ")
    names = {"name": chat.name, "first_name": first, "last_name": last}
    return {"id": chat.user, **names, "locale": LOCALE, "timezone": TIMEZONE}
