"""When a page may write to a person — https://developers.facebook.com/documentation/business-messaging/messenger-platform/policy."""

from __future__ import annotations

from typing import Final

from services.sandbox.graph import GraphError, invalid

DAY: Final = 24 * 3600.0  # seconds
HUMAN_AGENT: Final = 7 * DAY
PRIVATE_REPLY: Final = 7 * DAY
TYPES: Final = frozenset({"RESPONSE", "UPDATE", "MESSAGE_TAG", "UTILITY"})
RETIRED: Final = frozenset({"ACCOUNT_UPDATE", "CONFIRMED_EVENT_UPDATE", "POST_PURCHASE_UPDATE"})


def check_type(kind: object, tag: object, *, template: bool) -> None:
    """Raise GraphError for a messaging_type or tag that there is not: since 2026-04-27 HUMAN_AGENT is the only tag, and only
    a template is a utility message.
    """
    if kind not in TYPES:
        raise invalid(f"Param messaging_type must be one of {{{', '.join(sorted(TYPES))}}}")
    if tag in RETIRED:
        raise GraphError(100, "Invalid parameter", subcode=1893061)
    if (kind == "MESSAGE_TAG") != (tag is not None) or tag not in {None, "HUMAN_AGENT"}:
        raise invalid("Param tag must be one of {HUMAN_AGENT}, and messaging_type MESSAGE_TAG")
    if (kind == "UTILITY") != template:
        raise invalid("A message of messaging_type UTILITY, and no other, is made from a template")


def check_window(*, last: float | None, now: float, tag: object, standard: float = DAY) -> None:
    """Raise GraphError where the person has not written for too long; `last`: when they did, in seconds, None for never.

    `standard`: how long whoever has written may be answered without a tag, in seconds.
    """
    allowed = HUMAN_AGENT if tag == "HUMAN_AGENT" else standard
    if last is None or now - last > allowed:
        raise outside()


def outside() -> GraphError:
    policy = "https://developers.facebook.com/docs/messenger-platform/policy-overview"
    return GraphError(
        10,
        f"This message is sent outside of allowed window. Learn more about the new policy here: {policy}",
        subcode=2018278,
    )
