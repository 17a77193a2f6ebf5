"""What people are deceived with in a sender: a name that is another's address, look-alike letters, answers that go elsewhere."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Final

from services.email_adapter.mail.addresses import LIKE_ADDRESS, Mailbox, wire_domain
from services.email_adapter.mail.owners import owner
from shared.contract.envelope import Flag

# Scripts that are written together (Unicode TS 39 §5.2, highly restrictive).
TOGETHER: Final = tuple(
    frozenset(each.split())
    for each in ("LATIN CJK HIRAGANA KATAKANA KATAKANA-HIRAGANA", "LATIN CJK BOPOMOFO", "LATIN CJK HANGUL")
)
LIKE_LATIN: Final = frozenset("авеһіјкӏмнорԛѕстуѵԝхүԁɡ" + "αεηικνορτυχϲϳ")  # of Cyrillic, IPA and Greek


def flags(sender: Mailbox, answer_to: Mailbox | None) -> Iterator[Flag]:
    """Each that is so."""
    domain = wire_domain(sender.address)
    if answer_to and owner(wire_domain(answer_to.address)) != owner(domain):
        yield "reply_to_elsewhere"
    named = LIKE_ADDRESS.search(sender.name or "")
    if named and wire_domain(named[0].lower()) != domain:
        yield "address_in_name"
    if any(_deceives(label) for label in sender.address.rpartition("@")[2].split(".")):
        yield "lookalike_domain"


def _deceives(label: str) -> bool:
    """Whether a label mixes scripts that nobody writes together, or is all of letters that look Latin and are not."""
    letters = [letter for letter in label if letter.isalpha()]
    scripts = {unicodedata.name(letter, "?").split()[0] for letter in letters}
    if len(scripts) > 1:
        return not any(scripts <= together for together in TOGETHER)
    return bool(letters) and set(letters) <= LIKE_LATIN
