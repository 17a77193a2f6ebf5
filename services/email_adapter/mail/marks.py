"""How mail programs set apart in HTML what they repeat: by classes and ids of their own, and by borders."""

from __future__ import annotations

import re
from typing import Final

from selectolax.lexbor import LexborNode

from services.email_adapter.mail.lines import ORIGINAL

# All that stands within is repeated.
WITHIN: Final = frozenset({"yahoo_quoted", "protonmail_quote", "tutanota_quote", "zmail_extra", "ymail_quoted"})
# What stands behind is repeated, unless it is answered there: a blockquote that holds the quote itself follows.
BEHIND: Final = frozenset(
    {"gmail_quote", "gmail_attr", "moz-cite-prefix", "moz-forward-container", "outlookmessageheader", "wordsection1_reply",
     "email_quote_prefix", "hcsig-quote", "front-blockquote-header", "mailbird_quote", "sh-quoted-content"}
)  # fmt: skip
IDS: Final = frozenset(
    {"appendonsend", "divrplyfwdmsg", "reply-intro", "mail-editor-reference-message-container", "stopspelling", "isreplycontent",
     "ms-outlook-mobile-reply", "orighead", "oriheader", "replysplit", "composereplyquote", "bmquotedmail"}
)  # fmt: skip
CITED: Final = frozenset(
    {"gmail_quote", "yahoo_quoted", "protonmail_quote", "cite", "quote", "email_quote", "tutanota_quote"}
)
# Outlook and the mail of Windows draw a line above the head of what they repeat, and nothing else below it.
ABOVE: Final = re.compile(
    r"border:\s*none;\s*border-top:\s*solid\s+#?\w+(?:\s+1\.0pt)?;?\s*padding:\s*3\.0pt", re.IGNORECASE
)
LEFT: Final = re.compile(
    r"border-left(?:-(?:width|style|color))?:\s*(?!none|0)|border-(?:inline-start|width:\s*0(?:px)? 0(?:px)? 0(?:px)? [1-9])",
    re.IGNORECASE,
)
ANY: Final = re.compile(
    "|".join(map(re.escape, sorted(WITHIN | BEHIND | IDS))) + "|type=[\"']?cite|border-top:\\s*solid", re.IGNORECASE
)
STYLE: Final = 500  # characters that are looked at


def begins(node: LexborNode) -> str:
    """The letter of the first line in it where the program's mark says that another mail begins there; else none."""
    known = _names(node, "id") & IDS or (node.tag != "blockquote" and _names(node, "class") & BEHIND)
    return ORIGINAL if known or ABOVE.search(_style(node)) else ""


def is_cited(node: LexborNode) -> bool:
    """Whether what stands in it is another mail's: quoted by a program, not set in by a person."""
    names = _names(node, "class")
    if node.tag != "blockquote":
        return bool(names & WITHIN)
    cited = (node.attributes.get("type") or "").lower() == "cite" or bool(node.attributes.get("cite"))
    return cited or bool(names & CITED) or bool(LEFT.search(_style(node)))


def _names(node: LexborNode, attribute: str) -> set[str]:
    """As the program wrote them; Outlook.com puts x_ before what others wrote."""
    told = (node.attributes.get(attribute) or "").lower()
    return {one.removeprefix("x_") for one in told[:STYLE].split()} if told else set()


def _style(node: LexborNode) -> str:
    return (node.attributes.get("style") or "")[:STYLE]
