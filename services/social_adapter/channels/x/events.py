"""One event of the X Activity API — https://docs.x.com/x-api/activity/event-payloads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import chain
from typing import Any, Final, NamedTuple

from shared.contract import hints
from shared.contract.channel import Message
from shared.contract.envelope import LATEST, Assessment, Notice, Party, automatic
from shared.contract.readable import otherwise

Json = dict[str, Any]

NOTICE: Final = automatic("a notice of X")
# …/event-payloads shows it of an account that its owner has labelled: https://help.x.com/en/using-x/automated-account-labels
AUTOMATED: Final = automatic("an account labelled as automated")


class Event(NamedTuple):
    """`account`: whose subscription it matched. `users`: whoever is described beside it, by id."""

    kind: str
    account: str
    key: str
    payload: Json
    includes: Json
    users: Mapping[str, Json]

    @classmethod
    def of(cls, data: Json) -> Event:
        """That an app's access was withdrawn names nobody in its filter."""
        payload, includes = data["payload"], data.get("includes") or {}
        account = (data.get("filter") or {}).get("user_id") or payload["user_id"]
        beside = (
            otherwise(lambda: list(includes["users"]), []),
            otherwise(lambda: list(payload["users"].values()), []),
            otherwise(lambda: [payload["source"], payload["target"]], []),
        )
        return cls(data["event_type"], account, data["event_uuid"], payload, includes, dict(_by_id(chain(*beside))))

    def party(self, person: str) -> Party:
        """The account itself is nobody whom X vouches for here."""
        known = Party(address=person, verified=None if person == self.account else "provider")
        about = self.users.get(person, {})
        return hints.party(known, name=about.get("name"), username=about.get("username"))

    def assessment(self, person: str) -> Assessment:
        labelled = otherwise(lambda: self.users[person]["affiliation"]["description"] == "Automated", False)
        return AUTOMATED if labelled else Assessment()

    def notice(self, person: str | None = None) -> Message:
        """What X tells that nobody said."""
        return Message(
            account_key=self.account,
            event_key=self.key,
            peer=person or self.account,
            sender=self.party(person or self.account),
            parts=(Notice(type="other", text=self.kind),),
            occurred_at=LATEST,
            assessment=NOTICE,
        )


def _by_id(described: Iterable[Any]) -> Iterable[tuple[str, Json]]:
    """X wraps some of them once more, in `data`."""
    for one in described:
        about: Any = otherwise(lambda one=one: one.get("data") or one, {})  # type: ignore[misc]
        if isinstance(about, dict) and isinstance(name := about.get("id"), str):
            yield name, about


def milliseconds(stamp: str) -> datetime:
    return datetime.fromtimestamp(int(stamp) / 1000, UTC)


def plain(text: str) -> str:
    """X writes three letters as HTML does."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
