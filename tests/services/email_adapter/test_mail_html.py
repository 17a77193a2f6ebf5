"""HTML of strangers: harmless, silent, and readable as text."""

import re

import pytest
from hypothesis import given, settings as tuned, strategies as st
from selectolax.lexbor import LexborHTMLParser

from services.email_adapter.mail.readable import LINKS, SIZE, TAGS, as_text, is_modest
from services.email_adapter.mail.sanitised import sanitise

ATTACKS = [
    "<script>alert(1)</script>",
    "<ScRiPt src=https://evil.example/x.js></sCrIpT>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<img src=x onerror=alert(1)>",
    "<img src=x onerror\x0c=alert(1)>",
    '<img """><script>alert(1)</script>">',
    "<svg/onload=alert(1)>",
    "<svg><animate onbegin=alert(1) attributeName=x>",
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=x onerror=alert(1)&gt;'>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "<a href=javascript:alert(1)>x</a>",
    "<a href='jav\tascript:alert(1)'>x</a>",
    "<a href='&#106;avascript:alert(1)'>x</a>",
    "<a href=' javascript:alert(1)'>x</a>",
    "<a href='vbscript:x'>x</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "<a href='//evil.example'>x</a>",
    "<a href='/relative'>x</a>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<object data=https://evil.example></object><embed src=https://evil.example>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<base href=https://evil.example/>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<style>@import 'https://evil.example/x.css'</style>",
    "<style>body{background:url(https://t.example/x)}</style>",
    "<div style='background-image:url(https://t.example/x)'>x</div>",
    "<div style='background:url(https://t.example/x)'>x</div>",
    "<div style='color:red;width:expression(alert(1))'>x</div>",
    "<div style='font-family:\"u\\72l(https://t.example)\"'>x</div>",
    "<div style='color: u/**/rl(https://t.example/x)'>x</div>",
    "<div style='list-style: url(https://t.example/x)'>x</div>",
    "<div style='position:fixed;top:0;left:0;width:100%'>x</div>",
    "<div style='behavior:url(x.htc)'>x</div>",
    "<div style='border-radius: var(--x, url(https://t.example))'>x</div>",
    "<div style='width: calc(1px); height: image-set(\"https://t.example/x\" 1x)'>x</div>",
    "<img src=https://t.example/pixel.gif>",
    "<img src=//t.example/pixel.gif>",
    "<img srcset='https://t.example/a 2x' src='data:image/svg+xml,<svg onload=alert(1)>'>",
    "<img src='remote-image:https://t.example/x'>",
    "<picture><source srcset=https://t.example/x><img src=https://t.example/x></picture>",
    "<video poster=https://t.example/x src=https://t.example/v autoplay></video><audio src=https://t.example/a>",
    "<table background=https://t.example/x><td background=https://t.example/x>x</table>",
    "<body background=https://t.example/x onload=alert(1)>x</body>",
    "<input type=image src=https://t.example/x><button formaction=javascript:alert(1)>x</button>",
    "<form action=https://evil.example><input name=password></form>",
    "<p id=desk class=token name=location>x</p>",
    "<!--[if gte IE 4]><script>alert(1)</script><![endif]-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<xml:namespace prefix=t><t:set to='<img src=x onerror=alert(1)>'>",
    "<template><img src=x onerror=alert(1)></template>",
    "<textarea><img src=x onerror=alert(1)></textarea>",
    "<isindex action=javascript:alert(1) type=image>",
    "<marquee onstart=alert(1)>x</marquee>",
    "<details open ontoggle=alert(1)>x</details>",
    "<a href='https://shop.example' target=_self onclick=alert(1)>x</a>",
    "<a href='cid:x' ping=https://t.example>x</a>",
]
ATTRIBUTES = {
    "align", "alt", "bgcolor", "border", "cellpadding", "cellspacing", "color", "colspan", "data-src", "dir", "face",
    "height", "href", "lang", "rel", "rowspan", "size", "src", "start", "style", "target", "title", "type", "valign",
    "width",
}  # fmt: skip


def check(html):
    """Parsed by another parser than the cleaner's: nothing runs, nothing is asked for, links say where they go."""
    for node in LexborHTMLParser(f"<body>{html}").css("body *"):
        assert node.tag not in {"script", "style", "iframe", "object", "embed", "svg", "math", "form", "meta", "link"}
        assert node.attributes.keys() <= ATTRIBUTES, html
        told = {name: value or "" for name, value in node.attributes.items()}
        assert told.get("src", "cid:").lower().startswith("cid:"), html
        assert re.match(r"(?i)(https?|mailto|tel|cid):", told.get("href", "cid:")), html
        assert re.match(r"(?i)https?://", told.get("data-src", "https://"))
        assert not re.search(r"(?i)url\s*\(|expression|position|\\|@|/\*", told.get("style", ""))
        if node.tag == "a":
            assert (told["target"], "noopener" in told["rel"]) == ("_blank", True)


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_attack_gets_through(attack):
    check(sanitise(attack))
    check(sanitise(f"<p>before {attack} after</p>"))
    check(sanitise(f"<table><tr><td>{attack}</td></tr></table>"))


@tuned(max_examples=300)
@given(st.lists(st.sampled_from(ATTACKS) | st.text("<>/\"'=&;! -abisvg", max_size=12), max_size=6))
def test_no_mixture_of_attacks_gets_through(parts):
    check(sanitise("".join(parts)))


def test_what_is_sanitised_stays_as_it_is_when_it_is_sanitised_again():
    once = sanitise("<p style='color: red'>a <a href='https://x.example'>b</a><img src='cid:c' alt='d'></p>")
    assert sanitise(once) == once


def test_a_remote_image_keeps_its_address_for_a_reader_who_asks():
    html = sanitise('<img src="https://shop.example/a.png?x=1&amp;y=2" alt="a cup" width="40">')
    assert html == '<img data-src="https://shop.example/a.png?x=1&amp;y=2" alt="a cup" width="40">'


def test_what_marks_a_quote_is_kept_and_nothing_beside_it():
    quoted = (
        '<div class="gmail_quote big" id="x">a<blockquote type="cite" class="b">b</blockquote><ol type="a"></ol></div>'
    )
    kept = '<div class="gmail_quote">a<blockquote type="cite">b</blockquote><ol type="a"></ol></div>'
    assert sanitise(quoted) == kept
    assert (
        sanitise('<blockquote type="other">a</blockquote><p class="gmail_quote">b</p>')
        == "<blockquote>a</blockquote><p>b</p>"
    )


def test_what_is_no_attack_is_kept():
    kept = '<h1 align="center">ការបញ្ជាទិញ</h1><p dir="rtl" style="color:#333;font-size:14px">مرحبا <b>one</b><br>two</p>'
    assert sanitise(kept) == kept


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("<div>one</div><div>two</div>", "one\ntwo"),
        ("one<br>two<br><br>three", "one\ntwo\n\nthree"),
        ("<p> a \n  b <b> c</b>d</p>", "a b cd"),
        ("a<span>b</span>c", "abc"),
        ("<ul><li>a<li>b</ul><ol><li>c<li><p>d</ol>", "- a\n- b\n\n1. c\n\n2. d"),
        ("<blockquote>a<blockquote>b</blockquote></blockquote>c", "> a\n>\n> > b\n\nc"),
        ("<pre>  a\n b</pre>", "  a\n b"),
        ("<table><tr><td>a<td>b<tr><td>c</table>", "a b\nc"),
        ("<p>a<hr>b", "a\n\n---\nb"),
        ("<img alt='a cup'><img src=x>", "a cup"),
        ("<head><title>no</title></head><style>no</style><script>no</script><p hidden>yes", "yes"),
        ("<p style='display: none'>no</p>yes", "yes"),
        ("&lt;b&gt; &amp; &nbsp; &#x1f600; &Khmer;", "<b> &   😀 &Khmer;"),
        ("<p>ការ<wbr>បញ្ជាទិញ", "ការបញ្ជាទិញ"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("", ""),
    ],
)
def test_html_is_text_as_its_reader_sees_it(html, text):
    assert as_text(html) == text


def test_text_is_found_however_deep_it_stands():
    for depth in (300, 3000, 30_000):
        assert as_text("<div>" * depth + "here" + "</div>" * depth) == "here"


def test_html_beyond_what_is_parsed_is_still_text():
    rows = "<tr><td>ទំនិញ</td><td>12 &euro;</td></tr>" * TAGS
    page = f"<style>p {{}}</style><script>no()</script><!-- no --><p>Prices</p><table>{rows}</table>"
    assert sanitise(page) is None
    first, *lines = as_text(page).splitlines()
    assert (first, lines[-1]) == ("Prices", "ទំនិញ 12 €")
    assert sum(line == "ទំនិញ 12 €" for line in lines) == TAGS


@pytest.mark.parametrize(
    ("html", "modest"),
    [
        ("<a href=x>" * LINKS, True),
        ("<A href=x>" * (LINKS + 1), False),
        ("<b>" * TAGS, True),
        ("<b>" * (TAGS + 1), False),
        ("x" * SIZE, True),
        ("x" * (SIZE + 1), False),
        ("word " * 100_000, True),
        (f"<img src='data:image/png;base64,{'iVBORw0KGgo' * 10_000}'>", True),
        (f"<p {'a=1 ' * 10_000}>", False),
        (f"<p {'a/' * 10_000}>", False),
        ("&amp;" * 20_001, False),
    ],
    ids=lambda value: str(value)[:12],
)
def test_html_is_only_parsed_where_it_is_modest(html, modest):
    assert is_modest(html) is modest
    assert (sanitise(html) is not None) is modest


@given(st.text("<>/!-&#;x19 abp\n", max_size=200))
def test_whatever_the_html_there_is_a_text(html):
    as_text(html)
    as_text(html + "<" * (TAGS + 1))
