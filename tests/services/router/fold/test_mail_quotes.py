"""What a mail repeats at its end is folded in its HTML, whichever program set it apart; what was written now never is."""

import pytest
from selectolax.lexbor import LexborHTMLParser

from services.email_adapter.mail.sanitised import sanitise
from services.router.api.quotes import folded

FOLD = "<details><summary>Quoted</summary>"


def fold(html):
    return folded(LexborHTMLParser(sanitise(html)), "Quoted")


@pytest.mark.parametrize(
    ("mail", "shown", "hidden"),
    [
        (
            "<p>new</p><div class='gmail_quote gmail_quote_container'>On Monday:<blockquote>old</blockquote></div><br>",
            "<p>new</p>",
            "On Monday:<blockquote>old</blockquote>",
        ),
        ("new<blockquote type='cite'>old<blockquote type='cite'>older</blockquote></blockquote>", "new", "old<"),
        (
            "<div>new<div id='appendonsend'></div><hr><div id='divRplyFwdMsg'>From: A</div> and <p>old</p></div>",
            "<div>new",
            "From: A</div> and <p>old</p>",
        ),
        ("<img src='cid:photo'><blockquote type=cite>old</blockquote>", '<img src="cid:photo">', "old"),
        (
            "a<blockquote type=cite>asked</blockquote>answered<blockquote type=cite>signed</blockquote>",
            'a<blockquote type="cite">asked</blockquote>answered',
            "signed",
        ),
    ],
)
def test_the_quote_at_the_end_is_behind_words_to_press(mail, shown, hidden):
    before, folded_at, after = fold(mail).partition(FOLD)
    assert (before, folded_at) == (shown, FOLD)
    assert hidden in after.partition("</details>")[0]
    assert fold(mail).count("<details>") == 1


@pytest.mark.parametrize(
    "mail",
    [
        "<div class='gmail_quote'>a forwarded mail, and nothing else</div>",
        "<blockquote type='cite'>asked</blockquote><p>answered below</p>",
        "<blockquote>a poem</blockquote>",
        "<p>new</p>",
        "<p>new</p><blockquote type='cite'> </blockquote>",
        "",
    ],
)
def test_what_else_is_quoted_stays_where_it_is(mail):
    assert fold(mail) == LexborHTMLParser(sanitise(mail)).body.inner_html


def test_the_words_are_no_markup():
    assert "<summary>&lt;b&gt;</summary>" in folded(LexborHTMLParser("a<blockquote type=cite>b</blockquote>"), "<b>")
