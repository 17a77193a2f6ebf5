"""HTML of strangers made harmless, and silent: nothing in it loads anything from elsewhere."""

from __future__ import annotations

import re
from typing import Final

import nh3

from services.email_adapter.mail.readable import is_modest

SCHEMES: Final = {"http", "https", "mailto", "tel", "cid"}
_TAGS: Final = """
a abbr address article aside b bdi bdo big blockquote br caption center cite code col colgroup dd del details dfn div dl
dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li main mark nav ol p pre q rp rt ruby s
samp section small span strike strong sub summary sup table tbody td tfoot th thead time tr tt u ul var wbr
"""
_STYLES: Final = """
background-color border border-bottom border-bottom-color border-bottom-style border-bottom-width border-collapse
border-color border-left border-left-color border-left-style border-left-width border-radius border-right
border-right-color border-right-style border-right-width border-spacing border-style border-top border-top-color
border-top-style border-top-width border-width clear color direction display float font font-family font-size font-style
font-variant font-weight height letter-spacing line-height list-style-type margin margin-bottom margin-left margin-right
margin-top max-height max-width min-height min-width overflow-wrap padding padding-bottom padding-left padding-right
padding-top table-layout text-align text-decoration text-indent text-transform unicode-bidi vertical-align white-space
width word-break word-spacing word-wrap
"""
_LOOK: Final = {"align", "bgcolor", "color", "dir", "height", "lang", "title", "valign", "width"}
_TABLE: Final = {"border", "cellpadding", "cellspacing", "colspan", "rowspan"}
TAGS: Final = set(_TAGS.split())
ATTRIBUTES: Final = {
    "*": {*_LOOK, "style"},
    "a": {"href"},
    "blockquote": {"type"},
    "div": {"class", "id"},
    "font": {"face", "size"},
    "img": {"alt", "src"},
    "ol": {"start", "type"},
    "table": _TABLE,
    "td": _TABLE,
    "th": _TABLE,
}
STYLES: Final = set(_STYLES.split())
# What makes a value more than a value: functions that load or run, and escapes that hide them.
ACTIVE: Final = re.compile(r"(?:url|image|set|attr|var|env|expression|element)\s*\(|[\\<@]|/\*|script:", re.IGNORECASE)
REMOTE: Final = re.compile(r"https?://", re.IGNORECASE)
# How mail programs set apart what they quote: nothing else is kept of these attributes.
QUOTES: Final = {
    ("blockquote", "type"): ("cite",),
    ("div", "class"): ("gmail_quote",),
    ("div", "id"): ("appendonsend", "divRplyFwdMsg"),
}
MARK: Final = "remote-image:"  # a scheme that no mail can bring in, since it is not allowed


def sanitise(source: str) -> str | None:
    """The HTML with known tags, attributes and styles only; None where it is beyond what is looked at (see `is_modest`).

    Links are of http, https, mailto, tel or cid. An image loads from the mail itself (`src="cid:…"`) or not at all: the
    address of a remote one stands in `data-src`, for a reader to ask for.
    """
    if not is_modest(source):
        return None
    return _CLEANER.clean(source).replace(f' src="{MARK}', ' data-src="').strip()


def _keep(tag: str, attribute: str, value: str) -> str | None:
    """Asked after the schemes are checked. The cleaner cannot rename an attribute, so a mark is left to be replaced."""
    if attribute == "src":
        return f"{MARK}{value}" if REMOTE.match(value) else value if value[:4].lower() == "cid:" else None
    if attribute == "style":
        return "; ".join(one.strip() for one in value.split(";") if one.strip() and not ACTIVE.search(one)) or None
    if marks := QUOTES.get((tag, attribute)):
        return next((mark for mark in marks if mark in value.split()), None)
    return value


_CLEANER: Final = nh3.Cleaner(
    tags=TAGS,
    clean_content_tags={
        "iframe",
        "math",
        "noembed",
        "noframes",
        "object",
        "script",
        "style",
        "svg",
        "template",
        "title",
    },
    attributes=ATTRIBUTES,
    attribute_filter=_keep,
    filter_style_properties=STYLES,
    url_schemes=SCHEMES,
    url_relative="deny",
    link_rel="noopener noreferrer nofollow",
    set_tag_attribute_values={"a": {"target": "_blank"}},
)
