"""What a report on a mail becomes: the status of the message of ours that it names, and a notice, which nobody answers."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from services.email_adapter.mail.kinds import Judged
from services.email_adapter.mail.names import Account
from services.email_adapter.mail.outcomes import code_of
from services.email_adapter.mail.reports import Fate
from shared.contract.channel import Receipt
from shared.contract.codes import Code, Failure, Status
from shared.contract.envelope import Bounce, Notice

REPORTS: Final = frozenset({"bounce", "complaint", "receipt"})
FULL: Final = "2.2"  # subject and detail of a full mailbox, which has room again some day
SAID: Final = 500  # characters of a server's words


def bounces_of(judged: Judged, original: str | None) -> tuple[Bounce, ...]:
    """By recipient. `original`: the Message-ID of the mail that did not arrive."""
    if judged.kind != "bounce":
        return ()
    told = judged.fates or (Fate("", "failed"),)
    return tuple(
        Bounce(
            recipient=fate.recipient,
            status=fate.status,
            type=type_of(fate),
            original_id=original,
            diagnostic=fate.diagnostic or None,
        )
        for fate in told
    )


def type_of(fate: Fate) -> Literal["hard", "soft", "delayed"]:
    """`delayed`: it is still tried. `soft`: it may arrive another time (a code of 4, a full mailbox); `hard`: it will not."""
    if fate.action == "delayed":
        return "delayed"
    return "soft" if fate.status.startswith("4") or fate.status.partition(".")[2] == FULL else "hard"


def receipt_of(judged: Judged, original: str, account: Account, peer: str, at: datetime) -> Receipt | None:
    """What became of our message `original`. None where it is still tried, or was only handed on."""
    status: Status | None = None
    fate = next((one for one in judged.fates if one.action != "delayed"), None)
    if judged.kind == "bounce" and fate:
        status = "failed"
    elif judged.seen:
        status = "read"
    elif fate and fate.action == "delivered":
        status = "delivered"
    return status and Receipt(
        account_key=account.key,
        peer=(fate.recipient if fate else "") or peer,
        status=status,
        failure=failure_of(fate) if fate and status == "failed" else None,
        external_ids=(original,),
        occurred_at=at,
    )


def failure_of(fate: Fate) -> Failure:
    """`bad_address` only where the server says that there is nobody of that address."""
    code: Code = "unreachable" if type_of(fate) == "soft" else code_of(fate.status) or "refused"
    return Failure(code=code, detail=" ".join(filter(None, (fate.status, fate.diagnostic)))[:SAID])


def notice_of(judged: Judged, *, ours: bool) -> Notice:
    """What is told of it. Whoever complains of a mail of ours wants no more of them: of marketing, since the rest is asked for."""
    words = "; ".join(judged.reasons)
    if judged.kind == "bounce":
        told = [" ".join(filter(None, (one.recipient, one.status, one.diagnostic))) for one in judged.fates]
        words = "\n".join(filter(None, told)) or words
    text = f"{judged.kind}: {words}"[:SAID]
    if judged.unwanted and ours:
        return Notice(type="opted_out", purposes=("marketing",), text=text)
    return Notice(type="other", text=text)
