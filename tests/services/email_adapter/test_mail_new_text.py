"""Of a mail, `text` is what was written now: in any language and program, and in doubt all of it. No line is lost."""

from __future__ import annotations

import pytest
from hypothesis import given, settings as tuned, strategies as st

from services.email_adapter.mail.newest import new_text
from services.email_adapter.mail.sizes import TEXT
from shared.contract.envelope import Text
from tests.services.email_adapter.letters import mail, read, record
from tests.services.email_adapter.new_texts import TEXTS, parted

HTML = "Content-Type: text/html; charset=utf-8"
OLD = "<p>Which colour?</p>"
HEAD = "From: Angkor &lt;help@shop.example&gt;<br>Sent: Monday<br>To: Sam<br>Subject: Bag"
PROGRAMS = {
    "gmail": f'<div dir="ltr">Blue.</div><br><div class="gmail_quote"><div class="gmail_attr">Mõni ütles, 2. vebr:</div><blockquote class="gmail_quote">{OLD}</blockquote></div>',
    "apple": f'<div>Blue.</div><blockquote type="cite"><div>On 2 Feb 2026, at 10:15, Angkor wrote:</div>{OLD}</blockquote>',
    "outlook.com": f'<div>Blue.</div><div id="appendonsend"></div><hr><div id="divRplyFwdMsg">{HEAD}</div>{OLD}',
    "outlook.com, again": f'<div>Blue.</div><hr><div id="x_divRplyFwdMsg"><b>Ukuthi:</b> Angkor</div>{OLD}',
    "outlook": f'<p>Blue.</p><div><div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0in 0in 0in"><p><b>Ukuthi:</b> Angkor</p></div></div>{OLD}',
    "yahoo": f'<div>Blue.</div><div id="yahoo_quoted_1" class="yahoo_quoted"><div>Angkor, Monday</div>{OLD}</div>',
    "thunderbird": f'<p>Blue.</p><div class="moz-cite-prefix">2/2/26 Angkor:<br></div><blockquote type="cite" cite="mid:1">{OLD}</blockquote>',
    "proton": f'<div>Blue.</div><div class="protonmail_quote">On Monday, Angkor:<br><blockquote class="protonmail_quote">{OLD}</blockquote></div>',
    "zoho": f'<div>Blue.</div><div class="zmail_extra"><div>---- On Monday Angkor ----</div>{OLD}</div>',
}


def text_of(raw: bytes) -> Text:
    part = record(raw).parts[0]
    assert isinstance(part, Text)
    return part


@pytest.mark.parametrize("name", TEXTS)
def test_the_text_is_what_was_written_now(name):
    whole, now = parted(TEXTS[name])
    found = new_text(whole)
    assert found.text == now
    assert bool(found.cuts) == bool(found.quoted or found.signature) == (now != whole)
    assert {cut.part for cut in found.cuts} == {
        part for part in ("quoted", "signature") if getattr(found, part) is not None
    }


@tuned(max_examples=300)
@given(st.lists(st.sampled_from([*"\n".join(TEXTS.values()).split("\n"), "> a", "--", ""]), max_size=30))
def test_no_line_is_lost_and_the_text_is_empty_only_where_all_is(lines):
    found = new_text("\n".join(lines))
    told = [line for part in (found.text, found.quoted, found.signature) for line in (part or "").split("\n")]
    assert sorted(filter(None, map(str.rstrip, told))) == sorted(filter(None, map(str.rstrip, lines)))
    assert found.text.strip() or not any(map(str.strip, lines))


@pytest.mark.parametrize("program", PROGRAMS)
def test_html_is_cut_where_the_program_that_wrote_it_says(program):
    found = text_of(mail(PROGRAMS[program], HTML))
    assert found.text == "Blue."
    assert "Which colour?" in found.quoted
    assert "Which colour?" in found.html


@pytest.mark.parametrize("program", ["gmail", "outlook.com, again", "outlook"])
def test_a_text_is_cut_where_the_html_beside_it_is(program):
    both = (
        "--b\r\nContent-Type: text/plain\r\n\r\nBlue.\r\n\r\nUkuthi: Angkor\r\n\r\nWhich colour?\r\n"
        f"--b\r\n{HTML}\r\n\r\n{PROGRAMS[program]}\r\n--b--\r\n"
    )
    found = text_of(mail(both, "Content-Type: multipart/alternative; boundary=b"))
    assert (found.text, found.quoted) == ("Blue.", "Ukuthi: Angkor\n\nWhich colour?")


@pytest.mark.parametrize(
    "html",
    [
        "<p>My mother used to say:</p><blockquote>Blue is the sky.</blockquote>",
        f'<div class="gmail_quote"><div class="gmail_attr">---------- Forwarded message ---------</div>{OLD}</div>',
        f'<div class="gmail_quote"><blockquote type=cite>{OLD}</blockquote>Blue.<blockquote type=cite>And?</blockquote>No.</div>',
    ],
)
def test_html_that_a_person_set_in_forwarded_or_answered_between_stays(html):
    found = text_of(mail(html, HTML))
    assert (found.quoted, found.cuts) == (None, ())


def test_what_is_too_long_is_a_file_with_all_of_it_and_the_text_is_the_new():
    old = "> Which colour?\r\n" * (TEXT // 10)
    raw = mail(f"Blue.\r\n\r\nOn 2 Feb 2026, at 10:15, Angkor wrote:\r\n{old}")
    part = text_of(raw)
    assert (part.text, part.quoted) == ("Blue.", None)
    assert read(raw).files["text"].count(b"> Which") == TEXT // 10
